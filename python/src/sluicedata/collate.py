"""Batches with targets in the forms that detection and segmentation models take.

Each function takes a :class:`~sluicedata.Batch`, and a Loader calls it on every batch where it is its ``collate``::

    from functools import partial
    from sluicedata import Loader, collate

    for images, targets in Loader("train.yaml", collate=partial(collate.torchvision, labels_from=1)):
        ...

Arrays are those of the loader's format, on its device. What isn't converted isn't copied.

**Class numbers start at 0**, in sluice, in DETR and in ultralytics. torchvision's detection models keep 0 for the background: give them
``labels_from=1`` and one class more.

Pictures of varying size, from a pipeline whose last stages leave them so, are padded at the right and at the bottom: coordinates stay
as they are.
"""

from __future__ import annotations

import difflib
import itertools
import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from . import _raster
from . import _targets as targets
from ._batch import Batch, DLPack
from .errors import UsageError

__all__ = ["detr", "multi_hot", "pad", "segmentation", "soft_labels", "torchvision", "ultralytics"]


def pad(batch: Batch, *, multiple: int = 1, fill: int = 0) -> tuple[Any, Any]:
    """The pictures of a batch in one array, [N, channels, H, W], and which pixels are pictures: bool [N, H, W].

    H and W are those of the largest, rounded up to a multiple; what is beside a picture has the value fill. Pictures of one size that need no
    rounding, and those that ``batch: {sizes: pad}`` has padded with black, aren't copied.
    """
    if multiple < 1:
        raise UsageError(f"multiple={multiple}: want 1 or more")
    shapes = _shapes(batch)
    image = batch.image
    height, width = _canvas(shapes if isinstance(image, list) else [image.shape[2:]], multiple)
    valid = np.zeros((len(shapes), height, width), np.bool_)
    for row, (h, w) in zip(valid, shapes, strict=True):
        row[:h, :w] = True
    if not isinstance(image, list):
        return _grown(image, height, width, fill), batch._move(valid)
    given = targets.pixels_of(batch.record.column("image"), batch._columns)
    channels = given[0].shape[2] if given else 3
    out = np.full((len(given), height, width, channels), fill, np.uint8)
    for to, pixels in zip(out, given, strict=True):
        to[: pixels.shape[0], : pixels.shape[1]] = pixels
    return batch._move(out.transpose(0, 3, 1, 2)), batch._move(valid)


