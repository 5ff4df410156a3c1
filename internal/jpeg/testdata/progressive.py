"""Writes progressive-*.jpg, for scan_assembly_test.go and progressive_test.go, with Pillow 13.0: pictures large enough that most of a scan is decoded in assembly."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageFile

ImageFile.MAXBLOCK = 1 << 20
rng = np.random.default_rng(1)
y, x = np.mgrid[:110, :150]
noise = rng.normal(0, 1, (110, 150, 3)) * (x / 5)[..., None]
pixels = np.stack([x * 1.7, y * 2, 128 + 90 * np.sin(x * y / 300)], -1) + noise
image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
for name, mode, quality, subsampling in [("420", "RGB", 75, 2), ("444", "RGB", 92, 0), ("grey", "L", 90, 0)]:
    image.convert(mode).save(Path(__file__).with_name(f"progressive-{name}.jpg"), quality=quality, subsampling=subsampling, progressive=True)
