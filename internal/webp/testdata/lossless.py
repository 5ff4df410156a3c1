"""Golden values of the lossless decoder: testdata/lossless.json.

    python internal/webp/testdata/lossless.py [--photos FOLDER] [--cases N] [--most SIDE] [--seed N] [-o FILE]

Half of the pictures are of every width from 1 to 40 and of some larger sizes (slopes with noise, few colours, palettes of 2, 4,
16 and 256 colours, grey, noise, with alpha and without), encoded by the libwebp that is in Pillow's wheel, with random parameters:
quality, method, exact, near-lossless. The others are streams that no encoder writes: transforms in any order, random codes and
tiles, copies from anywhere, large caches. A case has the file, and the CRC-32 of the RGB bytes that Pillow reads from it. With
--photos the pictures are parts of these, for tests that are too large to be kept.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import random
import struct
import zlib
from pathlib import Path

import numpy as np
from lossy import drawn, encode
from PIL import Image

ORDER = 17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15


class Stream:
    """A random stream, bit by bit."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.bits = rng, []

    def put(self, value: int, count: int) -> None:
        self.bits += [value >> i & 1 for i in range(count)]

    def bytes(self) -> bytes:
        bits = self.bits + [0] * (-len(self.bits) % 8)
        return bytes(sum(bit << i for i, bit in enumerate(bits[at : at + 8])) for at in range(0, len(bits), 8))

    def words(self, lengths: dict[int, int]) -> dict[int, tuple[int, int]]:
        """The canonical words, and how long they are; the first bit of a word is its highest."""
        if len(lengths) == 1:
            return dict.fromkeys(lengths, (0, 0))
        word, last, words = 0, 0, {}
        for symbol, length in sorted(lengths.items(), key=lambda item: (item[1], item[0])):
            word <<= length - last
            words[symbol], last = (word, length), length
            word += 1
        return words

    def symbol(self, words: dict[int, tuple[int, int]], symbol: int) -> None:
        word, length = words[symbol]
        self.bits += [word >> i & 1 for i in range(length - 1, -1, -1)]

    def lengths(self, symbols: list[int], most: int) -> dict[int, int]:
        """A complete code: a random word is divided until there is one for each symbol."""
        leaves = [0]
        while len(leaves) < len(symbols):
            i = self.rng.choice([self.rng.randrange(len(leaves)), len(leaves) - 1])
            if leaves[i] < most:
                leaves[i] += 1
                leaves.append(leaves[i])
        self.rng.shuffle(leaves)
        return {symbol: max(length, 1) for symbol, length in zip(symbols, leaves, strict=True)}

    def code(self, symbols: list[int], size: int) -> dict[int, tuple[int, int]]:
        """Writes a code with these symbols of size ones."""
        if len(symbols) <= 2 and max(symbols) < 256 and self.rng.random() < 0.7:
            self.put(1, 1)
            self.put(len(symbols) - 1, 1)
            wide = max(symbols) > 1 or self.rng.random() < 0.5 or len(symbols) == 2
            self.put(wide, 1)
            for symbol in sorted(symbols):
                self.put(symbol, 8 if wide else 1)
            return self.words(dict.fromkeys(symbols, 1))
        lengths = self.lengths(symbols, 15)
        self.put(0, 1)
        row = [lengths.get(symbol, 0) for symbol in range(size)]
        coded: list[tuple[int, int, int]] = []  # symbol, value and bits behind it
        at, last = 0, 8
        while at < size:
            same = next((i for i in range(at, size) if row[i] != row[at]), size) - at
            if row[at] == 0 and same >= 3 and self.rng.random() < 0.95:
                same = min(same, 138 if same > 10 else 10)
                coded.append((18, same - 11, 7) if same > 10 else (17, same - 3, 3))
                at += same
            elif row[at] == last and same >= 3 and self.rng.random() < 0.9:
                same = min(same, 6)
                coded.append((16, same - 3, 2))
                at += same
            else:
                coded.append((row[at], 0, 0))
                last = row[at] or last
                at += 1
        least = None
        if self.rng.random() < 0.5 and len(coded) >= 2:
            while len(coded) > 2 and coded[-1][0] in (0, 17, 18):
                coded.pop()
            least = len(coded)
        used = sorted({symbol for symbol, _, _ in coded})
        inner = self.lengths(used, 7)
        count = max(4, max(ORDER.index(symbol) for symbol in used) + 1)
        self.put(count - 4, 4)
        for symbol in ORDER[:count]:
            self.put(inner.get(symbol, 0), 3)
        self.put(least is not None, 1)
        if least is not None:
            bits = max(2, (least - 2).bit_length() + (least - 2).bit_length() % 2)
            self.put((bits - 2) // 2, 3)
            self.put(least - 2, bits)
        words = self.words(inner)
        for symbol, value, bits in coded:
            self.symbol(words, symbol)
            self.put(value, bits)
        return self.words(lengths)

    def some(self, size: int, most: int) -> list[int]:
        count = self.rng.choice([1, 1, 2, 3, 5, 16, 80])
        return sorted(self.rng.sample(range(size), min(count, size, most)))

    def group(self, cache: int, copies: bool) -> list[dict[int, tuple[int, int]]]:
        green = set(self.some(256, 256))
        if copies:
            green |= {256 + i for i in self.some(24, 5)}
        if cache:
            green |= {280 + i for i in self.some(1 << cache, 40)}
        sizes = [280 + (1 << cache if cache else 0), 256, 256, 256, 40]
        symbols = [sorted(green), self.some(256, 256), self.some(256, 256), self.some(256, 256), self.some(40, 9)]
        return [self.code(s, n) for s, n in zip(symbols, sizes, strict=True)]

    def number(self, symbol: int) -> int:
        """Writes what follows a symbol for a length or a distance; gives that."""
        if symbol < 4:
            return symbol + 1
        bits = (symbol - 2) >> 1
        extra = self.rng.choice([0, self.rng.getrandbits(bits)])
        self.put(extra, bits)
        return ((2 + (symbol & 1)) << bits) + extra + 1

    def level(self, width: int, height: int, shown: bool) -> None:
        cache = self.rng.choice([0, 0, 1, 4, 11])
        self.put(cache > 0, 1)
        if cache:
            self.put(cache, 4)
        tiles, bits = [0], 0
        if shown:
            grouped = self.rng.random() < 0.6
            self.put(grouped, 1)
            if grouped:
                bits = self.rng.randrange(2, 10)
                self.put(bits - 2, 3)
                tiles = self.numbers(-(-width >> bits), -(-height >> bits), self.rng.choice([1, 2, 5]))
        copies = self.rng.random() < 0.7
        groups = [self.group(cache, copies) for _ in range(max(tiles) + 1)]
        at = 0
        while at < width * height:
            x, y = at % width, at // width
            codes = groups[tiles[(y >> bits) * -(-width >> bits) + (x >> bits)] if bits else 0]
            green = self.rng.choice(list(codes[0]))
            if 256 <= green < 280:
                near = [s for s in codes[4] if largest(s) < 120 or largest(s) - 120 <= at]
                if at < 7 * width + 8 or not near or largest(green - 256) > width * height - at:
                    others = [g for g in codes[0] if not 256 <= g < 280]
                    green = self.rng.choice(others)
            self.symbol(codes[0], green)
            if green < 256:
                for code in codes[1:4]:
                    self.symbol(code, self.rng.choice(list(code)))
                at += 1
            elif green < 280:
                at += self.number(green - 256)
                far = self.rng.choice(near)
                self.symbol(codes[4], far)
                self.number(far)
            else:
                at += 1

    def numbers(self, width: int, height: int, most: int) -> list[int]:
        """Writes a picture of group numbers, which it gives."""
        self.put(0, 1)
        values = self.rng.sample(range(270 if self.rng.random() < 0.02 else 7), most)
        lows, highs = sorted({v & 255 for v in values}), sorted({v >> 8 for v in values})
        green, red = self.code(lows, 280), self.code(highs, 256)
        for size in (256, 256, 40):
            self.code([self.rng.randrange(min(size, 256))], size)
        out = []
        for _ in range(width * height):
            low, high = self.rng.choice(lows), self.rng.choice(highs)
            self.symbol(green, low)
            self.symbol(red, high)
            out.append(low | high << 8)
        return out

    def picture(self, width: int, height: int) -> bytes:
        self.put(0x2F, 8)
        self.put(width - 1, 14)
        self.put(height - 1, 14)
        self.put(self.rng.randrange(2), 1)
        self.put(0, 3)
        for kind in self.rng.sample(range(4), self.rng.choice([0, 1, 2, 3, 4])):
            self.put(1, 1)
            self.put(kind, 2)
            if kind < 2:
                bits = self.rng.randrange(2, 10)
                self.put(bits - 2, 3)
                self.level(-(-width >> bits), -(-height >> bits), False)
            elif kind == 3:
                colours = self.rng.choice([1, 2, 3, 4, 5, 16, 17, 256])
                self.put(colours - 1, 8)
                self.level(colours, 1, False)
                width = -(-width >> (3 if colours <= 2 else 2 if colours <= 4 else 1 if colours <= 16 else 0))
        self.put(0, 1)
        self.level(width, height, True)
        return self.bytes()


def largest(symbol: int) -> int:
    """The largest number that a symbol for lengths or distances begins."""
    return symbol + 1 if symbol < 4 else (3 + (symbol & 1)) << ((symbol - 2) >> 1)


def riff(chunk: bytes) -> bytes:
    body = b"WEBPVP8L" + struct.pack("<I", len(chunk)) + chunk + bytes(len(chunk) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def parameters(rng: random.Random) -> dict[str, float]:
    return {
        "lossless": 1,
        "quality": rng.choice([0, 100, rng.uniform(0, 100)]),
        "method": rng.randrange(7),
        "exact": rng.randrange(2),
        "near_lossless": rng.choice([100, 100, 60, 0]),
    }


def changed(rng: random.Random, pixels: np.ndarray) -> np.ndarray:
    """A picture of another kind."""
    picture = Image.fromarray(pixels)
    match rng.randrange(8):
        case 0:
            picture = picture.quantize(rng.choice([2, 3, 4, 5, 16, 17, 256])).convert("RGB")
        case 1:
            picture = picture.convert("L").convert("RGB")
        case 2:
            return np.random.default_rng(rng.randrange(1 << 30)).integers(0, 256, pixels.shape, dtype=np.uint8)
        case 3:
            picture = picture.convert("1").convert("RGB")
        case 4:
            picture.putalpha(picture.convert("L").point(lambda v: 0 if v < 100 else v))
        case 5:
            picture = picture.point(lambda v: v & 0xE0)
        case 6:
            y, x = np.mgrid[0 : pixels.shape[0], 0 : pixels.shape[1]]
            return np.stack([5 * x + y, 3 * y, x ^ y], -1).astype(np.uint8)
    return np.asarray(picture)


def main() -> None:
    about, _, usage = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(description=about, epilog=usage, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--cases", type=int, default=160)
    parser.add_argument("--most", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).with_name("lossless.json"))
    ask = parser.parse_args()
    rng, cases = random.Random(ask.seed), []
    photos = sorted(p for p in ask.photos.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg")) if ask.photos else []
    while len(cases) < ask.cases:
        width, height = 1 + len(cases) // 2 % ask.most, rng.randint(1, ask.most)
        if len(cases) % 20 > 17:
            width, height = rng.choice([(64, 48), (97, 33), (50, 81), (1, 70), (90, 1)])
        if len(cases) % 2:
            data = riff(Stream(rng).picture(width, height))
        else:
            pixels = drawn(rng, height, width)
            if photos:
                photo = Image.open(rng.choice(photos)).convert("RGB")
                x, y = rng.randrange(max(1, photo.width - width)), rng.randrange(max(1, photo.height - height))
                pixels = np.asarray(photo.crop((x, y, x + width, y + height)))
            data = encode(np.ascontiguousarray(changed(rng, pixels)), parameters(rng))
        with Image.open(io.BytesIO(data)) as image:
            rgb = image.convert("RGB").tobytes()
        cases.append({"Height": height, "Width": width, "Encoded": base64.b64encode(data).decode(), "Sum": zlib.crc32(rgb)})
    rows = ",\n".join(json.dumps(case) for case in cases)
    ask.output.write_text(f'{{"Cases": [\n{rows}\n]}}\n')
    print(f"{len(cases)} cases, {ask.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
