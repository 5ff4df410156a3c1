"""Detection and segmentation sets that sluice writes, opened by the programs that they are for.

    python .ci/python/interop_targets.py SLUICE

pycocotools and torchvision's CocoDetection must read what the format coco writes, and compute the areas in it: of
crowds exactly, of polygons within the pixels of their outline. A set that no stage touches must come back number for
number, also after a second trip. The labels of yolo must be the same boxes within 1e-6, and masks the same pixels.
"""
import contextlib
import io
import json
import os
import pathlib
import tempfile

import common
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torchvision.datasets import CocoDetection

args = common.arguments(__doc__)
temp = pathlib.Path(tempfile.mkdtemp(prefix="sluice-targets-"))
os.chdir(temp)
random = np.random.default_rng(1)

names = ["nose", "left_eye", "right_eye", "left_hand"]
categories = [
    {"id": 1, "name": "person", "supercategory": "living", "keypoints": names, "skeleton": [[1, 2], [1, 3]]},
    {"id": 3, "name": "car"},
    {"id": 7, "name": "dog", "keypoints": ["tail", "nose"]},
    {"id": 90, "name": "traffic light"},
]
own = {c["id"]: c.get("keypoints", []) for c in categories}


def annotation(number, image, height, width):
    """One object, of any kind: a star-shaped polygon or two, a crowd of random pixels, a box alone."""
    kind = random.integers(4)
    out = {"id": 1000 + 7 * number, "image_id": image, "category_id": int(random.choice([1, 3, 7, 90])), "iscrowd": int(kind == 0)}
    if kind == 0:
        pixels = np.zeros((height, width), np.uint8, order="F")
        y, x = random.integers(0, height - 12), random.integers(0, width - 12)
        pixels[y : y + 12, x : x + 12] = random.integers(0, 2, (12, 12))
        pixels[y + 3, x + 4] = 1
        flat = np.flatnonzero(np.diff(np.concatenate([[0], pixels.ravel(order="F"), [2]]))).tolist()
        counts = np.diff([0, *flat]).tolist()
        packed = rle.frPyObjects({"size": [height, width], "counts": counts}, height, width)
        out |= {"segmentation": {"size": [height, width], "counts": counts}, "area": int(rle.area(packed)), "bbox": rle.toBbox(packed).tolist()}
    elif kind == 1:
        x, y, w, h = (round(float(v), 2) for v in (random.uniform(0, width - 20), random.uniform(0, height - 20), *random.uniform(2, 19, 2)))
        out |= {"segmentation": [], "bbox": [x, y, w, h], "area": round(w * h, 3)}
    else:
        parts, area = [], 0
        for _ in range(1 if kind == 2 else 2):
            angle = np.linspace(0, 2 * np.pi, 9)[:-1]
            radius = random.uniform(3, 9, 8)
            x, y = random.uniform(10, width - 10) + radius * np.cos(angle), random.uniform(10, height - 10) + radius * np.sin(angle)
            x, y = np.round(x, 2), np.round(y, 2)
            parts.append(np.stack([x, y], 1).ravel().tolist())
            area += abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
        points = np.concatenate([np.reshape(p, (-1, 2)) for p in parts])
        low, high = points.min(0), points.max(0)
        out |= {"segmentation": parts, "bbox": np.round([*low, *(high - low)], 2).tolist(), "area": round(float(area), 3)}
    if (n := len(own[out["category_id"]])) > 0:
        x, y, w, h = out["bbox"]
        points = np.stack([random.integers(x, x + w + 1, n), random.integers(y, y + h + 1, n), random.integers(0, 3, n)], 1)
        points = np.minimum(points, [width - 1, height - 1, 2])
        points[points[:, 2] == 0] = 0
        out |= {"keypoints": points.ravel().tolist(), "num_keypoints": int((points[:, 2] > 0).sum())}
    return out


(temp / "pictures").mkdir()
images, annotations = [], []
for i in range(24):
    height, width = (int(v) for v in random.integers(60, 120, 2))
    pixels = np.kron(random.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8), np.ones((8, 8, 1), np.uint8))[:height, :width]
    name = f"{i:012}.{('jpg', 'png')[i % 2]}"
    Image.fromarray(pixels).save(temp / "pictures" / name)
    images.append({"id": 500 + 3 * i, "file_name": name, "height": height, "width": width})
    annotations += [annotation(len(annotations) + j, 500 + 3 * i, height, width) for j in range(i % 7)]
