#!/usr/bin/python3
"""Writes rle.json: what pycocotools makes of random polygons and masks, for rle_test.go.
Run with the versions it records:

    python3 internal/coco/testdata/rle.py > internal/coco/testdata/rle.json
"""
import importlib.metadata
import json

import numpy as np
from pycocotools import mask as pm

rng = np.random.default_rng(15)


def outcome(rle):
    return {"counts": rle["counts"].decode(), "area": int(pm.area(rle)), "box": [int(v) for v in pm.toBbox(rle)]}


def rings():
    """Few and many points, whole and broken numbers, inside and far outside."""
    for i in range(240):
        height, width = int(rng.integers(1, 60)), int(rng.integers(1, 60))
        n = int(rng.choice([3, 3, 4, 5, 8, 20, 60]))
        spread = rng.choice([1.0, 1.0, 1.4, 3.0])
        xy = (rng.random((n, 2)) - .5) * spread * [width, height] + np.array([width, height]) / 2
        if i % 3 == 0:
            turn = np.sort(rng.random(n)) * 2 * np.pi  # doesn't cross itself
            r = rng.random(n) * .4 + .2
            xy = np.stack([np.cos(turn) * r * width, np.sin(turn) * r * height], 1) + np.array([width, height]) / 2
        xy = [np.round(xy), np.round(xy * 2) / 2, np.round(xy, 2), xy][i % 4]
        if i % 7 == 0:
            xy = np.concatenate([xy, xy[:1]])  # closed
        if i % 11 == 0:
            xy = np.repeat(xy, 2, 0)  # points twice
        yield height, width, [float(v) for v in xy.ravel()]


polygons = []
for height, width, ring in rings():
    rle = pm.frPyObjects([ring], height, width)[0]
    polygons.append({"height": height, "width": width, "ring": ring, **outcome(rle)})

# Unions of polygons, as annToRLE makes them.
unions = []
for k in range(0, 60, 3):
    height, width = 40, 50
    parts = [[float(v) for v in np.round(rng.random((5, 2)) * [width, height], 1).ravel()] for _ in range(3)]
    unions.append({"height": height, "width": width, "rings": parts, **outcome(pm.merge(pm.frPyObjects(parts, height, width)))})

masks = []
for i in range(40):
    height, width = int(rng.integers(1, 40)), int(rng.integers(1, 40))
    m = (rng.random((height, width)) < rng.choice([0, .05, .5, .95, 1])).astype(np.uint8)
    if i % 2:
        m = np.kron(m, np.ones((7, 5), np.uint8))
        height, width = m.shape
    rle = pm.encode(np.asfortranarray(m))
    masks.append({"height": height, "width": width, "pixels": np.packbits(m.ravel()).tobytes().hex(), **outcome(rle)})

print(json.dumps({
    "versions": {k: importlib.metadata.version(k) for k in ("pycocotools", "numpy")},
    "polygons": polygons, "unions": unions, "masks": masks,
}, separators=(",", ":")))
