"""Golden values of package decode, and its measurement against Pillow and OpenCV.

    python internal/decode/testdata/golden.py            # writes golden.json
    python internal/decode/testdata/golden.py fill       # writes fill.json
    python internal/decode/testdata/golden.py measure DATA DECODED

golden.json holds small encoded files made here from an integer formula, each with
the RGB bytes that Pillow (orientation applied) or OpenCV gives for it. python is that of
.ci/python/requirements.txt: Pillow 13, OpenCV 5. `measure` compares what `go test -run TestDump -dump DECODED` wrote.

fill.json holds JPEG files with the CRC-32 of the RGB that OpenCV and Pillow give for the
file cut after each number of bytes from its first scan on, with an end of image put
behind: what libjpeg itself takes the end of a file for. null where they give up.

ycck420.jpg was written by libjpeg-turbo itself (jpeg_set_colorspace JCS_YCCK,
quality 60), since neither library writes YCCK with subsampled chroma.
"""
import base64, io, json, os, struct, sys, warnings, zlib

import cv2
import numpy as np
from PIL import Image, ImageOps, PngImagePlugin

HERE = os.path.dirname(os.path.abspath(__file__))
cases = []


def picture(height, width, channels=3):
    """A picture whose channels are integer formulas of x and y."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [x * 13 + y * 7, x * y * 5 + 40, 255 - x * 11 + y * 17, 255 - x * 3 - y * 5]
    return np.stack(planes[:channels], -1).astype(np.int64) % 256


def rgb8(height, width):
    return Image.fromarray(picture(height, width).astype(np.uint8))


def blocks(height, width):
    """Colours constant on 16x16 squares: every DCT block has only its DC, so only
    upsampling and colour conversion are tested."""
    y, x = np.mgrid[0:height, 0:width] // 16
    p = np.stack([x * 90 + y * 50, 200 - x * 60 + y * 20, x * y * 70 + 30], -1) % 256
    return Image.fromarray(p.astype(np.uint8))


def encode(image, fmt, **options):
    out = io.BytesIO()
    image.save(out, fmt, **options)
    return out.getvalue()


def pillow(data):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def opencv(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]


def high(data):
    """The high bytes of 16-bit grey, which Pillow's convert("RGB") would cut off at 255."""
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode.startswith("I;16")
        return np.repeat((np.asarray(image).astype(int) >> 8).astype(np.uint8)[:, :, None], 3, 2)


def add(name, data, by=pillow, also=False):
    """Records a file; `also` insists that the other library agrees."""
    rgb = by(data)
    if also:
        other = opencv if by is pillow else pillow
        assert np.array_equal(rgb, other(data)), name
    cases.append(dict(name=name, by=by.__name__, height=rgb.shape[0], width=rgb.shape[1],
                      encoded=base64.b64encode(data).decode(), rgb=base64.b64encode(rgb.tobytes()).decode()))


# JPEG.

def segments(data):
    """Yields (marker, start, end) of the segments up to the first scan's header."""
    pos = 2
    while True:
        marker, size = data[pos + 1], struct.unpack(">H", data[pos + 2:pos + 4])[0]
        yield marker, pos, pos + 2 + size
        pos += 2 + size
        if marker == 0xDA:
            return


def resample(data, factors, height, width):
    """Claims other sampling factors and another size. Where the number of blocks
    in an MCU and of MCUs stays the same, that gives a valid file of scrambled content:
    4:2:2 (2x1) becomes 4:4:0 (1x2), 4:2:0 (2x2) becomes 4:1:1 (4x1)."""
    out = bytearray(data)
    for marker, start, _ in segments(data):
        if marker in (0xC0, 0xC2):
            struct.pack_into(">HH", out, start + 5, height, width)
            out[start + 11] = factors
    return bytes(out)


def rebrand(data, app14=None, ids=None):
    """Drops APPn, puts an Adobe marker with a transform, renames the components."""
    out, end = bytearray(b"\xff\xd8"), 2
    if app14 is not None:
        out += b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([app14])
    for marker, start, end in segments(data):
        part = bytearray(data[start:end])
        if 0xE0 <= marker <= 0xEF:
            continue
        for i in range(len(ids or "")):
            if marker in (0xC0, 0xC2):
                part[10 + 3 * i] = ord(ids[i])
            elif marker == 0xDA:
                part[5 + 2 * i] = ord(ids[i])
        out += part
    return bytes(out) + data[end:]


def without_tables(data, *which):
    """Leaves out Huffman tables: as frames of motion JPEG, which have the standard ones."""
    out = bytearray(data[:2])
    for marker, start, end in segments(data):
        if marker != 0xC4 or which and data[start + 4] not in which:
            out += data[start:end]
    return bytes(out) + data[end:]


