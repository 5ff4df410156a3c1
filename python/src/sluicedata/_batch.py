"""A batch as a loop gets it."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from . import _html
from . import _targets as targets
from .errors import EngineError, UsageError

Format = Literal["torch", "numpy", "dlpack", "arrow"]

UNKNOWN = -100
"""The class number of an unknown label: what torch's cross_entropy ignores."""

_DTYPES: dict[str, np.dtype[Any]] = {"uint8": np.dtype(np.uint8), "float32": np.dtype(np.float32)}


class DLPack:
    """An array by the DLPack protocol alone: what `from_dlpack` of any library takes."""

    __slots__ = ("_array", "dtype", "shape")

    def __init__(self, array: Any) -> None:
        self._array = array
        self.shape: tuple[int, ...] = tuple(array.shape)
        self.dtype = array.dtype

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        device: tuple[int, int] = self._array.__dlpack_device__()
        return device

    def __repr__(self) -> str:
        return f"DLPack(shape={self.shape}, dtype={self.dtype})"


def wrapper(format: Format) -> Callable[[Any], Any]:
    """What makes the arrays of a format of NumPy's, without a copy."""
    if format == "torch":
        try:
            import torch
        except ImportError:
            raise UsageError('format="torch" needs PyTorch: install torch, or choose format="numpy"') from None
        return torch.from_numpy
    if format == "dlpack":
        return DLPack
    return _same


def _same(array: Any) -> Any:
    return array


