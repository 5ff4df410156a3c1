"""Pictures with boxes and with masks, images/s of a processor, beside other libraries: the same JPEG files, in turn.

    python benchmarks/targets/speed.py CELLS STREET [--python PYTHON,...] [--rounds 5] [--seconds 2] [-o FILE]

CELLS is BCCD in VOC's layout, STREET has CamVid's images and masks. README.md says what is done to them, and by whom. SLUICE
is the engine's binary, else one is built. A contestant is a process on one processor, started once; a round has each take batches for some
seconds, another one first each time. The first half second of each, which empties what was made ahead, isn't counted.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1", NO_ALBUMENTATIONS_UPDATE="1")

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CLASSES = ("RBC", "WBC", "Platelets")
BATCH, SIDE, CROP = 16, 300, 320
STREET = 360, 480  # height and width of all of CamVid's pictures
COPIES = 16  # of each, for an epoch of 400
JITTER, HUE = 0.3, 0.05
SCALES = 0.5, 2.0
LEAD = 0.5  # seconds that aren't counted
PACKAGES = "torch", "torchvision", "albumentations", "opencv-python-headless", "nvidia-dali-cuda120", "numpy"
NAMES = "sluice", "torchvision", "albumentations", "dali"
Batches = Iterator[tuple[Any, Any]]

DETECTION = f"""
version: 1
source: {{coco: {{file: cells.json, images: cells}}}}
stages:
  - shuffle
  - decode
  - random_iou_crop
  - resize: {{height: {SIDE}, width: {SIDE}}}
  - flip
  - color_jitter: {{brightness: {JITTER}, contrast: {JITTER}, saturation: {JITTER}, hue: {HUE}}}
  - batch: {{size: {BATCH}, drop_last: true}}
"""

SEGMENTATION = f"""
version: 1
source: {{folder: {{path: street/images, tasks: []MASKS}}}}
stages:
  - shuffle
  - decode
  - scale_jitter: {{target: [{STREET[0]}, {STREET[1]}], range: [{SCALES[0]}, {SCALES[1]}]}}
  - pad: {{size: [{CROP}, {CROP}]}}
  - crop: {{size: {CROP}}}
  - flip
  - batch: {{size: {BATCH}, drop_last: true}}
