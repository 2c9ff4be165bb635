"""The other end of package msgpack, on Debian's python3-u-msgpack: the forms are made here from the package's documentation.
The library has no timestamps.

pack SEED COUNT: prints that many random maps, each as its MessagePack in hexadecimal, a tab and its JSON.
unpack: reads such lines, and fails where a map is not its JSON."""

import base64
import collections
import collections.abc
import json
import math
import random
import sys

collections.Hashable = collections.abc.Hashable  # Debian 12's umsgpack 2.3 looks for it where Python 3.11 has it no more

import umsgpack

FORMS = ("$bin", "$str", "$float", "$time", "$ext", "$map")


def b64(data):
    return base64.b64encode(data).decode()


def shown(v):
    if isinstance(v, dict):
        keys = list(v)
        if any(not isinstance(k, str) for k in keys) or keys and keys[0] in FORMS:
            return {"$map": [[shown(k), shown(x)] for k, x in v.items()]}
        return {k: shown(x) for k, x in v.items()}
    if isinstance(v, (list, tuple)):
        return [shown(x) for x in v]
    if isinstance(v, bytes):
        return {"$bin": b64(v)}
    if isinstance(v, umsgpack.Ext):
        return {"$ext": [v.type, b64(v.data)]}
    if isinstance(v, float) and not math.isfinite(v):
        return {"$float": "NaN" if v != v else "Infinity" if v > 0 else "-Infinity"}
    return v


def text(r):
    return "".join(r.choice(["a", "B", "7", " ", '"', "\\", "/", "\n", "\x00", "\x1b", "\x9b", "\u00e9", "\u2028", "\U0001f511"]) for _ in range(r.choice([0, 1, 5, 31, 32, 40])))


def scalar(r):
    return r.choice([
        lambda: None, lambda: True, lambda: False, lambda: text(r), lambda: text(r), lambda: r.choice(FORMS),
        lambda: r.randint(-40, 140), lambda: r.randint(-2**63, 2**64 - 1), lambda: -(2 ** r.randint(0, 63)), lambda: 2 ** r.randint(0, 63),
        lambda: r.uniform(-1, 1), lambda: float(r.randint(-9, 9)), lambda: r.choice([math.nan, math.inf, -math.inf, -0.0, 1e-7, 1e21, 5e-324, 1.7976931348623157e308]),
        lambda: r.randbytes(r.choice([0, 1, 2, 3, 300])), lambda: umsgpack.Ext(r.randint(0, 127), r.randbytes(r.choice([0, 1, 2, 3, 4, 8, 12, 16, 17, 300]))),
    ])()


def value(r, depth):
    kind = r.random()
    if depth == 0 or kind < 0.6:
        return scalar(r)
    if kind < 0.8:
        return [value(r, depth - 1) for _ in range(r.choice([0, 1, 3, 15, 16]))]
    return mapping(r, depth - 1)


def mapping(r, depth):
    return {r.choice([text(r), text(r), text(r), r.randint(-5, 500), r.choice(FORMS)]): value(r, depth) for _ in range(r.choice([0, 1, 3, 15, 16, 20]))}


def same(a, b):
    return type(a) is type(b) and repr(a) == repr(b)


if sys.argv[1] == "pack":
    r = random.Random(int(sys.argv[2]))
    for _ in range(int(sys.argv[3])):
        m = mapping(r, 3)
        print(umsgpack.packb(m).hex(), json.dumps(shown(m), ensure_ascii=r.random() < 0.5), sep="\t")
else:
    for line in sys.stdin.buffer:
        packed, want = line.decode().rstrip("\n").split("\t")
        got = shown(umsgpack.unpackb(bytes.fromhex(packed)))
        if not same(got, json.loads(want)):
            sys.exit("%s\nis %r\nnot %s" % (packed, got, want))
