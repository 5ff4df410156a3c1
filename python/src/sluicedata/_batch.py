"""A batch as a loop gets it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from . import _html
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

    ``len(batch)`` is its rows, ``batch["label.class"]`` a column by name. A pickle (also torch.save, and copy.copy) has a copy of everything;
    torch.load needs weights_only=False for it.
    """

    __slots__ = ("_cache", "_columns", "_head", "_mover", "_pixels", "_record", "_wrap")

    def __init__(
        self,
        head: Mapping[str, Any],
        columns: memoryview,
        pixels: Any,
        wrap: Callable[[Any], Any] = _same,
        mover: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        self._head = head
        self._columns = columns
        self._pixels = pixels
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
    def rows(self) -> int:
        """N, the number of pictures."""
        return int(self._head["rows"])

    # The rows

    @property
    def image(self) -> Any:
        """Pictures, [N, channels, height, width]: float32 after to_tensor, else uint8.

        uint8 pixels lie in memory as height, width, channels (torch.channels_last). If pictures vary in size, this is a list of
        [channels, height, width]; if the pipeline doesn't decode, a list of files as bytes.
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
        """Class numbers, int64 [N], by task; -100 where a label is unknown."""
        if (have := self._cache.get("label")) is None:
            have = {}
            record = self.record
            for i, name in enumerate(record.schema.names):
                if name.startswith("label."):
                    column = record.column(i)
                    if column.null_count:
                        column = column.fill_null(UNKNOWN)
                    have[name[6:]] = self._move(column.to_numpy(zero_copy_only=False).astype(np.int64))
            self._cache["label"] = have
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
            _ = self.image, self.label, self.weight, self.position, self.source_index, self.meta
        kept = dict(self._cache)
        pixels = None
        if self._pixels is not None:
            pixels = bytearray(self._pixels)
            kept.pop("image", None)
        format = "numpy" if self._wrap is _same else "dlpack" if self._wrap is DLPack else "torch"
        return _unpickled, ({**self._head, "slot": -1}, bytes(self._columns), pixels, format, kept)

    def named(self, keys: Mapping[str, str]) -> dict[str, Any]:
        """Some columns as a dict, under other names: {"pixel_values": "image", "labels": "label.class"}."""
        return {name: self.column(column) for name, column in keys.items()}

    def column(self, name: str) -> Any:
        """A column by its name in a pipeline: image, label.<task>, meta.<name>, weight, and so on."""
        kind, _, rest = name.partition(".")
        if kind == "label":
            labels = self.label
            if not rest and len(labels) == 1:
                return next(iter(labels.values()))
            return labels[rest] if rest else labels
        if kind == "meta" and rest:
            return self.meta[rest]
        if name in _COLUMNS:
            return getattr(self, name)
        raise UsageError(f"a batch has no column {name!r}: it has {', '.join(_COLUMNS)}, label.<task> and meta.<name>")

    @property
    def record(self) -> Any:
        """All columns as a pyarrow.RecordBatch, without pictures if they are of one size: see to_arrow."""
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
        if self._pixels is None:
            if self._head.get("image") is not None:
                raise UsageError("the pictures of this batch are on a device, of which Arrow knows nothing")
            return self.record
        image = self._head["image"]
        shape = image["shape"][1:]
        value = pa.from_numpy_dtype(_DTYPES[image["dtype"]])
        names = ["H", "W", "C"] if image["layout"] == "hwc" else ["C", "H", "W"]
        size = math.prod(shape)
        flat = pa.Array.from_buffers(value, self.rows * size, [None, pa.py_buffer(self._pixels)])
        pictures = pa.ExtensionArray.from_storage(
            pa.fixed_shape_tensor(value, shape, dim_names=names), pa.FixedSizeListArray.from_arrays(flat, size)
        )
        record = self.record
        at = record.schema.get_field_index("key") + 1
        columns = [*record.columns[:at], pictures, *record.columns[at:]]
        return pa.RecordBatch.from_arrays(columns, [*record.schema.names[:at], "image", *record.schema.names[at:]])

    def to(self, device: Any, non_blocking: bool = False) -> Batch:
        """The same batch with its tensors on a device; with format="torch" only."""
        if self._wrap is _same or self._wrap is DLPack:
            raise UsageError('to() moves tensors of torch: make the loader with format="torch"')

        def mover(tensor: Any, owner: Any) -> Any:
            return tensor.to(device, non_blocking=non_blocking)

        moved = Batch(self._head, self._columns, None, self._wrap, mover)
        image = self.image
        moved._cache["image"] = image if isinstance(image, list) else mover(image, None)
        moved._cache["label"] = {task: mover(label, None) for task, label in self.label.items()}
        moved._cache["weight"] = mover(self.weight, None)
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
        labels = ", ".join(name[6:] for name in self.record.schema.names if name.startswith("label."))
        return f"Batch({shape}, label: {labels or 'none'}, epoch {self.epoch}, batch {self.number})"

    def _column(self, name: str, kind: Any) -> Any:
        if (have := self._cache.get(name)) is None:
            array = self.record.column(name).to_numpy(zero_copy_only=False)
            have = self._cache[name] = self._move(np.array(array, dtype=kind))
        return have

    def _move(self, array: Any) -> Any:
        wrapped = self._wrap(array)
        return wrapped if self._mover is None else self._mover(wrapped, None)

    def _pictures(self) -> list[Any]:
        """Pictures that are a column: files, or pixels of different sizes."""
        if "image" not in self.record.schema.names:
            raise EngineError("the engine sent a batch without pictures")
        column = self.record.column("image")
        if not pa.types.is_struct(column.type):
            return list(column.to_pylist())
        out: list[Any] = []
        heights, widths = column.field("height").to_pylist(), column.field("width").to_pylist()
        for height, width, pixels in zip(heights, widths, column.field("pixels"), strict=True):
            flat = np.frombuffer(pixels.as_buffer(), np.uint8) if pixels.is_valid else np.empty(0, np.uint8)
            out.append(self._move(flat.reshape(height, width, -1).transpose(2, 0, 1).copy()))
        return out


def _unpickled(
    head: Mapping[str, Any], columns: bytes, pixels: bytearray | None, format: Format, cache: dict[str, Any]
) -> Batch:
    """The batch of a pickle."""
    batch = Batch(head, memoryview(columns), pixels, wrapper(format))
    batch._cache.update(cache)
    return batch


_COLUMNS = ("image", "label", "weight", "key", "epoch", "number", "position", "source_index", "scale", "params", "meta")


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
    for name in ("weight", "epoch", "position", "source_index"):
        if name not in types or not (pa.types.is_integer(types[name]) or pa.types.is_floating(types[name])):
            raise ValueError(f"{name} isn't a column of numbers")
    if not pa.types.is_string(types.get("key", pa.null())):
        raise ValueError("key isn't a column of text")
    for name, kind in types.items():
        if name.startswith("label.") and not pa.types.is_integer(kind):
            raise ValueError(f"{name} isn't a column of class numbers")


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
        if body != columns + inline:
            raise ValueError(f"{body} bytes for {columns} of columns and {inline} of pictures")
    except (KeyError, TypeError, ValueError) as error:
        raise EngineError(f"the engine sent a batch that isn't one: {error}") from None
