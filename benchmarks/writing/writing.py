"""Resharding without re-encoding, beside cp, webdataset and datasets.

    python writing.py SLUICE PHOTOS WORK [GIGABYTES] [ROUNDS]

The photos, over and over, become WebDataset shards of that size. Each contestant writes all of them anew, and ends when
its files are on the disk (sync); rounds are interleaved. A rate is the size of the input over the time.
"""

import io
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tarfile
import time

sluice, photos, work = (os.path.abspath(name) for name in sys.argv[1:4])
gigabytes, rounds = float((sys.argv[4:5] or ["5"])[0]), int((sys.argv[5:6] or ["2"])[0])
files = [p.read_bytes() for p in sorted(pathlib.Path(photos).glob("*.*"))]


def make(shard_size: int = 500 << 20) -> int:
    """The input; its bytes."""
    os.makedirs(f"{work}/in", exist_ok=True)
    total, number, shard = 0, 0, -1
    tar = None
    while total < gigabytes * 1e9:
        if tar is None or tar.offset > shard_size:
            if tar is not None:
                tar.close()
            shard += 1
            tar = tarfile.open(f"{work}/in/in-{shard:03d}.tar", "w", format=tarfile.USTAR_FORMAT)
        for ext, data in (("jpg", files[number % len(files)]), ("cls", str(number % 100).encode())):
            member = tarfile.TarInfo(f"{number:07d}.{ext}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
            total += len(data)
        number += 1
    tar.close()
    os.sync()
    return sum(p.stat().st_size for p in pathlib.Path(f"{work}/in").iterdir())


def materialize(form: str, *flags: str):
    def run(out: str) -> None:
        file = f"{work}/{form}.yaml"
        with open(file, "w") as f:
            f.write(f"version: 1\nsource: {{webdataset: {{shards: '{work}/in/*.tar'}}}}\nstages: [{{batch: {{size: 64}}}}]\n")
        subprocess.run([sluice, "materialize", file, "--format", form, *flags, "-o", out], check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return run


def cp(out: str) -> None:
    subprocess.run(["cp", "-r", f"{work}/in", out], check=True)


def webdataset_writer(out: str) -> None:
    import webdataset

    os.makedirs(out)
    data = webdataset.WebDataset([str(p) for p in sorted(pathlib.Path(f"{work}/in").iterdir())], shardshuffle=False, empty_check=False)
    with webdataset.ShardWriter(f"{out}/%05d.tar", maxsize=500e6, maxcount=1e9, encoder=False, verbose=0) as writer:
        for sample in data:
            writer.write({k: v for k, v in sample.items() if k in ("__key__", "jpg", "cls")})


def datasets_parquet(out: str) -> None:
    import datasets

    os.makedirs(out)
    datasets.disable_progress_bars()
    files = [str(p) for p in sorted(pathlib.Path(f"{work}/in").iterdir())]
    stream = datasets.load_dataset("webdataset", data_files=files, split="train", streaming=True)
    stream.cast_column("jpg", datasets.Image(decode=False)).to_parquet(f"{out}/out.parquet")


contestants = {
    "cp -r": cp, "sluice, webdataset": materialize("webdataset", "--set", "sink.webdataset.bare=true"), "sluice, parquet": materialize("parquet"),
    "sluice, arrow": materialize("arrow"), "sluice, arrow lz4": materialize("arrow", "--codec", "lz4"),
    "webdataset ShardWriter": webdataset_writer, "datasets to_parquet (streaming)": datasets_parquet,
}
size = make()
print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {size / 1e9:.1f} GB, {rounds} rounds\n", flush=True)
rates: dict[str, list[float]] = {name: [] for name in contestants}
for _ in range(rounds):
    for name, run in contestants.items():
        out = f"{work}/out"
        shutil.rmtree(out, ignore_errors=True)
        os.sync()
        begin = time.time()
        try:
            run(out)
        except Exception as error:  # shown, and the others go on
            print(f"{name}: {error!r}", file=sys.stderr, flush=True)
            continue
        os.sync()
        rates[name].append(size / 1e6 / (time.time() - begin))
        shutil.rmtree(out, ignore_errors=True)
print("| contestant | MB/s | of cp |\n|---|---|---|")
base = statistics.median(rates["cp -r"])
for name, list_ in rates.items():
    if list_:
        print(f"| {name} | {statistics.median(list_):.0f} ({min(list_):.0f}-{max(list_):.0f}) | {statistics.median(list_) / base:.2f} |")
shutil.rmtree(f"{work}/in")
