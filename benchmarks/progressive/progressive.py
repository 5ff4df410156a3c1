"""Times reading progressive JPEG files: sluice, OpenCV and Pillow in turn, one thread, processor time.

    go build -o progressive ./benchmarks/progressive
    python benchmarks/progressive/progressive.py ./progressive --photos DIR --work WORK [--rounds 5] [--files N] [-o results.md]

The photos are written anew by Pillow: progressive and baseline, 4:2:0 and 4:4:4, quality 75 and 90.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import io
import platform
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageFile

RECIPES = {
    "decode": "whole pictures to RGB, uint8",
    "small": "whole pictures to 64 x 64 float32",
    "rrc": "random_resized_crop to 224 x 224 float32",
}
KINDS = [(kind, subsampling, quality) for kind in ("progressive", "baseline") for subsampling in ("420", "444") for quality in (75, 90)]


def write(photos: Path, work: Path, most: int) -> list[str]:
    """Writes the photos in each kind, unless they are there; the folders' names."""
    ImageFile.MAXBLOCK = 1 << 23  # a progressive file is written in one piece
    names = []
    files = sorted(p for p in photos.iterdir() if p.suffix.lower() in (".jpg", ".jpeg"))[:most]
    for kind, subsampling, quality in KINDS:
        names.append(f"{kind}-{subsampling}-q{quality}")
        folder = work / names[-1]
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            target = folder / (file.stem + ".jpg")
            if not target.exists():
                with Image.open(file) as image:
                    image.convert("RGB").save(
                        target, quality=quality, subsampling=0 if subsampling == "444" else 2, progressive=kind == "progressive"
                    )
    return names


def window(rng: np.random.Generator, height: int, width: int) -> tuple[int, int, int, int]:
    """torchvision's RandomResizedCrop: left, top, width, height."""
    for _ in range(10):
        area = height * width * rng.uniform(0.08, 1)
        ratio = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
        w, h = round(np.sqrt(area * ratio)), round(np.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            return int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1)), w, h
    return 0, 0, width, height


def floats(pixels: np.ndarray) -> np.ndarray:
    return cv2.dnn.blobFromImage(pixels, 1 / 255)


def opencv(recipe: str, files: list[bytes]) -> None:
    rng = np.random.default_rng(1)
    for data in files:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
        if recipe == "small":
            floats(cv2.resize(pixels, (64, 64), interpolation=cv2.INTER_AREA))
        elif recipe == "rrc":
            x, y, w, h = window(rng, *pixels.shape[:2])
            floats(cv2.resize(pixels[y : y + h, x : x + w], (224, 224), interpolation=cv2.INTER_AREA if w > 224 else cv2.INTER_LINEAR))


def pillow(recipe: str, files: list[bytes]) -> None:
    rng = np.random.default_rng(1)
    for data in files:
        image = Image.open(io.BytesIO(data)).convert("RGB")
        if recipe == "small":
            floats(np.asarray(image.resize((64, 64), Image.Resampling.BILINEAR)))
        elif recipe == "rrc":
            x, y, w, h = window(rng, image.height, image.width)
            floats(np.asarray(image.resize((224, 224), Image.Resampling.BILINEAR, (x, y, x + w, y + h))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, default=1000, help="take only so many photos")
    parser.add_argument("--only", default="", help="folders that begin so")
    parser.add_argument("--recipes", default=",".join(RECIPES))
    parser.add_argument("-o", dest="out", type=Path)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    folders = [n for n in write(args.photos, args.work, args.files) if n.startswith(args.only)]
    data = {n: [p.read_bytes() for p in sorted((args.work / n).glob("*.jpg"))] for n in folders}
    own = subprocess.Popen([args.binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert own.stdin and own.stdout

    def sluice(recipe: str, folder: str) -> float:
        print(recipe, args.work / folder, file=own.stdin, flush=True)
        return float(own.stdout.readline())

    def here(run: Callable[[str, list[bytes]], None], recipe: str, folder: str) -> float:
        begin = time.process_time()
        run(recipe, data[folder])
        return time.process_time() - begin

    lines = ["| recipe | files | KB | sluice | OpenCV | Pillow | sluice / OpenCV |", "|---|---|---|---|---|---|---|"]
    for recipe in args.recipes.split(","):
        for folder in folders:
            sluice(recipe, folder)
            rounds = [(sluice(recipe, folder), here(opencv, recipe, folder), here(pillow, recipe, folder)) for _ in range(args.rounds)]
            best = [min(r[i] for r in rounds) for i in range(3)]
            ratio = float(np.median([r[1] / r[0] for r in rounds]))
            n = len(data[folder])
            size = sum(map(len, data[folder])) / n / 1e3
            rates = " | ".join(f"{n / s:,.0f}" for s in best)
            lines.append(f"| {recipe} | {folder} | {size:.0f} | {rates} | {ratio:.2f} |")
            print(lines[-1], flush=True)
    own.stdin.close()
    own.wait()
    processor = next(
        (x.split(":")[1].strip() for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name")), platform.machine()
    )
    versions = ", ".join(f"{n} {importlib.metadata.version(p)}" for n, p in (("OpenCV", "opencv-python-headless"), ("Pillow", "pillow")))
    text = (
        "\n".join(lines)
        + f"\n\nPictures per second of processor time, the best of {args.rounds} rounds; the ratio is the rounds' median. {processor}; {versions}.\n"
    )
    if args.out:
        args.out.write_text(text)


if __name__ == "__main__":
    main()