class Batch:
    """A batch: N pictures with their labels, weights and keys.

    Unpacks as ``image, label = batch``; label is an array if there is one task, else the dict of all tasks. All arrays are in the
    loader's format. Pictures aren't copied, and may be written to; whatever is kept of a batch stays valid and unchanged.

    ``len(batch)`` is its rows, ``batch["label.class"]`` a column by name, among them the targets (see column). A pickle (also torch.save, and copy.copy) has a copy of everything;
    torch.load needs weights_only=False for it.
    """

    __slots__ = ("_cache", "_columns", "_head", "_masks", "_mover", "_pixels", "_record", "_wrap")

    def __init__(
        self,
        head: Mapping[str, Any],
        columns: memoryview,
        pixels: Any,
        wrap: Callable[[Any], Any] = _same,
        mover: Callable[[Any, Any], Any] | None = None,
        masks: Any = None,
    ) -> None:
        self._head = head
        self._columns = columns
        self._pixels = pixels
        self._masks = masks
        self._wrap = wrap
        self._mover = mover
        self._record: Any = None
        self._cache: dict[str, Any] = {}
        if mover is not None and pixels is not None:
            owner = pixels if head["slot"] >= 0 else None
            self._cache["image"] = mover(wrap(_view(head["image"], pixels)), owner)
            self._pixels = None

    # What all rows share

    @property
    def epoch(self) -> int:
        """The epoch, from 0."""
        return int(self._head["epoch"])

    @property
    def number(self) -> int:
        """Which batch of the epoch it is, from 0, of all ranks."""
        return int(self._head["number"])

    @property
    def scale(self) -> float:
        """Its scale in a multi-scale pipeline; else 1."""
        return float(self._head.get("scale", 1))

    @property
    def format(self) -> Format:
        """What its arrays are: torch, numpy or dlpack."""
        return "numpy" if self._wrap is _same else "dlpack" if self._wrap is DLPack else "torch"

    @property
    def rows(self) -> int:
        """N, the number of pictures."""
        return int(self._head["rows"])

    # The rows

    @property
    def image(self) -> Any:
        """Pictures, [N, channels, height, width]: float32 after to_tensor, else uint8.

        uint8 pixels lie in memory as height, width, channels (torch.channels_last). If pictures vary in size, this is a list of uint8
        [channels, height, width], which sluicedata.collate pads, or where ``batch`` pads them itself (sizes: pad) an array again; if the pipeline doesn't decode, a list of files as bytes.
        """
        if (have := self._cache.get("image")) is None:
            if self._pixels is not None:
                have = self._wrap(_view(self._head["image"], self._pixels))
            else:
                have = self._pictures()
            self._cache["image"] = have
        return have

    @property
    def label(self) -> dict[str, Any]:
        """Class numbers, int64 [N], by task; -100 where a label is unknown.

        Of a task of several labels a list with the numbers of each row, None where they are unknown; of one of values float32 [N], NaN
        where there is none. A picture that was mixed with another has its own class here, and those of both in shares.
        """
        if (have := self._cache.get("label")) is None:
            record = self.record
            have = self._cache["label"] = {name[6:]: self._labels(record.column(name)) for name in self._of_tasks()}
        return have

    @property
    def shares(self) -> dict[str, list[Any]]:
        """By task, the classes of each row, and how much of each is in it: class numbers, int64 [k], and shares, float32 [k].

        Where pictures are mixed (mixup, cutmix); else it is empty. A row has None where a part of it has no label. For arrays
        [N, classes] see collate.soft_labels.
        """
        if (have := self._cache.get("shares")) is None:
            have = {}
            for field in self.record.schema:
                if targets.is_shares(field.name, field.type):
                    have[field.name[6 : -len(targets.SHARES)]] = self._shares(self.record.column(field.name))
            self._cache["shares"] = have
        return have

    @property
    def weight(self) -> Any:
        """Weights for the loss, float32 [N]; all 1 unless a stage gives them."""
        return self._column("weight", np.float32)

    @property
    def position(self) -> Any:
        """The number of each row's draw in the epoch, int64 [N]."""
        return self._column("position", np.int64)

    @property
    def source_index(self) -> Any:
        """The number of each row's sample in the source, int64 [N]."""
        return self._column("source_index", np.int64)

    @property
    def key(self) -> list[str]:
        """The key of each row's file."""
        if (have := self._cache.get("key")) is None:
            have = self._cache["key"] = self.record.column("key").to_pylist()
        return list(have)

    @property
    def params(self) -> list[dict[str, Any]] | None:
        """What was drawn for each row; None unless the loader was made with params=True."""
        if "params" not in self.record.schema.names:
            return None
        if (have := self._cache.get("params")) is None:
            have = self._cache["params"] = [json.loads(text) for text in self.record.column("params").to_pylist()]
        return list(have)

    @property
    def meta(self) -> dict[str, Any]:
        """The manifest's extra columns, by name: arrays of numbers, lists of text; a column with gaps is a list with None."""
        if (have := self._cache.get("meta")) is None:
            have = {}
            for name in self.record.schema.names:
                if name.startswith("meta."):
                    column = self.record.column(name)
                    numbers = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
                    if numbers and not column.null_count:
                        have[name[5:]] = self._move(column.to_numpy(zero_copy_only=False).copy())
                    else:
                        have[name[5:]] = column.to_pylist()
            self._cache["meta"] = have
        return have

    # As something else

    def __iter__(self) -> Iterator[Any]:
        label = self.label
        return iter((self.image, next(iter(label.values())) if len(label) == 1 else label))

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, name: str) -> Any:
        if not isinstance(name, str):
            raise TypeError(
                f"batch[{name!r}]: want the name of a column, such as batch['image']; batch.image[i] is one picture"
            )
        return self.column(name)

    def __reduce__(self) -> tuple[Any, ...]:
        if self._mover is not None:  # what is on a device stays there: the columns don't know of it
            _ = self.image, self.label, self.shares, self.weight, self.position, self.source_index, self.meta
            for name in self._targets():
                self.column(name)
        kept = {name: _moved(value, _copied) for name, value in self._cache.items()}
        pixels = masks = None
        if self._pixels is not None:
            pixels = bytearray(self._pixels)
            kept.pop("image", None)
        if self._masks is not None and self._mover is None:
            masks = bytearray(self._masks)
            kept.pop("mask", None)
        return _unpickled, ({**self._head, "slot": -1}, bytes(self._columns), pixels, self.format, kept, masks)

    def named(self, keys: Mapping[str, str]) -> dict[str, Any]:
        """Some columns as a dict, under other names: {"pixel_values": "image", "labels": "label.class"}."""
        return {name: self.column(column) for name, column in keys.items()}

    def column(self, name: str) -> Any:
        """A column by its name in a pipeline: image, label.<task>, meta.<name>, weight, and so on; and targets.

        Coordinates are those of the delivered picture, in pixels: pixel (column j, row i) covers [j, j + 1) x [i, i + 1).

        boxes
            A list with float32 [n, 4] for each row: x1 y1 x2 y2 of its n objects.
        boxes.label, boxes.id, boxes.crowd, boxes.area
            Lists with [n] for each row: class numbers from 0 (int64), numbers of the annotations in their files (int64; 0: none),
            whether it stands for a group (bool), visible area in pixels (float32).
        boxes.polygon
            For each row and each of its objects a list of parts, float32 [points, 2]; empty where the shape isn't known.
        keypoints
            A list with float32 [n, K, 3] for each row: x y v; v is 0 where it isn't there, 1 hidden, 2 visible.
        mask
            Class numbers of pixels, uint8 [N, H, W], 255 where unknown, not copied. If pictures vary in size, a list of [H, W]; if the
            pipeline doesn't decode, a list of files as bytes.
        valid
            Height and width of each picture, int64 [N, 2], where ``batch`` has padded them to one size.

        Raises UsageError, which names the columns that there are.
        """
        kind, _, rest = name.partition(".")
        if kind == "label":
            if rest.endswith(targets.SHARES) and (of := rest.removesuffix(targets.SHARES)) in self.shares:
                return self.shares[of]
            labels = self.label
            if not rest and len(labels) == 1:
                return next(iter(labels.values()))
            return labels[rest] if rest else labels
        if kind == "meta" and rest:
            return self.meta[rest]
        if name in _COLUMNS:
            return getattr(self, name)
        if name in targets.NAMES and (have := self._cache.get(name)) is not None:
            return have
        if name == targets.VALID and self._padded():
            if (have := self._cache.get(name)) is None:
                have = self._cache[name] = self._move(self._valid())
            return have
        there = self._targets()
        if name in there:
            have = self._cache[name] = self._mask() if name == targets.MASK else self._of_objects(name)
            return have
        if name in targets.NAMES:
            raise UsageError(
                f"this batch has no column {name!r}: the source's samples have {'only ' + ', '.join(there) if there else 'no targets'}"
            )
        raise UsageError(
            f"a batch has no column {name!r}: it has {', '.join((*_COLUMNS, *there))}, label.<task> and meta.<name>"
        )

    @property
    def record(self) -> Any:
        """All columns as a pyarrow.RecordBatch, without pictures and masks if they are of one size: see to_arrow."""
        if self._record is None:
            try:
                self._record = _read(self._columns)
                self._record.validate(full=True)
            except (pa.ArrowException, OSError, StopIteration, ValueError) as error:
                self._record = None
                raise EngineError(f"the engine sent columns that Arrow cannot read: {error}") from None
            if self._record.num_rows != self.rows:
                raise EngineError(f"the engine sent {self._record.num_rows} rows as {self.rows}")
        return self._record

    def to_arrow(self) -> Any:
        """The whole batch as a pyarrow.RecordBatch, without a copy; pictures are a fixed-shape tensor, in their memory layout."""
        record = self.record
        names, columns = list(record.schema.names), list(record.columns)
        if self._masks is not None:
            at = next((i for i, name in enumerate(names) if name != "key" and name not in targets.NAMES), len(names))
            names.insert(at, targets.MASK)
            columns.insert(at, _tensors(pa.uint8(), self._head["mask"], ["H", "W"], self._masks))
        image: Mapping[str, Any] | None = self._head.get("image")
        if image is not None:
            if self._pixels is None:
                raise UsageError("the pictures of this batch are on a device, of which Arrow knows nothing")
            dims = ["H", "W", "C"] if image["layout"] == "hwc" else ["C", "H", "W"]
            at = names.index("key") + 1
            names.insert(at, "image")
            value = pa.from_numpy_dtype(_DTYPES[image["dtype"]])
            columns.insert(at, _tensors(value, image["shape"], dims, self._pixels))
        return pa.RecordBatch.from_arrays(columns, names)

    def to(self, device: Any, non_blocking: bool = False) -> Batch:
        """The same batch with its tensors on a device; with format="torch" only."""
        if self.format != "torch":
            raise UsageError('to() moves tensors of torch: make the loader with format="torch"')

        def mover(tensor: Any, owner: Any) -> Any:
            return tensor.to(device, non_blocking=non_blocking)

        moved = Batch(self._head, self._columns, None, self._wrap, mover, self._masks)
        _ = self.image, self.label, self.shares, self.weight
        for name in ("image", "label", "shares", "weight", targets.VALID, *self._targets()):
            if (have := self._cache.get(name)) is not None:  # which may have been written to
                moved._cache[name] = _moved(have, mover)
        return moved

    def _repr_html_(self) -> str:
        """Its first pictures with their labels, for notebooks."""
        return _html.batch(repr(self), self.image, self.label, self.key)

    def __repr__(self) -> str:
        image = self._head.get("image")
        shape = "pictures of their own sizes"
        if image is not None:
            n, a, b, c = image["shape"]
            shape = (
                f"{image['dtype']} [{n}, {c}, {a}, {b}]"
                if image["layout"] == "hwc"
                else f"{image['dtype']} {[n, a, b, c]}"
            )
        labels = ", ".join(name[6:] for name in self._of_tasks())
        there = "".join(f", {name}" for name in self._targets() if "." not in name)
        return f"Batch({shape}, label: {labels or 'none'}{there}, epoch {self.epoch}, batch {self.number})"

    def _column(self, name: str, kind: Any) -> Any:
        if (have := self._cache.get(name)) is None:
            array = self.record.column(name).to_numpy(zero_copy_only=False)
            have = self._cache[name] = self._move(np.array(array, dtype=kind))
        return have

    def _move(self, array: Any) -> Any:
        wrapped = self._wrap(array)
        return wrapped if self._mover is None else self._mover(wrapped, None)

    def _padded(self) -> bool:
        """Whether pictures of different sizes were padded to one."""
        return targets.VALID in self.record.schema.names

    def _pictures(self) -> Any:
        """Pictures that are a column: files, or pixels of different sizes."""
        if "image" not in self.record.schema.names:
            raise EngineError("the engine sent a batch without pictures")
        column = self.record.column("image")
        if not pa.types.is_struct(column.type):
            return list(column.to_pylist())
        if self._padded():
            return self._move(targets.stacked_of(column, self._columns).transpose(0, 3, 1, 2))
        return [self._move(pixels.transpose(2, 0, 1)) for pixels in targets.pixels_of(column, self._columns)]

    def _valid(self) -> Any:
        """The column of that name."""
        return targets.numbers(self.record.column(targets.VALID), np.int64)

    # Labels and targets

    def _labels(self, column: Any) -> Any:
        """A column of labels."""
        if pa.types.is_list(column.type):
            offsets, values = targets.unnested(column)
            rows = self._split(targets.numbers(values, np.int64), offsets)
            return [labels if known.as_py() else None for labels, known in zip(rows, column.is_valid(), strict=True)]
        if pa.types.is_floating(column.type):
            return self._move(np.array(column.to_numpy(zero_copy_only=False), np.float32))
        if column.null_count:
            column = column.fill_null(UNKNOWN)
        return self._move(column.to_numpy(zero_copy_only=False).astype(np.int64))

    def _of_tasks(self) -> list[str]:
        """The names of the columns of labels."""
        return [
            f.name for f in self.record.schema if f.name.startswith("label.") and not targets.is_shares(f.name, f.type)
        ]

    def _shares(self, column: Any) -> list[Any]:
        """A column of shares."""
        offsets, values = targets.unnested(column)
        classes = self._split(targets.numbers(values.field(0), np.int64), offsets)
        shares = self._split(targets.numbers(values.field(1), np.float32), offsets)
        rows = zip(classes, shares, column.is_valid(), strict=True)
        return [(numbers, parts) if known.as_py() else None for numbers, parts, known in rows]

    def _targets(self) -> list[str]:
        """The names of the columns of targets that there are."""
        there = {field.name for field in self.record.schema if targets.is_target(field.name, field.type)}
        if self._masks is not None:
            there.add(targets.MASK)
        return [name for name in targets.NAMES if name in there]

    def _of_objects(self, name: str) -> list[Any]:
        """A column of objects, an array for each row."""
        objects = targets.Objects(self.record)
        if name != targets.POLYGON:
            return self._split(objects.values(name), objects.first)
        of_objects, of_parts, points = objects.polygons()
        parts = self._split(points, of_parts)
        each = [parts[begin:end] for begin, end in itertools.pairwise(of_objects.tolist())]
        return [each[begin:end] for begin, end in itertools.pairwise(objects.first.tolist())]

    def _split(self, values: Any, offsets: targets.Offsets) -> list[Any]:
        """Arrays of the rows, which share their memory."""
        if self.format != "torch":
            return [self._wrap(own) for own in np.split(values, offsets[1:-1])] if len(offsets) > 1 else []
        return list(self._move(values).split(targets.sizes(offsets)))

    def _mask(self) -> Any:
        if self._masks is not None:
            return self._move(np.frombuffer(self._masks, np.uint8).reshape(self._head["mask"]))
        column = self.record.column(targets.MASK)
        if not pa.types.is_struct(column.type):
            return list(column.to_pylist())
        if self._padded():
            return self._move(targets.stacked_of(column, self._columns)[..., 0])
        return [self._move(mask[:, :, 0]) for mask in targets.pixels_of(column, self._columns)]


