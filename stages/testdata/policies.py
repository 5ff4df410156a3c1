#!/usr/bin/python3
"""Writes policies.json: what torchvision's RandAugment and TrivialAugmentWide and timm's
RandAugment make of Pillow images with the operations that they drew, the magnitudes that they
have, and how often they draw what, for rand_augment_test.go. Run with the versions it records:

    python3 stages/testdata/policies.py > stages/testdata/policies.json
"""
import json
import math
import random
from collections import Counter
from unittest import mock

import numpy as np
import PIL
import timm
import torch
import torchvision
import torchvision.transforms as T
from PIL import Image
from timm.data.auto_augment import rand_augment_transform
from torchvision.transforms import autoaugment

from augment import BILINEAR, NEAREST, PICTURES
from golden import pack

NAMES = dict(Identity="identity", ShearX="shear_x", ShearY="shear_y", TranslateX="translate_x", TranslateY="translate_y",
             Rotate="rotate", Brightness="brightness", Color="color", Contrast="contrast", Sharpness="sharpness",
             Posterize="posterize", Solarize="solarize", AutoContrast="autocontrast", Equalize="equalize")
APPLY = autoaugment._apply_op


def operation(name, magnitude):
    """As sluice has it: translations are of whole pixels."""
    return dict(op=NAMES[name], magnitude=float(int(magnitude)) if name.startswith("Translate") else magnitude)


def drawn(transform, image, apply=APPLY):
    """The operations that a policy draws for an image, and what it makes of it."""
    ops = []

    def record(image, name, magnitude, interpolation, fill):
        ops.append(operation(name, magnitude))
        return apply(image, name, magnitude, interpolation, fill)

    with mock.patch.object(autoaugment, "_apply_op", record):
        return ops, transform(image)


def single():
    """Each operation of each policy alone, at a few magnitudes."""
    for policy, space in dict(rand_augment=T.RandAugment()._augmentation_space(31, (24, 32)),
                              trivial_augment_wide=T.TrivialAugmentWide()._augmentation_space(31)).items():
        for i, (name, (magnitudes, signed)) in enumerate(space.items()):
            bins = [0, 3, 9, 20, 30] if magnitudes.ndim else [0]
            for j, b in enumerate(bins):
                magnitude = float(magnitudes[b]) if magnitudes.ndim else 0.0
                for sign in [1, -1] if signed and magnitude else [1]:
                    kind = ["pattern", "noise"][(i + j) % 2]
                    image = Image.fromarray(PICTURES[kind](13, 18))
                    out = {n: pack(np.array(APPLY(image, name, sign * magnitude, mode, None)))
                           for n, mode in dict(nearest=NEAREST, bilinear=BILINEAR).items()}
                    yield dict(stage=policy, kind=kind, height=13, width=18, ops=[operation(name, sign * magnitude)], **out)


def chains():
    torch.manual_seed(3)
    for i in range(60):
        kind = ["pattern", "noise"][i % 2]
        height, width = [(14, 22), (21, 15), (9, 30)][i % 3]
        transform = T.RandAugment(1 + i % 4, 1 + i % 30, fill=[None, [9, 200, 31]][i % 5 == 0])
        ops, out = drawn(transform, Image.fromarray(PICTURES[kind](height, width)))
        yield dict(stage="rand_augment", kind=kind, height=height, width=width, fill=transform.fill, ops=ops, nearest=pack(np.array(out)))


def magnitudes():
    for height, width, bins in [(224, 160, 31), (37, 500, 31), (331, 662, 10), (224, 224, 52)]:
        for policy, space in dict(rand_augment=T.RandAugment()._augmentation_space(bins, (height, width)),
                                  trivial_augment_wide=T.TrivialAugmentWide()._augmentation_space(bins)).items():
            yield dict(stage=policy, height=height, width=width, bins=bins,
                       ops={NAMES[n]: [operation(n, float(v))["magnitude"] for v in m] for n, (m, _) in space.items() if m.ndim})


