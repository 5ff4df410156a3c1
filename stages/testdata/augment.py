#!/usr/bin/python3
"""Writes augment.json: what torchvision makes of Pillow images with given
amounts, and how its amounts are distributed, for color_jitter_test.go,
affine_test.go and perspective_test.go. Run with the versions it records:

    python3 stages/testdata/augment.py > stages/testdata/augment.json
"""
import hashlib
import json

import numpy as np
import PIL
import torch
import torchvision
import torchvision.transforms as T
import torchvision.transforms.functional as F
from PIL import Image

from golden import pack, pattern

NEAREST, BILINEAR = T.InterpolationMode.NEAREST, T.InterpolationMode.BILINEAR


def noise(height, width):
    """Random pixels, by a formula that noise of color_jitter_test.go repeats."""
    y, x, c = np.mgrid[0:height, 0:width, 0:3].astype(np.uint32)
    n = (y * np.uint32(73856093)) ^ (x * np.uint32(19349663)) ^ (c * np.uint32(83492791))
    return (n * np.uint32(2654435761) >> np.uint32(24)).astype(np.uint8)


def photo(height, width):
    """Pixels with a photograph's statistics, free of anyone's rights: brightness
    falls off as 1/f over frequencies, colour is weaker, correlated and darker at
    one side. They are stored with the results."""
    random = np.random.default_rng(7)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
    frequency[0, 0] = 1
    fields = [np.fft.ifft2(np.fft.fft2(random.normal(size=(height, width))) / frequency).real for _ in range(3)]
    luma, warm, green = [f / f.std() for f in fields]
    base = 120 + 45 * luma + np.linspace(30, -30, width)[None, :]
    rgb = np.stack([base + 22 * warm + 6 * green, base + 14 * green, base - 26 * warm - 4 * green], 2)
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


PICTURES = dict(pattern=pattern, noise=noise, photo=photo)
ADJUST = dict(brightness=F.adjust_brightness, contrast=F.adjust_contrast,
              saturation=F.adjust_saturation, hue=F.adjust_hue)


def color_jitter():
    """Results as SHA-256 of their pixels."""
    names = list(ADJUST)
    cases = [[(n, f)] for n in names[:3] for f in [0.0, 0.25, 0.6, 0.999, 1.0, 1.4, 3.7]]
    cases += [[("hue", f)] for f in [-0.5, -0.31, -0.1, -0.003, 0.0, 0.0471, 0.2, 0.5]]
    random = np.random.default_rng(3)
    for _ in range(10):
        amounts = dict(brightness=random.uniform(0.5, 1.5), contrast=random.uniform(0.4, 1.6),
                       saturation=random.uniform(0.2, 2), hue=random.uniform(-0.5, 0.5))
        cases.append([(names[i], amounts[names[i]]) for i in random.permutation(4)])
    for steps in cases:
        for kind in PICTURES if len(steps) == 1 else ["photo"]:
            height, width = (24, 32) if kind == "photo" else (17, 23)
            out = Image.fromarray(PICTURES[kind](height, width))
            for name, amount in steps:
                out = ADJUST[name](out, amount)
            yield dict(kind=kind, height=height, width=width,
                       params=dict(order=[n for n, _ in steps], **dict(steps)), sha256=digest(out))


def digest(picture):
    return hashlib.sha256(np.array(picture).tobytes()).hexdigest()


def colors():
    """Every third level of each channel: 86 x 86 x 86 colours as one picture."""
    levels = np.arange(0, 256, 3, dtype=np.uint8)
    r, g, b = np.meshgrid(levels, levels, levels, indexing="ij")
    picture = Image.fromarray(np.stack([r, g, b], 3).reshape(86 * 86, 86, 3))
    for name, amounts in dict(hue=[-0.5, -0.2, 0.0, 0.01, 0.33, 0.5], saturation=[0.0, 0.45, 1.7],
                              brightness=[0.3, 1.6], contrast=[0.3, 1.6]).items():
        for amount in amounts:
            yield dict(params={"order": [name], name: amount}, sha256=digest(ADJUST[name](picture, amount)))


def color_jitter_statistics(n=100_000):
    """Means and standard deviations of get_params, and how often each order is drawn."""
    torch.manual_seed(1)
    stage = T.ColorJitter(0.4, [0.2, 1.1], 1.5, 0.1)
    draws = [T.ColorJitter.get_params(stage.brightness, stage.contrast, stage.saturation, stage.hue) for _ in range(n)]
    amounts = np.array([d[1:] for d in draws])
    return dict(draws=n, mean=dict(zip(ADJUST, amounts.mean(0))), std=dict(zip(ADJUST, amounts.std(0))))


