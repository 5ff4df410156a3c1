"""Reads what TestPyarrow wrote, as someone who has only pyarrow does.

Run by `SLUICE_PYTHON=/path/to/venv/bin/python go test ./sinks`; needs pyarrow
and numpy. Checked with pyarrow 26.0.1.
"""
import hashlib
import json
import sys

import pyarrow as pa

folder = sys.argv[1]
for codec in ["none", "lz4", "zstd"]:
    manifest = json.load(open(f"{folder}/{codec}/manifest.json"))
    assert manifest["codec"] == codec and len(manifest["parts"]) == 24
    total = 0
    for part in manifest["parts"]:
        data = open(f"{folder}/{codec}/{part['name']}", "rb").read()
        assert hashlib.sha256(data).hexdigest() == part["sha256"] and len(data) == part["bytes"]
        table = pa.ipc.open_file(pa.BufferReader(data)).read_all()
        table.validate(full=True)
        assert isinstance(table.schema.field("image").type, pa.FixedShapeTensorType)
        assert table.num_rows == part["rows"]
        assert pa.ipc.open_stream(pa.BufferReader(data[8:])).read_all().equals(table)  # the messages end as a stream does
        for task in manifest["tasks"]:
            labels = table[f"label.{task['name']}"].to_pylist()
            want = [labels.count(c) for c in range(len(task["classes"]))] + [labels.count(None)]
            assert want == part["classes"][task["name"]], (part, want)
        total += table.num_rows
    assert total == manifest["rows"]

    stream = pa.ipc.open_stream(open(f"{folder}/{codec}.arrows", "rb"))
    shapes = {tuple(stream.schema.field("image").type.shape)}
    rows = sum(batch.num_rows for batch in stream)
    assert rows == 48 and shapes == {(7, 4, 3)}, (rows, shapes)

    cut = pa.ipc.open_stream(open(f"{folder}/cut-{codec}.arrows", "rb"))
    rows = 0
    try:
        for batch in cut:
            rows += batch.num_rows
    except pa.ArrowInvalid as e:
        print("a stream cut off:", e)
    else:
        raise AssertionError("a stream that was cut off reads as a whole one")
    assert rows == 12, rows
    print("pyarrow reads", codec)
