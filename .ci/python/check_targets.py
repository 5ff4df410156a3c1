"""Boxes, polygons, keypoints and masks after each geometric stage, and after chains of them, against a float64 oracle,
torchvision v2 and albumentations, given what sluice drew.

    python .ci/python/check_targets.py SLUICE DATA [--times N]

Boxes are those of DATA/cells and random ones, masks those of DATA/street and random ones. --times N looks at N times as
many pictures, each with draws of its own.
"""
import collections
import concurrent.futures
import json
import pathlib
import subprocess
import sys
import tempfile
import warnings
import xml.etree.ElementTree as ET

import albumentations as A
import numpy as np
import pyarrow as pa
import torch
from PIL import Image
from torchvision import tv_tensors

import common
import oracle
import peers

args = common.arguments(__doc__, "data", times=1)
warnings.simplefilter("ignore")
torch.set_num_threads(1)
temp = pathlib.Path(tempfile.mkdtemp(prefix="sluice-targets-"))
random = np.random.default_rng(15)

# Every geometric stage, in every form of its options.
CASES = [
    ("rotate", {"degrees": 30}),
    ("rotate", {"degrees": 180}),
    ("rotate", {"degrees": [90, 90]}),
    ("rotate", {"degrees": 60, "expand": True}),
    ("affine", {"degrees": 30, "translate": [0.2, 0.1], "scale": [0.6, 1.5]}),
    ("affine", {"shear": 25}),
    ("affine", {"degrees": 15, "translate": [0.1, 0.1], "scale": [0.8, 1.2], "shear": [-15, 15, -10, 10]}),
    ("perspective", {}),
    ("perspective", {"distortion_scale": 0.2}),
    ("crop", {"size": 0.5}),
    ("crop", {"height": 31, "width": 0.6, "offset": [0, 0.1]}),
    ("center_crop", {"size": 0.6}),
    ("center_crop", {"height": 33, "width": 28}),
    ("random_resized_crop", {"size": 96}),
    ("random_resized_crop", {"height": 40, "width": 75, "scale": [0.3, 0.5]}),
    ("flip", {"p": 0.5}),
    ("flip", {"p": 1}),
    ("flip", {"p": 0.7, "direction": "vertical"}),
    ("resize", {"height": 57, "width": 91}),
    ("resize", {"size": 64}),
    ("resize", {"size": 80, "max_size": 100}),
    ("random_shortest_size", {"min": [40, 64, 97, 131]}),
    ("random_shortest_size", {"min": [60, 90], "max": 111}),
    ("scale_jitter", {"target": [90, 120], "range": [0.4, 1.5]}),
    ("pad", {"padding": [5]}),
    ("pad", {"padding": [3, 0, 11, 20]}),
    ("pad", {"size": [700, 90], "at": "top_left"}),
    ("pad", {"multiple": 32}),
    ("pad", {"padding": [9, 14, 2, 30], "mode": "edge"}),
    ("pad", {"padding": [7, 25, 19, 4], "mode": "reflect"}),
    ("letterbox", {"size": 128}),
    ("letterbox", {"height": 75, "width": 160, "at": "top_left"}),
    ("letterbox", {"size": 300, "scale_up": False}),
    ("random_iou_crop", {}),
    ("random_iou_crop", {"sampler_options": [0.0, 0.5], "scale": [0.2, 0.6]}),
    ("random_zoom_out", {"p": 0.8, "side_range": [1, 2.5]}),
    ("sanitize_boxes", {"min_size": 4, "min_area": 40}),
]
TURNS = ("rotate", "affine", "perspective")  # boxes come to lie askew
CHAINS = 12  # random ones, of two to four stages

# --- what sluice reads, made from what is written here


def star():
    """A polygon that its centre sees all of, of a size between a speck and most of a picture."""
    n = int(random.integers(4, 9))
    angles = (np.arange(n) + random.uniform(0.1, 0.9, n)) * 2 * np.pi / n
    radii = random.uniform(0.3, 1, n)
    return np.stack([np.cos(angles), np.sin(angles)], 1) * radii[:, None]


