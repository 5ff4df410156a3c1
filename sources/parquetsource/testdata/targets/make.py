"""Writes the Parquet files of this directory, and rows.json, what is in them by pyarrow's to_pylist.

    python make.py

Versions: pyarrow 26.0. The boxes of objects are whole numbers and halves, so that float32 holds them.
"""
import json
import random

import pyarrow as pa
import pyarrow.parquet as pq

random.seed(15)
shapes = random.Random(16)
ROWS = 60
NAMES = ["car", "bus", "person"]
LIST = pa.list_


def some(make, most=4):
    return [make() for _ in range(random.randint(0, most))]


def box():
    return [random.randint(0, 40) / 2, random.randint(0, 40) / 2, random.randint(1, 40) / 2, random.randint(1, 40) / 2]


def polygon():
    return [[shapes.randint(0, 40) / 2 for _ in range(2 * shapes.randint(3, 9))] for _ in range(shapes.randint(0, 3))]


def rows(lists):
    for i in range(ROWS):
        boxes = some(box)
        n = len(boxes)
        objects = {
            "id": [100 * i + k for k in range(n)],
            "area": [b[2] * b[3] for b in boxes],
            "bbox": boxes,
            "category": [random.randrange(3) for _ in boxes],
            "keypoints": [some(lambda: [1.5, 2.5, 2.0], 1) for _ in boxes],
            "segmentation": [polygon() for _ in boxes],
        }
        if not lists:
            objects = [dict(zip(objects, values)) for values in zip(*objects.values())]
        yield {
            "image": bytes([i] * (5 + i % 7)),
            "tags": random.choice([None, some(lambda: None, 0), sorted(random.sample(["day", "night", "rain", "snow"], random.randint(1, 4)))]),
            "age": random.choice([None, i / 2]),
            "objects": None if i % 11 == 5 else objects,
        }


def kinds(lists):
    floats = LIST(pa.float32())
    fields = [("id", pa.int64()), ("area", pa.float64()), ("bbox", floats), ("category", pa.int32()), ("keypoints", LIST(floats)), ("segmentation", LIST(floats))]
    objects = pa.struct([(name, LIST(t)) for name, t in fields]) if lists else LIST(pa.struct(fields))
    return pa.schema([("image", pa.binary()), ("tags", LIST(pa.string())), ("age", pa.float32()), ("objects", objects)])


features = {"info": {"features": {"image": {"_type": "Image"}, "objects": {"bbox": {}, "category": {"feature": {"names": NAMES, "_type": "ClassLabel"}, "_type": "List"}}}}}
for name, lists in ("lists", True), ("structs", False):
    values = list(rows(lists))
    schema = kinds(lists)
    if lists:
        schema = schema.with_metadata({"huggingface": json.dumps(features)})
    table = pa.Table.from_pylist(values, schema)
    options = {"row_group_size": 25, "data_page_size": 64, "write_batch_size": 3}
    pq.write_table(table, f"{name}-1.parquet", data_page_version="1.0", **options)
    pq.write_table(table, f"{name}-2.parquet", data_page_version="2.0", compression="zstd", use_dictionary=False, **options)
    with open(f"{name}.json", "w") as f:
        json.dump([{k: v for k, v in row.items() if k != "image"} for row in table.to_pylist()], f)
        f.write("\n")


def masks(kind):
    """Objects whose segmentation is a run-length encoded mask of 4 x 6: a list of structures, or a structure of lists."""
    rle = {"size": [4, 6], "counts": "5220;" if kind == "text" else [5, 2, 2, 2, 13]}
    counts = pa.string() if kind == "text" else pa.list_(pa.int32())
    shape = pa.struct([("size", pa.list_(pa.int32())), ("counts", counts)])
    one = {"bbox": [1.0, 1.0, 2.0, 2.0], "category": "a"}
    structs = pa.list_(pa.struct([("bbox", pa.list_(pa.float64())), ("category", pa.string()), ("segmentation", shape)]))
    rows = [[{**one, "segmentation": rle}, {**one, "segmentation": None}], [], None]
    table = pa.table({"image": pa.array([b"P6 1 1 255\n...", b"x", b"y"], pa.binary()), "objects": pa.array(rows, structs)})
    pq.write_table(table, f"masks-{kind}.parquet")


for kind in ("text", "lengths"):
    masks(kind)
