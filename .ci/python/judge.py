"""What an image file's pixels are: Pillow's ImageOps.exif_transpose(image).convert("RGB"), and, where docs/formats.md has another rule, that rule.

    kind, pixels = judge.pillow(data)     # pixels are None where Pillow refuses
"""
import io
import re

import numpy as np
from PIL import Image, ImageOps

Image.MAX_IMAGE_PIXELS = 1 << 28
FORMATS = "BMP DIB GIF JPEG MPO PNG PPM TIFF WEBP".split()


def grey(values):
    return np.repeat(values.astype(np.uint8)[:, :, None], 3, 2)


def header(data):
    """A PPM file's largest sample, and where its samples begin."""
    blank = rb"(?:\s|#[^\n\r]*[\n\r])+"
    fields = re.match(rb"P[2356]" + 3 * (blank + rb"(\d+)") + rb"\s?", data)
    return (int(fields[3]), fields.end()) if fields else (1, 0)


def pillow(data):
    """Format and pixels. Of 16 bits per channel the high byte is kept, and PPM of other maxima is rounded to 8 bits."""
    try:
        image = Image.open(io.BytesIO(data))
    except Exception:
        return None, None
    try:
        kind, mode = image.format, image.mode
        white_is_zero = kind == "TIFF" and image.tag_v2.get(262, 0) == 0  # as Pillow takes a missing tag, or one of several values
        image = ImageOps.exif_transpose(image)
        most, at = header(data) if kind == "PPM" else (65535, 0)
        if mode == "I" and 255 < most < 65535:  # Pillow stretches grey to 65535, and colour to 255
            values = np.rint(np.asarray(image) * (most / 65535))
            return kind, grey(np.rint(values / most * 255))
        if mode.startswith("I;16") or mode == "I" and kind in ("PPM", "PNG"):  # convert("RGB") cuts off at 255
            high = np.asarray(image).astype(np.int64) >> 8
            return kind, grey(255 - high if white_is_zero else high)
        if kind == "PPM" and most == 65535:  # Pillow rounds
            if data[:2] == b"P3":
                text = re.sub(rb"#[^\n\r]*", b"", data[at:]).split()[: 3 * image.width * image.height]
                return kind, (np.array([int(v) for v in text]) >> 8).astype(np.uint8).reshape(image.height, image.width, 3)
            pixels = np.frombuffer(data, np.uint8, 6 * image.width * image.height, at)
            return kind, pixels.reshape(image.height, image.width, 6)[:, :, ::2]
        return kind, np.asarray(image.convert("RGB"))
    except Exception:
        return kind, None
