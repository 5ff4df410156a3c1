"""Decoded pictures, cached: python decoded.py --photos DIR --envs DIR --work DIR [--rows 3000] [--rounds 5] [-o FILE]

In a round each contestant of contestants.py is a process from its start to its end, one after the other, another one
first each time. README.md says what is measured and how the environments are made.
"""

from __future__ import annotations

import argparse
import datetime
import io
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
STORED = 256

LIST = [  # name, environment, what it is
    ("bench", "", "`sluice bench`, source `arrow`: the engine alone"),
    ("ring", "torch", "sluicedata's Loader, source `arrow`"),
    ("ffcv", "ffcv", "FFCV, raw mode"),
    ("memmap", "torch", "NumPy memmap, torch operations, in the loop's process"),
    ("memmap-processes", "torch", "the same in DataLoader's processes"),
    ("datasets", "datasets", "`datasets` with torch formatting, the same operations, in the loop's process"),
    ("datasets-processes", "datasets", "the same in DataLoader's processes"),
    ("copy", "torch", "copying each picture into a batch, with NumPy"),
]
STAGES = {
    "augment": """
  - crop: {size: 224}
  - flip: {p: 0.5}
  - to_tensor
  - normalize: {mean: imagenet, std: imagenet}""",
    "batch": "",
}


def prepare(photos: Path, work: Path, rows: int, envs: Path, sluice: Path) -> None:
    """The photos as pixels of 256 x 256, each several times cut out elsewhere, in each contestant's format."""
    work.mkdir(parents=True, exist_ok=True)
    for task, stages in STAGES.items():
        text = f"version: 1\nsource: {{arrow: {{path: cache}}}}\nstages:\n  - shuffle\n  - decode{stages}\n  - batch: {{size: 64}}\n"
        (work / f"{task}.yaml").write_text(text)
    if not (work / "pixels.bin").exists():
        subprocess.run([envs / "torch/bin/python", __file__, "pixels", photos, work, str(rows)], check=True)
    if not (work / "cache").exists():
        text = "version: 1\nsource: {folder: {path: pixels.tar, tasks: [class]}}\nstages:\n  - decode\n"
        (work / "cache.yaml").write_text(text + "  - center_crop: {size: 256}\n  - batch: {size: 64}\n")
        with tarfile.open(work / "pixels.tar", "w") as tar, open(work / "pixels.bin", "rb") as pixels:
            for i in range(rows):
                data = b"P6 256 256 255\n" + pixels.read(3 * STORED * STORED)
                member = tarfile.TarInfo(f"c{i % 10}/{i:06d}.ppm")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        subprocess.run([sluice, "materialize", work / "cache.yaml", "-o", work / "cache"], check=True)
        (work / "pixels.tar").unlink()
    for name, env, file in [("saved", "datasets", "saved"), ("beton", "ffcv", "pixels.beton")]:
        python = envs / env / "bin" / "python"
        if not (work / file).exists() and python.exists():
            subprocess.run([python, HERE / "contestants.py", "prepare", work, name], check=True)
    for path in [*work.glob("cache/*"), *work.glob("saved/*"), *work.glob("pixels.*")]:  # into the page cache
        if path.is_file():
            with open(path, "rb") as opened:
                while opened.read(1 << 24):
                    pass


def make_pixels(photos: Path, work: Path, rows: int) -> None:
    import numpy as np
    from PIL import Image

    files = sorted(file for file in photos.iterdir() if file.suffix.lower() in (".jpg", ".jpeg"))
    if not files:
        sys.exit(f"no JPEG files in {photos}")
    random = np.random.default_rng(1)
    pictures = [np.asarray(Image.open(file).convert("RGB").resize((320, 320))) for file in files[: min(rows, 500)]]
    with open(work / "pixels.making", "wb") as out:
        for i in range(rows):
            y, x = random.integers(0, 320 - STORED + 1, 2)
            out.write(pictures[i % len(pictures)][y : y + STORED, x : x + STORED].tobytes())
    (work / "pixels.making").rename(work / "pixels.bin")


