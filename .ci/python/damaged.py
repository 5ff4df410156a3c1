"""What the scripts share that damage files, each a format's, and compare what sluice reads with what others do."""
import argparse
import os
import pathlib
import sys
import tempfile
import time
import warnings

import cv2
import numpy as np

import common

nowhere = os.open(os.devnull, os.O_WRONLY)


def arguments(doc, *names):
    """The command line: names, and for how long, from which seed, and where files are kept."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in names:
        parser.add_argument(name, type=lambda p: pathlib.Path(p).resolve())
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=pathlib.Path)
    warnings.filterwarnings("ignore")
    return parser.parse_args()


def rounds(args, suffix, count, make):
    """Folders of files until the time is over: what begins a kept file's name, the folder, and by file name what make gives, a kind of damage and the data."""
    number, stop = 0, time.monotonic() + args.seconds
    while time.monotonic() < stop:
        with tempfile.TemporaryDirectory() as folder:
            content = {f"{i:04d}{suffix}": make() for i in range(count)}
            for name, (_, data) in content.items():
                (pathlib.Path(folder) / name).write_bytes(data)
            yield f"{args.seed}-{number}-", folder, content
        number += 1


def keep(args, name, data):
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
        (args.keep / name).write_bytes(data)


def sluice(args, folder, limit, options="{max_pixels: 100000000}"):
    """The pictures that sluice reads, by file name."""
    file = common.pipeline(f"{{folder: {{path: '{folder}', tasks: []}}}}", f"decode: {options}")
    try:
        return common.by_key(common.stream(args.sluice, file, "--on-error", "skip", "--max-bad", limit))
    finally:
        os.unlink(file)


def opencv(data):
    """Without the warnings of the libraries in it, of which there are thousands."""
    sys.stderr.flush()
    own = os.dup(2)
    os.dup2(nowhere, 2)
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    finally:
        os.dup2(own, 2)
        os.close(own)
    return None if pixels is None else pixels[:, :, ::-1]


def same(a, b):
    return a is not None and b is not None and a.shape == b.shape and np.array_equal(a, b)


def show(kinds, tally):
    """By damage, who reads how many."""
    for kind in kinds:
        print(f"     {kind}: " + ", ".join(f"{letters} {count}" for letters, count in tally[kind].most_common()))
