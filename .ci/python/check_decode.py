"""decode of every JPEG in the shared data against OpenCV and Pillow.

    python .ci/python/check_decode.py SLUICE DATA

8-bit Huffman-coded files: RGB, orientation applied, equal byte for byte; cut short too, with truncated: fill. Other
codings: an error that names the coding.
"""
import io
import random
import re
import subprocess
import tarfile
import tempfile

import cv2
import numpy as np
from PIL import Image, ImageOps

import common

args = common.arguments(__doc__, "data")
CODINGS = {0xC3: "lossless", 0xC7: "lossless", 0xC9: "arithmetic", 0xCA: "arithmetic", 0xCB: "lossless"}


def coding(data):
    """How a JPEG file is coded: huffman (8 bits), arithmetic, 12-bit...; "" for other files."""
    at = 2
    while data[:2] == b"\xff\xd8" and at + 5 < len(data):
        if data[at] != 0xFF:  # garbage between segments
            at += 1
            continue
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            if marker in CODINGS:
                return CODINGS[marker]
            return "huffman" if data[at + 4] == 8 else f"{data[at + 4]}-bit"
        alone = marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD8
        at += 1 if marker == 0xFF else 2 if alone else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return ""


def opencv(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]


def pillow(data):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def compare(what, table, content):
    """Compares the rows that content (key -> file) names with both readers."""
    got = common.by_key(table)
    common.equal(f"{what}: files decoded", len(content.keys() & got.keys()), len(content))
    for name, read in (("OpenCV", opencv), ("Pillow", pillow)):
        pooled, over = common.Differences(), 0
        for key, data in content.items():
            over += pooled.add(key, got[key], read(data)) > 0
        common.at_most(f"{what} against {name}: max", pooled.max, 0)
        common.at_most(f"{what} against {name}: mean, pooled", pooled.mean, 0)
        common.at_most(f"{what} against {name}: mean of the worst file, {pooled.worst_key} ({over} files that differ)", pooled.worst_mean, 0)


def only(keys, options="{}"):
    """The stages that decode these files of DATA."""
    return f"filter: {{key: '^({'|'.join(map(re.escape, keys))})$'}}", f"decode: {options}"


def first_scan(data):
    """Where the data of a JPEG file's first scan begins."""
    at = 2
    while data[at + 1] != 0xDA:
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big") if data[at + 1] != 0xFF else 1
    return at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")


def check_cut(photos):
    """Cuts photos at random bytes; libjpeg takes the end of a file for an end of image, and so do both readers with one
    put there. Some are made progressive first. A cut in the headers between scans makes both give up: it is drawn again."""
    draw = random.Random(3)
    content = {}
    with tempfile.TemporaryDirectory() as folder:
        for i, (key, data) in enumerate(sorted(photos.items())):
            if i % 3 == 1:
                data = cv2.imencode(".jpg", opencv(data)[:, :, ::-1], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
            if i % 3 == 2:
                data = cv2.imencode(".jpg", opencv(data)[:, :, ::-1], [cv2.IMWRITE_JPEG_RST_INTERVAL, 7])[1].tobytes()
            while True:
                cut = data[: draw.randrange(first_scan(data), len(data))]
                if cv2.imdecode(np.frombuffer(cut + b"\xff\xd9", np.uint8), cv2.IMREAD_COLOR) is not None:
                    break
            name = f"{i:04d}.jpg"
            content[name] = cut + b"\xff\xd9"
            with open(f"{folder}/{name}", "wb") as file:
                file.write(cut)
        file = common.pipeline(f"{{folder: {{path: '{folder}', tasks: []}}}}", "decode: {truncated: fill}")
        compare("cut photos", common.stream(args.sluice, file), content)


source = f"{{folder: {{path: '{args.data}', tasks: []}}}}"
files = {p.relative_to(args.data).as_posix(): p.read_bytes() for p in sorted(args.data.rglob("*")) if p.is_file() and p.suffix != ".tar"}
codings = {key: coding(content) for key, content in files.items()}
for folder in ("photos", "images"):
    content = {k: files[k] for k in files if k.startswith(folder + "/") and codings[k] == "huffman"}
    compare(folder, common.stream(args.sluice, common.pipeline(source, *only(content))), content)

check_cut({k: v for k, v in files.items() if k.startswith("photos/") and codings[k] == "huffman"})

for archive in sorted(args.data.rglob("*.tar")):
    with tarfile.open(archive) as tar:
        members = {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}
    content = {name: data for name, data in members.items() if coding(data) == "huffman"}
    name = archive.relative_to(args.data).as_posix()
    if content:
        file = common.pipeline(f"{{folder: {{path: '{archive}', tasks: []}}}}", "decode: {}")
        compare(name, common.stream(args.sluice, file), content)
    else:
        print(f"     {name} holds no JPEG")
    common.equal(f"{name}: files of other codings", {coding(d) for d in members.values()} - {"", "huffman"}, set())

others = [k for k, c in codings.items() if c not in ("", "huffman")]
common.expect(len(others) >= 2, f"{len(others)} files in other codings")
for key in others:
    for options in ("{}", "{truncated: fill}"):
        command = [args.sluice, "stream", common.pipeline(source, *only([key], options))]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        named = codings[key].split("-")[0] in done.stderr and key in done.stderr
        common.expect(done.returncode == 1 and named, f"{key} ({codings[key]}): status {done.returncode}, {done.stderr.strip()}")
common.finish()
