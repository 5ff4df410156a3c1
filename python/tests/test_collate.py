"""Batches in the forms that models take."""

from __future__ import annotations

import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from handmade import Thing, batch, pixels
from sluicedata import EngineError, UsageError, _raster, collate

ROWS = [
    [
        Thing((1, 2, 4, 6), 1, 70, polygon=[[1, 2, 4, 2, 4, 6, 1, 6]], keypoints=[(1, 2, 2), (3, 4, 1)]),
        Thing((0, 0, 8, 6), 0, 71, crowd=True),
        Thing((5, 1, 7, 3), 2, 72),
    ],
    [],
    [Thing((2.5, 1, 3, 2), 3, keypoints=[(2.5, 1, 2), (0, 0, 0)])],
]
SAME = [pixels(6, 8)] * 3
VARYING = [pixels(6, 8), pixels(9, 4), pixels(3, 12)]
MASKS = [np.full(image.shape[:2], i, np.uint8) for i, image in zip((0, 7, 255), VARYING, strict=True)]


def test_pad() -> None:
    images, valid = collate.pad(batch(VARYING, varying=True), fill=5)
    assert images.shape == (3, 3, 9, 12) and images.dtype == np.uint8
    assert valid.shape == (3, 9, 12) and valid.dtype == np.bool_
    for got, real, image in zip(images, valid, VARYING, strict=True):
        h, w = image.shape[:2]
        assert (got[:, :h, :w] == image.transpose(2, 0, 1)).all() and real[:h, :w].all() and real.sum() == h * w
        assert (got.transpose(1, 2, 0)[~real] == 5).all()
    images, valid = collate.pad(batch(VARYING, varying=True), multiple=8)
    assert images.shape == (3, 3, 16, 16)
    b = batch(SAME)
    assert collate.pad(b)[0] is b.image and collate.pad(b)[1].all()
    images, valid = collate.pad(b, multiple=8, fill=9)
    assert images.shape == (3, 3, 8, 8) and (images[:, :, 6:] == 9).all() and (images[:, :, :6] == b.image).all()
    assert valid[:, :6].all() and not valid[:, 6:].any()
    grey = [image[:, :, :1] for image in VARYING]
    assert collate.pad(batch(grey, varying=True))[0].shape == (3, 1, 9, 12)
    with pytest.raises(UsageError, match="multiple=0"):
        collate.pad(b, multiple=0)


def test_padded_by_the_engine() -> None:
    canvas = [np.zeros((9, 12, 3), np.uint8) for _ in VARYING]
    masks = [np.full((9, 12), 255, np.uint8) for _ in VARYING]
    for to, mask, image in zip(canvas, masks, VARYING, strict=True):
        to[: image.shape[0], : image.shape[1]] = image
        mask[: image.shape[0], : image.shape[1]] = 3
    b = batch(canvas, ROWS, masks, varying=True, valid=[(6, 8), (9, 4), (3, 12)])
    assert b.image.shape == (3, 3, 9, 12) and np.shares_memory(b.image, np.frombuffer(b._columns, np.uint8))
    assert b["mask"].shape == (3, 9, 12) and b["valid"].tolist() == [[6, 8], [9, 4], [3, 12]]
    images, valid = collate.pad(b)
    want, want_valid = collate.pad(batch(VARYING, varying=True))
    assert images is b.image and (images == want).all() and (valid == want_valid).all()
    assert collate.pad(b, multiple=8)[0].shape == (3, 3, 16, 16)
    ours, theirs = collate.detr(b), collate.detr(batch(VARYING, ROWS, varying=True))
    for one, other in zip(ours["labels"], theirs["labels"], strict=True):
        assert all((one[name] == other[name]).all() for name in one)
    assert (collate.segmentation(b)[1] == np.where(want_valid, 3, 255)).all()
    with pytest.raises(EngineError, match="aren't of one size"):
        _ = batch(VARYING, varying=True, valid=[(6, 8), (9, 4), (3, 12)]).image


