"""Sizes of a folder of photos in each format, and how fast sluice reads an epoch from it.

    python benchmarks/formats/formats.py --photos DIR --work WORK [--rounds 5] [--sluice BINARY] [-o FILE]

Needs Python 3.11, and Go where no binary is given. WORK takes 300 MB with the 167 photos, and
is removed afterwards. The files are in the page cache. In a round each format takes its turn,
another one first each time; a turn is `sluice bench` over 3 times 2 epochs, the first of which give
no images/s. Processor milliseconds are user and system time of the whole process, without those of
`sluice plan`, per image of all 6 epochs: they hardly depend on what else runs on the machine;
images/s do. Ratios to the folder are formed within a round: medians, with the least and the largest.
What is delivered is the same of all files in a group: normalized float32 batches of 32 x 3 x 224 x 224.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
RESIZED = "decode, {resize: {height: 224, width: 224}}, "
FLOATS = "to_tensor, {normalize: {mean: imagenet, std: imagenet}}, "
BATCH = "{batch: {size: 32}}"

Make = Callable[[Path], None]


def pipeline(source: str, stages: str, sink: str = "") -> str:
    return f"version: 1\nsource: {source}\nstages: [{stages}]\n" + (f"sink: {sink}\n" if sink else "")


class Turn(NamedTuple):
    speed: float  # images/s
    work: float  # milliseconds of a processor per image


def processor() -> float:
    """Seconds of processors that the programs took which this one started."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Contest:
    def __init__(self, sluice: Path, photos: Path, work: Path) -> None:
        self.sluice, self.photos, self.work = sluice, photos, work
        self.rows: list[tuple[str, str, int, str]] = []  # group, name, bytes, pipeline that reads it ("": none does)

    def run(self, *words: str) -> str:
        return subprocess.run(
            [self.sluice, *words],
            check=True,
            cwd=self.work,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ).stdout

    def write(self, group: str, name: str, stages: str, sink: str, source: str, read: str) -> None:
        """Materializes a format; source is how it is read, with DIR for its directory."""
        n = len(self.rows)
        file, out = f"write-{n}.yaml", f"out-{n}"
        (self.work / file).write_text(pipeline(f"{{folder: {{path: {self.photos}, tasks: []}}}}", stages + BATCH, sink))
        self.run("materialize", file, "-o", out)
        self.add(group, name, self.work / out, source.replace("DIR", out), read)

    def add(self, group: str, name: str, path: Path, source: str, read: str) -> None:
        # What is the data set: without manifests, ledgers and lists of fingerprints.
        files = (
            [path]
            if path.is_file()
            else [
                f
                for f in path.rglob("*")
                if f.suffix.lower() in {".jpg", ".jpeg", ".png", ".npy", ".arrow", ".parquet", ".tar"}
            ]
        )
        size = sum(f.stat().st_size for f in files)
        file = f"read-{len(self.rows)}.yaml"
        if source:
            (self.work / file).write_text(pipeline(source, read + FLOATS + BATCH))
        self.rows.append((group, name, size, file if source else ""))

    def turn(self, file: str) -> Turn:
        before = processor()
        self.run("plan", file)
        start = processor() - before
        report = json.loads(self.run("bench", file, "--epochs", "2", "--repeat", "2", "--json"))
        return Turn(
            float(report["images_per_second"]), 1000 * (processor() - before - 2 * start) / (3 * int(report["rows"]))
        )


