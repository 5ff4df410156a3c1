"""Times making batches of 32 x 32 pictures: sluice, OpenCV, Pillow and torchvision in turn, on one thread, in processor time.

    go build -o sluice-small ./benchmarks/small
    python benchmarks/small/small.py ./sluice-small --data TAR --work WORK [--rounds 5] [--before BINARY] [-o results.md]

TAR holds JPEG files in folders of classes. They are read in a new random order each time, from an archive, from an archive in
which they are PNG files, and from a folder; each lies in the page cache.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import io
import itertools
import os
import platform
import statistics
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import cv2
import numpy as np
import torch
import torchvision.transforms.v2 as T
from numpy.typing import NDArray
from PIL import Image
from torchvision.io import ImageReadMode, decode_image

BATCH = 64
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
RECIPES = {
    "decode": "32 x 32 RGB, uint8",
    "64": "resized to 64 x 64, uint8",
    "224": "resized to 224 x 224, uint8",
    "64-float": "resized to 64 x 64, normalized float32, CHW",
    "224-float": "resized to 224 x 224, normalized float32, CHW",
    "cifar": "4 pixels of black around it, a random 32 x 32 of these, half of them flipped, normalized float32, CHW",
}

Read = Callable[[], bytes]
Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


def unpack(data: Path, work: Path) -> dict[str, Path]:
    """The sources, written unless they are there."""
    found = {"tar of JPEG": work / "jpeg.tar", "tar of PNG": work / "png.tar", "folder of JPEG": work / "jpeg"}
    if all(path.exists() for path in found.values()):
        return found
    with tarfile.open(data) as tar, tarfile.open(work / "jpeg.tar", "w") as jpeg, tarfile.open(work / "png.tar", "w") as png:
        for member in tar:
            file = tar.extractfile(member)
            if file is None:
                continue
            content = file.read()
            name = "/".join(Path(member.name).parts[-2:])
            path = work / "jpeg" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            encoded = io.BytesIO()
            Image.open(io.BytesIO(content)).save(encoded, "PNG")
            for archive, as_name, what in ((jpeg, name, content), (png, str(Path(name).with_suffix(".png")), encoded.getvalue())):
                info = tarfile.TarInfo(as_name)
                info.size = len(what)
                archive.addfile(info, io.BytesIO(what))
    return found


def files(path: Path) -> list[Read]:
    """A function for each file that reads it."""
    if path.is_dir():
        return [file.read_bytes for file in sorted(path.rglob("*.jpg"))]
    descriptor = os.open(path, os.O_RDONLY)
    with tarfile.open(path) as tar:
        return [lambda size=m.size, at=m.offset_data: os.pread(descriptor, size, at) for m in tar if m.isfile()]


class OpenCV:
    """Bytes into a batch's memory; a batch is normalized by tables, in whichever way is faster for its size."""

    name, most = "OpenCV", 8000

    def __init__(self, recipe: str) -> None:
        self.recipe = recipe
        self.side = int(recipe.split("-")[0]) if recipe[0].isdigit() else 32
        self.rng = np.random.default_rng(1)
        steps = np.arange(256, dtype=np.float32) / 255
        self.tables = [((steps - m) / s).astype(np.float32).reshape(1, 256) for m, s in zip(MEAN, STD)]
        self.pixels = np.empty((BATCH, self.side, self.side, 3), np.uint8)
        self.out = np.empty((BATCH, 3, self.side, self.side), np.float32)

    def batch(self, reads: list[Read]) -> None:
        pixels = self.pixels
        for i, read in enumerate(reads):
            encoded = np.frombuffer(read(), np.uint8)
            if self.recipe == "decode":
                pixels[i] = cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB)
                continue
            picture = cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB)
            if self.recipe == "cifar":
                y, x, flip = self.rng.integers(0, (9, 9, 2)).tolist()
                window = cv2.copyMakeBorder(picture, 4, 4, 4, 4, cv2.BORDER_CONSTANT)[y : y + 32, x : x + 32]
                if flip:
                    cv2.flip(window, 1, dst=pixels[i])
                else:
                    pixels[i] = window
            else:
                cv2.resize(picture, (self.side, self.side), dst=pixels[i])
        if self.recipe == "cifar" or self.recipe == "64-float":
            rows = len(reads) * self.side
            for c, plane in enumerate(cv2.split(pixels[: len(reads)].reshape(rows, self.side, 3))):
                self.out[: len(reads), c] = cv2.LUT(plane, self.tables[c]).reshape(len(reads), self.side, self.side)
        elif self.recipe == "224-float":
            for i in range(len(reads)):
                for c, plane in enumerate(cv2.split(pixels[i])):
                    cv2.LUT(plane, self.tables[c], dst=self.out[i, c])


