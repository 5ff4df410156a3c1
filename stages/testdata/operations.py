#!/usr/bin/python3
"""Writes operations.json: what torchvision makes of Pillow images, for
operations_test.go. Run with the versions it records:

    python3 stages/testdata/operations.py > stages/testdata/operations.json
"""
import json

import numpy as np
import PIL
import torchvision
import torchvision.transforms.functional as F
from PIL import Image

from augment import PICTURES, digest


def flat(height, width):
    """One colour, which leaves autocontrast and equalize nothing to do."""
    return np.full((height, width, 3), (200, 0, 31), np.uint8)


def narrow(height, width):
    """Few levels, far from black and white."""
    return (PICTURES["noise"](height, width) % np.array([7, 60, 2]) + 90).astype(np.uint8)


KINDS = dict(PICTURES, flat=flat, narrow=narrow)
SIZES = [(17, 23), (3, 3), (1, 9), (2, 2), (40, 1)]


def operations():
    """Name of the stage, its params, and the function of torchvision."""
    yield "grayscale", {}, lambda i: F.rgb_to_grayscale(i, 3)
    yield "invert", {}, F.invert
    for threshold in [0, 1, 77, 128, 128.5, 255, 256]:
        yield "solarize", dict(threshold=threshold), lambda i, t=threshold: F.solarize(i, t)
    for bits in range(1, 9):
        yield "posterize", dict(bits=bits), lambda i, b=bits: F.posterize(i, b)
    for gamma in [0, 0.1, 0.45, 0.8, 1, 1.234, 2.2, 7]:
        yield "gamma", dict(gamma=gamma), lambda i, g=gamma: F.adjust_gamma(i, g)
    yield "autocontrast", {}, F.autocontrast
    yield "equalize", {}, F.equalize
    for factor in [0, 0.3, 0.999, 1, 1.5, 2, 9.7, 1000]:
        yield "sharpness", dict(factor=factor), lambda i, f=factor: F.adjust_sharpness(i, f)


def cases():
    for stage, params, function in operations():
        for kind, picture in KINDS.items():
            for height, width in [(24, 32)] if kind == "photo" else SIZES:
                out = function(Image.fromarray(picture(height, width)))
                yield dict(stage=stage, params=params, kind=kind, height=height, width=width, sha256=digest(out))


def main():
    versions = dict(torchvision=torchvision.__version__, pillow=PIL.__version__, numpy=np.__version__)
    lines = ['"versions": ' + json.dumps(versions),
             '"cases": [\n %s\n]' % ",\n ".join(json.dumps(c) for c in cases())]
    print("{\n" + ",\n".join(lines) + "\n}")


if __name__ == "__main__":
    main()
