"""Golden values of the formats that package decode reads row by row: GIF, BMP, PPM and TIFF.

    python internal/decode/testdata/rows.py

writes rows.json.gz: small files of random sizes in every mode and compression that Pillow writes, and by hand what it doesn't,
with the CRC-32 of the RGB that it reads (.ci/python/judge.py says how 16 bits are judged). python is that of .ci/python/requirements.txt.
"""
import base64, gzip, json, os, random, struct, sys, warnings, zlib

import numpy as np
from PIL import Image

import golden

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../.ci/python"))
import judge

rng = random.Random(17)
cases = []


def add(name, data):
    kind, rgb = judge.pillow(data)
    assert rgb is not None, f"{name}: Pillow doesn't read it"
    assert rgb.dtype == np.uint8 and rgb.shape[2] == 3, name
    cases.append(dict(name=name, height=rgb.shape[0], width=rgb.shape[1], encoded=base64.b64encode(data).decode(),
                      crc=zlib.crc32(np.ascontiguousarray(rgb))))


def size():
    return rng.choice([1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, rng.randint(1, 40), rng.randint(1, 40)])


def pixels(height, width, channels, limit=256):
    """Noise, slopes or flat squares."""
    r = np.random.default_rng(rng.randrange(1 << 30))
    y, x = np.mgrid[0:height, 0:width]
    kind = rng.randrange(4)
    if kind == 0:
        p = r.integers(0, limit, (height, width, channels))
    elif kind == 1:
        p = np.stack([x * rng.randrange(9) + y * rng.randrange(9) + rng.randrange(limit) for _ in range(channels)], -1)
    elif kind == 2:
        p = np.stack([(x // 5 + y // 7) * 31 + 77 * c for c in range(channels)], -1)
    else:
        p = np.full((height, width, channels), rng.randrange(limit)) + (r.random((height, width, 1)) < 0.02) * 9
    return p.astype(np.int64) % limit


def image(mode):
    h, w = size(), size()
    if mode == "I;16":
        return Image.fromarray(pixels(h, w, 1, 65536)[:, :, 0].astype(np.uint16))
    channels = {"LA": 2, "RGBA": 4, "CMYK": 4}.get(mode, 3)
    p = pixels(h, w, channels).astype(np.uint8)
    if channels == 3:
        return Image.fromarray(p).convert(mode) if mode != "P" else Image.fromarray(p).quantize(rng.choice([2, 3, 16, 17, 100, 256]))
    return Image.fromarray(p, mode)


def lzw(data, literal_bits, tiff=False, clear_at=None):
    """LZW codes: GIF's order, or TIFF's with its early change. clear_at: the string at which the table is cleared; beyond 4095 it
    stays full."""
    clear = 1 << literal_bits
    codes = []

    def begin():
        nonlocal table, width, following
        table, width, following = {bytes([i]): i for i in range(clear)}, literal_bits + 1, clear + 2

    table, width, following = {}, literal_bits + 1, 0
    codes.append((clear, literal_bits + 1))
    begin()
    string, first = b"", True
    for byte in data:
        longer = string + bytes([byte])
        if longer in table:
            string = longer
            continue
        codes.append((table[string], width))
        if following < 4096:
            table[longer] = following
            following += 1
        made = following - 1  # the decoder is one string behind
        if made == (1 << width) - tiff and width < 12:
            width += 1
        string = bytes([byte])
        if clear_at and following >= clear_at:
            codes.append((clear, width))
            begin()
    codes.append((table[string], width))
    if following == (1 << width) - tiff and width < 12:
        width += 1
    codes.append((clear + 1, width))
    if tiff:
        bits = "".join(f"{code:0{n}b}" for code, n in codes)
        bits += "0" * (-len(bits) % 8)
        return bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))
    number = at = 0
    for code, n in codes:
        number |= code << at
        at += n
    return number.to_bytes((at + 7) // 8, "little")


def gif(bits, interlaced, canvas, at, local, transparent):
    """A GIF by hand."""
    h, w = size(), size()
    height, width = h + canvas[0], w + canvas[1]
    colours = 1 << max(bits, 1)
    palette = bytes(rng.randrange(256) for _ in range(3 * colours))
    rows = pixels(h, w, 1, 1 << bits)[:, :, 0].astype(np.uint8)
    if interlaced:
        rows = rows[[y for start, step in ((0, 8), (4, 8), (2, 4), (1, 2)) for y in range(start, h, step)]]
    codes = lzw(rows.tobytes(), max(bits, 2), clear_at=rng.choice([None, 4095, 300, 20]) if bits > 3 else None)
    size_bits = max(bits, 1) - 1
    data = b"GIF89a" + struct.pack("<HHBBB", max(width, 1), max(height, 1), 0x80 | size_bits, 0, 0) + palette
    if transparent:
        data += b"\x21\xf9\x04\x01\x00\x00" + bytes([rng.randrange(1 << bits)]) + b"\0"
    data += b"\x21\xfe\x03abc\0" if rng.randrange(2) else b""
    flags = (0x40 if interlaced else 0) | (0x80 | size_bits if local else 0)
    data += b"\x2c" + struct.pack("<HHHHB", at[1], at[0], w, h, flags) + (bytes(rng.randrange(256) for _ in range(3 * colours)) if local else b"")
    data += bytes([max(bits, 2)])
    step = rng.choice([255, 255, 7])
    for i in range(0, len(codes), step):
        data += bytes([len(codes[i:i + step])]) + codes[i:i + step]
    return data + b"\0;"


def gifs():
    for mode in ("1", "L", "P", "RGB"):
        for interlace in (0, 1):
            for _ in range(3):
                add(f"gif/pillow-{mode}-{interlace}", golden.encode(image(mode), "GIF", interlace=interlace))
    for bits in range(1, 9):
        for interlaced in (False, True):
            add(f"gif/{bits}-bits-{interlaced}", gif(bits, interlaced, (0, 0), (0, 0), False, False))
            add(f"gif/{bits}-bits-local-{interlaced}", gif(bits, interlaced, (5, 3), (2, 1), True, rng.randrange(2)))
            add(f"gif/{bits}-bits-off-{interlaced}", gif(bits, interlaced, (rng.randrange(-3, 9), rng.randrange(-3, 9)), (rng.randrange(12), rng.randrange(12)), rng.randrange(2), True))


def rle(bits):
    """Run-length codes of all kinds, and the size of the picture that they are for."""
    h, w = size(), size()
    codes, x, y = b"", 0, 0
    while y < h:
        kind = rng.randrange(9)
        if x >= w or kind == 0:
            codes += b"\0\0"
            x, y = 0, y + 1
        elif kind == 1 and y + 3 < h and x + 2 < w:
            codes += bytes([0, 2, 1, 2])
            x, y = x + 1, y + 2
        elif kind < 5:
            n = rng.randint(1, w - x)
            codes += bytes([n, rng.randrange(256)])
            x += n
        elif w - x >= 3:
            n = rng.randint(3, w - x)
            part = bytes(rng.randrange(256) for _ in range((n * bits + 7) // 8))
            codes += bytes([0, n]) + part + bytes(len(part) % 2)
            x += n
        else:
            codes += bytes([w - x, rng.randrange(256)])
            x = w
    palette = bytes(rng.randrange(256) if i % 4 < 3 else 0 for i in range(4 << bits))
    return golden.runs(rng.choice([h, -h]), w, bits, [codes + b"\0\1"], palette)


def bmps():
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        for _ in range(4):
            add(f"bmp/pillow-{mode}", golden.encode(image(mode), "BMP"))
    for bits in (1, 4, 8, 16, 24, 32):
        for turn in (1, -1):
            for _ in range(2):
                h, w = size(), size()
                n = (w * bits + 7) // 8
                rows = [bytes(rng.randrange(256) for _ in range(n)) for _ in range(h)]
                palette = bytes(rng.randrange(256) if i % 4 < 3 else 0 for i in range(4 << bits)) if bits <= 8 else b""
                add(f"bmp/{bits}-bits-{turn}", golden.bmp(turn * h, w, bits, rows, palette))
    fields = {16: [(0xF800, 0x7E0, 0x1F), (0x7C00, 0x3E0, 0x1F)],
              32: [(0xFF0000, 0xFF00, 0xFF), (0xFF000000, 0xFF0000, 0xFF00)]}
    for bits, sets in fields.items():
        for masks in sets:
            h, w = size(), size()
            rows = [bytes(rng.randrange(256) for _ in range(w * bits // 8)) for _ in range(h)]
            add(f"bmp/{bits}-bits-{masks[0]:x}", golden.bmp(h, w, bits, rows, masks=struct.pack("<III", *masks)))
    for bits in (4, 8):
        for _ in range(12):
            data = rle(bits)
            if judge.pillow(data)[1] is not None:
                add(f"bmp/rle{bits}", data)


def pnms():
    for mode in ("1", "L", "RGB"):
        for _ in range(4):
            add(f"ppm/pillow-{mode}", golden.encode(image(mode), "PPM"))
    for kind, channels in ((2, 1), (3, 3), (5, 1), (6, 3)):
        for maxval in (1, 7, 100, 255, 1000, 65535):
            h, w = size(), size()
            p = pixels(h, w, channels, maxval + 1)
            head = f"P{kind}\n# by hand\n{w} {h}\n{maxval}\n".encode()
            if kind < 4:
                blank = rng.choice([" ", "\n", "\t ", " # 5\n"])
                add(f"ppm/P{kind}-{maxval}", head + blank.join(str(v) for v in p.ravel()).encode() + b"\n")
            elif maxval < 256:
                add(f"ppm/P{kind}-{maxval}", head + p.astype(np.uint8).tobytes())
            else:
                add(f"ppm/P{kind}-{maxval}", head + p.astype(">u2").tobytes())
    for _ in range(3):
        h, w = size(), size()
        p = pixels(h, w, 1, 2).ravel()
        add("ppm/P1", f"P1 {w} {h}\n".encode() + rng.choice(["", " ", "\n"]).join(str(v) for v in p).encode() + b"\n")


def tiffs():
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits"):
        for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"):
            for predictor in (1, 2) if compression in ("tiff_lzw", "tiff_adobe_deflate") and mode != "1" else (1,):
                for _ in range(2):
                    info = {317: predictor} if predictor == 2 else {}
                    if rng.randrange(2):
                        info[278] = rng.randint(1, 20)
                    add(f"tiff/{compression}-{mode}-{predictor}", golden.encode(image(mode), "TIFF", compression=compression, tiffinfo=info))
    for compression in ("group3", "group4"):
        for _ in range(5):
            add(f"tiff/{compression}", golden.encode(image("1"), "TIFF", compression=compression))
    old = lambda data: lzw(data, 8, clear_at=4094)
    golden.CODERS[5] = lambda data: lzw(data, 8, tiff=True, clear_at=4095)
    for compression in (1, 5, 8, 32773):
        for order in "<>":
            for bits, photometric, channels, extra in ((8, 2, 3, ()), (8, 2, 4, (2,)), (8, 2, 4, (1,)), (8, 1, 1, ()), (8, 0, 1, ()), (8, 5, 4, ()),
                                                       (16, 2, 3, ()), (16, 1, 1, ()), (4, 1, 1, ()), (1, 0, 1, ())):
                h, w = size(), size()
                p = pixels(h, w, channels, 1 << bits)
                predictor = 2 if compression in (5, 8) and bits >= 8 and rng.randrange(2) else 1
                planar = 2 if channels > 1 and extra != (1,) and rng.randrange(3) == 0 else 1
                tile = rng.choice([None, None, (16, 16), (32, 16), (16, 48)])
                name = f"tiff/{compression}-{order}-{bits}-{photometric}-{channels}{extra}-{predictor}-{planar}-{tile}"
                data = golden.tiff(p, photometric, order, bits=bits, compression=compression, predictor=predictor, planar=planar, tile=tile,
                                   rows=rng.randint(1, 12), extra=extra, big=order == "<" and rng.randrange(4) == 0)
                if judge.pillow(data)[1] is not None:
                    add(name, data)
                else:
                    print("Pillow doesn't read", name)
    for fill in (1, 2):
        p = pixels(20, 30, 3)
        add(f"tiff/lzw-fill-{fill}", golden.tiff(p, 2, compression=5, fill=fill))
    new, golden.CODERS[5] = golden.CODERS[5], old
    for height, width in ((9, 11), (40, 70)):
        add(f"tiff/lzw-old-{height}", golden.tiff(pixels(height, width, 3), 2, compression=5, rows=30))
    golden.CODERS[5] = new
    big = np.random.default_rng(5).integers(0, 256, (30, 50, 3))  # full tables, without a clear code for 500 codes
    for clear_at in (4095, 5000):
        golden.CODERS[5] = lambda data: lzw(data, 8, tiff=True, clear_at=clear_at)
        add(f"tiff/lzw-full-{clear_at}", golden.tiff(big, 2, compression=5, rows=30))
    golden.CODERS[5] = new


def main():
    for make in (gifs, bmps, pnms, tiffs):
        make()
    text = '{"cases": [\n%s\n]}\n' % ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "rows.json.gz")
    with open(path, "wb") as f:
        f.write(gzip.compress(text.encode(), 9, mtime=0))
    print(len(cases), "cases,", os.path.getsize(path), "bytes")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main()
