"""Shards and folders of images that sluice writes, opened by the programs that they are for.

    python .ci/python/interop_sinks.py SLUICE

webdataset, torchvision's ImageFolder and load_dataset("webdataset") and ("imagefolder") must find the pixels, labels
and counts that pyarrow finds in the same run's Arrow files; files that no stage touched must keep their bytes.
"""
import collections
import csv
import glob
import io
import json
import os
import pathlib
import tempfile

import common
import datasets
import duckdb
import numpy as np
import polars
import pyarrow as pa
import webdataset
from PIL import Image
from torchvision.datasets import DatasetFolder, ImageFolder

args = common.arguments(__doc__)
temp = pathlib.Path(tempfile.mkdtemp(prefix="sluice-sinks-"))
os.chdir(temp)
os.environ["HF_HOME"] = str(temp / "hf")

random = np.random.default_rng(1)
files = {}
for i in range(61):
    height, width = random.integers(20, 90, 2)
    pixels = np.kron(random.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    name = f"{('cat', 'dog', 'eel')[i % 3]}/{i}.{('jpg', 'png', 'JPEG')[i % 7 % 3]}"
    (temp / "data" / name).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels[:height, :width]).save(temp / "data" / name)
    files[name] = (temp / "data" / name).read_bytes()
classes = sorted({name.split("/")[0] for name in files})
source = "{folder: {path: data}}"
passed = common.pipeline(source, "shuffle: {}", "batch: {size: 8}", folder=temp)
resized = common.pipeline(source, "shuffle: {}", "decode: {}", "resize: {height: 24, width: 32}", "batch: {size: 8}", folder=temp)
floats = common.pipeline(source, "decode: {}", "resize: {height: 24, width: 32}", "to_tensor: {}", folder=temp)


def materialize(name, pipeline, form, *options):
    common.run(args.sluice, "materialize", pipeline, "-o", name, "--format", form, *(f"--set=sink.{form}.{o}" for o in options))
    common.run(args.sluice, "verify", name)
    return name


def arrow(name):
    """Pixels and label of each key."""
    table = pa.concat_tables(pa.ipc.open_file(f).read_all() for f in sorted(glob.glob(f"{name}/part-*.arrow")))
    pixels = np.concatenate([c.to_numpy_ndarray() for c in table["image"].chunks])
    return {k: (p, n) for k, p, n in zip(table["key"].to_pylist(), pixels, table["label.class"].to_pylist(), strict=True)}


def shards(name):
    return sorted(glob.glob(f"{name}/part-*.tar"))


def samples(name):
    return list(webdataset.WebDataset(shards(name), shardshuffle=False))


want = arrow(materialize("arrow", resized, "arrow"))

# webdataset
plain = samples(materialize("wds", passed, "webdataset", "shard_rows=16"))
common.equal("webdataset: shards, samples", (len(shards("wds")), len(plain)), (4, len(files)))
keys = [json.loads(s["json"]) for s in plain]
same = sum(files[k["key"]] == (s.get("jpg") or s.get("png")) for s, k in zip(plain, keys, strict=True))
common.equal("webdataset: files with their own bytes", same, len(files))
common.equal("webdataset: classes", sum(classes[int(s["cls"])] == k["class"]["class"] == k["key"].split("/")[0] for s, k in zip(plain, keys, strict=True)), len(files))
common.equal("webdataset: names", sum(s["__key__"] == k["key"].rsplit(".", 1)[0] for s, k in zip(plain, keys, strict=True)), len(files))
for image in ("png", "raw", "jpg"):
    materialize(f"wds-{image}", resized, "webdataset", f"image={image}", "shard_size=100KB")
    right = 0
    for s in samples(f"wds-{image}"):
        row, label = json.loads(s["json"]), int(s["cls"])
        pixels = np.load(io.BytesIO(s["npy"])) if image == "raw" else np.asarray(Image.open(io.BytesIO(s[image])))
        expected, number = want[row["key"]]
        if image == "jpg":
            file = io.BytesIO()
            Image.fromarray(expected).save(file, "jpeg", quality=95, subsampling="4:2:0")
            expected = np.asarray(Image.open(file))
        right += label == number and np.array_equal(pixels, expected)
    common.equal(f"webdataset: {image} with the pixels and labels of pyarrow", right, len(files))
