#!/usr/bin/env python3
"""Writes philox.json, numpy.random.Philox's values for rng_test.go.

Run from this folder: /usr/bin/python3 golden.py > philox.json
"""
import json

import numpy as np

TOP = 2**64 - 1
CASES = [  # key, counter; 10 values cross two block borders
    ([0, 0], [0, 0, 0, 0]),
    ([1, 2], [3, 4, 5, 6]),
    ([TOP, TOP], [0, TOP, TOP, TOP]),
    ([0x452821E638D01377, 0xBE5466CF34E90C6C],
     [0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89]),
]
# seed, stage name, stage id, epoch, position, attempt: how sluice addresses a stream
STREAMS = [
    (0, "rotate", "0", 0, 0, 0),
    (42, "crop", "1", 3, 123456789, 2),
    (TOP, "flip", "", 2**31 - 1, 2**63 - 1, 1),
]


def philox(key, counter):
    # uint64 arrays: numpy turns a list of large Python integers into objects
    return np.random.Philox(key=np.array(key, np.uint64), counter=np.array(counter, np.uint64))


def raw(key, counter, n=10):
    return [int(v) for v in philox(key, counter).random_raw(n)]


def fnv1a(text):
    h = 0xCBF29CE484222325
    for byte in text.encode():
        h = (h ^ byte) * 0x100000001B3 & TOP
    return h


def stream(seed, stage, id, epoch, position, attempt):
    key, counter = [seed, fnv1a(f"{stage}\0{id}")], [0, position, epoch, attempt]
    return {
        "seed": seed, "stage": stage, "id": id,
        "epoch": epoch, "position": position, "attempt": attempt,
        "raw": raw(key, counter),
        "float64": [float(v) for v in np.random.Generator(philox(key, counter)).random(10)],
    }


print(json.dumps({
    "numpy": np.__version__,
    "philox": [{"key": k, "counter": c, "raw": raw(k, c)} for k, c in CASES],
    "streams": [stream(*s) for s in STREAMS],
}, indent=1))
