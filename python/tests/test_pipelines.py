"""Pipelines declared in Python: what the engine makes of them, and where mistakes point to."""

from __future__ import annotations

import inspect
import io
import json
import os
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import sluicedata
from sluicedata import Pipeline, PipelineError, pipeline, pipelines, sinks, sources, stages
from sluicedata.pipelines import Component, resolve
from sluicedata.transform import Transform

Folder = Callable[..., Path]


def test_a_declared_pipeline_is_that_of_the_file(make_folder: Folder, tmp_path: Path) -> None:
    folder = make_folder({"cat": 6, "dog": 3})
    (tmp_path / "p.yaml").write_text(
        """version: 1
seed: 7
on_error: {policy: skip, max: 2}
split: {val: 0.3}
source: {folder: {path: data}}
stages:
  - rebalance: {target: square_root}
  - decode
  - rotate: {degrees: 30, p: 0.5, fill: [1, 2, 3]}
  - random_resized_crop: {size: 16, scale: [0.3, 1]}
  - flip
  - to_tensor
  - normalize: {mean: imagenet, std: [0.2, 0.3, 0.4]}
  - batch: {size: 4}
  - multiscale: {scales: [0.5, 1]}
"""
    )
    declared = pipeline(
        sources.folder(folder),
        [
            stages.rebalance("square_root"),
            stages.decode(),
            stages.rotate(30, p=0.5, fill=(1, 2, 3)),
            stages.random_resized_crop(16, scale=(np.float64(0.3), 1)),
            stages.flip(),
            stages.to_tensor(),
            stages.normalize("imagenet", std=[0.2, 0.3, 0.4]),
            stages.batch(4),
            stages.multiscale([0.5, 1]),
        ],
        seed=7,
        on_error={"policy": "skip", "max": 2},
        split={"val": 0.3},
    )
    want = sluicedata.plan(tmp_path / "p.yaml")
    assert sluicedata.plan(declared).plan_hash == want.plan_hash
    assert sluicedata.plan(declared.to_dict()).plan_hash == want.plan_hash
    declared.save(tmp_path / "saved.yaml")
    assert sluicedata.plan(tmp_path / "saved.yaml").plan_hash == want.plan_hash
    assert sluicedata.plan(declared.with_settings(seed=8)).plan_hash != want.plan_hash


def test_conditions_and_strengths(make_folder: Folder, tmp_path: Path) -> None:
    folder = make_folder({"cat": 6, "dog": 3})
    (tmp_path / "p.yaml").write_text(
        """version: 1
epochs: 4
source: {folder: {path: data}}
stages:
  - rebalance: {target: square_root}
  - class_weights: {weights: inverse, when: {epochs: [2, null]}}
  - decode
  - rotate: {degrees: 30, when: {class_count: {below: 5}, epochs: [0, -1]}}
  - flip: {strength: {by: repeat, from: 0.5, to: 2, over: 3}}
  - resize: {height: 8, width: 8}
  - batch: {size: 4}
"""
    )
    declared = pipeline(
        sources.folder(folder),
        [
            stages.rebalance("square_root"),
            stages.class_weights("inverse", when={"epochs": (2, None)}),
            stages.decode(),
            stages.rotate(30, when={"class_count": {"below": 5}, "epochs": (0, -1)}),
            stages.flip(strength={"by": "repeat", "from": 0.5, "to": 2, "over": 3}),
            stages.resize(height=8, width=8),
            stages.batch(4),
        ],
        epochs=4,
    )
    assert sluicedata.plan(declared).plan_hash == sluicedata.plan(tmp_path / "p.yaml").plan_hash
    wrong = declared.with_stages(stages.decode(), stages.rotate(30, when={"class_count": {"belw": 5}}))
    with pytest.raises(PipelineError, match="did you mean"):
        sluicedata.plan(wrong)