(temp / "in.json").write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
SOURCE = "{coco: {file: FILE, images: FOLDER, keypoints: {convention: index}}}"
source = SOURCE.replace("FILE", "in.json").replace("FOLDER", "pictures")


def materialize(name, pipeline, form, *options, epochs=1):
    common.run(args.sluice, "materialize", pipeline, "-o", name, "--epochs", epochs, "--format", form, *(f"--set=sink.{form}.{o}" for o in options))
    common.run(args.sluice, "verify", name)
    return temp / name


def opened(folder):
    """pycocotools' view of a set, and CocoDetection's pictures."""
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(folder / "instances.json"), CocoDetection(folder / "images", folder / "instances.json")


def by_name(instances, key):
    """The annotations of each picture, without the ids that each set numbers anew, and without empty segmentations."""
    files = {i["id"]: i[key] for i in instances["images"]}
    out = {name: [] for name in files.values()}
    for a in instances["annotations"]:
        out[files[a["image_id"]]].append({k: v for k, v in a.items() if k not in ("id", "image_id", "source_id") and v != []})
    return out


def areas(what, folder):
    """The areas in a file against pycocotools' own."""
    coco, pictures = opened(folder)
    with contextlib.redirect_stdout(io.StringIO()):
        found = COCOeval(coco, coco.loadRes([{**a, "score": 0.5} for a in coco.dataset["annotations"] if not a["iscrowd"]]), "bbox")
        found.evaluate()
        found.accumulate()
        found.summarize()
    common.equal(f"{what}: average precision of the boxes themselves", round(float(found.stats[0]), 6), 1.0)
    crowds = polygons = boxes = 0
    worst = 0.0
    for a in coco.dataset["annotations"]:
        if "segmentation" not in a:
            boxes += 1
            continue
        found = float(rle.area(coco.annToRLE(a)))
        if a["iscrowd"]:
            crowds += found != a["area"]
            continue
        polygons += 1
        outline = 0.0
        for part in a["segmentation"]:
            p = np.reshape(part, (-1, 2))
            outline += np.abs(p - np.roll(p, 1, 0)).sum()
        worst = max(worst, abs(found - a["area"]) / (outline + 1))
    common.expect(crowds == 0, f"{what}: crowds whose area isn't pycocotools': {crowds}")
    common.at_most(f"{what}: {polygons} polygons ({boxes} boxes alone), largest difference of areas for each pixel of the outline", worst, 1)
    sizes = 0
    for i, picture in enumerate(pictures):
        image = coco.loadImgs(pictures.ids[i])[0]
        sizes += (image["width"], image["height"]) != picture[0].size
    common.equal(f"{what}: pictures of CocoDetection that have another size than the file says", sizes, 0)
    return coco


# As they are.
passed = common.pipeline(source, "shuffle: {}", folder=temp)
kept = materialize("kept", passed, "coco", "keypoints=index")
out = json.loads((kept / "instances.json").read_text())
want, have = by_name({"images": images, "annotations": annotations}, "file_name"), by_name(out, "key")
wrong = [(name, a, b) for name in want for a, b in zip(want[name], have[name], strict=True) if a != b]
common.expect(not wrong, f"annotations that a set passed on has otherwise: {len(wrong)} of {len(annotations)} {wrong[:1]}")
common.expect(out["categories"] == categories, "categories are the source's, ids with gaps included")
ids = {a["source_id"] for a in out["annotations"]} == {a["id"] for a in annotations}
common.expect(ids and {i["meta"]["meta.image_id"] for i in out["images"]} == {i["id"] for i in images}, "ids of the source are all there")
common.expect([a["id"] for a in out["annotations"]] == list(range(1, len(annotations) + 1)), "annotations are numbered from 1")
same = sum((kept / "images" / i["file_name"]).read_bytes() == (temp / "pictures" / i["key"]).read_bytes() for i in out["images"])
common.equal("pictures with their bytes", same, len(images))
areas("as they are", kept)
again = materialize("again", common.pipeline(SOURCE.replace("FILE", "kept/instances.json").replace("FOLDER", "kept/images"), "shuffle: {}", folder=temp), "coco", "keypoints=index")
common.expect(by_name(json.loads((again / "instances.json").read_text()), "key") == {i["file_name"]: have[i["key"]] for i in out["images"]}, "a second trip changes nothing")
materialize("columns", passed, "arrow")
table = pa.concat_tables(pa.ipc.open_file(f).read_all() for f in sorted((temp / "columns").glob("part-*.arrow")))
spec = json.loads(table.schema.metadata[b"sluice.targets"])
wrong = 0
for row in table.to_pylist():
    for i, a in enumerate(want[row["key"]]):
        x, y, w, h = a["bbox"]
        points = np.zeros((len(spec["keypoints"]), 3))
        points[[spec["keypoints"].index(n) for n in own[a["category_id"]]]] = np.reshape(a.get("keypoints", []), (-1, 3))
        points[points[:, 2] > 0, :2] += 0.5
        same = np.allclose(row["boxes"][i], [x, y, x + w, y + h], rtol=0, atol=1e-4)
        same &= spec["category_ids"][row["boxes.label"][i]] == a["category_id"] and row["boxes.crowd"][i] == bool(a["iscrowd"])
        same &= np.isclose(row["boxes.area"][i], a["area"]) and np.array_equal(row["keypoints"][i], points.ravel())
        if not a["iscrowd"]:
            same &= [np.float32(p).tolist() for p in a.get("segmentation", [])] == row["boxes.polygon"][i]
        wrong += not same