def _moved(values: Any, mover: Callable[[Any, Any], Any]) -> Any:
    """Tensors, and lists and dicts of them, elsewhere."""
    if isinstance(values, dict):
        return {name: _moved(value, mover) for name, value in values.items()}
    if isinstance(values, list):
        return [_moved(value, mover) for value in values]
    if isinstance(values, tuple):
        return tuple(_moved(value, mover) for value in values)
    return values if values is None or isinstance(values, bytes) else mover(values, None)


def _copied(values: Any, _: Any) -> Any:
    """An array in memory of its own."""
    if isinstance(values, np.ndarray):
        return values.copy()
    return values.clone() if hasattr(values, "clone") else values


def _tensors(value: Any, shape: Sequence[int], names: list[str], memory: Any) -> Any:
    """Arrow's column of tensors that lie one after the other."""
    size = math.prod(shape[1:])
    flat = pa.Array.from_buffers(value, shape[0] * size, [None, pa.py_buffer(memory)])
    return pa.ExtensionArray.from_storage(
        pa.fixed_shape_tensor(value, shape[1:], dim_names=names), pa.FixedSizeListArray.from_arrays(flat, size)
    )


def _unpickled(
    head: Mapping[str, Any],
    columns: bytes,
    pixels: bytearray | None,
    format: Format,
    cache: dict[str, Any],
    masks: bytearray | None = None,
) -> Batch:
    """The batch of a pickle."""
    batch = Batch(head, memoryview(bytearray(columns)), pixels, wrapper(format), masks=masks)
    batch._cache.update(cache)
    return batch