def test_pad_in_torch() -> None:
    torch = pytest.importorskip("torch")
    for b in (batch(VARYING, varying=True, format="torch"), batch(SAME, format="torch")):
        images, valid = collate.pad(b, multiple=8)
        assert images.dtype == torch.uint8 and valid.dtype == torch.bool and images.shape[2] % 8 == 0
    floats = [np.full((3, 6, 8), 0.5, np.float32)] * 2
    images, _ = collate.pad(batch(floats, format="torch"), multiple=8)
    assert images.dtype == torch.float32 and images.shape == (2, 3, 8, 8) and float(images[0, 0, 7, 7]) == 0
    there = batch(SAME, format="torch", mover=lambda tensor, _: tensor.to(torch.device("meta")))
    images, valid = collate.pad(there, multiple=8)
    assert images.device.type == valid.device.type == "meta" and images.shape == (3, 3, 8, 8)


@pytest.mark.parametrize("varying", [False, True])
def test_torchvision(varying: bool) -> None:
    torch = pytest.importorskip("torch")
    tv_tensors = pytest.importorskip("torchvision.tv_tensors")
    given = VARYING if varying else SAME
    b = batch(given, ROWS, varying=varying, format="torch")
    images, targets = collate.torchvision(b, labels_from=0)
    assert [tuple(image.shape) for image in images] == [(3, *image.shape[:2]) for image in given]
    assert all(image.dtype == torch.uint8 for image in images) and len(targets) == 3
    first, empty, last = targets
    assert isinstance(first["boxes"], tv_tensors.BoundingBoxes) and first["boxes"].format.name == "XYXY"
    assert [t["boxes"].canvas_size for t in targets] == [image.shape[:2] for image in given]
    assert first["boxes"].tolist() == [[1, 2, 4, 6], [5, 1, 7, 3]] and first["boxes"].dtype == torch.float32
    assert first["labels"].tolist() == [1, 2] and first["labels"].dtype == torch.int64
    assert first["area"].tolist() == [12, 4] and first["iscrowd"].tolist() == [0, 0] and first["image_id"] == 100
    assert tuple(first["keypoints"].shape) == (2, 2, 3) and first["keypoints"][0].tolist() == [[1, 2, 2], [3, 4, 1]]
    assert tuple(empty["boxes"].shape) == (0, 4) and tuple(empty["keypoints"].shape) == (0, 2, 3)
    assert last["labels"].tolist() == [3] and "masks" not in last
    images, targets = collate.torchvision(b, labels_from=1, crowd=True, to_float=True)
    assert targets[0]["labels"].tolist() == [2, 1, 3] and targets[0]["iscrowd"].tolist() == [0, 1, 0]
    assert images[0].dtype == torch.float32
    assert float(images[0].max()) == pytest.approx(float(given[0].max()) / 255)
    assert (b.image[0] == torch.from_numpy(given[0]).permute(2, 0, 1)).all(), "the batch is as it was"


