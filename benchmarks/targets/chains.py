"""How much larger boxes are that are boxed again after each stage: random chains of two to four geometric stages by sluice,
and the same stages with the same draws by torchvision v2 and albumentations.

    python benchmarks/targets/chains.py SLUICE DATA [--chains 100] [--pictures 8] [-o FILE]

DATA has cells (BCCD, boxes) and street (CamVid, whose masks become objects: each connected part of a class that has 60 pixels to a quarter
of the picture). A third set is random stars. Each chain is drawn for as many pictures of each set. A ratio is the area of a box there
over that of the same object's box here, both within the canvas. Needs what .ci/python/requirements.txt pins.
"""

import argparse
import collections
import datetime
import json
import pathlib
import platform
import subprocess
import sys
import tempfile
import warnings
import xml.etree.ElementTree as ET

import albumentations as A
import cv2
import numpy as np
import pyarrow as pa
import torch
import torchvision
from PIL import Image
from torchvision import tv_tensors

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / ".ci/python"))
import oracle  # noqa: E402
import peers  # noqa: E402

STAGES = [
    ("rotate", {"degrees": 30}),
    ("affine", {"degrees": 15, "translate": [0.1, 0.1], "scale": [0.8, 1.2]}),
    ("affine", {"shear": 15}),
    ("perspective", {"distortion_scale": 0.3}),
    ("crop", {"size": 0.7}),
    ("random_resized_crop", {"height": 240, "width": 320, "scale": [0.3, 1]}),
    ("flip", {"p": 0.5}),
    ("resize", {"size": 256, "max_size": 480}),
    ("scale_jitter", {"target": [300, 400], "range": [0.5, 1.5]}),
    ("pad", {"padding": [30, 10]}),
    ("letterbox", {"size": 320}),
    ("random_zoom_out", {"p": 0.8, "side_range": [1, 1.5]}),
]
TURNING = ("rotate", "affine", "perspective")
NAMES = {"cells": "cells, boxes", "street": "street, outlines", "stars": "random stars"}


def cells(data, folder, random, number):
    """BCCD's pictures, with boxes alone."""
    for file in random.choice(sorted((data / "cells/Annotations").iterdir()), number, replace=False):
        root = ET.parse(file).getroot()
        height, width = (int(root.find("size").find(s).text) for s in ("height", "width"))
        corners = [[int(o.find("bndbox").find(c).text) for c in ("xmin", "ymin", "xmax", "ymax")] for o in root.iter("object")]
        boxes = [[max(a - 1, 0), max(b - 1, 0), min(c, width), min(d, height)] for a, b, c, d in corners]
        (folder / f"{file.stem}.jpg").symlink_to(data / "cells/JPEGImages" / f"{file.stem}.jpg")
        yield f"{file.stem}.jpg", height, width, [(b, None) for b in boxes if b[2] > b[0] + 1 and b[3] > b[1] + 1]


def street(data, folder, random, number):
    """CamVid's pictures; an object is run lengths of its pixels, by columns."""
    for file in random.choice(sorted((data / "street/masks").iterdir()), number, replace=False):
        mask = np.asarray(Image.open(file))
        objects = []
        for c in np.unique(mask):
            count, labels, stats, _ = cv2.connectedComponentsWithStats((mask == c).astype(np.uint8), connectivity=4)
            for k in range(1, count):
                x, y, w, h, size = (int(v) for v in stats[k])
                if 60 <= size <= mask.size / 4:
                    flat = (labels == k).ravel(order="F")
                    edges = np.flatnonzero(np.diff(np.concatenate([[False], flat, [not flat[-1]]])))
                    objects.append(([x, y, x + w, y + h], {"size": list(mask.shape), "counts": np.diff([0, *edges]).tolist()}))
        (folder / file.name).symlink_to(data / "street/images" / file.name)
        yield file.name, *mask.shape, objects


def stars(data, folder, random, number):
    """Stars of four to nine corners on pictures of 400 x 300."""
    for i in range(number):
        objects = []
        for _ in range(12):
            n = int(random.integers(4, 10))
            angles = (np.arange(n) + random.uniform(0.1, 0.9, n)) * 2 * np.pi / n
            reach = np.exp(random.uniform(np.log(8), np.log(120)))
            ring = np.stack([np.cos(angles), np.sin(angles)], 1) * (random.uniform(0.3, 1, n) * reach)[:, None]
            ring = np.round(random.uniform(reach, np.array([400, 300]) - reach) + ring, 2)
            objects.append(([*ring.min(0).tolist(), *ring.max(0).tolist()], [ring.ravel().tolist()]))
        Image.fromarray(np.zeros((300, 400, 3), np.uint8)).save(folder / f"{i}.png")
        yield f"{i}.png", 300, 400, objects