"""


def prepare(cells: Path, street: Path, to: Path) -> None:
    """The files of both recipes: COCO's annotations for BCCD; CamVid's pictures as JPEG of quality 90, and their masks as they are."""
    from PIL import Image

    known: dict[str, list[dict[str, Any]]] = {"images": [], "annotations": []}
    known["categories"] = [{"id": 1 + c, "name": name} for c, name in enumerate(CLASSES)]
    (to / "cells").mkdir()
    for path in sorted((cells / "JPEGImages").glob("*.jpg")):
        shutil.copy(path, to / "cells")
        width, height = Image.open(path).size
        number = len(known["images"]) + 1
        known["images"].append({"id": number, "file_name": path.name, "width": width, "height": height})
        for thing in ET.parse(cells / "Annotations" / f"{path.stem}.xml").iter("object"):
            x1, y1, x2, y2 = (float(thing.findtext(f"bndbox/{name}") or 0) for name in ("xmin", "ymin", "xmax", "ymax"))
            x1, y1, x2, y2 = max(x1 - 1, 0), max(y1 - 1, 0), min(x2, width), min(y2, height)
            if (w := x2 - x1) > 0 and (h := y2 - y1) > 0:
                label = 1 + CLASSES.index(thing.findtext("name") or "")
                about = {"image_id": number, "category_id": label, "bbox": [x1, y1, w, h], "area": w * h, "iscrowd": 0}
                known["annotations"].append({"id": len(known["annotations"]) + 1, **about})
    (to / "cells.json").write_text(json.dumps(known))
    for name in ("images", "masks"):
        (to / "street" / name).mkdir(parents=True)
    for path in sorted((street / "images").iterdir()):
        for copy in range(COPIES):
            picture = to / "street" / "images" / f"{path.stem}-{copy:02d}.jpg"
            if copy == 0:
                first = picture
                Image.open(path).convert("RGB").save(first, quality=90)
            else:
                shutil.copy(first, picture)
            shutil.copy(street / "masks" / f"{path.stem}.png", to / "street" / "masks" / f"{path.stem}-{copy:02d}.png")
    (to / "detection.yaml").write_text(DETECTION)
    (to / "segmentation.yaml").write_text(
        SEGMENTATION.replace("MASKS", ', masks: {path: "../masks/{stem}.png", ignore: 255}')
    )
    (to / "without-masks.yaml").write_text(SEGMENTATION.replace("MASKS", ""))


# What each does. A contestant's batches go on for ever: uint8 pictures, 16 x 3 x height x width, and a box and label list for each, or
# masks, 16 x height x width.


def annotated(folder: Path) -> list[tuple[str, list[list[float]], list[int]]]:
    """The files of the detection recipe with their boxes, x1 y1 x2 y2, and labels from 1; read once."""
    known = json.loads((folder / "cells.json").read_text())
    boxes: dict[int, list[tuple[list[float], int]]] = {}
    for a in known["annotations"]:
        x, y, w, h = a["bbox"]
        boxes.setdefault(a["image_id"], []).append(([x, y, x + w, y + h], a["category_id"]))
    out = []
    for image in known["images"]:
        here = boxes.get(image["id"], [])
        out.append((str(folder / "cells" / image["file_name"]), [box for box, _ in here], [label for _, label in here]))
    return out


def masked(folder: Path) -> list[tuple[str, str]]:
    """The files of the segmentation recipe and their masks."""
    files = sorted((folder / "street" / "images").iterdir())
    return [(str(file), str(folder / "street" / "masks" / f"{file.stem}.png")) for file in files]


def shuffled(samples: list[Any]) -> Iterator[Any]:
    while True:
        yield from random.sample(samples, len(samples))


def sluice(folder: Path, recipe: str) -> Batches:
    """sluicedata's Loader: the engine in its process, batches in memory that both have mapped, collated for torchvision's models."""
    from functools import partial

    from sluicedata import Loader, collate

    if recipe == "detection":
        with Loader(folder / "detection.yaml", collate=partial(collate.torchvision, labels_from=1)) as loader:
            while True:
                yield from loader
    with Loader(folder / f"{recipe}.yaml") as loader:
        while True:
            for batch in loader:
                yield batch.image, batch["mask"] if recipe == "segmentation" else None


def torchvision(folder: Path, recipe: str) -> Batches:
    """v2's transforms of tv_tensors; its own decoder."""
    import torch
    from torchvision import tv_tensors
    from torchvision.io import ImageReadMode, decode_image, decode_jpeg, read_file
    from torchvision.transforms import v2

    torch.set_num_threads(1)

    def picture(file: str) -> Any:
        return tv_tensors.Image(decode_jpeg(read_file(file), mode=ImageReadMode.RGB))

    if recipe == "detection":
        change = v2.Compose(
            [
                v2.RandomIoUCrop(),
                v2.Resize((SIDE, SIDE), antialias=True),
                v2.RandomHorizontalFlip(),
                v2.ColorJitter(brightness=JITTER, contrast=JITTER, saturation=JITTER, hue=HUE),
                v2.SanitizeBoundingBoxes(),
            ]
        )
        rows = shuffled([(f, torch.tensor(b, dtype=torch.float32), torch.tensor(c)) for f, b, c in annotated(folder)])
        while True:
            images, targets = torch.empty(BATCH, 3, SIDE, SIDE, dtype=torch.uint8), []
            for image, (file, boxes, labels) in zip(images, rows, strict=False):
                pixels = picture(file)
                here = tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=pixels.shape[-2:])
                pixels, target = change(pixels, {"boxes": here, "labels": labels})
                image.copy_(pixels)
                targets.append(target)
            yield images, targets
    change = v2.Compose(
        [
            v2.ScaleJitter((STREET[1], STREET[0]), SCALES, antialias=True),
            v2.RandomCrop(CROP, pad_if_needed=True, fill={tv_tensors.Image: 0, tv_tensors.Mask: 255}),
            v2.RandomHorizontalFlip(),
        ]
    )
    files = shuffled(masked(folder))
    while True:
        images = torch.empty(BATCH, 3, CROP, CROP, dtype=torch.uint8)
        masks = torch.empty(BATCH, 1, CROP, CROP, dtype=torch.uint8)
        for image, mask, (file, beside) in zip(images, masks, files, strict=False):
            pixels, numbers = change(picture(file), tv_tensors.Mask(decode_image(beside, ImageReadMode.GRAY)))
            image.copy_(pixels)
            mask.copy_(numbers)
        yield images, masks[:, 0]


