"""Batches with targets that are made by hand, as the engine would send them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sluicedata import _batch
from sluicedata._batch import Batch, Format

Array = npt.NDArray[Any]
Ring = list[float]


@dataclass
class Thing:
    """An object."""

    box: tuple[float, float, float, float]
    label: int = 0
    id: int = 0
    crowd: bool = False
    polygon: Sequence[Ring] = ()
    keypoints: Sequence[tuple[float, float, float]] = ()


def batch(
    images: Sequence[Array],
    things: Sequence[Sequence[Thing]] | None = None,
    masks: Sequence[Array] | None = None,
    *,
    more: Mapping[str, Any] | None = None,
    without: Sequence[str] = (),
    varying: bool = False,
    format: Format = "numpy",
    mover: Callable[[Any, Any], Any] | None = None,
    valid: Sequence[tuple[int, int]] | None = None,
) -> Batch:
    """A batch of pictures uint8 [h, w, 3], or float32 [3, h, w], with the objects of each row and masks [h, w]."""
    n = len(images)
    columns: dict[str, Any] = {"key": pa.array([f"{i}.png" for i in range(n)])}
    if varying:
        columns["image"] = pictures(images)
    if things is not None:
        columns |= objects(things)
    head: dict[str, Any] = {
        "epoch": 1, "number": 0, "variant": 0, "scale": 1.0, "rows": n, "next": [1, 1], "last": True, "slot": -1, "image": None
    }  # fmt: skip
    pixels = raw = None
    if not varying:
        stacked = np.stack(images)
        layout = "hwc" if stacked.dtype == np.uint8 else "chw"
        pixels = memoryview(bytearray(stacked.tobytes()))
        head["image"] = {
            "dtype": str(stacked.dtype),
            "layout": layout,
            "shape": list(stacked.shape),
            "bytes": stacked.nbytes,
        }
    if masks is not None and varying:
        columns["mask"] = pictures(masks)
    elif masks is not None:
        raw = memoryview(bytearray(np.stack(masks).tobytes()))
        head["mask"] = list(np.stack(masks).shape)
    if valid is not None:
        columns["valid"] = pa.array([list(shape) for shape in valid], pa.list_(pa.int32(), 2))
    columns |= dict(more or {})
    columns["weight"] = pa.array(np.ones(n, np.float32))
    columns["epoch"] = pa.array(np.ones(n, np.int32))
    columns["position"] = pa.array(np.arange(n))
    columns["source_index"] = pa.array(100 + np.arange(n))
    for name in without:
        del columns[name]
    record = pa.RecordBatch.from_pydict(columns)
    out = pa.BufferOutputStream()
    with pa.ipc.new_stream(out, record.schema) as stream:
        stream.write_batch(record)
    memory = memoryview(bytearray(out.getvalue()))
    head["columns"] = len(memory)
    body = len(memory) + sum(len(part) for part in (pixels, raw) if part is not None)
    _batch.check_head(head, body)
    return Batch(head, memory, pixels, _batch.wrapper(format), mover, raw)


def pictures(images: Sequence[Array]) -> Any:
    """The column of pictures of varying size."""
    return pa.StructArray.from_arrays(
        [
            pa.array([image.shape[0] for image in images], pa.int32()),
            pa.array([image.shape[1] for image in images], pa.int32()),
            pa.array([image.tobytes() for image in images], pa.large_binary()),
        ],
        names=["height", "width", "pixels"],
    )


def objects(things: Sequence[Sequence[Thing]]) -> dict[str, Any]:
    """The columns of objects."""
    points = max((len(thing.keypoints) for row in things for thing in row), default=0)

    def column(kind: Any, of: Callable[[Thing], Any]) -> Any:
        return pa.array([[of(thing) for thing in row] for row in things], pa.list_(kind))

    def area(thing: Thing) -> float:
        x1, y1, x2, y2 = thing.box
        return (x2 - x1) * (y2 - y1)

    columns = {
        "boxes": column(pa.list_(pa.float32(), 4), lambda t: list(t.box)),
        "boxes.label": column(pa.int32(), lambda t: t.label),
        "boxes.id": column(pa.int64(), lambda t: t.id),
        "boxes.crowd": column(pa.bool_(), lambda t: t.crowd),
        "boxes.area": column(pa.float32(), area),
        "boxes.polygon": column(pa.list_(pa.list_(pa.float32())), lambda t: list(t.polygon)),
    }
    if points:
        columns["keypoints"] = column(
            pa.list_(pa.float32(), 3 * points),
            lambda t: [v for point in t.keypoints for v in point] or [0.0] * 3 * points,
        )
    return columns


def pixels(height: int, width: int, channels: int = 3) -> npt.NDArray[np.uint8]:
    """Pixels of which no two neighbours are alike."""
    return (
        (np.arange(math.prod((height, width, channels))) * 37 % 251).astype(np.uint8).reshape(height, width, channels)
    )
