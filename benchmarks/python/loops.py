"""Loaders in a PyTorch loop, beside each other: python loops.py --photos DIR --envs DIR --work DIR [-o FILE]

In a round each contestant of contestants.py is a process from its start to its end, one after the other, another one
first each time. README.md says what is measured and how the environments are made.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
COPIES, CLASSES = 24, 10

Contestant = tuple[str, str, int, int, int, str]
# Name, environment, batches before and in the part that is read, batches with a pace, what it is.
LIST: list[Contestant] = [
    ("bench", "", 0, 0, 0, "`sluice bench`: the engine alone, nobody reads"),
    ("ring", "torch", 63, 62, 40, "sluicedata, ring of shared memory"),
    ("ring-uint8", "torch", 63, 62, 40, "sluicedata, ring, uint8 and `sluicedata.torch.Normalize`"),
    ("pipe", "torch", 63, 62, 40, "sluicedata, pixels through the socket"),
    ("stream", "torch", 63, 62, 40, "`sluice stream`, the loop of docs/pytorch.md"),
    ("torchvision-0", "torch", 4, 20, 10, "DataLoader + torchvision, no workers"),
    ("torchvision-1", "torch", 4, 20, 10, "DataLoader + torchvision, 1 worker"),
    ("torchvision-2", "torch", 6, 30, 16, "DataLoader + torchvision, 2 workers"),
    ("opencv-2", "torch", 8, 32, 24, "DataLoader + OpenCV, 2 workers"),
    ("webdataset", "webdataset", 6, 30, 16, "webdataset + torchvision, 2 workers"),
    ("grain", "grain", 8, 32, 24, "Grain + OpenCV, 2 workers"),
    ("spdl", "spdl", 8, 32, 24, "SPDL + OpenCV, 2 threads"),
    ("dali", "dali", 8, 32, 24, "DALI on the CPU, 2 threads"),
    ("same", "torch", 2, 62, 0, "one batch again and again: the loop alone"),
]


def prepare(photos: Path, work: Path, shards: Path) -> None:
    """The photos, each so many times, in folders of classes; the shards; the pipeline."""
    work.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "rrc.yaml", work / "rrc.yaml")
    if not (work / "photos").exists():
        files = sorted(file for file in photos.iterdir() if file.suffix.lower() in (".jpg", ".jpeg"))
        if not files:
            sys.exit(f"no JPEG files in {photos}")
        making = work / "photos.making"
        shutil.rmtree(making, ignore_errors=True)
        for i, file in enumerate(files):
            folder = making / f"c{i % CLASSES}"
            folder.mkdir(parents=True, exist_ok=True)
            for copy in range(COPIES):
                shutil.copyfile(file, folder / f"{copy:02d}-{file.stem}.jpg")
        making.rename(work / "photos")
    if not (work / "shards").exists() and shards.exists():
        subprocess.run(
            [shards, HERE / "contestants.py", "shards", work, "0", "0", "0", "0"], check=True, stdout=subprocess.DEVNULL
        )
    for file in [*work.glob("photos/*/*"), *work.glob("shards/*")]:  # into the page cache
        file.read_bytes()


def bench(sluice: Path, work: Path) -> dict[str, Any]:
    """Epochs behind the first, whose processor seconds are those of a longer run less those of a shorter one."""
    spent: list[os.times_result] = [os.times()]
    for repeat in (1, 3):
        command: list[str | Path] = [sluice, "bench", work / "rrc.yaml", "--epochs=1", f"--repeat={repeat}", "--json"]
        report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        spent.append(os.times())
    runs = report["repeats"]
    share = 1 / (len(runs) - 1)
    users = [after.children_user - before.children_user for before, after in itertools.pairwise(spent)]
    systems = [after.children_system - before.children_system for before, after in itertools.pairwise(spent)]
    read = {
        "images": runs[0]["rows"],
        "seconds": statistics.median(run["seconds"] for run in runs),
        "user": share * (users[1] - users[0]),
        "system": share * (systems[1] - systems[0]),
        "memory": report["peak_memory_bytes"] / 2**20,
    }
    return {"read": read}


def contestant(
    python: Path, sluice: Path, work: Path, name: str, numbers: tuple[int, int, int], pace: float
) -> dict[str, Any] | str:
    """What it printed, or how it failed."""
    warm, count, paced = numbers
    command: list[str | Path] = [
        python,
        HERE / "contestants.py",
        name,
        work,
        str(warm),
        str(count),
        str(pace),
        str(paced),
    ]
    environment = {
        **os.environ,
        "SLUICE": str(sluice),
        "PYTHONPATH": str(ROOT / "python" / "src"),
        "BEGIN": str(time.monotonic()),
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    if done.returncode:
        return done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"status {done.returncode}"
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def spread(values: list[float], digits: int) -> str:
    """Median, least and most."""
    if not values:
        return ""
    m, a, z = statistics.median(values), min(values), max(values)
    return f"{m:,.{digits}f} ({a:,.{digits}f}...{z:,.{digits}f})"


def cpu(part: dict[str, float]) -> float:
    """Processor seconds of 1,000 images."""
    return (part["user"] + part["system"]) / part["images"] * 1000


def user(part: dict[str, float]) -> float:
    return part["user"] / part["images"] * 1000


def system(part: dict[str, float]) -> float:
    return part["system"] / part["images"] * 1000


def rate(part: dict[str, float]) -> float:
    return part["images"] / part["seconds"]


class Results:
    """What was measured, by contestant and round."""

    def __init__(self) -> None:
        self.rounds: list[dict[str, dict[str, Any]]] = []
        self.failed: dict[str, str] = {}
        self.load: list[float] = []

    def of(self, name: str, part: str, value: Any) -> list[float]:
        return [value(r[name][part]) for r in self.rounds if part in r.get(name, {})]

    def ratios(self, a: str, b: str, part: str, value: Any) -> list[float]:
        """Of a to b, formed within a round."""
        return [
            value(r[a][part]) / value(r[b][part]) for r in self.rounds if part in r.get(a, {}) and part in r.get(b, {})
        ]

    def tables(self, pace: float) -> list[str]:
        names = [(n, what) for n, _, _, _, _, what in LIST if any(n in r for r in self.rounds)]
        lines = ["## Every element read", ""]
        lines += header(
            "images/s", "ring's rate, of this one's", "user s per 1,000 images", "system s", "both, of ring's"
        )
        for n, what in names:
            of = [
                spread(self.of(n, "read", rate), 0),
                spread(self.ratios("ring", n, "read", rate), 2),
                spread(self.of(n, "read", user), 2),
                spread(self.of(n, "read", system), 2),
                spread(self.ratios(n, "ring", "read", cpu), 2),
            ]
            lines.append(row(what, *of))
        lines += ["", f"## A sleep of {pace * 1000:.0f} ms behind each batch: at most {64 / pace:,.0f} images/s", ""]
        lines += header("images/s", "share of the time asleep", "user s per 1,000 images", "system s")
        for n, what in names:
            if self.of(n, "paced", rate):
                of = [
                    spread(self.of(n, "paced", rate), 0),
                    spread(self.of(n, "paced", lambda p: p["images"] / 64 * pace / p["seconds"]), 2),
                    spread(self.of(n, "paced", user), 2),
                    spread(self.of(n, "paced", system), 2),
                ]
                lines.append(row(what, *of))
        lines += ["", "## Start and memory", ""]
        lines += header(
            "`python script.py` to the first batch, s", "processor s until then", "PSS of all processes, MiB"
        )
        for n, what in names:
            first = [r[n]["first"] for r in self.rounds if "first" in r.get(n, {})]
            begun = [r[n]["first_used"] for r in self.rounds if "first" in r.get(n, {})]
            most = [max(p["memory"] for p in (r[n]["read"], r[n].get("paced")) if p) for r in self.rounds if n in r]
            lines.append(row(what, spread(first, 1), spread(begun, 1), spread(most, 0)))
        return lines

    def aims(self) -> list[str]:
        lines = header("aim", "measured")
        for what, aim, other, value in [
            ("ring's rate, of `bench`'s", "at least 0.9", "bench", rate),
            ("ring's rate, of DataLoader's with 2 workers", "at least 4", "torchvision-2", rate),
            ("ring's processor seconds, of DataLoader's with 2 workers", "at most 0.25", "torchvision-2", cpu),
        ]:
            if values := self.ratios("ring", other, "read", value):
                lines.append(row(what, aim, spread(values, 2)))
        return lines


def header(*columns: str) -> list[str]:
    return [row("", *columns), "|" + "---|" * (len(columns) + 1)]


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{model}, {os.cpu_count()} processors, Linux {platform.release()}, Python {platform.python_version()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True, help="folder of JPEG files")
    parser.add_argument("--envs", type=Path, required=True, help="folder of environments: torch, dali, ...")
    parser.add_argument("--work", type=Path, required=True, help="folder for copies, shards and the binary: 1 GiB")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pace", type=float, default=0.04, help="seconds of an accelerator's step")
    parser.add_argument("--only", default="", help="contestants, by name, with commas")
    parser.add_argument("--minutes", type=float, default=0, help="no round begins that would end later")
    parser.add_argument("--sluice", type=Path, help="binary; default: built from here")
    parser.add_argument("-o", "--output", type=Path, help="Markdown file; default: standard output")
    a = parser.parse_args()
    chosen = [c for c in LIST if not a.only or c[0] in a.only.split(",")]
    sluice = a.sluice or a.work / "sluice"
    a.work.mkdir(parents=True, exist_ok=True)
    if not a.sluice:
        subprocess.run(["go", "build", "-o", sluice.absolute(), "./cmd/sluice"], cwd=ROOT, check=True)
    prepare(a.photos, a.work, a.envs / "webdataset" / "bin" / "python")
    results, began = Results(), time.monotonic()
    for number in range(a.rounds):
        spent = time.monotonic() - began
        if number and a.minutes and spent / number * (number + 1) > 60 * a.minutes:
            break
        at = number * 5 % len(chosen)
        turns = chosen[at:] + chosen[:at]
        results.rounds.append(a_round(turns, results.failed, a.envs, sluice.absolute(), a.work, a.pace))
        results.load.append(os.getloadavg()[0])
        if a.output:
            a.output.write_text(page(results, a.pace, time.monotonic() - began))
    if not a.output:
        print(page(results, a.pace, time.monotonic() - began))


def a_round(
    turns: list[Contestant], failed: dict[str, str], envs: Path, sluice: Path, work: Path, pace: float
) -> dict[str, dict[str, Any]]:
    taken: dict[str, dict[str, Any]] = {}
    for name, env, warm, count, paced, _ in turns:
        if name in failed:
            continue
        python = envs / env / "bin" / "python"
        got: dict[str, Any] | str
        if not env:
            got = bench(sluice, work)
        elif not python.exists():
            got = f"no {python}"
        else:
            got = contestant(python, sluice, work, name, (warm, count, paced), pace)
            if name != "same" and isinstance(got, dict) and abs(got["mean"]) > 0.2:  # all draw from the same pictures
                got = f"the mean of all elements is {got['mean']:.3f}: these aren't the photos, normalized"
        if isinstance(got, str):
            failed[name] = got
            print(f"{name}: {got}", file=sys.stderr)
            continue
        taken[name] = got
        print(f"{name}: {rate(got['read']):,.0f} images/s, {cpu(got['read']):.2f} s per 1,000", file=sys.stderr)
    return taken


def page(results: Results, pace: float, seconds: float) -> str:
    describe = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], stdout=subprocess.PIPE, text=True)
    versions: dict[str, str] = {}
    for taken in results.rounds:
        for got in taken.values():
            versions.update(got.get("versions", {}))
    lines = [
        "# Loaders in a PyTorch loop",
        "",
        f"{datetime.date.today()}, sluice {describe.stdout.strip()}. {machine()}.",
        f"{len(results.rounds)} rounds in {seconds / 60:.0f} minutes, load at the end of each:",
        f"{', '.join(f'{x:.1f}' for x in results.load)}.",
        "Median over the rounds (least...most); ratios are formed within a round.",
        "",
        "```sh",
        "python benchmarks/python/loops.py " + " ".join(arguments(sys.argv[1:])),
        "```",
        "",
        ", ".join(f"{k} {v}" for k, v in sorted(versions.items())) + ".",
        "",
        *results.aims(),
        "",
        *results.tables(pace),
    ]
    if results.failed:
        lines += ["", *(f"{name} failed: {why}" for name, why in results.failed.items())]
    return "\n".join(lines) + "\n"


def arguments(given: list[str]) -> list[str]:
    """As given, folders and files by their kind only."""
    names = {"--photos": "PHOTOS", "--envs": "ENVS", "--work": "WORK", "--sluice": "SLUICE", "-o": "FILE"}
    return [names.get(before, word) for before, word in zip(["", *given], given, strict=False)]


if __name__ == "__main__":
    main()
