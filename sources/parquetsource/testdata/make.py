"""Writes the Parquet files of this directory, with each program's own writer.

    python make.py

Versions: pyarrow 26.0, DuckDB 2.0, Polars 2.1, pandas 3.1, datasets 5.2. Row i of a file
has the image image(i), which the Go tests make again, and the label i % 3; where a file
has nulls, both are null in rows i with i % 7 == 3.
"""
import io
import json
import os

import datasets
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 24
NAMES = ["zebra", "ant", "bee"]


def image(i):
    return bytes((7 * i + j * j) % 251 for j in range(40 + 13 * i % 80))


images = [image(i) for i in range(ROWS)]
labels = [i % 3 for i in range(ROWS)]
texts = [NAMES[n] for n in labels]
weights = [0.5 + n for n in labels]


def nulls(values):
    return [None if i % 7 == 3 else v for i, v in enumerate(values)]


def write(name, table, **options):
    pq.write_table(table, name, **options)


table = pa.table({"image": images, "label": pa.array(texts).dictionary_encode(), "number": labels})

# Codecs, with both versions of pages.
for codec in ["none", "snappy", "gzip", "zstd", "brotli", "lz4"]:
    for version in ["1.0", "2.0"]:
        write(f"codec-{codec}-{version[0]}.parquet", table, compression=codec, data_page_version=version, use_dictionary=["label"])

# Encodings of the images, in small pages, with and without nulls.
holed = pa.table({"image": nulls(images), "label": nulls(texts), "number": nulls(labels)})
for version in ["1.0", "2.0"]:
    small = dict(data_page_version=version, data_page_size=200, write_batch_size=3, compression="none", row_group_size=10)
    write(f"encoding-plain-{version[0]}.parquet", table, use_dictionary=False, **small)
    write(f"nulls-plain-{version[0]}.parquet", holed, use_dictionary=False, **small)
    write(f"nulls-dictionary-{version[0]}.parquet", holed, use_dictionary=True, **small)
    delta = dict(use_dictionary=False, column_encoding={"image": "DELTA_LENGTH_BYTE_ARRAY", "label": "DELTA_LENGTH_BYTE_ARRAY", "number": "DELTA_BINARY_PACKED"})
    write(f"nulls-delta-{version[0]}.parquet", holed, **delta, **small)
# A dictionary that becomes too large: its pages first, then plain ones.
write("encoding-fallback.parquet", table, dictionary_pagesize_limit=500, data_page_size=300, write_batch_size=4)
write("checksums.parquet", table, write_page_checksum=True)

# Types of labels, and other columns.
kinds = pa.table({
    "image": images,
    "boolean": [n == 1 for n in labels],
    "int8": pa.array(labels, pa.int8()),
    "uint64": pa.array([2**64 - 1 - n for n in labels], pa.uint64()),
    "large": pa.array(texts, pa.large_string()),
    "view": pa.array(texts, pa.string_view()),
    "float": weights,
    "weight": pa.array(weights, pa.float32()),
    "empty": pa.nulls(ROWS),
    "date": pa.array(labels, pa.date32()),
    "bytes": [t.encode() for t in texts],
    "list": [[n] for n in labels],
    "struct": [{"a": n} for n in labels],
})  # fmt: skip
write("kinds.parquet", kinds.drop(["bytes"]))
write("two-images.parquet", kinds.select(["image", "boolean", "bytes"]))
write("kinds-2.parquet", kinds.drop(["bytes"]), data_page_version="2.0", compression="zstd")
write("required.parquet", pa.Table.from_arrays([pa.array(images), pa.array(labels)],
    schema=pa.schema([pa.field("image", pa.binary(), nullable=False), pa.field("label", pa.int32(), nullable=False)])))  # fmt: skip
