"""The table of test images in docs/formats.md: what sluice and Pillow read of the images that packages test themselves with.

    python internal/decode/testdata/formats.py NAME=DIRECTORY... [--list FILE]

from the project's root, with the python of .ci/python/requirements.txt. It decodes every file of the directories with
`go test ./internal/decode -run TestDump`, compares with Pillow's exif_transpose and convert("RGB"), and replaces what is
between the marks in docs/formats.md. --list writes a line for each file.

16 bits per channel are judged by the rule of package decode, which keeps the high byte.
"""
import collections, io, os, re, subprocess, sys, tempfile, warnings

import cv2
import numpy as np
from PIL import Image, ImageOps

Image.MAX_IMAGE_PIXELS = 1 << 28
IMAGES = "BMP DIB GIF JPEG MPO PNG PPM TIFF WEBP".split()


def pillow(data):
    """Format and pixels; pixels are None where Pillow refuses."""
    try:
        image = Image.open(io.BytesIO(data))
    except Exception:
        return None, None
    try:
        kind, mode = image.format, image.mode
        white_is_zero = kind == "TIFF" and image.tag_v2.get(262) == 0
        image = ImageOps.exif_transpose(image)
        if mode.startswith("I;16") and white_is_zero:
            return kind, np.repeat(255 - (np.asarray(image).astype(np.int64) >> 8).astype(np.uint8)[:, :, None], 3, 2)
        if mode.startswith("I;16") or mode == "I" and kind in ("PPM", "PNG"):
            # convert("RGB") cuts off at 255; the high byte is what is asked for
            high = np.asarray(image).astype(np.int64) >> 8
            return kind, np.repeat(high.astype(np.uint8)[:, :, None], 3, 2)
        return kind, np.asarray(image.convert("RGB"))
    except Exception:
        return kind, None


def sluice(directory, into):
    run = ["go", "test", "-count=1", "./internal/decode", "-run", "TestDump", "-from", os.path.abspath(directory), "-dump", into]
    subprocess.run(run, check=True, stdout=subprocess.DEVNULL)


def verdict(kind, theirs, ours, error):
    if ours is None:
        if theirs is None:
            return "both refuse"
        return "refused by name" if kind not in IMAGES or "is not supported" in error else "refused"
    if theirs is None:
        return "only sluice reads"
    if ours.shape != theirs.shape:
        return "differ in size"
    most = int(np.abs(ours.astype(int) - theirs).max())
    return "equal" if most == 0 else f"differ by {most}"


def compare(name, directory):
    rows = []
    with tempfile.TemporaryDirectory() as decoded:
        sluice(directory, decoded)
        for root, folders, files in os.walk(directory):
            folders.sort()
            for file in sorted(files):
                path = os.path.join(root, file)
                data = open(path, "rb").read()
                flat = os.path.join(decoded, os.path.relpath(path, directory).replace("/", "__"))
                ours, error = None, ""
                if os.path.exists(flat + ".ppm"):
                    ours = cv2.imread(flat + ".ppm")[:, :, ::-1]
                elif os.path.exists(flat + ".error"):
                    error = open(flat + ".error").read()
                else:
                    continue
                kind, theirs = pillow(data)
                rows.append((name, os.path.relpath(path, directory), kind, verdict(kind, theirs, ours, error), error))
    return rows


def table(rows):
    groups = collections.defaultdict(collections.Counter)
    for name, _, kind, what, _ in rows:
        groups[name, kind if kind in IMAGES else "others"][re.sub(r"differ .*", "differ", what)] += 1
    columns = ["equal", "differ", "refused by name", "refused", "only sluice reads", "both refuse"]
    lines = ["| images of | format | " + " | ".join(columns) + " |", "|---|---|" + "--:|" * len(columns)]
    for (name, kind), count in sorted(groups.items()):
        lines.append(f"| {name} | {kind} | " + " | ".join(str(count[c] or "") for c in columns) + " |")
    return "\n".join(lines)


def main():
    warnings.filterwarnings("ignore")
    arguments = sys.argv[1:]
    listing = None
    if "--list" in arguments:
        at = arguments.index("--list")
        listing = arguments[at + 1]
        del arguments[at:at + 2]
    rows = []
    for argument in arguments:
        name, directory = argument.split("=", 1)
        rows += compare(name, directory)
    if listing:
        with open(listing, "w") as f:
            for row in rows:
                f.write("\t".join(str(c) for c in row) + "\n")
    text = table(rows)
    print(text)
    path = "docs/formats.md"
    if os.path.exists(path):
        page = open(path).read()
        begin, end = "<!-- table -->\n", "<!-- end of table -->"
        if begin in page:
            a, b = page.index(begin) + len(begin), page.index(end)
            open(path, "w").write(page[:a] + text + "\n" + page[b:])


main()
