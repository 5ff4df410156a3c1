"""A loader of decoded pictures in a loop: contestants.py NAME FOLDER TASK WORKERS SECONDS

FOLDER has what decoded.py prepared. TASK is augment or batch. The loop takes batches for a second and a half that
aren't counted, then for SECONDS, and looks at one value of each picture. Prints a line of JSON: images, seconds, the
processor seconds of all processes, the mean of a last batch, versions.

A contestant is a generator without end: for augment of float32 tensors [64, 3, 224, 224], normalized, whatever their
strides; for batch of uint8 ones [64, 256, 256, 3].
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

BATCH, STORED, SIDE = 64, 256, 224
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PACKAGES = ["torch", "numpy", "pyarrow", "datasets", "ffcv", "numba"]
Batches = Iterator[Any]


def pixels(folder: str) -> Any:
    """The pictures as one array in a file, mapped; copy-on-write, or torch warns of each."""
    import numpy as np

    return np.memmap(f"{folder}/pixels.bin", np.uint8, mode="c").reshape(-1, STORED, STORED, 3)


class Augment:
    """Crop, flip and normalization with torch: two passes over a picture, into its place of the batch."""

    def __init__(self) -> None:
        import torch

        self.factor = torch.tensor([1 / (255 * s) for s in STD])[:, None, None]
        self.offset = torch.tensor([m / s for m, s in zip(MEAN, STD, strict=True)])[:, None, None]

    def __call__(self, pictures: Any) -> Any:
        """Of uint8 tensors [256, 256, 3]."""
        import torch

        out = torch.empty(len(pictures), 3, SIDE, SIDE)
        for picture, to in zip(pictures, out, strict=True):
            y, x = random.randint(0, STORED - SIDE), random.randint(0, STORED - SIDE)
            window = picture[y : y + SIDE, x : x + SIDE].permute(2, 0, 1)
            if random.random() < 0.5:
                window = window.flip(-1)
            torch.mul(window, self.factor, out=to).sub_(self.offset)
        return out


class Memmap:
    """A Dataset that makes whole batches: DataLoader asks for all of a batch's at once."""

    def __init__(self, folder: str, task: str) -> None:
        self.pixels, self.augment = pixels(folder), Augment() if task == "augment" else None

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitems__(self, numbers: list[int]) -> Any:
        import torch

        if self.augment is None:
            return torch.from_numpy(self.pixels[numbers])
        return self.augment([torch.from_numpy(self.pixels[i]) for i in numbers])


class HuggingFace:
    """A saved data set of Array3D with torch formatting, asked for whole batches."""

    def __init__(self, folder: str, task: str) -> None:
        import datasets
        import torch

        self.data = datasets.load_from_disk(f"{folder}/saved").with_format("torch", dtype=torch.uint8)
        self.augment = Augment() if task == "augment" else None

    def __len__(self) -> int:
        return len(self.data)

    def __getitems__(self, numbers: list[int]) -> Any:
        pictures = self.data[numbers]["image"]
        return pictures if self.augment is None else self.augment(pictures)


def itself(batch: Any) -> Any:
    return batch


def data_loader(data: Any, workers: int) -> Batches:
    """torch's DataLoader over one epoch so long that no second one begins."""
    import torch

    sampler = torch.utils.data.RandomSampler(data, num_samples=5_000_000)
    yield from torch.utils.data.DataLoader(data, BATCH, sampler=sampler, num_workers=workers, collate_fn=itself)


def ffcv(folder: str, task: str, workers: int) -> Batches:
    """FFCV's raw mode. Its random crop resizes: of an area of (224/256)^2 and square, to the size that it has already."""
    import numpy as np
    from ffcv.fields.rgb_image import RandomResizedCropRGBImageDecoder, SimpleRGBImageDecoder
    from ffcv.loader import Loader, OrderOption
    from ffcv.transforms import NormalizeImage, RandomHorizontalFlip, ToTensor, ToTorchImage

    operations = [SimpleRGBImageDecoder(), ToTensor()]
    if task == "augment":
        share = (SIDE / STORED) ** 2
        operations = [
            RandomResizedCropRGBImageDecoder((SIDE, SIDE), scale=(share, share), ratio=(1, 1)),
            RandomHorizontalFlip(),
            NormalizeImage(255 * np.array(MEAN), 255 * np.array(STD), np.float32),
            ToTensor(),
            ToTorchImage(),
        ]
    loader = Loader(
        f"{folder}/pixels.beton",
        batch_size=BATCH,
        num_workers=workers,
        order=OrderOption.RANDOM,
        os_cache=True,
        drop_last=True,
        pipelines={"image": operations, "label": None},
    )
    while True:
        for (images,) in loader:
            yield images


def sluice(folder: str, task: str, workers: int) -> Batches:
    """sluicedata's Loader: pixels in memory that both processes have mapped."""
    from sluicedata import Loader

    with Loader(f"{folder}/{task}.yaml", workers=workers) as loader:
        while True:
            for images, _ in loader:
                yield images if task == "augment" else images.permute(0, 2, 3, 1)  # as they lie in memory