# Of each stage a call with every option, and the same in a file.
CALLS: dict[str, tuple[Component, str]] = {
    "filter": (
        stages.filter(["cat"], task="class", drop=None, key=".", drop_key="zzz"),
        "{keep: [cat], task: class, key: ., drop_key: zzz}",
    ),
    "take": (stages.take(per_class=2, task="class"), "{per_class: 2, task: class}"),
    "shuffle": (stages.shuffle(id="again"), "{id: again}"),
    "rebalance": (
        stages.rebalance("power", power=0.3, task="class", draws=9),
        "{target: power, power: 0.3, task: class, draws: 9}",
    ),
    "class_weights": (
        stages.class_weights("effective_number", task="class", beta=0.9),
        "{weights: effective_number, task: class, beta: 0.9}",
    ),
    "decode": (
        stages.decode("gray", max_pixels=10_000, truncated="fill"),
        "{mode: gray, max_pixels: 10000, truncated: fill}",
    ),
    "rotate": (
        stages.rotate((-5, 10), fill=7, interpolation="nearest", expand=True, p=0.5),
        "{degrees: [-5, 10], fill: 7, interpolation: nearest, expand: true, p: 0.5}",
    ),
    "affine": (
        stages.affine(5, translate=(0.1, 0.1), scale=(0.9, 1.1), shear=[-1, 1, -2, 2], fill=3, p=0.4),
        "{degrees: 5, translate: [0.1, 0.1], scale: [0.9, 1.1], shear: [-1, 1, -2, 2], fill: 3, p: 0.4}",
    ),
    "perspective": (
        stages.perspective(0.3, interpolation="nearest", fill=(1, 2, 3), p=0.2),
        "{distortion_scale: 0.3, interpolation: nearest, fill: [1, 2, 3], p: 0.2}",
    ),
    "crop": (stages.crop(0.5, offset=(0, 0.25), p=0.9), "{size: 0.5, offset: [0, 0.25], p: 0.9}"),
    "center_crop": (stages.center_crop(height=10, width=12), "{height: 10, width: 12}"),
    "random_resized_crop": (
        stages.random_resized_crop(
            height=8, width=9, scale=(0.2, 0.9), ratio=(0.5, 2), interpolation="bicubic", antialias=True, p=0.9
        ),
        "{height: 8, width: 9, scale: [0.2, 0.9], ratio: [0.5, 2], interpolation: bicubic, antialias: true, p: 0.9}",
    ),
    "flip": (
        stages.flip(0.25, direction="vertical", classes={"cat": "dog"}, task="class"),
        "{p: 0.25, direction: vertical, classes: {cat: dog}, task: class}",
    ),
    "resize": (
        stages.resize(height=8, width=9, interpolation="lanczos", antialias=True),
        "{height: 8, width: 9, interpolation: lanczos, antialias: true}",
    ),
    "random_shortest_size": (
        stages.random_shortest_size([8, 12], max=20, interpolation="bicubic", antialias=False),
        "{min: [8, 12], max: 20, interpolation: bicubic, antialias: false}",
    ),
    "scale_jitter": (
        stages.scale_jitter((16, 12), range=(0.5, 1.5), interpolation="box", antialias=True),
        "{target: [16, 12], range: [0.5, 1.5], interpolation: box, antialias: true}",
    ),
    "pad": (
        stages.pad((20, 30), mode="constant", fill=(1, 2, 3), at="top_left"),
        "{size: [20, 30], mode: constant, fill: [1, 2, 3], at: top_left}",
    ),
    "letterbox": (
        stages.letterbox(
            height=8, width=9, fill=0, scale_up=False, at="top_left", interpolation="nearest", antialias=False
        ),
        "{height: 8, width: 9, fill: 0, scale_up: false, at: top_left, interpolation: nearest, antialias: false}",
    ),
    "random_zoom_out": (
        stages.random_zoom_out((1, 2), fill=(1, 2, 3), p=0.4),
        "{side_range: [1, 2], fill: [1, 2, 3], p: 0.4}",
    ),
    "random_iou_crop": (
        stages.random_iou_crop((0.4, 0.9), ratio=(0.6, 1.5), sampler_options=[0.2, 1], trials=9),
        "{scale: [0.4, 0.9], ratio: [0.6, 1.5], sampler_options: [0.2, 1], trials: 9}",
    ),
    "sanitize_boxes": (stages.sanitize_boxes(2, min_area=9), "{min_size: 2, min_area: 9}"),
    "color_jitter": (
        stages.color_jitter(0.1, contrast=(0.5, 1.5), saturation=0.2, hue=0.1, p=0.8),
        "{brightness: 0.1, contrast: [0.5, 1.5], saturation: 0.2, hue: 0.1, p: 0.8}",
    ),
    "rand_augment": (
        stages.rand_augment(3, magnitude=4.5, num_magnitude_bins=11, interpolation="nearest", fill=(1, 2, 3), p=0.2),
        "{num_ops: 3, magnitude: 4.5, num_magnitude_bins: 11, interpolation: nearest, fill: [1, 2, 3], p: 0.2}",
    ),
    "one_of": (
        stages.one_of([stages.rotate(30, p=0.5), "grayscale", {"invert": {}}], p=0.7, weights=[2, 1, 0.5]),
        "{stages: [rotate: {degrees: 30, p: 0.5}, grayscale, invert], p: 0.7, weights: [2, 1, 0.5]}",
    ),
    "some_of": (
        stages.some_of([stages.rotate(30), "grayscale", stages.equalize(0.5)], n=2, p=0.7),
        "{stages: [rotate: {degrees: 30}, grayscale, equalize: {p: 0.5}], n: 2, p: 0.7}",
    ),
    "trivial_augment_wide": (
        stages.trivial_augment_wide(11, interpolation="nearest", fill=(1, 2, 3), p=0.2),
        "{num_magnitude_bins: 11, interpolation: nearest, fill: [1, 2, 3], p: 0.2}",
    ),
    "grayscale": (stages.grayscale(0.2), "{p: 0.2}"),
    "invert": (stages.invert(0.2), "{p: 0.2}"),
    "solarize": (stages.solarize(99.5, p=0.2), "{threshold: 99.5, p: 0.2}"),
    "posterize": (stages.posterize(3, p=0.2), "{bits: 3, p: 0.2}"),
    "gamma": (stages.gamma((0.5, 2), p=0.2), "{range: [0.5, 2], p: 0.2}"),
    "autocontrast": (stages.autocontrast(0.2), "{p: 0.2}"),
    "equalize": (stages.equalize(0.2), "{p: 0.2}"),
    "sharpness": (stages.sharpness((0.5, 2), p=0.2), "{factor: [0.5, 2], p: 0.2}"),
    "gaussian_blur": (
        stages.gaussian_blur(9, sigma=(0.5, 1.5), p=0.2),
        "{kernel_size: 9, sigma: [0.5, 1.5], p: 0.2}",
    ),
    "gaussian_noise": (stages.gaussian_noise(0.1, sigma=0.2, p=0.3), "{mean: 0.1, sigma: 0.2, p: 0.3}"),
    "coarse_dropout": (
        stages.coarse_dropout((1, 3), hole_height_range=(0.1, 0.3), hole_width_range=(2, 5), fill=(1, 2, 3), p=0.2),
        "{num_holes_range: [1, 3], hole_height_range: [0.1, 0.3], hole_width_range: [2, 5], fill: [1, 2, 3], p: 0.2}",
    ),
    "random_erasing": (
        stages.random_erasing((0.1, 0.2), ratio=(0.5, 2), value=(1, 2, 3), p=0.2),
        "{scale: [0.1, 0.2], ratio: [0.5, 2], value: [1, 2, 3], p: 0.2}",
    ),
    "to_tensor": (stages.to_tensor(dtype="float32", layout="hwc"), "{dtype: float32, layout: hwc}"),
    "normalize": (stages.normalize([0.1, 0.2, 0.3], std=0.5), "{mean: [0.1, 0.2, 0.3], std: 0.5}"),
    "batch": (stages.batch(3, drop_last=True), "{size: 3, drop_last: true}"),
    "mixup": (stages.mixup(0.2, p=0.5, per="row"), "{alpha: 0.2, p: 0.5, per: row}"),
    "cutmix": (stages.cutmix(0.5, p=0.5, per="row"), "{alpha: 0.5, p: 0.5, per: row}"),
    "remix": (
        stages.remix(0.5, kappa=2, tau=0.4, p=0.5, per="row"),
        "{alpha: 0.5, kappa: 2, tau: 0.4, p: 0.5, per: row}",
    ),
    "cmo": (
        stages.cmo(0.4, alpha=0.5, exponent=2, task="class", per="row"),
        "{p: 0.4, alpha: 0.5, exponent: 2, task: class, per: row}",
    ),
    "mosaic": (
        stages.mosaic(0.4, center=(0.2, 0.8), donors="square_root", task="kind"),
        "{p: 0.4, center: [0.2, 0.8], donors: square_root, task: kind}",
    ),
    "copy_paste": (
        stages.copy_paste(0.4, object_p=0.3, below=100, scale=(0.1, 2), sigma=1.5, donors="square_root"),
        "{p: 0.4, object_p: 0.3, below: 100, scale: [0.1, 2], sigma: 1.5, donors: square_root}",
    ),
    "multiscale": (
        stages.multiscale([0.5, 1], mode="bilinear", pick="cycle"),
        "{scales: [0.5, 1], mode: bilinear, pick: cycle}",
    ),
}


