"""Types of a pipeline's settings: generated from the engine's catalogues.

Do not edit: go test ./flow/pipefile -run TestPythonFiles -update writes this file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal, TypedDict

__all__ = [
    "Objects",
    "OnError",
    "Split",
]


class OnError(TypedDict, total=False):
    """What to do about rows that fail."""

    policy: Literal["fail", "skip", "refill"]
    """What to do about a row that cannot be made: fail ends the run, skip makes its batch shorter, refill puts
    another sample of its class in its place (default: "fail")."""
    max: int | str
    """How many draws may fail before the run does: a number, or a share such as 1% (default: 1%)."""
    quarantine: str | os.PathLike[str]
    """File that lists what failed, as JSON lines."""


class Objects(TypedDict, total=False):
    """Which boxes, polygons and keypoints stay."""

    min_area: float
    """Pixels of the visible part: objects of less are dropped (default: 1)."""
    min_size: float
    """Pixels of each side of the box: objects with a shorter one are dropped (default: 1)."""
    min_visibility: float
    """Visible share of the object's area after all stages: objects of less are dropped (default: 0.1)."""
    clip: bool
    """Cut boxes and polygons at the picture's edges, and at those of every canvas on the way (default: True)."""
    keep_empty: bool
    """Keep pictures without objects; false: such a row fails, see on_error (default: True)."""
    mirror: Mapping[str, str]
    """Classes that change places in a mirrored picture: {left_hand: right_hand}."""


class Split(TypedDict, total=False):
    """Divide the source into training and validation samples."""

    val: float
    """Share of the samples that goes to val, above 0 and below 1."""
    use: Literal["train", "val"]
    """The side to take (default: "train")."""
    stratify: bool
    """Take the share of each class, exact to one group (default: False)."""
    task: str
    """The task to stratify on (default: all tasks together)."""
    group: str
    """Regular expression on keys: samples with the same captures stay on one side."""
