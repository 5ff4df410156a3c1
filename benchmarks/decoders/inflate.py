"""Inflating the pixel data of PNG files, milliseconds of a processor an image: the same zlib streams in memory, in turn.

    python benchmarks/decoders/inflate.py PHOTOS [--images 40] [--rounds 5] [--seconds 1] [-o FILE]

The files are those of decoders.py. Against sluice's own inflate, with its checksum, are klauspost/compress and Go's compress/zlib, which stream as it does, and,
from Python, zlib, zlib-ng, ISA-L (isal) and libdeflate (deflate), which inflate a whole stream at once, to memory of the right size where they
take it: packages zlib-ng, isal and deflate. All have to give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from decoders import ROOT, Decoder, prepare, spread

GO = {"sluice": "own", "klauspost": "klauspost", "Go": "go"}
PYTHON = "zlib", "zlib-ng", "ISA-L", "libdeflate"


def inflater(name: str) -> Callable[[bytes, int], bytes]:
    if name == "zlib":
        return lambda data, size: zlib.decompress(data, bufsize=size)
    if name == "zlib-ng":
        from zlib_ng import zlib_ng

        return lambda data, size: zlib_ng.decompress(data, bufsize=size)
    if name == "ISA-L":
        from isal import isal_zlib

        return lambda data, size: isal_zlib.decompress(data, bufsize=size)
    import deflate

    return lambda data, size: deflate.zlib_decompress(data, size)


def child(name: str) -> None:
    """Measures folders that its input names, as the command inflate does."""
    inflate = inflater(name)
    for line in sys.stdin:
        folder, seconds = line.split()
        files = [path.read_bytes() for path in sorted(Path(folder).iterdir())]
        sizes = [len(zlib.decompress(data)) for data in files]
        if float(seconds) == 0:
            print(hashlib.sha256(b"".join(inflate(*f) for f in zip(files, sizes, strict=True))).hexdigest(), flush=True)
            continue
        count, began, before = 0, time.monotonic(), time.process_time()
        while time.monotonic() < began + float(seconds):
            inflate(files[count % len(files)], sizes[count % len(files)])
            count += 1
        print(1000 * (time.process_time() - before) / count, flush=True)


def streams(folder: Path) -> None:
    """Leaves the pixel data of each file of a folder in its place."""
    for path in folder.iterdir():
        data, at, packed = path.read_bytes(), 8, b""
        while at < len(data):
            size = int.from_bytes(data[at : at + 4], "big")
            if data[at + 4 : at + 8] == b"IDAT":
                packed += data[at + 8 : at + 8 + size]
            at += 12 + size
        path.write_bytes(packed)


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2])
        return
    form = argparse.RawDescriptionHelpFormatter
    about, _, usage = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(description=about, epilog=usage, formatter_class=form)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--processor", type=int, default=1, help="the one that all are kept on")
    parser.add_argument("-o", "--output", type=Path)
    ask = parser.parse_args()
    names = [*GO, *PYTHON]
    lines = [
        "| PNG | sluice, ms | " + " | ".join(f"{name} / sluice" for name in names[1:]) + " |",
        "|---|" + "---|" * len(names),
    ]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        kinds = prepare(ask.photos, folder, ask.images, ["PNG"])
        subprocess.run(["go", "build", "-o", folder / "inflate", "./benchmarks/decoders/inflate"], cwd=ROOT, check=True)
        os.sched_setaffinity(0, {ask.processor})
        own = [sys.executable, str(Path(__file__).resolve()), "--child"]
        inflaters = [Decoder(n, [str(folder / "inflate"), GO[n]] if n in GO else [*own, n]) for n in names]
        for number, kind in enumerate(kinds):
            where = folder / str(number)
            streams(where)
            if len({i.answer(where, 0) for i in inflaters}) > 1:
                sys.exit(f"{kind}: bytes that differ")
            times: dict[str, list[float]] = {name: [] for name in names}
            for turn in range(ask.rounds):
                for i in range(len(inflaters)):
                    one = inflaters[(i + turn) % len(inflaters)]
                    times[one.name].append(float(one.answer(where, ask.seconds)))
            ratios = [
                statistics.median(a / b for a, b in zip(times[n], times["sluice"], strict=True)) for n in names[1:]
            ]
            lines.append(f"| {kind} | {spread(times['sluice'], 2)} | {' | '.join(f'{r:.2f}' for r in ratios)} |")
            print(lines[-1], flush=True)
        for one in inflaters:
            one.close()
    told = ", ".join(f"{n} {version(n)}" for n in ("zlib-ng", "isal", "deflate"))
    print("\n".join([told, *lines]))
    if ask.output:
        ask.output.write_text("\n".join([told, "", *lines]) + "\n")


if __name__ == "__main__":
    main()
