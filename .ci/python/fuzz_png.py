"""PNG files of every kind, damaged in ways that have a name: what sluice reads, against Pillow and OpenCV (libpng).

    python .ci/python/fuzz_png.py SLUICE [--seconds N] [--seed N] [--keep DIR]

Files of random pixels, colour types, depths, filters, chunks and interlacing lose checksums, chunks or bytes. Where Pillow and OpenCV
read the same pixels of a file, sluice has to (but for a wrong Adler-32, which they miss in an IDAT chunk behind the last row), and where neither reads it sluice has to
refuse it. By damage it prints who reads: P Pillow, O OpenCV, S sluice; those that give other pixels than sluice in small letters. Files that not all three read, or refuse, alike are kept in DIR.
"""
import collections
import io
import random
import struct
import zlib

import numpy as np
from PIL import Image

import common
import damaged
from damaged import opencv, same

args = damaged.arguments(__doc__, "sluice")
draw = random.Random(args.seed)

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KINDS = [(colour, depth) for colour, depths in ((0, (1, 2, 4, 8, 16)), (2, (8, 16)), (3, (1, 2, 4, 8)), (4, (8, 16)), (6, (8, 16))) for depth in depths]
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


class Chunk:
    """A chunk whose checksum is right, unless it is said to be wrong."""

    def __init__(self, kind, body=b""):
        self.kind, self.body, self.wrong, self.length = kind, bytes(body), 0, None

    def data(self):
        length = len(self.body) if self.length is None else self.length
        crc = zlib.crc32(self.kind + self.body) ^ self.wrong
        return struct.pack(">I", length) + self.kind + self.body + struct.pack(">I", crc)


