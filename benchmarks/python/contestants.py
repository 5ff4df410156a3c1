"""A loader in a PyTorch loop: contestants.py NAME FOLDER WARM BATCHES PACE PACED

FOLDER has what loops.py prepared: photos/<class>/*.jpg, shards/*.tar, rrc.yaml. The loop takes the first batch, WARM
more, and then

- BATCHES whose every element it reads (a sum), and
- PACED whose pixels it doesn't read, with a sleep of PACE seconds behind each in place of an accelerator's step.

Prints a line of JSON: seconds from BEGIN (an environment variable, of CLOCK_MONOTONIC) to the first batch, for both
parts images, seconds and the processor seconds, in user and system mode, that this process and all that it started
have used, and their memory (PSS: pages that several have mapped are counted once).

A contestant is a generator without end of float32 tensors [64, 3, 224, 224], normalized, or of uint8 ones and a
module that normalizes them.
"""

from __future__ import annotations

import contextlib
import glob
import json
import math
import os
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

BATCH, SIDE, WORKERS = 64, 224, 2
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
Batches = Iterator[Any]


def torchvision_transform() -> Any:
    from torchvision import transforms as T

    return T.Compose([T.RandomResizedCrop(SIDE), T.RandomHorizontalFlip(), T.ToTensor(), T.Normalize(MEAN, STD)])


def data_loader(data: Any, workers: int) -> Batches:
    """torch's DataLoader over one epoch so long that no second one begins."""
    import torch

    sampler = torch.utils.data.RandomSampler(data, num_samples=1_000_000)
    for images, _ in torch.utils.data.DataLoader(data, BATCH, sampler=sampler, num_workers=workers):
        yield images


def torchvision(folder: str, workers: int) -> Batches:
    from torchvision.datasets import ImageFolder

    return data_loader(ImageFolder(f"{folder}/photos", torchvision_transform()), workers)