write("fixed.parquet", pa.table({"image": pa.array([image(i)[:40] for i in range(ROWS)], pa.binary(40)), "label": labels}))
write("large.parquet", pa.table({"image": pa.array(images, pa.large_binary()), "label": labels}))
write("lists.parquet", pa.table({"image": [[i, i] for i in images], "label": labels}))
write("no-rows.parquet", table.slice(0, 0))

# Pixels: 3 x 4 x 3 bytes.
pixels = pa.array([bytes((i + j) % 256 for j in range(36)) for i in range(ROWS)], pa.binary(36))
write("pixels.parquet", pa.table({"image": pixels, "label": labels}).replace_schema_metadata({"sluice.shape": "[3, 4, 3]"}))

# Encodings that are refused.
write("split.parquet", pa.table({"image": images, "weight": pa.array(weights, pa.float32())}), use_dictionary=False, column_encoding={"weight": "BYTE_STREAM_SPLIT"})
write("prefixes.parquet", table.drop(["label"]), use_dictionary=False, column_encoding={"image": "DELTA_BYTE_ARRAY"})
write("split-pixels.parquet", pa.table({"image": pixels, "label": labels}), use_dictionary=False, column_encoding={"image": "BYTE_STREAM_SPLIT"})

# datasets: features name the classes; images within the file, and one that isn't.
features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=NAMES)})
rows = {"image": [{"bytes": b, "path": f"{i}.jpg"} for i, b in enumerate(images)], "label": labels}
datasets.Dataset.from_dict(rows, features=features).to_parquet("datasets.parquet")
structs = pa.array(rows["image"], pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
old = {"huggingface": json.dumps({"info": {"features": features.to_dict()}})}
write("datasets-snappy.parquet", pa.table({"image": structs, "label": labels}).replace_schema_metadata(old))
holes = [None if i % 7 == 3 else {"bytes": None if i % 7 == 4 else b, "path": f"/etc/{i}.jpg"} for i, b in enumerate(images)]
holes = pa.array(holes, structs.type)
write("datasets-nulls.parquet", pa.table({"image": holes, "label": [-1 if i % 7 == 3 else n for i, n in enumerate(labels)]}).replace_schema_metadata(old))
write("datasets-paths.parquet", pa.table({"image": pa.array([{"bytes": None, "path": f"{i}.jpg"} for i in range(ROWS)], structs.type), "label": labels}))
write("datasets-number.parquet", pa.table({"image": structs, "label": [9] * ROWS}).replace_schema_metadata(old))
other = {"huggingface": json.dumps({"info": {"features": features.to_dict() | {"label": {"names": NAMES[::-1], "_type": "ClassLabel"}}}})}
write("datasets-other.parquet", pa.table({"image": structs, "label": labels[::-1]}).replace_schema_metadata(other))

# sluice's own metadata.
own = {"sluice.tasks": json.dumps([{"name": "kind", "classes": NAMES + ["none"]}])}
write("own.parquet", pa.table({"key": [str(i) for i in range(ROWS)], "image": images, "label.kind": pa.array(nulls(labels), pa.int32())}).replace_schema_metadata(own))

# Other programs.
frame = pd.DataFrame({"image": images, "label": pd.Categorical(texts), "number": labels})
frame.to_parquet("pandas.parquet")
pl.DataFrame({"image": images, "label": texts, "number": labels}).write_parquet("polars.parquet", row_group_size=10)
pl.DataFrame({"image": images, "label": pl.Series(texts, dtype=pl.Categorical)}).write_parquet("polars-lz4.parquet", compression="lz4")
whole = table
for version in ["v1", "v2"]:
    duckdb.sql(f"copy whole to 'duckdb-{version}.parquet' (parquet_version '{version}')")
    duckdb.sql(f"copy (select {{'bytes': image, 'path': 'x.jpg'}} as image, label from holed) to 'duckdb-struct-{version}.parquet' (parquet_version '{version}', codec 'zstd')")
print(sum(os.path.getsize(f) for f in os.listdir(".")), "bytes")
