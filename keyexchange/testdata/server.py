"""A server of the key exchange as the original daemon is one, with the standard library alone: one recv for each word, and
another pair of keys for each of the connections that it is given.

server.py CERTKEY BOX:VERIFY... prints its port, then what each client says."""

import socket
import ssl
import sys

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
for pair in sys.argv[2:]:
    box, verify = pair.split(":")
    tcp, _ = listener.accept()
    s = context.wrap_socket(tcp, server_side=True)
    heard = [s.recv(4)]
    s.send(bytes.fromhex(box))
    heard.append(s.recv(3))
    s.send(verify.encode())
    heard.append(s.recv(3))
    word = s.recv(9)
    while word == b"KEEPALIVE":
        s.send(b"KEEPALIVEACK")
        heard.append(word)
        if len(heard) == 6:
            break
        word = s.recv(9)
    print(b" ".join(heard).decode(), flush=True)
    s.close()
