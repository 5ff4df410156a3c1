"""Inflating the pixel data of PNG files, milliseconds of a processor an image: the same zlib streams in memory, in turn.

    python benchmarks/decoders/inflate.py PHOTOS [--images 40] [--rounds 5] [--seconds 1] [-o FILE]

The files are those of decoders.py. Against sluice's own inflate, with its checksum, are klauspost/compress and Go's compress/zlib, which stream as it does, and,
from Python, zlib, zlib-ng, ISA-L (isal) and libdeflate (deflate), which inflate a whole stream at once, to memory of the right size where they
take it: packages zlib-ng, isal and deflate. All have to give the same bytes.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

from decoders import ROOT, Decoder, arguments, measure, prepare, serve, spread, tell

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
    serve(lambda f: inflate(*f), lambda f: inflate(*f), lambda data: (data, len(zlib.decompress(data))))


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
    ask = arguments(__doc__).parse_args()
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
            times = measure(inflaters, where, ask)
            ratios = [
                statistics.median(a / b for a, b in zip(times[n], times["sluice"], strict=True)) for n in names[1:]
            ]
            lines.append(f"| {kind} | {spread(times['sluice'], 2)} | {' | '.join(f'{r:.2f}' for r in ratios)} |")
            print(lines[-1], flush=True)
        for one in inflaters:
            one.close()
    tell(("zlib-ng", "isal", "deflate"), lines, ask.output)


if __name__ == "__main__":
    main()