def bench(sluice: Path, work: Path, task: str, workers: int, seconds: float) -> dict[str, Any]:
    command: list[str | Path] = [
        sluice,
        "bench",
        work / f"{task}.yaml",
        f"--workers={workers}",
        f"--time={seconds}s",
        "--repeat=1",
        "--json",
    ]
    report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    run: dict[str, Any] = report["repeats"][0]
    return {"images": run["rows"], "seconds": run["seconds"]}


def contestant(
    python: Path, sluice: Path, work: Path, name: str, task: str, workers: int, seconds: float
) -> dict[str, Any] | str:
    """What it printed, or how it failed."""
    command: list[str | Path] = [python, HERE / "contestants.py", name, work, task, str(workers), str(seconds)]
    environment = {**os.environ, "SLUICE": str(sluice), "PYTHONPATH": str(ROOT / "python" / "src")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    if not done.stdout.strip():  # FFCV may abort at the end of its process
        return done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"status {done.returncode}"
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def rate(part: dict[str, float]) -> float:
    return part["images"] / part["seconds"]


def gigabytes(part: dict[str, float]) -> float:
    """Of stored pixels, per second."""
    return rate(part) * 3 * STORED * STORED / 1e9


def cpu(part: dict[str, float]) -> float:
    """Processor milliseconds of an image."""
    return part["used"] / part["images"] * 1000


def spread(values: list[float], digits: int) -> str:
    """Median, least and most."""
    if not values:
        return ""
    m, a, z = statistics.median(values), min(values), max(values)
    return f"{m:,.{digits}f} ({a:,.{digits}f}...{z:,.{digits}f})"


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


Round = dict[tuple[str, str, int], dict[str, Any]]


class Results:
    """What was measured, by contestant, task and workers, in each round."""

    def __init__(self) -> None:
        self.rounds: list[Round] = []
        self.failed: dict[tuple[str, str], str] = {}
        self.load: list[float] = []

    def of(self, key: tuple[str, str, int], value: Any) -> list[float]:
        return [value(r[key]) for r in self.rounds if key in r and (value != cpu or "used" in r[key])]

    def ratios(self, a: tuple[str, str, int], b: tuple[str, str, int]) -> list[float]:
        """Of a's rate to b's, formed within a round."""
        return [rate(r[a]) / rate(r[b]) for r in self.rounds if a in r and b in r]

    def table(self, task: str, workers: int) -> list[str]:
        lines = [
            row(
                "",
                "images/s",
                "GB/s of stored pixels",
                "Loader's rate, of this one's",
                "bench's",
                "processor ms an image",
            )
        ]
        lines.append("|" + "---|" * 6)
        for name, _, what in LIST:
            key = (name, task, workers)
            if any(key in r for r in self.rounds):
                lines.append(
                    row(
                        what,
                        spread(self.of(key, rate), 0),
                        spread(self.of(key, gigabytes), 2),
                        spread(self.ratios(("ring", task, workers), key), 2),
                        spread(self.ratios(("bench", task, workers), key), 2),
                        spread(self.of(key, cpu), 3),
                    )
                )
        return lines


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{model}, {os.cpu_count()} processors, Linux {platform.release()}, Python {platform.python_version()}"


def a_round(number: int, results: Results, a: argparse.Namespace, sluice: Path) -> Round:
    taken: Round = {}
    at = number % len(LIST)
    for task in STAGES:
        for workers in a.workers:
            for name, env, _ in LIST[at:] + LIST[:at]:
                python = a.envs / env / "bin" / "python"
                if (
                    (name == "copy" and task != "batch")
                    or (name, task) in results.failed
                    or (a.only and name not in a.only.split(","))
                ):
                    continue
                got: dict[str, Any] | str
                if name == "bench":
                    got = bench(sluice, a.work, task, workers, a.seconds)
                elif python.exists():
                    got = contestant(python, sluice, a.work, name, task, workers, a.seconds)
                else:
                    got = f"no environment {env}"
                if isinstance(got, str):
                    results.failed[name, task] = got
                    print(f"{name}: {got}", file=sys.stderr)
                    continue
                taken[name, task, workers] = got
                print(f"{task}, {workers}: {name} {rate(got):,.0f} images/s, mean {got.get('mean')}", file=sys.stderr)
    return taken


def page(results: Results, a: argparse.Namespace, seconds: float) -> str:
    describe = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], stdout=subprocess.PIPE, text=True)
    versions: dict[str, str] = {}
    for taken in results.rounds:
        for got in taken.values():
            versions.update(got.get("versions", {}))
    lines = [
        "# Decoded pictures, cached",
        "",
        f"{datetime.date.today()}, sluice {describe.stdout.strip()}. {machine()}.",
        f"{len(results.rounds)} rounds in {seconds / 60:.0f} minutes, load at the end of each: {', '.join(f'{x:.1f}' for x in results.load)}.",
        f"{a.rows} pictures of 256 x 256 x 3 in the page cache. Median over the rounds (least...most); ratios are formed within a round.",
        "",
        "```sh",
        "python benchmarks/decoded/decoded.py " + " ".join(arguments(sys.argv[1:])),
        "```",
        "",
        ", ".join(f"{k} {v}" for k, v in sorted(versions.items())) + ".",
    ]
    for task, what in [
        ("augment", "Crop to 224 x 224, flip, normalize: float32"),
        ("batch", "Batches as they are: uint8, 256 x 256 x 3"),
    ]:
        for workers in a.workers:
            lines += ["", f"## {what}; {workers} worker{'s' * (workers > 1)}", "", *results.table(task, workers)]
    if results.failed:
        lines += ["", *(f"{name} failed: {why}" for (name, _), why in results.failed.items())]
    return "\n".join(lines) + "\n"


