"""Photos written anew in other formats, for benchmarks/loaders: encode.py PHOTOS OUT COUNT FORMAT...

COUNT photos, spread over the folder, go to OUT/FORMAT. Prints a line of JSON: the libraries' versions, and each format's bytes a file.
"""

import json
import os
import sys

import cv2
import numpy as np
import PIL
from PIL import Image

VOC = [value for i in range(256) for value in (sum((i >> 3 * b + c & 1) << 7 - b for b in range(3)) for c in range(3))]  # PASCAL VOC's palette


def opencv(name, pixels):
    """RGB of 8 or 16 bits."""
    if not cv2.imwrite(name, pixels[..., ::-1]):
        raise OSError(f"OpenCV doesn't write {name}")


def mask(image):
    """Class numbers: regions of like brightness, 21 of them, as a palette."""
    grey = cv2.medianBlur(cv2.GaussianBlur(np.asarray(image.convert("L")), (0, 0), 6), 9)
    out = Image.fromarray((grey.astype(int) * 21 // 256).astype(np.uint8), "P")
    out.putpalette(VOC)
    return out


def deep(image):
    """16 bits a channel: means of 3 x 3 pixels, so that the low bytes say something."""
    return (cv2.blur(np.asarray(image).astype(np.float32), (3, 3)) * 257).round().astype(np.uint16)


def alpha(image):
    """An object cut out: an ellipse with a soft edge."""
    shape = np.zeros((image.height, image.width), np.uint8)
    cv2.ellipse(shape, (image.width // 2, image.height // 2), (image.width * 2 // 5, image.height * 2 // 5), 0, 0, 360, 255, -1)
    out = image.copy()
    out.putalpha(Image.fromarray(cv2.GaussianBlur(shape, (0, 0), 3)))
    return out


def progressive(subsampling, quality):
    return "jpg", lambda image, name: image.save(name, progressive=True, subsampling=subsampling, quality=quality)


# Each has an extension, and a function that writes an image.
FORMATS = {
    "jpeg-420-75": progressive("4:2:0", 75),
    "jpeg-420-90": progressive("4:2:0", 90),
    "jpeg-444-75": progressive("4:4:4", 75),
    "jpeg-444-90": progressive("4:4:4", 90),
    "png": ("png", lambda image, name: image.save(name)),
    "png-mask": ("png", lambda image, name: mask(image).save(name)),
    "png-16": ("png", lambda image, name: opencv(name, deep(image))),
    "webp": ("webp", lambda image, name: image.save(name, quality=80)),
    "webp-lossless": ("webp", lambda image, name: image.save(name, lossless=True)),
    "webp-alpha": ("webp", lambda image, name: alpha(image).save(name, quality=80)),
    "gif": ("gif", lambda image, name: image.save(name)),
    "bmp": ("bmp", lambda image, name: image.save(name)),
    "ppm": ("ppm", lambda image, name: image.save(name)),
    "tiff": ("tif", lambda image, name: image.save(name, compression="tiff_lzw")),
}


def main():
    photos, out, count, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
    files = sorted(entry.path for entry in os.scandir(photos))
    files = files[:: max(len(files) // count, 1)][:count]
    sizes = {}
    for name in wanted:
        extension, save = FORMATS[name]
        os.mkdir(os.path.join(out, name))
        sizes[name] = 0
        for i, file in enumerate(files):
            to = os.path.join(out, name, f"{i:05d}.{extension}")
            save(Image.open(file).convert("RGB"), to)
            sizes[name] += os.path.getsize(to) / len(files)
    print(json.dumps({"versions": {"pillow": PIL.__version__, "opencv": cv2.__version__}, "sizes": sizes}))


main()