_COLUMNS = (
    "image",
    "label",
    "shares",
    "weight",
    "key",
    "epoch",
    "number",
    "position",
    "source_index",
    "scale",
    "params",
    "meta",
)


_schemas: dict[bytes, Any] = {}  # by the bytes of the message that has one: reading it takes longer than all the rest


def _read(columns: memoryview) -> Any:
    """The record batch of an IPC stream that has one."""
    buffer = pa.py_buffer(columns)
    if bytes(columns[:4]) == b"\xff\xff\xff\xff":
        end = 8 + int.from_bytes(columns[4:8], "little")
        message = bytes(columns[:end])
        if (schema := _schemas.get(message)) is not None:
            return pa.ipc.read_record_batch(buffer.slice(end), schema)
        stream = pa.ipc.open_stream(buffer)
        _check_schema(stream.schema)
        if len(_schemas) >= 16:
            _schemas.clear()
        _schemas[message] = stream.schema
        return stream.read_next_batch()
    raise ValueError("they don't begin with a message of Arrow's")


def _check_schema(schema: Any) -> None:
    """Refuses columns without those that every batch has."""
    types = {field.name: field.type for field in schema}
    if targets.VALID in types and targets.spelled(types[targets.VALID]) != "int32[2]":
        raise ValueError("valid isn't a column of heights and widths")
    for name in ("weight", "epoch", "position", "source_index"):
        if name not in types or not (pa.types.is_integer(types[name]) or pa.types.is_floating(types[name])):
            raise ValueError(f"{name} isn't a column of numbers")
    if not pa.types.is_string(types.get("key", pa.null())):
        raise ValueError("key isn't a column of text")
    for name, kind in types.items():
        if name.startswith("label.") and not targets.is_label(kind) and not targets.is_shares(name, kind):
            raise ValueError(f"{name} isn't a column of class numbers, lists of them, or values")


