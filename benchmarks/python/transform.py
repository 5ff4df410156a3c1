"""One image after the other: sluicedata.Transform beside torchvision's transforms.

    python benchmarks/python/transform.py --photos DIR [--rounds 5] [-o FILE]

JPEG files in memory to float32 [3, 224, 224], in one process on one thread, as a server or a Dataset's __getitem__ has them. The
contestants take turns with each photo, another one first each time:

    torchvision  PIL decodes, torchvision.transforms.v1 does the rest
    bytes        Transform of the file
    pil          Transform of the image that PIL has decoded
    batch        Transform.batch of 32 files, made in as many goroutines as there are processors; per image

It is told milliseconds an image, the median over all, and processor milliseconds, the engine's included. `call` is a call
alone: an array of one pixel there and one byte a channel back; `call-224` the same with the 602 kB of a float32 picture back, made of one pixel.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python" / "src"))
NORMALIZE = {"normalize": {"mean": "imagenet", "std": "imagenet"}}
STAGES: dict[str, list[Any]] = {
    "training": ["decode", {"random_resized_crop": {"size": 224}}, {"flip": {"p": 0.5}}, "to_tensor", NORMALIZE],
    "evaluation": ["decode", {"resize": {"size": 256}}, {"center_crop": {"size": 224}}, "to_tensor", NORMALIZE],
}


def torchvisions() -> dict[str, Callable[[Any], Any]]:
    from torchvision import transforms

    last = [transforms.ToTensor(), transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
    return {
        "training": transforms.Compose([transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(), *last]),
        "evaluation": transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), *last]),
    }


def processor(pid: int) -> float:
    """Seconds of the processor that another process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pil(file: bytes) -> Any:
    from PIL import Image

    return Image.open(io.BytesIO(file)).convert("RGB")


def measure(recipe: str, photos: list[bytes], rounds: int) -> dict[str, dict[str, float]]:
    from sluicedata import Transform

    peer = torchvisions()[recipe]
    transforms = {name: Transform(stages=STAGES[recipe]) for name in ("bytes", "pil", "batch")}
    contestants: dict[str, Callable[[int], Any]] = {
        "torchvision": lambda i: peer(pil(photos[i])),
        "bytes": lambda i: transforms["bytes"](photos[i]),
        "pil": lambda i: transforms["pil"](pil(photos[i])),
        "batch": lambda i: transforms["batch"].batch(photos[i - 31 : i + 1]),
    }
    times: dict[str, list[float]] = {name: [] for name in contestants}
    spent = dict.fromkeys(contestants, 0.0)

    def run(name: str, i: int, images: int) -> None:
        own, begin = time.process_time(), time.perf_counter()
        contestants[name](i)
        times[name].append((time.perf_counter() - begin) / images)
        spent[name] += time.process_time() - own

    names = ["torchvision", "bytes", "pil"]
    for turn in range(-1, rounds):
        if turn == 0:  # the round before was to warm up
            for name in contestants:
                times[name].clear()
                spent[name] = 0.0
            for name, transform in transforms.items():
                spent[name] -= processor(transform._opened().engine.pid)
        for i in range(len(photos)):
            for k in range(len(names)):
                run(names[(k + i) % len(names)], i, 1)
            if i % 32 == 31:
                run("batch", i, 32)
    for name, transform in transforms.items():
        spent[name] += processor(transform._opened().engine.pid)
        transform.close()
    return {
        name: {
            "ms": 1000 * statistics.median(v),
            "processor_ms": 1000 * spent[name] / len(v) / (32 if name == "batch" else 1),
        }
        for name, v in times.items()
    }


def calls(count: int) -> dict[str, dict[str, float]]:
    import numpy as np

    from sluicedata import Transform

    pixel = np.zeros((1, 1, 3), np.uint8)
    transforms = {
        "call": Transform(stages=["decode"]),
        "call-224": Transform(stages=["decode", {"resize": {"height": 224, "width": 224}}, "to_tensor"]),
    }
    times: dict[str, list[float]] = {name: [] for name in transforms}
    for i in range(100 + count):
        for name, transform in transforms.items():
            begin = time.perf_counter()
            transform(pixel)
            if i >= 100:
                times[name].append(time.perf_counter() - begin)
    return {name: {"ms": 1000 * statistics.median(v)} for name, v in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--photos", type=Path, required=True, help="folder with JPEG files")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=192, help="of the photos, a multiple of 32")
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args()
    files = sorted(p for p in args.photos.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))[: args.count]
    if not files:
        parser.error(f"there are no JPEG files in {args.photos}")
    import PIL
    import torch
    import torchvision

    photos = [p.read_bytes() for p in files]
    load = os.getloadavg()[0]
    torch.set_num_threads(1)
    results = {recipe: measure(recipe, photos, args.rounds) for recipe in STAGES} | {
        "no image": calls(200 * args.rounds)
    }
    result = {
        "date": date.today().isoformat(),
        "command": "python "
        + " ".join(["benchmarks/python/transform.py", f"--rounds {args.rounds}", f"--count {args.count}"]),
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cpus": os.cpu_count(),
            "load_before": load,
        },
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "Pillow": PIL.__version__,
        },
        "photos": len(photos),
        "mean_bytes": round(sum(map(len, photos)) / len(photos)),
        "results": results,
    }
    for recipe, rows in results.items():
        for name, row in rows.items():
            print(
                f"{recipe:12} {name:12} {row['ms']:7.3f} ms  {row.get('processor_ms', float('nan')):7.3f} ms of a processor"
            )
    if args.output:
        args.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
