"""Golden values of the lossy decoder: testdata/lossy.json.

    python internal/webp/testdata/lossy.py [--photos FOLDER] [--cases N] [--most SIDE] [--seed N] [-o FILE]

Pictures of every width from 1 to 40 and of some larger sizes, encoded by the libwebp that is in Pillow's wheel, with random
parameters: quality, method, segments, filter (strength, sharpness, type), partitions, spatial noise shaping, passes,
preprocessing, alpha. A case has the file, and the CRC-32 of the RGB bytes that Pillow reads from it. With --photos the
pictures are parts of these, for tests that are too large to be kept.
"""

from __future__ import annotations

import argparse
import base64
import ctypes
import io
import json
import random
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from PIL import Image

ABI = 0x020F
WHOLE = "lossless:i quality:f method:i image_hint:i target_size:i target_PSNR:f segments:i sns_strength:i filter_strength:i \
filter_sharpness:i filter_type:i autofilter:i alpha_compression:i alpha_filtering:i alpha_quality:i pass_:i show_compressed:i \
preprocessing:i partitions:i partition_limit:i emulate_jpeg_size:i thread_level:i low_memory:i near_lossless:i exact:i \
use_delta_palette:i use_sharp_yuv:i qmin:i qmax:i"


class Config(ctypes.Structure):
    """WebPConfig of webp/encode.h."""

    _fields_ = [(n.split(":")[0], ctypes.c_float if n.endswith(":f") else ctypes.c_int) for n in WHOLE.split()]


class Picture(ctypes.Structure):
    """WebPPicture of webp/encode.h."""

    _fields_ = [
        ("use_argb", ctypes.c_int), ("colorspace", ctypes.c_int), ("width", ctypes.c_int), ("height", ctypes.c_int),
        ("yuv", ctypes.c_void_p * 3), ("strides", ctypes.c_int * 2), ("a", ctypes.c_void_p), ("a_stride", ctypes.c_int),
        ("pad1", ctypes.c_uint32 * 2), ("argb", ctypes.c_void_p), ("argb_stride", ctypes.c_int), ("pad2", ctypes.c_uint32 * 3),
        ("writer", ctypes.c_void_p), ("custom", ctypes.c_void_p), ("info_type", ctypes.c_int), ("info", ctypes.c_void_p),
        ("stats", ctypes.c_void_p), ("error", ctypes.c_int), ("progress", ctypes.c_void_p), ("user", ctypes.c_void_p),
        ("rest", ctypes.c_uint8 * 256),
    ]  # fmt: skip


class Written(ctypes.Structure):
    """WebPMemoryWriter."""

    _fields_ = [("mem", ctypes.c_void_p), ("size", ctypes.c_size_t), ("most", ctypes.c_size_t), ("pad", ctypes.c_uint32)]


def library() -> Any:
    folder = Path(PIL.__file__).parents[1] / "pillow.libs"
    for name in ("libsharpyuv-*", "libwebp-*"):
        found = ctypes.CDLL(str(next(folder.glob(name))), mode=ctypes.RTLD_GLOBAL)
    return found


LIB = library()


def encode(pixels: np.ndarray, parameters: dict[str, float]) -> bytes:
    config, picture, written = Config(), Picture(), Written()
    assert LIB.WebPConfigInitInternal(ctypes.byref(config), 0, ctypes.c_float(75), ABI)
    assert LIB.WebPPictureInitInternal(ctypes.byref(picture), ABI)
    for name, value in parameters.items():
        setattr(config, name, value)
    assert LIB.WebPValidateConfig(ctypes.byref(config)), parameters
    height, width, channels = pixels.shape
    picture.width, picture.height = width, height
    into = LIB.WebPPictureImportRGBA if channels == 4 else LIB.WebPPictureImportRGB
    assert into(ctypes.byref(picture), pixels.ctypes.data_as(ctypes.c_void_p), pixels.strides[0])
    LIB.WebPMemoryWriterInit(ctypes.byref(written))
    picture.writer = ctypes.cast(LIB.WebPMemoryWrite, ctypes.c_void_p)
    picture.custom = ctypes.addressof(written)
    assert LIB.WebPEncode(ctypes.byref(config), ctypes.byref(picture)), picture.error
    data = ctypes.string_at(written.mem, written.size)
    LIB.WebPPictureFree(ctypes.byref(picture))
    LIB.WebPMemoryWriterClear(ctypes.byref(written))
    return data


def parameters(rng: random.Random) -> dict[str, float]:
    return {
        "quality": rng.choice([0, 100, rng.uniform(0, 100), rng.uniform(0, 40)]),
        "method": rng.randrange(7),
        "segments": rng.randrange(1, 5),
        "sns_strength": rng.randrange(101),
        "filter_strength": rng.choice([0, 100, rng.randrange(101)]),
        "filter_sharpness": rng.randrange(8),
        "filter_type": rng.randrange(2),
        "autofilter": rng.randrange(2),
        "partitions": rng.randrange(4),
        "pass_": rng.randrange(1, 4),
        "preprocessing": rng.choice([0, 1, 2]),
        "alpha_quality": rng.randrange(101),
    }


def drawn(rng: random.Random, height: int, width: int) -> np.ndarray:
    """A picture with slopes, edges and noise."""
    y, x = np.mgrid[0:height, 0:width]
    planes = []
    for _ in range(3):
        a, b, c = rng.uniform(-9, 9), rng.uniform(-9, 9), rng.uniform(0.02, 0.7)
        plane = 128 + a * x + b * y + rng.choice([0, 60]) * np.sin(c * (x + rng.random() * y))
        plane = np.where(x * rng.uniform(-1, 1) + y > rng.uniform(0, height), plane, plane[::-1])
        planes.append(plane + rng.choice([0, 0, 8, 60]) * np.array([[rng.gauss(0, 1) for _ in range(width)] for _ in range(height)]))
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


def main() -> None:
    about, _, usage = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(description=about, epilog=usage, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--cases", type=int, default=110)
    parser.add_argument("--most", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).with_name("lossy.json"))
    ask = parser.parse_args()
    rng, cases = random.Random(ask.seed), []
    photos = sorted(p for p in ask.photos.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg")) if ask.photos else []
    for number in range(ask.cases):
        width, height = 1 + number % ask.most, rng.randint(1, ask.most)
        if number % 10 == 9:
            width, height = rng.choice([(64, 48), (97, 33), (50, 81), (1, 70), (90, 1)])
        if photos:
            photo = Image.open(rng.choice(photos)).convert("RGB")
            x, y = rng.randrange(max(1, photo.width - width)), rng.randrange(max(1, photo.height - height))
            pixels = np.asarray(photo.crop((x, y, x + width, y + height)))
        else:
            pixels = drawn(rng, height, width)
        if rng.random() < 0.15:
            pixels = np.dstack([pixels, pixels[:, :, 0]])
        data = encode(np.ascontiguousarray(pixels), parameters(rng))
        with Image.open(io.BytesIO(data)) as image:
            rgb = image.convert("RGB").tobytes()
        cases.append({"Height": height, "Width": width, "Encoded": base64.b64encode(data).decode(), "Sum": zlib.crc32(rgb)})
    rows = ",\n".join(json.dumps(case) for case in cases)
    ask.output.write_text(f'{{"Cases": [\n{rows}\n]}}\n')
    print(f"{len(cases)} cases, {ask.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