def fill(c: Contest) -> None:
    """Makes every format."""
    group = "the files as they are"
    c.add(group, "folder", c.photos, f"{{folder: {{path: {c.photos}, tasks: []}}}}", RESIZED)
    files = sorted(c.photos.iterdir())
    with (
        tarfile.open(c.work / "photos.tar", "w") as tar,
        zipfile.ZipFile(c.work / "photos.zip", "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for f in files:
            tar.add(f, f"photos/{f.name}")
            archive.write(f, f"photos/{f.name}")
    for name in ("tar", "zip"):
        c.add(group, f".{name}", c.work / f"photos.{name}", f"{{folder: {{path: photos.{name}, tasks: []}}}}", RESIZED)
    shards, parquet, arrow = (
        '{webdataset: {shards: "DIR/*.tar", tasks: {}}}',
        '{parquet: {files: "DIR/*.parquet", tasks: []}}',
        "{arrow: {path: DIR}}",
    )
    folder = "{folder: {path: DIR, tasks: []}}"
    c.write(group, "webdataset", "", "webdataset", shards, RESIZED)
    c.write(group, "parquet", "", "parquet", parquet, RESIZED)
    c.write(group, "arrow", "", "arrow", arrow, RESIZED)

    group = "224 x 224, JPEG, quality 95"
    c.write(group, "folder", RESIZED, "{folder: {flat: true}}", folder, RESIZED)
    c.write(group, "webdataset", RESIZED, "webdataset", shards, RESIZED)
    c.write(group, "parquet", RESIZED, "parquet", parquet, RESIZED)

    group = "224 x 224, PNG"
    c.write(group, "folder", RESIZED, "{folder: {image: png, flat: true}}", folder, RESIZED)
    c.write(group, "webdataset", RESIZED, "{webdataset: {image: png}}", shards, RESIZED)
    c.write(group, "parquet", RESIZED, "{parquet: {image: png}}", parquet, RESIZED)

    group = "224 x 224, uint8"
    c.write(group, "arrow", RESIZED, "arrow", arrow, RESIZED)
    c.write(group, "arrow, lz4", RESIZED, "{arrow: {codec: lz4}}", arrow, RESIZED)
    c.write(group, "arrow, zstd", RESIZED, "{arrow: {codec: zstd}}", arrow, RESIZED)
    c.write(group, "parquet, raw", RESIZED, "{parquet: {image: raw}}", parquet, RESIZED)
    c.write(group, "parquet, raw, zstd", RESIZED, "{parquet: {image: raw, codec: zstd}}", parquet, RESIZED)
    c.write(group, "webdataset, .npy", RESIZED, "{webdataset: {image: raw}}", "", "")

    group = "224 x 224, float32, normalized"
    c.write(group, "arrow", RESIZED + FLOATS, "arrow", "", "")
    c.write(group, "arrow, zstd", RESIZED + FLOATS, "{arrow: {codec: zstd}}", "", "")
    c.write(group, "parquet, raw", RESIZED + FLOATS, "{parquet: {image: raw}}", "", "")
    c.write(group, "webdataset, .npy", RESIZED + FLOATS, "{webdataset: {image: raw}}", "", "")


def spread(values: list[float], form: str) -> str:
    return f"{statistics.median(values):{form}} ({min(values):{form}}-{max(values):{form}})"


def table(c: Contest, turns: dict[int, list[Turn]]) -> str:
    lines = [
        "| photos as | | MB | processor time, to the folder's | ms/image | images/s, to the folder's | images/s |",
        "|---|---|---|---|---|---|---|",
    ]
    before = ""
    for i, (group, name, size, _) in enumerate(c.rows):
        cells = [group if group != before else "", name, f"{size / 1e6:.1f}"]
        if got := turns.get(i):
            pairs = list(zip(got, turns[0], strict=True))
            cells += [spread([a.work / b.work for a, b in pairs], ".2f"), spread([a.work for a in got], ".2f")]
            cells += [spread([a.speed / b.speed for a, b in pairs], ".2f"), spread([a.speed for a in got], ".0f")]
        else:
            cells += [""] * 4
        lines.append(f"| {' | '.join(cells)} |")
        before = group
    return "\n".join(lines) + "\n"


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    return f"{model}, {os.cpu_count()} processors, Linux {platform.release()}, Python {platform.python_version()}; load averages at the end: {load}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True, help="folder of JPEG files")
    parser.add_argument("--work", type=Path, required=True, help="folder that is made, and removed afterwards")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sluice", type=Path, help="binary; default: built from here")
    parser.add_argument("-o", "--output", type=Path, help="Markdown file; default: standard output")
    a = parser.parse_args()
    a.work.mkdir(parents=True)
    try:
        sluice = a.sluice or a.work / "sluice"
        if not a.sluice:
            subprocess.run(["go", "build", "-o", sluice.absolute(), "./cmd/sluice"], cwd=ROOT, check=True)
        os.environ["SLUICE_CACHE"] = str(a.work.absolute() / ".cache")
        c = Contest(sluice.absolute(), a.photos.absolute(), a.work.absolute())
        fill(c)
        read = [i for i, row in enumerate(c.rows) if row[3]]
        turns: dict[int, list[Turn]] = {i: [] for i in read}
        for number in range(a.rounds):
            first = number * len(read) // a.rounds
            for i in read[first:] + read[:first]:
                turns[i].append(c.turn(c.rows[i][3]))
        commit = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, text=True, stdout=subprocess.PIPE
        ).stdout.strip()
        text = f"# Formats: sizes and speeds\n\n{datetime.date.today()}, sluice of commit {commit}, {subprocess.run(['go', 'version'], text=True, stdout=subprocess.PIPE).stdout.split()[2]}.\n"
        text += f"{machine()}.\n{len(list(a.photos.iterdir()))} photos, {a.rounds} rounds: `python benchmarks/formats/formats.py --photos DIR --work WORK --rounds {a.rounds}`.\n\n"
        text += table(c, turns)
    finally:
        shutil.rmtree(a.work)
    if a.output:
        a.output.write_text(text)
    else:
        print(text)


if __name__ == "__main__":
    main()