def jpegs():
    samplings = {"444": 0, "422": 1, "420": 2}
    for h, w in [(17, 13), (1, 1), (3, 5), (5, 3), (9, 6), (33, 34)]:
        for name, s in samplings.items():
            add(f"jpeg/{name}-{h}x{w}", encode(rgb8(h, w), "JPEG", quality=90, subsampling=s), also=True)
    for name, s in samplings.items():
        data = encode(blocks(47, 41), "JPEG", quality=80, subsampling=s)
        add(f"jpeg/{name}-blocks", data, also=True)
        add(f"jpeg/{name}-progressive", encode(rgb8(21, 19), "JPEG", subsampling=s, progressive=True), also=True)
    for h, w in [(45, 15), (33, 9), (48, 16)]:  # 2 x 3 MCUs of 16x8 become 8x16
        add(f"jpeg/440-{h}x{w}", resample(encode(rgb8(24, 32), "JPEG", subsampling=1), 0x12, h, w), also=True)
    add("jpeg/440-1x1", resample(encode(rgb8(8, 16), "JPEG", subsampling=1), 0x12, 1, 1), also=True)
    add("jpeg/440-blocks", resample(encode(blocks(48, 48), "JPEG", subsampling=1), 0x12, 91, 23), also=True)
    for h, w in [(24, 64), (17, 35)]:  # 2 x 3 MCUs of 16x16 become 32x8
        add(f"jpeg/411-{h}x{w}", resample(encode(rgb8(48, 32), "JPEG", subsampling=2), 0x41, h, w), also=True)
    add("jpeg/411-blocks", resample(encode(blocks(48, 32), "JPEG", subsampling=2), 0x41, 19, 37), also=True)
    bgr = picture(37, 43).astype(np.uint8)[:, :, ::-1]
    restart = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_RST_INTERVAL, 2])[1].tobytes()
    assert b"\xff\xdd" in restart
    add("jpeg/restart", restart, also=True)
    for name, s in samplings.items():
        add(f"jpeg/no-huffman-tables-{name}", without_tables(encode(rgb8(21, 19), "JPEG", subsampling=s)), also=True)
    add("jpeg/no-huffman-tables-grey", without_tables(encode(rgb8(17, 13).convert("L"), "JPEG")), also=True)
    add("jpeg/no-huffman-table-of-chroma", without_tables(encode(rgb8(21, 19), "JPEG"), 0x01, 0x11), also=True)
    add("jpeg/grey", encode(rgb8(17, 13).convert("L"), "JPEG"), also=True)
    add("jpeg/grey-progressive", encode(rgb8(17, 13).convert("L"), "JPEG", progressive=True), also=True)
    plain = encode(rgb8(17, 13), "JPEG", subsampling=0, quality=95)
    add("jpeg/rgb-adobe", rebrand(plain, app14=0), also=True)
    add("jpeg/ycc-adobe", rebrand(plain, app14=1), also=True)
    add("jpeg/rgb-ids", rebrand(plain, ids="RGB"), also=True)
    add("jpeg/ycc-adobe-rgb-ids", rebrand(plain, app14=1, ids="RGB"), also=True)
    add("jpeg/ycc-odd-ids", rebrand(plain, ids="abc"), also=True)
    half = encode(rgb8(17, 13), "JPEG", subsampling=2, quality=95)
    add("jpeg/rgb-adobe-420", rebrand(half, app14=0), also=True)
    cmyk = encode(Image.fromarray(picture(17, 13, 4).astype(np.uint8), "CMYK"), "JPEG", quality=95)
    add("jpeg/cmyk", cmyk)
    add("jpeg/cmyk-no-adobe", rebrand(cmyk))
    add("jpeg/ycck", rebrand(cmyk, app14=2))
    with open(os.path.join(HERE, "ycck420.jpg"), "rb") as f:
        add("jpeg/ycck-420", f.read())


