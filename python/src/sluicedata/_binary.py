"""Where the engine is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .errors import EngineError


def engine_path() -> str:
    """The sluice binary: $SLUICE, else the one in this package, else `sluice` on PATH."""
    if chosen := os.environ.get("SLUICE"):
        if not os.access(chosen, os.X_OK):
            raise EngineError(f"SLUICE is {chosen!r}, which isn't a program: set it to a sluice binary, or unset it")
        return chosen
    packed = Path(__file__).parent / "_bin" / "sluice"
    if packed.exists():
        return str(packed)
    if found := shutil.which("sluice"):
        return found
    raise EngineError(
        "there is no sluice binary in this package or on PATH: install a wheel of sluicedata for this platform, "
        "or set SLUICE to a binary that `go build ./cmd/sluice` made"
    )