class OpenCV:
    """RandomResizedCrop, flip and normalization with OpenCV, bilinear, not antialiased, as in benchmarks/loaders."""

    def __init__(self, folder: str) -> None:
        import numpy as np

        self.files = sorted(glob.glob(f"{folder}/photos/*/*.jpg"))
        classes = sorted({os.path.dirname(file) for file in self.files})
        self.labels = [classes.index(os.path.dirname(file)) for file in self.files]
        # A table per channel makes float32 of bytes, normalized: faster than NumPy's arithmetic.
        self.tables = [((np.arange(256) / 255 - m) / s).astype(np.float32) for m, s in zip(MEAN, STD, strict=True)]

    def window(self, w: int, h: int) -> tuple[int, int, int, int]:
        """RandomResizedCrop's left, top, width and height, as torchvision draws them."""
        for _ in range(10):
            area = w * h * random.uniform(0.08, 1)
            aspect = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
            cw, ch = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if 0 < cw <= w and 0 < ch <= h:
                return random.randint(0, w - cw), random.randint(0, h - ch), cw, ch
        cw, ch = min(w, round(h * 4 / 3)), min(h, round(w * 4 / 3))
        return (w - cw) // 2, (h - ch) // 2, cw, ch

    def draw(self, file: str, out: Any) -> None:
        """Fills out, [3, 224, 224]."""
        import cv2

        img: Any = cv2.imread(file)
        h, w = img.shape[:2]
        x, y, cw, ch = self.window(w, h)
        img = cv2.resize(img[y : y + ch, x : x + cw], (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        planes = cv2.split(cv2.flip(img, 1) if random.random() < 0.5 else img)  # blue, green, red
        for c in range(3):
            cv2.LUT(planes[2 - c], self.tables[c], dst=out[c])

    def sample(self, i: int) -> Any:
        import cv2
        import numpy as np

        cv2.setNumThreads(1)
        out = np.empty((3, SIDE, SIDE), np.float32)
        self.draw(self.files[i], out)
        return out

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> Any:
        import torch

        return torch.from_numpy(self.sample(i)), self.labels[i]


def dali(folder: str) -> Batches:
    """DALI's pipeline on the CPU; its iterator for PyTorch."""
    from nvidia.dali import fn, pipeline_def, types
    from nvidia.dali.plugin.pytorch import DALIGenericIterator

    @pipeline_def(batch_size=BATCH, num_threads=WORKERS, device_id=None, prefetch_queue_depth=2)  # type: ignore[untyped-decorator]
    def pipeline() -> Any:
        encoded, labels = fn.readers.file(file_root=f"{folder}/photos", random_shuffle=True)
        img = fn.decoders.image_random_crop(
            encoded, device="cpu", random_area=[0.08, 1.0], random_aspect_ratio=[3 / 4, 4 / 3]
        )
        img = fn.resize(img, size=(SIDE, SIDE), interp_type=types.INTERP_LINEAR)
        mirror = fn.random.coin_flip(probability=0.5)
        mean, std = [255 * m for m in MEAN], [255 * s for s in STD]
        return fn.crop_mirror_normalize(
            img, dtype=types.FLOAT, output_layout="CHW", crop=(SIDE, SIDE), mirror=mirror, mean=mean, std=std
        ), labels

    for batch in DALIGenericIterator([pipeline()], ["image", "label"], size=-1):
        yield batch[0]["image"]


def spdl(folder: str) -> Batches:
    """SPDL's pipeline of threads around OpenCV's functions; a thread makes a whole batch."""
    import cv2
    import numpy as np
    import torch
    from spdl.pipeline import PipelineBuilder

    cv2.setNumThreads(1)
    data = OpenCV(folder)

    def lists() -> Iterator[list[int]]:
        while True:
            order = list(range(len(data)))
            random.shuffle(order)
            for at in range(0, len(order) - BATCH + 1, BATCH):
                yield order[at : at + BATCH]

    def make(chosen: list[int]) -> Any:
        out = np.empty((BATCH, 3, SIDE, SIDE), np.float32)
        for i, n in enumerate(chosen):
            data.draw(data.files[n], out[i])
        return torch.from_numpy(out), torch.tensor([data.labels[n] for n in chosen])

    builder = PipelineBuilder().add_source(lists()).pipe(make, concurrency=WORKERS, output_order="input").add_sink(2)
    pipeline = builder.build(num_threads=WORKERS)
    with pipeline.auto_stop():
        for images, _ in pipeline.get_iterator():
            yield images


def grain(folder: str) -> Batches:
    """Grain's MapDataset around OpenCV's functions, in its processes."""
    import grain.python as grain
    import torch
    from absl import flags

    flags.FLAGS(["contestants.py"])
    data = OpenCV(folder)
    chain = (
        grain.MapDataset.range(len(data))
        .shuffle(seed=1)
        .repeat()
        .map(lambda i: (data.sample(i), data.labels[i]))
        .batch(BATCH)
    )
    reading = grain.ReadOptions(num_threads=1, prefetch_buffer_size=1)
    chain = chain.to_iter_dataset(reading).mp_prefetch(
        grain.MultiprocessingOptions(num_workers=WORKERS, per_worker_buffer_size=2)
    )
    for images, _ in chain:
        yield torch.from_numpy(images)


def webdataset(folder: str) -> Batches:
    """webdataset's shards, decoded by Pillow, torchvision's transforms, its WebLoader."""
    import webdataset as wds

    transform = torchvision_transform()
    data = wds.WebDataset(sorted(glob.glob(f"{folder}/shards/*.tar")), resampled=True).shuffle(1000).decode("pil")
    data = data.to_tuple("jpg", "cls").map_tuple(transform, lambda label: label).batched(BATCH)
    for images, _ in wds.WebLoader(data, batch_size=None, num_workers=WORKERS):
        yield images


def shards(folder: str) -> None:
    """Makes the shards once."""
    import webdataset as wds

    data = OpenCV(folder)
    order = list(range(len(data)))
    random.shuffle(order)
    os.makedirs(f"{folder}/shards")
    with wds.ShardWriter(f"{folder}/shards/%06d.tar", maxcount=math.ceil(len(data) / 8)) as sink:
        for n in order:
            with open(data.files[n], "rb") as file:
                sink.write({"__key__": f"{n:06d}", "jpg": file.read(), "cls": data.labels[n]})


def sluice(folder: str, transport: str, pixels: str = "float32") -> Batches:
    """sluicedata's Loader."""
    from sluicedata import Loader

    without = ["to_tensor", "normalize"] if pixels == "uint8" else []
    with Loader(f"{folder}/rrc.yaml", transport=transport, without=without) as loader:
        while True:
            for images, _ in loader:
                yield images


def stream(folder: str) -> Batches:
    """The loop of docs/pytorch.md, as it is there: `sluice stream`, a process an epoch."""
    import torch

    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/pytorch.md")) as page:
        program = page.read().split("```python")[1].split("\ndata = ")[0]
    names: dict[str, Any] = {}
    exec(program, names)
    data = names["Sluice"](f"{folder}/rrc.yaml", sluice=os.environ["SLUICE"])
    while True:
        for images, _, _ in torch.utils.data.DataLoader(data, batch_size=None):
            yield images


def same(folder: str) -> Batches:
    """One batch again and again: what the loop itself costs."""
    import torch

    images = torch.randn(BATCH, 3, SIDE, SIDE)
    while True:
        yield images


CONTESTANTS: dict[str, Callable[[str], Batches]] = {
    "torchvision-0": lambda folder: torchvision(folder, 0),
    "torchvision-1": lambda folder: torchvision(folder, 1),
    "torchvision-2": lambda folder: torchvision(folder, 2),
    "opencv-2": lambda folder: data_loader(OpenCV(folder), 2),
    "dali": dali,
    "spdl": spdl,
    "grain": grain,
    "webdataset": webdataset,
    "ring": lambda folder: sluice(folder, "ring"),
    "ring-uint8": lambda folder: sluice(folder, "ring", "uint8"),
    "pipe": lambda folder: sluice(folder, "pipe"),
    "stream": stream,
    "same": same,
}
PACKAGES = [
    "torch",
    "torchvision",
    "opencv-python-headless",
    "numpy",
    "pillow",
    "pyarrow",
    "nvidia-dali-cuda120",
    "spdl",
    "grain",
    "webdataset",
]


def descendants() -> list[int]:
    """The processes that this one has started, and theirs."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := stat(int(entry))):
            children.setdefault(int(fields[1]), []).append(int(entry))
    found = [os.getpid()]
    for pid in found:
        found += children.get(pid, [])
    return found[1:]


def stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; none: it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def used() -> tuple[float, float]:
    """Processor seconds of all processes, in user and in system mode."""
    tick = os.sysconf("SC_CLK_TCK")
    mine, waited = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    user, system = mine.ru_utime + waited.ru_utime, mine.ru_stime + waited.ru_stime
    for pid in descendants():
        if fields := stat(pid):
            user += (int(fields[11]) + int(fields[13])) / tick
            system += (int(fields[12]) + int(fields[14])) / tick
    return user, system


def memory() -> float:
    """MiB of all processes."""
    total = 0
    for pid in [os.getpid(), *descendants()]:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as file:
                total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        except OSError:
            pass
    return total / 1024


def main() -> None:
    name, folder = sys.argv[1:3]
    warm, count, paced = int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[6])
    pace = float(sys.argv[5])
    if name == "shards":
        shards(folder)
        return
    begin = float(os.environ.get("BEGIN", time.monotonic()))
    import torch

    torch.set_num_threads(1)
    batches = CONTESTANTS[name](folder)
    normalize = None
    if name.endswith("uint8"):
        from sluicedata.torch import Normalize

        normalize = Normalize()

    def take() -> Any:
        images = next(batches)
        return normalize(images) if normalize else images

    images = take()
    if images.shape != (BATCH, 3, SIDE, SIDE) or images.dtype != torch.float32:
        sys.exit(f"{name}: {images.dtype} {tuple(images.shape)}")
    float(images.sum())
    result: dict[str, Any] = {"first": time.monotonic() - begin, "first_used": sum(used())}
    for _ in range(warm):
        images = take()
        float(images.sum())

    def measured(number: int, step: Callable[[], None]) -> dict[str, float]:
        user, system = used()
        start = time.monotonic()
        for _ in range(number):
            step()
        seconds = time.monotonic() - start
        after = used()
        return {
            "images": number * BATCH,
            "seconds": seconds,
            "user": after[0] - user,
            "system": after[1] - system,
            "memory": memory(),
        }

    total = 0.0

    def read() -> None:
        nonlocal total
        total += float(take().sum())

    def wait() -> None:
        images = next(batches)  # uint8: the accelerator normalizes
        time.sleep(pace)
        del images

    result["read"] = measured(count, read)
    result["mean"] = total / (count * BATCH * 3 * SIDE * SIDE)
    if paced:
        for _ in range(3):
            wait()
        result["paced"] = measured(paced, wait)
    result["versions"] = {}
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            result["versions"][package] = version(package)
    print(json.dumps(result), flush=True)
    batches.close()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
