"""pyarrow reads every file and stream that sluice writes, in every form and codec.

    python .ci/python/check_pyarrow.py SLUICE

Works on a small demo data set that it makes itself. Materialized files in none,
lz4 and zstd, and the stream, must hold the same numbers.
"""
import csv
import hashlib
import json
import pathlib
import tempfile

import pyarrow as pa

import common

args = common.arguments(__doc__)
temp = pathlib.Path(tempfile.mkdtemp(prefix="sluice-pyarrow-"))
common.run(args.sluice, "demo", "-o", temp / "demo")
train = temp / "demo" / "data" / "train"

# A list with empty cells: unknown labels.
images = sorted(p.relative_to(temp).as_posix() for p in train.rglob("*.jpg"))[::7]
rows = [[key, key.split("/")[-3] if i % 3 else "", key.split("/")[-2] if i % 5 else "", 1 + i % 2] for i, key in enumerate(images)]
with open(temp / "list.csv", "w", newline="") as file:
    csv.writer(file).writerows([["path", "shape", "color", "weight"], *rows])
source = f"{{manifest: {{path: '{temp}/list.csv'}}}}"
labels = {"shape": {r[0]: r[1] or None for r in rows}, "color": {r[0]: r[2] or None for r in rows}}
weights = {r[0]: r[3] for r in rows}

uint8 = ["decode: {}", "rotate: {degrees: 30}", "resize: {height: 24, width: 40}"]
chw = [*uint8, "to_tensor: {}", "normalize: {mean: imagenet, std: imagenet}", "batch: {size: 32}"]
forms = {  # stages, the type of each scale's image column: element type and shape, or the column's type
    "encoded": (["batch: {size: 32}"], {None: pa.large_binary()}),
    "varying": (["decode: {}", "crop: {size: 0.5}"], {None: "struct"}),
    "uint8 hwc": ([*uint8, "batch: {size: 32}"], {None: (pa.uint8(), [24, 40, 3])}),
    "float32 chw": (chw, {None: (pa.float32(), [3, 24, 40])}),
    "multiscale": ([*chw, "multiscale: {scales: [0.5, 1, 1.5]}"], {s: (pa.float32(), [3, int(24 * s), int(40 * s)]) for s in (0.5, 1, 1.5)}),
}


def check_type(what, got, want):
    if want == "struct":
        common.equal(f"{what}: type", (pa.types.is_struct(got), [got.field(i).name for i in range(got.num_fields)]), (True, ["height", "width", "pixels"]))
    elif isinstance(want, tuple):
        common.expect(isinstance(got, pa.FixedShapeTensorType), f"{what}: type {got}")
        names = ["C", "H", "W"] if want[1][0] == 3 else ["H", "W", "C"]
        common.equal(f"{what}: elements, shape, dimensions", (got.value_type, list(got.shape), got.dim_names), (*want, names))
    else:
        common.equal(f"{what}: type", got, want)


def read_files(directory, folder):
    """All parts of one scale, every file opened and validated."""
    manifest = json.loads((directory / "manifest.json").read_text())
    tables = []
    for part in manifest["parts"]:
        if pathlib.PurePosixPath(part["name"]).parent.as_posix() == folder:
            with pa.OSFile(str(directory / part["name"])) as file:
                tables.append(pa.ipc.open_file(file).read_all())
            with pa.OSFile(str(directory / part["name"])) as file:  # behind the magic a file is a stream, to its end mark
                file.seek(8)
                assert pa.ipc.open_stream(file).read_all().equals(tables[-1]), part
            assert tables[-1].num_rows == part["rows"], part
    table = pa.concat_tables(tables)
    table.validate(full=True)
    return table


def check_directory(what, directory):
    """Checksums and rows of the manifest, and nothing beside what it lists."""
    manifest = json.loads((directory / "manifest.json").read_text())
    wrong = [p["name"] for p in manifest["parts"] if hashlib.sha256((directory / p["name"]).read_bytes()).hexdigest() != p["sha256"]]
    common.equal(f"{what}: {len(manifest['parts'])} files, wrong sha256", wrong, [])
    there = {p.relative_to(directory).as_posix() for p in directory.rglob("*.arrow")}
    common.equal(f"{what}: files not in the manifest", there - {p["name"] for p in manifest["parts"]}, set())
    return manifest


def check_columns(what, table):
    """Keys, labels (null where the list's cell is empty), weights and metadata."""
    metadata = {k.decode(): v.decode() for k, v in table.schema.metadata.items()}
    json.loads(metadata["sluice.pipeline"]), json.loads(metadata["sluice.counts"])
    common.equal(f"{what}: plan hash, seed", (len(metadata["sluice.plan_hash"]), metadata["sluice.seed"]), (64, "1"))
    keys = table["key"].to_pylist()
    common.expect(sorted(keys) == images, f"{what}: {len(keys)} keys, those of the list")
    for task in json.loads(metadata["sluice.tasks"]):
        column = table[f"label.{task['name']}"]
        got = [None if n is None else task["classes"][n] for n in column.to_pylist()]
        right = column.type == pa.int32() and got == [labels[task["name"]][k] for k in keys]
        common.expect(right and column.null_count > 0, f"{what}: labels of {task['name']}, {column.null_count} of {len(got)} null")
    common.expect(table["weight"].to_pylist() == [weights[k] for k in keys], f"{what}: weights, those of the list")
    common.equal(f"{what}: params that are no JSON object", sum(not p.startswith("{") for p in table["params"].to_pylist()), 0)
    return metadata


for form, (stages, scales) in forms.items():
    file = common.pipeline(source, *stages)
    for scale, image in scales.items():
        whole = common.stream(args.sluice, file, "--params", *(["--scale", scale] if scale else []))
        what = form if scale is None else f"{form} {scale:g}"
        check_type(what, whole.schema.field("image").type, image)
        metadata = check_columns(what, whole)
        common.equal(f"{what}: metadata scale", metadata.get("scale"), None if scale is None else f"{scale:g}")
        for codec in ("none", "lz4", "zstd"):
            directory = temp / f"{form}-{codec}".replace(" ", "-")
            if not directory.exists():
                common.run(args.sluice, "materialize", file, "-o", directory, "--codec", codec, "--part-rows", 64, "--params")
                manifest = check_directory(f"{form}, {codec}", directory)
                common.equal(f"{form}, {codec}: rows in the manifest", manifest["rows"], len(rows) * len(scales))
            table = read_files(directory, "." if scale is None else f"scale-{scale:g}")
            check_type(f"{what}, {codec}", table.schema.field("image").type, image)
            same = table.equals(whole) and table.schema.equals(whole.schema, check_metadata=True)
            common.expect(same, f"{what}, {codec}: {table.num_rows} rows equal to the stream's, metadata too")
common.finish()
