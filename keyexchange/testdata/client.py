"""A client of the key exchange as the original is one, with the standard library alone: ssl and socket.

client.py CERT HOST PORT MODE prints the keys in hexadecimal, then what MODE asks for:
once: one keep-alive. tls12: the same over TLS 1.2. stay: keep-alives until the server ends the connection, then "ended", and all again once.
split: every byte by itself. pipelined: all words in one write."""

import socket
import ssl
import sys
import time

cert, host, port, mode = sys.argv[1:]


def connect():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cert)
    if mode == "tls12":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context.wrap_socket(socket.create_connection((host, int(port)), timeout=20))


def say(s, word):
    if mode != "split":
        s.send(word)
        return
    for b in word:
        s.send(bytes([b]))
        time.sleep(0.005)  # so that each is a segment of its own


def keys(s):
    say(s, b"INIT")
    box = s.recv(1024)
    say(s, b"ACK")
    verify = s.recv(1024)
    say(s, b"ACK")
    print(box.hex(), verify.decode(), flush=True)


s = connect()
if mode == "pipelined":
    s.send(b"INITACKACKKEEPALIVEKEEPALIVE")
    print(s.recv(1024).hex(), s.recv(1024).decode(), flush=True)
    print(s.recv(1024).decode(), s.recv(1024).decode())
    sys.exit()
keys(s)
while True:
    say(s, b"KEEPALIVE")
    answer = s.recv(len(b"KEEPALIVEACK"))
    if answer != b"KEEPALIVEACK":
        break
    if mode != "stay":
        print(answer.decode())
        sys.exit()
    print("alive", flush=True)
    sys.stdin.readline()  # until the test says so
print("ended" if answer == b"" else answer, flush=True)
s.close()
s = connect()
keys(s)
