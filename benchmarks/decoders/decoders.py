"""Decoding to RGB bytes, milliseconds of a processor an image: the same files in memory, in turn.

    python benchmarks/decoders/decoders.py PHOTOS [--images 40] [--rounds 5] [--seconds 1] [-o FILE]

PHOTOS has JPEG files, which are encoded anew: as PNG by Pillow with its defaults, RGB, RGBA and 256 colours, and by OpenCV with its
defaults, RGB of 8 and of 16 bits. A decoder is a process on one processor; a round has each decode for some seconds,
another one first each time. All give height x width x 3 bytes; OpenCV's are in the order B G R. sluice's pixels must be Pillow's.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NAMES = "sluice", "Pillow", "OpenCV"


def prepare(photos: Path, to: Path, images: int) -> list[str]:
    import cv2
    import numpy as np
    from PIL import Image

    kinds = ["RGB", "RGBA", "256 colours", "RGB, by OpenCV", "RGB, 16 bits"]
    for number in range(len(kinds)):
        (to / str(number)).mkdir()
    noise = np.random.default_rng(1)
    for path in sorted(photos.iterdir())[:images]:
        picture = Image.open(path).convert("RGB")
        pixels = np.asarray(picture)[:, :, ::-1]
        alpha = picture.copy()
        alpha.putalpha(picture.convert("L"))
        picture.save(to / "0" / f"{path.stem}.png")
        alpha.save(to / "1" / f"{path.stem}.png")
        picture.quantize(256).save(to / "2" / f"{path.stem}.png")
        deep = pixels.astype(np.uint16) << 8 | noise.integers(0, 256, pixels.shape, dtype=np.uint16)
        assert cv2.imwrite(str(to / "3" / f"{path.stem}.png"), pixels)
        assert cv2.imwrite(str(to / "4" / f"{path.stem}.png"), deep)
    return kinds


def child(name: str) -> None:
    """Measures folders that its input names, as the command decode does."""
    import cv2
    import numpy as np
    from PIL import Image

    cv2.setNumThreads(1)

    def opencv(data: bytes) -> Any:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)

    def pillow(data: bytes) -> Any:
        return Image.open(io.BytesIO(data)).convert("RGB")

    decode = {"OpenCV": opencv, "Pillow": pillow}[name]
    for line in sys.stdin:
        folder, seconds = line.split()
        files = [path.read_bytes() for path in sorted(Path(folder).iterdir())]
        if float(seconds) == 0:
            print(hashlib.sha256(b"".join(decode(data).tobytes() for data in files)).hexdigest(), flush=True)
            continue
        count, began, before = 0, time.monotonic(), time.process_time()
        while time.monotonic() < began + float(seconds):
            decode(files[count % len(files)])
            count += 1
        print(1000 * (time.process_time() - before) / count, flush=True)


class Decoder:
    def __init__(self, name: str, command: list[str]) -> None:
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def answer(self, folder: Path, seconds: float) -> str:
        """Milliseconds; for 0 seconds, the checksum of all pixels."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{folder} {seconds}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def close(self) -> None:
        self.process.communicate()


def spread(values: list[float], digits: int) -> str:
    """Median, least and most."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}...{max(values):.{digits}f})"


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
    lines = ["| PNG | " + " | ".join(f"{name}, ms" for name in NAMES) + " | Pillow / sluice | OpenCV / sluice |"]
    lines.append("|---|" + "---|" * (len(NAMES) + 2))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        kinds = prepare(ask.photos, folder, ask.images)
        subprocess.run(["go", "build", "-o", folder / "decode", "./benchmarks/decoders/decode"], cwd=ROOT, check=True)
        os.sched_setaffinity(0, {ask.processor})
        own = [sys.executable, str(Path(__file__).resolve()), "--child"]
        decoders = [Decoder(n, [str(folder / "decode")] if n == "sluice" else [*own, n]) for n in NAMES]
        for number, kind in enumerate(kinds):
            where = folder / str(number)
            sums = {decoder.answer(where, 0) for decoder in decoders if decoder.name != "OpenCV"}
            if len(sums) > 1:
                sys.exit(f"{kind}: pixels that aren't Pillow's")
            times: dict[str, list[float]] = {name: [] for name in NAMES}
            for turn in range(ask.rounds):
                for i in range(len(decoders)):
                    decoder = decoders[(i + turn) % len(decoders)]
                    times[decoder.name].append(float(decoder.answer(where, ask.seconds)))
            ours = times["sluice"]
            ratios = [[a / b for a, b in zip(times[n], ours, strict=True)] for n in NAMES[1:]]
            cells = [kind, *(spread(times[n], 2) for n in NAMES), *(spread(r, 2) for r in ratios)]
            lines.append(f"| {' | '.join(cells)} |")
            print(lines[-1], flush=True)
        for decoder in decoders:
            decoder.close()
    told = ", ".join(f"{n} {version(n)}" for n in ("Pillow", "opencv-python-headless"))
    print("\n".join([told, *lines]))
    if ask.output:
        ask.output.write_text("\n".join([told, "", *lines]) + "\n")


if __name__ == "__main__":
    main()
