"""Reads folders with metadata.csv and metadata.jsonl, as Hugging Face's imagefolder does.

    python .ci/python/interop_imagefolder.py SLUICE

sluice must find the same samples with the same labels as load_dataset("imagefolder"), also in
what its own sink folder writes with flat: true.
"""
import json
import os
import pathlib
import subprocess
import tempfile

import numpy as np
from PIL import Image

import common

temp = pathlib.Path(tempfile.mkdtemp(prefix="sluice-imagefolder-"))
os.environ |= {"XDG_CACHE_HOME": str(temp / "cache"), "HF_HOME": str(temp / "hf"), "HF_HUB_OFFLINE": "1"}

import datasets  # noqa: E402 (it reads the environment)

args = common.arguments(__doc__)
random = np.random.default_rng(1)


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(random.integers(0, 256, (8, 9, 3), np.uint8)).save(path)


def ours(folder, tasks):
    """What sluice reads: the names of the classes, by key."""
    table = common.stream(args.sluice, common.pipeline(f"{{folder: {{path: {folder}}}}}", "batch: {size: 7}", folder=temp))
    classes = {t["name"]: t["classes"] for t in json.loads(table.schema.metadata[b"sluice.tasks"])}
    common.equal(f"{folder.name}: tasks", sorted(classes), sorted(tasks))
    return {
        row["key"]: tuple(None if row[f"label.{t}"] is None or row[f"label.{t}"] < 0 else classes[t][row[f"label.{t}"]] for t in tasks)
        for row in table.to_pylist()
    }


def theirs(folder, tasks):
    """What Hugging Face's datasets reads, in all splits."""
    splits = datasets.load_dataset("imagefolder", data_dir=str(folder), cache_dir=str(temp / "hf"))
    found = {}
    for rows in splits.values():
        for row in rows.cast_column("image", datasets.Image(decode=False)):
            key = pathlib.Path(row["image"]["path"]).relative_to(folder).as_posix()
            found[key] = tuple(None if row[t] is None else str(row[t]) for t in tasks)
    return found


def same(folder, tasks):
    want = theirs(folder, tasks)
    common.expect(len(want) > 0, f"{folder.name}: datasets finds {len(want)} images")
    common.expect(ours(folder, tasks) == want, f"{folder.name}: the same labels of {len(want)} images")


rows = [(f"{('x', 'y')[i % 2]}/{i:02d}.png", ("disc", "square", "")[i % 3], f"no. {i % 5}, \"ü\"") for i in range(20)]

one = temp / "csv"
for name, _, _ in rows:
    picture(one / name)
(one / "metadata.csv").write_text("file_name,shape,kind\n" + "".join('{},{},"{}"\n'.format(n, s, k.replace('"', '""')) for n, s, k in rows))
same(one, ["shape", "kind"])

two = temp / "jsonl"
for name, _, _ in rows:
    picture(two / name)
(two / "metadata.jsonl").write_text("".join(json.dumps({"shape": s or None, "file_name": n, "size": i % 3}) + "\n" for i, (n, s, _) in enumerate(rows)))
same(two, ["shape", "size"])

splits = temp / "splits"
for part in ("train", "test"):
    for name, _, _ in rows:
        picture(splits / part / name)
    (splits / part / "metadata.csv").write_text("file_name,shape\n" + "".join(f"{n},{part}-{s}\n" for n, s, _ in rows))
same(splits, ["shape"])

flat = temp / "flat"
file = common.pipeline(f"{{folder: {{path: {one}}}}}", "decode", "resize: {height: 6, width: 6}", "batch: {size: 4}", folder=temp)
with open(file, "a") as text:
    text.write("sink: {folder: {flat: true}}\n")
subprocess.run([args.sluice, "materialize", file, "-o", flat], check=True, capture_output=True, text=True)
same(flat, ["shape", "kind"])
common.equal("flat: labels as before", sorted(ours(flat, ["shape", "kind"]).values(), key=str), sorted(ours(one, ["shape", "kind"]).values(), key=str))

common.finish()
