"""Models learn from sluice's batches what they learn from torchvision's transforms: the same loop, once with each.

    python benchmarks/targets/learning.py detection DIR [--steps 400] [--seeds 1] [--only sluice] [-o FILE]
    python benchmarks/targets/learning.py segmentation DIR [--steps 600] [--seeds 1] [--only sluice] [-o FILE]

detection: torchvision's fasterrcnn_mobilenet_v3_large_320_fpn from random weights, trained on 20 pictures of DIR (VOC's layout: JPEGImages,
Annotations), cropped at random, resized and flipped; average precision on these pictures, whole, by pycocotools.
segmentation: a U-Net of 0.12 million weights on the pictures of DIR (images, masks beside them), scaled, cropped and flipped at random; mean
intersection over union on these pictures, whole.

An arm is trained for as many steps as the other, from the same weights; what is evaluated is read by the same code. Each arm's targets come only
from its own library: sluice reads the annotations by itself.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import functools
import io
import itertools
import os
import platform
import shutil
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from torch.nn import functional as F
from torchvision import tv_tensors
from torchvision.io import ImageReadMode, decode_image
from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn
from torchvision.transforms import v2

import sluicedata
from sluicedata import Loader, collate

CLASSES = ("RBC", "WBC", "Platelets")
STREET = 12  # classes, of which the last is unlabelled
Targets = list[dict[str, Any]]


def endless(loader: Any) -> Iterator[Any]:
    """Epoch after epoch."""
    while True:
        yield from loader


# Detection


class Cells(torch.utils.data.Dataset[Any]):
    """Pictures with VOC's boxes, as torchvision's own training reads them; corners in continuous coordinates."""

    def __init__(self, root: Path, transform: Any) -> None:
        self.names = sorted(path.stem for path in (root / "JPEGImages").iterdir())
        self.root, self.transform = root, transform

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, i: int) -> tuple[Any, dict[str, Any]]:
        image = tv_tensors.Image(
            decode_image(str(self.root / "JPEGImages" / f"{self.names[i]}.jpg"), ImageReadMode.RGB)
        )
        boxes, labels = [], []
        for thing in ET.parse(self.root / "Annotations" / f"{self.names[i]}.xml").iter("object"):
            x1, y1, x2, y2 = (float(thing.findtext(f"bndbox/{name}") or 0) for name in ("xmin", "ymin", "xmax", "ymax"))
            if x2 > x1 and y2 > y1:
                boxes.append([x1 - 1, y1 - 1, x2, y2])  # pixel numbers from 1, both ends within
                labels.append(1 + CLASSES.index(thing.findtext("name") or ""))
        target = {
            "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=image.shape[-2:], dtype=torch.float32),
            "labels": torch.tensor(labels),
            "image_id": i,
        }
        return self.transform(image, target)


DETECTION = """
version: 1
seed: {seed}
source: {{voc: {{path: {data}, classes: [RBC, WBC, Platelets]}}}}
objects: {{min_visibility: 0}}
stages:
  - shuffle
  - decode
  - random_iou_crop
  - resize: {{height: 240, width: 320}}
  - flip
  - batch: {{size: 4, drop_last: true}}