def affine():
    cases = [
        dict(degrees=30.0), dict(degrees=-12.5), dict(degrees=90.0), dict(degrees=180.0),
        dict(translate_x=5, translate_y=-3), dict(scale=0.7), dict(scale=1.6),
        dict(shear_x=20.0), dict(shear_y=-15.0), dict(shear_x=-35.0, shear_y=25.0),
        dict(degrees=-41.3, translate_x=-4, translate_y=7, scale=1.23, shear_x=11.7, shear_y=-8.9),
        dict(degrees=163.7, translate_x=3, translate_y=2, scale=0.81, shear_x=-22.1, shear_y=3.3),
    ]
    for i, case in enumerate(cases):
        p = dict(dict(degrees=0.0, translate_x=0, translate_y=0, scale=1.0, shear_x=0.0, shear_y=0.0), **case)
        # torchvision's angle is clockwise.
        args = [-p["degrees"], [p["translate_x"], p["translate_y"]], p["scale"], [p["shear_x"], p["shear_y"]]]
        height, width = [(30, 42), (31, 25)][i % 2]
        matrix = F._get_inverse_affine_matrix([(width - 1) / 2, (height - 1) / 2], *args)
        picture = pattern(height, width)
        case = dict(height=height, width=width, params=p, matrix=matrix)
        for name, mode in dict(nearest=NEAREST, bilinear=BILINEAR).items():
            case[name] = pack(np.array(F.affine(Image.fromarray(picture), *args, interpolation=mode)))
        tensor = torch.from_numpy(picture.transpose(2, 0, 1)).double()
        tensor = F.affine(tensor, *args, interpolation=BILINEAR)
        case["tensor"] = pack(tensor.numpy().transpose(1, 2, 0).round().astype(np.uint8))
        yield case


def affine_statistics(n=100_000):
    torch.manual_seed(1)
    for height, width, options in [
        (375, 500, dict(degrees=[-30.0, 10.0], translate=[0.1, 0.3], scale_ranges=[0.8, 1.3], shears=[-5.0, 10.0, -20.0, 0.0])),
        (17, 9, dict(degrees=[-180.0, 180.0], translate=[0.5, 0.1], scale_ranges=[0.5, 0.5], shears=[-5.0, 5.0])),
    ]:
        draws = [T.RandomAffine.get_params(**options, img_size=[width, height]) for _ in range(n)]
        got = np.array([[-a, *t, s, *sh] for a, t, s, sh in draws])
        names = ["degrees", "translate_x", "translate_y", "scale", "shear_x", "shear_y"]
        shears = options["shears"]
        yield dict(height=height, width=width, draws=n,
                   degrees=[-options["degrees"][1], -options["degrees"][0]], translate=options["translate"],
                   scale=options["scale_ranges"], shear=shears + [0.0] * (4 - len(shears)),
                   mean=dict(zip(names, got.mean(0))), std=dict(zip(names, got.std(0))))


CORNERS = ["top_left", "top_right", "bottom_right", "bottom_left"]


def coefficients(start, end):
    """_get_perspective_coeffs in float64."""
    rows = []
    for (x, y), (u, v) in zip(end, start):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    return np.linalg.solve(np.array(rows, float), np.array(start, float).reshape(8)).tolist()


def perspective():
    """With torchvision's matrix, solved in float32, and with the same in float64."""
    for height, width, end in [
        (30, 42, [[5, 3], [37, 8], [40, 27], [2, 21]]), (31, 25, [[0, 0], [24, 7], [19, 30], [5, 24]]),
        (30, 42, [[0, 0], [41, 0], [41, 29], [0, 29]]), (30, 42, [[9, 4], [32, 4], [32, 25], [9, 25]]),
        (30, 42, [[10, 7], [31, 1], [41, 22], [1, 29]]), (31, 25, [[6, 7], [23, 2], [19, 29], [0, 25]]),
        (32, 32, [[10, 10], [31, 0], [21, 21], [0, 31]]),
    ]:
        start = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]
        picture = Image.fromarray(pattern(height, width))
        exact = coefficients(start, end)
        case = dict(height=height, width=width, params=dict(zip(CORNERS, end)), matrix=exact)
        for name, mode in dict(nearest=NEAREST, bilinear=BILINEAR).items():
            case[name] = pack(np.array(F.perspective(picture, start, end, interpolation=mode)))
            code = Image.Resampling.NEAREST if mode == NEAREST else Image.Resampling.BILINEAR
            out = picture.transform(picture.size, Image.Transform.PERSPECTIVE, exact, code, fillcolor=(0, 0, 0))
            case[name + "_double"] = pack(np.array(out))
        yield case


def perspective_statistics(n=100_000):
    torch.manual_seed(1)
    for height, width, scale in [(375, 500, 0.5), (31, 18, 0.29), (64, 64, 0.6)]:
        draws = np.array([T.RandomPerspective.get_params(width, height, scale)[1] for _ in range(n)]).reshape(n, 8)
        names = [f"{corner}_{axis}" for corner in CORNERS for axis in "xy"]
        yield dict(height=height, width=width, distortion_scale=scale, draws=n,
                   mean=dict(zip(names, draws.mean(0))), std=dict(zip(names, draws.std(0))),
                   least=dict(zip(names, draws.min(0).tolist())), most=dict(zip(names, draws.max(0).tolist())))


def main():
    versions = dict(torch=torch.__version__, torchvision=torchvision.__version__,
                    pillow=PIL.__version__, numpy=np.__version__)
    lines = ['"versions": ' + json.dumps(versions),
             '"photo": ' + json.dumps(dict(height=24, width=32, pixels=pack(photo(24, 32)))),
             '"color_jitter_statistics": ' + json.dumps(color_jitter_statistics())]
    parts = dict(color_jitter=color_jitter, colors=colors, affine=affine, affine_statistics=affine_statistics,
                 perspective=perspective, perspective_statistics=perspective_statistics)
    for name, cases in parts.items():
        lines.append('"%s": [\n %s\n]' % (name, ",\n ".join(json.dumps(c) for c in cases())))
    print("{\n" + ",\n".join(lines) + "\n}")


if __name__ == "__main__":
    main()
