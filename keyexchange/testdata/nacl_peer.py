"""The other end of a sealed message, on Debian's python3-nacl and python3-u-msgpack, written from what napalm-logs puts on the wire.

seal BOX SEED: reads lines of MessagePack in hexadecimal, prints each sealed in hexadecimal.
open BOX VERIFY: reads sealed messages so, prints each one's map as JSON."""

import collections
import collections.abc
import json
import sys

import nacl.encoding
import nacl.secret
import nacl.signing

collections.Hashable = collections.abc.Hashable  # Debian 12's umsgpack 2.3 looks for it where Python 3.11 has it no more

import umsgpack

box = nacl.secret.SecretBox(bytes.fromhex(sys.argv[2]))
for line in sys.stdin:
    data = bytes.fromhex(line.strip())
    if sys.argv[1] == "seal":
        print(bytes(nacl.signing.SigningKey(bytes.fromhex(sys.argv[3])).sign(bytes(box.encrypt(data)))).hex())
    else:
        verify = nacl.signing.VerifyKey(sys.argv[3], encoder=nacl.encoding.HexEncoder)
        print(json.dumps(umsgpack.unpackb(box.decrypt(verify.verify(data)))))
