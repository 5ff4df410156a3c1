"""What datasets' save_to_disk and pyarrow wrote is read by sluice with the same bytes and labels.

Run: python .ci/python/interop_arrow.py SLUICE
"""

import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
from PIL import Image

sluice = sys.argv[1]
rng = np.random.default_rng(14)
names = ["zebra", "ant", "cat"]


def png() -> bytes:
    out = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (int(rng.integers(3, 20)), 7, 3)).astype("uint8")).save(out, "png")
    return out.getvalue()


images = [png() for _ in range(25)]
labels = [int(n) for n in rng.integers(0, 3, 25)]


def read(work: Path, name: str, source: str) -> None:
    """Reads a source through `sluice materialize` without decoding, and compares its rows in their order."""
    file = work / f"{name}.yaml"
    file.write_text(f"version: 1\nsource: {source}\nstages: [{{batch: {{size: 4}}}}]\n")
    subprocess.run([sluice, "materialize", file, "-o", work / f"{name}.out"], check=True)
    parts = sorted((work / f"{name}.out").glob("*.arrow"))
    table = pa.concat_tables(pa.ipc.open_file(part).read_all() for part in parts)
    classes = json.loads(table.schema.metadata[b"sluice.tasks"])[0]["classes"]
    assert table["image"].to_pylist() == images, f"{name}: the images differ"
    got = [classes[n] for n in table["label.label"].to_pylist()]
    assert got == [names[n] for n in labels], f"{name}: the labels differ: {got}"
    print(f"{name}: {len(table)} rows, equal bytes and labels")


with tempfile.TemporaryDirectory() as folder:
    work = Path(folder)
    features = datasets.Features({"picture": datasets.Image(), "label": datasets.ClassLabel(names=names)})
    rows = {"picture": [{"bytes": b, "path": None} for b in images], "label": labels}
    saved = datasets.Dataset.from_dict(rows, features=features)
    saved.save_to_disk(work / "one")
    datasets.DatasetDict({"train": saved, "test": saved.select([0])}).save_to_disk(work / "dict", num_shards={"train": 3, "test": 1})
    read(work, "dataset", "{huggingface: {saved: one}}")
    read(work, "splits", "{huggingface: {saved: dict, split: train}}")

    words = [names[n] for n in labels]
    options = "image: picture, tasks: [label], classes: [zebra, ant, cat]"
    for kind in (pa.binary(), pa.large_binary(), pa.binary_view()):
        for label in (pa.array(words), pa.array(words).dictionary_encode(), pa.array(words, pa.string_view())):
            table = pa.table({"picture": pa.array(images, kind), "label": label})
            for codec in (None, "lz4", "zstd"):
                name = f"{kind}-{label.type.id}-{codec}"
                written = pa.ipc.IpcWriteOptions(compression=codec)
                with pa.ipc.new_file(work / f"{name}.arrow", table.schema, options=written) as out:
                    out.write_table(table, max_chunksize=7)
                read(work, name, f"{{arrow: {{path: {name}.arrow, {options}}}}}")
    table = pa.table({"picture": images, "label": words})
    with pa.ipc.new_stream(work / "stream.arrows", table.schema) as out:
        out.write_table(table, max_chunksize=7)
    read(work, "stream", f"{{arrow: {{path: stream.arrows, {options}}}}}")
    feather.write_feather(table, work / "pandas.feather")
    read(work, "feather", f"{{arrow: {{path: pandas.feather, {options}}}}}")
