"""The table of docs/python-transforms.md: each row beside the library that it names, given the engine's draw."""

from __future__ import annotations

import importlib.util
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sluicedata import PipelineError, Transform, _equivalents, convert, from_torchvision, plan
from sluicedata._equivalents import ROWS, Row

REPOSITORY = Path(__file__).resolve().parents[2]
if not (REPOSITORY / "python" / "tools" / "transforms.py").is_file():
    pytest.skip("python/tools isn't there: the table is checked in the repository", allow_module_level=True)

import transforms  # noqa: E402


def need(library: str) -> None:
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} isn't installed: pip install {library} has its rows compared")


def case(row: Row) -> transforms.Case | None:
    need(row.library)
    return transforms.CASES[row.library]().get(row.name)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.library}-{row.name}")
def test_a_row_is_within_its_limits(row: Row) -> None:
    found = case(row)
    if not transforms.kinds(row):  # the nearest stage: the engine takes it, and nothing is measured
        assert found is None
        Transform(stages=["decode", *row.stages], format="numpy")(transforms.pictures(1)[0])
        return
    assert found is not None
    assert found.stages == list(row.stages)  # for torchvision and timm: what from_torchvision makes
    for kind in transforms.kinds(row):
        figures = transforms.measure(found, transforms.pictures(), kind)
        limit = getattr(row, kind)
        assert figures.count > 0
        assert figures.most <= limit.most, kind
        assert figures.mean <= limit.mean, kind


@pytest.mark.parametrize("library", ["torchvision", "timm", "albumentations"])
def test_every_case_has_a_row(library: str) -> None:
    need(library)
    measured = [row.name for row in ROWS if row.library == library and transforms.kinds(row)]
    assert sorted(transforms.CASES[library]()) == sorted(measured)


def test_the_limits_tell_pictures_apart() -> None:
    """Another angle, another filter: the comparison sees it."""
    need("torchvision")
    cases = transforms.CASES["torchvision"]()
    rows = {row.name: row for row in ROWS if row.library == "torchvision"}
    for name, options in (
        ("RandomRotation", {"affine": {"degrees": [-30, 30]}}),
        ("Resize", {"resize": {"size": 70, "interpolation": "bicubic"}}),
    ):
        found = cases[name]

        def turned(image: Any, params: Any, apply: Callable[..., Any] = found.apply) -> Any:
            if "affine" in params:
                params = {"affine": {**params["affine"], "degrees": params["affine"]["degrees"] + 1}}
            return apply(image, params)

        figures = transforms.measure(transforms.Case([options], turned, found.inside), transforms.pictures(), "pillow")
        limit = rows[name].pillow
        assert limit is not None
        assert figures.mean > 2 * limit.mean


def test_the_page_is_current() -> None:
    kept = json.loads(transforms.FIGURES.read_text())
    assert set(kept["figures"]) == {f"{row.library} {row.name}" for row in ROWS}
    assert transforms.PAGE.read_text() == transforms.page(kept), "run python python/tools/transforms.py --write"
    for row in ROWS:
        for kind, figure in kept["figures"][f"{row.library} {row.name}"].items():
            assert figure["most"] <= getattr(row, kind).most
            assert figure["mean"] <= getattr(row, kind).mean


# The draws


def drawn(transform: Any, height: int = 48, width: int = 64, count: int = 1500) -> list[dict[str, Any]]:
    engine = Transform(from_torchvision(transform), seed=5, format="numpy")
    image = np.zeros((height, width, 3), np.uint8)
    return [engine.draw(image, epoch=0, position=i).params for i in range(count)]


def alike(ours: list[float], theirs: list[float]) -> bool:
    """Whether two samples are of one distribution: the two-sample statistic of Kolmogorov and Smirnov, at one in 10,000."""
    both = np.sort(np.concatenate([ours, theirs]))
    share = [np.searchsorted(np.sort(sample), both, side="right") / len(sample) for sample in (ours, theirs)]
    bound = math.sqrt(-math.log(0.0001 / 2) / 2 * (len(ours) + len(theirs)) / (len(ours) * len(theirs)))
    return bool(np.abs(share[0] - share[1]).max() <= bound)