def orientations():
    for o in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = o
        add(f"exif/jpeg-{o}", encode(blocks(5, 18), "JPEG", exif=exif, subsampling=0), also=True)
        add(f"exif/png-{o}", encode(rgb8(3, 5), "PNG", exif=exif))
        add(f"exif/webp-{o}", encode(rgb8(3, 5), "WEBP", lossless=True, exif=exif))

    for quote in ("attribute", "element"):
        xmp = packet(6, quote)
        add(f"exif/xmp-{quote}-jpeg-6", encode(blocks(5, 18), "JPEG", xmp=xmp, subsampling=0))
        add(f"exif/xmp-{quote}-webp-6", encode(rgb8(3, 5), "WEBP", lossless=True, xmp=xmp))
        for name, info in (("iTXt", texts("iTXt", XMP, xmp)), ("zTXt", texts("zTXt", XMP, xmp))):
            add(f"exif/xmp-{quote}-png-{name}-6", encode(rgb8(3, 5), "PNG", pnginfo=info))
    deflated = PngImagePlugin.PngInfo()
    deflated.add_itxt(XMP, packet(8, "attribute").decode(), zip=True)
    add("exif/xmp-png-deflated-8", encode(rgb8(3, 5), "PNG", pnginfo=deflated))
    for name, xmp in [("single-digit", packet(66, "attribute")), ("first", packet(6, "element") + packet(8, "element"))]:
        add(f"exif/xmp-{name}-6", encode(rgb8(3, 5), "PNG", pnginfo=texts("iTXt", XMP, xmp)))
    add("exif/xmp-no-orientation-1", encode(rgb8(3, 5), "PNG", pnginfo=texts("iTXt", XMP, packet(9, "attribute"))))
    for kind in ("tEXt", "zTXt", "iTXt"):
        add(f"exif/raw-profile-{kind}-6", encode(rgb8(3, 5), "PNG", pnginfo=texts(kind, "Raw profile type exif", profile("exif", block(6)))))
    both = texts("tEXt", "Raw profile type exif", profile("exif", block(6)))
    both.add_itxt(XMP, packet(8, "attribute").decode())
    add("exif/raw-profile-before-xmp-6", encode(rgb8(3, 5), "PNG", pnginfo=both))
    add("exif/eXIf-before-raw-profile-3", encode(rgb8(3, 5), "PNG", pnginfo=both, exif=block(3)))
    nothing = Image.Exif()
    nothing[0x010F] = "maker"
    add("exif/eXIf-without-raw-profile-xmp-8", encode(rgb8(3, 5), "PNG", pnginfo=both, exif=nothing.tobytes()))
    odd = Image.Exif()
    odd[0x0112] = 77
    for fmt in ("JPEG", "PNG", "WEBP"):
        info = dict(pnginfo=texts("iTXt", XMP, packet(8, "element"))) if fmt == "PNG" else dict(xmp=packet(8, "element"))
        for name, exif in (("3", block(3)), ("1", odd.tobytes())):
            add(f"exif/before-xmp-{fmt}-{name}", encode(blocks(5, 18), fmt, lossless=True, subsampling=0, exif=exif, **info))


XMP = "XML:com.adobe.xmp"


def packet(orientation, form):
    note = f'tiff:Orientation="{orientation}"/>' if form == "attribute" else f"><tiff:Orientation>{orientation}</tiff:Orientation></rdf:Description>"
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description rdf:about="" {note}</rdf:RDF></x:xmpmeta>'.encode()


