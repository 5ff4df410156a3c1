"""Image files with random parameters: by Pillow and OpenCV, and, where these can't write what a format has, by writers of this file.

    for name, data in made.files(rng, photos, count): ...    # name says how it was made
"""
import io
import struct
import zlib

import cv2
import numpy as np
import webp as webp_bindings
from PIL import Image, ImageFile

ImageFile.MAXBLOCK = 1 << 22  # a JPEG file of several passes must fit
SIZES = [(1, 1), (1, 2), (2, 1), (1, 17), (23, 1), (3, 5), (7, 8), (8, 9), (15, 16), (17, 33)]  # height, width
WIDE = 16383  # the most that WebP has


def size(rng):
    if rng.random() < 0.3:
        return rng.choice(SIZES)
    return rng.randrange(1, 140), rng.randrange(1, 140)


def rgb(rng, photos, height, width):
    """A part of a photo, at its own scale where it is large enough; or noise, or a slope."""
    kind = rng.random()
    if kind < 0.1:
        return np.random.default_rng(rng.randrange(1 << 32)).integers(0, 256, (height, width, 3), np.uint8)
    if kind < 0.2:
        y, x = np.mgrid[:height, :width]
        return np.stack([x * 3 + y, 255 - x, y * 2], -1).astype(np.uint8)
    photo = photos[rng.randrange(len(photos))]
    h, w = photo.shape[:2]
    if height > h or width > w:
        return cv2.resize(photo, (width, height), interpolation=cv2.INTER_LINEAR)
    top, left = rng.randrange(h - height + 1), rng.randrange(w - width + 1)
    return np.ascontiguousarray(photo[top : top + height, left : left + width])


def oriented(rng):
    """EXIF with an orientation, now and then."""
    if rng.random() > 0.25:
        return {}
    exif = Image.Exif()
    exif[0x0112] = rng.randrange(1, 9)
    return {"exif": exif}


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def told(options):
    return " ".join(f"{k}={v if k != 'exif' else v[0x0112]}" for k, v in options.items() if k not in ("qtables", "append_images"))


# --- JPEG


def jpeg(rng, pixels):
    if rng.random() < 0.2:  # sampling factors that Pillow doesn't write
        factor = rng.choice([cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422])
        options = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor, cv2.IMWRITE_JPEG_PROGRESSIVE, rng.randrange(2), cv2.IMWRITE_JPEG_QUALITY, rng.randrange(1, 101)]
        options += [cv2.IMWRITE_JPEG_RST_INTERVAL, rng.choice([0, 0, 1, 5])]
        return f"OpenCV {options}", cv2.imencode(".jpg", pixels[:, :, ::-1], options)[1].tobytes()
    mode = rng.choice(["RGB", "RGB", "RGB", "L", "CMYK"])
    options = {"quality": rng.randrange(1, 101), **oriented(rng)}
    if mode == "RGB":
        options["subsampling"] = rng.choice(["4:4:4", "4:2:2", "4:2:0"])
        if rng.random() < 0.1:
            options["keep_rgb"], options["subsampling"] = True, "4:4:4"
    for name, values in {"progressive": [True], "optimize": [True], "restart_marker_blocks": [1, 2, 9], "restart_marker_rows": [1, 2]}.items():
        if rng.random() < 0.4:
            options[name] = rng.choice(values)
    return f"{mode} {told(options)}", saved(Image.fromarray(pixels).convert(mode), "JPEG", **options)


# --- PNG