def theirs(transform: Any, height: int = 48, width: int = 64, count: int = 1500) -> list[dict[str, Any]]:
    """What torchvision draws."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(7)
    image = torch.zeros(3, height, width, dtype=torch.uint8)
    return [transform.make_params([image]) for _ in range(count)]


def test_alike_tells_distributions_apart() -> None:
    random = np.random.default_rng(1)
    even = random.uniform(0, 1, (2, 1500))
    assert alike(list(even[0]), list(even[1]))
    assert not alike(list(even[0]), list(even[1] * 0.9))
    assert not alike(list(even[0]), list(random.uniform(0, 1, 1500) ** 1.5))


def test_draws_of_windows() -> None:
    v2 = pytest.importorskip("torchvision.transforms.v2")
    crop = v2.RandomResizedCrop(32, scale=(0.2, 0.9), ratio=(0.6, 1.9))
    ours, other = [p["random_resized_crop"] for p in drawn(crop)], theirs(crop)
    for here, there in (("x", "left"), ("y", "top"), ("width", "width"), ("height", "height")):
        assert alike([p[here] for p in ours], [p[there] for p in other]), here
    area = [p["width"] * p["height"] for p in ours]
    assert alike(area, [p["width"] * p["height"] for p in other])
    # A picture so long that most tries fail, and the largest window in the middle is taken.
    narrow = [p["random_resized_crop"] for p in drawn(crop, 10, 200)]
    assert alike([p["x"] for p in narrow], [p["left"] for p in theirs(crop, 10, 200)])

    window = v2.RandomCrop((20, 30))
    places = [p["crop"] for p in drawn(window)]
    assert alike([p["x"] for p in places], [p["left"] for p in theirs(window)])
    assert alike([p["y"] for p in places], [p["top"] for p in theirs(window)])
    assert {min(p["x"] for p in places), max(p["x"] for p in places)} == {0, 34}


def test_draws_of_angles_and_corners() -> None:
    v2 = pytest.importorskip("torchvision.transforms.v2")
    rotation = v2.RandomRotation((-10, 25))
    assert alike([p["affine"]["degrees"] for p in drawn(rotation)], [p["angle"] for p in theirs(rotation)])

    affine = v2.RandomAffine((-10, 25), (0.1, 0.2), (0.7, 1.6), (-3, 9, 1, 4))
    ours, other = [p["affine"] for p in drawn(affine)], theirs(affine)
    assert alike([-p["degrees"] for p in ours], [p["angle"] for p in other])
    assert alike([p["translate_x"] for p in ours], [p["translate"][0] for p in other])
    assert alike([p["translate_y"] for p in ours], [p["translate"][1] for p in other])
    assert alike([p["scale"] for p in ours], [p["scale"] for p in other])
    assert alike([p["shear_x"] for p in ours], [p["shear"][0] for p in other])
    assert alike([p["shear_y"] for p in ours], [p["shear"][1] for p in other])

    perspective = v2.RandomPerspective(0.5, p=1)
    corners = [p["perspective"] for p in drawn(perspective)]
    torch = pytest.importorskip("torch")
    torch.manual_seed(7)
    ends = [pytest.importorskip("torchvision.transforms").RandomPerspective.get_params(64, 48, 0.5)[1] for _ in corners]
    for i, corner in enumerate(("top_left", "top_right", "bottom_right", "bottom_left")):
        for axis in (0, 1):
            assert alike([p[corner][axis] for p in corners], [end[i][axis] for end in ends]), corner


def test_draws_of_blurs_and_holes() -> None:
    v2 = pytest.importorskip("torchvision.transforms.v2")
    blur, erasing = v2.GaussianBlur(9, (0.3, 1.7)), v2.RandomErasing(1)
    assert alike([p["gaussian_blur"]["sigma"] for p in drawn(blur)], [p["sigma"][0] for p in theirs(blur)])
    ours = [p["random_erasing"] for p in drawn(erasing) if "random_erasing" in p]
    other = [p for p in theirs(erasing) if p["v"] is not None]
    for here, there in (("x", "j"), ("y", "i"), ("width", "w"), ("height", "h")):
        assert alike([p[here] for p in ours], [p[there] for p in other]), here


def test_draws_of_colors() -> None:
    v2 = pytest.importorskip("torchvision.transforms.v2")
    jitter = v2.ColorJitter(0.4, (0.9, 1.7), 1.5, 0.2)
    ours, other = [p["color_jitter"] for p in drawn(jitter)], theirs(jitter)
    for name in ("brightness", "contrast", "saturation", "hue"):
        assert alike([p[name] for p in ours], [p[f"{name}_factor"] for p in other]), name
    names = ["brightness", "contrast", "saturation", "hue"]
    places = [[p["order"].index(name) for p in ours] for name in names]
    for number, place in enumerate(places):
        assert alike(place, [p["fn_idx"].tolist().index(number) for p in other])


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_draws_of_p(p: float) -> None:
    v2 = pytest.importorskip("torchvision.transforms.v2")

    def share(transform: Any, acted: Callable[[dict[str, Any]], bool]) -> float:
        return float(np.mean([acted(params) for params in drawn(transform)]))

    bound = 4 * math.sqrt(p * (1 - p) / 1500)
    for transform, acted in (
        (v2.RandomHorizontalFlip(p), lambda d: d["flip"]["flipped"]),
        (v2.RandomVerticalFlip(p), lambda d: d["flip"]["flipped"]),
        (v2.RandomGrayscale(p), lambda d: "grayscale" in d),
        (v2.RandomInvert(p), lambda d: "invert" in d),
        (v2.RandomEqualize(p), lambda d: "equalize" in d),
        (v2.RandomSolarize(99, p), lambda d: "solarize" in d),
        (v2.RandomErasing(p, scale=(0.02, 0.1)), lambda d: "random_erasing" in d),
        (v2.RandomApply([v2.GaussianBlur(3)], p), lambda d: "gaussian_blur" in d),
        (v2.RandomPerspective(0.3, p), lambda d: "perspective" in d),
        (v2.RandomApply([v2.ColorJitter(0.4)], p), lambda d: "color_jitter" in d),
        (v2.RandomChoice([v2.RandomRotation(9), v2.Identity()], [p, 1 - p]), lambda d: "affine" in d),
    ):
        assert abs(share(transform, acted) - p) <= bound, transform
    both = share(v2.RandomApply([v2.RandomHorizontalFlip(0.5)], p), lambda d: d["flip"]["flipped"])
    assert abs(both - p / 2) <= bound


# One source of truth

# The engine's hint about an unknown stage names rotate, which turns about pixel (w // 2, h // 2) unless it expands.
_NEARLY = {"RandomRotation": "rotate", "Rotate": "rotate"}


def hints(names: list[str]) -> dict[str, str]:
    """The stage that the engine takes each name of another library for, "" where it has none like it."""
    with pytest.raises(PipelineError) as caught:
        plan({"version": 1, "source": {"folder": {"path": "none"}}, "stages": names})
    said = {}
    for mistake in caught.value.mistakes:
        if found := re.search(r'unknown stage "([^"]+)"(?:: did you mean "(\w+)")?', mistake.message):
            said[found[1]] = found[2] or ""
    return said


def test_the_engine_says_the_same_of_these_names() -> None:
    want: dict[str, str] = {}
    for row in ROWS:
        if row.library != "timm":
            last = row.stages[-1]
            want[row.transform] = _NEARLY.get(row.transform, last if isinstance(last, str) else next(iter(last)))
    want["Grayscale"] = "grayscale"  # its three channels
    said = hints(list(want))
    assert said == {name: want[name] for name in said}
    assert set(want) - set(said) <= {"Affine"}, "names that the engine doesn't know"


def test_the_engine_has_no_stage_for_what_has_no_equal() -> None:
    v2 = pytest.importorskip("torchvision.transforms.v2")
    known = {name for library, name in convert._HANDLERS if library == "torchvision"} | {"Compose", "Transform"}
    classes = [n for n in dir(v2) if isinstance(getattr(v2, n), type) and issubclass(getattr(v2, n), v2.Transform)]
    without = sorted(set(classes) - known)
    assert "ElasticTransform" in without
    # What is the nearest, and what a Compose can't have.
    assert {name: stage for name, stage in hints(without).items() if stage} == {
        "RandomResize": "random_shortest_size",
        "CutMix": "cutmix",
        "MixUp": "mixup",
        "RandomIoUCrop": "random_iou_crop",
        "SanitizeBoundingBoxes": "sanitize_boxes",
    }
    # Every name of the table is one of a library's.
    timm = {"CenterCropOrPad", "RandomCropOrPad", "RandomPad", "TrimBorder"}
    assert set(_equivalents.NO_EQUAL) - timm <= set(without)
