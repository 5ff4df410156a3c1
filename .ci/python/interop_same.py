"""One data set in every form that is read, and in every format that is written, there and back.

    python .ci/python/interop_same.py SLUICE DATA

CIFAR-10-LT and the photos as a folder become a tar, a zip, a tar.gz, shards of webdataset's
ShardWriter, datasets' Parquet and saved data set: the same pipeline gives the same pictures in
the same order from each. And what sluice materializes of the files, undecoded, in each format,
is read back with the same labels and the same bytes of files.
"""
import hashlib
import json
import pathlib
import shutil
import tarfile
import tempfile
import zipfile

import datasets
import webdataset
import zstandard

import common

args = common.arguments(__doc__, "data")
temp = pathlib.Path(tempfile.mkdtemp(prefix="sluice-same-"))
datasets.disable_progress_bars()

AUGMENTED = ("shuffle", "decode", "rotate: {degrees: 30}", "crop: {size: 0.5, offset: [0, 0.25]}", "flip", "resize: {height: 24, width: 24}", "to_tensor", "batch: {size: 64}")
TASK = "label.class"


def unpacked(name):
    """A folder of classes, of at most 2,000 files: every sixth of CIFAR-10-LT, or all photos in three classes."""
    folder = temp / name
    if name == "cifar10-lt":
        with tarfile.open(args.data / "cifar10-lt/train.tar") as tar:
            for member in [m for m in tar if m.isfile()][::6]:
                file = folder / member.name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(tar.extractfile(member).read())
    else:
        for i, photo in enumerate(sorted((args.data / "photos").iterdir())):
            if photo.suffix.lower() in (".jpg", ".jpeg"):
                file = folder / ("many", "some", "some", "few")[i % 4] / photo.name
                file.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(photo, file)
    return folder


def rows(source, *stages):
    """Of every row in order the class and a hash of the image."""
    table = common.stream(args.sluice, common.pipeline(source, *stages, seed=5, folder=temp))
    names = {t["name"]: t["classes"] for t in json.loads(table.schema.metadata[b"sluice.tasks"])}["class"]
    if hasattr(table.schema.field("image").type, "shape"):
        images = [picture.tobytes() for picture in common.pictures(table)]
    else:
        images = table["image"].to_pylist()
    return [(names[label], hashlib.sha256(image).hexdigest()) for label, image in zip(table[TASK].to_pylist(), images)]


def forms(folder, out):
    """The folder in each form, by other tools: the source of each."""
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.*"))
    yield "folder", f"{{folder: {{path: '{folder}'}}}}"
    for name, mode in (("set.tar", "w"), ("set.tar.gz", "w:gz")):
        with tarfile.open(out / name, mode) as tar:
            tar.add(folder, arcname=".")
        yield name, f"{{folder: {{path: '{out / name}'}}}}"
    with open(out / "set.tar.zst", "wb") as file:
        file.write(zstandard.compress((out / "set.tar").read_bytes()))
    yield "set.tar.zst", f"{{folder: {{path: '{out / 'set.tar.zst'}'}}}}"
    for name, method in (("stored.zip", zipfile.ZIP_STORED), ("deflated.zip", zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(out / name, "w", method) as archive:
            for file in files:
                archive.write(folder / file, file)
        yield name, f"{{folder: {{path: '{out / name}'}}}}"
    with webdataset.ShardWriter(f"{out}/set-%05d.tar", maxcount=300, verbose=0) as writer:
        for i, file in enumerate(files):
            writer.write({"__key__": f"{i:06d}", pathlib.Path(file).suffix[1:]: (folder / file).read_bytes(), "cls": file.split("/")[-2]})
    yield "webdataset", f"{{webdataset: {{shards: '{out}/set-*.tar'}}}}"
    classes = sorted({file.split("/")[-2] for file in files})
    features = datasets.Features({"image": datasets.Image(), "class": datasets.ClassLabel(names=classes)})
    columns = {"image": [{"bytes": (folder / f).read_bytes(), "path": f} for f in files], "class": [classes.index(f.split("/")[-2]) for f in files]}
    data = datasets.Dataset.from_dict(columns, features=features)
    data.to_parquet(f"{out}/set.parquet", batch_size=100)
    yield "parquet", f"{{parquet: {{files: '{out}/set.parquet'}}}}"
    data.save_to_disk(f"{out}/saved")
    yield "saved data set", f"{{huggingface: {{saved: '{out}/saved'}}}}"


def written(source, out):
    """What sluice writes of the files, undecoded, in each format: the source that reads it back."""
    file = common.pipeline(source, "batch: {size: 64}", folder=temp)
    for name, back in (
        ("arrow", "{{arrow: {{path: '{}'}}}}"),
        ("webdataset", "{{webdataset: {{shards: '{}/*.tar'}}}}"),
        ("folder", "{{folder: {{path: '{}'}}}}"),
        ("parquet", "{{parquet: {{files: '{}/*.parquet'}}}}"),
    ):
        common.run(args.sluice, "materialize", file, "--format", name, "--set", f"sink.{name}.{'shard_rows' if name == 'webdataset' else 'part_rows'}=500", "-o", out / f"as-{name}")
        common.run(args.sluice, "verify", out / f"as-{name}")
        yield name, back.format(out / f"as-{name}")


for name in ("cifar10-lt", "photos"):
    folder, out = unpacked(name), temp / f"{name}-forms"
    out.mkdir()
    want = None
    for form, source in forms(folder, out):
        got = rows(source, *AUGMENTED)
        want = want or got
        common.expect(got == want, f"{name} as {form}: {len(got)} rows, pictures and classes as from the folder")
    source = f"{{folder: {{path: '{folder}'}}}}"
    want = rows(source, "batch: {size: 64}")
    for form, back in written(source, out):
        got = rows(back, "batch: {size: 64}")
        common.expect(got == want, f"{name} as {form} and back: {len(got)} rows, the files' bytes and classes in their order")
shutil.rmtree(temp)
common.finish()
