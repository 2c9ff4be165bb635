"""Seals as docs/sealed-files.md says, written from that page alone: a second opinion on the reader.

seal.py SENDER_NAME SENDER_PRIVATE RECIPIENT_NAME RECIPIENT_PUBLIC... <PLAINTEXT >SEALED
"""
import base64
import hashlib
import hmac
import sys

from nacl.public import Box, PrivateKey, PublicKey
from nacl.secret import SecretBox
from nacl.utils import random


def decode(text):
    return base64.b64decode(text.split(":")[1])


def encode(raw):
    return "%d:%s" % (len(raw), base64.b64encode(raw).decode())


sender, private, recipient = sys.argv[1], PrivateKey(decode(sys.argv[2])), sys.argv[3]
file_key = random(32)
origin = "from %s %s\n" % (sender, encode(bytes(private.public_key)))
header = "keyward sealed file v1\n" + origin
for public in sys.argv[4:]:
    to = "to %s %s" % (recipient, public)
    message = ("keyward sealed file key v1\n" + origin + to + "\n").encode() + file_key
    header += to + " " + encode(bytes(Box(private, PublicKey(decode(public))).encrypt(message))) + "\n"
header = (header + "data\n").encode()
box = SecretBox(hmac.new(file_key, header, hashlib.sha256).digest())
plain = sys.stdin.buffer.read()
chunks = [plain[i : i + 65536] for i in range(0, len(plain), 65536)] or [b""]
sys.stdout.buffer.write(header)
for number, chunk in enumerate(chunks):
    nonce = number.to_bytes(23, "big") + bytes([number == len(chunks) - 1])
    sys.stdout.buffer.write(box.encrypt(chunk, nonce).ciphertext)
