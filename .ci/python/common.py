"""What the checks share: arguments, figures, running sluice, pictures of a table.

A check compares sluice with an independent program (OpenCV, Pillow, PyTorch,
pyarrow, Chromium). It prints every figure that it asserts, goes on after a wrong
one, and ends with status 1 if there was one.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import pyarrow as pa

failures = []


def arguments(doc, *names, **numbers):
    """The command line: SLUICE (the binary), then names; options with whole numbers. A DATA that isn't there skips the check."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("sluice", *names):
        parser.add_argument(name, type=lambda p: pathlib.Path(p).resolve())
    for name, otherwise in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=otherwise)
    args = parser.parse_args()
    if "data" in names and not args.data.is_dir():
        print(f"SKIPPED: {args.data} isn't there; this check needs the shared data folder")
        sys.exit(0)
    return args


def expect(ok, text):
    """Prints one assertion with its figures."""
    print("ok   " if ok else "WRONG", text, flush=True)
    if not ok:
        failures.append(text)


def at_most(what, figure, limit):
    expect(figure <= limit, f"{what}: {figure:.6g} (at most {limit:g})")


def equal(what, got, want):
    expect(got == want, f"{what}: {got}" if got == want else f"{what}: {got}, want {want}")


def finish():
    if failures:
        sys.exit(f"{sys.argv[0]}: {len(failures)} wrong, marked WRONG above")


def pipeline(source, *stages, seed=1, folder=None):
    """Writes a pipeline file and returns its name; source and stages are YAML in flow style.
    fuse: exact, as the other libraries go step by step too."""
    text = f"version: 1\nseed: {seed}\nfuse: exact\nsource: {source}\nstages:\n" + "".join(f"  - {s}\n" for s in stages)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", dir=folder, delete=False) as file:
        file.write(text)
    return file.name


def photos(data):
    """The source of the flat folder of photos."""
    return f"{{folder: {{path: '{data}/photos', tasks: []}}}}"


def run(sluice, *args):
    """Runs a command that must succeed; returns its standard output."""
    return subprocess.run([sluice, *map(str, args)], check=True, stdout=subprocess.PIPE, text=True).stdout


def stream(sluice, file, *flags):
    """Reads all of `sluice stream FILE` into a table."""
    command = [sluice, "stream", file, *map(str, flags)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        table = pa.ipc.open_stream(process.stdout).read_all()
    if process.returncode != 0:
        sys.exit(f"{command} ended with status {process.returncode}")
    return table


def pictures(table):
    """The pictures of a table as arrays, row by row, without a copy."""
    for column in table["image"].chunks:
        if isinstance(column.type, pa.FixedShapeTensorType):
            yield from column.to_numpy_ndarray()
            continue
        height, width, pixels = (column.field(name) for name in ("height", "width", "pixels"))
        for h, w, p in zip(height.to_pylist(), width.to_pylist(), pixels):
            yield np.frombuffer(p.as_buffer(), np.uint8).reshape(h, w, 3)


def by_key(table):
    return dict(zip(table["key"].to_pylist(), pictures(table)))


class Differences:
    """Absolute differences between uint8 pictures, pooled and of the worst picture."""

    def __init__(self):
        self.counts, self.worst_mean, self.worst_key = np.zeros(256, np.int64), -1.0, None

    def add(self, key, got, want):
        """Adds a picture; returns its mean difference."""
        if got.shape != want.shape:
            expect(False, f"{key}: shape {got.shape}, want {want.shape}")
            return 255
        difference = np.abs(got.astype(np.int16) - want)
        self.counts += np.bincount(difference.ravel(), minlength=256)
        mean = difference.mean()
        if mean > self.worst_mean:
            self.worst_mean, self.worst_key = mean, key
        return mean

    @property
    def mean(self):
        return self.counts @ np.arange(256) / self.counts.sum()

    @property
    def max(self):
        return int(np.flatnonzero(self.counts)[-1])