def torchvision(
    batch: Batch,
    *,
    labels_from: int | None = None,
    crowd: bool = False,
    masks: bool = False,
    to_float: bool = False,
    image_id: str = "source_index",
) -> tuple[list[Any], list[dict[str, Any]]]:
    """What torchvision's detection models take: a list of images [channels, H, W], and a list of dicts.

    Each dict has ``boxes`` (tv_tensors.BoundingBoxes XYXY, float32 [n, 4]), ``labels`` (int64 [n]), ``area`` (float32 [n]), ``iscrowd``
    (int64 [n]), ``image_id`` (int), ``keypoints`` (float32 [n, K, 3]: x y v) where there are some, and with masks=True ``masks``
    (tv_tensors.Mask, uint8 [n, H, W]).

    labels_from
        The number of the first class. The models take 0 for the background: **give them labels_from=1, and num_classes one
        more than there are classes**. Unless you say it, it is 0, as everywhere in sluice, with a warning; labels_from=0 gives none.
    crowd
        Keep boxes that stand for a group (COCO's iscrowd, VOC's difficult). They are left out by default, as torchvision's own
        training leaves them out: an evaluation wants them.
    masks
        Fill each object's polygon: pixels whose centre is in it. An object whose shape isn't known fills its box.
    to_float
        Make uint8 pixels float32 from 0 to 1, which the models take, where the pipeline has no ``to_tensor``. Leave ``normalize`` out
        of the pipeline: the models do it.
    image_id
        The column that image_id is taken from: the sample's number in the source, or one of whole numbers such as ``"meta.image_id"``.

    Needs torchvision, and a loader with format="torch".
    """
    tv_tensors = _tv_tensors(batch)
    xyxy = tv_tensors.BoundingBoxFormat.XYXY
    if labels_from is None:
        labels_from = 0
        warnings.warn(_FROM_ZERO, stacklevel=2)
    objects = targets.Objects(batch.record)
    shapes = _shapes(batch)
    keep = _kept(objects, crowd)
    first = _offsets(objects, keep)
    columns: dict[str, Any] = {
        "labels": objects.values("boxes.label")[keep] + labels_from,
        "area": objects.values("boxes.area")[keep],
        "iscrowd": _crowds(objects, keep, crowd),
    }
    if objects.has(targets.KEYPOINTS):
        columns["keypoints"] = objects.values(targets.KEYPOINTS)[keep]
    boxes = batch._split(objects.values(targets.BOXES)[keep], first)
    split = {name: batch._split(values, first) for name, values in columns.items()}
    filled = _masks(objects, keep, first, shapes) if masks else None
    ids = _ids(batch, image_id)
    out = []
    for i, shape in enumerate(shapes):
        target: dict[str, Any] = {
            "boxes": tv_tensors.BoundingBoxes(boxes[i], format=xyxy, canvas_size=shape),
            **{name: values[i] for name, values in split.items()},
            "image_id": ids[i],
        }
        if filled is not None:
            target["masks"] = tv_tensors.Mask(batch._move(filled[i]))
        out.append(target)
    images = batch.image
    if isinstance(images, list):
        images = list(images)
    else:
        size = tuple(images.shape[2:])
        images = [  # without what the engine padded
            image if shape == size else image[:, : shape[0], : shape[1]]
            for image, shape in zip(images.unbind(0), shapes, strict=True)
        ]
    if to_float:
        images = [image.float().div_(255) if not image.is_floating_point() else image for image in images]
    return images, out


def detr(
    batch: Batch,
    *,
    relative_to: Literal["image", "batch"] = "image",
    multiple: int = 1,
    crowd: bool = False,
    image_id: str = "source_index",
) -> dict[str, Any]:
    """What the models of DETR's family take, under the names of transformers: ``model(**detr(batch))``.

    ``pixel_values`` [N, channels, H, W] are padded to the largest, ``pixel_mask`` (bool [N, H, W]) is True where there is a picture (the mask
    of a NestedTensor is its opposite). ``labels`` is a dict for each picture: ``class_labels`` (int64 [n], from 0), ``boxes``
    (float32 [n, 4]: centre x, centre y, width, height), ``area``, ``iscrowd``, ``image_id`` ([1]) and ``size`` (int64 [2]: its own height and
    width).

    relative_to
        What boxes are in shares of: the picture's own size, as in DETR's own code, or the padded size, as DetrImageProcessor of
        transformers has it. Where all pictures are of one size and none is padded the two are the same.
    multiple
        Pad to a multiple of so many pixels.
    crowd
        Keep boxes that stand for a group, which DETR's own data leaves out.
    image_id
        See :func:`torchvision`.
    """
    if relative_to not in ("image", "batch"):
        raise UsageError(f"relative_to={relative_to!r}: want image or batch")
    objects = targets.Objects(batch.record)
    images, valid = pad(batch, multiple=multiple)
    shapes = np.array(_shapes(batch), np.int64).reshape(-1, 2)
    keep = _kept(objects, crowd)
    first = _offsets(objects, keep)
    row = objects.row()[keep]
    sides = shapes[row] if relative_to == "image" else np.broadcast_to(valid.shape[1:], (len(row), 2))
    columns = {
        "class_labels": objects.values("boxes.label")[keep],
        "boxes": _centred(objects.values(targets.BOXES)[keep], sides),
        "area": objects.values("boxes.area")[keep],
        "iscrowd": _crowds(objects, keep, crowd),
    }
    each = np.arange(len(shapes) + 1)
    split = {name: batch._split(values, first) for name, values in columns.items()}
    split["image_id"] = batch._split(np.array(_ids(batch, image_id), np.int64), each)
    split["size"] = batch._split(shapes.reshape(-1), 2 * each)
    labels = [{name: values[i] for name, values in split.items()} for i in range(len(shapes))]
    return {"pixel_values": images, "pixel_mask": valid, "labels": labels}