"""


def detection_of_sluice(data: Path, seed: int) -> Any:
    text = DETECTION.format(seed=seed, data=data)
    (data / "train.yaml").write_text(text)
    form = functools.partial(collate.torchvision, labels_from=1, to_float=True)
    return Loader(data / "train.yaml", collate=form)


def detection_of_torchvision(data: Path, seed: int) -> Any:
    transform = v2.Compose(
        [
            v2.RandomIoUCrop(),
            v2.Resize((240, 320), antialias=True),
            v2.RandomHorizontalFlip(),
            v2.SanitizeBoundingBoxes(),
            v2.ToDtype(torch.float32, scale=True),
        ]
    )
    order = torch.Generator().manual_seed(seed)
    return torch.utils.data.DataLoader(
        Cells(data, transform),
        4,
        shuffle=True,
        drop_last=True,
        generator=order,
        collate_fn=lambda rows: tuple(zip(*rows, strict=True)),
    )


def detector(seed: int) -> Any:
    torch.manual_seed(seed)
    model: Any = fasterrcnn_mobilenet_v3_large_320_fpn(
        weights=None, weights_backbone=None, num_classes=1 + len(CLASSES), min_size=240, max_size=320,
        rpn_pre_nms_top_n_train=500, rpn_post_nms_top_n_train=300, box_batch_size_per_image=64,  # a fifth of the time
    )  # fmt: skip
    return model


def detect(loader: Any, steps: int, seed: int, data: Path) -> dict[str, float]:
    model = detector(seed)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-3, total_steps=steps, pct_start=0.1)
    for _, (images, targets) in zip(range(steps), endless(loader), strict=False):
        loss = sum(model(list(images), [dict(target) for target in targets]).values())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        schedule.step()
    return average_precision(model, data)


def average_precision(model: Any, data: Path) -> dict[str, float]:
    """By pycocotools, on whole pictures."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    known: dict[str, Any] = {"info": {}, "images": [], "annotations": [], "categories": []}
    known["categories"] = [{"id": 1 + c, "name": name} for c, name in enumerate(CLASSES)]
    found = []
    model.eval()
    with torch.no_grad():
        for image, target in Cells(data, v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True)):
            known["images"].append({"id": target["image_id"], "height": image.shape[1], "width": image.shape[2]})
            for (x1, y1, x2, y2), label in zip(target["boxes"].tolist(), target["labels"].tolist(), strict=True):
                w, h = x2 - x1, y2 - y1
                known["annotations"].append(
                    {"id": len(known["annotations"]) + 1, "image_id": target["image_id"], "category_id": label}
                    | {"bbox": [x1, y1, w, h], "area": w * h, "iscrowd": 0}
                )
            (out,) = model([image])
            for (x1, y1, x2, y2), label, score in zip(
                *(out[k].tolist() for k in ("boxes", "labels", "scores")), strict=True
            ):
                found.append(
                    {
                        "image_id": target["image_id"],
                        "category_id": label,
                        "score": score,
                        "bbox": [x1, y1, x2 - x1, y2 - y1],
                    }
                )
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = known
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {"AP": float(evaluation.stats[0]), "AP50": float(evaluation.stats[1])}


# Segmentation


class Street(torch.utils.data.Dataset[Any]):
    """Pictures with masks beside them."""

    def __init__(self, root: Path, transform: Any) -> None:
        self.images = sorted((root / "images").iterdir())
        self.root, self.transform = root, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> tuple[Any, Any]:
        image = tv_tensors.Image(decode_image(str(self.images[i]), ImageReadMode.RGB))
        mask = decode_image(str(self.root / "masks" / self.images[i].name), ImageReadMode.UNCHANGED)[0]
        mask[mask == STREET - 1] = 255
        return self.transform(image, tv_tensors.Mask(mask))


SEGMENTATION = """
version: 1
seed: {seed}
source: {{folder: {{path: {data}/images, tasks: [], masks: {{path: "../masks/{{stem}}.png", ignore: 11}}}}}}
stages:
  - shuffle
  - decode
  - random_resized_crop: {{height: 120, width: 160, scale: [0.25, 1]}}
  - flip
  - to_tensor
  - batch: {{size: 5, drop_last: true}}
"""


def segmentation_of_sluice(data: Path, seed: int) -> Any:
    (data / "train.yaml").write_text(SEGMENTATION.format(seed=seed, data=data))
    return Loader(data / "train.yaml", collate=collate.segmentation)


def segmentation_of_torchvision(data: Path, seed: int) -> Any:
    transform = v2.Compose(
        [
            v2.RandomResizedCrop((120, 160), scale=(0.25, 1), antialias=True),
            v2.RandomHorizontalFlip(),
            v2.ToDtype({tv_tensors.Image: torch.float32, tv_tensors.Mask: torch.int64, "others": None}, scale=True),
        ]
    )
    order = torch.Generator().manual_seed(seed)
    return torch.utils.data.DataLoader(Street(data, transform), 5, shuffle=True, drop_last=True, generator=order)


