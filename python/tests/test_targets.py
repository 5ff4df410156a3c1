"""Targets of a batch: boxes, polygons, keypoints, masks, several labels."""

from __future__ import annotations

import copy
import json
import pickle
import struct
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from conftest import picture, png
from handmade import Thing, batch, pixels
from sluicedata import EngineError, Loader, UsageError, _batch, collate, plan
from sluicedata._targets import TargetSpec

ROWS = [
    [
        Thing((1, 2, 4, 6), 1, 70, polygon=[[1, 2, 4, 2, 4, 6], [1, 3, 2, 3, 1, 6]], keypoints=[(1, 2, 2), (3, 4, 1)]),
        Thing((0, 0, 8, 6), 0, 71, crowd=True),
    ],
    [],
    [Thing((2.5, 1, 3, 2), 3, keypoints=[(2.5, 1, 2), (0, 0, 0)])],
]
IMAGES = [pixels(6, 8)] * 3
MASKS = [np.full((6, 8), i, np.uint8) for i in (0, 7, 255)]


def plain(value: Any) -> Any:
    """Arrays of any library as NumPy's."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value if value is None else np.from_dlpack(value)


@pytest.mark.parametrize("format", ["numpy", "torch", "dlpack"])
def test_objects(format: Any) -> None:
    if format == "torch":
        pytest.importorskip("torch")
    b = batch(IMAGES, ROWS, MASKS, format=format)
    boxes = plain(b["boxes"])
    assert [one.shape for one in boxes] == [(2, 4), (0, 4), (1, 4)] and boxes[0].dtype == np.float32
    assert boxes[0].tolist() == [[1, 2, 4, 6], [0, 0, 8, 6]] and boxes[2].tolist() == [[2.5, 1, 3, 2]]
    assert [one.tolist() for one in plain(b["boxes.label"])] == [[1, 0], [], [3]]
    assert plain(b["boxes.label"])[0].dtype == np.int64
    assert [one.tolist() for one in plain(b["boxes.id"])] == [[70, 71], [], [0]]
    assert [one.tolist() for one in plain(b["boxes.area"])] == [[12, 48], [], [0.5]]
    if format != "dlpack":  # NumPy has no bool by DLPack before 2.2
        assert [one.tolist() for one in b["boxes.crowd"]] == [[False, True], [], [False]]
    polygons = plain(b["boxes.polygon"])
    assert [[len(of) for of in row] for row in polygons] == [[2, 0], [], [0]]
    assert polygons[0][0][1].tolist() == [[1, 3], [2, 3], [1, 6]]
    keypoints = plain(b["keypoints"])
    assert [one.shape for one in keypoints] == [(2, 2, 3), (0, 2, 3), (1, 2, 3)]
    assert keypoints[0].tolist() == [[[1, 2, 2], [3, 4, 1]], [[0] * 3] * 2]
    mask = plain(b["mask"])
    assert mask.shape == (3, 6, 8) and mask.dtype == np.uint8 and mask[:, 0, 0].tolist() == [0, 7, 255]
    assert b["mask"] is b["mask"] and b["boxes"] is b["boxes"]
    assert repr(b).endswith("label: none, boxes, keypoints, mask, epoch 1, batch 0)")


def test_masks_are_not_copied() -> None:
    b = batch(IMAGES, masks=MASKS)
    b["mask"][1, 2, 3] = 9
    assert np.frombuffer(b._masks, np.uint8).reshape(3, 6, 8)[1, 2, 3] == 9


def test_pictures_of_varying_size() -> None:
    images = [pixels(4, 6), pixels(5, 3), pixels(1, 1)]
    masks = [np.full(image.shape[:2], i, np.uint8) for i, image in enumerate(images)]
    b = batch(images, ROWS, masks, varying=True)
    for i, image in enumerate(images):
        assert (b.image[i] == image.transpose(2, 0, 1)).all() and (b["mask"][i] == masks[i]).all()
        assert b["mask"][i].shape == image.shape[:2]
    b.image[1][0, 0, 0] = 77  # it may be written to, as it lies in the batch's own memory
    assert np.shares_memory(b.image[1], np.frombuffer(b._columns, np.uint8))
    assert (b.image[0] == images[0].transpose(2, 0, 1)).all()


def test_labels() -> None:
    more = {
        "label.class": pa.array([3, None, 1], pa.int32()),
        "label.tags": pa.array([[0, 2], None, []], pa.list_(pa.int32())),
        "label.age": pa.array([1.5, None, 3], pa.float32()),
    }
    b = batch(IMAGES, more=more)
    assert b["label.class"].tolist() == [3, -100, 1]
    tags = b["label.tags"]
    assert tags[0].tolist() == [0, 2] and tags[0].dtype == np.int64 and tags[1] is None and tags[2].tolist() == []
    age = b["label.age"]
    assert age.dtype == np.float32 and np.isnan(age[1]) and age[[0, 2]].tolist() == [1.5, 3]
    assert "tags [0, 2]" in b._repr_html_() and "tags ?" in b._repr_html_()


def test_what_is_not_there() -> None:
    with pytest.raises(UsageError, match="no column 'boxes': the source's samples have no targets"):
        batch(IMAGES)["boxes"]
    with pytest.raises(UsageError, match="no column 'keypoints': the source's samples have only mask"):
        batch(IMAGES, masks=MASKS)["keypoints"]
    with pytest.raises(UsageError, match=r"no column 'bboxes': it has image, .*, boxes, boxes\.label"):
        batch(IMAGES, ROWS)["bboxes"]


def test_to_arrow() -> None:
    record = batch(IMAGES, ROWS, MASKS, more={"label.class": pa.array([0, 1, 2], pa.int32())}).to_arrow()
    names = record.schema.names
    assert names[:3] == ["key", "image", "boxes"] and names[8:11] == ["keypoints", "mask", "label.class"]
    assert (record.column("mask").to_numpy_ndarray() == np.stack(MASKS)).all()
    assert (record.column("image").to_numpy_ndarray() == np.stack(IMAGES)).all()


@pytest.mark.parametrize("varying", [False, True])
def test_pickle(varying: bool) -> None:
    b = batch(IMAGES, ROWS, MASKS, varying=varying)
    b["mask"][2][0, 0] = 4
    b["boxes"][0][0, 0] = -1
    for other in (pickle.loads(pickle.dumps(b)), copy.copy(b)):
        assert other["mask"][2][0, 0] == 4 and other["boxes"][0][0, 0] == -1
        assert other["boxes.polygon"][0][0][1].tolist() == b["boxes.polygon"][0][0][1].tolist()
        other["mask"][2][0, 0] = 5
        assert b["mask"][2][0, 0] == 4


def test_to_a_device() -> None:
    torch = pytest.importorskip("torch")
    b = batch(IMAGES, ROWS, MASKS, format="torch", more={"label.tags": pa.array([[1], None, []], pa.list_(pa.int32()))})
    b["boxes"][0][0, 0] = -1
    moved = b.to("meta")
    assert moved["boxes"][0].device.type == moved["mask"].device.type == moved["label.tags"][0].device.type == "meta"
    assert moved["label.tags"][1] is None and moved["boxes.polygon"][0][0][0].device.type == "meta"
    there = batch(IMAGES, ROWS, MASKS, format="torch", mover=lambda tensor, _: tensor.to(torch.device("meta")))
    assert there["boxes.label"][2].device.type == there["mask"].device.type == "meta"
    same = b.to("cpu")
    assert same["boxes"][0][0, 0] == -1


def test_columns_of_a_source() -> None:
    """Columns that have the names of targets and other types are a source's own."""
    for name, column in {
        "boxes": pa.array([[1.0]] * 3, pa.list_(pa.float32())),
        "boxes.label": pa.array([1, 2, 3]),
        "boxes.polygon": pa.array([[[1.0]]] * 3, pa.list_(pa.list_(pa.float32()))),
        "keypoints": pa.array([[[1.0, 2.0]]] * 3, pa.list_(pa.list_(pa.float32(), 2))),
        "mask": pa.array([1, 2, 3]),
    }.items():
        b = batch(IMAGES, more={name: column})
        with pytest.raises(UsageError, match="no targets"):
            b[name]
        assert b.to_arrow().column(name).equals(column)