def albumentations(folder: Path, recipe: str) -> Batches:
    """Compose on OpenCV's pictures. It has no crop by intersection over union: RandomSizedBBoxSafeCrop is the nearest."""
    import albumentations as A
    import cv2
    import numpy as np

    cv2.setNumThreads(1)

    def picture(file: str) -> Any:
        return cv2.imread(file, cv2.IMREAD_COLOR_RGB)

    if recipe == "detection":
        factor = (1 - JITTER, 1 + JITTER)
        change = A.Compose(
            [
                A.RandomSizedBBoxSafeCrop(SIDE, SIDE),
                A.HorizontalFlip(p=0.5),
                A.ColorJitter(brightness=factor, contrast=factor, saturation=factor, hue=(-HUE, HUE), p=1),
            ],
            bbox_params=A.BboxParams(format="pascal_voc", label_fields=["labels"]),
        )
        rows = shuffled([(f, np.array(b, np.float32).reshape(-1, 4), np.array(c)) for f, b, c in annotated(folder)])
        while True:
            images, targets = np.empty((BATCH, 3, SIDE, SIDE), np.uint8), []
            for image, (file, boxes, labels) in zip(images, rows, strict=False):
                made = change(image=picture(file), bboxes=boxes, labels=labels)
                np.copyto(image, made["image"].transpose(2, 0, 1))
                targets.append({"boxes": made["bboxes"], "labels": made["labels"]})
            yield images, targets
    change = A.Compose(
        [
            A.RandomScale((SCALES[0] - 1, SCALES[1] - 1), p=1),
            A.PadIfNeeded(CROP, CROP, border_mode=cv2.BORDER_CONSTANT, fill=0, fill_mask=255),
            A.RandomCrop(CROP, CROP),
            A.HorizontalFlip(p=0.5),
        ]
    )
    files = shuffled(masked(folder))
    while True:
        images, masks = np.empty((BATCH, 3, CROP, CROP), np.uint8), np.empty((BATCH, CROP, CROP), np.uint8)
        for image, mask, (file, beside) in zip(images, masks, files, strict=False):
            made = change(image=picture(file), mask=cv2.imread(beside, cv2.IMREAD_UNCHANGED))
            np.copyto(image, made["image"].transpose(2, 0, 1))
            np.copyto(mask, made["mask"])
        yield images, masks


def dali(folder: Path, recipe: str) -> Batches:
    """DALI's operators for the processor, one thread; its decoder decodes only the window that was drawn for boxes."""
    import numpy as np
    from nvidia.dali import fn, pipeline_def, types

    @pipeline_def(batch_size=BATCH, num_threads=1, device_id=None, prefetch_queue_depth=2)
    def detection() -> Any:
        encoded, boxes, labels = fn.readers.coco(
            file_root=str(folder / "cells"),
            annotations_file=str(folder / "cells.json"),
            ratio=True,
            ltrb=True,
            random_shuffle=True,
        )
        at, size, boxes, labels = fn.random_bbox_crop(
            boxes,
            labels,
            thresholds=[0, 0.1, 0.3, 0.5, 0.7, 0.9],
            aspect_ratio=[0.5, 2.0],
            scaling=[0.3, 1.0],
            bbox_layout="xyXY",
            allow_no_crop=True,
            num_attempts=40,
        )
        images = fn.decoders.image_slice(encoded, at, size, device="cpu", output_type=types.RGB)
        images = fn.resize(images, size=(SIDE, SIDE), interp_type=types.INTERP_LINEAR)
        factors = [fn.random.uniform(range=(1 - JITTER, 1 + JITTER)) for _ in range(3)]
        images = fn.color_twist(
            images,
            brightness=factors[0],
            contrast=factors[1],
            saturation=factors[2],
            hue=fn.random.uniform(range=(-360 * HUE, 360 * HUE)),
        )
        mirror = fn.random.coin_flip(probability=0.5)
        images = fn.crop_mirror_normalize(images, mirror=mirror, dtype=types.UINT8, output_layout="CHW")
        return images, fn.bb_flip(boxes, ltrb=True, horizontal=mirror), labels

    @pipeline_def(batch_size=BATCH, num_threads=1, device_id=None, prefetch_queue_depth=2)
    def segmentation() -> Any:
        files = random.sample(masked(folder), len(masked(folder)))
        encoded, _ = fn.readers.file(files=[file for file, _ in files], name="images")
        beside, _ = fn.readers.file(files=[mask for _, mask in files], name="masks")
        scale = fn.random.uniform(range=SCALES)
        size = fn.stack(scale * STREET[0], scale * STREET[1])
        x, y, mirror = fn.random.uniform(range=(0, 1)), fn.random.uniform(range=(0, 1)), fn.random.coin_flip()
        images = fn.decoders.image(encoded, device="cpu", output_type=types.RGB)
        images = fn.resize(images, size=size, interp_type=types.INTERP_LINEAR)
        masks = fn.decoders.image(beside, device="cpu", output_type=types.GRAY)
        masks = fn.resize(masks, size=size, interp_type=types.INTERP_NN)
        window = {"crop": (CROP, CROP), "crop_pos_x": x, "crop_pos_y": y, "out_of_bounds_policy": "pad"}
        form = {"mirror": mirror, "dtype": types.UINT8, "output_layout": "CHW"}
        images = fn.crop_mirror_normalize(images, fill_values=0, **window, **form)
        return images, fn.crop_mirror_normalize(masks, fill_values=255, mean=[0], std=[1], **window, **form)

    pipeline = {"detection": detection, "segmentation": segmentation}[recipe]()
    pipeline.build()
    while True:
        images, *targets = pipeline.run()
        pixels = np.asarray(images.as_tensor())
        if recipe == "detection":
            boxes, labels = targets
            yield (
                pixels,
                [
                    {"boxes": SIDE * np.asarray(boxes[i]), "labels": np.asarray(labels[i]).reshape(-1)}
                    for i in range(BATCH)
                ],
            )
        else:
            yield pixels, np.asarray(targets[0].as_tensor())[:, 0]


