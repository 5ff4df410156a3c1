"""JPEG files damaged at random: what sluice reads, against Pillow and OpenCV.

    python .ci/python/fuzz_jpeg.py SLUICE DATA [--seconds N] [--seed N] [--keep DIR]

Photos and files made here are cut, flipped, lose markers or segments. Where Pillow (with LOAD_TRUNCATED_IMAGES) and OpenCV agree on
a file's pixels, `truncated: fill` gives these; and what the default reads, both read to the same pixels. Where the two disagree
nothing is asked. Files that differ are kept in DIR.
"""
import io
import random

import numpy as np
from PIL import Image, ImageFile, ImageOps

import common
import damaged
from damaged import opencv, same

args = damaged.arguments(__doc__, "sluice", "data")
draw = random.Random(args.seed)


def synthetic():
    """Small files of every kind that Pillow and OpenCV write."""
    noise = np.random.default_rng(args.seed)
    for height, width in ((1, 1), (9, 16), (24, 40), (33, 27), (40, 24), (64, 80)):
        y, x = np.mgrid[0:height, 0:width]
        pixels = np.stack([x * 5 + y * 3, 200 - x * 3 + y, x * y // 3], -1) + noise.integers(0, 30, (height, width, 3))
        rgb = Image.fromarray((pixels % 256).astype(np.uint8))
        for mode in ("L", "RGB", "CMYK"):
            for subsampling in ("4:4:4", "4:2:2", "4:2:0") if mode == "RGB" else ("4:4:4",):
                for options in ({}, {"progressive": True}, {"restart_marker_blocks": 2}, {"optimize": True}, {"progressive": True, "restart_marker_rows": 1}):
                    out = io.BytesIO()
                    rgb.convert(mode).save(out, "JPEG", quality=draw.choice((20, 60, 90)), subsampling=subsampling, **options)
                    yield out.getvalue()


def segments(data):
    """Where segments lie, as (marker, start, end); a scan's data belongs to none."""
    at, found = 2, []
    while at + 4 <= len(data):
        if data[at] != 0xFF or data[at + 1] in (0, 0xFF) or 0xD0 <= data[at + 1] <= 0xD9:
            at += 1
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        found.append((data[at + 1], at, end))
        at = end
    return found


def damage(data):
    """One to three kinds of damage, most of it behind the first scan's header."""
    data = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        parts = segments(data)
        scans = [end for marker, _, end in parts if marker == 0xDA]
        first = min(scans[0] if scans and draw.random() < 0.85 else 2, len(data) - 2)
        at = draw.randrange(first, len(data)) if first < len(data) else 0
        restarts = [i for i in range(first, len(data) - 1) if data[i] == 0xFF and 0xD0 <= data[i + 1] <= 0xD7]
        kind = draw.choice(("cut", "flip", "flip", "bytes", "insert", "delete", "marker", "restart", "segment", "swap", "zeros", "scan end"))
        if kind == "cut":
            del data[at:]
            if draw.random() < 0.5:
                data += b"\xff\xd9"
        elif kind == "flip":
            data[at] ^= 1 << draw.randrange(8)
        elif kind == "bytes":
            for i in range(at, min(at + draw.randrange(1, 9), len(data))):
                data[i] = draw.randrange(256)
        elif kind == "insert":
            data[at:at] = draw.choice((b"\xff", b"\xff\x00", bytes(draw.randrange(256) for _ in range(draw.randrange(1, 40)))))
        elif kind == "delete":
            del data[at : at + draw.choice((1, 2, 10, 200))]
        elif kind == "marker":
            data[at : at + 2] = bytes((0xFF, draw.choice((0xD0, 0xD1, 0xD4, 0xD7, 0xD9, 0xD8, 0xDA, 0xC4, 0xFE, 0x01, 0xE0, 0xDD, 0xFF, 0x02))))
        elif kind == "restart" and restarts:
            i = draw.choice(restarts)
            if draw.random() < 0.5:
                del data[i : i + 2]
            else:
                data[i + 1] = 0xD0 + draw.randrange(8)
        elif kind == "segment" and len(parts) > 1:
            _, start, end = draw.choice(parts[1:])
            if draw.random() < 0.5:
                del data[start:end]
            else:
                data[start:start] = data[start:end]
        elif kind == "swap" and len(scans) > 2:
            i = draw.randrange(1, len(scans) - 1)
            a, b, c = scans[i - 1], scans[i], scans[i + 1]
            data[a:c] = data[b:c] + data[a:b]
        elif kind == "zeros":
            n = min(draw.randrange(1, 60), len(data) - at)
            data[at : at + n] = draw.choice((b"\0", b"\xff", b"\x55")) * n
        elif kind == "scan end" and len(scans) > 1:  # whole, but without its last scans
            i = draw.randrange(1, len(scans))
            start = max(s for _, s, e in parts if e == scans[i])
            del data[start:]
            data += b"\xff\xd9"
    return bytes(data)


def pillow(data, fill):
    ImageFile.LOAD_TRUNCATED_IMAGES = fill
    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB")) if image.format == "JPEG" else None
    except Exception:  # whatever Pillow makes of the headers
        return None


files = list(synthetic())
if args.data.is_dir():
    files += [p.read_bytes() for p in sorted((args.data / "photos").rglob("*.JPEG"))[:12]]
    files += [p.read_bytes() for p in sorted((args.data / "images").rglob("*.jp*g")) if p.stat().st_size < 200_000]
files = [data for data in files if not any(marker == 0xC9 for marker, _, _ in segments(data))]  # arithmetic coding is refused by name
tally = {}
for start, folder, content in damaged.rounds(args, ".jpg", 300, lambda: ("", damage(draw.choice(files)))):
    filled, strict = (damaged.sluice(args, folder, len(content), options) for options in ("{truncated: fill}", "{}"))
    for name, (_, data) in content.items():
        by_pillow, by_opencv = pillow(data, True), opencv(data)
        if same(by_pillow, by_opencv):
            what = "both agree, we: " + ("the same" if same(filled.get(name), by_pillow) else "OTHER PIXELS" if name in filled else "REFUSED")
        elif by_pillow is None and by_opencv is None:
            what = "neither reads it, we: " + ("a picture" if name in filled else "refused")
        else:
            what = "they disagree, we: " + ("as Pillow" if same(filled.get(name), by_pillow) else "as OpenCV" if same(filled.get(name), by_opencv) else "something else" if name in filled else "refused")
        found = [what]
        if name in strict:
            found.append("read by default, Pillow: " + ("the same" if same(strict[name], pillow(data, False)) else "refused" if pillow(data, False) is None else "OTHER PIXELS"))
        for what in found:
            tally[what] = tally.get(what, 0) + 1
            if what.split(": ")[1].isupper():
                damaged.keep(args, start + name, data)
for what, count in sorted(tally.items()):
    print(f"     {what}: {count}")
wrong = sum(count for what, count in tally.items() if what.split(": ")[1].isupper())
common.equal(f"files that differ where both agree, of {sum(tally.values())} looks (seed {args.seed})", wrong, 0)
common.finish()