def frequencies(n=100_000):
    torch.manual_seed(5)
    image = Image.new("RGB", (160, 224))
    for stage, transform in dict(rand_augment=T.RandAugment(), trivial_augment_wide=T.TrivialAugmentWide()).items():
        single, pairs = Counter(), Counter()
        for _ in range(n):
            ops, _ = drawn(transform, image, lambda image, *_: image)
            single.update("%s %.4g" % (o["op"], o["magnitude"] + 0.0) for o in ops)
            pairs[" ".join(o["op"] for o in ops)] += 1
        yield dict(stage=stage, height=224, width=160, draws=n, ops=single, together=pairs)


def timm_operation(name, size, arg=0.0):
    """An operation of timm as sluice has it, its name and magnitude."""
    name = name.replace("Increasing", "").replace("Rel", "")
    if name in ("Color", "Contrast", "Brightness", "Sharpness"):
        arg -= 1
    elif name.startswith("Translate"):
        arg *= -size["XY".index(name[-1])]
    elif name == "Posterize":
        arg = min(max(arg, 0), 8)
    names = dict(NAMES, Invert="invert", SolarizeAdd="solarize_add")
    return dict(op=names[name], magnitude=float(arg))


def timm_drawn(transform, image, ops):
    """What a policy of timm makes of an image; ops gets what is drawn."""
    kept = [op.aug_fn for op in transform.ops]
    for op, function in zip(transform.ops, kept):
        def record(image, *args, function=function, name=op.name, **kwargs):
            ops.append(timm_operation(name, image.size, *args))
            if name.startswith("Posterize") and args[0] <= 0:  # which Pillow 12 refuses
                return Image.new("RGB", image.size)
            return function(image, *args, **kwargs)
        op.aug_fn = record
    try:
        return transform(image)
    finally:
        for op, function in zip(transform.ops, kept):
            op.aug_fn = function


TEXTS = ["rand-m9-mstd0.5-inc1", "rand-m9-n3-mstd0.5", "rand-m7-n4-p0.9-mstd101-inc1", "rand-n1-p1-mmax20-mstd3-inc1", "rand-m4-p1"]


def timm_transform(text):
    return rand_augment_transform(text, dict(img_mean=(128, 128, 128), interpolation=Image.Resampling.BILINEAR))


def timm_chains():
    random.seed(3)
    np.random.seed(4)
    for i in range(80):
        kind = ["pattern", "noise"][i % 2]
        height, width = [(14, 22), (21, 15), (9, 30)][i % 3]
        text, ops = TEXTS[i % len(TEXTS)], []
        out = timm_drawn(timm_transform(text), Image.fromarray(PICTURES[kind](height, width)), ops)
        yield dict(stage=text, kind=kind, height=height, width=width, ops=ops, bilinear=pack(np.array(out)))


SCALE = dict(rotate=30, shear_x=0.3, shear_y=0.3, translate_x=0.45 * 160, translate_y=0.45 * 224, color=0.9, contrast=0.9,
             brightness=0.9, sharpness=0.9, posterize=4, solarize=256, solarize_add=110)


def timm_frequencies(n=50_000):
    """Magnitudes in 20ths of the range."""
    random.seed(5)
    np.random.seed(6)
    image = Image.new("RGB", (160, 224))
    for text in TEXTS:
        transform, single, pairs = timm_transform(text), Counter(), Counter()
        for op in transform.ops:
            op.aug_fn = lambda image, *_, **__: image
        for _ in range(n):
            ops = []
            timm_drawn(transform, image, ops)
            single.update("%s %d" % (o["op"], math.floor(20 * o["magnitude"] / SCALE.get(o["op"], 1) + 0.37)) for o in ops)
            pairs[" ".join(o["op"] for o in ops[:2]) + " %d" % len(ops)] += 1
        yield dict(stage=text, height=224, width=160, draws=n, ops=single, together=pairs)


def main():
    versions = dict(torch=torch.__version__, torchvision=torchvision.__version__, timm=timm.__version__, pillow=PIL.__version__, numpy=np.__version__)
    lines = ['"versions": ' + json.dumps(versions)]
    for part in [single, chains, magnitudes, frequencies, timm_chains, timm_frequencies]:
        lines.append('"%s": [\n %s\n]' % (part.__name__, ",\n ".join(json.dumps(c) for c in part())))
    print("{\n" + ",\n".join(lines) + "\n}")


if __name__ == "__main__":
    main()
