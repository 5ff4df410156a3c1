"""Reads what others write: shards of webdataset's writers, zips and tars of Python and of the commands.

    python .ci/python/interop_webdataset.py SLUICE

sluice must find the same samples, the same bytes of images and the same labels as webdataset
does in its shards, and the files that went into the archives.
"""
import gzip
import io
import json
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import zipfile

import numpy as np
import webdataset
from PIL import Image

import common

args = common.arguments(__doc__)
temp = pathlib.Path(tempfile.mkdtemp(prefix="sluice-webdataset-"))
os.chdir(temp)
os.environ["XDG_CACHE_HOME"] = str(temp / "cache")

random = np.random.default_rng(1)


def picture(kind):
    file = io.BytesIO()
    height, width = random.integers(8, 40, 2)
    Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8)).save(file, kind)
    return file.getvalue()


samples = []
for i in range(60):
    kind = ("jpg", "png")[i % 3 == 0]
    about = {"attributes": {"color": ("red", "grün", "blue")[i % 3]}, "size": i / 4, "seen": [{"by": i % 2}]}
    samples.append({"__key__": f"day{i % 4}.b/{i:04d}", kind: picture({"jpg": "jpeg"}.get(kind, kind)), "cls": i % 7, "json": about, "seg.png": picture("png"), "txt": f"picture {i}"})


def read(source, names=()):
    """What sluice reads: by key, the bytes and the texts of its labels and columns."""
    table = common.stream(args.sluice, common.pipeline(source, "batch: {size: 7}", folder=temp))
    classes = {t["name"]: t["classes"] for t in json.loads(table.schema.metadata[b"sluice.tasks"])}
    found = {}
    for row in table.to_pylist():
        values = [classes[n][row[f"label.{n}"]] if n in classes else row[f"meta.{n}"] for n in names]
        found[row["key"]] = (row["image"], *values)
    common.equal("each key is there once", len(found), table.num_rows)
    return found


# Shards of ShardWriter and TarWriter, plain and compressed, read by webdataset and by sluice.
tasks = "tasks: {class: cls, color: json:attributes.color, by: 'json:seen[0].by'}, meta: {caption: txt, size: json:size}"
columns = ("class", "color", "by", "caption", "size")
with webdataset.ShardWriter("plain-%03d.tar", maxcount=17, verbose=0) as writer:
    for sample in samples:
        writer.write(sample)
for name, options in {"zipped-0.tar.gz": {}, "mtime-0.tar": {"mtime": 0.0}, "asked-0.tgz": {"compress": True}}.items():
    with webdataset.TarWriter(name, **options) as writer:
        for sample in samples:
            writer.write(sample)
have_zstd = shutil.which("zstd") is not None
if have_zstd:
    subprocess.run(["zstd", "-q", "plain-000.tar", "-o", "zstd-0.tar.zst"], check=True)
else:
    print("SKIPPED: no command zstd")
patterns = {"plain-{000..003}.tar": 60, "plain-*.tar": 60, "zipped-0.tar.gz": 60, "mtime-0.tar": 60, "asked-0.tgz": 60, **({"zstd-0.tar.zst": 17} if have_zstd else {})}
for pattern, count in patterns.items():
    urls = sorted(map(str, temp.glob(pattern))) if "*" in pattern else pattern
    if pattern.endswith(".zst"):
        urls = "plain-000.tar"  # webdataset reads none
    want = {}
    for sample in webdataset.WebDataset(urls, shardshuffle=False, empty_check=False):
        kind = "jpg" if "jpg" in sample else "png"
        about = json.loads(sample["json"])
        shard = pattern if pattern.endswith(".zst") else os.path.basename(sample["__url__"])
        want[f"{shard}/{sample['__key__']}.{kind}"] = (sample[kind], sample["cls"].decode(), about["attributes"]["color"], str(about["seen"][0]["by"]), sample["txt"].decode(), about["size"])  # fmt: skip
    common.equal(f"{pattern}: samples of webdataset", len(want), count)
    got = read(f"{{webdataset: {{shards: '{temp}/{pattern}', {tasks}}}}}", columns)
    common.expect(got == want, f"{pattern}: keys, bytes, labels and texts are those of webdataset")
