"""Decoding to RGB bytes, milliseconds of a processor an image: the same files in memory, in turn.

    python benchmarks/decoders/decoders.py PHOTOS [--formats PNG,GIF] [--images 40] [--rounds 5] [--seconds 1] [-o FILE]

PHOTOS has JPEG files, which are encoded anew: as PNG by Pillow with its defaults, RGB, RGBA and 256 colours, and by OpenCV with its
defaults, RGB of 8 and of 16 bits; as GIF, BMP, PPM, TIFF and WebP by Pillow. A decoder is a process on one processor; a round has each decode for some seconds,
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
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NAMES = "sluice", "Pillow", "OpenCV"


def encoders() -> dict[str, Callable[[Any], bytes]]:
    """What makes a file of a picture, by its name, which begins with the format's."""
    import cv2
    import numpy as np

    noise = np.random.default_rng(1)

    def pillow(form: str, mode: str = "RGB", **options: Any) -> Callable[[Any], bytes]:
        def encode(picture: Any) -> bytes:
            if mode == "RGBA":
                alpha = picture.convert("L")
                picture = picture.copy()
                picture.putalpha(alpha)
            elif mode == "P":
                picture = picture.quantize(256)
            elif mode == "drawn":  # 16 colours in squares of 4x4 pixels
                small = picture.resize((picture.width // 4, picture.height // 4)).quantize(16, dither=0)
                picture = small.convert("RGB").resize(picture.size, 0)
            elif mode != "RGB":
                picture = picture.convert(mode)
            out = io.BytesIO()
            picture.save(out, form, **options)
            return out.getvalue()

        return encode

    def opencv(picture: Any) -> bytes:
        return bytes(cv2.imencode(".png", np.asarray(picture)[:, :, ::-1])[1])

    def deep(picture: Any) -> bytes:
        pixels = np.asarray(picture)[:, :, ::-1].astype(np.uint16) << 8
        return bytes(cv2.imencode(".png", pixels | noise.integers(0, 256, pixels.shape, dtype=np.uint16))[1])

    return {
        "PNG, RGB": pillow("PNG"),
        "PNG, RGBA": pillow("PNG", "RGBA"),
        "PNG, 256 colours": pillow("PNG", "P"),
        "PNG, RGB, by OpenCV": opencv,
        "PNG, RGB, 16 bits": deep,
        "GIF": pillow("GIF", "P", interlace=0),
        "GIF, interlaced": pillow("GIF", "P", interlace=1),
        "WebP, quality 50": pillow("WEBP", quality=50),
        "WebP, quality 80": pillow("WEBP"),
        "WebP, quality 95": pillow("WEBP", quality=95),
        "WebP, quality 80, alpha": pillow("WEBP", "RGBA"),
        "BMP": pillow("BMP"),
        "BMP, 32 bits": pillow("BMP", "RGBA"),
        "BMP, 256 colours": pillow("BMP", "P"),
        "PPM, P6": pillow("PPM"),
        "PPM, P5": pillow("PPM", "L"),
        "TIFF": pillow("TIFF"),
        "TIFF, grey": pillow("TIFF", "L"),
        "TIFF, LZW": pillow("TIFF", compression="tiff_lzw"),
        "TIFF, LZW, predictor": pillow("TIFF", compression="tiff_lzw", tiffinfo={317: 2}),
        "TIFF, deflate": pillow("TIFF", compression="tiff_adobe_deflate"),
        "TIFF, deflate, predictor": pillow("TIFF", compression="tiff_adobe_deflate", tiffinfo={317: 2}),
        "TIFF, PackBits": pillow("TIFF", compression="packbits"),
        "WebP lossless": pillow("WEBP", lossless=True),
        "WebP lossless, method 6": pillow("WEBP", lossless=True, method=6, quality=100),
        "WebP lossless, alpha": pillow("WEBP", "RGBA", lossless=True),
        "WebP lossless, 256 colours": pillow("WEBP", "P", lossless=True),
        "WebP lossless, 16 colours in squares": pillow("WEBP", "drawn", lossless=True),
    }


def prepare(photos: Path, to: Path, images: int, formats: list[str]) -> list[str]:
    from PIL import Image

    chosen = {name: encode for name, encode in encoders().items() if name.partition(",")[0] in formats}
    for number in range(len(chosen)):
        (to / str(number)).mkdir()
    for path in sorted(photos.iterdir())[:images]:
        picture = Image.open(path).convert("RGB")
        for number, encode in enumerate(chosen.values()):
            (to / str(number) / path.stem).write_bytes(encode(picture))
    return list(chosen)


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
    serve(decode, lambda data: decode(data).tobytes())


def serve(do: Callable[[Any], Any], shown: Callable[[Any], bytes], read: Callable[[bytes], Any] = bytes) -> None:
    """Answers for folders and seconds that its input names, as machine.Answer does in Go; do and shown get what read made of a file."""
    for line in sys.stdin:
        folder, seconds = line.split()
        files = [read(path.read_bytes()) for path in sorted(Path(folder).iterdir())]
        if float(seconds) == 0:
            print(hashlib.sha256(b"".join(map(shown, files))).hexdigest(), flush=True)
            continue
        count, began, before = 0, time.monotonic(), time.process_time()
        while time.monotonic() < began + float(seconds):
            do(files[count % len(files)])
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


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """The options that inflate.py has, too."""
    form = argparse.RawDescriptionHelpFormatter
    about, _, usage = (doc or "").partition("\n\n")
    parser = argparse.ArgumentParser(description=about, epilog=usage, formatter_class=form)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--processor", type=int, default=1, help="the one that all are kept on")
    parser.add_argument("-o", "--output", type=Path)
    return parser


def measure(decoders: list[Decoder], where: Path, ask: argparse.Namespace) -> dict[str, list[float]]:
    """Milliseconds by name and round, in each of which another one is first."""
    times: dict[str, list[float]] = {decoder.name: [] for decoder in decoders}
    for turn in range(ask.rounds):
        for i in range(len(decoders)):
            decoder = decoders[(i + turn) % len(decoders)]
            times[decoder.name].append(float(decoder.answer(where, ask.seconds)))
    return times


def tell(packages: tuple[str, ...], lines: list[str], output: Path | None) -> None:
    told = ", ".join(f"{n} {version(n)}" for n in packages)
    print("\n".join([told, *lines]))
    if output:
        output.write_text("\n".join([told, "", *lines]) + "\n")


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2])
        return
    parser = arguments(__doc__)
    parser.add_argument("--formats", default="PNG,GIF,BMP,PPM,TIFF,WebP,WebP lossless")
    ask = parser.parse_args()
    lines = ["| file | " + " | ".join(f"{name}, ms" for name in NAMES) + " | Pillow / sluice | OpenCV / sluice |"]
    lines.append("|---|" + "---|" * (len(NAMES) + 2))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        kinds = prepare(ask.photos, folder, ask.images, ask.formats.split(","))
        subprocess.run(["go", "build", "-o", folder / "decode", "./benchmarks/decoders/decode"], cwd=ROOT, check=True)
        os.sched_setaffinity(0, {ask.processor})
        own = [sys.executable, str(Path(__file__).resolve()), "--child"]
        decoders = [Decoder(n, [str(folder / "decode")] if n == "sluice" else [*own, n]) for n in NAMES]
        for number, kind in enumerate(kinds):
            where = folder / str(number)
            sums = {decoder.answer(where, 0) for decoder in decoders if decoder.name != "OpenCV"}
            if len(sums) > 1:
                sys.exit(f"{kind}: pixels that aren't Pillow's")
            times = measure(decoders, where, ask)
            ours = times["sluice"]
            ratios = [[a / b for a, b in zip(times[n], ours, strict=True)] for n in NAMES[1:]]
            cells = [kind, *(spread(times[n], 2) for n in NAMES), *(spread(r, 2) for r in ratios)]
            lines.append(f"| {' | '.join(cells)} |")
            print(lines[-1], flush=True)
        for decoder in decoders:
            decoder.close()
    tell(("Pillow", "opencv-python-headless"), lines, ask.output)


if __name__ == "__main__":
    main()