def test_every_stage_has_a_call_here() -> None:
    assert set(CALLS) == set(stages.__all__) - {"custom"}


def around(name: str) -> tuple[list[Component], list[Component]]:
    """What a stage needs before it and behind it to make a pipeline that can run."""
    same = stages.resize(height=16, width=16)
    match name:
        case "filter" | "take" | "shuffle" | "rebalance" | "class_weights":
            return [], [stages.decode(), same]
        case "decode":
            return [], [same]
        case "normalize":
            return [stages.decode(), same, stages.to_tensor()], []
        case "multiscale" | "mixup" | "cutmix" | "remix" | "cmo":
            return [stages.decode(), same, stages.to_tensor(), stages.batch(2)], []
        case "rotate" | "affine" | "perspective" | "crop" | "center_crop" | "pad":
            return [stages.decode()], [same]
        case "random_shortest_size" | "scale_jitter" | "random_zoom_out" | "random_iou_crop":
            return [stages.decode()], [same]
    return [stages.decode(), same], []


def hashes(folder: Path, name: str, stage: Component, options: str) -> tuple[str, str]:
    """The hash of a plan with a stage, and that of a file with the text of its options."""
    before, after = around(name)
    file = folder.parent / f"{name}.yaml"
    rest = [json.dumps(s.to_dict()) for s in (*before, *after)]
    rest.insert(len(before), f"{{{name}: {options}}}")
    file.write_text(
        f"version: 1\nsource: {{folder: {{path: {folder.name}}}}}\nstages:\n" + "".join(f"  - {s}\n" for s in rest)
    )
    declared = pipeline(sources.folder(folder), [*before, stage, *after])
    return sluicedata.plan(declared).plan_hash, sluicedata.plan(file).plan_hash


@pytest.mark.parametrize("name", [name for name in CALLS if name not in ("mosaic", "copy_paste")])  # which need objects
def test_every_stage_is_that_of_a_file(name: str, make_folder: Folder) -> None:
    stage, options = CALLS[name]
    assert stage.name == name
    declared, file = hashes(make_folder({"cat": 6, "dog": 3}), name, stage, options)
    assert declared == file


def test_mosaic() -> None:
    stage, _ = CALLS["mosaic"]
    assert stage.to_dict() == {"mosaic": {"p": 0.4, "center": [0.2, 0.8], "donors": "square_root", "task": "kind"}}


def test_copy_paste() -> None:
    assert stages.copy_paste(0.4, number=2, scale=(0.1, 2)).to_dict() == {
        "copy_paste": {"p": 0.4, "number": 2, "scale": [0.1, 2]}
    }


@pytest.mark.parametrize(
    ("stage", "options"),
    [
        (stages.rebalance({"shares": {"cat": 2, "dog": 0.5}}), "{target: {shares: {cat: 2, dog: 0.5}}}"),
        (stages.rebalance({"counts": {"cat": 2, "dog": 5}}), "{target: {counts: {dog: 5, cat: 2}}}"),
        (
            stages.rebalance({"repeat_factor": {"threshold": 0.5}}),
            "{target: {repeat_factor: {threshold: 0.5, power: 0.5}}}",
        ),
        (
            stages.rebalance({"effective_number": {}}, multiple=2),
            "{target: {effective_number: {beta: 0.9999}}, multiple: 2}",
        ),
        (stages.rebalance("class_balanced", cover="largest"), "{target: class_balanced, cover: largest}"),
        (
            stages.rebalance("class_balanced", schedule={"deferred": {"after": 0.5}}),
            "{target: class_balanced, schedule: {deferred: {after: 0.5}}}",
        ),
    ],
)
def test_explicit_targets(stage: Component, options: str, make_folder: Folder) -> None:
    declared, file = hashes(make_folder({"cat": 6, "dog": 3}), "rebalance", stage, options)
    assert declared == file


