"""Draws of long-tailed classes: the stage rebalance beside PyTorch's and detectron2's samplers.

    go build -o tail ./benchmarks/tail && python benchmarks/tail/tail.py ./tail [-o FILE] [--samples 0,1000000]

Each contestant is a process of its own, given the labels (100,000 classes, the rarest with a hundredth of the samples of the commonest), or
LVIS-like images of 1,203 classes. Columns:

    first      seconds of the processor from the labels to the first index: weights, tables, an epoch's list
    million    the same for a million further indices, of at most 10^7
    kept, peak megabytes beside the labels: afterwards, and at most
    off        by how many draws of an epoch the classes are off what is due, root mean square, and at most; of the images with several
               classes also of 20 epochs together
    uses       by how much the uses of samples of one class differ in an epoch

WeightedRandomSampler and torch.multinomial get the weights 1/n. repeat_factor is detectron2's RepeatFactorTrainingSampler, written
anew from its description: per epoch each image's factor is rounded up or down at random, images are repeated in a list, and the
list is shuffled. Its loop over images is Python's, as there.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

CLASSES, DRAWN = 100_000, 10_000_000
LVIS = (100_170, 1_203)  # images of LVIS v1's training set, and its classes


def status(name: str) -> float:
    """A size in /proc/self/status, in MB."""
    text = Path("/proc/self/status").read_text()
    return int(text.split(name + ":")[1].split()[0]) / 1000


def counts_of(samples: int) -> np.ndarray:
    share = 0.01 ** (np.arange(CLASSES) / (CLASSES - 1))
    return np.maximum(1, (share / share.sum() * samples).astype(np.int64))


def lvis(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of objects of each image, and their classes: of each class a number of images that falls as LVIS's, from 1 to most of them."""
    if not path.exists():
        random = np.random.default_rng(1)
        images, classes = LVIS
        having = np.maximum(1, (40_000 * (np.arange(classes) + 1.0) ** -1.25 * 2).astype(int))
        pairs = [(random.choice(images, size=min(n, images // 2), replace=False), c) for c, n in enumerate(having)]
        image = np.concatenate([p for p, _ in pairs])
        label = np.concatenate([np.full(len(p), c, np.int32) for p, c in pairs])
        order = np.argsort(image, kind="stable")
        lengths = np.bincount(image, minlength=images).astype(np.int32)
        np.concatenate([lengths, label[order]]).astype("<i4").tofile(path)
    data = np.fromfile(path, "<i4")
    return data[: LVIS[0]], data[LVIS[0] :]


# Contestants: a function of the labels to an iterator of indices, and to the number of draws per epoch.


def weighted(labels: np.ndarray, counts: np.ndarray, draws: int) -> tuple[Iterator[int], int]:
    import torch
    from torch.utils.data import WeightedRandomSampler

    generator = torch.Generator().manual_seed(1)
    weights = torch.from_numpy(1.0 / counts)[torch.from_numpy(labels)]
    return iter(WeightedRandomSampler(weights, draws, replacement=True, generator=generator)), draws


def multinomial(labels: np.ndarray, counts: np.ndarray, draws: int) -> tuple[Iterator[int], int]:
    import torch

    generator = torch.Generator().manual_seed(1)
    weights = torch.from_numpy(1.0 / counts)[torch.from_numpy(labels)]
    return iter(torch.multinomial(weights, draws, replacement=True, generator=generator).numpy()), draws


def repeated(factors: Any, first: bool = True) -> tuple[Iterator[int], int]:
    """An epoch of RepeatFactorTrainingSampler."""
    import torch

    generator = torch.Generator().manual_seed(1)
    whole = torch.trunc(factors)
    repeats = whole + (torch.rand(len(factors), generator=generator) < factors - whole).float()
    indices: list[int] = []
    for image, n in enumerate(repeats):
        indices.extend([image] * int(n.item()))
    order = torch.tensor(indices, dtype=torch.int64)
    shuffled = order[torch.randperm(len(order), generator=generator)].tolist()
    return iter(shuffled), len(shuffled)


def repeat_factor(labels: np.ndarray, counts: np.ndarray, draws: int) -> tuple[Iterator[int], int]:
    import torch

    factors = np.maximum(1, np.sqrt(2 / CLASSES * len(labels) / counts))
    return repeated(torch.from_numpy(factors.astype(np.float32))[torch.from_numpy(labels)])


def repeat_objects(lengths: np.ndarray, classes: np.ndarray) -> tuple[Iterator[int], int]:
    import torch

    ends = np.cumsum(lengths)
    having: dict[int, int] = {}
    sets = [set(classes[end - n : end].tolist()) for n, end in zip(lengths, ends, strict=True)]
    for own in sets:
        for c in own:
            having[c] = having.get(c, 0) + 1
    factor = {c: max(1.0, (0.001 * len(sets) / n) ** 0.5) for c, n in having.items()}
    return repeated(torch.tensor([max((factor[c] for c in own), default=1.0) for own in sets], dtype=torch.float32))


PEERS: dict[str, Callable[..., tuple[Iterator[int], int]]] = {
    "WeightedRandomSampler": weighted,
    "torch.multinomial": multinomial,
    "RepeatFactorTrainingSampler": repeat_factor,
}


def child(name: str, samples: int, objects: str) -> None:
    import torch

    torch.set_num_threads(1)
    figures: dict[str, Any]
    if objects:
        lengths, classes = lvis(Path(objects))
        args: tuple[Any, ...] = (lengths, classes)
        make: Callable[..., tuple[Iterator[int], int]] = repeat_objects
    else:
        counts = counts_of(samples)
        labels = np.repeat(np.arange(CLASSES, dtype=np.int32), counts)
        np.random.default_rng(1).shuffle(labels)
        args, make = (labels, counts, min(samples, DRAWN)), PEERS[name]
    before = status("VmRSS")
    start = time.process_time()
    try:
        iterator, draws = make(*args)
        next(iterator)
    except RuntimeError as error:
        print(json.dumps({"fails": str(error).splitlines()[0]}))
        return
    figures = {
        "first": time.process_time() - start,
        "draws": draws,
        "peak": status("VmHWM") - before,
        "memory": status("VmRSS") - before,
    }
    taken = min(draws, DRAWN) - 1
    start = time.process_time()
    indices = np.fromiter(itertools.islice(iterator, taken), np.int64, taken)
    figures["per_million"] = (time.process_time() - start) / taken * 1e6
    rest = np.fromiter(iterator, np.int64)
    indices = np.concatenate([indices, rest])
    if objects:
        owner = np.repeat(np.arange(len(lengths)), lengths)
        having = np.bincount(classes, minlength=LVIS[1])
        per_class = np.maximum(1, np.sqrt(0.001 * len(lengths) / np.maximum(having, 1)))
        factors = np.ones(len(lengths))
        np.maximum.at(factors, owner, per_class[classes])
        uses = np.bincount(indices, minlength=len(lengths))
        random, later = np.random.default_rng(2), uses.copy()
        for _ in range(19):  # which images are repeated in further epochs
            later += (np.floor(factors) + (random.random(len(factors)) < factors % 1)).astype(np.int64)
        off = np.bincount(classes, later[owner]) - 20 * np.bincount(classes, factors[owner])
        figures["later"] = float(np.sqrt((off**2).mean()))
        due, have = np.bincount(classes, factors[owner]), np.bincount(classes, uses[owner])
    else:
        due = np.ones(CLASSES) / CLASSES * draws
        if name == "RepeatFactorTrainingSampler":
            due = counts * np.maximum(1, np.sqrt(2 / CLASSES * len(labels) / counts))
        have = np.bincount(labels[indices], minlength=CLASSES)
        uses = np.bincount(indices, minlength=len(labels))
        low, high = np.full(CLASSES, 1 << 40), np.zeros(CLASSES, np.int64)
        np.minimum.at(low, labels, uses)
        np.maximum.at(high, labels, uses)
        figures["uses"] = int((high - low).max())
    figures["off"], figures["most"] = float(np.sqrt(((have - due) ** 2).mean())), float(np.abs(have - due).max())
    print(json.dumps(figures))


def run(command: list[str]) -> dict[str, Any]:
    print(" ".join(command), file=sys.stderr, flush=True)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"fails": (done.stderr.strip().splitlines() or ["killed"])[-1]}
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def row(name: str, f: dict[str, Any]) -> str:
    if "fails" in f:
        return f"| {name} | fails: {f['fails']} | | | | | | |"

    def number(key: str, text: str) -> str:
        return text.format(f[key]) if f.get(key, -1) >= 0 else ""

    off = f"{f['off']:.2f} ({f['most']:.2f})" if f.get("off", -1) >= 0 else ""
    if f.get("later", -1) >= 0:
        off += f"; {f['later']:.2f}"
    return (
        f"| {name} | {f['draws']:,} | {f['first']:.2f} | {number('per_million', '{:.2f}')} | {number('memory', '{:,.0f}')} | "
        f"{number('peak', '{:,.0f}')} | {off} | {number('uses', '{}')} |"
    )


def objects_table(sluice: str, objects: str, head: str) -> list[str]:
    images, classes = LVIS
    ours = [sluice, "-kind", "objects", "-samples", str(images), "-classes", str(classes), "-objects", objects]
    theirs = [sys.executable, __file__, "RepeatFactorTrainingSampler", "--child", "0", "--objects", objects]
    return [
        f"## {images:,} images of {classes:,} classes, by their rarest",
        "",
        head.replace("off, draws", "off, draws; of 20 epochs"),
        row("rebalance: {task: boxes, target: repeat_factor}", run(ours)),
        row("RepeatFactorTrainingSampler", run(theirs)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sluice", help="what go build made of this folder; or the name of a peer, for a child")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--objects", default="", help=argparse.SUPPRESS)
    parser.add_argument(
        "--samples",
        default="0,1000000,10000000,100000000,1000000000",
        help="numbers of samples; 0: the images of several classes",
    )
    parser.add_argument("-o", "--out", type=Path)
    args = parser.parse_args()
    if args.child is not None:
        child(args.sluice, args.child, args.objects)
        return
    import torch

    head = "| | draws | first, s | s per million | kept, MB | peak, MB | off, draws | uses differ by |\n|---|---|---|---|---|---|---|---|"
    lines: list[str] = []

    def tell(*text: str) -> None:
        lines.extend(text)
        print(*text, sep="\n", flush=True)

    tell(f"{date.today()}, {platform.machine()}, Python {platform.python_version()}, PyTorch {torch.__version__}", "")
    wanted = [int(n) for n in args.samples.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        if 0 in wanted:
            objects = f"{folder}/lvis.bin"
            lvis(Path(objects))
            tell(*objects_table(args.sluice, objects, head))
    for samples in filter(None, wanted):
        tell("", f"## {samples:,} samples of {CLASSES:,} classes", "", head)
        for mixed in ([], ["-mixed"]) if samples < 1_000_000_000 else ([],):
            for kind in ("balanced", "factors"):
                name = {"balanced": "class_balanced", "factors": "repeat_factor"}[kind] + (
                    ", labels mixed" if mixed else ""
                )
                tell(row(name, run([args.sluice, "-kind", kind, "-samples", str(samples), *mixed])))
        for name in PEERS:
            if samples > 100_000_000 or (samples > 10_000_000 and name == "RepeatFactorTrainingSampler"):
                tell(f"| {name} | not run | | | | | | |")
            else:
                tell(row(name, run([sys.executable, __file__, name, "--child", str(samples)])))
    if args.out:
        args.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