def png_chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def filtered(rng, rows, before):
    """Rows of bytes, each behind a filter that was drawn; before: bytes to the pixel on the left."""
    last, out = bytes(len(rows[0])), []
    for row in rows:
        a = np.frombuffer(row, np.uint8).astype(int)
        up = np.frombuffer(last, np.uint8).astype(int)
        left, corner = (np.concatenate([np.zeros(before, int), v])[: len(a)] for v in (a, up))
        p = left + up - corner
        pa, pb, pc = abs(p - left), abs(p - up), abs(p - corner)
        paeth = np.where((pa <= pb) & (pa <= pc), left, np.where(pb <= pc, up, corner))
        kind = rng.randrange(5)
        out.append(bytes([kind]) + ((a - [0 * a, left, up, (left + up) // 2, paeth][kind]) % 256).astype(np.uint8).tobytes())
        last = row
    return b"".join(out)


def packed(values, bits):
    """Rows of numbers as rows of bytes, most significant bits first."""
    if bits == 16:
        return [row.astype(">u2").tobytes() for row in values]
    if bits == 8:
        return [row.astype(np.uint8).tobytes() for row in values]
    each = (values[:, :, None] >> np.arange(bits - 1, -1, -1)) & 1
    return [np.packbits(row).tobytes() for row in each.reshape(len(values), -1).astype(np.uint8)]


def png(rng, pixels):
    """Every colour type and depth, interlaced or not, filters at random, data in several chunks; orientation in eXIf."""
    colour, bits = rng.choice([(0, b) for b in (1, 2, 4, 8, 16)] + [(2, 8), (2, 8), (2, 16)] + [(3, b) for b in (1, 2, 4, 8)] + [(4, 8), (4, 16), (6, 8), (6, 16)])
    interlaced = rng.random() < 0.4
    height, width = pixels.shape[:2]
    noise = np.random.default_rng(rng.randrange(1 << 32))
    deep = pixels.astype(int) * 257 + (noise.integers(-128, 128, pixels.shape) if bits == 16 else 0)
    values = np.clip(deep, 0, 65535) >> (16 - bits)
    if colour in (0, 3, 4):
        values = values[:, :, 1:2]
    if colour in (4, 6):
        values = np.concatenate([values, noise.integers(0, 1 << bits, (height, width, 1))], 2)
    channels = values.shape[2]
    chunks = []
    if colour == 3:
        colours = (1 << bits) if rng.random() < 0.7 else rng.randrange(int(values.max()) + 1, (1 << bits) + 1)
        chunks.append(png_chunk(b"PLTE", noise.integers(0, 256, 3 * colours, np.uint8).tobytes()))
        if rng.random() < 0.4:
            chunks.append(png_chunk(b"tRNS", noise.integers(0, 256, rng.randrange(1, colours + 1), np.uint8).tobytes()))
    elif colour in (0, 2) and rng.random() < 0.3:
        chunks.append(png_chunk(b"tRNS", struct.pack(f">{channels}H", *(int(v) for v in values[0, 0]))))
    turned = ""
    if rng.random() < 0.2:
        exif = Image.Exif()
        exif[0x0112] = rng.randrange(1, 9)
        chunks.append(png_chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")))
        turned = f" orientation={exif[0x0112]}"
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)] if interlaced else [(0, 0, 1, 1)]
    data = b""
    for top, left, down, right in passes:
        part = values[top::down, left::right]
        if part.size:
            data += filtered(rng, packed(part.reshape(part.shape[0], -1), bits), max(channels * bits // 8, 1))
    level, strategy = rng.randrange(10), rng.choice([0, 0, 0, 1, 2, 3, 4])
    coder = zlib.compressobj(level, zlib.DEFLATED, rng.randrange(9, 16), rng.randrange(1, 10), strategy)
    data = coder.compress(data) + coder.flush()
    cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.choice([0, 0, 1, 5])))
    for a, b in zip([0, *cuts], [*cuts, len(data)]):
        chunks.append(png_chunk(b"IDAT", data[a:b]))
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced))
    name = f"colour={colour} bits={bits} interlaced={interlaced} level={level} strategy={strategy} chunks={len(cuts) + 1}{turned}"
    return name, b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + png_chunk(b"IEND", b"")


def png_by_pillow(rng, pixels):
    mode = rng.choice(["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
    options = {"compress_level": rng.randrange(10), "optimize": rng.random() < 0.2, **oriented(rng)}
    return f"{mode} {told(options)}", saved(of_mode(rng, pixels, mode), "PNG", **options)


def of_mode(rng, pixels, mode):
    image = Image.fromarray(pixels)
    if mode == "P":
        return image.quantize(rng.randrange(2, 257))
    if mode == "I;16":
        return Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 257 + pixels[:, :, 1])
    if mode.endswith("A"):
        image.putalpha(Image.fromarray(np.ascontiguousarray(pixels[:, :, 1])))
    return image.convert(mode)


# --- WebP


def webp(rng, pixels):
    mode = rng.choice(["RGB", "RGB", "RGBA", "L"])
    options = {"lossless": rng.random() < 0.4, "quality": rng.randrange(101), "method": rng.randrange(7), "exact": rng.random() < 0.5, **oriented(rng)}
    if mode == "RGBA":
        options["alpha_quality"] = rng.choice([0, 50, 100])
    image = of_mode(rng, pixels, mode)
    if rng.random() < 0.15:  # of an animation the first frame
        options |= {"save_all": True, "append_images": [image.rotate(180)], "kmax": rng.choice([0, 3])}
    return f"{mode} {told(options)}", saved(image, "WEBP", **options)


def webp_by_libwebp(rng, pixels):
    """What Pillow leaves alone: the simple filter, its strength and sharpness, segments, passes, how alpha is stored."""
    mode = rng.choice(["RGB", "RGB", "RGBA"])
    config = webp_bindings.WebPConfig.new(lossless=rng.random() < 0.3, quality=rng.randrange(101))
    wanted = {
        "method": rng.randrange(7),
        "filter_type": rng.randrange(2),
        "filter_strength": rng.choice([0, 20, 60, 100]),
        "filter_sharpness": rng.randrange(8),
        "autofilter": rng.randrange(2),
        "segments": rng.randrange(1, 5),
        "sns_strength": rng.choice([0, 50, 100]),
        "pass": rng.randrange(1, 4),
        "alpha_compression": rng.randrange(2),
        "alpha_filtering": rng.randrange(3),
        "alpha_quality": rng.choice([0, 50, 100]),
    }
    for name, value in wanted.items():
        setattr(config.ptr, name, value)
    data = webp_bindings.WebPPicture.from_pil(of_mode(rng, pixels, mode)).encode(config).buffer()
    return f"{mode} lossless={config.lossless} quality={config.quality:g} {told(wanted)}", bytes(data)


# --- GIF


def lzw(rng, codes, least):
    """Numbers below 2^least in GIF's codes; the table is cleared when it is full, and now and then before."""
    clear, end = 1 << least, (1 << least) + 1
    out, held, count = bytearray(), 0, 0
    table, width, prefix = {}, least + 1, ()

    def put(code):
        nonlocal held, count
        held |= code << count
        count += width
        while count >= 8:
            out.append(held & 255)
            held >>= 8
            count -= 8

    def wider(last):
        """Codes have a bit more once the table's last number needs it."""
        nonlocal width
        if last == 1 << width and width < 12:
            width += 1

    put(clear)
    for code in codes:
        if not prefix or prefix + (code,) in table:
            prefix += (code,)
            continue
        put(table[prefix] if len(prefix) > 1 else prefix[0])
        new = len(table) + end + 1
        wider(new)
        if new == 4096 or rng.random() < 0.001:
            put(clear)
            table, width = {}, least + 1
        else:
            table[prefix + (code,)] = new
        prefix = (code,)
    put(table[prefix] if len(prefix) > 1 else prefix[0])
    wider(len(table) + end + 1)
    put(end)
    if count:
        out.append(held & 255)
    return bytes(out)


def gif(rng, pixels):
    """Global or local palette, a frame that fills its canvas or not, interlaced, transparent, with a comment and a second frame."""
    bits = rng.randrange(1, 9)
    height, width = pixels.shape[:2]
    index = (pixels[:, :, 1] >> (8 - bits)).astype(int)
    noise = np.random.default_rng(rng.randrange(1 << 32))
    top, left, below, right = (rng.randrange(20) if rng.random() < 0.2 else 0 for _ in range(4))
    shared, own, interlaced = rng.random() < 0.8, rng.random() < 0.4, rng.random() < 0.5
    own = own or not shared
    sort = rng.randrange(2) << 3
    out = b"GIF89a" + struct.pack("<HHBBB", width + left + right, height + top + below, (0x80 | 0x70 | bits - 1) if shared else 0x70, rng.randrange(1 << bits), 0)
    if shared:
        out += noise.integers(0, 256, 3 << bits, np.uint8).tobytes()
    if rng.random() < 0.3:
        out += b"\x21\xfe\x05hello\0"
    transparent = rng.randrange(1 << bits) if rng.random() < 0.4 else None
    if transparent is not None or rng.random() < 0.3:
        out += struct.pack("<BBBBHBB", 0x21, 0xF9, 4, (transparent is not None) | rng.randrange(4) << 2, 10, transparent or 0, 0)
    order = [y for start, step in ((0, 8), (4, 8), (2, 4), (1, 2)) for y in range(start, height, step)] if interlaced else range(height)
    data = lzw(rng, [int(v) for y in order for v in index[y]], max(bits, 2))
    frame = struct.pack("<BHHHHB", 0x2C, left, top, width, height, (0x80 | bits - 1 if own else 0) | interlaced << 6 | sort)
    frame += noise.integers(0, 256, 3 << bits, np.uint8).tobytes() if own else b""
    frame += bytes([max(bits, 2)])
    block = rng.choice([255, 255, 100, 1])
    for at in range(0, len(data), block):
        part = data[at : at + block]
        frame += bytes([len(part)]) + part
    out += frame + b"\0" + (frame + b"\0" if rng.random() < 0.2 else b"") + b";"
    return f"bits={bits} at={top},{left} canvas+={below},{right} shared={shared} own={own} interlaced={interlaced} transparent={transparent}", out


def gif_by_pillow(rng, pixels):
    options = {"interlace": rng.randrange(2), "optimize": rng.random() < 0.5}
    image = of_mode(rng, pixels, rng.choice(["P", "L", "1", "RGB", "RGBA"]))
    return f"{image.mode} {told(options)}", saved(image, "GIF", **options)


# --- BMP


def runs(rng, row, bits):
    """A row in RLE8 or RLE4."""
    out, x = bytearray(), 0
    while x < len(row):
        n = min(rng.randrange(1, 12), len(row) - x)
        part = [int(v) for v in row[x : x + n]]
        if n >= 3 and rng.random() < 0.5:  # as they are
            body = bytes(part) if bits == 8 else bytes(a << 4 | b for a, b in zip(part[::2], part[1::2] + [0]))
            out += bytes([0, n]) + body + b"\0" * (len(body) % 2)
            x += n
            continue
        n = 1
        while n < 255 and x + n < len(row) and row[x + n] == part[0]:
            n += 1
        out += bytes([n, part[0] if bits == 8 else part[0] << 4 | part[0]])
        x += n
    return bytes(out)


def bmp(rng, pixels):
    bits = rng.choice([1, 4, 8, 16, 24, 32])
    head = rng.choice([12, 40, 40, 108, 124]) if bits != 16 and bits != 32 else rng.choice([40, 108, 124])
    height, width = pixels.shape[:2]
    noise = np.random.default_rng(rng.randrange(1 << 32))
    down = head != 12 and rng.random() < 0.3
    coding, masks, colours, palette = 0, b"", 0, b""
    b, g, r = (pixels[:, :, c].astype(int) for c in (2, 1, 0))
    if bits <= 8:
        values = g >> (8 - bits)
        colours = 0 if head == 12 or rng.random() < 0.5 else rng.randrange(int(values.max()) + 1, (1 << bits) + 1)
        each = 3 if head == 12 else 4
        table = noise.integers(0, 256, (colours or 1 << bits, each), np.uint8)
        palette = table.tobytes()
        rows = packed(values, bits)
        if bits in (4, 8) and head != 12 and not down and rng.random() < 0.5:
            coding = 1 if bits == 8 else 2
            rows = [runs(rng, row, bits) for row in values]
    elif bits == 16:
        layout = rng.choice([None, (0xF800, 0x07E0, 0x001F), (0x7C00, 0x03E0, 0x001F)])
        if layout and layout[0] == 0xF800:
            values = (r >> 3) << 11 | (g >> 2) << 5 | b >> 3
        else:
            values = (r >> 3) << 10 | (g >> 3) << 5 | b >> 3
        if layout:
            coding, masks = 3, struct.pack("<3I", *layout)
        rows = [row.astype("<u2").tobytes() for row in values]
    else:
        parts = [b, g, r] + ([noise.integers(0, 256, (height, width))] if bits == 32 else [])
        if bits == 32 and rng.random() < 0.5:
            coding, masks = 3, struct.pack("<3I", 0xFF0000, 0xFF00, 0xFF)
        rows = [row.tobytes() for row in np.stack(parts, -1).astype(np.uint8)]
    if coding in (1, 2):
        data = b"".join(row + (b"\0\0" if y else b"\0\1") for y, row in list(enumerate(rows))[::-1])
    else:
        rows = [row + b"\0" * (-len(row) % 4) for row in rows]
        data = b"".join(rows if down else rows[::-1])
    if head == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", head, width, -height if down else height, 1, bits, coding, len(data) if coding or rng.random() < 0.5 else 0, 2835, 2835, colours, 0)
        if head > 40:  # masks are within
            info += (masks or bytes(12)) + struct.pack("<I", 0)
            info += bytes(head - len(info))
            masks = b""
    gap = bytes(rng.choice([0, 0, 0, 4]))
    offset = 14 + len(info) + len(masks) + len(palette) + len(gap)
    name = f"bits={bits} header={head} coding={coding} top-down={down} colours={colours} gap={len(gap)}"
    return name, struct.pack("<2sIHHI", b"BM", offset + len(data), 0, 0, offset) + info + masks + palette + gap + data


def bmp_by_pillow(rng, pixels):
    mode = rng.choice(["1", "L", "P", "RGB", "RGBA"])
    return mode, saved(of_mode(rng, pixels, mode), "BMP")


# --- PPM


def ppm(rng, pixels):
    kind = rng.randrange(1, 7)
    most = 1 if kind in (1, 4) else rng.choice([255, 255, 65535, 1, 15, 100, 254, 256, 1000, 65534])
    colour = kind in (3, 6)
    values = (pixels if colour else pixels[:, :, 1:2]).astype(int) * most // 255
    if most > 255:
        values = np.clip(values + np.random.default_rng(rng.randrange(1 << 32)).integers(0, most // 255, values.shape), 0, most)
    height, width = pixels.shape[:2]
    blank = rng.choice([" ", "\n", "\t", "  \n", " # a comment\n", "\n# another\n"])
    fields = [f"P{kind}", str(width), str(height)] + ([] if kind in (1, 4) else [str(most)])
    head = fields[0] + "".join((blank if i else "\n") + field for i, field in enumerate(fields[1:])) + "\n"
    rows = values.reshape(height, -1)
    if kind < 4:
        between = "" if kind == 1 and rng.random() < 0.5 else " "
        body = "\n".join(between.join(map(str, row)) for row in rows).encode()
        body += rng.choice([b"", b"\n"])
    elif kind == 4:
        body = b"".join(packed(rows, 1))
    else:
        body = rows.astype(">u2" if most > 255 else np.uint8).tobytes()
    return f"P{kind} maximum={most} blank={blank!r}", head.encode() + body


# --- TIFF


def tiff_by_pillow(rng, pixels):
    mode = rng.choice(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
    coding = rng.choice([None, "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits"] + (["group3", "group4", "group3"] if mode == "1" else []))
    options = {"compression": coding, **oriented(rng)}
    if coding in ("tiff_lzw", "tiff_adobe_deflate") and mode in ("L", "RGB", "RGBA", "I;16") and rng.random() < 0.5:
        options["tiffinfo"] = {317: 2}  # predictor
        options.pop("exif", None)
    if coding and rng.random() < 0.3:
        options["strip_size"] = rng.choice([1, 1000])
    return f"{mode} {told(options)}", saved(of_mode(rng, pixels, mode), "TIFF", **options)


def tiff(rng, pixels):
    """Strips or tiles, chunky or in planes, either byte order, 8 and 16 bits, deflated or not, with a predictor or not."""
    order, bits, deflate = rng.choice("<>"), rng.choice([8, 8, 16]), rng.random() < 0.5
    channels = rng.choice([1, 3, 3, 4])
    height, width = pixels.shape[:2]
    values = np.concatenate([pixels, pixels[:, :, 1:2]], 2)[:, :, :channels].astype(int) * (257 if bits == 16 else 1)
    # Planes are deflated: Pillow reads those that aren't itself, all as 8 bits and without tiles.
    planes, tiles, predictor = deflate and channels > 1 and rng.random() < 0.4, rng.random() < 0.5, deflate and rng.random() < 0.5
    white = channels == 1 and bits == 8 and rng.random() < 0.3
    th, tw = (16 * rng.randrange(1, 4), 16 * rng.randrange(1, 4)) if tiles else (rng.randrange(1, height + 1), width)
    parts = []
    for each in [values[:, :, c : c + 1] for c in range(channels)] if planes else [values]:
        for y in range(0, height, th):
            for x in range(0, width, tw):
                part = each[y : y + th, x : x + tw]
                if tiles:
                    part = np.pad(part, ((0, th - part.shape[0]), (0, tw - part.shape[1]), (0, 0)), "edge")
                if predictor:
                    part = np.concatenate([part[:, :1], np.diff(part, axis=1)], 1) % (1 << bits)
                data = part.astype(f"{order}u{bits // 8}").tobytes()
                parts.append(zlib.compress(data) if deflate else data)
    offsets, at = [], 8
    for part in parts:
        offsets.append(at)
        at += len(part) + len(part) % 2
    tags = {256: ("I", [width]), 257: ("I", [height]), 258: ("H", [bits] * channels), 259: ("H", [8 if deflate else 1]), 262: ("H", [2 if channels > 1 else 0 if white else 1]), 277: ("H", [channels]), 284: ("H", [1 + planes])}
    tags |= {322: ("I", [tw]), 323: ("I", [th])} if tiles else {278: ("I", [th])}
    tags |= {324 if tiles else 273: ("I", offsets), 325 if tiles else 279: ("I", [len(p) for p in parts])}
    if predictor:
        tags[317] = ("H", [2])
    if channels == 4:
        tags[338] = ("H", [rng.choice([0, 2])])
    if rng.random() < 0.2:
        tags[274] = ("H", [rng.randrange(1, 9)])
    behind, directory = at + 2 + 12 * len(tags) + 4, b""
    more = b""
    for tag, (kind, numbers) in sorted(tags.items()):
        body = struct.pack(f"{order}{len(numbers)}{kind}", *numbers)
        if len(body) > 4:
            place = struct.pack(f"{order}I", behind + len(more))
            more += body + b"\0" * (len(body) % 2)
        else:
            place = body.ljust(4, b"\0")
        directory += struct.pack(f"{order}HHI", tag, 4 if kind == "I" else 3, len(numbers)) + place
    out = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, at) + b"".join(p + b"\0" * (len(p) % 2) for p in parts)
    name = f"{order} bits={bits} channels={channels} planes={planes} deflate={deflate} predictor={predictor} {'tiles' if tiles else 'strips'}={th}x{tw} white-is-0={white} orientation={tags.get(274, (0, [1]))[1][0]}"
    return name, out + struct.pack(f"{order}H", len(tags)) + directory + bytes(4) + more


WRITERS = {
    "JPEG": ([jpeg], 5),
    "PNG": ([png, png, png_by_pillow], 6),
    "WEBP": ([webp, webp_by_libwebp], 4),
    "GIF": ([gif, gif_by_pillow], 4),
    "BMP": ([bmp, bmp, bmp_by_pillow], 4),
    "PPM": ([ppm], 2),
    "TIFF": ([tiff, tiff_by_pillow], 5),
}  # and what share of the files each format has


def files(rng, photos, count):
    """About count files, those of a format one after the other, some of them very wide or high, some whole photos."""
    total = sum(share for _, share in WRITERS.values())
    for kind, (writers, share) in WRITERS.items():
        for i in range(max(count * share // total, 1)):
            height, width = size(rng)
            if i % 40 == 0:
                height, width = rng.choice([(rng.randrange(1, 4), WIDE), (WIDE, rng.randrange(1, 4))])
            elif i % 25 == 13:
                height, width = min((photo.shape[:2] for photo in rng.choices(photos, k=3)), key=lambda size: size[0] * size[1])
            write = rng.choice(writers)
            name, data = write(rng, rgb(rng, photos, height, width))
            yield kind, f"{write.__name__} {height}x{width} {name}", data
