#!/usr/bin/python3
"""Writes golden.json: what OpenCV, Pillow, torchvision and torch make of small
pictures. The Go tests draw the same pictures from the same integer formulas.

Run in this folder with a Python that has opencv-python-headless, Pillow, torch and torchvision; golden.json
names the versions it was made with.
"""
import base64
import json
import math

import cv2
import numpy as np
import PIL
import torch
import torchvision
from PIL import Image
from torchvision.transforms import functional as tvf

cv2.setNumThreads(1)
cases = []


def picture(kind, h, w):
    """uint8 HWC; warp_test.go has the same formulas."""
    y, x, c = np.meshgrid(np.arange(h), np.arange(w), np.arange(3), indexing="ij")
    if kind == "noise":  # any value next to any other
        n = (y * 73856093) ^ (x * 19349663) ^ (c * 83492791)
        n = (n * 2654435761) & 0xFFFFFFFF
        return (n >> 24).astype(np.uint8)
    # smooth: triangle waves, at most 6 grey levels from pixel to pixel
    wave = abs((4 * x + 2 * y + 90 * c) % 400 - 200) + abs((x * (c + 1) + 2 * y) % 100 - 50)
    return np.clip(wave, 0, 255).astype(np.uint8)


def case(op, kind, size, out, **options):
    out = np.ascontiguousarray(out)
    cases.append(dict(op=op, kind=kind, height=size[0], width=size[1], options=options,
                      shape=list(out.shape), data=base64.b64encode(out.tobytes()).decode()))


# cv2.warpAffine: rotation about (w//2, h//2), constant border
for kind, size, degrees, fill, flag in [
    ("smooth", (37, 52), 13.7, 0, "bilinear"), ("smooth", (37, 52), -29.5, 0, "bilinear"),
    ("smooth", (52, 37), 75, 128, "bilinear"), ("smooth", (31, 31), -141.3, 255, "bilinear"),
    ("smooth", (64, 64), 0.4, 0, "bilinear"),
    ("noise", (21, 21), 90, 0, "bilinear"), ("noise", (20, 33), -90, 7, "bilinear"),
    ("noise", (20, 33), 180, 0, "bilinear"), ("noise", (20, 33), 0, 9, "bilinear"),
    ("noise", (1, 1), 45, 0, "bilinear"), ("noise", (1, 1), 0, 0, "bilinear"),
    ("noise", (21, 30), 90, 3, "nearest"), ("noise", (21, 30), 180, 3, "nearest"),
    ("smooth", (37, 52), 13.7, 0, "nearest"), ("smooth", (37, 52), -29.5, 50, "nearest"),
]:
    h, w = size
    m = cv2.getRotationMatrix2D((w // 2, h // 2), degrees, 1)
    out = cv2.warpAffine(picture(kind, h, w), m, (w, h), borderValue=(fill,) * 3,
                         flags=dict(bilinear=cv2.INTER_LINEAR, nearest=cv2.INTER_NEAREST)[flag])
    case("rotate", kind, size, out, degrees=degrees, fill=fill, filter=flag)

# cv2.flip
case("flip", "noise", (5, 8), cv2.flip(picture("noise", 5, 8), 1), horizontal=True)
case("flip", "noise", (5, 8), cv2.flip(picture("noise", 5, 8), 0), horizontal=False)

sizes = [((23, 31), (9, 14)), ((13, 17), (26, 34)), ((23, 31), (33, 17)), ((17, 17), (17, 17)), ((18, 40), (9, 20)),
         ((12, 24), (18, 16)), ((40, 13), (3, 13)), ((1, 1), (4, 5)), ((7, 9), (1, 1)), ((1, 30), (2, 11)), ((3, 2), (21, 35))]

# cv2.resize
for size, out in sizes:
    case("cv2_resize", "noise", size,
         cv2.resize(picture("noise", *size), (out[1], out[0]), interpolation=cv2.INTER_LINEAR).reshape(*out, 3))

# Pillow 13 resizes columns first where the height shrinks by more than twice as many pixels as the width: both sides
# of that rule.
columns_first = [((41, 30), (20, 20)), ((40, 30), (20, 20)), ((41, 13), (40, 13)), ((41, 13), (40, 12)), ((60, 33), (17, 21)),
                 ((33, 20), (32, 31)), ((33, 20), (33, 9)), ((50, 47), (16, 40))]

# Pillow's resize, of a whole picture and of a crop
filters = dict(nearest=Image.NEAREST, box=Image.BOX, bilinear=Image.BILINEAR, bicubic=Image.BICUBIC,
               lanczos=Image.LANCZOS)
for name, number in filters.items():
    for size, out in sizes + columns_first + [((97, 6), (8, 33))]:
        image = Image.fromarray(picture("noise", *size))
        case("pil_resize", "noise", size, np.asarray(image.resize((out[1], out[0]), number)), filter=name)
    for clip in [(3, 2, 20, 19), (0, 5, 31, 6), (30, 22, 31, 23), (9, 0, 23, 23)]:  # left, top, right, bottom
        image = Image.fromarray(picture("noise", 23, 31)).crop(clip)
        case("pil_resize", "noise", (23, 31), np.asarray(image.resize((12, 10), number)), filter=name, clip=clip)
out = tvf.resized_crop(Image.fromarray(picture("noise", 23, 31)), 4, 6, 13, 20, [11, 7])
case("pil_resize", "noise", (23, 31), np.asarray(out), filter="bilinear", clip=[6, 4, 26, 17])

# torch.nn.functional.interpolate on contiguous NCHW; data is CHW
for mode in ("nearest", "bilinear"):
    for dtype in ("float32", "uint8"):
        if mode == "bilinear" and dtype == "uint8":
            continue  # multiscale refuses it
        for size, scale in [((15, 21), 0.5), ((11, 14), 1.5), ((5, 8), 1), ((6, 8), 2), ((17, 14), 0.7), ((17, 14), 1 / 3),
                            ((5, 8), 2.3), ((1, 1), 3), ((10, 4), 1.1), ((7, 3), 2.3), ((31, 33), 0.29), ((7, 29), [10, 7])]:
            t = torch.from_numpy(picture("noise", *size)).permute(2, 0, 1)[None].contiguous()
            if dtype == "float32":
                t = t.to(torch.float32) / 255
            by = dict(size=scale) if isinstance(scale, list) else dict(scale_factor=scale)
            align = dict(align_corners=False, antialias=False) if mode == "bilinear" else {}
            out = torch.nn.functional.interpolate(t, mode=mode, **by, **align)[0].numpy()
            case("interpolate", "noise", size, out, filter=mode, dtype=dtype, scale=0 if isinstance(scale, list) else scale)

# Sizes of torch's interpolate: [n, scale, size]
scaled = []
for scale in (0.5, 1.5, 0.1, 0.29, 0.57, 0.7, 1 / 3, 1.1, 2.3, 1.15, 3):
    for n in (1, 3, 7, 10, 20, 50, 100, 110, 224, 333, 1000):
        if math.floor(n * scale) > 0:
            t = torch.nn.functional.interpolate(torch.zeros(1, 1, n), scale_factor=scale)
            scaled.append([n, scale, t.shape[2]])

versions = dict(opencv=cv2.__version__, pillow=PIL.__version__, torch=torch.__version__,
                torchvision=torchvision.__version__, numpy=np.__version__)
with open("golden.json", "w") as f:
    f.write('{"versions": %s,\n"scaled_sizes": %s,\n"cases": [\n' % (json.dumps(versions), json.dumps(scaled)))
    f.write(",\n".join(json.dumps(c) for c in cases) + "\n]}\n")
print(len(cases), "cases", versions)