class Pillow:
    """Pillow's decoder and its antialiased resize; NumPy normalizes a batch."""

    name, most = "Pillow", 4000

    def __init__(self, recipe: str) -> None:
        self.recipe = recipe
        self.side = int(recipe.split("-")[0]) if recipe[0].isdigit() else 32
        self.rng = np.random.default_rng(1)
        self.pixels = np.empty((BATCH, self.side, self.side, 3), np.uint8)
        self.out = np.empty((BATCH, 3, self.side, self.side), np.float32)
        scale = 1 / (255 * np.array(STD, np.float32))
        self.scale, self.shift = scale.reshape(1, 3, 1, 1), (np.array(MEAN, np.float32) * 255 * scale).reshape(1, 3, 1, 1)

    def batch(self, reads: list[Read]) -> None:
        for i, read in enumerate(reads):
            picture: Image.Image = Image.open(io.BytesIO(read())).convert("RGB")
            if self.recipe == "cifar":
                y, x, flip = self.rng.integers(0, (9, 9, 2)).tolist()
                picture = picture.crop((x - 4, y - 4, x + 28, y + 28))  # black beside the picture
                if flip:
                    picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            elif self.recipe != "decode":
                picture = picture.resize((self.side, self.side), Image.Resampling.BILINEAR)
            self.pixels[i] = picture
        if self.recipe == "cifar" or self.recipe.endswith("float"):
            n = len(reads)
            np.multiply(self.pixels[:n].transpose(0, 3, 1, 2), self.scale, out=self.out[:n])
            self.out[:n] -= self.shift


class Torchvision:
    """torchvision's decoder and its transforms (v2) of tensors; batches are normalized whole."""

    name, most = "torchvision", 4000

    def __init__(self, recipe: str) -> None:
        side = int(recipe.split("-")[0]) if recipe[0].isdigit() else 32
        floats = [T.ToDtype(torch.float32, scale=True), T.Normalize(MEAN, STD)]
        self.single: Callable[[torch.Tensor], torch.Tensor] = lambda picture: picture
        if recipe == "cifar":
            self.single = T.Compose([T.RandomCrop(32, padding=4), T.RandomHorizontalFlip()])
        self.resize = T.Resize((side, side), antialias=True) if side != 32 else None
        self.floats = T.Compose(floats) if recipe == "cifar" or recipe.endswith("float") else None

    def batch(self, reads: list[Read]) -> None:
        pictures = []
        for read in reads:
            encoded = torch.frombuffer(bytearray(read()), dtype=torch.uint8)
            pictures.append(self.single(decode_image(encoded, ImageReadMode.RGB)))
        batch = torch.stack(pictures)
        if self.resize:  # all are of one size
            batch = self.resize(batch)
        if self.floats:
            self.floats(batch)


class Sluice:
    """A pipeline, as a process of its own."""

    def __init__(self, binary: Path, name: str) -> None:
        self.name = name
        self.process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.stdin, self.stdout = streams(self.process)

    def round(self, recipe: str, source: Path) -> tuple[float, str]:
        """Microseconds a picture, and allocations and bytes a picture."""
        self.stdin.write(f"{recipe} {source} {1 if recipe.startswith('224') else 2}\n")
        self.stdin.flush()
        pictures, seconds, allocations, size = (float(word) for word in self.stdout.readline().split())
        return seconds / pictures * 1e6, f"{allocations / pictures:.2f}, {size / pictures:.0f} B"


