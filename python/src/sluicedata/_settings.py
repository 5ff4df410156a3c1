"""Types of a pipeline's settings: generated from the engine's catalogues.

Do not edit: go test ./flow/pipefile -run TestPythonFiles -update writes this file.
"""

from __future__ import annotations

import os
from typing import Literal, TypedDict

__all__ = [
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