def write(folder, pictures):
    """A COCO file; returns the boxes of each picture by their ids."""
    images, annotations, boxes = [], [], {}
    for n, (name, height, width, objects) in enumerate(pictures):
        images.append({"id": n, "file_name": name, "height": int(height), "width": int(width)})
        boxes[name] = (height, width, {})
        for (x1, y1, x2, y2), shape in objects:
            a = {"id": len(annotations), "image_id": n, "category_id": 1, "iscrowd": 0, "bbox": [x1, y1, x2 - x1, y2 - y1]}
            boxes[name][2][a["id"]] = [x1, y1, x2, y2]
            annotations.append(a | ({"segmentation": shape} if shape else {}))
    file = folder / "in.json"
    file.write_text(json.dumps({"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "a"}]}))
    return boxes


def sluice(binary, folder, chain, seed):
    text = f"version: 1\nseed: {seed}\nsource: {{coco: {{file: '{folder}/in.json', images: '{folder}'}}}}\nstages:\n  - decode: {{}}\n"
    (folder / "chain.yaml").write_text(text + "".join(f"  - {name}: {json.dumps(options)}\n" for name, options in chain))
    run = subprocess.run([binary, "stream", folder / "chain.yaml", "--params"], capture_output=True)
    if run.returncode:
        sys.exit(run.stderr.decode())
    return pa.ipc.open_stream(run.stdout).read_all().select(["key", "params", "boxes", "boxes.id"]).to_pylist()


def by_torchvision(chain, draws, height, width, ids, boxes):
    target = tv_tensors.BoundingBoxes(torch.tensor(boxes, dtype=torch.float64), format="XYXY", canvas_size=(height, width))
    for (name, options), drawn in zip(chain, draws, strict=True):
        target = peers.torchvision(name, options, drawn, target)
    b = peers.F.clamp_bounding_boxes(target, clamping_mode="hard").numpy()
    return {n: box for n, box in zip(ids, b, strict=True) if min(box[2:] - box[:2]) >= 1}


def by_albumentations(chain, draws, steps, height, width, ids, boxes):
    transforms, blank = [], np.zeros((height, width), np.uint8)
    for (name, options), drawn, step in zip(chain, draws, steps, strict=True):
        one = peers.albumentations(name, options, drawn, height, width)
        if one is None:
            return None
        transforms += one
        height, width = step.size
    params = A.BboxParams(format="pascal_voc", label_fields=["ids"], min_area=1, min_width=1, min_height=1, min_visibility=0.1)
    out = A.Compose(transforms, bbox_params=params)(image=blank, bboxes=boxes, ids=ids)
    return dict(zip([int(n) for n in out["ids"]], out["bboxes"], strict=True))


def area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("sluice", "data"):
        parser.add_argument(name, type=lambda p: pathlib.Path(p).resolve())
    parser.add_argument("--chains", type=int, default=100)
    parser.add_argument("--pictures", type=int, default=8)
    parser.add_argument("-o", dest="file", type=argparse.FileType("w"), default=sys.stdout)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    random = np.random.default_rng(15)
    ratios, gone = collections.defaultdict(list), collections.defaultdict(collections.Counter)
    with tempfile.TemporaryDirectory() as temp:
        for make in (cells, street, stars):
            folder = pathlib.Path(temp) / make.__name__
            folder.mkdir()
            pictures = write(folder, make(args.data, folder, random, args.pictures))
            for seed in range(args.chains):
                chain = [STAGES[i] for i in random.integers(0, len(STAGES), random.integers(2, 5))]
                turns = min(sum(name in TURNING for name, _ in chain), 3)
                for row in sluice(args.sluice, folder, chain, seed):
                    height, width, boxes = pictures[row["key"]]
                    steps, draws = oracle.drawn(chain, json.loads(row["params"]))
                    ours = dict(zip(row["boxes.id"], row["boxes"], strict=True))
                    ids, corners = list(boxes), list(boxes.values())
                    theirs = {"torchvision": by_torchvision(chain, draws, height, width, ids, corners),
                              "albumentations": by_albumentations(chain, draws, steps, height, width, ids, corners)}
                    for peer, found in theirs.items():
                        if found is None:
                            continue
                        ratios[make.__name__, peer, turns] += [area(found[n]) / area(ours[n]) for n in found if n in ours]
                        gone[make.__name__, peer]["there"] += len(found)
                        gone[make.__name__, peer]["not here"] += len(found.keys() - ours.keys())
                        gone[make.__name__, peer]["not there"] += len(ours.keys() - found.keys())
    report(args, ratios, gone)


def report(args, ratios, gone):
    out = args.file
    versions = f"Python {platform.python_version()}, torchvision {torchvision.__version__}, albumentations {A.__version__}, OpenCV {cv2.__version__}"
    print(f"# Boxes that are boxed again after each stage\n\n{datetime.date.today()}: {versions}.\n", file=out)
    print(f"`chains.py SLUICE DATA --chains {args.chains} --pictures {args.pictures}`\n", file=out)
    print("Area of a box there over that of the same object's box from sluice, after the same chain with the same draws, by how many of its two to four", file=out)
    print("stages turn boxes (rotate, affine, perspective).\n", file=out)
    print("| objects | boxed again by | turning stages | boxes | median | 75 % | 90 % | 99 % | 1.5 times or more | least |", file=out)
    print("|---" * 10 + "|", file=out)
    for (name, peer, turns), r in sorted(ratios.items(), key=lambda i: (list(NAMES).index(i[0][0]), i[0][1:])):
        q = np.quantile(r, [0.5, 0.75, 0.9, 0.99])
        print(f"| {NAMES[name]} | {peer} | {turns}{' or more' if turns == 3 else ''} | {len(r)} | " + " | ".join(f"{v:.2f}" for v in q)
              + f" | {np.mean(np.array(r) >= 1.5):.0%} | {min(r):.4f} |", file=out)
    print("\nBoth sides drop what is narrower than a pixel. sluice drops objects of which less than a tenth is left after all stages; albumentations'", file=out)
    print("min_visibility is 0.1, too, of the box that entered each stage; torchvision has no such rule.", file=out)
    print("\n| objects | library | delivered there | of them not by sluice | by sluice alone |\n|---|---|---|---|---|", file=out)
    for (name, peer), c in gone.items():
        print(f"| {NAMES[name]} | {peer} | {c['there']} | {c['not here']} | {c['not there']} |", file=out)
    out.flush()


if __name__ == "__main__":
    main()