def block(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def profile(name, data):
    """As ImageMagick writes it."""
    digits = data.hex()
    return ("\n%s\n%8d\n" % (name, len(data)) + "".join(digits[i:i + 72] + "\n" for i in range(0, len(digits), 72))).encode()


def texts(kind, key, value):
    info = PngImagePlugin.PngInfo()
    if kind == "iTXt":
        info.add_itxt(key, value.decode())
    else:
        info.add_text(key, value.decode(), zip=kind == "zTXt")
    return info


def pngs():
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        image = Image.fromarray(picture(13, 17, 4).astype(np.uint8), "RGBA")
        if mode != "RGBA":
            image = image.convert("RGB").convert(mode)
        add(f"png/{mode}", encode(image, "PNG"), also=mode != "P")
    few = rgb8(13, 17).quantize(5)
    add("png/P-4bit", encode(few, "PNG", bits=4))
    add("png/P-2bit", encode(rgb8(13, 17).quantize(3), "PNG", bits=2))
    add("png/P-transparent", encode(few, "PNG", transparency=2))
    add("png/P-alphas", encode(few, "PNG", transparency=bytes([0, 128, 7])))
    add("png/RGB-transparent", encode(rgb8(13, 17), "PNG", transparency=(0, 40, 255)))
    add("png/L-transparent", encode(rgb8(13, 17).convert("L"), "PNG", transparency=9))
    deep = (picture(13, 17, 4) * 251 + picture(13, 17, 4)[::-1]) % 65536
    for name, channels in [("grey16", 0), ("rgb16", [0, 1, 2]), ("rgba16", [0, 1, 2, 3])]:
        data = cv2.imencode(".png", deep[:, :, channels].astype(np.uint16))[1].tobytes()
        add(f"png/{name}", data, by=opencv, also=channels != 0)


def webps():
    for h, w in [(17, 13), (1, 1), (2, 2), (3, 5), (16, 32), (33, 34)]:
        add(f"webp/lossy-{h}x{w}", encode(rgb8(h, w), "WEBP", quality=80), also=True)
    add("webp/lossy-coarse", encode(rgb8(40, 50), "WEBP", quality=5), also=True)
    add("webp/lossless", encode(rgb8(17, 13), "WEBP", lossless=True), also=True)
    rgba = Image.fromarray(picture(17, 13, 4).astype(np.uint8), "RGBA")
    add("webp/lossy-alpha", encode(rgba, "WEBP", quality=80))
    add("webp/lossless-alpha", encode(rgba, "WEBP", lossless=True, exact=True))
    frames = [rgba.transpose(Image.Transpose.ROTATE_180), rgba]
    for name, options in [("lossy", {}), ("lossless", dict(lossless=True, exact=True)), ("background", dict(background=(9, 200, 70, 255), lossless=True))]:
        add(f"webp/animated-{name}", encode(rgba, "WEBP", save_all=True, append_images=frames, **options))
    opaque = [rgb8(17, 13), rgb8(17, 13).transpose(Image.Transpose.ROTATE_180)]
    add("webp/animated-opaque", encode(opaque[0], "WEBP", save_all=True, append_images=opaque[1:]))
    exif = Image.Exif()
    exif[0x0112] = 6
    add("webp/animated-turned", encode(opaque[0], "WEBP", save_all=True, append_images=opaque[1:], lossless=True, exif=exif))
    for name, still in [("lossy", encode(rgb8(5, 9), "WEBP")), ("lossless", encode(rgb8(5, 9), "WEBP", lossless=True))]:
        add(f"webp/animated-{name}-offset", animation(12, 14, [(2, 4, 5, 9, still), (0, 0, 5, 9, still)]))


def animation(height, width, frames):
    """An animated WebP by hand: frames are (left, top, height, width, a still WebP file)."""
    u24 = lambda v: struct.pack("<I", v)[:3]
    chunk = lambda kind, body: kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)
    body = chunk(b"VP8X", bytes([0x12, 0, 0, 0]) + u24(width - 1) + u24(height - 1)) + chunk(b"ANIM", bytes([9, 200, 70, 255, 0, 0]))
    for left, top, h, w, still in frames:
        body += chunk(b"ANMF", u24(left // 2) + u24(top // 2) + u24(w - 1) + u24(h - 1) + u24(100) + b"\0" + still[12:])
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def bmp(height, width, bits, rows, palette=b"", header=40, masks=b"", colours=0):
    """A bitmap by hand; height < 0 is top-down. rows are stored bottom-up as given."""
    stride = (width * bits + 31) // 32 * 4
    body = b"".join(r + bytes(stride - len(r)) for r in rows)
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, 3 if masks else 0, len(body), 2835, 2835, colours, 0)
    offset = 14 + len(info) + len(masks) + len(palette)
    return b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset) + info + masks + palette + body


def bmps():
    for mode in ("1", "L", "P", "RGB"):
        add(f"bmp/{mode}", encode(rgb8(13, 17).convert(mode), "BMP"), also=True)
    add("bmp/RGBA", encode(Image.fromarray(picture(5, 7, 4).astype(np.uint8), "RGBA"), "BMP"))
    palette = b"".join(bytes([i * 16, 255 - i * 9, i * 3, 0]) for i in range(16))
    nibbles = [bytes((x * 37 + y * 11) % 256 for x in range(4)) for y in range(5)]
    add("bmp/4bit", bmp(5, 7, 4, nibbles, palette), also=True)
    add("bmp/4bit-topdown", bmp(-5, 7, 4, nibbles, palette), also=True)
    black_red = bytes([0, 0, 255, 0, 0, 0, 0, 0])
    add("bmp/1bit-palette", bmp(3, 11, 1, [b"\xa5\xe0", b"\x12\x40", b"\xff\x00"], black_red), also=True)
    triples = b"".join(bytes([i * 16, 255 - i * 9, i * 3]) for i in range(16))
    add("bmp/core-header", bmp(5, 7, 4, nibbles, triples, header=12), also=True)
    words = [bytes((x * 53 + y * 29) % 256 for x in range(14)) for y in range(5)]
    add("bmp/16bit", bmp(5, 7, 16, words))  # OpenCV shifts 5 bits to 8, Pillow stretches them
    add("bmp/565", bmp(5, 7, 16, words, masks=struct.pack("<III", 0xF800, 0x7E0, 0x1F)))
    quads = [bytes((x * 53 + y * 29) % 256 for x in range(28)) for y in range(5)]
    add("bmp/32bit", bmp(5, 7, 32, quads), also=True)
    add("bmp/32bit-fields", bmp(5, 7, 32, quads, masks=struct.pack("<III", 0xFF000000, 0xFF0000, 0xFF00)))
    add("bmp/32bit-no-masks", bmp(5, 7, 32, quads, masks=bytes(12)))
    triple = [bytes((x * 53 + y * 29) % 256 for x in range(21)) for y in range(5)]
    add("bmp/24bit-fields", bmp(5, 7, 24, triple, masks=struct.pack("<III", 0xFF0000, 0xFF00, 0xFF)))
    add("bmp/beyond-palette", bmp(5, 7, 8, [bytes((x * 37 + y * 11) % 24 for x in range(7)) for y in range(5)], palette, colours=16))
    add("bmp/last-padding-lost", bmp(5, 7, 8, [bytes((x * 37 + y * 11) % 16 for x in range(7)) for y in range(5)], palette, colours=16)[:-1])
    for name, data in [("bits", bmp(5, 7, 4, nibbles[:5], palette)), ("fields", bmp(5, 7, 16, words, masks=struct.pack("<III", 0xF800, 0x7E0, 0x1F)))]:
        add(f"bmp/no-offset-{name}", data[:10] + bytes(4) + data[14:])
    grey = b"".join(bytes([i, i, i, 0]) for i in range(256))
    eight = [bytes([3, 7, 0, 4, 9, 8, 7, 6, 0, 0]), bytes([0, 3, 1, 2, 3, 0, 4, 200, 0, 0]), bytes([0, 2, 2, 1, 2, 5]), bytes([9, 11, 0, 0]),
             bytes([0, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 4, 3, 0, 0, 0, 1])]
    four = [bytes([3, 0x5A, 4, 0x17, 0, 0]), bytes([0, 3, 0x12, 0x30, 4, 0xFE, 0, 0]), bytes([0, 2, 2, 1, 2, 0x77, 3, 0x98]), bytes([0, 0, 9, 0x31, 0, 0]),
            bytes([0, 7, 0x12, 0x34, 0x56, 0x70, 0, 1])]
    for height in (6, -6):
        add(f"bmp/rle8{height}", runs(height, 7, 8, eight, grey))
        add(f"bmp/rle4{height}", runs(height, 7, 4, four, palette))