def test_several_targets(tmp_path: Path, make_folder: Folder) -> None:
    make_folder({"web/cat": 4, "web/dog": 2, "ours/cat": 1, "ours/dog": 3})
    mixed = stages.rebalance([{"shares": {"web": 2, "ours": 1}}, "class_balanced"], task=["source", "class"], draws=12)
    made = [mixed, stages.decode(), stages.resize(height=4, width=4), stages.batch(4)]
    plan = sluicedata.plan(pipeline(sources.folder(tmp_path / "data", tasks=["source", "class"]), made)).to_dict()
    assert plan["drawn"] == [[4, 8, 0], [6, 6, 0]]  # the last: of unknown class


@pytest.mark.parametrize("name", [name for name in CALLS if name not in ("mosaic", "copy_paste")])
def test_defaults_are_the_engines(name: str, make_folder: Folder) -> None:
    """What a signature shows as a default is left out of the pipeline, and is what the engine takes then."""
    made: Callable[..., Component] = getattr(stages, name)
    defaults = {
        k: p.default
        for k, p in inspect.signature(made).parameters.items()
        if p.default not in (None, inspect.Parameter.empty)
    }
    needed = {k: v for k, v in CALLS[name][0].options.items() if k not in defaults}
    stage = made(**needed, **defaults)
    assert stage == made(**needed) and not set(stage.options) & set(defaults)
    declared, file = hashes(make_folder({"cat": 6, "dog": 3}), name, stage, json.dumps({**needed, **defaults}))
    assert declared == file


@pytest.mark.parametrize("module", [stages, sources, sinks])
def test_signatures(module: Any) -> None:
    """Each function has typed arguments and says what each of them is."""
    for name in set(module.__all__) - {"custom"}:
        made = getattr(module, name)
        for parameter in inspect.signature(made).parameters.values():
            assert parameter.annotation is not inspect.Parameter.empty
            assert f"{parameter.name}: " in (made.__doc__ or "")


def test_sources_and_formats(make_folder: Folder, tmp_path: Path) -> None:
    folder = make_folder({"a10": 2, "a9": 2})
    (tmp_path / "list.csv").write_text("file,what,camera\ndata/a9/0000.png,x,1\ndata/a10/0000.png,y,2\n")
    listed = sources.manifest(
        tmp_path / "list.csv",
        path_column="file",
        tasks=["what"],
        meta=["camera"],
        classes={"what": ["y", "x"]},
        max_line=999,
    )
    plan = sluicedata.plan(pipeline(listed, [stages.decode(), stages.resize(height=4, width=4)]))
    assert plan.to_dict()["tasks"][0]["classes"] == ["y", "x"]
    (folder / "metadata.csv").write_text("file_name,kind,camera\na9/0000.png,y,1\na10/0000.png,x,2\n")
    by_list = sources.folder(folder, tasks=["kind"], metadata="auto", meta=[{"camera": "int"}])
    plan = sluicedata.plan(pipeline(by_list, [stages.decode(), stages.resize(height=4, width=4)]))
    assert plan.to_dict()["tasks"][0]["classes"] == ["x", "y"]
    placed = sources.folder(folder, tasks=["kind"], class_order="natural", label="innermost", metadata="none")
    declared = pipeline(
        placed,
        [stages.decode(), stages.resize(height=4, width=4), stages.batch(1)],
        sink=sinks.arrow("lz4", part_rows=2, class_names=True),
    )
    assert sluicedata.plan(declared).to_dict()["tasks"][0]["classes"] == ["a9", "a10"]
    sluicedata.materialize(declared, tmp_path / "out")
    assert len(list((tmp_path / "out").rglob("*.arrow"))) == 2
    read = sources.arrow(
        tmp_path / "out",
        scale=1,
        epoch=0,
        image="image",
        tasks=["kind"],
        weight_column="weight",
        classes=["a10", "a9"],
        meta=[],
    )
    plan = sluicedata.plan(pipeline(read, [stages.decode(), stages.resize(height=4, width=4)]))
    assert plan.to_dict()["tasks"][0]["classes"] == ["a10", "a9"]


def test_targets_of_sources(make_folder: Folder, tmp_path: Path) -> None:
    folder = make_folder({"a": 2})
    for name in "0000", "0001":
        (folder / "masks").mkdir(exist_ok=True)
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / "masks" / f"{name}.png")
    rows: list[dict[str, Any]] = [
        {"path": f"data/a/{name}.png", "tags": ["day"], "age": 2, "objects": {"bbox": [[0, 0, 4, 4]], "category": [0]}}
        for name in ("0000", "0001")
    ]
    (tmp_path / "list.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "metadata.jsonl").write_text(
        "".join(json.dumps({**row, "file_name": row["path"][5:], "path": None}) + "\n" for row in rows)
    )
    options: dict[str, Any] = {
        "tasks": [],
        "multi": {"weather": {"column": "tags", "classes": ["day", "night"], "separator": ";"}},
        "values": ["age"],
        "objects": {"column": "objects", "bbox": "xywh", "classes": ["car"]},
    }
    masks = {"path": "masks/{stem}.png", "ignore": [11], "values": {"0": 0}, "classes": ["road"]}
    listed = sources.manifest(tmp_path / "list.jsonl", masks={**masks, "path": "data/masks/{stem}.png"}, **options)
    shard = tmp_path / "shard.tar"
    with tarfile.open(shard, "w") as tar:
        for name, row in zip(("0000", "0001"), rows, strict=True):
            tar.add(folder / "a" / f"{name}.png", f"{name}.png")
            tar.add(folder / "masks" / f"{name}.png", f"{name}.seg.png")
            text = json.dumps(row).encode()
            member = tarfile.TarInfo(f"{name}.json")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
    sharded = sources.webdataset(
        str(shard),
        tasks={},
        masks={"member": "seg.png", "ignore": 11},
        multi={"weather": "json:tags"},
        values={"age": "json:age"},
        objects={"column": "json:objects", "classes": ["car"]},
    )
    for made in listed, sources.folder(folder, masks=masks, **options), sharded:
        plan = sluicedata.plan(pipeline(made, [stages.decode(), stages.resize(height=4, width=4)]))
        assert plan.to_dict()["samples"] == 2