segments = read(f"{{webdataset: {{shards: '{temp}/plain-000.tar', image: [seg.png], tasks: {{}}}}}}")
common.expect(sorted(v[0] for v in segments.values()) == sorted(s["seg.png"] for s in samples[:17]), "image: [seg.png] reads these members")

# Whether webdataset's own decoder sees the same numbers.
decoded = {f"{os.path.basename(s['__url__'])}/{s['__key__']}": s["cls"] for s in webdataset.WebDataset("plain-{000..003}.tar", shardshuffle=False).decode()}
got = read(f"{{webdataset: {{shards: '{temp}/plain-{{000..003}}.tar'}}}}", ["class"])
common.expect({k[: k.rindex(".")]: int(v[1]) for k, v in got.items()} == decoded, "numbers of .cls are those of webdataset's decoder")

# A folder, and archives of it by Python and by the commands.
for i, sample in enumerate(samples):
    kind = "jpg" if "jpg" in sample else "png"
    file = temp / "data" / ("cat", "größe", "dog")[i % 3] / f"{i}.{kind}"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(sample[kind])
(temp / "data" / "dog" / "notes.txt").write_text("no picture")
want = {str(f.relative_to(temp / "data")): (f.read_bytes(), f.parent.name) for f in (temp / "data").rglob("*") if f.suffix in (".jpg", ".png")}
archives = []
for name, method in {"stored.zip": zipfile.ZIP_STORED, "deflated.zip": zipfile.ZIP_DEFLATED}.items():
    with zipfile.ZipFile(name, "w", method) as z:
        for file in sorted((temp / "data").rglob("*")):
            z.write(file, file.relative_to(temp / "data"))
    archives.append(name)
with zipfile.ZipFile("zip64.zip", "w", zipfile.ZIP_DEFLATED) as z:
    for key, (data, _) in want.items():
        with z.open(key, "w", force_zip64=True) as member:  # sizes behind the data, and of 64 bits
            member.write(data)
archives.append("zip64.zip")
shutil.make_archive("made", "zip", temp / "data")
archives.append("made.zip")
for name, format in {"ustar.tar": tarfile.USTAR_FORMAT, "gnu.tar": tarfile.GNU_FORMAT, "pax.tar": tarfile.PAX_FORMAT, "pax.tar.gz": tarfile.PAX_FORMAT}.items():
    with tarfile.open(name, "w:gz" if name.endswith("gz") else "w", format=format) as t:
        t.add(temp / "data", ".")
    archives.append(name)
archives.append("two.tar.gz")  # two members of gzip, as pigz and cat make them
whole = (temp / "pax.tar").read_bytes()
(temp / "two.tar.gz").write_bytes(gzip.compress(whole[:5000]) + gzip.compress(whole[5000:]))
commands = {
    "zip.zip": ["zip", "-q", "-r", "../zip.zip", "."],
    "zip0.zip": ["zip", "-q", "-0", "-r", "../zip0.zip", "."],
    "tar.tar": ["tar", "-cf", "../tar.tar", "."],
    "tar.tar.gz": ["tar", "-czf", "../tar.tar.gz", "."],
    "tar.tar.zst": ["tar", "--zstd", "-cf", "../tar.tar.zst", "."],
    "bsdtar.tar": ["bsdtar", "-cf", "../bsdtar.tar", "."],
    "bsdtar.zip": ["bsdtar", "--format", "zip", "-cf", "../bsdtar.zip", "."],
}
for name, command in commands.items():
    if shutil.which(command[0]) is None or "--zstd" in command and not have_zstd:
        print(f"SKIPPED: no command for {name}")
        continue
    subprocess.run(command, cwd=temp / "data", check=True)
    archives.append(name)
common.expect(read(f"{{folder: {{path: '{temp}/data'}}}}", ["class"]) == want, "the folder")
for name in archives:
    common.expect(read(f"{{folder: {{path: '{temp}/{name}'}}}}", ["class"]) == want, f"{name}: keys, bytes and classes are those of the folder")

shutil.rmtree(temp)
common.finish()
