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
    "Strength",
    "When",
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


class When(TypedDict, total=False):
    """Rows on which a stage acts."""

    class_count: Mapping[str, object]
    """Act where the row's class has so few or so many samples: {below: 100}, {at_least: 20}, or both."""
    epochs: tuple[int | None, int | None]
    """Act in these epochs, counted from 0: [first, past the last]; negative numbers count from the end of the run,
    null is its end: [0, -10] leaves the last ten out."""


Strength = TypedDict(
    "Strength",
    {
        # What decides: class_count, the samples of the row's class, or repeat, how often its sample was drawn
        # before.
        "by": Literal["class_count", "repeat"],
        # Strength for the class with the most samples, or for a sample's first draw (default 0).
        "from": float,
        # Strength for the class with the fewest samples, or after so many draws as over says (default 0).
        "to": float,
        # With repeat: the draws of a sample after which its strength is that of to (default 10).
        "over": int,
        # What is multiplied: amounts, the ranges of what is drawn, or p, the share of the draws (default: amounts
        # where the stage has them).
        "of": Literal["amounts", "p"],
        # With class_count: the task whose classes are counted (default: the only one); boxes: the classes of the
        # objects.
        "task": str,
    },
    total=False,
)


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
