"""Labels as people have them, as class numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import UsageError

ClassNumbers = npt.NDArray[np.int32]

UNKNOWN = -1
_IGNORED = -100  # what PyTorch's losses ignore
_MOST_CLASSES = 1 << 24  # numbers above it are numbered anew, in their order


def class_numbers(labels: Any) -> ClassNumbers:
    """The class number of each sample, [N], -1 where it is unknown. An int32 array is returned as it is.

    labels is what :class:`sluicedata.Sampler` takes. Names and combinations of tasks are numbered in their order.
    """
    if isinstance(labels, Mapping):
        return _joint(labels)
    array = _array(labels)
    if array.ndim != 1 or len(array) == 0:
        raise UsageError(
            f"labels have the shape {array.shape}: want the class of each sample, [N], and at least one sample; of one-hot "
            "labels take argmax(1), for several tasks give a dict of them"
        )
    if array.dtype.kind == "O":
        array = _of_objects(array)
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8")
    if array.dtype.kind == "U":
        return _numbered(np.ascontiguousarray(array), array == "")
    if array.dtype.kind == "b":
        return array.astype(np.int32)
    if array.dtype.kind not in "iu":
        raise UsageError(f"labels are {array.dtype}: want whole numbers (int32, int64, ...) or names")
    low, high = int(array.min()), int(array.max())
    if low < UNKNOWN:
        bad = np.flatnonzero((array < UNKNOWN) & (array != _IGNORED))
        if len(bad):
            raise UsageError(
                f"sample {bad[0]} has the label {array[bad[0]]}: want numbers from 0 on, and -1 or -100 where it is unknown"
            )
        array = np.where(array < 0, UNKNOWN, array)
    if high >= _MOST_CLASSES:
        return _numbered(array, array < 0)
    return np.ascontiguousarray(array, dtype=np.int32)


def several_classes(labels: Any) -> tuple[ClassNumbers, int] | None:
    """Numbers of classes of each sample, and then all their classes; and the number of samples.

    None where each sample has one class. Samples have several in a list of lists of numbers, and in 0s and 1s of shape [N, C].
    """
    for name in ("targets", "labels"):
        if (found := getattr(labels, name, None)) is not None and not callable(found):
            return several_classes(found)
    if isinstance(labels, Mapping):
        return None
    if hasattr(labels, "detach"):
        labels = labels.detach().cpu()
    if isinstance(labels, list | tuple):
        if not labels or not all(isinstance(own, list | tuple | set | frozenset | np.ndarray) for own in labels):
            return None
        lists = [list(own) for own in labels]
        for i, own in enumerate(lists):
            if any(not hasattr(c, "__index__") or isinstance(c, bool) or not 0 <= int(c) < _MOST_CLASSES for c in own):
                raise UsageError(f"sample {i} has the classes {own!r}: want whole numbers from 0 on")
        if (
            {len(own) for own in lists} == {len(lists[0])}
            and len(lists[0]) > 1
            and {int(c) for own in lists for c in own} <= {0, 1}
        ):
            raise UsageError(
                "labels are lists of 0 and 1: if there is a column for each class, make an array of them, or argmax(1) of one-hot "
                "ones; if they are the classes 0 and 1, make them sets"
            )
        lengths = np.array([len(own) for own in lists], np.int32)
        return np.concatenate([lengths, np.array([int(c) for own in lists for c in own], np.int32)]), len(lists)
    if getattr(labels, "ndim", 0) != 2 or 0 in labels.shape:
        return None
    array = np.asarray(labels)
    if not ((array == 0) | (array == 1)).all():
        raise UsageError(f"labels have the shape {array.shape}: want 0 and 1 there, a column for each class")
    lengths = array.astype(bool).sum(axis=1, dtype=np.int32)
    return np.concatenate([lengths, np.nonzero(array)[1].astype(np.int32)]), len(array)


def _array(labels: Any) -> npt.NDArray[Any]:
    """The labels of a dataset, a tensor, or anything that NumPy takes."""
    for name in ("targets", "labels"):  # of datasets; neither arrays nor tensors have such
        if (found := getattr(labels, name, None)) is not None and not callable(found):
            return _array(found)
    if hasattr(labels, "dataset") and hasattr(labels, "indices"):  # a Subset
        array: npt.NDArray[Any] = _array(labels.dataset)
        return array[np.asarray(labels.indices, dtype=np.int64)]
    if (parts := getattr(labels, "datasets", None)) is not None:  # a ConcatDataset
        return np.concatenate([_array(part) for part in parts])
    if hasattr(labels, "detach"):
        labels = labels.detach().cpu()
    elif not hasattr(labels, "__array__") and not isinstance(labels, Sequence):
        # A dataset that has no labels aside: NumPy would read its samples, all of them, and of one without an end forever.
        raise UsageError(
            f"labels are a {type(labels).__name__}: want a list, an array or a tensor of the class of each sample, or a dataset "
            "that has them as targets or labels"
        )
    try:
        array = np.asarray(labels)
        if array.dtype.kind == "U" and isinstance(labels, list | tuple):  # NumPy makes text of numbers among names
            return np.asarray(labels, dtype=object)
        return array
    except ValueError as error:
        raise UsageError(f"labels cannot be made an array: {error}") from None


def _of_objects(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Numbers or names, with None where they are unknown."""
    if all(label is None or isinstance(label, str) for label in array):
        return np.array(["" if label is None else label for label in array])
    for i, label in enumerate(array):
        if label is not None and (not hasattr(label, "__index__") or isinstance(label, bool)):
            raise UsageError(
                f"sample {i} has the label {label!r}: want all numbers or all names, and None where it is unknown"
            )
    return np.array([UNKNOWN if label is None else int(label) for label in array], dtype=np.int64)


def _numbered(array: npt.NDArray[Any], unknown: npt.NDArray[np.bool_]) -> ClassNumbers:
    """Numbers the values that occur, in their order."""
    numbers = np.unique(array, return_inverse=True)[1].reshape(-1).astype(np.int32)
    if unknown.any():
        numbers -= 1  # "" and -1 come before all others
    return numbers


def _joint(tasks: Mapping[str, Any]) -> ClassNumbers:
    """The combinations of several tasks' classes that occur, in their order, unknown ones last."""
    if not tasks:
        raise UsageError("labels are an empty dict: give the labels of each task")
    group: npt.NDArray[np.int64] | None = None
    for name, labels in tasks.items():
        numbers = class_numbers(labels).astype(np.int64)
        if group is not None and len(group) != len(numbers):
            raise UsageError(
                f"the task {name!r} has {len(numbers)} labels, and those before it {len(group)}: want one for each sample"
            )
        classes = int(numbers.max()) + 1
        numbers[numbers < 0] = classes
        joint = numbers if group is None else group * (classes + 1) + numbers
        group = np.unique(joint, return_inverse=True)[1].reshape(-1).astype(np.int64)
    assert group is not None
    return group.astype(np.int32)
