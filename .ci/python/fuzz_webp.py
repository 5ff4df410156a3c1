"""WebP files of every kind, damaged in ways that have a name: what sluice reads, against Pillow (libwebp).

    python .ci/python/fuzz_webp.py SLUICE [--seconds N] [--seed N] [--keep DIR]

Lossless and lossy files, with alpha and animated, lose bits, bytes or chunks. What both read must have the same pixels, and what one
refuses the other has to, but for these, which only sluice reads: files whose alpha (ALPH) is damaged, which it doesn't look at, and those that
lack only the padding of the last chunk. Only Pillow reads a lossy file with a partition that begins with the byte 0xff. By damage it prints who reads: P Pillow, S sluice. Files that differ are kept in DIR.
"""
import collections
import io
import pathlib
import random
import struct
import sys

import numpy as np
from PIL import Image

import common
import damaged
from damaged import same

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "internal/webp/testdata"))
import lossless
import lossy

args = damaged.arguments(__doc__, "sluice")
draw = random.Random(args.seed)
np.random.seed(args.seed)


def pixels():
    width, height = draw.choice(((1, 1), (7, 5), (16, 9), (33, 21), (70, 40)))
    return lossless.changed(draw, lossy.drawn(draw, height, width))


def split(data):
    """A file's chunks, as kind and body."""
    chunks, at = [], 12
    while at + 8 <= len(data):
        size = struct.unpack("<I", data[at + 4 : at + 8])[0]
        chunks.append((data[at : at + 4], data[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    return chunks


def join(chunks):
    body = b"".join(kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2) for kind, body in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def from_stream():
    return lossless.riff(lossless.Stream(draw).picture(draw.randint(1, 30), draw.randint(1, 30)))


def from_lossless():
    return lossy.encode(np.ascontiguousarray(pixels()), lossless.parameters(draw))


def from_lossy():
    return lossy.encode(np.ascontiguousarray(pixels()), lossy.parameters(draw))


def animated():
    out = io.BytesIO()
    frames = [Image.fromarray(pixels()).convert(draw.choice(("RGB", "RGBA"))) for _ in range(draw.choice((1, 2, 3)))]
    frames[0].save(out, "WEBP", save_all=True, append_images=[f.resize(frames[0].size) for f in frames[1:]], lossless=draw.random() < 0.5)
    return out.getvalue()


def extended():
    """With VP8X and metadata."""
    out = io.BytesIO()
    Image.fromarray(pixels()).save(out, "WEBP", lossless=draw.random() < 0.5, exif=b"Exif\0\0" + bytes(5), xmp=draw.choice((b"", b"<x/>")))
    return out.getvalue()


MAKE = [from_stream, from_lossless, from_lossless, from_lossy, animated, extended]


def flipped(data, first=0):
    data = bytearray(data)
    for _ in range(draw.choice((1, 1, 3))):
        data[draw.randrange(min(first, len(data) - 1), len(data))] ^= 1 << draw.randrange(8)
    return bytes(data)


def chunk_cut(data):
    chunks = split(data)
    i = draw.randrange(len(chunks))
    kind, body = chunks[i]
    chunks[i] = kind, body[: draw.randrange(len(body) + 1)]
    return join(chunks)


def chunk_longer(data):
    chunks = split(data)
    i = draw.randrange(len(chunks))
    chunks[i] = chunks[i][0], chunks[i][1] + bytes(draw.randrange(256) for _ in range(draw.choice((1, 2, 30))))
    return join(chunks)


def chunks_swapped(data):
    chunks = split(data)
    a, b = draw.randrange(len(chunks)), draw.randrange(len(chunks))
    chunks[a], chunks[b] = chunks[b], chunks[a]
    return join(chunks)


def chunk_lost(data):
    chunks = split(data)
    del chunks[draw.randrange(len(chunks))]
    return join(chunks)


def chunk_twice(data):
    chunks = split(data)
    chunks.insert(draw.randrange(len(chunks) + 1), draw.choice(chunks))
    return join(chunks)


def chunk_strange(data):
    chunks = split(data)
    kind = draw.choice((b"ABCD", b"EXIF", b"XMP ", b"ICCP", b"ALPH", b"ANIM", b"ANMF", b"VP8X", b"FRGM"))
    chunks.insert(draw.randrange(len(chunks) + 1), (kind, bytes(draw.randrange(256) for _ in range(draw.choice((0, 1, 6, 10, 16, 40))))))
    return join(chunks)


def resized(data):
    size = struct.unpack("<I", data[4:8])[0]
    return data[:4] + struct.pack("<I", draw.choice((0, 8, 12, size - 2, size - 1, size + 1, 1 << 31, 0xFFFFFFFF))) + data[8:]


def partitions(data):
    """Where the partitions of lossy pictures begin, however many there are: it takes the arithmetic decoder to know."""
    places, at = set(), data.find(b"VP8 ")
    while at >= 0:
        first = at + 18
        rest = first + (int.from_bytes(data[at + 8 : at + 11], "little") >> 5)
        places.add(first)
        for count in (1, 2, 4, 8):
            begin = rest + 3 * (count - 1)
            for i in range(count):
                places.add(begin)
                begin += int.from_bytes(data[rest + 3 * i : rest + 3 * i + 3], "little")
        at = data.find(b"VP8 ", at + 1)
    return sorted(place for place in places if place < len(data))


def partition_impossible(data):
    places = partitions(data)
    if not places:
        return flipped(data)
    data = bytearray(data)
    data[draw.choice(places[:2] + places)] = 0xFF
    return bytes(data)


DAMAGE = {
    "none": lambda data: data,
    "bits flipped": flipped,
    "bits of the pixels flipped": lambda data: flipped(data, 25),
    "bits of the header flipped": lambda data: flipped(data[:64]) + data[64:],
    "a partition's first byte 0xff": partition_impossible,
    "cut": lambda data: data[: draw.randrange(13, len(data))],
    "a chunk cut": chunk_cut,
    "a chunk longer": chunk_longer,
    "chunks swapped": chunks_swapped,
    "a chunk lost": chunk_lost,
    "a chunk twice": chunk_twice,
    "another chunk": chunk_strange,
    "another size of RIFF": resized,
    "garbage behind": lambda data: data + bytes(draw.choice((1, 3, 50))),
    "no padding": lambda data: data if len(split(data)[-1][1]) % 2 == 0 else data[:4] + struct.pack("<I", len(data) - 9) + data[8:-1],
}


def pillow(data):
    try:
        with Image.open(io.BytesIO(data), formats=["WEBP"]) as image:
            return np.asarray(image.convert("RGB"))
    except Exception:  # whatever Pillow makes of it
        return None


def tolerated(data):
    """Whether only sluice may read it: alpha, or a last chunk that lacks its padding."""
    end = 8 + struct.unpack("<I", data[4:8])[0]
    return b"ALPH" in data or end % 2 == 1


def refused(data):
    """Whether only Pillow may read it."""
    return any(data[place] == 0xFF for place in partitions(data))


def damaged_file():
    kind = draw.choice(list(DAMAGE))
    return kind, DAMAGE[kind](draw.choice(MAKE)())


tally, wrong = collections.defaultdict(collections.Counter), 0
for start, folder, content in damaged.rounds(args, ".webp", 300, damaged_file):
    ours = damaged.sluice(args, folder, len(content))
    for name, (kind, data) in content.items():
        own, theirs = ours.get(name), pillow(data)
        letters = ("P" if theirs is not None else "") + ("S" if own is not None else "") or "nobody"
        if letters == "PS" and not same(own, theirs):
            letters = "other pixels"
        tally[kind][letters] += 1
        if letters == "other pixels" or letters == "P" and not refused(data) or letters == "S" and not tolerated(data) or kind == "none" and letters != "PS":
            wrong += 1
            print(f"     {kind}: {letters}, {start}{name}")
            damaged.keep(args, f"{kind} {letters} {start}{name}", data)
damaged.show(DAMAGE, tally)
common.equal(f"files that Pillow and sluice don't read alike (seed {args.seed})", wrong, 0)
common.finish()