class Object:
    """rings are the object's outline, pieces the same in convex parts."""

    def __init__(self, number, box, rings=None, pieces=None, keypoints=None):
        x1, y1, x2, y2 = box
        square = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])
        self.number, self.box, self.keypoints = number, np.array(box, float), keypoints
        self.polygon = rings
        self.rings = rings or [square]
        self.pieces = pieces or [square.tolist()]


def invented(number, height, width):
    """A random object: a box alone, a polygon that is a box, a star, or two of them."""
    kind = random.integers(4)
    if kind < 2:
        size = np.exp(random.uniform(np.log(0.6), np.log([width, height])))
        first = random.uniform(0, np.maximum([width, height] - size, 0))
        box = np.round(np.concatenate([first, np.minimum(first + size, [width, height])]), 2)
        if min(box[2:] - box[:2]) < 0.02:
            box[2:] = box[:2] + 0.5
        x1, y1, x2, y2 = box
        rings = [np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])] if kind else None
        out = Object(number, box, rings)
    else:
        rings, pieces = [], []
        for _ in range(kind - 1):
            reach = np.exp(random.uniform(np.log(1.5), np.log(min(height, width) / 2)))
            middle = random.uniform(reach, np.array([width, height]) - reach)
            middle, ring = np.round(middle, 2), np.round(middle + star() * reach, 2)
            rings.append(ring)
            pieces += [[middle.tolist(), a.tolist(), b.tolist()] for a, b in zip(np.roll(ring, 1, 0), ring)]
        out = Object(number, oracle.around(rings), rings, pieces)
    if random.integers(2):
        points = np.round(random.uniform(out.box[:2], out.box[2:], (4, 2)), 2)
        seen = random.integers(0, 3, 4)
        out.keypoints = np.where(seen[:, None] > 0, np.column_stack([points, seen]), 0)
    return out


def read(folder, file):
    """The size and the boxes of a VOC file. Boxes without area, and doubled ones, are not looked at."""
    root = ET.parse(folder / file).getroot()
    size = [int(root.find("size").find(s).text) for s in ("height", "width")]
    boxes = [[int(o.find("bndbox").find(c).text) for c in ("xmin", "ymin", "xmax", "ymax")] for o in root.iter("object")]
    boxes = [(max(a - 1, 0), max(b - 1, 0), min(c, size[1]), min(d, size[0])) for a, b, c, d in boxes]
    return size, [b for b in boxes if b[2] > b[0] + 1 and b[3] > b[1] + 1]


def make():
    """Pictures with objects, as a COCO file, and pictures with masks."""
    (temp / "pictures").mkdir()
    (temp / "masked").mkdir()
    (temp / "masks").mkdir()
    objects, masks, listed, annotations = {}, {}, [], []
    cells = sorted((args.data / "cells/Annotations").iterdir())
    for file in random.choice(cells, min(6 * args.times, len(cells)), replace=False):
        (height, width), boxes = read(args.data / "cells/Annotations", file.name)
        name = file.with_suffix(".jpg").name
        (temp / "pictures" / name).symlink_to(args.data / "cells/JPEGImages" / name)
        objects[name] = (height, width, [Object(None, b) for b in boxes])
    for i in range(14 * args.times):
        height, width = (int(n) for n in random.integers(34, 140, 2))
        Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8)).save(temp / f"pictures/r{i:05}.png")
        objects[f"r{i:05}.png"] = (height, width, [invented(None, height, width) for _ in range(8)])
    names = ["nose", "left_eye", "right_eye", "left_hand"]
    for n, (name, (height, width, list_)) in enumerate(objects.items()):
        listed.append({"id": n, "file_name": name, "height": height, "width": width})
        for o in list_:
            o.number = len(annotations)
            x1, y1, x2, y2 = (float(v) for v in o.box)
            a = {"id": o.number, "image_id": n, "category_id": o.number % 5, "iscrowd": 0, "bbox": [x1, y1, x2 - x1, y2 - y1]}
            if o.polygon:
                a["segmentation"] = [r.ravel().tolist() for r in o.polygon]
            if o.keypoints is not None:
                a["keypoints"] = o.keypoints.ravel().tolist()
            annotations.append(a)
    categories = [{"id": c, "name": f"c{c}", "keypoints": names} for c in range(5)]
    (temp / "in.json").write_text(json.dumps({"images": listed, "annotations": annotations, "categories": categories}))
    street = sorted((args.data / "street/masks").iterdir())
    for file in random.choice(street, min(2 * args.times, len(street)), replace=False):
        (temp / "masked" / file.name).symlink_to(args.data / "street/images" / file.name)
        (temp / "masks" / file.name).symlink_to(file)
    for i in range(8 * args.times):
        height, width = (int(n) for n in random.integers(34, 140, 2))
        Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8)).save(temp / f"masked/r{i:05}.png")
        Image.fromarray(random.integers(0, 250, (height, width), np.uint8)).save(temp / f"masks/r{i:05}.png")
    for file in (temp / "masks").iterdir():
        masks[file.name] = np.asarray(Image.open(file))
    return objects, masks