def test_coco(make_folder: Folder, tmp_path: Path) -> None:
    folder = make_folder({"a": 2})
    listed = {
        "images": [{"id": 7, "file_name": "a/0000.png"}, {"id": 8, "file_name": "a/0001.png"}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 3, "bbox": [0, 0, 2, 2]}],
        "categories": [{"id": 3, "name": "x", "keypoints": ["left", "right"]}],
    }
    (tmp_path / "instances.json").write_text(json.dumps(listed))
    read = sources.coco(
        tmp_path / "instances.json", images=folder, annotations="stored", keypoints={"convention": "index"}
    )
    assert sluicedata.plan(pipeline(read, [stages.decode()])).samples == 2


def test_voc_and_yolo(tmp_path: Path) -> None:
    (tmp_path / "JPEGImages").mkdir()
    (tmp_path / "Annotations").mkdir()
    Image.new("RGB", (8, 6)).save(tmp_path / "JPEGImages/a.png")
    corners = "<xmin>1</xmin><ymin>1</ymin><xmax>4</xmax><ymax>3</ymax>"
    xml = f"<annotation><object><name>cat</name><bndbox>{corners}</bndbox></object></annotation>"
    (tmp_path / "Annotations/a.xml").write_text(xml)
    (tmp_path / "set.txt").write_text("a\n")
    read = sources.voc(
        tmp_path, xml="Annotations", images="JPEGImages", set="set.txt", origin=1, classes=["cat"], annotations="stored"
    )
    assert sluicedata.plan(pipeline(read, [stages.decode()])).samples == 1
    (tmp_path / "JPEGImages/a.txt").write_text("0 0.25 0.25 0.5 0.5\n")
    folder = tmp_path / "JPEGImages"
    read = sources.yolo(images=folder, labels=folder, classes=["cat"])
    assert sluicedata.plan(pipeline(read, [stages.decode()])).samples == 1
    (tmp_path / "data.yaml").write_text("names: [cat]\nval: JPEGImages\n")
    read = sources.yolo(tmp_path / "data.yaml", split="val")
    assert sluicedata.plan(pipeline(read, [stages.decode()])).samples == 1


def test_pictures_with_targets(tmp_path: Path) -> None:
    Image.new("RGB", (8, 6)).save(tmp_path / "a.png")
    row = {"path": "a.png", "objects": {"bbox": [[1, 2, 3, 4]], "category": ["car"]}}
    (tmp_path / "list.jsonl").write_text(json.dumps(row))
    objects = {"column": "objects", "bbox": "xywh", "classes": ["bus", "car"]}
    read = sources.manifest(tmp_path / "list.jsonl", objects=objects)
    made = [stages.decode(), stages.resize(height=6, width=8), stages.batch(2)]
    coco = sinks.coco("jpg", quality=80, subsampling="4:4:4", keypoints="index", part_rows=2)
    sluicedata.materialize(pipeline(read, made, sink=coco), tmp_path / "coco")
    instances = json.loads((tmp_path / "coco/instances.json").read_text())
    assert instances["annotations"][0]["bbox"] == [1, 2, 3, 4]
    assert instances["annotations"][0]["category_id"] == 2
    yolo = sinks.yolo("png", objects="boxes", part_rows=2)
    sluicedata.materialize(pipeline(read, made, sink=yolo), tmp_path / "yolo")
    assert (tmp_path / "yolo/labels/a.txt").read_text() == "1 0.3125 0.6666667 0.375 0.6666667\n"
    masks = pipeline(read, made, sink=sinks.masks("png", part_rows=2))
    with pytest.raises(sluicedata.Error, match="no masks"):
        sluicedata.materialize(masks, tmp_path / "masks")


def test_huggingface(tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "png")
    saved = tmp_path / "saved"
    (saved / "train").mkdir(parents=True)
    table = pa.table(
        {
            "img": [{"bytes": picture.getvalue(), "path": "a.png"}] * 2,
            "label": [1, 0],
            "n": [5, 6],
            "tags": [["a"], None],
            "age": [1.5, None],
            "objects": [{"bbox": [[0, 0, 1, 1]], "category": [0]}, {"bbox": [], "category": []}],
        },
        schema=pa.schema(
            [
                ("img", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
                ("label", pa.int64()),
                ("n", pa.int64()),
                ("tags", pa.list_(pa.string())),
                ("age", pa.float32()),
                (
                    "objects",
                    pa.struct([("bbox", pa.list_(pa.list_(pa.float32()))), ("category", pa.list_(pa.int64()))]),
                ),
            ]
        ),
    )
    with pa.ipc.new_stream(saved / "train" / "data-0.arrow", table.schema) as out:
        out.write_table(table)
    features = {"img": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["x", "y"]}}
    (saved / "dataset_dict.json").write_text('{"splits": ["train"]}')
    (saved / "train" / "state.json").write_text('{"_data_files": [{"filename": "data-0.arrow"}]}')
    (saved / "train" / "dataset_info.json").write_text(json.dumps({"features": features}))
    read = sources.huggingface(
        saved,
        split="train",
        image="img",
        tasks=["label"],
        classes=["y", "x"],
        meta=[{"n": "text"}],
        multi={"tags": "tags"},
        values=["age"],
        objects={"column": "objects", "classes": ["car"]},
    )
    plan = sluicedata.plan(pipeline(read, [stages.decode()]))
    assert plan.to_dict()["tasks"][0]["classes"] == ["y", "x"]


