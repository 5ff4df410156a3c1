#!/usr/bin/python3
"""Writes operations.json: what torchvision, and albumentations for coarse_dropout, make of
pictures with given amounts, and how these are distributed, for operations_test.go. Run with the
versions it records:

    python3 stages/testdata/operations.py > stages/testdata/operations.json
"""
import json

import albumentations
import numpy as np
import PIL
import torch
import torchvision
import torchvision.transforms.functional as F
from albumentations.augmentations.dropout.functional import cutout
from PIL import Image
from torchvision.transforms import v2

from augment import PICTURES, digest
from golden import pack


def flat(height, width):
    """One colour, which leaves autocontrast and equalize nothing to do."""
    return np.full((height, width, 3), (200, 0, 31), np.uint8)


def narrow(height, width):
    """Few levels, far from black and white."""
    return (PICTURES["noise"](height, width) % np.array([7, 60, 2]) + 90).astype(np.uint8)


KINDS = dict(PICTURES, flat=flat, narrow=narrow)
SIZES = [(17, 23), (3, 3), (1, 9), (2, 2), (40, 1)]


def dropped(image, corners, fill):
    color = np.full(3, fill, np.uint8) if isinstance(fill, int) else np.array(fill, np.uint8)
    return cutout(np.array(image), corners, color, np.random.default_rng())


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
    holes = [dict(x=2, y=5, width=9, height=3), dict(x=0, y=0, width=4, height=6), dict(x=10, y=1, width=1, height=12)]
    for fill in [0, 77, [1, 2, 250]]:
        corners = np.array([[h["x"], h["y"], h["x"] + h["width"], h["y"] + h["height"]] for h in holes])
        yield "coarse_dropout", dict(holes=holes), lambda i, f=fill, c=corners: dropped(i, c, f), dict(fill=fill)
    for value in [0, 77, [1, 2, 250]]:
        hole = holes[0]
        where = [hole["y"], hole["x"], hole["height"], hole["width"]]
        filled = torch.tensor([value] if isinstance(value, int) else value)[:, None, None]
        yield "random_erasing", hole, lambda i, w=where, v=filled: F.erase(F.pil_to_tensor(i), *w, v).permute(1, 2, 0), dict(value=value)


def blurs():
    """With their pixels, as they are rounded in another way."""
    for size, sigma in [(3, 0.1), (3, 0.7), (5, 1.1), (9, 2.0), (9, 40.0), (23, 0.4), (23, 1.0), (23, 2.0)]:
        for kind, (height, width) in dict(photo=(24, 32), noise=(17, 23), flat=(13, 14)).items():
            out = F.gaussian_blur(Image.fromarray(KINDS[kind](height, width)), size, sigma) if size < 2 * min(height, width) else None
            if out is not None:
                yield dict(size=size, sigma=sigma, kind=kind, height=height, width=width, pixels=pack(np.array(out)))


def means(draws):
    values = {k: np.array([d[k] for d in draws], float) for k in draws[0]}
    return dict(draws=len(draws), mean={k: v.mean() for k, v in values.items()}, std={k: v.std() for k, v in values.items()})


def erasing_statistics(n=100_000):
    torch.manual_seed(1)
    for height, width in [(224, 224), (30, 70)]:
        image, stage, draws = torch.zeros(3, height, width), v2.RandomErasing(p=1), []
        for _ in range(n):
            d = stage.make_params([image])
            draws.append(dict(x=d["j"], y=d["i"], width=d["w"], height=d["h"], erased=1) if d["v"] is not None else
                         dict(x=0, y=0, width=0, height=0, erased=0))
        yield dict(height=height, width=width, **means(draws))


def dropout_statistics(n=30_000):
    for options in [dict(), dict(num_holes_range=[2, 5], hole_height_range=[3, 60], hole_width_range=[1, 9])]:
        stage, draws = albumentations.CoarseDropout(p=1, **{k: tuple(v) for k, v in options.items()}), []
        stage.set_random_seed(1)
        for _ in range(n):
            holes = stage.get_params_dependent_on_data({"shape": (50, 80, 3)}, {})["holes"]
            x, y, x2, y2 = holes[-1]
            draws.append(dict(holes=len(holes), x=x, y=y, width=x2 - x, height=y2 - y))
        yield dict(options=options, height=50, width=80, **means(draws))


def cases():
    for stage, params, function, *options in operations():
        for kind, picture in KINDS.items():
            for height, width in [(24, 32)] if kind == "photo" else SIZES[:1] if options else SIZES:
                out = function(Image.fromarray(picture(height, width)))
                yield dict(stage=stage, params=params, kind=kind, height=height, width=width, sha256=digest(out),
                           options=options[0] if options else {})


def main():
    versions = dict(torch=torch.__version__, torchvision=torchvision.__version__, pillow=PIL.__version__,
                    albumentations=albumentations.__version__, numpy=np.__version__)
    lines = ['"versions": ' + json.dumps(versions)]
    for name, part in dict(cases=cases, blurs=blurs, erasing_statistics=erasing_statistics,
                           dropout_statistics=dropout_statistics).items():
        lines.append('"%s": [\n %s\n]' % (name, ",\n ".join(json.dumps(c) for c in part())))
    print("{\n" + ",\n".join(lines) + "\n}")


if __name__ == "__main__":
    main()