CONTESTANTS: dict[str, Callable[[Path, str], Batches]] = {
    "sluice": sluice,
    "torchvision": torchvision,
    "albumentations": albumentations,
    "dali": dali,
}


def stat(pid: str) -> list[str]:
    """The fields of /proc/PID/stat from the state on; none: it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def used() -> float:
    """Processor seconds of this process and of those that it has started, and that live."""
    fields = {entry: found for entry in os.listdir("/proc") if entry.isdigit() and (found := stat(entry))}
    family = [str(os.getpid())]
    for parent in family:
        family += [pid for pid, found in fields.items() if found[1] == parent]
    return sum(int(fields[pid][11]) + int(fields[pid][12]) for pid in family) / os.sysconf("SC_CLK_TCK")


def check(images: Any, targets: Any, recipe: str) -> None:
    """That a batch has the form, and something to learn in it."""
    if recipe == "detection":
        images = [tuple(image.shape) for image in images]
        count = sum(len(target["boxes"]) for target in targets)
        ok = images == [(3, SIDE, SIDE)] * BATCH and len(targets) == BATCH
        ok = ok and count > BATCH and all(len(t["boxes"]) == len(t["labels"]) for t in targets)
    else:
        ok = tuple(images.shape) == (BATCH, 3, CROP, CROP)
        if recipe == "segmentation":
            ok = ok and tuple(targets.shape) == (BATCH, CROP, CROP) and len({int(v) for v in targets.reshape(-1)}) > 5
    if not ok:
        sys.exit("a batch of another form")


def child(name: str, recipe: str, folder: Path, processor: int) -> None:
    os.sched_setaffinity(0, {processor})  # the processes that it starts have it, too
    batches = CONTESTANTS[name](folder, recipe)
    check(*next(batches), recipe)
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    print(json.dumps(versions), flush=True)
    for line in sys.stdin:
        for seconds in (LEAD, float(line)):
            count, begin, before = 0, time.monotonic(), used()
            while time.monotonic() < begin + seconds:
                next(batches)
                count += BATCH
            spent, cpu = time.monotonic() - begin, used() - before
        print(json.dumps({"speed": count / spent, "milliseconds": 1000 * cpu / count}), flush=True)


# What compares them.


class Contestant:
    """A process that takes batches when told to."""

    def __init__(self, name: str, recipe: str, folder: Path, processor: int, pythons: list[str]) -> None:
        self.name, self.recipe = name, recipe
        self.rounds: list[dict[str, float]] = []
        for python in pythons:
            command = [python, str(Path(__file__).resolve()), "--child", name, recipe, str(folder), str(processor)]
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            try:
                self.versions: dict[str, str] = self.answer()
                return
            except RuntimeError as failure:
                self.why = str(failure)
        raise RuntimeError(f"{name}: {self.why}")

    def answer(self) -> Any:
        assert self.process.stdout and self.process.stderr
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        lines = self.process.stderr.read().strip().splitlines()
        raise RuntimeError(lines[-1] if lines else f"status {self.process.wait()}")

    def round(self, seconds: float) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        self.rounds.append(self.answer())

    def close(self) -> None:
        self.process.communicate()


def spread(values: list[float], digits: int) -> str:
    """Median, least and most."""
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f}...{max(values):,.{digits}f})"


def compare(
    recipe: str, folder: Path, ask: argparse.Namespace, lines: list[str], decodemasks: Path | None
) -> dict[str, str]:
    """One recipe: adds its table to lines, and returns versions."""
    contestants, failed, decoding = [], [], []
    names = [name for name in NAMES if name in ask.only.split(",")]
    for name, part in [(name, recipe) for name in names] + [("sluice", "without-masks")] * (decodemasks is not None):
        try:
            contestants.append(Contestant(name, part, folder, ask.processor, ask.python.split(",")))
        except RuntimeError as failure:
            failed.append(str(failure))
    for number in range(ask.rounds):
        for i in range(len(contestants)):
            contestants[(i + number) % len(contestants)].round(ask.seconds)
        if decodemasks:
            command = ["taskset", "-c", str(ask.processor), decodemasks, folder / "street" / "masks", "1"]
            decoding.append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    began = len(lines)
    lines += [
        "",
        f"**{recipe}**",
        "",
        "| | images/s | ms of a processor an image | sluice takes 1 / x of its time |",
        "|---|---|---|---|",
    ]
    ours = {c.recipe: [r["milliseconds"] for r in c.rounds] for c in contestants if c.name == "sluice"}
    for c in contestants:
        times = [r["milliseconds"] for r in c.rounds]
        ratios = [theirs / own for theirs, own in zip(times, ours[recipe], strict=True)]
        told = c.name if c.recipe == recipe else f"{c.name}, without masks"
        beside = "" if c.name == "sluice" else spread(ratios, 1)
        lines.append(f"| {told} | {spread([r['speed'] for r in c.rounds], 0)} | {spread(times, 2)} | {beside} |")
        c.close()
    if decodemasks:
        without = ours["without-masks"]
        beyond = [100 * (a - b - d) / b for a, b, d in zip(ours[recipe], without, decoding, strict=True)]
        lines.append(f"| reading and decoding a mask, by itself | | {spread(decoding, 3)} | |")
        lines += ["", f"Beyond decoding their files masks cost {spread(beyond, 0)} % of the recipe without them."]
    lines += [f"\nNot measured: {text}" for text in failed]
    print("\n".join(lines[began:]), flush=True)
    return {k: v for c in contestants for k, v in c.versions.items()}


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], sys.argv[3], Path(sys.argv[4]), int(sys.argv[5]))
        return
    about, _, usage = (__doc__ or "").partition("\n\n")
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=about, epilog=usage, formatter_class=form)
    parser.add_argument("cells", type=Path)
    parser.add_argument("street", type=Path)
    parser.add_argument(
        "--python", default=sys.executable, help="Pythons, by commas; each runs in the first that has it"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--processor", type=int, default=1, help="the one that all are kept on")
    parser.add_argument("--only", default=",".join(NAMES))
    parser.add_argument("--recipe", default="detection,segmentation")
    parser.add_argument("-o", "--output", type=Path)
    ask = parser.parse_args()
    lines: list[str] = []
    versions: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepare(ask.cells, ask.street, folder)
        for name, where in (("sluice", "./cmd/sluice"), ("decodemasks", "./benchmarks/targets/decodemasks")):
            subprocess.run(["go", "build", "-o", folder / name, where], cwd=ROOT, check=True)
        os.environ.setdefault("SLUICE", str(folder / "sluice"))
        os.environ["PYTHONPATH"] = str(ROOT / "python" / "src")
        for recipe in ask.recipe.split(","):
            masks = folder / "decodemasks" if recipe == "segmentation" and "sluice" in ask.only.split(",") else None
            versions |= compare(recipe, folder, ask, lines, masks)
    told = ", ".join(f"{name} {number}" for name, number in versions.items())
    print(told)
    if ask.output:
        head = f"`speed.py CELLS STREET --rounds {ask.rounds} --seconds {ask.seconds:g}`, {datetime.date.today()}: one processor, {platform.machine()}, Python {platform.python_version()}, {told}"
        ask.output.write_text("\n".join([head, *lines]) + "\n")


if __name__ == "__main__":
    main()
