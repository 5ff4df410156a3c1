"""Parquet files that other programs wrote, read by sluice: the same images and labels.

    python .ci/python/interop_parquet_source.py SLUICE

Needs pyarrow, pandas, Polars, DuckDB and Hugging Face's datasets. Each writes the same
rows; then pyarrow writes 16 files with random options, which sluice reads in random order.
"""
import collections
import json
import os
import pathlib
import tempfile

import datasets
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

import common

args = common.arguments(__doc__)
datasets.disable_progress_bars()
temp = pathlib.Path(tempfile.mkdtemp(prefix="sluice-parquet-"))
os.chdir(temp)
random = np.random.default_rng(1)
names = ["zebra", "ant", "bee"]
rows = 200


def image(size):
    """Bytes of which some parts repeat and some don't, as compressors like and dislike."""
    noise = random.integers(0, 256, size, np.uint8).tobytes()
    return noise if size % 2 else (noise[: 1 + size // 7] * 8)[:size]


images = [image(int(random.integers(20, 60_000))) for _ in range(rows)]
labels = random.integers(0, 3, rows).tolist()
texts = [names[n] for n in labels]


def read(files, *options, shuffle=True):
    """What sluice reads, row by row: key, image, name of the class."""
    text = ", ".join([f"files: {files}", *options])
    stages = ["shuffle", "{batch: {size: 7}}"] if shuffle else ["{batch: {size: 7}}"]
    table = common.stream(args.sluice, common.pipeline(f"{{parquet: {{{text}}}}}", *stages, folder=temp))
    classes = [t["classes"] for t in json.loads(table.schema.metadata[b"sluice.tasks"])]
    column = next(name for name in table.column_names if name.startswith("label."))
    found = {}
    for key, data, label in zip(table["key"].to_pylist(), table["image"].to_pylist(), table[column].to_pylist()):
        found[key] = data, None if label is None else classes[0][label]
    return found, classes[0]


def check(what, found, name, images, texts):
    digits = len(str(len(images) - 1))
    want = {f"{name}#{i:0{digits}}": row for i, row in enumerate(zip(images, texts))}
    wrong = [key for key in want.keys() | found.keys() if want.get(key) != found.get(key)]
    common.expect(not wrong, f"{what}: {len(want)} rows, {len(wrong)} of them wrong {sorted(wrong)[:3]}")


frame = pd.DataFrame({"image": images, "label": pd.Categorical(texts)})
frame.to_parquet("pandas.parquet")
pl.DataFrame({"image": images, "label": texts}).write_parquet("polars.parquet")
pl.DataFrame({"image": images, "label": pl.Series(texts, dtype=pl.Categorical)}).write_parquet("polars-none.parquet", compression="uncompressed", row_group_size=100)
table = pa.table({"image": images, "label": texts})
pq.write_table(table, "pyarrow.parquet")
table_of_rows = table  # DuckDB finds it by name
for version in ["v1", "v2"]:
    for codec in ["snappy", "zstd", "gzip", "brotli", "lz4_raw", "uncompressed"]:
        duckdb.sql(f"copy (from table_of_rows) to 'duckdb-{version}-{codec}.parquet' (parquet_version '{version}', codec '{codec}')")
for name in sorted(temp.glob("*.parquet")):
    found, _ = read(name.name, "tasks: [label]")
    check(name.stem, found, name.name, images, texts)

# datasets: class names and their numbers are those of the features.
features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=names)})
data = datasets.Dataset.from_dict({"image": [{"bytes": b, "path": None} for b in images], "label": labels}, features=features)
data.to_parquet("datasets.parquet")
found, classes = read("datasets.parquet")
common.equal("classes of datasets", classes, names)
check("datasets", found, "datasets.parquet", images, texts)
for n in range(3):
    data.shard(3, n, contiguous=True).to_parquet(f"shard-{n}.parquet")
found, _ = read('"shard-?.parquet"', shuffle=False)
common.expect([row[0] for row in found.values()] == images, "three shards of datasets, in their order")

# Options of pyarrow, drawn at random.
used = collections.Counter()
for n in range(16):
    of = random.permutation(rows)[: int(random.integers(1, rows))]
    holes = random.random(len(of)) < random.choice([0, 0.1, 0.9])
    holes[0] = False
    some = [None if hole else images[i] for i, hole in zip(of, holes)]
    names_of = [None if random.random() < 0.1 else texts[i] for i in of]
    kind = str(random.choice(["binary", "large", "struct", "view"]))
    column = {
        "binary": lambda: pa.array(some, pa.binary()),
        "large": lambda: pa.array(some, pa.large_binary()),
        "view": lambda: pa.array(some, pa.binary_view()),
        "struct": lambda: pa.array([None if b is None else {"path": "x", "bytes": b} for b in some], pa.struct([("path", pa.string()), ("bytes", pa.binary())])),
    }[kind]()
    options = {
        "compression": str(random.choice(["none", "snappy", "gzip", "zstd", "brotli", "lz4"])),
        "data_page_version": str(random.choice(["1.0", "2.0"])),
        "use_dictionary": [["label"], ["image", "label"], False, True][random.integers(4)],
        "row_group_size": int(random.choice([7, 100, 1000])),
        "data_page_size": int(random.choice([100, 100_000, 1 << 20])),
        "write_batch_size": int(random.choice([1, 10, 1024])),
        "write_page_checksum": bool(random.integers(2)),
        "write_page_index": bool(random.integers(2)),
    }
    if options["use_dictionary"] is False and random.random() < 0.5:
        options["column_encoding"] = {"image.bytes" if kind == "struct" else "image": "DELTA_LENGTH_BYTE_ARRAY"}
    used.update([kind, options["compression"], options["data_page_version"]])
    name = f"random-{n}.parquet"
    pq.write_table(pa.table({"label": names_of, "image": column}), name, **options)
    pipeline = common.pipeline(f"{{parquet: {{files: {name}, tasks: [label]}}}}", "shuffle", "{batch: {size: 7}}", folder=temp)
    stream = common.stream(args.sluice, pipeline, "--on-error", "skip", "--max-bad", "100%")
    classes = json.loads(stream.schema.metadata[b"sluice.tasks"])[0]["classes"]
    found = {
        key: (data, None if label is None else classes[label])
        for key, data, label in zip(stream["key"].to_pylist(), stream["image"].to_pylist(), stream["label.label"].to_pylist())
    }
    digits = len(str(len(some) - 1))
    want = {f"{name}#{i:0{digits}}": row for i, row in enumerate(zip(some, names_of)) if row[0] is not None}
    if found != want:
        common.expect(False, f"{name}: {options}, {kind}: {len(found)} of {len(want)} rows, or other bytes")
common.expect(True, f"16 files of pyarrow with random options: {dict(used)}")
common.finish()
