"""A reader of sealed messages as the original's client is one, on python3-zmq, python3-nacl and python3-u-msgpack: it receives,
verifies, decrypts and decodes one message after the other, and prints each as a line of JSON.

subscriber.py ENDPOINT BOX VERIFY"""

import collections
import collections.abc
import json
import sys

import nacl.encoding
import nacl.secret
import nacl.signing
import zmq

collections.Hashable = collections.abc.Hashable  # Debian 12's umsgpack 2.3 looks for it where Python 3.11 has it no more

import umsgpack

endpoint, box, verify = sys.argv[1:]
box = nacl.secret.SecretBox(bytes.fromhex(box))
verify = nacl.signing.VerifyKey(verify, encoder=nacl.encoding.HexEncoder)
socket = zmq.Context().socket(zmq.SUB)
socket.connect(endpoint)
socket.setsockopt(zmq.SUBSCRIBE, b"")
while True:
    print(json.dumps(umsgpack.unpackb(box.decrypt(verify.verify(socket.recv())))), flush=True)