OBJECTS, MASKS = make()
COCO = f"{{coco: {{file: '{temp}/in.json', images: '{temp}/pictures'}}}}"
FOLDER = f"{{folder: {{path: '{temp}/masked', tasks: [], masks: '../masks/{{stem}}.png'}}}}"


def stream(source, stages, seed, *flags):
    lines = [f"{name}: {json.dumps(options)}" for name, options in stages]
    file = common.pipeline(source, "decode: {}", *lines, seed=seed, folder=temp)
    run = subprocess.run([args.sluice, "stream", file, "--params", "--workers=1", *flags], capture_output=True)
    if run.returncode:
        sys.exit(f"{stages}: {run.stderr.decode()}")
    return pa.ipc.open_stream(run.stdout).read_all()


class Worst:
    """The largest of some differences, and where it was."""

    def __init__(self):
        self.figure, self.number, self.where = 0.0, 0, ""

    def add(self, a, b, where):
        self.number += 1
        difference = float(np.abs(np.subtract(a, b, dtype=float)).max(initial=0)) if np.shape(a) == np.shape(b) else np.inf
        if not difference <= self.figure:
            self.figure, self.where = difference, where


worst = collections.defaultdict(Worst)
wrong = collections.defaultdict(list)
counts = collections.Counter()


def place(stages, key, o):
    return f"{' '.join(f'{n} {json.dumps(p)}' for n, p in stages)}, {key}, object {o.number if o else '-'}"


def inner(params):
    """The composed matrix, of pixel centres, in continuous coordinates."""
    m = np.reshape(params["matrix"], (-1, 3))
    m = np.vstack([m, [0, 0, 1]]) if len(m) == 2 else m
    return oracle.shift(0.5, 0.5) @ m @ oracle.shift(-0.5, -0.5)


