"""pyarrow, pandas, Polars, DuckDB and Hugging Face's datasets read the Parquet files that sluice writes.

    python .ci/python/interop_parquet.py SLUICE

Works on a small demo data set that it makes itself: the files as they are, pixels as PNG,
JPEG and raw. All find the same images, labels, class names and counts.
"""
import collections
import glob
import io
import os
import pathlib
import re
import tempfile

import common
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
from PIL import Image

os.environ["HF_HUB_OFFLINE"] = "1"
temp = pathlib.Path(tempfile.mkdtemp(prefix="sluice-parquet-"))
os.environ["HF_HOME"] = str(temp / "cache")
import datasets  # noqa: E402

datasets.disable_progress_bars()

args = common.arguments(__doc__)
common.run(args.sluice, "demo", "-o", temp / "demo", "--train", 120, "--val", 40, "--epochs", 1)
train = temp / "demo" / "data" / "train"
source = f"{{folder: {{path: '{train}'}}}}"
doc = (pathlib.Path(__file__).parents[2] / "docs" / "data.md").read_text()
space = {}
exec(compile(next(code for code in re.findall(r"```python\n(.*?)```", doc, re.S) if "def raw_pixels" in code), "docs/data.md", "exec"), space)


def materialize(name, stages, options):
    pipeline = common.pipeline(source, *stages, "batch: {size: 32}", folder=temp)
    sets = [f"--set=sink.parquet.{key}={value}" for key, value in options.items()]
    common.run(args.sluice, "materialize", pipeline, "--format", "parquet", "-o", temp / name, "--set", "sink=parquet", *sets)
    common.run(args.sluice, "verify", temp / name)
    return sorted(glob.glob(f"{temp / name}/part-*.parquet"))


pixels = ["decode: {}", "resize: {height: 24, width: 40}"]
cases = {
    "files": ([], {"class_names": "true", "group_rows": 7}),
    "png": (pixels, {"image": "png", "class_names": "true", "codec": "zstd"}),
    "jpg": (pixels, {"class_names": "true", "codec": "snappy", "quality": 90, "subsampling": "4:4:4", "part_rows": 50}),
}
for name, (stages, options) in cases.items():
    files = materialize(name, stages, options)
    table = pq.read_table(files, page_checksum_verification=True)
    (labels,) = (c for c in table.column_names if c.startswith("label."))
    task = labels.removeprefix("label.")
    rows = table.to_pylist()
    common.equal(f"{name}: rows", len(rows), sum(1 for _ in train.rglob("*.jpg")))
    bytes_of = {row["key"]: row["image"]["bytes"] for row in rows}
    class_of = {row["key"]: row[f"class.{task}"] for row in rows}
    common.equal(f"{name}: classes are those of the folders", all(cls in key.split("/") for key, cls in class_of.items()), True)
    if name == "files":
        common.equal("files: bytes", all((train / key).read_bytes() == data for key, data in bytes_of.items()), True)
    counts = dict(collections.Counter(class_of.values()))

    frame = pd.concat([pd.read_parquet(f) for f in files])
    common.expect(({k: i["bytes"] for k, i in zip(frame["key"], frame["image"])}, frame[f"class.{task}"].value_counts().to_dict()) == (bytes_of, counts), f"{name}: pandas")
    polars = pl.read_parquet(files)
    common.expect(({k: i["bytes"] for k, i in zip(polars["key"], polars["image"])}, dict(polars[f"class.{task}"].value_counts().iter_rows())) == (bytes_of, counts), f"{name}: Polars")
    duck = duckdb.sql(f"SELECT key, image.bytes, \"{labels}\" FROM read_parquet({files})").fetchall()
    common.expect({key: data for key, data, _ in duck} == bytes_of, f"{name}: DuckDB")
    grouped = duckdb.sql(f'SELECT "class.{task}", count(*) FROM read_parquet({files}) GROUP BY ALL').fetchall()
    common.equal(f"{name}: DuckDB counts", dict(grouped), counts)
    number = rows[0][labels]
    filtered = duckdb.sql(f'SELECT count(*) FROM read_parquet({files}) WHERE "{labels}" = {number}').fetchall()[0][0]
    common.equal(f"{name}: DuckDB passes over row groups", filtered, sum(row[labels] == number for row in rows))

    data = datasets.load_dataset("parquet", data_files=files, split="train")
    common.equal(f"{name}: datasets' features", (type(data.features["image"]).__name__, type(data.features[labels]).__name__), ("Image", "ClassLabel"))
    for row in data:
        want = np.asarray(Image.open(io.BytesIO(bytes_of[row["key"]])))
        if not (np.asarray(row["image"]) == want).all() or data.features[labels].int2str(row[labels]) != class_of[row["key"]]:
            common.equal(f"{name}: datasets, {row['key']}", False, True)

# Raw pixels are those of the PNG files, whatever their codec; float32 is theirs in [0, 1].
want = {row["key"]: np.asarray(Image.open(io.BytesIO(row["image"]["bytes"]))) for row in pq.read_table(sorted(glob.glob(f"{temp}/png/part-*.parquet"))).to_pylist()}
for codec in ("none", "zstd"):
    for dtype, stages in {"uint8": pixels, "float32": [*pixels, "to_tensor: {}"]}.items():
        same = rows = 0
        for file in materialize(f"raw-{codec}-{dtype}", stages, {"image": "raw", "codec": codec, "group_rows": 11}):
            images = space["raw_pixels"](file)
            for key, image in zip(pq.read_table(file)["key"].to_pylist(), images, strict=True):
                expected = want[key] if dtype == "uint8" else (want[key] / np.float32(255)).astype(np.float32).transpose(2, 0, 1)
                rows, same = rows + 1, same + (image.shape == expected.shape and np.allclose(image, expected, atol=1e-6, rtol=0))
        common.equal(f"raw, {codec}, {dtype}", (rows, same), (len(want), len(want)))
common.finish()
