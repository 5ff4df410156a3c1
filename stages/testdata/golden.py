#!/usr/bin/python3
"""Writes golden.json: what OpenCV, Pillow, torchvision and torch make of small
pictures, for stages/*_test.go. Run with the versions it records:

    python3 stages/testdata/golden.py > stages/testdata/golden.json
"""
import base64
import json

import cv2
import numpy as np
import PIL
import torch
import torchvision
import torchvision.transforms as T
import torchvision.transforms.functional as F
from PIL import Image


def pattern(height, width):
    """stagetest.Pattern."""
    y, x, c = np.mgrid[0:height, 0:width, 0:3]
    wave = (3 * x + 2 * y + 85 * c) % 400
    wave = np.where(wave >= 200, 399 - wave, wave)
    return (wave + 40 * ((x // 16 + y // 16 + c) % 2)).astype(np.uint8)


def pack(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def recipe():
    for h, w, degrees, x, y, flip in [
        (65, 97, 12.5, 7, 3, True), (64, 64, -30.0, 0, 15, False), (48, 33, 29.99, 7, 11, True),
        (50, 75, 0.0, 5, 5, False), (40, 60, -7.25, 14, 0, True), (63, 64, 178.5, 3, 9, False),
    ]:
        matrix = cv2.getRotationMatrix2D((w // 2, h // 2), degrees, 1)
        out = cv2.warpAffine(pattern(h, w), matrix, (w, h))
        out = out[y:y + h // 2, x:x + w // 2]
        if flip:
            out = cv2.flip(out, 1)
        yield dict(height=h, width=w, degrees=degrees, x=x, y=y, flip=flip, pixels=pack(out))


def expand():
    for h, w in [(1, 1), (2, 5), (31, 17), (48, 64), (65, 97), (375, 500), (333, 500)]:
        for degrees in [0.0, 90.0, -90.0, 180.0, 270.0, 12.5, -30.0, 45.0, 89.999, 1e-3, 133.7, 200.0]:
            out = Image.new("L", (w, h)).rotate(degrees, Image.BILINEAR, expand=True)
            yield dict(height=h, width=w, degrees=degrees, out_height=out.height, out_width=out.width)
    for h, w, degrees in [(7, 10, 90.0), (8, 5, 270.0), (7, 10, 180.0), (33, 48, 25.0)]:
        out = Image.fromarray(pattern(h, w)).rotate(degrees, Image.BILINEAR, expand=True)
        yield dict(height=h, width=w, degrees=degrees, out_height=out.height, out_width=out.width, pixels=pack(out))


def center_crop():
    for h, w in [(9, 9), (10, 10), (11, 14), (31, 17), (32, 21), (64, 48), (375, 500)]:
        where = torch.arange(h * w).reshape(1, h, w)
        for size in [(1, 1), (2, 3), (8, 8), (9, 9), (7, 6)]:
            first = int(F.center_crop(where, size)[0, 0, 0])
            yield dict(height=h, width=w, crop_height=size[0], crop_width=size[1], y=first // w, x=first % w)


MODES = dict(nearest="NEAREST", bilinear="BILINEAR", bicubic="BICUBIC", lanczos="LANCZOS", box="BOX")


def resize():
    for h, w, size in [(37, 53, 16), (53, 37, 16), (30, 30, 24), (12, 17, 25), (33, 47, 33), (5, 64, 3)]:
        for name, mode in MODES.items():
            if name == "bilinear" or h == 37:
                out = F.resize(Image.fromarray(pattern(h, w)), size, getattr(T.InterpolationMode, mode))
                yield dict(height=h, width=w, size=size, interpolation=name, out_height=out.height,
                           out_width=out.width, pixels=pack(out))
    for h, w, size in [(37, 53, (20, 18)), (12, 17, (25, 30))]:
        out = cv2.resize(pattern(h, w), size[::-1], interpolation=cv2.INTER_LINEAR)
        yield dict(height=h, width=w, antialias_off=True, interpolation="bilinear",
                   out_height=size[0], out_width=size[1], pixels=pack(out))


def sides():
    """The size rule of Resize(size) alone."""
    for h, w in [(375, 500), (500, 375), (333, 500), (1, 7), (500, 499), (281, 1000), (224, 224)]:
        for size in [1, 7, 224, 256]:
            out = F.resize(torch.zeros(1, h, w), size)
            yield dict(height=h, width=w, size=size, out_height=out.shape[1], out_width=out.shape[2])


def resized_crop():
    for h, w, y, x, ch, cw, size, name in [
        (48, 64, 5, 9, 30, 41, (16, 16), "bilinear"), (48, 64, 20, 40, 11, 13, (24, 20), "bilinear"),
        (31, 17, 0, 0, 31, 17, (12, 12), "bilinear"), (48, 64, 7, 0, 9, 64, (16, 16), "bicubic"),
        (48, 64, 7, 3, 39, 51, (16, 16), "nearest"), (48, 64, 47, 63, 1, 1, (4, 4), "bilinear"),
    ]:
        out = F.resized_crop(Image.fromarray(pattern(h, w)), y, x, ch, cw, size,
                             getattr(T.InterpolationMode, MODES[name]))
        yield dict(height=h, width=w, window=dict(x=x, y=y, width=cw, height=ch), interpolation=name,
                   out_height=size[0], out_width=size[1], pixels=pack(out))


def central():
    """Where no window fits, get_params falls back to the middle."""
    for h, w, ratio in [(100, 400, (3 / 4, 4 / 3)), (400, 101, (3 / 4, 4 / 3)), (1, 9, (3 / 4, 4 / 3)),
                        (10, 25, (1.0, 1.2)), (25, 10, (1.0, 1.0)), (333, 500, (1.6, 1.9))]:
        y, x, ch, cw = T.RandomResizedCrop.get_params(torch.zeros(1, h, w), [1.0, 1.0], list(ratio))
        yield dict(height=h, width=w, ratio=ratio, window=dict(x=x, y=y, width=cw, height=ch))


def statistics(n=200_000):
    """Means and standard deviations of get_params."""
    torch.manual_seed(1)
    for h, w, scale, ratio in [(375, 500, (0.08, 1.0), (3 / 4, 4 / 3)), (120, 480, (0.08, 1.0), (3 / 4, 4 / 3)),
                               (375, 500, (0.3, 0.5), (0.5, 3.0))]:
        picture = torch.zeros(1, 1, 1).expand(1, h, w)
        got = np.array([T.RandomResizedCrop.get_params(picture, list(scale), list(ratio)) for _ in range(n)], float)
        y, x, ch, cw = got.T
        figures = dict(area=ch * cw / (h * w), log_ratio=np.log(cw / ch), x=x, y=y, width=cw, height=ch)
        yield dict(height=h, width=w, scale=scale, ratio=ratio, draws=n,
                   mean={k: v.mean() for k, v in figures.items()},
                   std={k: v.std() for k, v in figures.items()})


def normalize():
    """All levels in all channels: 3 x 16 x 16 float32."""
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    tensor = F.to_tensor(levels)
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    return dict(tensor=pack(tensor.numpy()), normalized=pack(F.normalize(tensor, mean, std).numpy()))


def multiscale():
    picture = F.to_tensor(pattern(9, 13))
    for scale in [0.5, 1.0, 1.5, 0.3, 0.77, 2.0, 1 / 3]:
        case = dict(height=9, width=13, scale=scale)
        for mode in ["nearest", "bilinear"]:
            out = torch.nn.functional.interpolate(picture[None], scale_factor=scale, mode=mode)[0]
            case.update(out_height=out.shape[1], out_width=out.shape[2])
            case[mode] = pack(out.numpy())
        yield case


def main():
    versions = dict(torch=torch.__version__, torchvision=torchvision.__version__, cv2=cv2.__version__,
                    pillow=PIL.__version__, numpy=np.__version__)
    parts = dict(recipe=recipe, expand=expand, center_crop=center_crop, resize=resize, sides=sides,
                 resized_crop=resized_crop, central=central, statistics=statistics, multiscale=multiscale)
    lines = ['"versions": ' + json.dumps(versions), '"normalize": ' + json.dumps(normalize())]
    for name, cases in parts.items():
        lines.append('"%s": [\n %s\n]' % (name, ",\n ".join(json.dumps(c) for c in cases())))
    print("{\n" + ",\n".join(lines) + "\n}")


if __name__ == "__main__":
    main()