def test_webdataset(tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "png")
    with tarfile.open(tmp_path / "a-0.tar", "w") as shard:
        for name, data in {"1.png": picture.getvalue(), "1.json": b'{"a": {"kind": "x", "n": 3}}'}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            shard.addfile(member, io.BytesIO(data))
    read = sources.webdataset(
        str(tmp_path / "a-{0..0}.tar"),
        image=["png"],
        tasks={"kind": "json:a.kind"},
        classes={"kind": ["y", "x"]},
        meta={"n": "json:a.n"},
        index="none",
    )
    plan = sluicedata.plan(pipeline(read, [stages.decode()]))
    assert plan.to_dict()["tasks"][0]["classes"] == ["y", "x"]


def test_parquet(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    image = b"P6 1 1 255\n\x01\x02\x03"
    rows = pa.table({"image": [image] * 4, "other": [b""] * 4, "what": ["x", "y"] * 2, "w": [1.0] * 4, "n": range(4)})
    rows = rows.append_column("tags", pa.array([["a"], [], None, ["b", "a"]]))
    rows = rows.append_column("age", pa.array([0.5, None, 1, 2], pa.float32()))
    rows = rows.append_column("objects", pa.array([{"bbox": [[0, 0, 1, 1]], "category": ["car"]}] * 4))
    pq.write_table(rows, tmp_path / "rows.parquet")
    placed = sources.parquet(
        str(tmp_path / "*.parquet"),
        image="image",
        tasks=["what"],
        weight_column="w",
        classes=["y", "x"],
        meta=[{"n": "text"}],
    )
    plan = sluicedata.plan(pipeline(placed, [stages.decode(), stages.resize(height=4, width=4)]))
    assert plan.to_dict()["tasks"][0]["classes"] == ["y", "x"]
    targeted = sources.parquet(
        str(tmp_path / "*.parquet"), image="image", tasks=[], multi={"tags": {}}, values=["age"], objects="objects"
    )
    assert sluicedata.plan(pipeline(targeted, [stages.decode(), stages.resize(height=4, width=4)])).samples == 4

    sink = sinks.parquet("raw", codec="zstd", part_rows=2, group_rows=1, group_size="1MiB", class_names=True)
    declared = pipeline(placed, [stages.decode(), stages.resize(height=4, width=4), stages.batch(size=1)], sink=sink)
    sluicedata.materialize(declared, tmp_path / "out")
    written = pq.read_table(sorted((tmp_path / "out").glob("*.parquet"))[0])
    assert written.num_rows == 2
    assert written["class.what"].to_pylist() == [["y", "x"][label] for label in written["label.what"].to_pylist()]
    jpegs = sinks.parquet("jpg", quality=80, subsampling="4:4:4", restart_rows=1)
    sluicedata.materialize(pipeline(placed, [stages.decode()], sink=jpegs), tmp_path / "jpegs")


def test_formats_of_image_files(make_folder: Folder, tmp_path: Path) -> None:
    folder = make_folder({"cat": 3, "dog": 2})
    small = [stages.decode(), stages.resize(height=8, width=8), stages.batch(1)]
    shards = sinks.webdataset(image="jpg", quality=80, subsampling="4:4:4", restart_rows=1, shard_rows=2, bare=True)
    sluicedata.materialize(pipeline(sources.folder(folder), small, sink=shards), tmp_path / "shards")
    assert len(list((tmp_path / "shards").glob("*.tar"))) == 3
    whole = pipeline(sources.folder(folder), [stages.batch(2)], sink=sinks.webdataset(shard_size="100MiB"))
    sluicedata.materialize(whole, tmp_path / "whole")
    assert len(list((tmp_path / "whole").glob("*.tar"))) == 1
    placed = pipeline(sources.folder(folder), small, sink=sinks.folder(image="png", task="class", part_rows=2))
    sluicedata.materialize(placed, tmp_path / "placed")
    assert len(list((tmp_path / "placed" / "cat").iterdir())) == 3
    sluicedata.materialize(pipeline(sources.folder(folder), small, sink=sinks.folder(flat=True)), tmp_path / "flat")
    assert (tmp_path / "flat" / "metadata.csv").read_text().startswith("file_name,class\nimages/cat_")


def test_concat(make_folder: Folder, tmp_path: Path) -> None:
    web, ours = make_folder({"cat": 4, "dog": 2}, name="web"), make_folder({"cat": 1, "emu": 3}, name="ours")
    joined = sources.concat(
        {"web": sources.folder(web), "ours": sources.folder(ours)},
        label="origin",
        classes={"class": ["emu", "dog", "cat"]},
    )
    made = [
        stages.rebalance({"counts": {"web": 8, "ours": 4}}, task="origin"),
        stages.decode(),
        stages.resize(height=4, width=4),
        stages.batch(4),
    ]
    declared = pipeline(joined, made, split={"val": 0.3})
    plan = sluicedata.plan(declared)
    assert plan.to_dict()["tasks"] == [
        {"name": "class", "classes": ["emu", "dog", "cat"]},
        {"name": "origin", "classes": ["ours", "web"]},
    ]
    assert plan.to_dict()["drawn"][1] == [4, 8, 0]
    (tmp_path / "p.yaml").write_text(
        "version: 1\nsource: {concat: {web: {folder: {path: web}}, ours: {folder: {path: ours}}, label: origin,"
        " classes: {class: [emu, dog, cat]}}}\nsplit: {val: 0.3}\nstages:\n"
        + "".join(f"  - {json.dumps(s.to_dict())}\n" for s in made)
    )
    assert sluicedata.plan(tmp_path / "p.yaml").plan_hash == plan.plan_hash
    evaluation = pipeline(
        sources.concat({"ours": sources.folder(ours)}, label="origin"), made[1:], classes_from=tmp_path / "p.yaml"
    )
    assert sluicedata.plan(evaluation).to_dict()["tasks"] == plan.to_dict()["tasks"]
    with pytest.raises(PipelineError, match=r"web: folder: .*: there is no such folder"):
        sluicedata.plan(pipeline(sources.concat({"web": sources.folder(tmp_path / "not")}), made[1:]))
    with pytest.raises(TypeError, match="'label' is the name of an option"):
        sources.concat({"label": sources.folder(ours)})
    with pytest.raises(TypeError, match="want a dict of sources by name"):
        sources.concat([sources.folder(ours)])  # type: ignore[arg-type]


def here() -> int:
    frame = inspect.currentframe()
    assert frame is not None and frame.f_back is not None
    return frame.f_back.f_lineno


def test_mistakes_point_to_the_argument(make_folder: Folder) -> None:
    line = here() + 3
    made = [
        stages.decode(),
        stages.rotate(degrees=-400),
        stages.resize(height=4),
        stages.custom("turn", by=3),
    ]
    declared = pipeline(sources.folder(make_folder({"cat": 2})), made, split={"vall": 0.1})  # type: ignore[arg-type]
    for given in (declared, declared.to_dict()):
        with pytest.raises(PipelineError) as caught:
            sluicedata.plan(given)
        text = str(caught.value)
        assert "stages[3] turn(by=3)" in text and "split: " in text
        if given is declared:
            by_stage = {m.message.split()[0]: m for m in caught.value.mistakes}
            assert (by_stage["stages[3]"].file, by_stage["stages[3]"].line) == (__file__, line + 2)
    good = pipeline(sources.folder(make_folder({"cat": 2}, name="other")), made[:-1])
    with pytest.raises(PipelineError) as caught:
        sluicedata.plan(good)
    found = {m.message.split("(")[0]: m for m in caught.value.mistakes}
    assert found["stages[1] rotate"].line == line and found["stages[1] rotate"].file == __file__
    assert "degrees" in found["stages[1] rotate"].message and "stages[2] resize" in found
    lost = pipeline(sources.folder("not/there"), [stages.decode()])
    with pytest.raises(PipelineError, match="no such folder") as caught:
        sluicedata.plan(lost)
    assert str(caught.value).startswith(f"{__file__}:{here() - 3}: source folder(path='not/there'): ")
    flips = [stages.decode(), stages.flip(), stages.flip(p=2), stages.resize(height=4, width=4)]
    with pytest.raises(PipelineError, match=r"stages\[2\] flip\(p=2\): p: 2"):
        sluicedata.plan(pipeline(sources.folder(make_folder({"cat": 2}, name="third")), flips))
    with pytest.raises(PipelineError) as caught:
        sluicedata.plan({"source": {"folder": {"path": "."}}, "stagez": []})
    assert [m.message.split(":")[0] for m in caught.value.mistakes] == ['unknown key "stagez"']


def test_wrong_calls() -> None:
    with pytest.raises(TypeError, match="angle"):
        stages.rotate(angle=3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="rotate: degrees: want numbers"):
        stages.rotate(object())  # type: ignore[arg-type]
    calls: list[tuple[Callable[[], Component], str]] = [
        (lambda: stages.rotate("30"), r"rotate: degrees: want float \| .*, have '30'"),  # type: ignore[arg-type]
        (lambda: stages.flip(True), "flip: p: want float, have True"),
        (lambda: stages.rotate(3, expand=1), "rotate: expand: want bool, have 1"),  # type: ignore[arg-type]
        (lambda: stages.filter("cat"), r"filter: keep: want Sequence\[str\], have 'cat'"),
        (lambda: stages.filter([3]), r"filter: keep: want Sequence\[str\], have \[3\]"),  # type: ignore[list-item]
        (lambda: stages.class_weights({"cat": "x"}), "class_weights: weights: want"),  # type: ignore[dict-item]
        (lambda: stages.decode(mode=["rgb"]), "decode: mode: want Literal"),  # type: ignore[arg-type]
        (lambda: sources.folder(3), r"folder: path: want str \| os.PathLike"),  # type: ignore[arg-type]
    ]
    for call, message in calls:
        with pytest.raises(TypeError, match=message):
            call()
    with pytest.raises(TypeError, match="want a list of stages"):
        pipeline(sources.folder("x"), stages.decode())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="want a list of stages"):
        pipeline(sources.folder("x"), stages.decode)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"stages\[0\]: decode is a function: call it"):
        pipeline(sources.folder("x"), [stages.decode])  # type: ignore[list-item]
    with pytest.raises(TypeError, match=r"stages\[1\]"):
        pipeline(sources.folder("x"), ["decode", 3])  # type: ignore[list-item]


