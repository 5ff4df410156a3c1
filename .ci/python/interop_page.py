"""Runs docs/data.md: its commands, and its Python and SQL in the programs they are for.

    python .ci/python/interop_page.py SLUICE

The data sets are made by Pillow, zip, webdataset and datasets. Each pipeline must find every
picture in them; each block of Python and SQL must run, and what it reads must have as many
rows and the same classes. (TestDataPages in cmd/sluice runs the pipelines without Python.)
"""
import collections
import contextlib
import csv
import glob
import io
import json
import os
import pathlib
import re
import shutil
import sys
import tempfile

import datasets
import duckdb
import numpy as np
import pyarrow as pa
import webdataset
from PIL import Image

import common

args = common.arguments(__doc__)
repository = pathlib.Path(__file__).parents[2]
page = (repository / "docs" / "data.md").read_text()
temp = pathlib.Path(tempfile.mkdtemp(prefix="sluice-data-page-"))
os.chdir(temp)
os.environ["SLUICE_CACHE"] = str(temp / ".cache")
os.environ["HF_HOME"] = str(temp / "hf")
os.environ["SLUICE"] = str(args.sluice)
sys.path.insert(0, str(repository / "python" / "src"))

# The data sets of "I have".
random = np.random.default_rng(1)
classes = {"cat": 12, "dog": 8, "fox": 4}
files, labels = [], []
for name, n in classes.items():
    for i in range(n):
        height, width = random.integers(40, 90, 2)
        pixels = np.kron(random.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
        file = pathlib.Path("photos", name, f"{i}.jpg")
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[:height, :width]).save(file)
        files.append(str(file))
        labels.append(list(classes).index(name))
total = len(files)
shutil.copytree("photos", "birds")
shutil.copytree("photos/cat", "pile")
for kind in ("zip", "tar"):
    shutil.make_archive("photos", kind, base_dir="photos")
with open("train.csv", "w") as train, open("birds/metadata.csv", "w") as birds:
    csv.writer(train).writerows([("path", "class", "camera"), *((f, f.split("/")[1], "leica") for f in files)])
    csv.writer(birds).writerows([("file_name", "species"), *((f.removeprefix("photos/"), f.split("/")[1]) for f in files)])
os.mkdir("shards")
with webdataset.ShardWriter("shards/train-%03d.tar", maxcount=total // 4, verbose=0) as writer:
    for i, f in enumerate(files):
        writer.write({"__key__": f"{i:05d}", "jpg": pathlib.Path(f).read_bytes(), "cls": f.split("/")[1], "json": {"color": ("red", "green")[i % 2]}})
features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(classes))})
rows = datasets.Dataset.from_dict({"image": [{"bytes": pathlib.Path(f).read_bytes(), "path": None} for f in files], "label": labels}, features=features)
os.mkdir("tables")
rows.to_parquet("tables/train-0.parquet")
datasets.DatasetDict({"train": rows}).save_to_disk("saved")

# What the page's block about COCO reads: every photo with a box.
boxes = {
    "images": [{"id": i, "file_name": f.removeprefix("photos/"), "height": Image.open(f).height, "width": Image.open(f).width} for i, f in enumerate(files)],
    "annotations": [{"id": 100 + i, "image_id": i, "category_id": 7 + labels[i], "bbox": [1, 2, 30, 20], "area": 600, "iscrowd": 0} for i in range(total)],
    "categories": [{"id": 7 + i, "name": name} for i, name in enumerate(classes)],
}
pathlib.Path("boxes.json").write_text(json.dumps(boxes))
pathlib.Path("boxes.yaml").write_text("version: 1\nsource: {coco: {file: boxes.json, images: photos}}\nstages: [decode, {batch: {size: 8, sizes: keep}}]\n")
common.run(args.sluice, "materialize", "boxes.yaml", "-o", "out", "--format", "coco")

blocks = re.findall(r"^```(yaml|sh|python|sql)\n(.*?)^```", page, re.S | re.M)
names = []
for kind, text in blocks:
    if kind == "yaml":
        names.append(re.match(r"# (\w+\.yaml)\n", text)[1])
        pathlib.Path(names[-1]).write_text(text)

# Everything in the page's order, each block of Python by itself.
spaces = []
for kind, text in blocks:
    if kind == "sh":
        for line in text.splitlines():
            words = line.split("#")[0].split()
            assert words[0] == "sluice", line
            common.run(args.sluice, *words[1:])
            common.expect(True, line)
    elif kind == "sql":
        found = duckdb.sql(text).fetchall()
        common.equal("DuckDB: classes, rows", {r[0]: r[1] for r in found}, classes)
    elif kind == "python":
        space, printed = {}, io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(text, "docs/data.md", "exec"), space)
        spaces.append((space, printed.getvalue()))
        common.expect(True, " ".join(text.strip().splitlines()[0].split()) + f" ..: {len(text.splitlines())} lines ran")


def holding(name):
    """The variables of the one block that defines a name, and what it printed."""
    (found,) = (s for s in spaces if name in s[0])
    return found


space, _ = holding("Loader")
common.equal("Loader: the last batch", tuple(space["image"].shape[1:]), (3, 224, 224))
space, _ = holding("pyarrow")
common.equal("pyarrow: rows, shape", (space["data"].count_rows(), space["images"].shape[1:]), (total, (224, 224, 3)))
_, printed = holding("webdataset")
common.equal("webdataset: samples", len(printed.splitlines()), total)
_, printed = holding("torchvision")
common.equal("ImageFolder, imagefolder: classes", printed.splitlines()[:2], [str(list(classes))] * 2)
space, _ = holding("CocoDetection")
seen = collections.Counter((a["category_id"], *a["bbox"]) for _, annotations in space["dataset"] for a in annotations)
common.equal("CocoDetection: boxes", seen, collections.Counter((7 + label, 1, 2, 30, 20) for label in labels))
space, printed = holding("polars")
common.equal("load_dataset: rows, features", (space["rows"].num_rows, space["rows"].features["label.class"].names), (total, list(classes)))

# The pixels of image: raw are those of the same run's Arrow files.
common.run(args.sluice, "materialize", "resized.yaml", "-o", "raw", "--format", "parquet", "--set", "sink.parquet.image=raw")
space, _ = holding("raw_pixels")
raw = np.concatenate([space["raw_pixels"](f) for f in sorted(glob.glob("raw/*.parquet"))])
table = pa.concat_tables(pa.ipc.open_file(f).read_all() for f in sorted(glob.glob("dataset/part-*.arrow")))
want = np.concatenate([c.to_numpy_ndarray() for c in table["image"].chunks])
common.equal("raw_pixels: pixels", np.array_equal(raw, want), True)

# Each pipeline, over an epoch.
for name in names:
    table = common.stream(args.sluice, name, "--epochs", "1")
    tasks = json.loads(table.schema.metadata[b"sluice.tasks"])
    common.expect(table.num_rows > 0, f"{name}: {table.num_rows} rows; {', '.join(t['name'] + ' ' + '/'.join(t['classes']) for t in tasks)}")
    if name in {"archive.yaml", "list.yaml", "imagefolder.yaml", "shards.yaml", "parquet.yaml", "saved.yaml", "arrow.yaml", "augment.yaml"}:
        (counted,) = (table[f"label.{t['name']}"].to_pylist() for t in tasks if t["classes"] == list(classes))
        common.equal(f"{name}: images of each class", dict(collections.Counter(list(classes)[n] for n in counted)), classes)
common.finish()
