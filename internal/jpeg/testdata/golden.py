#!/usr/bin/python3
"""Golden values of package jpeg: files of every layout with libjpeg-turbo's planes.

    python internal/jpeg/testdata/golden.py          # writes golden.json
    python internal/jpeg/testdata/golden.py fill     # writes fill.json
    python internal/jpeg/testdata/golden.py all DIR  # many more, for -golden DIR

python is that of .ci/python/requirements.txt: Pillow 13, with libjpeg-turbo 3. cjpeg and
jpegtran write the files (Debian 12's libjpeg-turbo-progs). The planes are Pillow's, one
component at a time: scans of the other components are taken out and what is left is
renamed to a grey picture of the component's own size, which libjpeg decodes with the
same inverse DCT; reduced are those of its scales, by the samples that a block of 8 gives.

fill.json holds grey files with the CRC-32 of what Pillow gives at the scales 1/1, 1/2, 1/4 and 1/8 of the file
cut after each number of bytes from its first scan on, and of the file with some bytes
changed; null where libjpeg gives up.
"""
import base64, io, itertools, json, os, random, struct, subprocess, sys, tempfile, zlib

import PIL
from PIL import Image, features

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLINGS = ["1x1", "2x1,1x1,1x1", "2x2,1x1,1x1", "1x2,1x1,1x1", "4x1,1x1,1x1", "1x4,1x1,1x1", "4x2,1x1,1x1",
             "2x2,2x1,1x2", "3x1,1x1,1x1", "3x2,1x1,1x1", "1x1,2x2,1x1",
             "1x1,2x1,2x1", "1x2,2x1,1x1", "1x3,1x1,3x1", "4x1,2x1,1x1", "2x4,1x1,1x1"]
FRACTIONAL = ["3x1,2x1,1x1", "2x3,1x2,1x1", "1x3,1x2,3x1", "4x1,3x1,1x2", "3x2,2x1,1x1,1x1"]  # cjpeg refuses them


def ppm(height, width, noise):
    """Integer formulas of x and y with some noise, as a binary PPM."""
    r = random.Random(height * 1000 + width + noise)
    pixels = bytearray()
    for y, x in itertools.product(range(height), range(width)):
        for v in (x * 13 + y * 7, x * y * 5 + 40, 255 - x * 11 + y * 17):
            pixels.append((v + r.randrange(noise + 1)) % 256)
    return b"P6 %d %d 255\n" % (width, height) + bytes(pixels)


def run(*command, data):
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


def segments(data):
    """Yields (marker, segment, entropy-coded data) up to EOI."""
    pos = 2
    while data[pos + 1] != 0xD9:
        marker, size = data[pos + 1], struct.unpack(">H", data[pos + 2:pos + 4])[0]
        end = scan = pos + 2 + size
        while marker == 0xDA and not (data[end] == 0xFF and data[end + 1] not in (0, *range(0xD0, 0xD8))):
            end += 1
        yield marker, data[pos:scan], data[scan:end]
        pos = end


def frame(data):
    body = next(s for m, s, _ in segments(data) if m in (0xC0, 0xC1, 0xC2))
    height, width, n = struct.unpack(">HHB", body[5:10])
    return height, width, [(body[10 + 3 * i], body[11 + 3 * i] >> 4, body[11 + 3 * i] & 15) for i in range(n)]