def runs(height, width, bits, codes, palette):
    """A bitmap of run-length codes."""
    body = b"".join(codes)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, 3 - bits // 4, len(body), 2835, 2835, len(palette) // 4, 0)
    offset = 14 + len(info) + len(palette)
    return b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset) + info + palette + body


def gifs():
    few = rgb8(21, 19).quantize(30)
    plain = encode(few, "GIF", interlace=0)
    add("gif/plain", plain)
    add("gif/interlaced", encode(few, "GIF", interlace=1))
    add("gif/grey", encode(rgb8(21, 19).convert("L"), "GIF"))
    add("gif/transparent", encode(few, "GIF", transparency=4))
    frames = [rgb8(9, 8).quantize(8), rgb8(8, 9).transpose(Image.ROTATE_90).quantize(8)]
    add("gif/animated", encode(frames[0], "GIF", save_all=True, append_images=frames[1:], loop=0))
    for name, data in [("offset", plain), ("offset-transparent", encode(few, "GIF", transparency=4, interlace=0))]:
        out = bytearray(data)
        frame = data.index(b"\x2c\x00\x00\x00\x00\x13\x00\x15\x00")
        struct.pack_into("<HH", out, frame + 1, 3, 5)
        add(f"gif/{name}-beyond", bytes(out))  # Pillow widens the canvas
        struct.pack_into("<HH", out, 6, 25, 30)
        add(f"gif/{name}", bytes(out))
    first = len(plain) - len(plain.partition(b"\x2c\x00\x00\x00\x00\x13\x00\x15\x00")[2])
    animated = encode(few, "GIF", save_all=True, append_images=[few.rotate(90), few.rotate(180)], interlace=0)
    for name, data in [("no-trailer", plain[:-1]), ("no-terminator", plain[:-2]), ("next-frame-cut", animated[:-200]), ("next-frame-damaged", animated[:-200] + b"\xff" * 100)]:
        assert len(data) > first
        add(f"gif/{name}", data)
    at = plain.index(b"\x2c\x00\x00\x00\x00\x13\x00\x15\x00")
    add("gif/junk-between-blocks", plain[:at] + b"junk\0" + plain[at:])
    add("gif/no-palette", plain[:10] + bytes([plain[10] & 0x7F]) + plain[11:13] + plain[13 + 3 * (2 << (plain[10] & 7)):])
    for bits in (0, 1, 2, 9, 11, 12):
        width = bits + 1
        pixels = [(x * 5 + x // 3) % (1 << min(bits, 8)) for x in range(40)]
        codes = [c for p in pixels for c in (1 << bits, p)]
        number = sum(c << (width * i) for i, c in enumerate(codes))
        data = number.to_bytes(len(codes) * width // 8 + 2, "little")
        add(f"gif/{bits}-bits", gif(5, 8, bits, data))
    strings = [4, 1, 6, 7, 8, 2, 9, 5]  # every third code is one that is just being made
    number = sum(c << at for c, at in zip(strings, (0, 3, 6, 9, 12, 16, 20, 24)))
    add("gif/own-codes", gif(2, 6, 2, number.to_bytes(4, "little")))


def gif(height, width, bits, data):
    """A GIF of grey by hand."""
    palette = b"".join(bytes([i * 7 % 256, 255 - i, i * 3 % 256]) for i in range(256))
    return (b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF7, 0, 0) + palette + b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0)
            + bytes([bits, len(data)]) + data + b"\0;")


def pnms():
    p = picture(5, 7)
    grey = p[:, :, 0]
    text = lambda v: " ".join(str(i) for i in v.ravel()).encode() + b"\n"
    add("ppm/P6", b"P6\n# a comment\n7 5\n255\n" + p.astype(np.uint8).tobytes(), also=True)
    add("ppm/P5", b"P5 7 5 255\n" + grey.astype(np.uint8).tobytes(), also=True)
    add("ppm/P6-maxval-100", b"P6 7 5 100\n" + (p % 101).astype(np.uint8).tobytes())
    add("ppm/P5-maxval-15", b"P5 7 5 15\n" + (grey % 16).astype(np.uint8).tobytes())
    add("ppm/P6-above-maxval", b"P6 7 5 100\n" + p.astype(np.uint8).tobytes())
    add("ppm/P3", b"P3 7 5\n255\n" + text(p), also=True)
    add("ppm/P2-maxval-30", b"P2 7 5 30 # so\n" + text(grey % 31))
    add("ppm/P4", b"P4 11 3\n" + bytes([0xA5, 0xE0, 0x12, 0x40, 0xFF, 0x00]), also=True)
    add("ppm/P1", b"P1 5 2\n10110 0 1 0 0 1\n")
    deep = p * 256 + p[::-1]
    add("ppm/P5-16bit", b"P5 7 5 65535\n" + deep[:, :, 0].astype(">u2").tobytes(), by=opencv)
    add("ppm/P6-16bit", b"P6 7 5 65535\n" + deep.astype(">u2").tobytes(), by=opencv)


def packbits(data):
    out = b""
    for i in range(0, len(data), 9):
        part = data[i:i + 9]
        out += bytes([len(part) - 1]) + part if len(set(part)) > 1 else bytes([257 - len(part) & 255]) + part[:1]
        out += b"\x80" * (i % 2)  # no operation
    return out


CODERS = {1: lambda data: data, 8: zlib.compress, 32946: zlib.compress, 32773: packbits}

REVERSED = bytes(int(f"{i:08b}"[::-1], 2) for i in range(256))


def tiff(p, photometric, order="<", bits=8, compression=1, predictor=1, planar=1, tile=None, rows=5, extra=(), big=False, fill=1,
         orientation=None, colour_map=None, counts=True, more=()):
    """A TIFF file by hand of an array (height, width, samples)."""
    height, width, samples = p.shape
    tags = {256: ("I", [width]), 257: ("I", [height]), 258: ("H", [bits] * samples), 259: ("H", [compression]), 262: ("H", [photometric]),
            277: ("H", [samples]), 284: ("H", [planar])}
    if predictor != 1:
        tags[317] = ("H", [predictor])
    if extra:
        tags[338] = ("H", list(extra))
    if fill != 1:
        tags[266] = ("H", [fill])
    if orientation:
        tags[274] = ("H", [orientation])
    if colour_map:
        tags[320] = ("H", colour_map)
    tags.update(more)
    blocks = []
    for plane in ([p] if planar == 1 else [p[:, :, i:i + 1] for i in range(samples)]):
        if tile:
            h, w = tile
            padded = np.zeros(((height + h - 1) // h * h, (width + w - 1) // w * w, plane.shape[2]), p.dtype)
            padded[:height, :width] = plane
            blocks += [padded[y:y + h, x:x + w] for y in range(0, height, h) for x in range(0, width, w)]
        else:
            blocks += [plane[y:y + rows] for y in range(0, height, rows)]
    coded = []
    for b in blocks:
        if predictor == 2:
            b = np.concatenate([b[:, :1], b[:, 1:] - b[:, :-1]], 1) % (1 << bits)
        if bits < 8:
            text = ["".join(f"{v:0{bits}b}" for v in row.ravel()) for row in b]
            data = b"".join(int(t.ljust((len(t) + 7) // 8 * 8, "0"), 2).to_bytes((len(t) + 7) // 8, "big") for t in text)
        else:
            data = b.astype(np.dtype("u1" if bits == 8 else "u2").newbyteorder(order)).tobytes()
        data = CODERS[compression](data)
        coded.append(data.translate(REVERSED) if fill == 2 else data)
    long, at = ("Q", 16) if big else ("I", 8)
    offsets = [at + sum(len(c) for c in coded[:i]) for i in range(len(coded))]
    tags[324 if tile else 273] = (long, offsets)
    if counts:
        tags[325 if tile else 279] = (long, [len(c) for c in coded])
    if tile:
        tags[322], tags[323] = ("I", [tile[1]]), ("I", [tile[0]])
    else:
        tags[278] = ("I", [rows])
    body = b"".join(coded)
    where = at + len(body)
    entry, field = (20, 8) if big else (12, 4)
    behind = where + (8 if big else 2) + entry * len(tags) + field
    directory, values = struct.pack(order + ("Q" if big else "H"), len(tags)), b""
    for tag, (kind, v) in sorted(tags.items()):
        data = v if kind == "B" else struct.pack(order + kind * len(v), *v)
        if len(data) > field:
            values, data = values + data, struct.pack(order + long, behind + len(values))
        directory += struct.pack(order + "HH" + long, tag, {"B": 7, "H": 3, "I": 4, "Q": 16}[kind], len(v)) + data.ljust(field, b"\0")
    head = (b"II" if order == "<" else b"MM") + (struct.pack(order + "HHHQ", 43, 8, 0, where) if big else struct.pack(order + "HI", 42, where))
    return head + body + directory + bytes(field) + values


def tiffs():
    rgba = Image.fromarray(picture(13, 17, 4).astype(np.uint8), "RGBA")
    rgb = rgba.convert("RGB")
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits"):
        for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK") if compression == "tiff_lzw" else ("1", "P", "CMYK"):
            image = rgba if mode == "RGBA" else rgb.convert(mode)
            add(f"tiff/{compression}-{mode}", encode(image, "TIFF", compression=compression))
    add("tiff/lzw-predictor", encode(rgb, "TIFF", compression="tiff_lzw", tiffinfo={317: 2}))
    wide = rgb8(90, 120)
    add("tiff/lzw-strips", encode(wide.convert("L"), "TIFF", compression="tiff_lzw", tiffinfo={278: 40}))
    for compression in ("group3", "group4"):
        add(f"tiff/{compression}", encode(rgb8(33, 45).convert("1"), "TIFF", compression=compression))
    add("tiff/pages", encode(rgb, "TIFF", save_all=True, append_images=[rgb8(5, 6)]))
    p, ink = picture(18, 19), picture(18, 19, 4)
    grey = p[:, :, :1]
    for order, name in (("<", "little"), (">", "big")):
        add(f"tiff/{name}-tiles", tiff(p, 2, order, tile=(16, 16)))
        add(f"tiff/{name}-planar-strips", tiff(p, 2, order, planar=2))
        add(f"tiff/{name}-planar-predictor-tiles", tiff(p, 2, order, planar=2, compression=8, predictor=2, tile=(16, 32)))
        add(f"tiff/{name}-cmyk-planar", tiff(ink, 5, order, planar=2, compression=8))
        add(f"tiff/{name}-big", tiff(p, 2, order, big=True, compression=32946, tile=(16, 16)), by=pillow if order == "<" else opencv)  # Pillow takes "MM" for none
        for predictor in (1, 2):
            for photometric, samples in ((1, 1), (2, 3)):
                deep = (p[:, :, :samples] * 251 + p[::-1, :, :samples] * 7) % 65536
                add(f"tiff/{name}-16bit-{samples}-{predictor}", tiff(deep, photometric, order, bits=16, compression=8, predictor=predictor, tile=(16, 16)), by=high if samples == 1 else pillow)
            add(f"tiff/{name}-16bit-cmyk-{predictor}", tiff((ink * 251) % 65536, 5, order, bits=16, compression=8, predictor=predictor))
        add(f"tiff/{name}-16bit-uncompressed", tiff((p * 251) % 65536, 2, order, bits=16))
        add(f"tiff/{name}-16bit-premultiplied", tiff((ink * 251) % 65536, 2, order, bits=16, extra=(1,)))
    for bits in (1, 2, 4, 8):
        few = grey % (1 << bits)
        add(f"tiff/{bits}bit-white-is-zero", tiff(few, 0, bits=bits, compression=32773))
        add(f"tiff/{bits}bit-black-is-zero", tiff(few, 1, bits=bits, compression=8, tile=(16, 16)))
        add(f"tiff/{bits}bit-palette", tiff(few, 3, bits=bits, colour_map=[(i * 7919 + 300) % 65536 for i in range(3 << bits)]))
        add(f"tiff/{bits}bit-reversed", tiff(few, 1, bits=bits, fill=2))
    add("tiff/reversed-deflate", tiff(grey, 1, compression=8, fill=2))
    for extra in (0, 1, 2):
        add(f"tiff/extra-{extra}", tiff(ink, 2, extra=(extra,), compression=8))
        if extra != 1:  # Pillow cannot convert premultiplied grey
            add(f"tiff/grey-extra-{extra}", tiff(ink[:, :, 1:3], 1, extra=(extra,)))
    add("tiff/extra-missing", tiff(ink, 2))
    add("tiff/extra-many", tiff(np.concatenate([ink, ink[:, :, :2]], 2), 2, extra=(2, 0, 0), compression=8))
    add("tiff/planar-extra", tiff(ink, 2, extra=(0,), planar=2, compression=8))
    add("tiff/palette-extra", tiff(ink[:, :, :2], 3, extra=(2,), colour_map=[(i * 7919) % 65536 for i in range(768)]))
    add("tiff/no-counts", tiff(p, 2, counts=False))
    add("tiff/rows-beyond", tiff(p, 2, more={278: ("I", [2**32 - 1])}.items(), rows=18))
    for o in range(1, 9):
        add(f"exif/tiff-{o}", tiff(picture(3, 5), 2, orientation=o))
        add(f"exif/tiff-deflate-{o}", tiff(picture(3, 5), 2, orientation=o, compression=8))
    add("exif/tiff-xmp-6", tiff(picture(3, 5), 2, more={700: ("B", packet(6, "attribute"))}.items()))
    add("exif/tiff-before-xmp-3", tiff(picture(3, 5), 2, orientation=3, more={700: ("B", packet(6, "element"))}.items()))


def write():
    for make in (jpegs, orientations, pngs, webps, bmps, gifs, pnms, tiffs):
        make()
    versions = dict(pillow=Image.__version__, opencv=cv2.__version__, numpy=np.__version__)
    path = os.path.join(HERE, "golden.json")
    with open(path, "w") as f:
        lines = ",\n".join(json.dumps(c) for c in cases)
        f.write('{"versions": %s,\n"cases": [\n%s\n]}\n' % (json.dumps(versions), lines))
    print(f"{len(cases)} cases, {os.path.getsize(path)} bytes")


def measure(data, decoded):
    """Prints, per folder and format, how far the decoded files are from Pillow's and OpenCV's."""
    groups = {}
    for name in sorted(os.listdir(decoded)):
        base, kind = os.path.splitext(name)
        if kind == ".error":
            print("refused:", open(os.path.join(decoded, name)).read())
        if kind != ".ppm":
            continue
        ours = cv2.imread(os.path.join(decoded, name))[:, :, ::-1].astype(int)
        source = os.path.join(decoded, base + ".encoded")  # a tar's member
        if not os.path.exists(source):
            source = os.path.join(data, base.replace("__", "/"))
        encoded = open(source, "rb").read()
        fmt = Image.open(source).format
        for by in (pillow, opencv):
            off = np.abs(by(encoded).astype(int) - ours)
            groups.setdefault((base.split("__")[0], fmt, by.__name__), []).append((off.max(), off.mean(), base))
    for key, g in groups.items():
        worst = max(g)
        print(*key, f"{len(g)} files: max {worst[0]}, mean {np.mean([x[1] for x in g]):.4f},",
              f"worst mean {max(x[1] for x in g):.4f}, worst file {worst[2]}")


def cut(data):
    """CRC of a file cut here; None where libjpeg gives up."""
    data += b"\xff\xd9"
    got = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if got is None:
        return None
    rgb = np.ascontiguousarray(got[:, :, ::-1])
    assert np.array_equal(rgb, pillow(data))
    return zlib.crc32(rgb)


def fill():
    files = []
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = np.ascontiguousarray(picture(40, 50).astype(np.uint8)[:, :, ::-1])
    restarts = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 60, cv2.IMWRITE_JPEG_RST_INTERVAL, 3])[1].tobytes()
    for name, data in [("4:2:0", encode(rgb8(40, 50), "JPEG", quality=60, subsampling="4:2:0")), ("4:2:0 restarts", restarts),
                       ("4:4:4", encode(rgb8(21, 30), "JPEG", quality=60, subsampling="4:4:4")),
                       ("4:2:0 progressive", encode(rgb8(41, 51), "JPEG", quality=60, subsampling="4:2:0", progressive=True)),
                       ("4:2:0 progressive, chroma two blocks wide", encode(rgb8(40, 24), "JPEG", quality=60, subsampling="4:2:0", progressive=True)),
                       ("4:2:2 progressive turned", encode(rgb8(20, 35), "JPEG", quality=60, subsampling="4:2:2", progressive=True, exif=exif))]:
        at = data.index(b"\xff\xda")
        first = at + 2 + data[at + 3]
        files.append(dict(name=name, encoded=base64.b64encode(data).decode(), first=first, cuts=[cut(data[:n]) for n in range(first, len(data))]))
    with open(os.path.join(HERE, "fill.json"), "w") as f:
        f.write('{"cases": [\n%s\n]}\n' % ",\n".join(json.dumps(c, separators=(",", ":")) for c in files))
    print(len(files), "files,", os.path.getsize(f.name), "bytes")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    if sys.argv[1:2] == ["measure"]:
        measure(*sys.argv[2:])
    elif sys.argv[1:2] == ["fill"]:
        fill()
    else:
        write()
