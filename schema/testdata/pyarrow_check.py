"""Reads what TestPyarrow wrote, as someone who has only pyarrow does.

Run by `SLUICE_PYTHON=/path/to/venv/bin/python go test ./schema`; needs pyarrow
and numpy. Checked with pyarrow 26.0.1 and numpy 2.
"""
import json
import sys

import numpy as np
import pyarrow as pa

ROWS = 11
folder = sys.argv[1]


def read(name):
    with pa.OSFile(f"{folder}/{name}.arrow") as f:
        table = pa.ipc.open_file(f).read_all()
    with pa.OSFile(f"{folder}/{name}.arrows") as f:
        assert table.equals(pa.ipc.open_stream(f).read_all(), check_metadata=True), name
    table.validate(full=True)
    return table


# The values of column_test.go's manyColumns.
share = pa.struct([pa.field("class", pa.int32(), nullable=False), pa.field("share", pa.float32())])
COLUMNS = {
    "meta.text": (pa.string(), ["ä", None, "", "longer"]),
    "meta.long": (pa.large_string(), [None, "a", "b", ""]),
    "bytes": (pa.binary(), [b"\xff", b"", None, b"a"]),
    "large": (pa.large_binary(), [b"a", None, None, b"bc"]),
    "bool": (pa.bool_(), [True, False, None, True]),
    "int8": (pa.int8(), [-128, 127, None, 0]),
    "int16": (pa.int16(), [-32768, None, 1, 2]),
    "int32": (pa.int32(), [-1, 1 << 30, None, None]),
    "int64": (pa.int64(), [-1 << 63, 5, None, 6]),
    "uint8": (pa.uint8(), [255, None, 0, 1]),
    "uint16": (pa.uint16(), [65535, None, 0, 1]),
    "uint32": (pa.uint32(), [2**32 - 1, None, 0, 1]),
    "uint64": (pa.uint64(), [2**64 - 1, None, 0, 1]),
    "float32": (pa.float32(), [0.5, -1, None, 3]),
    "float64": (pa.float64(), [0.1, 1e300, None, -2]),
    "list": (pa.list_(pa.int64()), [[1, 2], None, [], [3, None]]),
    "boxes": (pa.list_(pa.list_(pa.float32(), 2)), [[[1, 2], [3, 4]], [[5, 6]], None, []]),
    "fixed": (pa.list_(pa.field("item", pa.int8(), nullable=False), 2), [[1, 2], None, [3, 4], None]),
    "flags": (pa.list_(pa.bool_()), [[True, False], [None, True], None, None]),
    "names": (pa.list_(pa.string()), [["a", "bc"], [], None, ["d", None]]),
    "share": (share, [{"class": 1, "share": 0.5}, {"class": 2, "share": None}, None, {"class": 3, "share": None}]),
    "shares": (pa.list_(share), [[{"class": 1, "share": 0.5}, {"class": 2, "share": 0.25}], [], None, [{"class": 7, "share": None}]]),
}
table = read("columns")
for name, (kind, values) in COLUMNS.items():
    column = table[name]
    assert column.type == kind, (name, column.type, kind)
    assert table.schema.field(name).nullable, name
    want = values[:3] + values  # 8 rows without the fourth
    assert column.to_pylist() == want, (name, column.to_pylist(), want)
assert table.column_names[4:4 + len(COLUMNS)] == list(COLUMNS), table.column_names
print("pyarrow reads", len(COLUMNS), "columns of an index")

for case in json.load(open(f"{folder}/cases.json")):
    name = case["name"]
    table = read(name)

    def values(row, n):
        return (31 * row + 7 * np.arange(n)) % 256

    assert table["key"].to_pylist() == [f"ünter/{r}.jpg" for r in range(ROWS)]
    assert table["label.shape"].to_pylist() == [[0, None, 1][r % 3] for r in range(ROWS)]
    assert table["label.shape"].null_count == 4, name
    assert table["label.type"].to_pylist() == [r % 3 for r in range(ROWS)]
    assert table["position"].to_pylist() == [r + 2**40 for r in range(ROWS)]
    assert table["source_index"].to_pylist() == [7 * r for r in range(ROWS)]
    assert table["weight"].type == pa.float32() and table["epoch"].to_pylist() == [3] * ROWS
    metadata = table.schema.metadata
    assert metadata[b"sluice.plan_hash"] == b"0123abcd" and int(metadata[b"sluice.seed"]) == 2**64 - 1
    assert json.loads(metadata[b"sluice.tasks"])[0] == {"name": "shape", "classes": ["circle", "quader & <würfel>"]}
    if "params" in table.column_names:
        assert [json.loads(p)["rotate"]["degrees"] for p in table["params"].to_pylist()] == list(range(ROWS))

    image = table["image"].combine_chunks()
    if isinstance(image, pa.ChunkedArray):
        image = image.chunk(0)
    if case["form"] == "tensor":
        assert isinstance(image.type, pa.FixedShapeTensorType), image.type
        assert image.type.extension_name == "arrow.fixed_shape_tensor"
        assert list(image.type.shape) == case["shape"], (name, image.type)
        assert image.type.dim_names == (["C", "H", "W"] if case["layout"] == "chw" else ["H", "W", "C"])
        got = image.to_numpy_ndarray()
        assert got.dtype == case["dtype"] and got.shape == (ROWS, *case["shape"])
        n = int(np.prod(case["shape"]))
        want = np.stack([values(r, n) for r in range(ROWS)]).reshape(got.shape)
        assert (got == (want / 256 if case["dtype"] == "float32" else want)).all(), name
    elif case["form"] == "varying":
        for r, row in enumerate(image.to_pylist()):
            assert (row["height"], row["width"]) == (r % 12 + 1, r % 7 + 1)
            pixels = np.frombuffer(row["pixels"], np.uint8)
            assert (pixels == values(r, 3 * row["height"] * row["width"])).all()
    else:
        assert image.type == pa.large_binary()
        assert image.to_pylist() == [bytes([0xFF, r]) * r for r in range(ROWS)]
    print("pyarrow reads", name, image.type)