def arguments(given: list[str]) -> list[str]:
    """As given, folders and files by their kind only."""
    names = {"--photos": "PHOTOS", "--envs": "ENVS", "--work": "WORK", "--sluice": "SLUICE", "-o": "FILE"}
    return [names.get(before, word) for before, word in zip(["", *given], given, strict=False)]


def main() -> None:
    if sys.argv[1:2] == ["pixels"]:
        make_pixels(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True, help="folder of JPEG files")
    parser.add_argument("--envs", type=Path, required=True, help="folder of environments: torch, ffcv, datasets")
    parser.add_argument("--work", type=Path, required=True, help="folder for the pictures in four formats: 0.8 MB each")
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="that each contestant is measured in a round")
    parser.add_argument("--workers", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2])
    parser.add_argument("--only", default="", help="contestants, by name, with commas")
    parser.add_argument("--sluice", type=Path, help="binary; default: built from here")
    parser.add_argument("-o", "--output", type=Path, help="Markdown file; default: standard output")
    a = parser.parse_args()
    a.work.mkdir(parents=True, exist_ok=True)
    sluice = (a.sluice or a.work / "sluice").absolute()
    if not a.sluice:
        subprocess.run(["go", "build", "-o", sluice, "./cmd/sluice"], cwd=ROOT, check=True)
    if shutil.disk_usage(a.work).free < 5 * 3 * STORED * STORED * a.rows:
        sys.exit(f"{a.work}: too little room")
    prepare(a.photos, a.work, a.rows, a.envs, sluice)
    results, began = Results(), time.monotonic()
    for number in range(a.rounds):
        results.rounds.append(a_round(number, results, a, sluice))
        results.load.append(os.getloadavg()[0])
        if a.output:
            a.output.write_text(page(results, a, time.monotonic() - began))
    if not a.output:
        print(page(results, a, time.monotonic() - began))


if __name__ == "__main__":
    main()