def test_damaged_columns() -> None:
    """Whatever the engine sends is an error of its, not of NumPy's."""
    with pytest.raises(EngineError, match=r"cannot read: label\.x"):
        _ = batch(IMAGES, more={"label.x": pa.array(["a", "b", "c"])}).record
    fewer = pa.array([[1], [], []], pa.list_(pa.int32()))
    with pytest.raises(EngineError, match=r"boxes\.label of other objects"):
        batch(IMAGES, ROWS, more={"boxes.label": fewer})["boxes.label"]
    half = pa.array([[[[1.0]], []], [], [[]]], pa.list_(pa.list_(pa.list_(pa.float32()))))
    with pytest.raises(EngineError, match="half a point"):
        batch(IMAGES, ROWS, more={"boxes.polygon": half})["boxes.polygon"]


@pytest.mark.parametrize("mask", [[3, 6], [2, 6, 8], [3, 6, 0], [3, 6, -8], [3, 6, 8.0], "abc", 3])
def test_damaged_heads(mask: Any) -> None:
    b = batch(IMAGES, masks=MASKS)
    head = {**b._head, "mask": mask}
    with pytest.raises(EngineError, match="a batch that isn't one"):
        _batch.check_head(head, head["columns"] + head["image"]["bytes"] + 144)


