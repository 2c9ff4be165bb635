"""What a VOV client does with PyNaCl: seal a login, or open one that Go sealed.

Arguments are key strings. "seal USER_PRIVATE SERVER_PUBLIC TIME" prints an apikey,
"open SERVER_PRIVATE USER_PUBLIC APIKEY" prints the message.
"""
import base64
import sys

from nacl.public import Box, PrivateKey, PublicKey


def decode(text):
    length, data = text.split(":")
    return base64.b64decode(data)[: int(length)]


def get_encrypted_message(box, now):
    message = "VOV API Key Client Auth %f" % now
    sealed = box.encrypt(message.encode())
    return str(len(sealed)) + ":" + base64.b64encode(sealed).decode()


verb, private, public, argument = sys.argv[1:]
box = Box(PrivateKey(decode(private)), PublicKey(decode(public)))
if verb == "seal":
    print(get_encrypted_message(box, float(argument)))
else:
    print(box.decrypt(decode(argument)).decode())