def test_torchvision_warns_of_labels_from_zero() -> None:
    pytest.importorskip("torchvision")
    b = batch(SAME, ROWS, format="torch")
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("default")
        for _ in range(3):
            _, targets = collate.torchvision(b)
    assert targets[0]["labels"].tolist() == [1, 2]
    assert [w.filename for w in found] == [__file__] and "labels_from=1" in str(found[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for first in (0, 1):
            _, targets = collate.torchvision(b, labels_from=first)
            assert targets[0]["labels"].tolist() == [1 + first, 2 + first]


def test_torchvision_masks() -> None:
    pytest.importorskip("torchvision")
    _, targets = collate.torchvision(batch(SAME, ROWS, format="torch"), masks=True, labels_from=0)
    mask = targets[0]["masks"].numpy()
    assert mask.shape == (2, 6, 8) and mask.dtype == np.uint8
    want = np.zeros((2, 6, 8), np.uint8)
    want[0, 2:6, 1:4] = 1
    want[1, 1:3, 5:7] = 1  # a box, as its shape isn't known
    assert (mask == want).all()
    assert targets[1]["masks"].shape == (0, 6, 8)


def test_torchvision_model_takes_it() -> None:
    torch = pytest.importorskip("torch")
    detection = pytest.importorskip("torchvision.models.detection")
    model = detection.ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=5)
    images, targets = collate.torchvision(
        batch(VARYING, ROWS, varying=True, format="torch"), labels_from=1, to_float=True
    )
    losses = model(images, targets)
    assert all(torch.isfinite(loss) for loss in losses.values())


def test_torchvision_refuses() -> None:
    pytest.importorskip("torchvision")
    with pytest.raises(UsageError, match="no boxes"):
        collate.torchvision(batch(SAME, format="torch"), labels_from=0)
    with pytest.raises(UsageError, match='format="torch"'):
        collate.torchvision(batch(SAME, ROWS))
    with pytest.raises(UsageError, match="no polygons"):
        collate.torchvision(batch(SAME, ROWS, without=["boxes.polygon"], format="torch"), labels_from=0, masks=True)
    with pytest.raises(UsageError, match=r"image_id='meta\.id': want a column of the batch: key, boxes"):
        collate.torchvision(batch(SAME, ROWS, format="torch"), labels_from=0, image_id="meta.id")
    with pytest.raises(UsageError, match="no whole numbers"):
        collate.torchvision(batch(SAME, ROWS, format="torch"), labels_from=0, image_id="key")
    more = {"meta.id": pa.array([7, 8, 9])}
    _, targets = collate.torchvision(batch(SAME, ROWS, more=more, format="torch"), labels_from=0, image_id="meta.id")
    assert [target["image_id"] for target in targets] == [7, 8, 9]


def test_detr() -> None:
    out = collate.detr(batch(VARYING, ROWS, varying=True))
    assert out["pixel_values"].shape == (3, 3, 9, 12)
    assert out["pixel_mask"].dtype == np.bool_ and out["pixel_mask"].sum(axis=(1, 2)).tolist() == [48, 36, 36]
    first, empty, last = out["labels"]
    want = [[2.5 / 8, 4 / 6, 3 / 8, 4 / 6], [6 / 8, 2 / 6, 2 / 8, 2 / 6]]
    assert first["boxes"].dtype == np.float32 and np.allclose(first["boxes"], want, atol=1e-7)
    assert first["class_labels"].tolist() == [1, 2] and first["area"].tolist() == [12, 4]
    assert first["size"].tolist() == [6, 8] and first["image_id"].tolist() == [100]
    assert empty["boxes"].shape == (0, 4) and empty["size"].tolist() == [9, 4]
    assert np.allclose(last["boxes"], [[2.75 / 12, 1.5 / 3, 0.5 / 12, 1 / 3]], atol=1e-7)
    padded = collate.detr(batch(VARYING, ROWS, varying=True), relative_to="batch", crowd=True)["labels"][0]
    assert np.allclose(padded["boxes"][0], [2.5 / 12, 4 / 9, 3 / 12, 4 / 9], atol=1e-7)
    assert padded["iscrowd"].tolist() == [0, 1, 0]
    same = collate.detr(batch(SAME, ROWS), relative_to="batch")["labels"][0]
    assert (same["boxes"] == first["boxes"]).all()
    with pytest.raises(UsageError, match="relative_to='pixels'"):
        collate.detr(batch(SAME, ROWS), relative_to="pixels")  # type: ignore[arg-type]


def test_ultralytics() -> None:
    out = collate.ultralytics(batch(VARYING, ROWS, varying=True))
    assert out["img"].shape == (3, 3, 32, 32) and out["img"].dtype == np.uint8 and out["img"][0, 0, 31, 31] == 114
    assert out["cls"].tolist() == [[1], [2], [3]] and out["cls"].dtype == np.float32
    assert out["batch_idx"].tolist() == [0, 0, 2] and out["im_file"] == ["0.png", "1.png", "2.png"]
    assert np.allclose(out["bboxes"][0], [2.5 / 32, 4 / 32, 3 / 32, 4 / 32], atol=1e-7)
    assert out["keypoints"].shape == (3, 2, 3) and np.allclose(out["keypoints"][0, 1], [3 / 32, 4 / 32, 1])
    assert out["ori_shape"] == [(6, 8), (9, 4), (3, 12)] and out["resized_shape"] == [(32, 32)] * 3
    empty = collate.ultralytics(batch(SAME, [[], [], []]))
    assert empty["cls"].shape == (0, 1) and empty["bboxes"].shape == (0, 4) and empty["batch_idx"].shape == (0,)


def test_segmentation() -> None:
    images, masks = collate.segmentation(batch(VARYING, masks=MASKS, varying=True))
    assert images.shape == (3, 3, 9, 12) and masks.shape == (3, 9, 12) and masks.dtype == np.int64
    assert np.bincount(masks[1].ravel(), minlength=256)[[7, 255]].tolist() == [36, 72] and (masks[2] == 255).all()
    _, masks = collate.segmentation(batch(VARYING, masks=MASKS, varying=True), ignore_index=-100)
    assert set(masks[1].ravel().tolist()) == {7, -100} and (masks[2] == -100).all()
    same = [np.full((6, 8), i, np.uint8) for i in (0, 1, 255)]
    b = batch(SAME, masks=same)
    images, masks = collate.segmentation(b)
    assert images is b.image and (masks == np.stack(same)).all()
    with pytest.raises(UsageError, match="no masks"):
        collate.segmentation(batch(SAME))


def test_multi_hot() -> None:
    more = {"label.tags": pa.array([[0, 2], None, []], pa.list_(pa.int32())), "label.class": pa.array([1, 2, 3])}
    b = batch(SAME, more=more)
    hot, known = collate.multi_hot(b, "tags", 4)
    assert hot.tolist() == [[1, 0, 1, 0], [0] * 4, [0] * 4] and hot.dtype == np.float32
    assert known.tolist() == [True, False, True]
    with pytest.raises(UsageError, match="classes=2: tags has the class number 2"):
        collate.multi_hot(b, "tags", 2)
    for task in ("class", "other"):
        with pytest.raises(UsageError, match="no task"):
            collate.multi_hot(b, task, 4)


def test_files_are_refused() -> None:
    files = {"image": pa.array([b"a", b"b", b"c"], pa.large_binary())}
    with pytest.raises(UsageError, match="the stage decode"):
        collate.detr(batch(SAME, ROWS, varying=True, more=files))


def test_importable_without_torch() -> None:
    code = "import sys; sys.modules['torch'] = sys.modules['torchvision'] = None; import sluicedata.collate"
    subprocess.run([sys.executable, "-c", code], check=True)


def _inside(points: Any, x: float, y: float) -> bool:
    """The even-odd rule, edge by edge."""
    odd = False
    for (x1, y1), (x2, y2) in zip(points, np.roll(points, -1, axis=0), strict=True):
        if (y1 <= y) != (y2 <= y) and x1 + (y - y1) / (y2 - y1) * (x2 - x1) <= x:
            odd = not odd
    return odd


def filled(parts: Any, height: int, width: int) -> Any:
    mask = np.zeros((height, width), np.uint8)
    _raster.fill(mask, parts)
    return mask


def test_polygons_are_filled() -> None:
    rng = np.random.default_rng(3)
    for case in range(60):
        height, width = rng.integers(1, 14, 2)
        parts = [rng.uniform(-4, 16, (rng.integers(3, 9), 2)) for _ in range(rng.integers(1, 3))]
        if case % 3 == 0:
            parts = [np.round(part * 2) / 2 for part in parts]  # corners at centres and borders
        mask = filled(parts, int(height), int(width))
        want = [[any(_inside(part, j + 0.5, i + 0.5) for part in parts) for j in range(width)] for i in range(height)]
        assert (mask == np.array(want)).all(), (case, parts)
    for nothing in ([], [np.zeros((2, 2))], [np.full((3, 2), np.nan)], [np.full((4, 2), 99.0)]):
        assert not filled(nothing, 5, 5).any()


def test_polygons_that_share_an_edge_share_no_pixel() -> None:
    rng = np.random.default_rng(4)
    for _ in range(30):
        a, b, c, d = rng.uniform(0, 20, (4, 2))
        one, other = filled([np.stack([a, b, c])], 20, 20), filled([np.stack([a, c, d])], 20, 20)
        whole = filled([np.stack([a, b, c, d])], 20, 20)
        assert ((one ^ other) == whole).all()