def test_paths_as_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train").mkdir()
    for path, made in (("train", "folder"), ("data/train", "folder"), ("x.tar", "folder"), ("list.CSV", "manifest")):
        with pytest.raises(TypeError, match=rf"source: '{path}' is a path.* give sources\.{made}\('{path}'\)"):
            pipeline(path, [])
    with pytest.raises(TypeError, match=r"sources\.folder"):
        pipeline(Path("elsewhere"), [])  # type: ignore[arg-type]
    (tmp_path / "folder").mkdir()
    assert pipeline("folder", []).source == Component("folder")  # the source's name
    assert pipeline("mine", []).source == Component("mine")


def test_classes_of_a_declared_pipeline() -> None:
    train = pipeline(sources.folder("t"), [stages.decode()])
    with pytest.raises(TypeError, match=r"classes_from: .* save it first"):
        pipeline(sources.folder("v"), [], classes_from=train)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"classes_from: .* save it first"):
        train.with_settings(classes_from=train)


def test_mistakes_in_settings_point_to_the_call(make_folder: Folder) -> None:
    good = [stages.decode(), stages.resize(height=4, width=4)]
    folder = sources.folder(make_folder({"cat": 2}))
    declared = pipeline(folder, good, split={"val": 2}, on_error={"policy": "x"})  # type: ignore[arg-type]
    line = here() - 1
    with pytest.raises(PipelineError) as caught:
        sluicedata.plan(declared)
    assert {(m.file, m.line, m.message.split(": ")[0]) for m in caught.value.mistakes} == {
        (__file__, line, "split"),
        (__file__, line, "on_error"),
    }
    changed = pipeline(folder, good).with_settings(epochs=-1)
    with pytest.raises(PipelineError) as caught:
        sluicedata.plan(changed)
    assert str(caught.value).startswith(f"{__file__}:{here() - 3}: epochs: ")
    with pytest.raises(PipelineError) as caught:
        sluicedata.plan({"version": 1, "stages": ["decode"]})
    assert str(caught.value).startswith("source: missing: say where the images are, such as sources.folder(")


