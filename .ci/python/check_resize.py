"""resize against Pillow's BILINEAR (antialias, the default) and OpenCV's INTER_LINEAR.

    python .ci/python/check_resize.py SLUICE DATA
"""
import cv2
import numpy as np
from PIL import Image

import common

args = common.arguments(__doc__, "data")
source = common.photos(args.data)


def pillow(photo, width, height):
    return np.asarray(Image.fromarray(photo).resize((width, height), Image.BILINEAR))


def opencv(photo, width, height):
    return cv2.resize(photo, (width, height), interpolation=cv2.INTER_LINEAR)


decoded = common.by_key(common.stream(args.sluice, common.pipeline(source, "decode: {}")))
FEW = ["take: {count: 40}"]
sizes = [  # the stage's options, samplers before it
    ("height: 224, width: 224", []),
    ("size: 256", []),
    ("height: 37, width: 61", []),
    ("height: 640, width: 811", FEW),  # up
    ("height: 150, width: 900", FEW),  # down and up
]
for size, samplers in sizes:
    for antialias, reference, name in (("true", pillow, "Pillow"), ("false", opencv, "OpenCV")):
        file = common.pipeline(source, *samplers, "decode: {}", f"resize: {{{size}, antialias: {antialias}}}")
        differences, table = common.Differences(), common.stream(args.sluice, file)
        for key, got in common.by_key(table).items():
            differences.add(key, got, reference(decoded[key], got.shape[1], got.shape[0]))
        what = f"{size}, antialias {antialias}, {table.num_rows} photos against {name}"
        common.at_most(f"{what}: max", differences.max, 0 if name == "Pillow" else 1)
common.finish()
