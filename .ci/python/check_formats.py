"""Every image format, pixel for pixel against Pillow.

    python .ci/python/check_formats.py SLUICE DATA [--images DIR]... [--count N] [--seed N] [--keep DIR]

Files of DATA/images/formats, of the directories of test images that are given, and files made here: each format with random
parameters of its encoders, of odd sizes, one pixel, 16k wide (made.py). Their pixels are those of Pillow, with the rules of docs/formats.md
(judge.py). What sluice refuses must be refused there, too, or be in the table there. A crop is that part of the whole. Files
that differ are kept in DIR.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import warnings

import cv2
import numpy as np
import pyarrow as pa

import common
import judge
import made

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("sluice", type=lambda p: pathlib.Path(p).resolve())
parser.add_argument("data", type=lambda p: pathlib.Path(p).resolve())
parser.add_argument("--images", type=pathlib.Path, action="append", default=[])
parser.add_argument("--count", type=int, default=1200)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--keep", type=pathlib.Path)
args = parser.parse_args()
warnings.filterwarnings("ignore")

# What sluice refuses though Pillow reads it, by the reason that it gives, as docs/formats.md has it.
REFUSED = {
    "JPEG": r"arithmetic|lossless|12 bits",
    "DIB": r"not supported",
    "PPM": r"not supported|Pillow",
    "TIFF": r"not supported|not one of",
}
# Damaged files, which Pillow reads all the same; and so does sluice where JPEG files are to be filled.
DAMAGED = {"hopper_bad_exif.jpg", "total-pages-zero.tif"}


def stream(folder, stages, *flags):
    """A table, and why files were refused, by key."""
    file = common.pipeline(f"{{folder: {{path: '{folder}', tasks: []}}}}", *stages, folder=os.path.dirname(folder))
    why = file + ".jsonl"
    command = [args.sluice, "stream", file, "--on-error", "skip", "--max-bad", "100%", "--quarantine", why, *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        table = pa.ipc.open_stream(process.stdout).read_all()
        said = process.stderr.read().decode()
    if process.returncode != 0:
        sys.exit(f"{command} ended with status {process.returncode}: {said}")
    refused = {}
    if os.path.exists(why):
        with open(why) as lines:
            for line in map(json.loads, lines):
                if "key" in line:
                    refused[line["key"]] = line.get("error") or line.get("cause")
    return table, refused


def keep(name, data):
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
        (args.keep / re.sub(r"[^\w.=-]+", "_", name)[-150:]).write_bytes(data)


def compare(what, files, refusals=False):
    """files: name -> bytes. Where refusals aren't allowed, what Pillow reads must be read. Returns the whole pictures by key, and the keys' names."""
    tally, wrong = collections.defaultdict(collections.Counter), []
    names = {f"{i:05d}.png": name for i, name in enumerate(files)}  # what is in a file says what it is, not its name
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/files")
        for key, name in names.items():
            (pathlib.Path(folder) / "files" / key).write_bytes(files[name])
        table, refused = stream(f"{folder}/files", ["decode: {}"])
        ours = common.by_key(table)
        crops(what, folder, names, files, ours)
        damaged = [key for key, name in names.items() if os.path.basename(name) in DAMAGED and name.endswith(".jpg")]
        if damaged:
            filled, _ = stream(f"{folder}/files", [f"filter: {{key: '^({'|'.join(damaged)})$'}}", "decode: {truncated: fill}"])
            ours |= common.by_key(filled)
        for key, name in names.items():
            kind, theirs = judge.pillow(files[name])
            verdict = judged(name, kind, ours.get(key), theirs, refused.get(key, ""), refusals)
            tally[kind if kind in judge.FORMATS else "others"][verdict] += 1
            if verdict.isupper() or verdict.startswith("DIFFERS"):
                wrong.append(f"{kind} {name}: {verdict} {refused.get(key, '')}")
                keep(f"{kind} {name}", files[name])
    for kind, count in sorted(tally.items()):
        print(f"     {what}: {kind}: " + ", ".join(f"{n} {verdict}" for verdict, n in sorted(count.items())))
    for text in wrong[:20]:
        print("    ", text)
    common.equal(f"{what}: files that differ, of {len(files)}", len(wrong), 0)


def judged(name, kind, ours, theirs, why, refusals):
    if ours is None and theirs is None:
        return "refused by both"
    if ours is None:
        if kind not in judge.FORMATS:
            return "of other formats, refused"
        if os.path.basename(name) in DAMAGED:
            return "damaged, refused"
        if refusals and kind in REFUSED and re.search(REFUSED[kind], why):
            return "refused by name"
        return "REFUSED"
    if theirs is None:
        return "read by sluice alone" if refusals else "PILLOW REFUSES IT"
    if ours.shape != theirs.shape:
        return f"DIFFERS: {ours.shape}, Pillow {theirs.shape}"
    far = np.abs(ours.astype(int) - theirs)
    return "equal" if not far.any() else f"DIFFERS by {far.max()} in {(far.max(2) > 0).sum()} pixels, the first at {tuple(int(v) for v in np.argwhere(far.max(2))[0])}"


def crops(what, folder, names, files, whole):
    """Parts of the pictures, three of each, are those of the whole; damage below a part may go unnoticed."""
    wrong, seen = [], 0
    for stages in (["decode: {}", "crop: {height: 0.37, width: 0.41}"], ["decode: {}", "flip: {p: 0.5}", "crop: {height: 0.6, width: 0.15, offset: [0, 0.2]}"]):
        flips = len(stages) > 2
        table, _ = stream(f"{folder}/files", stages, "--params", "--epochs", "2" if not flips else "1")
        for key, part, params in zip(table["key"].to_pylist(), common.pictures(table), map(json.loads, table["params"].to_pylist())):
            if key not in whole:
                continue
            seen += 1
            c, picture = params["crop"], whole[key]
            if flips and params["flip"]["flipped"]:
                picture = picture[:, ::-1]
            if not np.array_equal(part, picture[c["y"] : c["y"] + c["height"], c["x"] : c["x"] + c["width"]]):
                wrong.append(f"{names[key]}: {params}")
                keep(f"part {names[key]}", files[names[key]])
    for text in wrong[:10]:
        print("    ", text)
    common.equal(f"{what}: parts that aren't the whole's, of {seen}", len(wrong), 0)


def folder_of(path):
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file() and p.suffix not in (".sng", ".txt", ".md", ".zip", ".gz")}


def photos_of(data):
    if (data / "photos").is_dir():
        names = sorted((data / "photos").iterdir())[::7]
        return [cv2.imread(str(name))[:, :, ::-1] for name in names]
    print(f"SKIPPED: {data} isn't there; instead of photos, slopes and noise are written")
    y, x = np.mgrid[:300, :400]
    noise = np.random.default_rng(args.seed).normal(0, 9, (300, 400, 3))
    return [np.clip(np.stack([x * 0.6, y * 0.8, 255 - x * 0.3], -1) + noise, 0, 255).astype(np.uint8)]


def pngsuite_of_pypng(file):
    """The files that pypng's pngsuite.py has in hexadecimal."""
    found = re.findall(r"'(\w+)': _dehex\(\s*b\"\"\"([0-9a-f\s]+)\"\"\"", file.read_text())
    return {f"{name}.png": bytes.fromhex("".join(text.split())) for name, text in found}


if (args.data / "images" / "formats").is_dir():
    compare("images/formats", folder_of(args.data / "images" / "formats"))
for path in args.images:
    if not path.exists():
        print(f"SKIPPED: {path} isn't there")
    elif path.suffix == ".py":
        compare("pypng's PngSuite", pngsuite_of_pypng(path))
    else:
        compare("/".join(path.parts[-3:]), folder_of(path), refusals=True)
rng = random.Random(args.seed)
files = {f"{i:04d} {kind} {name}": data for i, (kind, name, data) in enumerate(made.files(rng, photos_of(args.data), args.count))}
compare(f"made (seed {args.seed})", files)
common.finish()
