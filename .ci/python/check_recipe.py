"""The recipe's augmentation (rotate, crop, flip) of the photos against OpenCV.

    python .ci/python/check_recipe.py SLUICE DATA

OpenCV gets the pixels that sluice decoded and the parameters that sluice drew. The
composed matrix of the column params is checked loosely: one warpAffine with it.
"""
import json

import cv2
import numpy as np

import common

args = common.arguments(__doc__, "data")
source = common.photos(args.data)
recipe = common.pipeline(source, "decode: {}", "rotate: {degrees: 30}", "crop: {size: 0.5, offset: [0, 0.25]}", "flip: {p: 0.5}")
decoded = common.by_key(common.stream(args.sluice, common.pipeline(source, "decode: {}")))
common.expect(len(decoded) >= 100, f"{len(decoded)} photos")


def opencv(photo, params):
    """The recipe as OpenCV users write it."""
    height, width = photo.shape[:2]
    matrix = cv2.getRotationMatrix2D((width // 2, height // 2), params["rotate"]["degrees"], 1)
    photo = cv2.warpAffine(photo, matrix, (width, height))
    x, y, w, h = (params["crop"][k] for k in ("x", "y", "width", "height"))
    assert (w, h) == (width // 2, height // 2) and 0 <= x < max(width // 4, 1) and 0 <= y < max(height // 4, 1)
    photo = photo[y : y + h, x : x + w]
    return photo[:, ::-1] if params["flip"]["flipped"] else photo


for seed in range(5):
    table = common.stream(args.sluice, recipe, "--params", "--seed", seed)
    steps, composed, flips = common.Differences(), common.Differences(), 0
    for key, got, text in zip(table["key"].to_pylist(), common.pictures(table), table["params"].to_pylist()):
        params, photo = json.loads(text), decoded[key]
        steps.add(key, got, opencv(photo, params))
        matrix = np.reshape(params["matrix"], (2, 3))
        composed.add(key, got, cv2.warpAffine(photo, matrix, got.shape[1::-1]))
        flips += params["flip"]["flipped"]
    print(f"seed {seed}: {table.num_rows} photos, {flips} flipped, largest difference {steps.max}")
    common.equal("  photos", table.num_rows, len(decoded))
    common.at_most("  mean difference, pooled", steps.mean, 0.005)
    common.at_most("  largest difference", steps.max, 1)
    common.at_most(f"  mean difference of the worst photo, {steps.worst_key}", steps.worst_mean, 0.01)
    common.at_most("  mean difference of one warp with the composed matrix", composed.mean, 0.005)
common.finish()
