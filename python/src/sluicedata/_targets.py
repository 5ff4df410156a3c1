"""Targets of a batch's rows: objects, masks and labels of several kinds, as NumPy's arrays of the whole batch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .errors import EngineError, UsageError

IGNORE = 255
"""The value of mask pixels whose class is unknown, or that lie outside of the source picture."""

MASK = "mask"
VALID = "valid"
BOXES = "boxes"
POLYGON = "boxes.polygon"
KEYPOINTS = "keypoints"

# Of objects: the type that a column has in Arrow, and the one that its arrays have.
_OBJECTS: dict[str, tuple[str, Any]] = {
    BOXES: ("list<float[4]>", np.float32),
    "boxes.label": ("list<int32>", np.int64),
    "boxes.id": ("list<int64>", np.int64),
    "boxes.crowd": ("list<bool>", np.bool_),
    "boxes.area": ("list<float>", np.float32),
    POLYGON: ("list<list<list<float>>>", np.float32),
    KEYPOINTS: ("list<float[3K]>", np.float32),
}
NAMES = (*_OBJECTS, MASK)

Offsets = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TargetSpec:
    """Which targets the samples of a pipeline have."""

    boxes: bool = False
    """There are objects: boxes with labels, ids, crowd and area."""
    classes: tuple[str, ...] = ()
    """Of objects, in the order of their numbers."""
    category_ids: tuple[int, ...] = ()
    """The number that each class has in the files that it comes from (COCO's category_id); empty where that is its own."""
    polygons: bool = False
    keypoints: tuple[str, ...] = ()
    """Names of an object's keypoints."""
    mirrored: tuple[int, ...] = ()
    """For each keypoint the one that takes its place in a mirrored picture; empty where each keeps its own."""
    mask: bool = False
    mask_classes: tuple[str, ...] = ()
    """Names of the mask's numbers, where they are known."""
    multi: Mapping[str, tuple[str, ...]] | None = None
    """Tasks of which a picture has any number of labels, and their classes."""

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> TargetSpec:
        """Of the plan's JSON, which leaves out what is empty."""
        multi = {task["name"]: tuple(task["classes"] or ()) for task in given.get("multi") or ()}

        def several(name: str) -> tuple[Any, ...]:
            return tuple(given.get(name) or ())

        return cls(
            boxes=bool(given.get("boxes")),
            classes=several("classes"),
            category_ids=several("category_ids"),
            polygons=bool(given.get("polygons")),
            keypoints=several("keypoints"),
            mirrored=several("mirrored"),
            mask=bool(given.get("mask")),
            mask_classes=several("mask_classes"),
            multi=multi or None,
        )


def is_target(name: str, kind: Any) -> bool:
    """Whether a column is one of targets: a source may have columns of its own under the same names."""
    if name == MASK:
        return pa.types.is_large_binary(kind) or _is_picture(kind)
    if name not in _OBJECTS:
        return False
    text = spelled(kind)
    return text == _OBJECTS[name][0] or (name == KEYPOINTS and _whole_points(text))


def is_label(kind: Any) -> bool:
    """Whether a type is that of class numbers, lists of them, or values."""
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or spelled(kind) == "list<int32>"


SHARES = ".shares"
"""Ends the name of the column of a task's shares, label.<task>.shares."""


def is_shares(name: str, kind: Any) -> bool:
    """Whether a column has the shares of the classes of mixed pictures."""
    return (
        name.startswith("label.")
        and name.endswith(SHARES)
        and spelled(kind) == "list<struct<class: int32, share: float>>"
    )


def spelled(kind: Any) -> str:
    """A type without the names of its fields."""
    if pa.types.is_fixed_size_list(kind):
        return f"{spelled(kind.value_type)}[{kind.list_size}]"
    if pa.types.is_list(kind):
        return f"list<{spelled(kind.value_type)}>"
    if pa.types.is_struct(kind):
        fields = (kind.field(i) for i in range(kind.num_fields))
        return f"struct<{', '.join(f'{field.name}: {spelled(field.type)}' for field in fields)}>"
    return str(kind)


def _whole_points(text: str) -> bool:
    of = re.fullmatch(r"list<float\[(\d+)\]>", text)
    return of is not None and int(of[1]) % 3 == 0


def _is_picture(kind: Any) -> bool:
    """Whether it is that of pictures of varying size."""
    return pa.types.is_struct(kind) and [(f.name, str(f.type)) for f in kind] == [
        ("height", "int32"),
        ("width", "int32"),
        ("pixels", "large_binary"),
    ]


def unnested(column: Any) -> tuple[Offsets, Any]:
    """A column of lists as offsets from 0, one more than its rows, and the values of all of them."""
    offsets = column.offsets.to_numpy(zero_copy_only=False).astype(np.int64)
    first, count = int(offsets[0]), int(offsets[-1] - offsets[0])
    # A null may have values of its own; else flatten, a function that Arrow looks up by name, takes longer than all the rest.
    values = column.flatten() if column.null_count else column.values.slice(first, count)
    return offsets - first, values


def numbers(values: Any, kind: Any) -> npt.NDArray[Any]:
    """The numbers of an array as a copy, which may be written to: of lists of n each, [rows, n]."""
    if pa.types.is_fixed_size_list(values.type):
        size, count = values.type.list_size, len(values)
        flat = values.flatten() if values.null_count else values.values.slice(values.offset * size, count * size)
        return numbers(flat, kind).reshape(count, size)
    return np.array(values.to_numpy(zero_copy_only=False), dtype=kind)


def sizes(offsets: Offsets) -> list[int]:
    """How many each has."""
    lengths: list[int] = np.diff(offsets).tolist()
    return lengths


class Objects:
    """The objects of a batch, those of all rows one after the other: row i has those of [first[i], first[i + 1])."""

    def __init__(self, record: Any) -> None:
        self._record = record
        if not self.has(BOXES):
            raise UsageError(
                "the batch has no boxes: want a source whose samples have objects, such as sources.coco, sources.voc or sources.yolo"
            )
        self.first: Offsets = unnested(record.column(BOXES))[0]

    def __len__(self) -> int:
        return int(self.first[-1])

    def has(self, name: str) -> bool:
        """Whether there is such a column."""
        at = self._record.schema.get_field_index(name)
        return at >= 0 and is_target(name, self._record.schema.field(at).type)

    def values(self, name: str) -> npt.NDArray[Any]:
        """A column: boxes float32 [T, 4], keypoints float32 [T, K, 3], boxes.label int64 [T], and so on, as a copy."""
        values = self._unnested(name)
        out = numbers(values, _OBJECTS[name][1])
        return out.reshape(len(out), -1, 3) if name == KEYPOINTS else out

    def polygons(self) -> tuple[Offsets, Offsets, npt.NDArray[np.float32]]:
        """Offsets of objects in parts, and of parts in points, and these: float32 [P, 2]."""
        objects, values = unnested(self._unnested(POLYGON))
        parts, values = unnested(values)
        if (parts % 2).any():
            raise EngineError("the engine sent a polygon with half a point")
        return objects, parts // 2, numbers(values, np.float32).reshape(-1, 2)

    def row(self) -> npt.NDArray[np.int64]:
        """The row of each object, [T]."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))

    def _unnested(self, name: str) -> Any:
        """The values of a column, of as many objects as there are boxes."""
        if not self.has(name):
            raise UsageError(f"the batch has no column {name!r}")
        offsets, values = unnested(self._record.column(name))
        if not np.array_equal(offsets, self.first):
            raise EngineError(f"the engine sent {name} of other objects than boxes")
        return values


def pixels_of(column: Any, memory: memoryview) -> list[npt.NDArray[np.uint8]]:
    """Pictures of varying size, where they lie in the memory of the columns: uint8 [height, width, channels]."""
    ends, flat = _all_pixels(column, memory)
    out = []
    shapes = zip(column.field("height").to_pylist(), column.field("width").to_pylist(), strict=True)
    for i, (height, width) in enumerate(shapes):
        own = flat[ends[i] : ends[i + 1]]
        if height is None or width is None or height <= 0 or width <= 0 or own.size % (height * width):
            raise EngineError(f"the engine sent a picture of {height} x {width} with {own.size} bytes")
        out.append(own.reshape(height, width, -1))
    return out


def stacked_of(column: Any, memory: memoryview) -> npt.NDArray[np.uint8]:
    """Pictures that were padded to one size, as one array where they lie: uint8 [N, height, width, channels]."""
    each = pixels_of(column, memory)
    if len({picture.shape for picture in each}) != 1:
        raise EngineError("the engine sent padded pictures that aren't of one size")
    ends, flat = _all_pixels(column, memory)
    return flat[ends[0] : ends[-1]].reshape(len(each), *each[0].shape)


def _all_pixels(column: Any, memory: memoryview) -> tuple[Offsets, npt.NDArray[np.uint8]]:
    """Where each picture ends, and the pixels of all."""
    raw = column.field("pixels")
    ends = np.frombuffer(raw.buffers()[1], np.int64)[raw.offset : raw.offset + len(raw) + 1]
    data = raw.buffers()[2]
    flat = np.frombuffer(memory, np.uint8)
    if data is None or not data.size:
        return ends, flat[:0]
    begin = data.address - flat.ctypes.data
    if 0 <= begin < flat.size:  # as it is, so that it may be written to
        return ends, flat[begin : begin + data.size]
    return ends, np.frombuffer(data, np.uint8)