def streams(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    assert process.stdin and process.stdout
    return process.stdin, process.stdout


def batches(reads: list[Read], rng: np.random.Generator) -> Iterator[list[Read]]:
    order = rng.permutation(len(reads)).tolist()
    for part in itertools.batched(order, BATCH):
        yield [reads[i] for i in part]


def peer_round(peer: OpenCV | Pillow | Torchvision, reads: list[Read], most: int) -> float:
    rng = np.random.default_rng()
    begin, n = time.process_time(), 0
    for batch in batches(reads, rng):
        peer.batch(batch)
        n += len(batch)
        if n >= most:
            break
    return (time.process_time() - begin) / n * 1e6


def spread(values: list[float], digits: int = 1) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="tar of JPEG files in folders of classes")
    parser.add_argument("--work", type=Path, required=True, help="folder for the sources; they stay")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--before", type=Path, help="an older binary to be compared with")
    parser.add_argument("--recipes", default=",".join(RECIPES))
    parser.add_argument("--sources", default="tar of JPEG,tar of PNG,folder of JPEG")
    parser.add_argument("-o", dest="out", type=Path)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    args.work.mkdir(parents=True, exist_ok=True)
    sources = {name: path for name, path in unpack(args.data, args.work).items() if name in args.sources.split(",")}
    reads = {name: files(path) for name, path in sources.items()}
    own = [Sluice(args.binary.absolute(), "sluice")]
    if args.before:
        own.append(Sluice(args.before.absolute(), "before"))
    lines = [
        "| source | recipe | " + " | ".join(f"{n}, us" for n in [s.name for s in own] + ["OpenCV", "Pillow", "torchvision"])
        + " | OpenCV / sluice | " + ("before / sluice | " if args.before else "") + "allocations, bytes |",
    ]
    lines.append("|" + "---|" * (lines[0].count("|") - 1))
    for source, path in sources.items():
        for recipe in args.recipes.split(","):
            contestants: list[Sluice | OpenCV | Pillow | Torchvision] = [*own, OpenCV(recipe), Pillow(recipe), Torchvision(recipe)]
            times: dict[str, list[float]] = {c.name: [] for c in contestants}
            allocated = ""
            for number in range(args.rounds + 1):  # the first one warms up
                for i in range(len(contestants)):
                    c = contestants[(i + number) % len(contestants)]
                    if isinstance(c, Sluice):
                        t, told = c.round(recipe, path.absolute())
                        allocated = told if c is own[0] else allocated
                    else:
                        t = peer_round(c, reads[source], c.most // (4 if recipe.startswith("224") else 1))
                    if number > 0:
                        times[c.name].append(t)
            cells = [source, recipe] + [spread(values) for values in times.values()]
            for other in ["OpenCV"] + (["before"] if args.before else []):
                cells.append(spread([a / b for a, b in zip(times[other], times["sluice"])], 2))
            lines.append(f"| {' | '.join([*cells, allocated])} |")
            print(lines[-1], flush=True)
    for s in own:
        s.stdin.close()
        s.process.wait()
    if args.out:
        args.out.write_text("\n".join([*head(args), *lines, ""]))


def head(args: argparse.Namespace) -> list[str]:
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in cpuinfo if line.startswith("model name")), platform.machine())
    versions = ", ".join(f"{n} {importlib.metadata.version(n)}" for n in ("opencv-python-headless", "pillow", "torchvision", "numpy"))
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    return [
        "# Small pictures: processor time",
        "",
        f"{model}, {os.cpu_count()} processors, Linux {platform.release()}, Python {platform.python_version()}; {versions}.",
        f"{args.rounds} rounds, medians with the least and the largest; load averages at the end: {load}. Ratios are formed within a round.",
        "",
        *(f"- {name}: {what}" for name, what in RECIPES.items()),
        "",
    ]


if __name__ == "__main__":
    main()
