"""Measures how pictures differ between sluice's stages and the transforms they equal, and writes docs/python-transforms.md.

    python python/tools/transforms.py [--photos FOLDER] [--write]

Each row of sluicedata/_equivalents.py has a case here. The engine makes a picture and says what it drew; the other library
makes the same picture with that draw. Without --write the figures are compared with the limits of the rows; with it, they
are also kept in transforms.json, and the page is written. The libraries that aren't installed are passed over, and keep
their figures.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sluicedata import Transform, from_torchvision
from sluicedata._equivalents import NO_EQUAL, ROWS, Row
from sluicedata.pipelines import _flow

Image = npt.NDArray[Any]
Params = Mapping[str, Any]

HERE = Path(__file__).resolve().parent
FIGURES = HERE / "transforms.json"
PAGE = HERE.parents[1] / "docs" / "python-transforms.md"
KINDS = ("pillow", "tensor", "array")


@dataclass(frozen=True)
class Case:
    """How a row is measured.

    stages: the stages of the row, behind decode. apply: the other library's picture, of an image and what the engine drew; the image is
    uint8 [h, w, 3] for albumentations, and for the others Pillow's or a tensor [3, h, w]. inside: only pixels whose value comes from the
    picture alone are compared: at its edge, libraries blend into the fill in different ways. only: whether a picture can be compared; the
    others have a size, or a place of the crop, that differs by a pixel.
    """

    stages: list[Any]
    apply: Callable[[Any, Params], Any]
    inside: bool = False
    only: Callable[[Image], bool] = lambda image: True


@dataclass
class Figures:
    """Differences of pixels, in levels of 255."""

    pictures: int = 0
    most: float = 0.0
    total: float = 0.0
    count: int = 0

    def add(self, got: Image, want: Image, mask: npt.NDArray[np.bool_] | None) -> None:
        if got.shape != want.shape:
            raise ValueError(f"the shape is {got.shape} here and {want.shape} there")
        difference = np.abs(got.astype(np.float64) - want.astype(np.float64))
        if got.dtype != np.uint8:
            difference = difference * 255
        if mask is not None:
            difference = difference[mask]
        self.pictures += 1
        self.count += difference.size
        self.total += float(difference.sum())
        self.most = max(self.most, float(difference.max(initial=0)))

    @property
    def mean(self) -> float:
        return self.total / max(self.count, 1)


def pictures(count: int = 6) -> list[Image]:
    """Pictures of several sizes, uint8 [h, w, 3]: smooth, with edges and some noise, as photos are."""
    made = []
    for number in range(count):
        random = np.random.default_rng(number)
        height, width = ((61, 83), (97, 64), (128, 128), (75, 150), (200, 133), (90, 91))[number % 6]
        y, x = np.mgrid[0:height, 0:width]
        planes = [
            128 + 60 * np.sin(x / random.uniform(5, 30) + c) + 50 * np.cos(y / random.uniform(5, 30) - c)
            for c in range(3)
        ]
        image = np.stack(planes, axis=2) + random.normal(0, 6, (height, width, 3))
        top, left = random.integers(0, height // 2), random.integers(0, width // 2)
        image[top : top + height // 3, left : left + width // 3] = random.integers(0, 256, 3)
        made.append(np.clip(image, 0, 255).astype(np.uint8))
    return made


def stages(transform: Any) -> list[Any]:
    """The stages of a transform, without a decode that has no options."""
    found: list[Any] = from_torchvision(transform).to_dict()["stages"]
    return found[1:] if found[0] == "decode" else found


def torchvision_cases() -> dict[str, Case]:
    import torch
    from torchvision.transforms import v2
    from torchvision.transforms.v2 import functional as F

    bilinear, nearest = v2.InterpolationMode.BILINEAR, v2.InterpolationMode.NEAREST_EXACT
    filters = {"bilinear": bilinear, "nearest": nearest, "bicubic": v2.InterpolationMode.BICUBIC}

    def same(transform: Any) -> Case:
        """A transform that draws nothing."""
        return Case(stages(transform), lambda image, _: transform(image))

    def drawn(transform: Any, apply: Callable[[Any, Params], Any], inside: bool = False) -> Case:
        return Case(stages(transform), apply, inside)

    def behind_a_crop(*transforms: Any) -> Case:
        transform = v2.Compose(list(transforms))
        return drawn(
            v2.Compose([v2.RandomCrop(48), transform]), lambda image, p: transform(F.crop(image, *window(p["crop"])))
        )

    def window(p: Params) -> tuple[int, int, int, int]:
        return p["y"], p["x"], p["height"], p["width"]

    def resized(mode: Any) -> Callable[[Any, Params], Any]:
        return lambda image, p: F.resized_crop(image, *window(p["random_resized_crop"]), [50, 40], mode)

    def flip(function: Callable[[Any], Any]) -> Callable[[Any, Params], Any]:
        return lambda image, p: function(image) if p["flip"]["flipped"] else image

    def jitter(image: Any, p: Params) -> Any:
        drawn = p.get("color_jitter", {"order": []})
        for name in drawn["order"]:
            image = getattr(F, f"adjust_{name}")(image, drawn[name])
        return image

    def affine(mode: Any, fill: int) -> Callable[[Any, Params], Any]:
        def apply(image: Any, p: Params) -> Any:
            a = p["affine"]
            return F.affine(
                image,
                -a["degrees"],
                [a["translate_x"], a["translate_y"]],
                a["scale"],
                [a["shear_x"], a["shear_y"]],
                mode,
                fill,
            )

        return apply

    def perspective(image: Any, p: Params) -> Any:
        if "perspective" not in p:
            return image
        height, width = F.get_size(image)
        start = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]
        end = [p["perspective"][k] for k in ("top_left", "top_right", "bottom_right", "bottom_left")]
        return F.perspective(image, start, end, bilinear, 0)

    def gray(image: Any, p: Params) -> Any:
        return F.rgb_to_grayscale(image, 3) if "grayscale" in p else image

    def erased(image: Any, p: Params) -> Any:
        if "random_erasing" not in p:
            return image
        hole, value = p["random_erasing"], torch.tensor([9, 99, 199])[:, None, None]
        return F.erase(image, hole["y"], hole["x"], hole["height"], hole["width"], value)

    def policy(stage: str) -> Callable[[Any, Params], Any]:
        from torchvision.transforms import InterpolationMode
        from torchvision.transforms.autoaugment import _apply_op

        names = {"autocontrast": "AutoContrast"}

        def apply(image: Any, p: Params) -> Any:
            fill = 9 if not hasattr(image, "permute") else [9.0, 9.0, 9.0]
            for op in p[stage]["ops"]:
                name = names.get(op["op"], op["op"].title().replace("_", ""))
                image = _apply_op(image, name, op["magnitude"], InterpolationMode.NEAREST, fill)
            return image

        return apply

    def acted(stage: str, function: Callable[[Any], Any]) -> Callable[[Any, Params], Any]:
        return lambda image, p: function(image) if stage in p else image

    def sized(stage: str) -> Callable[[Any, Params], Any]:
        return lambda image, p: F.resize(image, [p[stage]["height"], p[stage]["width"]])

    def zoomed(image: Any, p: Params) -> Any:
        if "random_zoom_out" not in p:
            return image
        canvas, (height, width) = p["random_zoom_out"], F.get_size(image)
        right, bottom = canvas["width"] - canvas["x"] - width, canvas["height"] - canvas["y"] - height
        return F.pad(image, [canvas["x"], canvas["y"], right, bottom], fill=9)

    figures = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    to_floats = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
    cases = {
        "CenterCrop": same(v2.CenterCrop((50, 40))),
        "ColorJitter": drawn(v2.ColorJitter(0.4, 0.4, 0.4, 0.1), jitter),
        "ColorJitter without hue": drawn(v2.ColorJitter(0.4, 0.4, 0.4), jitter),
        "Grayscale(3)": same(v2.Grayscale(3)),
        "Pad": same(v2.Pad((3, 4, 5, 6), fill=9)),
        "Pad, reflect": same(v2.Pad((3, 4, 5, 6), padding_mode="reflect")),
        "Resize(max_size)": same(v2.Resize(70, max_size=90)),
        "RandomShortestSize": drawn(v2.RandomShortestSize([40, 50, 70], 90), sized("random_shortest_size")),
        "ScaleJitter": drawn(v2.ScaleJitter((80, 60), (0.5, 1.5)), sized("scale_jitter")),
        "RandomZoomOut": drawn(v2.RandomZoomOut(9, (1.0, 2.0), 0.5), zoomed),
        "RandomAffine": drawn(
            v2.RandomAffine(30, (0.1, 0.1), (0.8, 1.2), (-8, 8, -5, 5), bilinear, 9), affine(bilinear, 9), inside=True
        ),
        "RandomAffine, nearest": drawn(
            v2.RandomAffine(30, (0.1, 0.1), (0.8, 1.2), (-8, 8, -5, 5), fill=9),
            affine(v2.InterpolationMode.NEAREST, 9),
            inside=True,
        ),
        "RandomCrop": drawn(v2.RandomCrop((50, 40)), lambda image, p: F.crop(image, *window(p["crop"]))),
        "RandomGrayscale": drawn(v2.RandomGrayscale(0.5), gray),
        "RandomAutocontrast": drawn(v2.RandomAutocontrast(), acted("autocontrast", F.autocontrast)),
        "RandomEqualize": drawn(v2.RandomEqualize(), acted("equalize", F.equalize)),
        "RandomAdjustSharpness": drawn(
            v2.RandomAdjustSharpness(2.5), acted("sharpness", lambda image: F.adjust_sharpness(image, 2.5))
        ),
        "GaussianBlur": drawn(
            v2.GaussianBlur(9), lambda image, p: F.gaussian_blur(image, [9, 9], [p["gaussian_blur"]["sigma"]] * 2)
        ),
        "RandAugment": drawn(v2.RandAugment(3, 19, fill=9), policy("rand_augment")),
        "TrivialAugmentWide": drawn(v2.TrivialAugmentWide(fill=9), policy("trivial_augment_wide")),
        "RandomErasing": drawn(v2.RandomErasing(value=[9, 99, 199]), erased),
        "RandomInvert": drawn(v2.RandomInvert(), acted("invert", F.invert)),
        "RandomPosterize": drawn(v2.RandomPosterize(3), acted("posterize", lambda image: F.posterize(image, 3))),
        "RandomSolarize": drawn(v2.RandomSolarize(99), acted("solarize", lambda image: F.solarize(image, 99))),
        "RandomHorizontalFlip": drawn(v2.RandomHorizontalFlip(), flip(F.hflip)),
        "RandomVerticalFlip": drawn(v2.RandomVerticalFlip(), flip(F.vflip)),
        "RandomPerspective": drawn(v2.RandomPerspective(0.4, p=0.9), perspective, inside=True),
        "RandomRotation": drawn(
            v2.RandomRotation(30, bilinear, fill=9),
            lambda image, p: F.rotate(image, p["affine"]["degrees"], bilinear, fill=9),
            inside=True,
        ),
        "RandomRotation, nearest": drawn(
            v2.RandomRotation(30, fill=9),
            lambda image, p: F.rotate(image, p["affine"]["degrees"], fill=9),
            inside=True,
        ),
        "RandomRotation(expand=True)": drawn(
            v2.RandomRotation(30, bilinear, expand=True),
            lambda image, p: F.rotate(image, p["rotate"]["degrees"], bilinear, expand=True),
            inside=True,
        ),
        "Resize(antialias=False)": Case(
            stages([v2.ToImage(), v2.Resize((40, 50), antialias=False)])[:1],
            lambda image, _: v2.Resize((40, 50), antialias=False)(image),
        ),
        "Grayscale": behind_a_crop(v2.Grayscale()),
        "Normalize": behind_a_crop(to_floats, v2.Normalize(**figures)),
        "ToTensor": behind_a_crop(to_floats),
        "PILToTensor": behind_a_crop(v2.ToImage()),
    }
    for name, mode in filters.items():
        more = {"bilinear": ""}.get(name, f", {name}")
        cases[f"Resize{more}"] = same(v2.Resize(70, mode))
        cases[f"RandomResizedCrop{more}"] = drawn(
            v2.RandomResizedCrop((50, 40), interpolation=mode),
            resized(mode),
        )
    return cases


def timm_cases() -> dict[str, Case]:
    import timm.data
    import timm.data.transforms as T
    from timm.data.random_erasing import RandomErasing
    from torchvision.transforms import v2
    from torchvision.transforms.v2 import functional as F

    vision = torchvision_cases()

    def window(p: Params) -> tuple[int, int, int, int]:
        return p["y"], p["x"], p["height"], p["width"]

    def train(image: Any, p: Params) -> Any:
        image = F.resized_crop(image, *window(p["random_resized_crop"]), [48, 48], F.InterpolationMode.BICUBIC)
        image = vision["RandomHorizontalFlip"].apply(image, p)
        image = vision["ColorJitter"].apply(image, p)
        return make(True).transforms[-1](make(True).transforms[-2](image))

    def make(training: bool) -> Any:
        return timm.data.create_transform(48, is_training=training, interpolation="bicubic")

    def erased(image: Any, p: Params) -> Any:
        image = F.crop(image, *window(p["crop"]))
        for transform in make(False).transforms[-2:]:
            image = transform(image)
        if "random_erasing" in p:
            hole = p["random_erasing"]
            image[:, hole["y"] : hole["y"] + hole["height"], hole["x"] : hole["x"] + hole["width"]] = 0
        return image

    def behind_a_crop(transform: Any) -> Case:
        return Case(
            stages([v2.RandomCrop(48), transform]), lambda image, p: transform(F.crop(image, *window(p["crop"])))
        )

    crop, keep = T.RandomResizedCropAndInterpolation((50, 40), interpolation="bicubic"), T.ResizeKeepRatio(20)
    return {
        "create_transform": Case(stages(make(False)), lambda image, _: make(False)(image)),
        "create_transform(is_training=True)": Case(stages(make(True)), train),
        "RandomResizedCropAndInterpolation": Case(
            stages(crop),
            lambda image, p: F.resized_crop(
                image, *window(p["random_resized_crop"]), [50, 40], F.InterpolationMode.BICUBIC
            ),
        ),
        "RandomErasing": Case(
            stages([v2.RandomCrop(48), *make(False).transforms[-2:], RandomErasing(0.5, device="cpu")]), erased
        ),
        "ResizeKeepRatio": Case(stages(keep), lambda image, _: keep(image), only=whole(20)),
        "MaybeToTensor": behind_a_crop(T.MaybeToTensor()),
        "MaybePILToTensor": behind_a_crop(T.MaybePILToTensor()),
        "ToNumpy": behind_a_crop(T.ToNumpy()),
    }


def albumentations_cases() -> dict[str, Case]:
    import albumentations as A
    from albumentations.pytorch import ToTensorV2

    stages = {row.name: list(row.stages) for row in ROWS if row.library == "albumentations"}

    def run(transform: Any, image: Image) -> Any:
        return transform(image=image)["image"]

    def same(name: str, *transforms: Any) -> Case:
        return Case(stages[name], lambda image, _: run(A.Compose(list(transforms)), image))

    def drawn(name: str, make: Callable[[Image, Params], Any], inside: bool = False) -> Case:
        def apply(image: Image, p: Params) -> Any:
            transform = make(image, p)
            return image if transform is None else run(transform, image)

        return Case(stages[name], apply, inside)

    def window(w: Params) -> Any:
        return A.Crop(w["x"], w["y"], w["x"] + w["width"], w["y"] + w["height"])

    def affine(image: Image, p: Params) -> Any:
        a = p["affine"]
        return A.Affine(
            rotate=(a["degrees"],) * 2,
            translate_px={"x": a["translate_x"], "y": a["translate_y"]},
            scale=(a["scale"],) * 2,
            p=1,
        )

    def nudged(pixels: int) -> float:
        """So that cutting off digits gives the pixels."""
        return pixels + math.copysign(1e-6, pixels)

    def shift(image: Image, p: Params) -> Any:
        a, (height, width) = p["affine"], image.shape[:2]
        return A.ShiftScaleRotate(
            shift_limit_x=(nudged(a["translate_x"]) / width,) * 2,
            shift_limit_y=(nudged(a["translate_y"]) / height,) * 2,
            scale_limit=(a["scale"] - 1,) * 2,
            rotate_limit=(a["degrees"],) * 2,
            p=1,
        )

    def jitter(image: Image, p: Params) -> Any:
        d = p.get("color_jitter", {"order": []})
        names = ["brightness", "contrast", "saturation", "hue"]
        order = [names.index(n) for n in d["order"]]
        return A.ColorJitter(p=1).apply(image, *[d.get(n, 0) for n in names], order=order)

    def dropped(image: Image, p: Params) -> Any:
        corners = [(h["x"], h["y"], h["x"] + h["width"], h["y"] + h["height"]) for h in p["coarse_dropout"]["holes"]]
        return A.CoarseDropout(fill=9, p=1).apply(image, holes=np.array(corners), seed=0)

    figures = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}

    def behind_a_crop(name: str, transform: Any) -> Case:
        return drawn(name, lambda _, p: A.Compose([window(p["crop"]), transform]))

    def even(image: Image) -> bool:
        """Whether the borders around the crop can be equal; where they cannot, the two round differently."""
        return bool((image.shape[0] - 50) % 2 == 0 and (image.shape[1] - 40) % 2 == 0)

    return {
        "HorizontalFlip": drawn("HorizontalFlip", lambda _, p: A.HorizontalFlip(p=1) if p["flip"]["flipped"] else None),
        "VerticalFlip": drawn("VerticalFlip", lambda _, p: A.VerticalFlip(p=1) if p["flip"]["flipped"] else None),
        "Rotate": drawn("Rotate", lambda _, p: A.Rotate((p["affine"]["degrees"],) * 2, p=1), inside=True),
        "Affine": drawn("Affine", affine, inside=True),
        "ShiftScaleRotate": drawn("ShiftScaleRotate", shift, inside=True),
        "RandomCrop": drawn("RandomCrop", lambda _, p: window(p["crop"])),
        "CenterCrop": Case(stages["CenterCrop"], lambda image, _: run(A.CenterCrop(50, 40), image), only=even),
        "Resize": same("Resize", A.Resize(40, 50)),
        "SmallestMaxSize": Case(
            stages["SmallestMaxSize"], lambda image, _: run(A.SmallestMaxSize(20), image), only=whole(20)
        ),
        "RandomResizedCrop": drawn(
            "RandomResizedCrop", lambda _, p: A.Compose([window(p["random_resized_crop"]), A.Resize(50, 40)])
        ),
        "ColorJitter": Case(stages["ColorJitter"], jitter),
        "ToGray": same("ToGray", A.ToGray(p=1)),
        "InvertImg": same("InvertImg", A.InvertImg(p=1)),
        "Solarize": same("Solarize", A.Solarize((0.4, 0.4), p=1)),
        "Posterize": same("Posterize", A.Posterize(3, p=1)),
        "RandomGamma": drawn("RandomGamma", lambda _, p: A.RandomGamma((100 * p["gamma"]["gamma"],) * 2, p=1)),
        "CoarseDropout": Case(stages["CoarseDropout"], dropped),
        "ToFloat": behind_a_crop("ToFloat", A.ToFloat(max_value=255)),
        "Normalize": behind_a_crop("Normalize", A.Normalize(**figures)),
        "ToTensorV2": behind_a_crop("ToTensorV2", ToTensorV2()),
    }


def whole(size: int) -> Callable[[Image], bool]:
    """Whether the longer side is rounded alike, down or to the nearest pixel, where the shorter becomes size."""

    def only(image: Image) -> bool:
        shorter, longer = sorted(image.shape[:2])
        return bool(size * longer // shorter == round(size * longer / shorter))

    return only


CASES: dict[str, Callable[[], dict[str, Case]]] = {
    "torchvision": torchvision_cases,
    "timm": timm_cases,
    "albumentations": albumentations_cases,
}


def measure(case: Case, images: list[Image], kind: str, draws: int = 2) -> Figures:
    """The figures of a case; kind is what the other library gets: pillow, tensor or array."""
    figures = Figures()
    transform = Transform(
        stages=case.stages if "decode" in case.stages[0] else ["decode", *case.stages],
        fuse="exact",
        seed=1,
        format="numpy",
    )
    for number, image in enumerate(images):
        if not case.only(image):
            continue
        for draw in range(draws):
            position = number * draws + draw
            got = transform.draw(image, epoch=0, position=position)
            want = _array(case.apply(_as(kind, image), got.params))
            mask = None
            if case.inside:
                white = np.full_like(image, 255)
                ours = transform.draw(white, epoch=0, position=position).image
                theirs = _array(case.apply(_as(kind, white), got.params))
                mask = (ours == 255) & (theirs == 255)
            figures.add(got.image, want, mask)
    return figures


def _as(kind: str, image: Image) -> Any:
    if kind == "array":
        return image
    if kind == "pillow":
        import PIL.Image

        return PIL.Image.fromarray(image)
    import torch

    torch.set_num_threads(1)  # pictures are small
    return torch.from_numpy(image).permute(2, 0, 1).contiguous()


def _array(image: Any) -> Image:
    """[channels, h, w] of whatever a library returns."""
    if hasattr(image, "permute"):  # a tensor
        return np.asarray(image.numpy() if image.ndim == 3 else image[None].numpy())
    array = np.asarray(image)
    if array.ndim == 2:
        return array[None]
    return array.transpose(2, 0, 1) if array.ndim == 3 and array.shape[2] in (1, 3) else array


def photos(folder: Path, count: int = 6) -> list[Image]:
    """The first photos of a folder, uint8 [h, w, 3]."""
    import PIL.Image

    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in (".jpg", ".jpeg", ".png"))[:count]
    return [np.asarray(PIL.Image.open(file).convert("RGB")) for file in files]


def rows(library: str) -> Iterator[tuple[Row, Case | None]]:
    """The rows of a library with their cases; a row that is only the nearest has none."""
    cases = CASES[library]()
    for row in ROWS:
        if row.library == library:
            yield row, cases.get(row.name)


def kinds(row: Row) -> list[str]:
    """What the row is measured on."""
    return [kind for kind in KINDS if getattr(row, kind) is not None]


def page(kept: Mapping[str, Any]) -> str:
    """docs/python-transforms.md of the rows and the figures kept of them."""
    text = [_HEAD.format(pictures=kept["pictures"])]
    for library, title, columns in (
        ("torchvision", "torchvision {version}", ["pillow", "tensor"]),
        ("timm", "timm {version}", ["pillow"]),
        ("albumentations", "albumentations {version}", ["array"]),
    ):
        names = {"pillow": "of Pillow's images", "tensor": "of tensors", "array": "differences"}
        text += ["", f"## {title.format(version=kept['versions'][library])}", "", _INTRODUCTION[library], ""]
        text.append(
            "| transform | stages, as measured | options | "
            + " | ".join(names[c] for c in columns)
            + " | what differs |"
        )
        text.append("|---" * (4 + len(columns)) + "|")
        for row in ROWS:
            if row.library != library:
                continue
            figures = kept["figures"].get(f"{library} {row.name}", {})
            cells = [_figure(figures.get(c)) for c in columns]
            stages = "<br>".join(f"`{_flow(stage)}`" for stage in row.stages)
            text.append("| " + " | ".join([f"`{row.name}`", stages, row.options, *cells, row.differs]) + " |")
    text += ["", "## Without an equal", "", _REST, "", _LOOP, "", "| transform | why, and what to do |", "|---|---|"]
    reasons: dict[str, list[str]] = {}
    for name, reason in NO_EQUAL.items():
        reasons.setdefault(reason, []).append(name)
    text += [f"| {', '.join(f'`{n}`' for n in sorted(names))} | {reason} |" for reason, names in reasons.items()]
    return "\n".join(text) + "\n"


_HEAD = """# torchvision, timm and albumentations, and the stages that equal them