def copy(folder: str, workers: int) -> Batches:
    """Copying: pictures in random order into a batch, the next one as soon as it is taken; a thread each for half of it."""
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np
    import torch

    source = pixels(folder)
    ring = [torch.empty(BATCH, STORED, STORED, 3, dtype=torch.uint8) for _ in range(4)]
    arrays = [batch.numpy() for batch in ring]
    source.sum(dtype=np.int64)  # has every page mapped

    def part(to: Any, numbers: list[int]) -> None:
        for place, number in zip(to, numbers, strict=True):
            np.copyto(place, source[number])

    pool = ThreadPoolExecutor(workers)
    at = 0
    while True:
        order = list(range(len(source)))
        random.shuffle(order)
        for first in range(0, len(order) - BATCH + 1, BATCH):
            numbers, to = order[first : first + BATCH], arrays[at]
            shares = [slice(w, None, workers) for w in range(workers)]
            list(pool.map(part, [to[s] for s in shares], [numbers[s] for s in shares]))
            yield ring[at]
            at = (at + 1) % len(ring)


CONTESTANTS: dict[str, Callable[[str, str, int], Batches]] = {
    "ring": sluice,
    "ffcv": ffcv,
    "memmap": lambda folder, task, workers: data_loader(Memmap(folder, task), 0),
    "memmap-processes": lambda folder, task, workers: data_loader(Memmap(folder, task), workers),
    "datasets": lambda folder, task, workers: data_loader(HuggingFace(folder, task), 0),
    "datasets-processes": lambda folder, task, workers: data_loader(HuggingFace(folder, task), workers),
    "copy": lambda folder, task, workers: copy(folder, workers),
}


def prepare(name: str, folder: str) -> None:
    """Writes the pictures in a contestant's format: saved, beton or tar."""
    import numpy as np

    source = np.memmap(f"{folder}/pixels.bin", np.uint8, mode="r").reshape(-1, STORED, STORED, 3)
    if name == "saved":
        import datasets

        features = datasets.Features(
            {"image": datasets.Array3D((STORED, STORED, 3), "uint8"), "label": datasets.Value("int64")}
        )
        rows = ({"image": source[i], "label": i % 10} for i in range(len(source)))
        writer = datasets.arrow_writer.ArrowWriter(path=f"{folder}/rows.arrow", features=features, writer_batch_size=64)
        for one in rows:
            writer.write(one)
        writer.finalize()
        datasets.Dataset.from_file(f"{folder}/rows.arrow").save_to_disk(f"{folder}/saved")
        os.remove(f"{folder}/rows.arrow")
    elif name == "beton":
        from ffcv.fields import IntField, RGBImageField
        from ffcv.writer import DatasetWriter

        class Rows:
            def __len__(self) -> int:
                return len(source)

            def __getitem__(self, i: int) -> Any:
                return source[i], i % 10

        fields = {"image": RGBImageField(write_mode="raw"), "label": IntField()}
        DatasetWriter(f"{folder}/pixels.beton", fields, num_workers=1).from_indexed_dataset(Rows())


def stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; none: it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def used() -> float:
    """Processor seconds of this process and of all that it has started."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := stat(int(entry))):
            children.setdefault(int(fields[1]), []).append(int(entry))
    found = [os.getpid()]
    for pid in found:
        found += children.get(pid, [])
    mine, waited = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = mine.ru_utime + mine.ru_stime + waited.ru_utime + waited.ru_stime
    for pid in found[1:]:
        if fields := stat(pid):
            seconds += (int(fields[11]) + int(fields[12]) + int(fields[13]) + int(fields[14])) / os.sysconf(
                "SC_CLK_TCK"
            )
    return seconds


def main() -> None:
    name, folder, task = sys.argv[1:4]
    if name == "prepare":
        prepare(task, folder)
        return
    workers, length = int(sys.argv[4]), float(sys.argv[5])
    import torch

    torch.set_num_threads(1)
    batches = CONTESTANTS[name](folder, task, workers)
    images = next(batches)
    shape = (BATCH, 3, SIDE, SIDE) if task == "augment" else (BATCH, STORED, STORED, 3)
    want = torch.float32 if task == "augment" else torch.uint8
    if images.shape != shape or images.dtype != want:
        sys.exit(f"{name}: {images.dtype} {tuple(images.shape)}")

    def loop(seconds: float) -> tuple[int, float]:
        nonlocal images
        count, begin = 0, time.monotonic()
        while time.monotonic() < begin + seconds:
            images = next(batches)
            images[:, 0, 0, 0].sum().item()
            count += 1
        return count * BATCH, time.monotonic() - begin

    loop(1.5)
    before = used()
    count, seconds = loop(length)
    result: dict[str, Any] = {
        "images": count,
        "seconds": seconds,
        "used": used() - before,
        "mean": images.double().mean().item(),
    }
    result["versions"] = {}
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            result["versions"][package] = version(package)
    print(json.dumps(result), flush=True)
    batches.close()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
