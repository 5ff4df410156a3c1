"""Writes masks.json: masks that Pillow encodes, and numpy.array(Image.open(f)) of them.

    python internal/decode/testdata/masks.py

from the project's root. Made with Pillow 13 and NumPy 2.
"""
import base64, io, json

import numpy as np
import PIL
from PIL import Image

random = np.random.default_rng(15)
cases = []


def add(name, image, **options):
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    values = np.array(Image.open(io.BytesIO(file.getvalue())))
    if values.ndim == 3:
        values = values[:, :, 0]
    values = values.astype(np.uint8)
    cases.append({"name": name, "height": values.shape[0], "width": values.shape[1],
                  "encoded": base64.b64encode(file.getvalue()).decode(), "values": base64.b64encode(values.tobytes()).decode()})


for height, width in (1, 1), (7, 13), (30, 33):
    for classes in 2, 4, 12, 256:
        numbers = random.integers(0, classes, (height, width)).astype(np.uint8)
        add(f"L, {classes} classes, {height}x{width}", Image.fromarray(numbers))
        palette = Image.new("P", (width, height))
        palette.putdata(numbers.ravel().tolist())
        palette.putpalette([(37 * i) % 256 for i in range(3 * classes)])
        for bits in 1, 2, 4, 8:
            if classes <= 1 << bits:
                add(f"P of {bits} bits, {classes} classes, {height}x{width}", palette, bits=bits)
        add(f"RGB, {classes} classes, {height}x{width}", Image.fromarray(np.repeat(numbers[:, :, None], 3, 2)))
        add(f"I;16, {classes} classes, {height}x{width}", Image.fromarray(numbers.astype(np.uint16)))
    add(f"1, {height}x{width}", Image.fromarray(random.integers(0, 2, (height, width)).astype(bool)))

with open("internal/decode/testdata/masks.json", "w") as f:
    json.dump({"pillow": PIL.__version__, "numpy": np.__version__, "cases": cases}, f, indent=1)
    f.write("\n")
