"""Makes a data set of many small pictures three times: as folders, as WebDataset shards, as Parquet.

    python make.py DIR [SAMPLES]

DIR/folders has 1,000 class folders, DIR/shards 100 tars of .jpg and .cls members, DIR/parquet 10 files of {bytes, path} and a label.
"""

import io
import os
import sys
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

CLASSES, SHARDS, FILES = 1000, 100, 10


def pictures(n: int = 256) -> list[bytes]:
    """JPEG files of 32x32 pixels, of which the data set repeats as many as it needs."""
    random = np.random.default_rng(0)
    files = []
    for _ in range(n):
        small = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        out = io.BytesIO()
        Image.fromarray(small).resize((32, 32), Image.Resampling.BICUBIC).save(out, "JPEG", quality=75)
        files.append(out.getvalue())
    return files


def folders(out: str, n: int, files: list[bytes]) -> None:
    for c in range(CLASSES):
        os.makedirs(f"{out}/folders/class{c:04d}", exist_ok=True)
    for i in range(n):
        with open(f"{out}/folders/class{i % CLASSES:04d}/{i:07d}.jpg", "wb") as f:
            f.write(files[i % len(files)])


def shards(out: str, n: int, files: list[bytes]) -> None:
    os.makedirs(f"{out}/shards", exist_ok=True)
    per = n // SHARDS
    for s in range(SHARDS):
        with tarfile.open(f"{out}/shards/train-{s:03d}.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
            for i in range(s * per, (s + 1) * per):
                for ext, data in (("jpg", files[i % len(files)]), ("cls", str(i % CLASSES).encode())):
                    member = tarfile.TarInfo(f"{i:07d}.{ext}")
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))


def parquet(out: str, n: int, files: list[bytes]) -> None:
    os.makedirs(f"{out}/parquet", exist_ok=True)
    per = n // FILES
    for p in range(FILES):
        numbers = range(p * per, (p + 1) * per)
        table = pa.table({
            "image": pa.array([{"bytes": files[i % len(files)], "path": f"{i:07d}.jpg"} for i in numbers], pa.struct({"bytes": pa.binary(), "path": pa.string()})),
            "label": pa.array([i % CLASSES for i in numbers], pa.int64()),
        })
        pq.write_table(table, f"{out}/parquet/train-{p:02d}.parquet", row_group_size=1000)


if __name__ == "__main__":
    out, n = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    files = pictures()
    folders(out, n, files)
    shards(out, n, files)
    parquet(out, n, files)
