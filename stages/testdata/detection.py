#!/usr/bin/python3
"""Writes detection.json: what torchvision v2's transforms for detection make of given random
numbers, sizes and boxes, for the tests of resize, random_shortest_size, scale_jitter, pad,
letterbox, random_zoom_out, random_iou_crop and sanitize_boxes. torchvision is handed the
random numbers of sluice's streams, so that both must come to the same result. Run with the
versions it records:

    python3 stages/testdata/detection.py > stages/testdata/detection.json
"""
import json
from unittest import mock

import cv2
import numpy as np
import PIL
import torch
import torchvision
from torchvision import tv_tensors
from torchvision.transforms import v2 as T
from torchvision.transforms.v2 import functional as F

from golden import pack, pattern

SEED = 42
MASK = 2**64 - 1


class Stream:
    """internal/rng: numpy's Philox, addressed by stage, epoch and position."""

    def __init__(self, stage, position, epoch=0, attempt=0):
        name = 0xCBF29CE484222325
        for byte in stage.encode() + b"\0" + b"0":  # FNV-1a
            name = (name ^ byte) * 0x100000001B3 & MASK
        key = np.array([SEED, name], np.uint64)
        counter = np.array([0, position, epoch, attempt], np.uint64)
        self.bits = np.random.Philox(key=key, counter=counter)

    def rand(self, n=1, *_, **__):
        return torch.tensor([float(int(self.bits.random_raw()) >> 11) * 2.0**-53 for _ in range(n)], dtype=torch.float64)

    def below(self, n):
        if n <= 1:
            return 0
        product = int(self.bits.random_raw()) * n
        while product & MASK < (2**64 - n) % n:
            product = int(self.bits.random_raw()) * n
        return product >> 64

    def randint(self, *args, **kwargs):
        low, high = (0, args[0]) if "high" not in kwargs else (kwargs["low"], kwargs["high"])
        return torch.tensor([low + self.below(high - low)]).reshape(kwargs["size"] if "size" in kwargs else args[-1])


def drawn(stage, position, transform, inputs):
    """The params of a transform, or its output, from a stream's numbers."""
    stream = Stream(stage, position)
    with mock.patch("torch.rand", stream.rand), mock.patch("torch.randint", stream.randint):
        return transform(inputs)


def image(height, width):
    return tv_tensors.Image(torch.zeros(1, height, width, dtype=torch.uint8))


SIZES = [(375, 500), (500, 375), (333, 500), (1, 7), (480, 640), (427, 640), (1080, 1920), (17, 300), (64, 64), (601, 599)]


def max_size():
    for h, w in SIZES:
        for size, most in [(224, 300), (64, 65), (10, 1000), (8, 13)]:
            try:
                out = F.resize(image(h, w), [size], max_size=most)
            except RuntimeError:  # nothing is left of the shorter side
                continue
            yield dict(height=h, width=w, size=size, max_size=most, out_height=out.shape[-2], out_width=out.shape[-1])


def shortest_size():
    for lengths, most in [([480, 512, 544, 576, 608, 640, 672, 704, 736, 768, 800], 1333), ([10, 31], 0), ([600], 800), ([97, 3, 211], 200)]:
        stage = T.RandomShortestSize(lengths, most or None)
        for h, w in SIZES:
            for position in range(6):
                size = drawn("random_shortest_size", position, stage.make_params, [image(h, w)])["size"]
                if min(size) > 0:  # torchvision fails where nothing is left
                    yield dict(height=h, width=w, min=lengths, max=most, position=position, out_height=size[0], out_width=size[1])


def scale_jitter():
    for target, scales in [((1024, 1024), (0.1, 2.0)), ((480, 640), (0.5, 1.5)), ((33, 20), (1.0, 1.0))]:
        stage = T.ScaleJitter((target[1], target[0]), scales)
        for h, w in SIZES:
            for position in range(6):
                size = drawn("scale_jitter", position, stage.make_params, [image(h, w)])["size"]
                if min(size) > 0:
                    yield dict(height=h, width=w, target=target, range=scales, position=position, out_height=size[0], out_width=size[1])