def ultralytics(batch: Batch, *, multiple: int = 32, crowd: bool = False) -> dict[str, Any]:
    """A batch as ultralytics' datasets collate it, for its models' loss.

    ``img`` [N, channels, H, W], padded to the largest and to a multiple with the grey 114; ``cls`` (float32 [T, 1], from 0) and ``bboxes``
    (float32 [T, 4]: centre x, centre y, width, height in shares of H and W) of all objects, ``batch_idx`` (float32 [T]: the picture
    of each), ``im_file`` (keys), ``ori_shape`` and ``resized_shape``; ``keypoints`` (float32 [T, K, 3], x and y in shares) where there are some.

    Its trainers divide img by 255 themselves: leave ``to_tensor`` and ``normalize`` out of the pipeline. crowd=True keeps boxes
    that stand for a group, which ultralytics' data leaves out.
    """
    objects = targets.Objects(batch.record)
    images, valid = pad(batch, multiple=multiple, fill=114)
    height, width = valid.shape[1:]
    keep = _kept(objects, crowd)
    boxes = objects.values(targets.BOXES)[keep]
    out = {
        "img": images,
        "cls": batch._move(objects.values("boxes.label")[keep].astype(np.float32)[:, None]),
        "bboxes": batch._move(_centred(boxes, np.broadcast_to((height, width), (len(boxes), 2)))),
        "batch_idx": batch._move(objects.row()[keep].astype(np.float32)),
        "im_file": batch.key,
        "ori_shape": _shapes(batch),
        "resized_shape": [(int(height), int(width))] * batch.rows,
    }
    if objects.has(targets.KEYPOINTS):
        points = objects.values(targets.KEYPOINTS)[keep]
        points[..., :2] /= np.array([width, height], np.float32)
        out["keypoints"] = batch._move(points)
    return out


def segmentation(
    batch: Batch, *, ignore_index: int = targets.IGNORE, multiple: int = 1, fill: int = 0
) -> tuple[Any, Any]:
    """Images [N, channels, H, W] and masks of class numbers, int64 [N, H, W], padded to the largest where they vary in size.

    Pixels of unknown class, those outside of the source picture and those of the padding are ignore_index: give the loss the same,
    ``cross_entropy(model(images), masks, ignore_index=255)``. multiple and fill are of :func:`pad`.
    """
    images, valid = pad(batch, multiple=multiple, fill=fill)
    height, width = valid.shape[1:]
    given: Sequence[npt.NDArray[np.uint8]]
    if batch._masks is not None:
        given = list(np.frombuffer(batch._masks, np.uint8).reshape(batch._head["mask"]))
    elif targets.MASK not in batch._targets():
        raise UsageError("the batch has no masks: want a source with masks, such as sources.folder(..., masks=...)")
    elif not hasattr(batch.record.column(targets.MASK), "field"):
        raise UsageError("the masks of this batch are files: put the stage decode into the pipeline")
    else:
        given = [mask[:, :, 0] for mask in targets.pixels_of(batch.record.column(targets.MASK), batch._columns)]
    out = np.full((batch.rows, height, width), ignore_index, np.int64)
    for to, mask in zip(out, given, strict=True):
        place = to[: mask.shape[0], : mask.shape[1]]
        np.copyto(place, mask, where=mask != targets.IGNORE)
    return images, batch._move(out)