hub = datasets.load_dataset("webdataset", data_files=shards("wds-png"), split="train")
right = sum(np.array_equal(np.asarray(r["png"]), want[r["json"]["key"]][0]) and r["cls"] == want[r["json"]["key"]][1] for r in hub)
common.equal('load_dataset("webdataset"): rows with the same pixels and labels', (hub.num_rows, right), (len(files), len(files)))

# Folders
materialize("folder", passed, "folder", "part_rows=16")
found = ImageFolder("folder")
common.equal("ImageFolder: classes, files", (found.classes, len(found)), (classes, len(files)))
right = sum(files[str(pathlib.Path(path).relative_to("folder"))] == pathlib.Path(path).read_bytes() and path.split("/")[1] == classes[n] for path, n in found.samples)
common.equal("ImageFolder: files with their own names and bytes", right, len(files))
hub = datasets.load_dataset("imagefolder", data_dir="folder", split="train")
common.equal('load_dataset("imagefolder"): rows, classes', (hub.num_rows, hub.features["label"].names), (len(files), classes))
materialize("pixels", resized, "folder", "image=png")
right = 0
for path, n in ImageFolder("pixels").samples:
    key = next(k for k in files if k.rsplit(".", 1)[0] == str(pathlib.Path(path).relative_to("pixels").with_suffix("")))
    right += np.array_equal(np.asarray(Image.open(path)), want[key][0]) and n == want[key][1]
common.equal("ImageFolder: png with the pixels and labels of pyarrow", right, len(files))
materialize("flat", resized, "folder", "flat=true", "image=png", "part_rows=16")
hub = datasets.load_dataset("imagefolder", data_dir="flat", split="train")
rows = list(csv.DictReader(open("flat/metadata.csv")))
common.equal('load_dataset("imagefolder") with metadata.csv: classes', collections.Counter(hub["class"]), collections.Counter(name.split("/")[0] for name in files))
by_file = {r["file"]: r for part in glob.glob("flat/part-*.csv") for r in csv.DictReader(open(part))}
right = sum(np.array_equal(np.asarray(Image.open(f"flat/{r['file_name']}")), want[by_file[r["file_name"]]["key"]][0]) for r in rows)
common.equal("metadata.csv: files with the pixels of pyarrow", right, len(files))
materialize("floats", floats, "folder", "image=raw")
numbers = DatasetFolder("floats", np.load, extensions=(".npy",))
common.equal("DatasetFolder: npy, shape, type", (len(numbers), numbers[0][0].shape, str(numbers[0][0].dtype)), (len(files), (3, 24, 32), "float32"))

# Class names in Arrow files
common.run(args.sluice, "materialize", passed, "-o", "named", "--class-names")
common.run(args.sluice, "verify", "named")
parts = sorted(glob.glob("named/part-*.arrow"))
named = pa.concat_tables([pa.ipc.open_file(f).read_all() for f in parts]).unify_dictionaries()
expected = [k.split("/")[0] for k in named["key"].to_pylist()]
common.equal("pyarrow: names of classes", named["class.class"].to_pylist() == expected, True)
texts = polars.concat([polars.read_ipc(f).select(polars.col("class.class").cast(polars.String)) for f in parts])
common.equal("polars: names of classes", texts["class.class"].to_list() == expected, True)
counts = dict(duckdb.sql('select "class.class"::varchar, count(*) from named group by 1').fetchall())
common.equal("duckdb: rows by class", counts, dict(collections.Counter(expected)))
common.finish()