This page is generated: `python python/tools/transforms.py --write` measures it and writes it.

```python
from sluicedata import Loader, from_torchvision, sources

pipeline = from_torchvision(transform, sources.folder("data/train"), shuffle=True, batch_size=64, seed=1)
print(pipeline.to_yaml())
print(pipeline.notes)  # what differs
for image, label in Loader(pipeline):
    ...
```

`transform` is a Compose of torchvision, v1 or v2, or what timm's `create_transform` returns. It becomes a pipeline, or an
`UnsupportedTransform` lists every transform that no stage equals, each with its place and what to do.

In the tables the engine drew, and the other library made the same picture with that draw: angles, windows, factors, flips. Figures
are differences in levels of 255, the largest and the mean, over {pictures} pictures, photos among them; "same" is every byte. They hold
under `fuse: exact`. By default resamplings merge into one and read a JPEG file's own planes, which is faster, and off by about a level
on average. Random numbers are the engine's; the ranges and shapes of their distributions are the other library's."""

_INTRODUCTION = {
    "torchvision": "What ImageFolder gives are Pillow's images; behind `ToImage` or `PILToTensor` torchvision computes with tensors.",
    "timm": "What `create_transform` returns is torchvision's, but for these.",
    "albumentations": (
        "There is no conversion of an albumentations Compose: write the stages. Where no figure stands, the stage is the nearest, not an equal."
    ),
}

_REST = (
    "`RandomApply` of one transform multiplies its p. `RandomChoice` between transforms of one stage each is `one_of`, with `weights` where it has p; one between one transform and `Identity`, and `RandomOrder` of flips and one "
    "`ColorJitter`, have an equal; otherwise these have none. `Compose`, `Sequential`, `Identity`, `RGB`, `ToPureTensor` and `ToPILImage` need no stage. "
    "All transforms that aren't on this page change pixels as no stage does: take them out of the Compose, and apply them in the training loop."
)

_LOOP = """**In the training loop** give a random transform each image by itself. A transform of torchvision draws once for whatever it is called with, so
that a whole batch would get one permutation, one deformation, one policy.

