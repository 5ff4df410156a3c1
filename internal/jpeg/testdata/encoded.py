#!/usr/bin/python3
"""Golden values of package jpeg's encoder: the CRCs of files that Pillow writes.

    python internal/jpeg/testdata/encoded.py   # writes encoded.json

python is that of .ci/python/requirements.txt: Pillow 13, with libjpeg-turbo 3. The pictures
are made by the functions below, which encode_test.go has too.
"""
import io
import itertools
import json
import os
import zlib

import numpy as np
from PIL import Image, features

HERE = os.path.dirname(os.path.abspath(__file__))


def noise(n):
    """The upper bytes of a linear congruential generator's states."""
    out, state = bytearray(n), 1
    for i in range(n):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        out[i] = state >> 24
    return np.frombuffer(bytes(out), np.uint8)


def picture(kind, height, width, channels):
    """uint8 [height, width, channels]."""
    y, x, c = np.ogrid[:height, :width, :channels]
    r = noise(height * width * channels).reshape(height, width, channels).astype(np.int64)
    if kind == "noise":
        v = r
    elif kind == "extreme":  # black and white: the largest coefficients
        v = (r >> 7) * 255
    elif kind == "smooth":  # slopes and an edge, as photographs have them, with a little noise
        v = (x * 3 + y * 2 * (c + 1)) // 2 % 256 // 2 + ((x - width // 2) ** 2 + (y - height // 2) ** 2 < width * height // 9) * 90 + r % 7
    else:
        v = 0 * r + 200 - 90 * c
    return v.astype(np.uint8)


def cases():
    sizes = [(1, 1), (1, 17), (13, 7), (9, 17), (8, 8), (16, 16), (17, 16), (15, 31), (33, 50), (100, 70)]
    kinds = ["noise", "extreme", "smooth", "flat"]
    for i, ((height, width), kind, channels, subsampling) in enumerate(itertools.product(sizes, kinds, (3, 1), (0, 1, 2))):
        for quality in ([1, 25, 50, 75, 90, 100][i % 6], [10, 49, 85, 95, 98][i % 5]):
            yield kind, height, width, channels, quality, subsampling, 0, 0
        yield kind, height, width, channels, 80, subsampling, 1 + i % 7, 0
        yield kind, height, width, channels, 80, subsampling, 0, 1 + i % 3
    for quality in range(1, 101):
        yield "smooth", 40, 61, 3, quality, 2, 0, 0
    yield "smooth", 8, 65500, 3, 75, 0, 0, 9
    yield "smooth", 700, 500, 3, 75, 1, 0, 0


def main():
    out = []
    for case in cases():
        kind, height, width, channels, quality, subsampling, blocks, rows = case
        a = picture(kind, height, width, channels)
        file = io.BytesIO()
        # A grey picture has no chroma: its file is that without subsampling.
        Image.fromarray(a if channels == 3 else a[:, :, 0]).save(
            file, "JPEG", quality=quality, subsampling=subsampling if channels == 3 else 0,
            restart_marker_blocks=blocks, restart_marker_rows=rows)
        data = file.getvalue()
        out.append([*case, len(data), zlib.crc32(data)])
    with open(os.path.join(HERE, "encoded.json"), "w") as f:
        f.write('{"versions": {"pillow": "%s", "libjpeg_turbo": "%s"},\n"columns": %s,\n"cases": [\n%s\n]}\n' % (
            features.version("pil"), features.version("libjpeg_turbo"),
            json.dumps(["kind", "height", "width", "channels", "quality", "subsampling", "restart_blocks", "restart_rows", "bytes", "crc32"]),
            ",\n".join(json.dumps(c, separators=(",", ":")) for c in out)))
    print(len(out), "cases,", os.path.getsize(f.name), "bytes")


if __name__ == "__main__":
    main()
