#!/usr/bin/python3
"""Writes instances.json, a file of COCO's form, and golden.json, what pycocotools reads from
it, for coco_test.go. Run with the versions it records:

    python3 sources/testdata/coco/golden.py
"""
import importlib.metadata
import json
import os

import numpy as np
from pycocotools import mask as pm
from pycocotools.coco import COCO

here = os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(15)
names = ["nose", "left_eye", "right_eye"]
images = [{"file_name": f"{name}.jpg", "id": 7 * i + 3, "height": 40 + i, "width": 60 - i, "license": 1}
          for i, name in enumerate(["b", "a", "sub/c", "d"])]
categories = [{"id": 90, "name": "toothbrush", "supercategory": "indoor"}, {"id": 0, "name": "zero"},
              {"id": 17, "name": "person", "keypoints": names, "skeleton": [[1, 2]]}]


def polygon(height, width):
    n = int(rng.integers(3, 12))
    return [float(v) for v in (np.round(rng.random((n, 2)) * [width, height] * 8) / 8).ravel()]  # float32 has them


annotations = []
for k in range(30):
    image = images[int(rng.integers(0, 3))]  # the last has none
    height, width = image["height"], image["width"]
    blob = np.zeros((height, width), np.uint8)
    y, x = int(rng.integers(0, height - 12)), int(rng.integers(0, width - 12))
    blob[y:y + 11, x:x + 9] = rng.random((11, 9)) < .8
    rle = pm.encode(np.asfortranarray(blob))
    if k % 3 == 0:
        shape = {"size": [height, width], "counts": rle["counts"].decode()}
    elif k % 3 == 1:
        flat = blob.ravel(order="F")
        edges = np.flatnonzero(np.diff(np.concatenate([[0], flat, [0]])))
        runs = np.diff(np.concatenate([[0], edges]))
        counts = [int(v) for v in runs]
        counts.append(height * width - sum(counts))
        shape = {"counts": counts, "size": [height, width]}
    else:
        shape = [polygon(height, width) for _ in range(int(rng.integers(1, 3)))]
    rles = pm.frPyObjects(shape, height, width) if isinstance(shape, list) else rle
    whole = pm.merge(rles) if isinstance(shape, list) else rle
    category = categories[int(rng.integers(0, 3))]
    a = {"segmentation": shape, "area": float(pm.area(whole)), "iscrowd": int(k % 3 != 2), "image_id": image["id"],
         "bbox": [float(v) for v in pm.toBbox(whole)], "category_id": category["id"], "id": 100 + 3 * k}
    if category["name"] == "person":
        a["keypoints"] = [v for i in range(3) for v in (int(rng.integers(0, width)), int(rng.integers(0, height)), 1 + i % 2)]
        a["num_keypoints"] = 3
    annotations.append(a)

path = os.path.join(here, "instances.json")
with open(path, "w") as f:
    json.dump({"info": {"a \\ \"b\"": [1, {"c": None}]}, "annotations": annotations, "images": images,
               "categories": categories}, f)
coco = COCO(path)
golden = {"versions": {k: importlib.metadata.version(k) for k in ("pycocotools", "numpy")}, "images": []}
numbers = {c: i for i, c in enumerate(sorted(coco.getCatIds()))}
for image in sorted(coco.loadImgs(coco.getImgIds()), key=lambda i: i["file_name"]):
    objects = []
    for a in coco.loadAnns(coco.getAnnIds(image["id"])):
        rle = coco.annToRLE(a)
        objects.append({"id": a["id"], "label": numbers[a["category_id"]], "box": a["bbox"], "crowd": a["iscrowd"] == 1,
                        "area": a["area"], "keypoints": a.get("keypoints"), "rle": rle["counts"] if isinstance(rle["counts"], str) else rle["counts"].decode(),
                        "pixels": int(pm.area(rle))})
    golden["images"].append({"key": image["file_name"], "id": image["id"], "height": image["height"],
                             "width": image["width"], "objects": objects})
with open(os.path.join(here, "golden.json"), "w") as f:
    json.dump(golden, f)