def _view(image: Mapping[str, Any], pixels: Any) -> Any:
    """Pixels as [N, channels, height, width], where they lie."""
    array = np.frombuffer(pixels, _DTYPES[image["dtype"]]).reshape(image["shape"])
    return array.transpose(0, 3, 1, 2) if image["layout"] == "hwc" else array


def check_head(head: Mapping[str, Any], body: int) -> None:
    """Checks what a BATCH message says of itself, of which the rest of this module is sure afterwards."""
    try:
        epoch, number, rows, columns, slot = (head[k] for k in ("epoch", "number", "rows", "columns", "slot"))
        after, variant, image = head["next"], head["variant"], head["image"]
        whole = all(type(n) is int and n >= 0 for n in (epoch, number, rows, columns, variant, *after))
        if not whole or type(slot) is not int or len(after) != 2 or type(head["last"]) is not bool:
            raise ValueError("a number is missing")
        inline = 0
        if image is not None:
            shape = image["shape"]
            if len(shape) != 4 or shape[0] != rows or not all(type(n) is int and n > 0 for n in shape):
                raise ValueError(f"a shape of {shape}")
            size = math.prod(shape) * _DTYPES[image["dtype"]].itemsize
            if size != image["bytes"] or image["layout"] not in ("chw", "hwc"):
                raise ValueError(f"{image['bytes']} bytes of a shape of {shape}")
            inline = size if slot < 0 else 0
        elif slot >= 0:
            raise ValueError("a slot without pictures")
        if (mask := head.get("mask")) is not None:
            if len(mask) != 3 or mask[0] != rows or not all(type(n) is int and n > 0 for n in mask):
                raise ValueError(f"masks of {mask}")
            if (beside := head.get("mask_in_slot", False)) not in (False, True) or (beside and slot < 0):
                raise ValueError(f"masks in slot {slot}: {beside!r}")
            inline += 0 if beside else math.prod(mask)
        if body != columns + inline:
            raise ValueError(f"{body} bytes for {columns} of columns and {inline} of pictures and masks")
    except (KeyError, TypeError, ValueError) as error:
        raise EngineError(f"the engine sent a batch that isn't one: {error}") from None