def alone(data, i):
    """The file of component i of a file without interleaved scans (or of DC only)."""
    height, width, comps = frame(data)
    ident, h, v = comps[i]
    w = -(-width * h // max(c[1] for c in comps))
    t = -(-height * v // max(c[2] for c in comps))
    out = bytearray(b"\xff\xd8")
    for marker, segment, coded in segments(data):
        if marker in (0xC0, 0xC1, 0xC2):
            segment = segment[:2] + struct.pack(">HBHHB", 11, 8, t, w, 1) + bytes([ident, 0x11, segment[12 + 3 * i]])
        if marker == 0xDA:
            assert segment[4] == 1, "interleaved"
            if segment[5] != ident:
                continue
        if not 0xE0 <= marker <= 0xEF:
            out += segment + coded
    return bytes(out) + b"\xff\xd9"


def split(data):
    """The same coefficients, each scan of one component only, by jpegtran."""
    _, _, comps = frame(data)
    progressive = any(m == 0xC2 for m, _, _ in segments(data))
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as script:
        for i in range(len(comps)):
            script.write(f"{i}: 0-0, 0, 0;\n{i}: 1-63, 0, 0;\n" if progressive else f"{i};\n")
        script.flush()
        return run("jpegtran", "-scans", script.name, data=data)


def planes(data, scale=1):
    """Of each component (width, height, samples) at 1/scale."""
    parts = split(data)
    out = []
    for i in range(len(frame(data)[2])):
        image = reduced(alone(parts, i), scale)
        out.append((image.width, image.height, image.tobytes()))
    return out


def reduced(data, scale):
    """A grey file at 1/scale. Pillow's draft can't ask for the scale of a side shorter than it: such a file says
    that it is 8 pixels long, and the rest of its first block is cut off."""
    height, width, _ = frame(data)
    at = next(i for i in range(len(data)) if data[i] == 0xFF and data[i + 1] in (0xC0, 0xC1, 0xC2))
    padded = bytearray(data)
    struct.pack_into(">HH", padded, at + 5, max(height, 8), max(width, 8))
    image = Image.open(io.BytesIO(padded))
    image.draft("L", (image.width // scale, image.height // scale))
    return image.crop((0, 0, -(-width // scale), -(-height // scale)))


def join(sampling, height, width, quality, noise):
    """A file with any sampling factors, its components' scans taken from grey files."""
    factors = [tuple(map(int, f.split("x"))) for f in sampling.split(",")]
    max_h, max_v = (max(f[i] for f in factors) for i in (0, 1))
    out, sof = b"\xff\xd8", b""
    for i, (h, v) in enumerate(factors):
        w, t = -(-width * h // max_h), -(-height * v // max_v)
        grey = run("cjpeg", "-quality", str(quality), "-grayscale", "-optimize", data=ppm(t, w, noise + i))
        for marker, segment, coded in segments(grey):
            if marker in (0xC0, 0xC1):
                sof += bytes([i + 1, h << 4 | v, 0])
                if i == 0:  # the frame header comes once, before the first scan
                    out += b"SOF"
            elif marker == 0xDA:
                out += segment[:5] + bytes([i + 1]) + segment[6:] + coded
            elif not 0xE0 <= marker <= 0xEF:
                out += segment
    n = len(factors)
    head = b"\xff\xc1" + struct.pack(">HBHHB", 8 + 3 * n, 8, height, width, n)
    return out.replace(b"SOF", head + sof, 1) + b"\xff\xd9"


def coarsen(data, seed):
    """Puts any numbers into the quantization tables: the inverse DCT overflows in every
    way. What it gives then is that of libjpeg-turbo's x86 code, its C code differs."""
    r, out = random.Random(seed), b"\xff\xd8"
    for marker, segment, coded in segments(data):
        if marker == 0xDB:
            assert len(segment) == 69
            top = r.choice([20, 60, 255])
            segment = segment[:5] + bytes(r.randint(1, top) for _ in range(64))
        out += segment + coded
    return out + b"\xff\xd9"


def case(name, data):
    def listed(scale):
        return [dict(width=w, height=h, pix=base64.b64encode(p).decode()) for w, h, p in planes(data, scale)]
    return dict(name=name, encoded=base64.b64encode(data).decode(), planes=listed(1),
                reduced={"4": listed(2), "2": listed(4), "1": listed(8)})


def make(sampling, height, width, quality, kind, noise=0):
    """A file by cjpeg, turned by jpegtran where kind says so."""
    if sampling in FRACTIONAL:
        kind = [k for k in kind if k not in ("-rgb", "-baseline", "-grayscale")]
        data = run("jpegtran", *kind, data=join(sampling, height, width, quality, noise))
        return f"{sampling}/{width}x{height}/q{quality}/{' '.join(kind)}", data
    data = run("cjpeg", "-quality", str(quality), "-sample", sampling, *kind, data=ppm(height, width, noise))
    return f"{sampling}/{width}x{height}/q{quality}/{' '.join(kind)}", data


KINDS = [[], ["-optimize"], ["-progressive"], ["-restart", "1"], ["-restart", "2B"], ["-progressive", "-restart", "1B"],
         ["-grayscale"], ["-grayscale", "-progressive"], ["-rgb"], ["-baseline", "-restart", "3B"]]


def few():
    cases = []
    for i, s in enumerate(SAMPLINGS + FRACTIONAL):
        for j, (h, w, q) in enumerate([(21, 35, 90), (9, 17, 30)]):
            cases.append(case(*make(s, h, w, q, KINDS[(2 * i + j) % len(KINDS)])))
    for q in (1, 2, 100):  # 1 and 2: 16-bit quantization tables; 100: long codes
        cases.append(case(*make("2x2,1x1,1x1", 19, 23, q, ["-progressive"] if q == 2 else [], noise=200)))
    parts = make("2x2,1x1,1x1", 33, 27, 80, ["-restart", "2B"])
    cases.append(case("split/" + parts[0], split(parts[1])))
    parts = make("1x1,2x2,1x1", 33, 27, 80, [])
    cases.append(case("split/" + parts[0], split(parts[1])))
    for i in range(3):
        name, data = make("2x1,1x1,1x1", 29, 37, 100, KINDS[i], noise=255)
        cases.append(case(f"coarse/{i}/" + name, coarsen(data, i)))
    with open(os.path.join(HERE, "golden.json"), "w") as f:
        f.write('{"versions": %s,\n"cases": [\n%s\n]}\n' % (json.dumps(versions()), ",\n".join(json.dumps(c) for c in cases)))
    print(len(cases), "cases,", os.path.getsize(f.name), "bytes", versions())


def versions():
    return dict(pillow=PIL.__version__, libjpeg_turbo=features.version("libjpeg_turbo"))


def many(folder):
    """Writes N.jpg and N.planes (the samples of all planes) into a folder."""
    r, n = random.Random(1), 0
    for s, kind in itertools.product(SAMPLINGS + FRACTIONAL, KINDS):
        for _ in range(3):
            name, data = make(s, r.randrange(1, 70), r.randrange(1, 70), r.choice([1, 5, 25, 50, 75, 90, 98, 100]), kind, r.choice([0, 20, 255]))
            variants = [data, split(data)]
            if all(len(part) == 69 for m, part, _ in segments(data) if m == 0xDB):
                variants.append(coarsen(data, n))
            for variant in variants:
                with open(os.path.join(folder, f"{n}.jpg"), "wb") as f:
                    f.write(variant)
                with open(os.path.join(folder, f"{n}.planes"), "wb") as f:
                    f.write(b"".join(p for _, _, p in planes(variant)))
                n += 1
    print(n, "files")


def grey(data):
    """CRCs of a grey file, damaged or not, by scale; None where libjpeg gives no picture."""
    out = []
    for scale in (1, 2, 4, 8):
        try:
            image = Image.open(io.BytesIO(data + b"\xff\xd9"))  # what libjpeg takes the end of a file for
            image.draft("L", (image.width // scale, image.height // scale))
            out.append(zlib.crc32(image.tobytes()))
        except OSError:
            return None
    return out


def damage(r, data, start):
    """Some bytes to change, [[position, byte], ...], one of them perhaps to a marker."""
    edits = [[r.randrange(start, len(data)), r.choice([0, 0xFF, r.randrange(256)])] for _ in range(r.choice([1, 1, 2, 4]))]
    if r.random() < 0.5:
        at = r.randrange(start, len(data) - 1)
        edits += [[at, 0xFF], [at + 1, r.choice([0xD0, 0xD1, 0xD2, 0xD5, 0xD7, 0xD9])]]
    return edits


def fill():
    def encode(height, width, **options):
        out = io.BytesIO()
        Image.open(io.BytesIO(ppm(height, width, 40))).convert("L").save(out, "JPEG", **options)
        return out.getvalue()

    r, cases = random.Random(2), []
    for name, height, width, options in [
        ("optimized", 21, 35, dict(quality=90, optimize=True)),
        ("restarts", 33, 27, dict(quality=75, restart_marker_blocks=3)),
        ("progressive", 41, 33, dict(quality=60, progressive=True)),
        ("progressive, restarts", 17, 50, dict(quality=85, progressive=True, restart_marker_blocks=2)),
        ("progressive, two blocks wide", 9, 16, dict(quality=85, progressive=True)),
    ]:
        data = encode(height, width, **options)
        first = data.index(b"\xff\xda")
        first += 2 + data[first + 3]
        changes = [damage(r, data, first) for _ in range(150)]
        cases.append(dict(
            name=f"{width}x{height}/{name}", encoded=base64.b64encode(data).decode(),
            first=first, cuts=[grey(data[:n]) for n in range(first, len(data))],
            damaged=[dict(edits=e, crcs=grey(edited(data, e))) for e in changes]))
    # Fill bytes within the data: libjpeg's fast code takes them for a marker, its slow code doesn't.
    data = encode(48, 64, quality=95)
    first = data.index(b"\xff\xda") + 10
    changes = []
    for _ in range(60):
        at, n = r.randrange(first, len(data) - 50), r.randrange(2, 40)
        changes.append([[at + i, 0xFF] for i in range(n)] + [[at + n, 0]])
    cases.append(dict(name="64x48/fill bytes", encoded=base64.b64encode(data).decode(), first=first, cuts=[],
                      damaged=[dict(edits=e, crcs=grey(edited(data, e))) for e in changes]))
    with open(os.path.join(HERE, "fill.json"), "w") as f:
        f.write('{"versions": %s,\n"cases": [\n%s\n]}\n' % (json.dumps(versions()), ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)))
    print(len(cases), "cases,", os.path.getsize(f.name), "bytes", versions())


def edited(data, edits):
    data = bytearray(data)
    for at, value in edits:
        data[at] = value
    return bytes(data)


if __name__ == "__main__":
    if sys.argv[1:2] == ["all"]:
        many(sys.argv[2])
    elif sys.argv[1:2] == ["fill"]:
        fill()
    else:
        few()