def test_target_spec() -> None:
    spec = TargetSpec.of(
        {"boxes": True, "classes": ["a", "b"], "category_ids": [1, 90], "multi": [{"name": "t", "classes": ["x"]}]}
    )
    assert spec == TargetSpec(boxes=True, classes=("a", "b"), category_ids=(1, 90), multi={"t": ("x",)})
    assert TargetSpec.of({"mask": True}) == TargetSpec(mask=True)


# With the engine


@pytest.fixture
def marked(tmp_path: Path) -> dict[str, Any]:
    """A pipeline of 12 pictures of two sizes, each with as many white rectangles as its number mod 4, listed as objects, and a mask of them."""
    lines = []
    for number in range(12):
        height, width = (40, 60) if number % 2 else (60, 40)
        image, mask = picture(number, height, width) // 2, np.zeros((height, width), np.uint8)
        boxes = [(4 + 12 * k, 6 + 8 * k, 6 + k, 5) for k in range(number % 4)]
        for k, (x, y, w, h) in enumerate(boxes):
            image[y : y + h, x : x + w] = 255
            mask[y : y + h, x : x + w] = 1 + k
        (tmp_path / f"{number}.png").write_bytes(png(image))
        (tmp_path / f"{number}_mask.png").write_bytes(png(mask))
        points = [[x, y, 2, x + w, y + h, 1] for x, y, w, h in boxes]
        objects = {"bbox": boxes, "category": list(range(len(boxes))), "keypoints": points, "id": [9] * len(boxes)}
        tags = None if number == 3 else [["day"], ["night", "rain"], []][number % 3]
        age = None if number == 5 else number / 2
        lines.append(json.dumps({"path": f"{number}.png", "tags": tags, "age": age, "objects": objects}))
    (tmp_path / "all.jsonl").write_text("\n".join(lines))
    source = {
        "path": str(tmp_path / "all.jsonl"),
        "tasks": [],
        "multi": {"weather": {"column": "tags", "classes": ["day", "night", "rain"]}},
        "values": ["age"],
        "objects": {
            "column": "objects",
            "bbox": "xywh",
            "classes": ["a", "b", "c"],
            "keypoints": ["low", "high"],
            "mirror": {"low": "high"},
        },
        "masks": "{stem}_mask.png",
    }
    return {
        "version": 1,
        "seed": 3,
        "source": {"manifest": source},
        "stages": ["shuffle", "decode", {"batch": {"size": 5, "sizes": "keep"}}],
    }


def staged(pipeline: dict[str, Any], *stages: Any) -> dict[str, Any]:
    """The pipeline with other stages behind decode."""
    return {**pipeline, "stages": [*pipeline["stages"][:2], *stages, pipeline["stages"][-1]]}


