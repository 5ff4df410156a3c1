"""Targets of a batch: boxes, polygons, keypoints, masks, several labels."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from handmade import Thing, batch, pixels
from sluicedata import EngineError, UsageError, _batch
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


def test_damaged_columns() -> None:
    """Whatever the engine sends is an error of its, not of NumPy's."""
    for name, column in {
        "boxes": pa.array([[1.0]] * 3, pa.list_(pa.float32())),
        "boxes.label": pa.array([1, 2, 3]),
        "boxes.polygon": pa.array([[[1.0]]] * 3, pa.list_(pa.list_(pa.float32()))),
        "keypoints": pa.array([[[1.0, 2.0]]] * 3, pa.list_(pa.list_(pa.float32(), 2))),
        "mask": pa.array([1, 2, 3]),
        "label.x": pa.array(["a", "b", "c"]),
    }.items():
        with pytest.raises(EngineError, match="cannot read"):
            _ = batch(IMAGES, more={name: column}).record
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