```python
import torch
from torchvision.transforms import v2

permute = v2.RandomChannelPermutation()
kept = v2.Compose([t for t in transform.transforms if not isinstance(t, v2.RandomChannelPermutation)])  # from_torchvision takes it
for image, label in Loader(from_torchvision(kept, sources.folder("data/train"), shuffle=True, batch_size=64)):
    image = torch.stack([permute(x) for x in image])
```

It then comes last, whatever its place in the Compose was. AugMix and its like want uint8 images: load with
`without=["to_tensor", "normalize"]`, apply them, then `sluicedata.torch.Normalize`."""


def _figure(figures: Mapping[str, float] | None) -> str:
    if figures is None:
        return ""
    most, mean = figures["most"], figures["mean"]
    return "same" if most == 0 else f"{most:.2g}, {mean:.1g}" if most < 1 else f"{most:.0f}, {mean:.2g}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, help="a folder of photos, the first of which are compared too")
    parser.add_argument("--write", action="store_true", help="keep the figures, and write the page")
    arguments = parser.parse_args()
    kept: dict[str, Any] = (
        json.loads(FIGURES.read_text()) if FIGURES.exists() else {"pictures": 0, "versions": {}, "figures": {}}
    )
    images = pictures() + (photos(arguments.photos) if arguments.photos else [])
    wrong = 0
    for library in CASES:
        try:
            version = importlib.metadata.version(library)
            found = list(rows(library))
        except ImportError as error:
            print(f"SKIPPED {library}: {error}; pip install {library} has it compared")
            continue
        kept["versions"][library] = version
        for row, case in found:
            figures = {kind: measure(case, images, kind) for kind in kinds(row) if case is not None}
            for kind, figure in figures.items():
                limit = getattr(row, kind)
                good = figure.count > 0 and figure.most <= limit.most and figure.mean <= limit.mean
                wrong += not good
                print(
                    f"{'ok   ' if good else 'WRONG'} {library} {row.name}, {kind}: at most {figure.most:.4g} (limit {limit.most:g}), "
                    f"mean {figure.mean:.3g} (limit {limit.mean:g})",
                    flush=True,
                )
            kept["figures"][f"{library} {row.name}"] = {
                kind: {"most": float(f"{f.most:.3g}"), "mean": float(f"{f.mean:.2g}")} for kind, f in figures.items()
            }
    if arguments.write:
        kept["pictures"] = len(images)
        FIGURES.write_text(json.dumps(kept, indent=1) + "\n")
        PAGE.write_text(page(kept))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