def against_oracle(stages, row, params, steps, draws, clip):
    """Compares a row's objects with the oracle's; returns those that it knows to stay."""
    height, width, objects = OBJECTS[row["key"]]
    forward = oracle.compose(steps)
    if params["output"] != list(steps[-1].size):
        wrong["sizes"].append((place(stages, row["key"], None), params["output"], steps[-1].size))
    grid = np.stack(np.meshgrid([0, width / 3, width], [0, height / 2, height]), -1).reshape(-1, 2)
    worst["composed matrices (pixels at the picture's corners)"].add(oracle.apply(inner(params), grid), oracle.apply(forward, grid), place(stages, row["key"], None))
    mirrored = np.linalg.det(forward) < 0
    ids = {n: i for i, n in enumerate(row["boxes.id"])}
    fates = {}
    for o in objects:
        where = place(stages, row["key"], o)
        fate = fates[o.number] = oracle.fate(o.rings, o.pieces, steps)
        stays = fate.stays()
        for i, (name, options) in enumerate(stages):
            if name not in ("random_iou_crop", "sanitize_boxes"):
                continue
            before = oracle.fate(o.rings, o.pieces, steps[:i])
            if name == "random_iou_crop" and draws[i] and before.box is not None:
                x, y = (before.box[:2] + before.box[2:]) / 2
                x1, y1, x2, y2 = steps[i].window
                gap = min(x - x1, x2 - x, y - y1, y2 - y)
                stays = stays and (None if abs(gap) < 1e-6 else gap > 0)
            if name == "sanitize_boxes" and before.box is not None:
                w, h = before.box[2:] - before.box[:2]
                gap = min(w - options["min_size"], h - options["min_size"], w * h - options["min_area"])
                stays = stays and (None if abs(gap) < 1e-5 else gap > 0)
        at = ids.get(o.number)
        counts["objects"] += 1
        if stays is None:
            counts["objects whose fate hangs on the last digits"] += 1
        elif stays != (at is not None):
            wrong["objects that stay or go otherwise"].append((where, fate))
        if at is None or fate.box is None:
            continue
        counts["objects that stay"] += 1
        if row["boxes.label"][at] != o.number % 5:
            wrong["labels"].append(where)
        worst["corners of boxes, clipped" if clip else "corners of boxes, whole"].add(row["boxes"][at], fate.box if clip else fate.unclipped, where)
        worst["areas (share)"].add(row["boxes.area"][at] / max(fate.area, 1), fate.area / max(fate.area, 1), where)
        parts = [np.reshape(p, (-1, 2)) for p in row["boxes.polygon"][at]]
        if o.polygon and not clip:
            worst["points of polygons"].add(np.concatenate(parts), np.concatenate([oracle.apply(forward, r) for r in o.polygon]), where)
        elif o.polygon:
            worst["areas of clipped polygons (share)"].add(sum(map(oracle.area, parts)) / max(fate.area, 1), fate.area / max(fate.area, 1), where)
            worst["boxes around clipped polygons"].add(oracle.around(parts), fate.box, where)
        points = np.reshape(row["keypoints"][at], (4, 3))
        for k, (x, y, v) in enumerate(np.zeros((4, 3)) if o.keypoints is None else o.keypoints):
            to = {1: 2, 2: 1}.get(k, k) if mirrored else k
            sees = v > 0 and oracle.sees((x, y), steps)
            if sees is None:
                continue
            worst["keypoints"].add(points[to], [*oracle.apply(forward, [x, y])[0], v] if sees else [0, 0, 0], where)
            counts["keypoints that are visible"] += bool(sees)
    return fates


def clamped(boxes, size):
    return np.clip(boxes, 0, [size[1], size[0]] * 2)