common.equal("objects that pyarrow finds otherwise in the columns", wrong, 0)
common.equal("type of boxes", str(table.schema.field("boxes").type), "list<item: fixed_size_list<item: float not null>[4] not null>")
materialize("rows", passed, "parquet")
rows = pa.concat_tables(pq.read_table(f) for f in sorted((temp / "rows").glob("part-*.parquet")))
targets = [n for n in table.column_names if n.startswith(("boxes", "keypoints"))]
common.equal("columns of objects in Parquet files", [n for n in rows.column_names if n in targets], targets)
common.expect(all(rows[n].to_pylist() == table[n].to_pylist() for n in targets), "pyarrow finds the same in Parquet files")
through = materialize("through", common.pipeline("{arrow: {path: columns}}", "shuffle: {}", folder=temp), "coco", "keypoints=index")
common.expect(by_name(json.loads((through / "instances.json").read_text()), "key") == have, "nor does one through Arrow files")

# Through stages, each picture several times.
stages = ["decode: {}", "rotate: {degrees: 20}", "random_resized_crop: {size: 64}", "flip: {}"]
twice = common.pipeline(source, "shuffle: {}", *stages, "batch: {size: 5}", folder=temp)
turned = materialize("turned", twice, "coco", epochs=2)
coco = areas("through stages", turned)
common.equal("pictures through stages", len({i["file_name"] for i in coco.dataset["images"]}), 2 * len(images))
inside = sum(a["bbox"][0] < 0 or a["bbox"][1] < 0 or a["bbox"][0] + a["bbox"][2] > 64.001 or a["bbox"][1] + a["bbox"][3] > 64.001 for a in coco.dataset["annotations"])
common.equal("boxes that reach out of their pictures", inside, 0)
yolo = materialize("yolo", twice, "yolo", "objects=boxes", epochs=2)
worst, lines = 0.0, 0
for image in coco.dataset["images"]:
    boxes = [a for a in coco.loadAnns(coco.getAnnIds(image["id"])) if not a["iscrowd"]]
    text = (yolo / "labels" / image["file_name"]).with_suffix(".txt").read_text().splitlines()
    if len(text) != len(boxes):
        common.expect(False, f"{image['file_name']}: {len(text)} lines for {len(boxes)} boxes")
        continue
    for line, a in zip(text, boxes, strict=True):
        number, *box = (float(v) for v in line.split())
        x, y, w, h = a["bbox"]
        worst = max(worst, np.abs(np.subtract(box, [(x + w / 2) / 64, (y + h / 2) / 64, w / 64, h / 64])).max())
        lines += categories[int(number)]["id"] == a["category_id"]
common.at_most(f"boxes of yolo ({lines} lines) against coco's", worst, 1e-6)
common.equal("lines of yolo with the class of coco", lines, sum(not a["iscrowd"] for a in coco.dataset["annotations"]))

