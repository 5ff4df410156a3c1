"""Checks of arguments: each returns the value as the engine takes it, or raises UsageError with the argument's name."""

from __future__ import annotations

import math
import operator
import re
from typing import Any

from .errors import UsageError

_UNITS = {"": 1, "B": 1}
_UNITS.update({f"{prefix}B": 1000**i for i, prefix in enumerate("KMGT", 1)})
_UNITS.update({f"{prefix}iB": 1024**i for i, prefix in enumerate("KMGT", 1)})
_MOST_BYTES = 1 << 60


def whole(name: str, value: Any, low: int = 1, high: int = (1 << 31) - 1) -> int | None:
    """A whole number from low to high, also one of NumPy's; None as it is."""
    if value is None:
        return None
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or not low <= number <= high:
        raise UsageError(f"{name}={value!r}: want a whole number from {low} to {high}, or None for the default")
    return number


def number(name: str, value: Any) -> float | None:
    """A finite number; None as it is."""
    if value is None:
        return None
    try:
        found = math.nan if isinstance(value, str | bool) else float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found):
        raise UsageError(f"{name}={value!r}: want a number, or None for the default")
    return found


def size(name: str, value: Any) -> int | None:
    """A number of bytes, given as one or as a text such as "256MiB"; None as it is."""
    if not isinstance(value, str):
        return whole(name, value, 1, _MOST_BYTES)
    found = re.fullmatch(r"(\d+(?:\.\d*)?) ?([KMGT]?i?B?)", value.strip())
    if found is None or found[2] not in _UNITS or not 1 <= (n := float(found[1]) * _UNITS[found[2]]) <= _MOST_BYTES:
        raise UsageError(f'{name}={value!r}: want a number of bytes, or a text such as "256MiB" or "2GiB"')
    return int(n)


def text(name: str, value: Any) -> str:
    """A text; None is ""."""
    if value is not None and not isinstance(value, str):
        raise UsageError(f"{name}={value!r}: want a text, or None for what the pipeline says")
    return value or ""
