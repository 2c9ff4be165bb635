"""The other end of ZeroMQ, on Debian's python3-zmq (libzmq), as napalm-logs and its clients use it.

subscribe ENDPOINT N: prints each of N messages in hexadecimal, a frame a word, and ends.
publish ENDPOINT: prints where it listens, and publishes each line of stdin, given so, until stdin ends."""

import sys

import zmq

context = zmq.Context()
if sys.argv[1] == "subscribe":
    socket = context.socket(zmq.SUB)
    socket.setsockopt(zmq.HEARTBEAT_IVL, 100)
    socket.connect(sys.argv[2])
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    for _ in range(int(sys.argv[3])):
        print(" ".join(frame.hex() for frame in socket.recv_multipart()), flush=True)
else:
    socket = context.socket(zmq.XPUB)
    socket.setsockopt(zmq.HEARTBEAT_IVL, 100)
    socket.bind(sys.argv[2])
    print(socket.getsockopt_string(zmq.LAST_ENDPOINT), flush=True)
    assert socket.recv() == b"\x01"  # somebody wants everything
    for line in sys.stdin:
        socket.send_multipart([bytes.fromhex(word) for word in line.split(" ")])
socket.close()
context.term()
