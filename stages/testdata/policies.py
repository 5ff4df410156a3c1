#!/usr/bin/python3
"""Writes policies.json: what torchvision's RandAugment and TrivialAugmentWide make of Pillow
images with the operations that they drew, the magnitudes that they have, and how often they
draw what, for rand_augment_test.go. Run with the versions it records:

    python3 stages/testdata/policies.py > stages/testdata/policies.json
"""
import json
from collections import Counter
from unittest import mock

import numpy as np
import PIL
import torch
import torchvision
import torchvision.transforms as T
from PIL import Image
from torchvision.transforms import autoaugment

from augment import BILINEAR, NEAREST, PICTURES
from golden import pack

NAMES = dict(Identity="identity", ShearX="shear_x", ShearY="shear_y", TranslateX="translate_x", TranslateY="translate_y",
             Rotate="rotate", Brightness="brightness", Color="color", Contrast="contrast", Sharpness="sharpness",
             Posterize="posterize", Solarize="solarize", AutoContrast="autocontrast", Equalize="equalize")
APPLY = autoaugment._apply_op


def drawn(transform, image, apply=APPLY):
    """The operations that a policy draws for an image, and what it makes of it."""
    ops = []

    def record(image, name, magnitude, interpolation, fill):
        ops.append(dict(op=NAMES[name], magnitude=magnitude))
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
                    yield dict(stage=policy, kind=kind, height=13, width=18, ops=[dict(op=NAMES[name], magnitude=sign * magnitude)], **out)


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
                       ops={NAMES[n]: [float(v) for v in m] for n, (m, _) in space.items() if m.ndim})


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


def main():
    versions = dict(torch=torch.__version__, torchvision=torchvision.__version__, pillow=PIL.__version__, numpy=np.__version__)
    lines = ['"versions": ' + json.dumps(versions)]
    for part in [single, chains, magnitudes, frequencies]:
        lines.append('"%s": [\n %s\n]' % (part.__name__, ",\n ".join(json.dumps(c) for c in part())))
    print("{\n" + ",\n".join(lines) + "\n}")


if __name__ == "__main__":
    main()