def against_peers(stages, row, steps, draws, fates):
    """Compares the whole boxes, and keypoints, of a stage or a chain with torchvision's; and those of a stage, and which
    are kept, with albumentations'."""
    height, width, objects = OBJECTS[row["key"]]
    size = steps[-1].size
    boxes = np.array([o.box for o in objects], float)
    ours = dict(zip(row["boxes.id"], row["boxes"]))
    # Corner points, which no stage boxes again.
    points = boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]
    moved = tv_tensors.KeyPoints(points.reshape(-1, 2), canvas_size=(height, width))
    one = tv_tensors.BoundingBoxes(torch.tensor(boxes), format="XYXY", canvas_size=(height, width), clamping_mode=None)
    for (name, options), drawn in zip(stages, draws):
        moved, one = peers.torchvision(name, options, drawn, moved), peers.torchvision(name, options, drawn, one)
    moved = moved.numpy().reshape(-1, 4, 2)
    expands = any(o.get("expand") for _, o in stages)
    plain = [(i, o) for i, o in enumerate(objects) if o.polygon is None or len(o.polygon) == 1 and len(o.polygon[0]) == 4 and len(o.pieces) == 1]
    for i, o in plain:
        if o.number not in ours:
            continue
        where = place(stages, row["key"], o)
        whole = fates[o.number].unclipped
        if expands or (np.abs(whole[:2]) > size[::-1]).any() or (np.abs(whole[2:]) > 2 * np.array(size[::-1])).any():
            # Far outside its float32 coefficients of perspectives count. Canvases that expand are up to a pixel
            # larger or smaller than those of its own pictures.
            continue
        worst["torchvision: corner points of chains" if len(stages) > 1 else "torchvision: corner points"].add(ours[o.number], oracle.around([moved[i]]), where)
        if len(stages) == 1:
            worst["torchvision: boxes"].add(ours[o.number], one[i].numpy(), where)
    if len(stages) > 1:
        return
    name, options = stages[0]
    if name == "random_iou_crop" and draws[0]:
        kept = peers.iou_crop(draws[0], torch.tensor(boxes), height, width)
        for i, o in plain:
            if fates[o.number].stays() and kept[i] != (o.number in ours):
                wrong["torchvision: boxes that random_iou_crop keeps otherwise"].append(place(stages, row["key"], o))
        return
    if name == "sanitize_boxes":
        kept = (clean(options)(tv_tensors.BoundingBoxes(torch.tensor(boxes), format="XYXY", canvas_size=(height, width)))).numpy()
        for i, o in plain:
            if bool((np.abs(kept - boxes[i]).max(1) < 1e-9).any()) != (o.number in ours):
                wrong["torchvision: boxes that sanitize_boxes keeps otherwise"].append(place(stages, row["key"], o))
    transforms = peers.albumentations(name, options, draws[0], height, width)
    if transforms is None:
        return
    limits = {"min_area": 1, "min_width": 1, "min_height": 1, "min_visibility": 0.1}
    if name == "sanitize_boxes":
        limits |= {"min_area": options["min_area"], "min_width": options["min_size"], "min_height": options["min_size"]}
    numbers = [o.number for _, o in plain]
    compose = A.Compose(transforms, bbox_params=A.BboxParams(format="pascal_voc", label_fields=["numbers"], **limits), keypoint_params=A.KeypointParams(format="xy", remove_invisible=False))
    marks = np.concatenate([o.keypoints[o.keypoints[:, 2] > 0] for o in objects if o.keypoints is not None] or [np.zeros((0, 3))])
    out = compose(image=np.zeros((height, width), np.uint8), bboxes=boxes[[i for i, _ in plain]], numbers=numbers, keypoints=marks[:, :2] - 0.5)
    theirs = dict(zip([int(n) for n in out["numbers"]], out["bboxes"]))
    if name != "perspective" and not expands and steps[0].forward[0, 0] <= 1: # numbers of pixels are multiplied, half a pixel too far
        worst["albumentations: keypoints"].add(np.reshape(out["keypoints"], (-1, 2)) + 0.5, oracle.apply(steps[0].forward, marks[:, :2]), place(stages, row["key"], None))
    for _, o in plain:
        where = place(stages, row["key"], o)
        if o.number in theirs and o.number in ours:
            worst["albumentations: boxes"].add(clamped(ours[o.number], size), theirs[o.number], where)
        # albumentations' rule: areas of the boxes around what was turned.
        box, cut = fates[o.number].unclipped, clamped(fates[o.number].unclipped, size)
        w, h = cut[2:] - cut[:2]
        share = w * h / np.prod(box[2:] - box[:2])
        figures = [w / limits["min_width"], h / limits["min_height"], w * h / limits["min_area"], share / 0.1]
        if min(abs(f - 1) for f in figures) < (1e-3 if name not in TURNS else 0.05):
            counts["boxes near a limit of albumentations"] += 1
            continue
        if (min(figures) > 1) != (o.number in theirs):
            wrong["albumentations' rule"].append((where, figures))
        turned = name in TURNS and steps[0].forward[0, 1] != 0
        counts[f"boxes {'turned' if turned else 'upright'}: all"] += 1
        if (o.number in theirs) != (o.number in ours):
            counts[f"boxes {'turned' if turned else 'upright'}: kept otherwise by albumentations"] += 1
            if not turned:
                wrong["albumentations: boxes that stay or go otherwise"].append((where, figures))


def clean(options):
    return peers.v2.SanitizeBoundingBoxes(min_size=options["min_size"], min_area=options["min_area"], labels_getter=None)


TARGETS = ["key", "params", "boxes", "boxes.id", "boxes.label", "boxes.area", "boxes.polygon", "keypoints"]


def look_at_objects(stages, runs):
    for clip, run in runs.items():
        for row in run.result().select(TARGETS).to_pylist():
            params = json.loads(row["params"])
            steps, draws = oracle.drawn(stages, params)
            fates = against_oracle(stages, row, params, steps, draws, clip)
            if not clip:
                against_peers(stages, row, steps, draws, fates)


def pixels(table, column):
    """The pictures of a column that has one channel."""
    for chunk in table[column].chunks:
        if hasattr(chunk, "to_numpy_ndarray"):
            yield from chunk.to_numpy_ndarray()
            continue
        height, width, values = (chunk.field(n) for n in ("height", "width", "pixels"))
        for h, w, p in zip(height.to_pylist(), width.to_pylist(), values):
            yield np.frombuffer(p.as_buffer(), np.uint8).reshape(h, w)