def test_normalize_takes_its_figures_by_position() -> None:
    assert stages.normalize([0.1, 0.2, 0.3], [0.5, 0.4, 0.3]) == stages.normalize([0.1, 0.2, 0.3], std=[0.5, 0.4, 0.3])


def test_values() -> None:
    declared = pipeline(
        sources.folder("t"), [stages.decode(), stages.flip(0.5), stages.rotate(degrees=(-1, 2))], seed=3
    )
    assert declared == pipeline(
        sources.folder(Path("t")), ["decode", {"flip": None}, {"rotate": {"degrees": [-1, 2]}}], seed=3
    )
    assert repr(declared) == "pipeline(folder(path='t'), [decode(), flip(), rotate(degrees=[-1, 2])], seed=3)"
    assert declared.to_dict() == {
        "version": 1,
        "seed": 3,
        "source": {"folder": {"path": "t"}},
        "stages": ["decode", "flip", {"rotate": {"degrees": [-1, 2]}}],
    }
    assert declared.with_stages(*declared.stages[:1]).with_settings(seed=None).to_yaml() == (
        "version: 1\nsource: {folder: {path: t}}\nstages:\n  - decode\n"
    )
    assert "degrees: [-1, 2]" in declared._repr_html_()
    assert repr(stages.rotate(np.float64(0.5), fill=np.arange(3))) == "rotate(degrees=0.5, fill=[0, 1, 2])"  # type: ignore[arg-type]
    assert pickle.loads(pickle.dumps(declared)) == declared
    assert resolve("p.yaml") == {"file": os.path.abspath("p.yaml")}
    assert Pipeline in get_args(pipelines.PipelineLike)


NAMES = [
    "yes",
    "No",
    "1",
    "1e3",
    "~",
    "null",
    "é😀",
    'a"b',
    "a: b",
    "# c",
    "- d",
    "a\nb",
    "{",
    "*x",
    "&y",
    "!z",
    "%",
    "@",
    "",
    " s ",
]


def test_any_text_survives(make_folder: Folder, tmp_path: Path) -> None:
    """Texts that YAML could take for something else reach the engine as they are."""
    folder = make_folder({"cat": 1})
    names = ["cat", *(n for n in NAMES if n.strip())]
    declared = pipeline(sources.folder(folder, classes=names), [stages.decode(), stages.resize(height=4, width=4)])
    assert sluicedata.plan(declared).to_dict()["tasks"][0]["classes"] == names
    declared.save(tmp_path / "p.yaml")
    assert sluicedata.plan(tmp_path / "p.yaml").to_dict()["tasks"][0]["classes"] == names
    assert json.loads(json.dumps(declared.to_dict())) == declared.to_dict()


def test_loader_and_transform_take_declared_pipelines(make_folder: Folder) -> None:
    folder = make_folder({"cat": 6, "dog": 3})
    good = [stages.decode(), stages.resize(height=8, width=8), stages.batch(4)]
    with sluicedata.Loader(pipeline(sources.folder(folder), good), format="numpy") as loader:
        assert sum(len(batch.key) for batch in loader) == 9
    bad = [stages.decode(), stages.resize(height=8, width=-8)]
    line = here() - 1
    with pytest.raises(PipelineError) as caught:
        sluicedata.Loader(pipeline(sources.folder(folder), bad), format="numpy")
    assert str(caught.value).startswith(f"{__file__}:{line}: stages[1] resize(height=8, width=-8): ")
    with pytest.raises(PipelineError) as caught:
        Transform(stages=bad, format="numpy")
    assert str(caught.value).startswith(f"{__file__}:{line}: stages[1] resize(height=8, width=-8): ")