# Masks.
(temp / "masks").mkdir()
for image in images:
    mask = random.integers(0, 4, (image["height"], image["width"])).astype(np.uint8)
    mask[:5, :5] = 255
    Image.fromarray(mask).save((temp / "masks" / image["file_name"]).with_suffix(".png"))
source = "{folder: {path: pictures, tasks: [], masks: {path: '../masks/{stem}.png'}}}"
kept = materialize("masks-kept", common.pipeline(source, "shuffle: {}", folder=temp), "masks")
same = sum((kept / "masks" / p.name).read_bytes() == p.read_bytes() for p in (temp / "masks").iterdir())
common.equal("masks with their bytes", same, len(images))
materialize("masks-rows", common.pipeline(source, "shuffle: {}", folder=temp), "parquet")
rows = [r for f in sorted((temp / "masks-rows").glob("part-*.parquet")) for r in pq.read_table(f, columns=["key", "mask"]).to_pylist()]
same = sum((temp / "masks" / pathlib.Path(r["key"]).name).with_suffix(".png").read_bytes() == r["mask"]["bytes"] for r in rows)
common.equal("masks with their bytes in Parquet files", same, len(images))
flipped = materialize("masks-flipped", common.pipeline(source, "decode: {}", "flip: {p: 1}", "center_crop: {height: 60, width: 60}", "batch: {size: 4}", folder=temp), "masks")
wrong = 0
for p in (temp / "masks").iterdir():
    mask = np.fliplr(np.asarray(Image.open(p)))
    # torchvision's center crop, whose offset is rounded half to even
    top, left = (round((n - 60) / 2) for n in mask.shape)
    made = Image.open(flipped / "masks" / p.name)
    wrong += made.mode != "L" or not np.array_equal(np.asarray(made), mask[top : top + 60, left : left + 60])
common.equal("masks flipped and cropped that aren't NumPy's, pixel for pixel", wrong, 0)

# VOC and YOLO, there and back.
(temp / "voc/Annotations").mkdir(parents=True)
(temp / "voc/JPEGImages").symlink_to(temp / "pictures")
(temp / "given/labels").mkdir(parents=True)
(temp / "given/images").symlink_to(temp / "pictures")
(temp / "given/data.yaml").write_text("train: images\nnames: [b, a]\n")
want, lines = {}, {}
for image in images:
    w, h = image["width"], image["height"]
    corners = np.sort(random.integers(1, [w + 1, h + 1], (3, 2, 2)), axis=1).reshape(-1, 4) # from 1, both inside
    stem = pathlib.Path(image["file_name"]).stem
    xml = "".join(f"<object><name>{'ab'[i % 2]}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>" for i, (a, b, c, d) in enumerate(corners))
    (temp / f"voc/Annotations/{stem}.xml").write_text(f"<annotation><size><width>{w}</width><height>{h}</height></size>{xml}</annotation>")
    want[image["file_name"]] = [[float(a - 1), float(b - 1), float(c - a + 1), float(d - b + 1)] for a, b, c, d in corners]
    lines[stem] = [[1 - i % 2, (a - 1 + c) / 2 / w, (b - 1 + d) / 2 / h, (c - a + 1) / w, (d - b + 1) / h] for i, (a, b, c, d) in enumerate(corners)]
    (temp / f"given/labels/{stem}.txt").write_text("\n".join(f"{c} {x:.9f} {y:.9f} {bw:.9f} {bh:.9f}" for c, x, y, bw, bh in lines[stem]))
voc = materialize("voc-coco", common.pipeline("{voc: {path: voc}}", "shuffle: {}", folder=temp), "coco")
made = by_name(json.loads((voc / "instances.json").read_text()), "file_name")
common.equal("boxes of VOC that came back from COCO", sum(a["bbox"] == b for name in want for a, b in zip(made[name], want[name], strict=True)), 3 * len(images))
yolo = materialize("yolo-yolo", common.pipeline("{yolo: {data: given/data.yaml}}", "shuffle: {}", folder=temp), "yolo", "objects=boxes")
worst = 0.0
for stem, rows in lines.items():
    back = [[float(v) for v in line.split()] for line in (yolo / f"labels/{stem}.txt").read_text().splitlines()]
    worst = max(worst, np.abs(np.subtract(back, rows)).max())
common.at_most("lines of YOLO that came back", worst, 1e-6)
common.finish()
