"""Runs the Python code of docs/data.md: Hugging Face datasets, and the matrix of params.

    python .ci/python/check_datasets.py SLUICE

datasets must hold the pictures, labels and class names that pyarrow reads, and points
that go through the matrix must lie where the pictures show them.
"""
import glob
import json
import os
import pathlib
import re
import tempfile

import cv2
import datasets
import numpy as np
import pyarrow as pa

import common

args = common.arguments(__doc__)
doc = pathlib.Path(__file__).parents[2] / "docs" / "data.md"
blocks = re.findall(r"```python\n(.*?)```", doc.read_text(), re.S)
(matrix_code,), (datasets_code,) = ([b for b in blocks if f"def {name}(" in b] for name in ("through", "load"))
temp = pathlib.Path(tempfile.mkdtemp(prefix="sluice-datasets-"))
os.chdir(temp)

# White discs on black: their centres can be found again.
random = np.random.default_rng(1)
centres = {}
for i in range(60):
    height, width = random.integers(150, 260, 2)
    x, y = width * random.uniform(0.35, 0.65), height * random.uniform(0.35, 0.65)
    xs, ys = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    disc = np.clip(12 - np.hypot(xs - x, ys - y) + 0.5, 0, 1) * 255
    folder = temp / "data" / ("even", "odd")[i % 2]
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / f"{i}.png"), disc.round().astype(np.uint8))
    centres[f"{folder.name}/{i}.png"] = (x, y), (height, width)
pipeline = common.pipeline("{folder: {path: data}}", "shuffle: {}", "decode: {}", "affine: {degrees: 20, scale: [0.9, 1.2], shear: 5}", "perspective: {distortion_scale: 0.2, p: 0.5}",
                           "flip: {p: 0.5}", "resize: {height: 96, width: 128}", "batch: {size: 8}", folder=temp)  # fmt: skip
common.run(args.sluice, "materialize", pipeline, "-o", "dataset", "--params", "--part-rows", 16)

space = {}
exec(compile(datasets_code, str(doc), "exec"), space)
data, shape, pictures = space["data"], space["shape"], space["pictures"]
table = pa.concat_tables(pa.ipc.open_file(name).read_all() for name in sorted(glob.glob("dataset/part-*.arrow")))
want = np.concatenate([c.to_numpy_ndarray() for c in table["image"].chunks])
common.equal("shape, rows", (shape, data.num_rows), ((96, 128, 3), 60))
everything = pictures(data.with_format("arrow")[:], shape)
common.expect(everything.dtype == np.uint8 and np.array_equal(everything, want), "datasets has the pictures that pyarrow reads")
common.expect(np.array_equal(space["images"], want[:32]), "its first 32 rows")
common.equal("rows 20 to 23", np.array_equal(pictures(data.with_format("arrow")[20:23], shape), want[20:23]), True)
names = json.loads(table.schema.metadata[b"sluice.tasks"])[0]["classes"]
common.equal("class names", data.features["label.class"].names, names)
common.equal("labels", data["label.class"][:], table["label.class"].to_pylist())
mixed = data.shuffle(seed=1).with_format("arrow")[:10]
at = [table["key"].to_pylist().index(k) for k in mixed["key"].to_pylist()]
common.expect(np.array_equal(pictures(mixed, shape), want[at]), "shuffled rows")
data.save_to_disk("saved")
common.expect(np.array_equal(pictures(datasets.load_from_disk("saved").with_format("arrow")[:], shape), want), "saved and loaded again")

exec(compile(matrix_code, str(doc), "exec"), space)
off, projective = [], 0
for key, picture, params in zip(table["key"].to_pylist(), want, map(json.loads, table["params"].to_pylist())):
    centre, size = centres[key]
    assert (tuple(params["source"]), tuple(params["output"])) == (size, shape[:2]), params
    (x, y), weight = space["through"](params, [centre])[0], picture[..., 0].astype(float)
    ys, xs = np.mgrid[: shape[0], : shape[1]] + 0.5
    off.append(np.hypot((xs * weight).sum() / weight.sum() - x, (ys * weight).sum() / weight.sum() - y))
    projective += len(params["matrix"]) == 9
common.expect(10 < projective < 50, f"{projective} of 60 matrices are of a perspective")
common.at_most("pixels between the disc's centre and where the matrix says, on average", np.mean(off), 0.1)
common.at_most("the same, at most", np.max(off), 0.4)
common.finish()