agree = collections.defaultdict(lambda: [0, 0])


def look_at_masks(stages, runs):
    for fuse, run in runs.items():
        table = run.result()
        for key, text, mask in zip(table["key"].to_pylist(), table["params"].to_pylist(), pixels(table, "mask")):
            steps, draws = oracle.drawn(stages, json.loads(text))
            if len(stages) > 1 and fuse == "full" and all(s.border == "constant" for s in steps):
                want, unsure = oracle.composed(MASKS[key], steps)
                counts["pixels of masks of composed chains"] += want.size
                counts["pixels of masks of composed chains, whose points lie on an edge"] += int(unsure.sum())
                if want.shape == mask.shape:
                    want = np.where(unsure, mask, want)
            else:
                want = oracle.masked(MASKS[key], steps)
            counts["pixels of masks"] += want.size
            if mask.shape != want.shape or not np.array_equal(mask, want):
                off = (mask != want).sum() if mask.shape == want.shape else "size"
                wrong["masks"].append((place(stages, key, None), fuse, off))
            if len(stages) > 1 or fuse == "full":
                continue
            name, options = stages[0]
            moved = peers.torchvision(name, options, draws[0], tv_tensors.Mask(torch.from_numpy(MASKS[key].copy())[None]))
            note(name, "torchvision", moved[0].numpy(), mask)
            transforms = peers.albumentations(name, options, draws[0], *MASKS[key].shape)
            if transforms:
                note(name, "albumentations", A.Compose(transforms)(image=MASKS[key], mask=MASKS[key])["mask"], mask)


def note(stage, peer, theirs, ours):
    if theirs.shape == ours.shape:
        agree[peer, stage][0] += int((theirs == ours).sum())
        agree[peer, stage][1] += ours.size


def chain():
    """Stages that a chain of them may have: small pictures may become too small for windows in pixels."""
    choice = [c for c in CASES if c[0] != "sanitize_boxes" and "expand" not in c[1] and not (c[0] in ("crop", "center_crop") and "height" in c[1])]
    return [choice[i] for i in random.integers(0, len(choice), random.integers(2, 5))]


def main():
    lists = [[c] for c in CASES] + [chain() for _ in range(CHAINS * args.times)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        runs = []
        for seed, stages in enumerate(lists):
            objects = {clip: pool.submit(stream, COCO, stages, seed, f"--set=objects.clip={str(clip).lower()}") for clip in (True, False)}
            needs_objects = {"random_iou_crop", "sanitize_boxes"} & {n for n, _ in stages}
            masks = {} if needs_objects else {f: pool.submit(stream, FOLDER, stages, seed, f"--fuse={f}") for f in ("exact", "full")}
            runs.append((stages, objects, masks))
        for stages, objects, masks in runs:
            look_at_objects(stages, objects)
            look_at_masks(stages, masks)
    print(f"{len(CASES)} stages and forms of them, {len(lists) - len(CASES)} chains, {len(OBJECTS)} pictures with objects, {len(MASKS)} with masks")
    for what, n in sorted(counts.items()):
        print(f"     {what}: {n}")
    for what, w in sorted(worst.items()):
        limit = 1 if "torchvision" in what or "albumentations" in what else 1e-3
        common.at_most(f"{what}: largest of {w.number} differences" + (f", {w.where}" if w.figure > limit else ""), w.figure, limit)
    for what in ("sizes", "labels", "masks", "objects that stay or go otherwise", "torchvision: boxes that random_iou_crop keeps otherwise",
                 "torchvision: boxes that sanitize_boxes keeps otherwise", "albumentations' rule", "albumentations: boxes that stay or go otherwise"):
        common.expect(not wrong[what], f"{what}: {len(wrong[what])} {wrong[what][:2] or ''}")
    # OpenCV's perspective is of pixel indices, and its nearest exact has fixed-point factors.
    for (peer, stage), (same, all_) in sorted(agree.items()):
        least = 0.995 if peer == "torchvision" else 0.95
        common.expect(same / all_ >= least, f"masks of {peer}, {stage}: {same / all_:.3%} of {all_} pixels are the same (at least {least:.1%})")


if __name__ == "__main__":
    main()
    common.finish()