@pytest.mark.parametrize("transport", ["ring", "pipe"])
def test_engine(marked: dict[str, Any], transport: Any) -> None:
    """What is said of objects is where they are in the pixels, through flips, crops and scales."""
    stages = (
        {"center_crop": {"height": 40, "width": 40}},
        {"resize": {"height": 80, "width": 120}},
        {"flip": {"p": 1}},
    )
    with Loader(staged(marked, *stages), format="numpy", transport=transport) as loader:
        spec = loader.targets
        assert spec is not None and spec.boxes and spec.mask and spec.classes == ("a", "b", "c")
        assert spec.keypoints == ("low", "high") and spec.mirrored == (1, 0)
        assert spec.multi == {"weather": ("day", "night", "rain")}
        assert {"boxes", "boxes.label", "keypoints", "mask", "label.weather"} <= set(loader.plan["columns"])
        seen = 0
        for b in loader:
            assert b.image.shape[1:] == (3, 80, 120) and b["mask"].shape == (b.rows, 80, 120)
            for i in range(b.rows):
                for k, (label, box) in enumerate(zip(b["boxes.label"][i], b["boxes"][i], strict=True)):
                    of = b["mask"][i] == 1 + label
                    y, x = np.nonzero(of)
                    assert np.abs(box - [x.min(), y.min(), x.max() + 1, y.max() + 1]).max() <= 1
                    x1, y1, x2, y2 = np.round(box).astype(int)
                    if x2 - x1 > 6 and y2 - y1 > 4:  # resampled at its border
                        assert b.image[i][:, y1 + 2 : y2 - 2, x1 + 3 : x2 - 3].min() >= 250
                    low, high = b["keypoints"][i][k]
                    assert np.allclose(low[:2], box[[0, 3]], atol=1e-3) or low[2] == 0 or high[2] == 0
                    seen += 1
        assert seen > 6


def test_engine_labels(marked: dict[str, Any]) -> None:
    with Loader(staged(marked, {"resize": {"height": 8, "width": 8}}), format="numpy") as loader:
        for b in loader:
            for key, tags, age in zip(b.key, b["label.weather"], b["label.age"], strict=True):
                number = int(key.removesuffix(".png"))
                assert (tags is None) == (number == 3) and np.isnan(age) == (number == 5)
                assert tags is None or tags.tolist() == [[0], [1, 2], []][number % 3]
                assert number == 5 or age == number / 2
    torch = pytest.importorskip("torch")
    with Loader(staged(marked, {"resize": {"height": 8, "width": 8}})) as loader:
        hot, known = collate.multi_hot(next(iter(loader)), "weather", 3)
        assert hot.dtype == torch.float32 and known.dtype == torch.bool and hot.shape == (5, 3)


def test_engine_counts(marked: dict[str, Any]) -> None:
    """What the data has of each class, and what became of it."""
    with Loader(marked, format="numpy") as loader:
        assert loader.plan["objects"] == {"a": 9, "b": 6, "c": 3}
        assert loader.plan["multi"] == {"weather": {"day": 3, "night": 4, "rain": 4, "": 1}}
        with pytest.raises(UsageError, match=r"weather has any number: loader.plan\['multi'\]"):
            loader.class_weights()
        for _ in loader:
            pass
        report = loader.report()
        assert report is not None
        kept = {"clipped": 0, "dropped": {}}
        assert report.objects == {
            name: {"seen": n, "delivered": n, **kept} for name, n in {"a": 9, "b": 6, "c": 3}.items()
        }
        assert {name: of["delivered"] for name, of in report.images["boxes"].items()} == {"a": 9, "b": 6, "c": 3}
        assert report.images["weather"]["rain"]["delivered"] == 4
    found = plan(marked)
    assert found.objects == {"a": 9, "b": 6, "c": 3} and found.multi["weather"]["night"] == 4
    manifest = marked["source"]["manifest"]
    lines = [json.loads(line) for line in Path(manifest["path"]).read_text().splitlines()]
    Path(manifest["path"]).write_text(
        "\n".join(json.dumps({"path": line["path"], "objects": line["objects"]}) for line in lines)
    )
    boxes = {**marked, "source": {"manifest": {**manifest, "multi": {}, "values": []}}}
    with Loader(boxes) as loader, pytest.raises(UsageError, match=r"this data has objects: loader.plan\['objects'\]"):
        loader.class_weights()


def test_engine_varying(marked: dict[str, Any]) -> None:
    with Loader(staged(marked, {"flip": {"p": 1}}), format="numpy") as loader:
        assert len(loader) == 3
        for b in loader:
            images, valid = collate.pad(b)
            assert images.shape[0] == b.rows and valid.sum() == b.rows * 2400
            for image, mask, boxes, labels in zip(b.image, b["mask"], b["boxes"], b["boxes.label"], strict=True):
                assert image.shape[1:] == mask.shape and image.shape[0] == 3
                for (x1, y1, x2, y2), label in zip(boxes.astype(int), labels, strict=True):
                    assert (mask[y1:y2, x1:x2] == 1 + label).all() and (mask == 1 + label).sum() == (y2 - y1) * (
                        x2 - x1
                    )
                    assert (image[:, y1:y2, x1:x2] == 255).all()