def multi_hot(batch: Batch, task: str, classes: int) -> tuple[Any, Any]:
    """Labels of a task of several, as binary_cross_entropy_with_logits takes them: float32 [N, classes] of 0 and 1, and bool [N].

    The second says whose labels are known: a row of which they aren't is all 0, and wants to be left out of the loss. For the number of
    classes take ``len(loader.targets.multi[task])``.
    """
    name = f"label.{task}"
    if name not in batch.record.schema.names or not hasattr(column := batch.record.column(name), "offsets"):
        raise UsageError(f"the batch has no task {task!r} of several labels")
    offsets, values = targets.unnested(column)
    numbers = targets.numbers(values, np.int64)
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < classes:
        raise UsageError(f"classes={classes}: {task} has the class number {numbers.max()}")
    out = np.zeros((batch.rows, classes), np.float32)
    out[np.repeat(np.arange(batch.rows), np.diff(offsets)), numbers] = 1
    return batch._move(out), batch._move(np.array(column.is_valid().to_numpy(zero_copy_only=False)))


def soft_labels(batch: Batch, task: str, classes: int) -> tuple[Any, Any]:
    """Labels of mixed pictures, as cross_entropy takes probabilities: float32 [N, classes], each row of sum 1, and bool [N].

    The second says whose labels are known: a row of which a part has no label is all 0, and wants to be left out of the loss. Rows that
    weren't mixed, and all rows of a pipeline that mixes none, have 1 at their class. For the number of classes take
    ``len(loader.classes[task])``.
    """
    known, rows, numbers, shares = _shared(batch, task)
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < classes:
        raise UsageError(f"classes={classes}: {task} has the class number {numbers.max()}")
    out = np.zeros((batch.rows, classes), np.float32)
    out[rows, numbers] = shares
    return batch._move(out), batch._move(known)


# What they share

_FROM_ZERO = (
    "collate.torchvision: labels begin with 0, which torchvision's detection models take for the background, so they never learn the first"
    " class: give them labels_from=1, and num_classes one more than there are classes; labels_from=0 says that 0 is meant"
)


def _shared(batch: Batch, task: str) -> tuple[Any, Any, Any, Any]:
    """Whose labels of a task are known, [N]; and of each share its row, its class and itself."""
    record, name = batch.record, f"label.{task}"
    if name + targets.SHARES in record.schema.names:
        column = record.column(name + targets.SHARES)
        offsets, values = targets.unnested(column)
        rows = np.repeat(np.arange(batch.rows), np.diff(offsets))
        classes = targets.numbers(values.field(0), np.int64)
        shares = targets.numbers(values.field(1), np.float32)
        return np.array(column.is_valid().to_numpy(zero_copy_only=False)), rows, classes, shares
    if name not in record.schema.names or not pa.types.is_integer(record.column(name).type):
        begins = "label."
        tasks = [
            f.name.removeprefix(begins)
            for f in record.schema
            if f.name.startswith(begins) and pa.types.is_integer(f.type)
        ]
        near = difflib.get_close_matches(task, tasks, 1)
        hint = f": did you mean {near[0]!r}?" if near else f" (tasks: {', '.join(tasks)})" if tasks else ""
        raise UsageError(f"the batch has no task {task!r} of one class for each picture{hint}")
    labels = record.column(name)
    known = np.array(labels.is_valid().to_numpy(zero_copy_only=False))
    rows = np.flatnonzero(known)
    return known, rows, labels.drop_null().to_numpy().astype(np.int64), np.ones(len(rows), np.float32)


def _shapes(batch: Batch) -> list[tuple[int, int]]:
    """Height and width of each picture."""
    image = batch._head.get("image")
    if image is not None:
        height, width = image["shape"][1:3] if image["layout"] == "hwc" else image["shape"][2:4]
        return [(height, width)] * batch.rows
    if batch._padded():
        return [(height, width) for height, width in batch._valid().tolist()]
    column = batch.record.column("image")
    if not hasattr(column, "field"):
        raise UsageError("the pictures of this batch are files: put the stage decode into the pipeline")
    return list(zip(column.field("height").to_pylist(), column.field("width").to_pylist(), strict=True))


