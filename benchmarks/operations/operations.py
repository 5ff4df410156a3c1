"""Times single operations of sluice, torchvision (Pillow's images and tensors), OpenCV and albumentations, one thread each.

    go build -o operations ./benchmarks/operations
    python benchmarks/operations/operations.py ./operations PHOTO.jpg -o results.md

Microseconds for a photo of 224 x 224 pixels in uint8: the least of many runs, the contestants in turn. What OpenCV and
albumentations do is close, not equal.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import albumentations as A
import cv2
import numpy as np
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as F

SIDE, REPEATS, ROUNDS = 224, 40, 3


def contestants(image: np.ndarray) -> dict[str, dict[str, Callable[[], Any]]]:
    """By operation and contestant."""
    pillow = Image.fromarray(image)
    tensor = torch.from_numpy(image).permute(2, 0, 1).contiguous()

    def both(function: Callable[..., Any], *options: Any) -> dict[str, Callable[[], Any]]:
        return {"Pillow": lambda: function(pillow, *options), "tensor": lambda: function(tensor, *options)}

    def albumentations(transform: Any) -> dict[str, Callable[[], Any]]:
        return {"albumentations": lambda: transform(image=image)}

    table = np.array([int(255.999 * (v / 255) ** 1.2) for v in range(256)], np.uint8)
    value = torch.tensor([0])[:, None, None]
    return {
        "grayscale": both(F.rgb_to_grayscale, 3)
        | {"OpenCV": lambda: cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)}
        | albumentations(A.ToGray(p=1)),
        "invert": both(F.invert) | {"OpenCV": lambda: cv2.bitwise_not(image)} | albumentations(A.InvertImg(p=1)),
        "solarize": both(F.solarize, 128) | albumentations(A.Solarize((0.5, 0.5), p=1)),
        "posterize": both(F.posterize, 4) | albumentations(A.Posterize(4, p=1)),
        "gamma": both(F.adjust_gamma, 1.2)
        | {"OpenCV": lambda: cv2.LUT(image, table)}
        | albumentations(A.RandomGamma((120, 120), p=1)),
        "autocontrast": both(F.autocontrast) | albumentations(A.AutoContrast(p=1)),
        "equalize": both(F.equalize)
        | {"OpenCV": lambda: cv2.merge([cv2.equalizeHist(c) for c in cv2.split(image)])}
        | albumentations(A.Equalize(p=1)),
        "sharpness": both(F.adjust_sharpness, 1.5) | albumentations(A.Sharpen(p=1)),
        "gaussian_blur": both(F.gaussian_blur, [23, 23], [1.0, 1.0])
        | {"OpenCV": lambda: cv2.GaussianBlur(image, (23, 23), 1.0)}
        | albumentations(A.GaussianBlur((23, 23), (1.0, 1.0), p=1)),
        "gaussian_noise": {"tensor": lambda: F.gaussian_noise(tensor)} | albumentations(A.GaussNoise((0.1, 0.1), p=1)),
        "coarse_dropout": albumentations(A.CoarseDropout((1, 1), (60, 60), (60, 60), p=1)),
        "random_erasing": {"tensor": lambda: F.erase(tensor, 30, 20, 60, 60, value)} | albumentations(A.Erasing(p=1)),
        "brightness": both(F.adjust_brightness, 1.2) | albumentations(A.ColorJitter((1.2, 1.2), 0, 0, 0, p=1)),
        "contrast": both(F.adjust_contrast, 1.2) | albumentations(A.ColorJitter(0, (1.2, 1.2), 0, 0, p=1)),
        "saturation": both(F.adjust_saturation, 1.2) | albumentations(A.ColorJitter(0, 0, (1.2, 1.2), 0, p=1)),
        "hue": both(F.adjust_hue, 0.1) | albumentations(A.ColorJitter(0, 0, 0, (0.1, 0.1), p=1)),
    }


def least(function: Callable[[], Any]) -> float:
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return min(times) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=Path, help="what go build ./benchmarks/operations made")
    parser.add_argument("photo", type=Path)
    parser.add_argument("-o", type=Path, help="write the table there")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    image = np.ascontiguousarray(Image.open(arguments.photo).convert("RGB").resize((SIDE, SIDE)), np.uint8)
    columns = ["sluice", "Pillow", "tensor", "OpenCV", "albumentations"]
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "picture.rgb"
        raw.write_bytes(image.tobytes())
        for _ in range(ROUNDS):
            command = [arguments.binary.resolve(), raw, str(SIDE), str(SIDE)]
            ours = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            for operation, functions in contestants(image).items():
                row = found.setdefault(operation, {})
                for name, figure in [("sluice", ours[operation]), *((n, least(f)) for n, f in functions.items())]:
                    row[name] = min(figure, row.get(name, figure))
    versions = ", ".join(f"{n} {importlib.metadata.version(n)}" for n in ("torchvision", "pillow", "albumentations"))
    lines = [
        f"{platform.processor() or platform.machine()}, {versions}, OpenCV {cv2.__version__}, microseconds:",
        "",
        "| operation | " + " | ".join(columns) + " | the fastest other / sluice |",
        "|---" * (len(columns) + 2) + "|",
    ]
    for operation, row in found.items():
        ratio = min(v for n, v in row.items() if n != "sluice") / row["sluice"]
        cells = [f"{row[c]:.0f}" if c in row else "" for c in columns]
        lines.append(f"| {operation} | " + " | ".join(cells) + f" | {ratio:.1f} |")
    text = "\n".join(lines) + "\n"
    print(text, end="")
    if arguments.o:
        arguments.o.write_text(text)


if __name__ == "__main__":
    main()