def zoom_out():
    for sides, p in [((1.0, 4.0), 0.5), ((1.3, 2.5), 1.0), ((2.0, 2.0), 0.9)]:
        stage = T.RandomZoomOut(side_range=sides, p=p)
        for h, w in SIZES[:6]:
            for position in range(8):
                # _RandomApplyTransform draws even where p is 1, sluice doesn't.
                if p < 1:
                    out = drawn("random_zoom_out", position, stage, tv_tensors.Image(torch.ones(1, h, w, dtype=torch.uint8)))
                    y, x = np.argwhere(out[0].numpy())[0].tolist()
                    where = [x, y, out.shape[-1], out.shape[-2]]
                else:
                    left, top, right, bottom = drawn("random_zoom_out", position, stage.make_params, [image(h, w)])["padding"]
                    where = [left, top, left + w + right, top + h + bottom]
                yield dict(height=h, width=w, side_range=sides, p=p, position=position, canvas=where)


BOXES = [
    [[10, 20, 200, 180]],
    [[10, 20, 60, 70], [150.5, 90.25, 310, 200], [400, 10, 499, 374]],
    [[0, 0, 500, 375]],
    [[5, 5, 9, 8], [490, 360, 500, 375], [250, 180, 252, 185]],
    np.random.default_rng(5).uniform(0, 1, (30, 2, 2)).cumsum(1).clip(0, 1)
    .__mul__([500, 375]).reshape(30, 4).round(2).tolist(),
]


def iou_crop():
    stages = [dict(), dict(sampler_options=[0.9, 1.0]), dict(sampler_options=[0.0]),
              dict(min_scale=0.1, max_scale=0.6, min_aspect_ratio=0.9, max_aspect_ratio=1.2, trials=7, sampler_options=[0.05, 0.2, 1.0])]
    for options in stages:
        stage = T.RandomIoUCrop(**options)
        for boxes in BOXES:
            inputs = [image(375, 500), tv_tensors.BoundingBoxes(torch.tensor(boxes, dtype=torch.float64), format="XYXY", canvas_size=(375, 500))]
            windows, kept = [], []  # by position; None: the picture as it is
            for position in range(12):
                got = drawn("random_iou_crop", position, stage.make_params, inputs)
                windows.append([got["left"], got["top"], got["width"], got["height"]] if got else None)
                kept.append(got["is_within_crop_area"].tolist() if got else None)
            yield dict(options=options, boxes=boxes, windows=windows, kept=kept)


def sanitize():
    random = np.random.default_rng(9)
    boxes = np.concatenate([random.uniform(0, 40, (40, 4)), random.integers(0, 5, (40, 4))])
    boxes[:, 2:] = np.minimum(boxes[:, :2] + boxes[:, 2:] / 8, 50)
    for size, area in [(1, 1), (2, 1), (1, 9), (3.5, 10)]:
        stage = T.SanitizeBoundingBoxes(min_size=size, min_area=area, labels_getter=None)
        tensor = torch.tensor(boxes, dtype=torch.float64)
        kept = stage(tv_tensors.BoundingBoxes(tensor, format="XYXY", canvas_size=(50, 50)))
        where = [bool((kept == box).all(1).any()) for box in tensor]
        yield dict(min_size=size, min_area=area, boxes=boxes.tolist(), kept=where)


def pad():
    for h, w, padding in [(9, 7, [3]), (9, 7, [2, 5]), (9, 7, [0, 6, 5, 1]), (20, 31, [8, 0, 0, 19])]:
        picture = torch.from_numpy(pattern(h, w).transpose(2, 0, 1).copy())
        for mode in ["constant", "edge", "reflect"]:
            out = F.pad(picture, padding, fill=[11, 22, 33] if mode == "constant" else None, padding_mode=mode)
            yield dict(height=h, width=w, padding=padding, mode=mode, out_height=out.shape[1], out_width=out.shape[2],
                       pixels=pack(out.numpy().transpose(1, 2, 0)))
    # Several reflections, which torchvision refuses.
    for h, w, (left, top, right, bottom) in [(3, 5, [9, 4, 23, 12]), (1, 2, [3, 3, 3, 3]), (1, 1, [1, 2, 2, 1])]:
        out = cv2.copyMakeBorder(pattern(h, w), top, bottom, left, right, cv2.BORDER_REFLECT_101)
        yield dict(height=h, width=w, padding=[left, top, right, bottom], mode="reflect", out_height=out.shape[0],
                   out_width=out.shape[1], pixels=pack(out))