def test_engine_padded(marked: dict[str, Any]) -> None:
    padded = {**marked, "stages": [*marked["stages"][:-1], {"batch": {"size": 5, "sizes": "pad"}}]}
    with Loader(padded, format="numpy") as loader, Loader(marked, format="numpy") as plain:
        for b, other in zip(loader, plain, strict=True):
            images, valid = collate.pad(other)
            assert (b.image == images).all() and (collate.pad(b)[1] == valid).all()
            assert (b["mask"] == collate.segmentation(other)[1]).all()
            assert [tuple(v) for v in b["valid"].tolist()] == [image.shape[1:] for image in other.image]


def test_engine_files(marked: dict[str, Any]) -> None:
    """Without decode targets are as the source has them."""
    with Loader({**marked, "stages": [{"batch": {"size": 5}}]}, format="numpy") as loader:
        b = next(iter(loader))
        assert all(file.startswith(b"\x89PNG") for file in [*b.image, *b["mask"]])
        assert b["boxes"][2].tolist() == [[4, 6, 10, 11], [16, 14, 23, 19]] and b["boxes.id"][2].tolist() == [9, 9]
        with pytest.raises(UsageError, match="the stage decode"):
            collate.segmentation(b)


def test_engine_collates(marked: dict[str, Any]) -> None:
    pytest.importorskip("torchvision")
    form = partial(collate.torchvision, labels_from=1)
    with Loader(marked, collate=form) as loader, Loader(marked) as plain:
        for (images, targets), b in zip(loader, plain, strict=True):
            assert len(images) == len(targets) == b.rows
            for target, boxes, labels in zip(targets, b["boxes"], b["boxes.label"], strict=True):
                assert target["boxes"].tolist() == boxes.tolist() and target["labels"].tolist() == (labels + 1).tolist()
    for wrong in ({"collate": form, "keys": {"a": "image"}}, {"collate": form, "format": "arrow"}, {"collate": 3}):
        with pytest.raises(UsageError, match="collate is a function of a Batch"):
            Loader(marked, **wrong)
    with Loader(marked, keys={"target": "boxes", "mask": "mask"}) as loader:
        assert set(next(iter(loader))) == {"target", "mask"}
    with Loader(marked, format="arrow") as loader:
        record = next(iter(loader))
        assert record.column("boxes").type.value_type.list_size == 4 and "mask" in record.schema.names


def test_engine_scales(marked: dict[str, Any]) -> None:
    pipeline = staged(marked, {"resize": {"height": 40, "width": 40}})
    pipeline["stages"].append({"multiscale": {"scales": [0.5, 1]}})
    with Loader(pipeline, format="numpy", scale=0.5) as loader:
        for b in loader:
            assert b["mask"].shape[1:] == b.image.shape[2:] == (20, 20)
            for boxes in b["boxes"]:
                assert (boxes >= 0).all() and (boxes <= 20).all()


def test_turned_and_untold(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Annotations of a picture that EXIF turns upside down may be of either: a warning says so once a run."""
    tiff = struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 0x112, 3, 1, 3, 0, 0)  # orientation 3
    body = b"eXIf" + tiff
    chunk = struct.pack(">I", len(tiff)) + body + struct.pack(">I", zlib.crc32(body))
    file = png(picture(1))
    (tmp_path / "a.png").write_bytes(file[:33] + chunk + file[33:])  # behind the header
    annotations = {
        "images": [{"id": 1, "file_name": "a.png", "height": 48, "width": 64}],
        "categories": [{"id": 1, "name": "cell"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [4, 6, 20, 12]}],
    }
    (tmp_path / "coco.json").write_text(json.dumps(annotations))
    pipeline = {
        "source": {"coco": {"file": str(tmp_path / "coco.json")}},
        "stages": ["decode", {"batch": {"size": 1, "sizes": "keep"}}],
    }
    with Loader(pipeline) as loader:
        for batch in loader:
            assert batch["boxes"][0].tolist() == [[4, 6, 24, 18]]
    assert sum("such as a.png (1 so far)" in r.getMessage() for r in caplog.records) == 1
