"""Polygons as masks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.floating[Any]]


def fill(mask: npt.NDArray[np.uint8], parts: Sequence[Points]) -> None:
    """Sets what lies in any of some polygons to 1 in a mask, [height, width].

    A pixel (column j, row i) is in a polygon, points [k, 2], if its centre (j + 0.5, i + 0.5) is, by the even-odd rule: of shapes that share
    an edge, one has each pixel at it.
    """
    for part in parts:
        _fill(mask, part.astype(np.float64))


def _fill(mask: npt.NDArray[np.uint8], points: npt.NDArray[np.float64]) -> None:
    """Sets what lies in a polygon."""
    if len(points) < 3 or not np.isfinite(points).all():
        return
    height, width = mask.shape
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    i0, i1 = _cell(top, height), _cell(bottom, height)  # the rows, and columns, whose centres are in [top, bottom)
    j0, j1 = _cell(left, width), _cell(right, width)
    if i0 >= i1 or j0 >= j1:
        return
    x1, y1 = points.T
    x2, y2 = np.roll(points, -1, axis=0).T
    first = np.clip(np.ceil(np.minimum(y1, y2) - 0.5), i0, i1).astype(np.int64)
    counts = np.clip(np.ceil(np.maximum(y1, y2) - 0.5), i0, i1).astype(np.int64) - first
    edge = np.repeat(np.arange(len(points)), counts)  # each edge crosses the centres of as many rows
    row = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    x = x1[edge] + (row + 0.5 - y1[edge]) / (y2[edge] - y1[edge]) * (x2[edge] - x1[edge])
    column = np.clip(np.ceil(x - 0.5), j0, j1).astype(np.int64)  # the first whose centre isn't left of the crossing
    wide = j1 - j0 + 1
    crossings = np.bincount((row - i0) * wide + column - j0, minlength=(i1 - i0) * wide).reshape(i1 - i0, wide)
    mask[i0:i1, j0:j1] |= (np.cumsum(crossings[:, :-1], axis=1) & 1).astype(np.uint8)


def _cell(at: float, cells: int) -> int:
    """The first cell whose centre isn't before a place."""
    return min(max(math.ceil(at - 0.5), 0), cells)