def letterbox():
    """ultralytics' LetterBox with auto=False, scale_fill=False, written anew from its arithmetic."""
    for h, w in SIZES + [(300, 17), (31, 45), (640, 639), (7, 7)]:
        for out_h, out_w in [(640, 640), (64, 64), (48, 96), (63, 65)]:
            for scale_up in [True, False]:
                for center in [True, False]:
                    factor = min(out_h / h, out_w / w)
                    if not scale_up:
                        factor = min(factor, 1.0)
                    height, width = round(h * factor), round(w * factor)
                    if min(height, width) == 0:
                        continue
                    spare_y, spare_x = out_h - height, out_w - width
                    top = round(spare_y / 2 - 0.1) if center else 0
                    left = round(spare_x / 2 - 0.1) if center else 0
                    case = dict(height=h, width=w, out_height=out_h, out_width=out_w, scale_up=scale_up, center=center,
                                inset=[left, top, width, height])
                    if h * w < 3000 and out_h < 64 and center:
                        picture = pattern(h, w)
                        if (h, w) != (height, width):
                            picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
                        bottom = round(spare_y / 2 + 0.1) if center else spare_y
                        right = round(spare_x / 2 + 0.1) if center else spare_x
                        case["pixels"] = pack(cv2.copyMakeBorder(picture, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(114, 114, 114)))
                    yield case


def distribution(draws, **where):
    values = {name: np.array([d[name] for d in draws], float) for name in draws[0]}
    return dict(where, draws=len(draws), mean={k: v.mean() for k, v in values.items()}, std={k: v.std() for k, v in values.items()})


def iou_statistics(n=3_000):
    """With torchvision's own random numbers; the picture as it is counts as a window."""
    torch.manual_seed(1)
    for boxes in BOXES[1:4:2]:
        inputs = [image(375, 500), tv_tensors.BoundingBoxes(torch.tensor(boxes), format="XYXY", canvas_size=(375, 500))]
        stage, draws = T.RandomIoUCrop(), []
        for _ in range(n):
            p = stage.make_params(inputs) or dict(left=0, top=0, width=500, height=375)
            draws.append(dict(x=p["left"], y=p["top"], width=p["width"], height=p["height"], whole=p["width"] == 500 and p["height"] == 375))
        yield distribution(draws, boxes=boxes)


def zoom_statistics(n=20_000):
    torch.manual_seed(1)
    stage, draws = T.RandomZoomOut(), []
    for _ in range(n):
        left, top, right, bottom = stage.make_params([image(37, 50)])["padding"]
        draws.append(dict(x=left, y=top, width=left + right + 50, height=top + bottom + 37))
    yield distribution(draws, height=37, width=50)


def scale_statistics(n=20_000):
    torch.manual_seed(1)
    jitter, shortest = T.ScaleJitter((1024, 1024)), T.RandomShortestSize([480, 512, 640, 800], 1333)
    for name, stage in [("scale_jitter", jitter), ("random_shortest_size", shortest)]:
        draws = [stage.make_params([image(375, 500)])["size"] for _ in range(n)]
        yield distribution([dict(height=h, width=w) for h, w in draws], stage=name)


def main():
    versions = dict(torch=torch.__version__, torchvision=torchvision.__version__, cv2=cv2.__version__, pillow=PIL.__version__,
                    numpy=np.__version__)
    lines = ['"versions": ' + json.dumps(versions)]
    parts = dict(max_size=max_size, shortest_size=shortest_size, scale_jitter=scale_jitter, zoom_out=zoom_out, iou_crop=iou_crop,
                 sanitize=sanitize, pad=pad, letterbox=letterbox, iou_statistics=iou_statistics, zoom_statistics=zoom_statistics,
                 scale_statistics=scale_statistics)
    for name, cases in parts.items():
        lines.append('"%s": [\n %s\n]' % (name, ",\n ".join(json.dumps(c) for c in cases())))
    print("{\n" + ",\n".join(lines) + "\n}")


if __name__ == "__main__":
    main()
