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
for case in json.load(open(f"{folder}/cases.json")):
    name = case["name"]
    with pa.OSFile(f"{folder}/{name}.arrow") as f:
        table = pa.ipc.open_file(f).read_all()
    with pa.OSFile(f"{folder}/{name}.arrows") as f:
        assert table.equals(pa.ipc.open_stream(f).read_all(), check_metadata=True), name
    table.validate(full=True)

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