def _canvas(shapes: list[tuple[int, int]], multiple: int) -> tuple[int, int]:
    """The least height and width, multiples of a number, that hold all."""
    height, width = (-(-max((shape[k] for shape in shapes), default=0) // multiple) * multiple for k in (0, 1))
    return height, width


def _grown(images: Any, height: int, width: int, fill: int) -> Any:
    """Pictures of one size, padded."""
    n, channels, h, w = images.shape
    if (h, w) == (height, width):
        return images
    if isinstance(images, DLPack):
        raise UsageError('format="dlpack": arrays cannot be padded: take "torch" or "numpy"')
    shape = (n, channels, height, width)
    out = np.full(shape, fill, images.dtype) if isinstance(images, np.ndarray) else images.new_full(shape, fill)
    out[:, :, :h, :w] = images
    return out


def _kept(objects: targets.Objects, crowd: bool) -> npt.NDArray[np.bool_]:
    """Which objects stay, [T]."""
    return np.ones(len(objects), np.bool_) if crowd else ~objects.values("boxes.crowd")


def _crowds(objects: targets.Objects, keep: npt.NDArray[np.bool_], crowd: bool) -> npt.NDArray[np.int64]:
    """1 for those that stand for a group, of the objects that stay."""
    return objects.values("boxes.crowd").astype(np.int64) if crowd else np.zeros(np.count_nonzero(keep), np.int64)


def _offsets(objects: targets.Objects, keep: npt.NDArray[np.bool_]) -> targets.Offsets:
    """Offsets of the rows in the objects that stay."""
    counted: targets.Offsets = np.concatenate([[0], np.cumsum(keep)])[objects.first]
    return counted


def _centred(boxes: npt.NDArray[Any], sides: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Boxes as centre x, centre y, width, height in shares of a height and a width, [n, 2]."""
    low, high = boxes[:, :2].astype(np.float64), boxes[:, 2:].astype(np.float64)
    scale = sides[:, ::-1]
    return np.concatenate([(low + high) / 2 / scale, (high - low) / scale], axis=1).astype(np.float32)


def _ids(batch: Batch, name: str) -> list[int]:
    """The numbers of the rows' pictures."""
    if name not in batch.record.schema.names:
        raise UsageError(f"image_id={name!r}: want a column of the batch: {', '.join(batch.record.schema.names)}")
    ids: list[int] = batch.record.column(name).to_pylist()
    if not all(isinstance(one, int) for one in ids):
        raise UsageError(f"image_id={name!r}: its column has values that are no whole numbers")
    return ids


def _masks(
    objects: targets.Objects, keep: npt.NDArray[np.bool_], first: targets.Offsets, shapes: list[tuple[int, int]]
) -> list[npt.NDArray[np.uint8]]:
    """The shapes of the objects that stay, uint8 [n, H, W] for each row."""
    if not objects.has(targets.POLYGON):
        raise UsageError("masks=True: the source's samples have no polygons")
    of_objects, of_parts, points = objects.polygons()
    boxes = objects.values(targets.BOXES)
    kept = np.flatnonzero(keep)
    out = []
    for (begin, end), (height, width) in zip(itertools.pairwise(first.tolist()), shapes, strict=True):
        row = np.zeros((end - begin, height, width), np.uint8)
        for to, o in zip(row, kept[begin:end], strict=True):
            parts = [points[of_parts[p] : of_parts[p + 1]] for p in range(of_objects[o], of_objects[o + 1])]
            if not parts:
                x1, y1, x2, y2 = boxes[o]
                parts = [np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], np.float32)]
            _raster.fill(to, parts)
        out.append(row)
    return out


def _tv_tensors(batch: Batch) -> Any:
    """torchvision's module of that name."""
    if batch.format != "torch":
        raise UsageError('collate.torchvision makes tensors of torch: make the loader with format="torch"')
    try:
        from torchvision import tv_tensors
    except ImportError:
        raise UsageError(
            "collate.torchvision needs torchvision 0.16 or later: install it, or take what batch['boxes'] and the other columns have"
        ) from None
    return tv_tensors