class File:
    """A sound file, as chunks and as the rows that its pixel data hold."""

    def __init__(self):
        self.colour, self.depth = draw.choice(KINDS)
        self.width, self.height = draw.choice(((1, 1), (7, 5), (16, 9), (33, 21), (70, 40)))
        self.interlaced = draw.random() < 0.3
        self.rows = b"".join(self.row(width) for width in self.widths())
        self.level, self.strategy, self.window = draw.randrange(10), draw.choice((0, 1, 2, 3, 4)), draw.choice((15, 15, 15, 9, 12))
        self.colours = 1 << self.depth if self.colour == 3 else 0
        self.before = [Chunk(b"PLTE", self.noise(3 * self.colours))] if self.colour == 3 else []
        if draw.random() < 0.3:
            self.before.append(draw.choice((self.transparent, self.gamma, self.significant, self.text, self.physical))())
        self.header = [self.width, self.height, self.depth, self.colour, 0, 0, int(self.interlaced)]
        self.packed = self.pack(self.rows)

    def widths(self):
        """The width of each row that is stored."""
        if not self.interlaced:
            return [self.width] * self.height
        return [-((x - self.width) // dx) for x, y, dx, dy in PASSES for _ in range(y, self.height, dy) if x < self.width]

    def row(self, width):
        size = (width * CHANNELS[self.colour] * self.depth + 7) // 8
        return bytes([draw.randrange(5)]) + (self.noise(size) if draw.random() < 0.7 else bytes(size))

    @staticmethod
    def noise(n):
        return bytes(draw.randrange(256) >> draw.choice((0, 4)) for _ in range(n))

    def transparent(self):
        return Chunk(b"tRNS", self.noise({0: 2, 2: 6, 3: draw.randrange(1, 1 + self.colours) if self.colours else 1}.get(self.colour, 2)))

    def gamma(self):
        return Chunk(b"gAMA", struct.pack(">I", draw.choice((45455, 100000, 0, 1, 0xFFFFFFFF))))

    def significant(self):
        n = 3 if self.colour == 3 else CHANNELS[self.colour]
        return Chunk(b"sBIT", bytes(draw.choice((1, min(self.depth, 8), 0, 200)) for _ in range(n + draw.choice((0, 0, 1, -1)))))

    def text(self):
        return Chunk(b"tEXt", b"Comment\0" + self.noise(5))

    def physical(self):
        return Chunk(b"pHYs", struct.pack(">IIB", 3000, 3000, 1))

    def pack(self, rows):
        z = zlib.compressobj(self.level, zlib.DEFLATED, self.window, 8, self.strategy)
        return z.compress(rows) + z.flush()

    def chunks(self):
        cuts = sorted(draw.randrange(len(self.packed) + 1) for _ in range(draw.choice((0, 0, 1, 4))))
        pixels = [Chunk(b"IDAT", self.packed[a:b]) for a, b in zip([0, *cuts], [*cuts, len(self.packed)])]
        header = struct.pack(">IIBBBBB", *self.header)
        return [Chunk(b"IHDR", header), *self.before, *pixels, Chunk(b"IEND")]


def index(chunks, kind, last=False):
    found = [i for i, c in enumerate(chunks) if c.kind == kind]
    return found[-1 if last else 0] if found else None


def join(chunks):
    return SIGNATURE + b"".join(c.data() for c in chunks)


def wrong_checksum(kind):
    def damage(f):
        chunks = f.chunks()
        if kind is None:
            chunks.insert(1, draw.choice((f.text, f.gamma, f.physical))())
            chunks[1].wrong = 1
        else:
            i = index(chunks, kind, draw.random() < 0.5)
            chunks[i if i is not None else 0].wrong = 1 << draw.randrange(32)
        return join(chunks)

    return damage


def packed(change):
    """Changes the zlib stream, all checksums of chunks stay right."""

    def damage(f):
        f.packed = change(f, f.packed)
        return join(f.chunks())

    return damage


def inserted(make, where):
    def damage(f):
        chunks = f.chunks()
        pixels, last = index(chunks, b"IDAT"), index(chunks, b"IDAT", True)
        at = {"first": 1, "before pixels": pixels, "within pixels": pixels + 1 + draw.randrange(max(last - pixels, 1)), "behind pixels": last + 1, "at the end": len(chunks)}[where]
        chunks[at:at] = make(f)
        return join(chunks)

    return damage


def header(field, values):
    def damage(f):
        f.header[field] = draw.choice(values)
        return join(f.chunks())

    return damage


def palette(change):
    def damage(f):
        f.before = [c for old in f.before for c in (change(old.body) if old.kind == b"PLTE" else [old])]
        return join(f.chunks())

    return damage


def flipped(data):
    data = bytearray(data)
    for _ in range(draw.choice((1, 1, 3))):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(data)


def zlib_header(f, data):
    while True:
        b = bytes((draw.choice((0x78, 0x08, 0x18, 0x88, 0x77, 0x79)), draw.randrange(256)))
        if draw.random() < 0.7:
            b = bytes((b[0], b[1] - (b[0] << 8 | b[1]) % 31 & 0xFF))
        if b != data[:2]:
            return b + data[2:]


def swapped(f):
    chunks = f.chunks()
    a, b = draw.randrange(len(chunks)), draw.randrange(len(chunks))
    chunks[a], chunks[b] = chunks[b], chunks[a]
    return join(chunks)


def lost(f):
    chunks = f.chunks()
    del chunks[draw.randrange(len(chunks))]
    return join(chunks)


def length(f):
    chunks = f.chunks()
    c = draw.choice(chunks)
    c.length = draw.choice((0, len(c.body) + 1, max(len(c.body) - 1, 0), 1 << 31, 0xFFFFFFFF, 1 << 30))
    return join(chunks)


def bad_filter(f):
    rows, at = bytearray(f.rows), 0
    starts = []
    for width in f.widths():
        starts.append(at)
        at += 1 + (width * CHANNELS[f.colour] * f.depth + 7) // 8
    rows[draw.choice(starts)] = draw.choice((5, 6, 64, 255))
    f.packed = f.pack(bytes(rows))
    return join(f.chunks())


def more(make):
    return lambda f, data: data + make(f)


DAMAGE = {
    "none": lambda f: join(f.chunks()),
    "checksum of IHDR": wrong_checksum(b"IHDR"),
    "checksum of PLTE": wrong_checksum(b"PLTE"),
    "checksum of IDAT": wrong_checksum(b"IDAT"),
    "checksum of IEND": wrong_checksum(b"IEND"),
    "checksum of an ancillary chunk": wrong_checksum(None),
    "Adler-32 wrong": packed(lambda f, d: d[:-1] + bytes([d[-1] ^ 1])),
    "Adler-32 cut": packed(lambda f, d: d[: -draw.randrange(1, 5)]),
    "zlib header": packed(zlib_header),
    "deflate data flipped": packed(lambda f, d: d[:2] + flipped(d[2:-4]) + d[-4:]),
    "deflate data cut": packed(lambda f, d: d[: draw.randrange(len(d) - 3)]),
    "rows missing": packed(lambda f, d: f.pack(f.rows[: -draw.randrange(1, min(len(f.rows), 60) + 1)])),
    "rows too many": packed(lambda f, d: f.pack(f.rows + f.noise(draw.choice((1, 50, 5000))))),
    "rows too many, Adler-32 wrong": packed(lambda f, d: f.pack(f.rows + f.noise(draw.choice((1, 50, 5000))))[:-1] + b"\0"),
    "bytes behind the zlib stream": packed(more(lambda f: f.noise(draw.choice((1, 4, 100))))),
    "an IDAT behind the zlib stream": inserted(lambda f: [Chunk(b"IDAT", f.noise(draw.choice((0, 1, 9))))], "behind pixels"),
    "an empty IDAT": inserted(lambda f: [Chunk(b"IDAT")], "before pixels"),
    "a chunk between IDATs": inserted(lambda f: [draw.choice((f.text, f.gamma, f.physical))()], "within pixels"),
    "text behind the pixels": inserted(lambda f: [f.text()], "behind pixels"),
    "filter above 4": bad_filter,
    "tRNS before PLTE": inserted(lambda f: [f.transparent()], "first"),
    "tRNS twice, of any length": inserted(lambda f: [Chunk(b"tRNS", f.noise(draw.choice((0, 1, 2, 6, 300)))) for _ in range(2)], "before pixels"),
    "tRNS behind the pixels": inserted(lambda f: [f.transparent()], "behind pixels"),
    "sBIT of any length": inserted(lambda f: [Chunk(b"sBIT", f.noise(draw.randrange(6)))], "first"),
    "gAMA of any length": inserted(lambda f: [Chunk(b"gAMA", f.noise(draw.randrange(6)))], "first"),
    "palette missing": palette(lambda body: []),
    "palette too short for its indices": palette(lambda body: [Chunk(b"PLTE", body[: 3 * draw.randrange(1, len(body) // 3 + 1)])]),
    "palette of no colour": palette(lambda body: [Chunk(b"PLTE")]),
    "palette of too many colours": palette(lambda body: [Chunk(b"PLTE", body + File.noise(3))]),
    "palette that ends within a colour": palette(lambda body: [Chunk(b"PLTE", body[:-1])]),
    "palette twice": palette(lambda body: [Chunk(b"PLTE", body), Chunk(b"PLTE", File.noise(len(body)))]),
    "palette in any file": inserted(lambda f: [Chunk(b"PLTE", f.noise(draw.choice((3, 6, 768, 4, 771))))], "before pixels"),
    "palette behind the pixels": inserted(lambda f: [Chunk(b"PLTE", f.noise(6))], "behind pixels"),
    "an unknown ancillary chunk": inserted(lambda f: [Chunk(b"puLp", f.noise(4))], "before pixels"),
    "an unknown critical chunk": inserted(lambda f: [Chunk(b"PULP", f.noise(4))], "before pixels"),
    "an unknown critical chunk behind": inserted(lambda f: [Chunk(b"PULP", f.noise(4))], "behind pixels"),
    "a chunk's kind isn't letters": inserted(lambda f: [Chunk(b"p\0Lp", f.noise(4))], "before pixels"),
    "garbage behind the file": lambda f: join(f.chunks()) + f.noise(draw.choice((1, 3, 50))),
    "no IEND": lambda f: join(f.chunks()[:-1]),
    "IHDR twice": inserted(lambda f: [f.chunks()[0]], "first"),
    "width or height 0": header(draw.randrange(2), (0,)),
    "another width or height": header(draw.randrange(2), (2, 40, 100000, 1 << 31)),
    "another depth": header(2, (0, 1, 2, 3, 4, 8, 16, 32)),
    "another colour type": header(3, (0, 1, 2, 3, 4, 5, 6, 7)),
    "another compression": header(4, (1, 8)),
    "another filter method": header(5, (1, 64)),
    "another interlacing": header(6, (0, 1, 2)),
    "a chunk lost": lost,
    "chunks swapped": swapped,
    "a chunk's length": length,
    "cut": lambda f: (lambda d: d[: draw.randrange(9, len(d))])(join(f.chunks())),
    "bits flipped anywhere": lambda f: flipped(join(f.chunks())),
}


def file_for(kind):
    while True:
        f = File()
        if f.colour == 3 or not kind.startswith("palette ") and "PLTE" not in kind or "any file" in kind:
            return f


def pillow(data):
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if image.mode.startswith("I"):  # 16-bit grey, which convert would clip
                high = (np.asarray(image).astype(np.int64) >> 8).astype(np.uint8)
                return np.repeat(high[:, :, None], 3, 2)
            return np.asarray(image.convert("RGB"))
    except Exception:  # whatever Pillow makes of the headers
        return None


def mismatched(data):
    """Whether the pixel data is complete and doesn't match its Adler-32."""
    at, packed = 8, b""
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        packed += data[at + 8 : at + 8 + size] if data[at + 4 : at + 8] == b"IDAT" else b""
        at += 12 + size
    z = zlib.decompressobj(-15)
    try:
        return struct.pack(">I", zlib.adler32(z.decompress(packed[2:]))) != z.unused_data[:4] and z.eof
    except zlib.error:
        return False


def readers(data, own):
    by_pillow, by_opencv = pillow(data), opencv(data)
    letters = "".join(
        letter if own is None or same(pixels, own) else letter.lower()
        for letter, pixels in (("P", by_pillow), ("O", by_opencv), ("S", own))
        if pixels is not None
    )
    return by_pillow, by_opencv, letters or "nobody"


def damaged_file():
    kind = draw.choice(list(DAMAGE))
    return kind, DAMAGE[kind](file_for(kind))


tally, wrong = collections.defaultdict(collections.Counter), 0
for start, folder, content in damaged.rounds(args, ".png", 400, damaged_file):
    ours = damaged.sluice(args, folder, len(content))
    for name, (kind, data) in content.items():
        own = ours.get(name)
        by_pillow, by_opencv, letters = readers(data, own)
        tally[kind][letters] += 1
        missed = same(by_pillow, by_opencv) and not same(own, by_pillow) and not (own is None and mismatched(data))
        # sluice reads a file that ends within its last chunk, whatever that chunk's length.
        if missed or letters == "S" and kind != "a chunk's length" or kind == "none" and letters != "POS":
            wrong += 1
            print(f"     {kind}: {letters}, {start}{name}")
        if letters not in ("POS", "nobody"):
            damaged.keep(args, f"{kind} {letters} {start}{name}", data)
damaged.show(DAMAGE, tally)
common.equal(f"files that both others read alike and sluice doesn't, or that only sluice reads (seed {args.seed})", wrong, 0)
common.finish()