class UNet(torch.nn.Module):
    """Three levels of two convolutions each."""

    def __init__(self, classes: int, widths: tuple[int, ...] = (8, 16, 32, 64)) -> None:
        super().__init__()

        def block(before: int, behind: int) -> torch.nn.Sequential:
            layers: list[torch.nn.Module] = []
            for n in (before, behind):
                layers += [
                    torch.nn.Conv2d(n, behind, 3, padding=1, bias=False),
                    torch.nn.BatchNorm2d(behind),
                    torch.nn.ReLU(),
                ]
            return torch.nn.Sequential(*layers)

        self.down = torch.nn.ModuleList(block(a, b) for a, b in zip((3, *widths), widths, strict=False))
        self.up = torch.nn.ModuleList(block(a + b, a) for a, b in itertools.pairwise(widths))
        self.head = torch.nn.Conv2d(widths[0], classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        levels = []
        for i, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if i else x)
            levels.append(x)
        for block, level in reversed(list(zip(self.up, levels, strict=False))):
            x = block(torch.cat([level, F.interpolate(x, size=level.shape[2:], mode="nearest")], 1))
        out: torch.Tensor = self.head(x)
        return out


def segment(loader: Any, steps: int, seed: int, data: Path) -> dict[str, float]:
    torch.manual_seed(seed)
    model = UNet(STREET - 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)
    for _, (images, masks) in zip(range(steps), endless(loader), strict=False):
        loss = F.cross_entropy(model(images - 0.5), masks, ignore_index=255)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.eval()
    counts = torch.zeros(STREET - 1, STREET - 1, dtype=torch.int64)
    with torch.no_grad():
        for image, mask in Street(data, v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True)):
            said = model(image[None] - 0.5).argmax(1)[0]
            known = mask != 255
            counts += torch.bincount(mask[known] * counts.shape[0] + said[known], minlength=counts.numel()).view_as(
                counts
            )
    right = counts.diag().double()
    union = counts.sum(0) + counts.sum(1) - counts.diag()
    there = counts.sum(1) > 0
    return {"mean IoU": float((right / union)[there].mean()), "accuracy": float(right.sum() / counts.sum())}


PARTS = {
    "detection": (detect, {"sluice": detection_of_sluice, "torchvision": detection_of_torchvision}),
    "segmentation": (segment, {"sluice": segmentation_of_sluice, "torchvision": segmentation_of_torchvision}),
}


def copy_cells(source: Path, to: Path, pictures: int) -> None:
    for folder in ("JPEGImages", "Annotations"):
        (to / folder).mkdir()
    for path in sorted((source / "JPEGImages").iterdir())[:pictures]:
        shutil.copy(path, to / "JPEGImages")
        shutil.copy(source / "Annotations" / f"{path.stem}.xml", to / "Annotations")


def main() -> None:
    about, _, usage = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=about, epilog=usage, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("data", type=Path, help="BCCD's pictures for detection, CamVid's for segmentation")
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", choices=("sluice", "torchvision"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path)
    ask = parser.parse_args()
    if (
        "MALLOC_TOP_PAD_" not in os.environ
    ):  # else half of the time goes into pages that glibc gives back after each step
        keep = {
            "MALLOC_MMAP_THRESHOLD_": "1000000000",
            "MALLOC_TRIM_THRESHOLD_": "8000000000",
            "MALLOC_TOP_PAD_": "100000000",
        }
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **keep})
    torch.set_num_threads(ask.threads)
    run, arms = PARTS[ask.part]
    steps = ask.steps or {"detection": 400, "segmentation": 600}[ask.part]
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        if ask.part == "detection":
            copy_cells(ask.data, data, 20)
        else:
            for name in ("images", "masks"):
                shutil.copytree(ask.data / name, data / name)
        for seed in range(1, 1 + ask.seeds):
            for arm, make in arms.items():
                if ask.only in (None, arm):
                    begin = time.monotonic()
                    figures = run(make(data, seed), steps, seed, data)
                    told = " | ".join(f"{value:.3f}" for value in figures.values())
                    lines.append(f"| {seed} | {arm} | {told} | {time.monotonic() - begin:.0f} |")
                    print(lines[-1], flush=True)
    if ask.output:
        head = f"| seed | arm | {' | '.join(figures)} | seconds |"
        versions = f"{platform.machine()}, {ask.threads} threads, Python {platform.python_version()}, torch {torch.__version__}, torchvision {torchvision.__version__}, numpy {np.__version__}, sluicedata {sluicedata.__version__}"
        text = f"`{' '.join([Path(sys.argv[0]).name, ask.part, 'DIR', f'--steps {steps} --seeds {ask.seeds}'])}`, {datetime.date.today()}: {versions}\n\n"
        ask.output.write_text(text + "\n".join([head, "|---" * (head.count("|") - 1) + "|", *lines]) + "\n")


if __name__ == "__main__":
    main()
