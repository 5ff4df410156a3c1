"""Where the engine is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .errors import EngineError

_PACKED = Path(__file__).with_name("_bin") / "sluice"


def engine_path() -> str:
    """The engine's program: $SLUICE, else the one that the wheel carries, else `sluice` on PATH.

    Raises EngineError where there is none, or $SLUICE names none.
    """
    if chosen := os.environ.get("SLUICE"):
        if found := shutil.which(chosen):
            return os.path.abspath(found)
        raise EngineError(f"SLUICE is {chosen!r}, which isn't a program: set it to a sluice binary, or unset it")
    if os.access(_PACKED, os.X_OK):
        return str(_PACKED)
    if _PACKED.exists():
        raise EngineError(f"{_PACKED} isn't executable: chmod +x it, or install sluicedata again")
    if found := _on_path():
        return found
    raise EngineError(
        "there is no sluice binary in this package or on PATH: install a wheel of sluicedata for this platform "
        "(pip install ./python in a clone builds one with Go), or set SLUICE to a binary that `go build ./cmd/sluice` made"
    )


def _on_path() -> str | None:
    """The first `sluice` on PATH that is a binary: scripts of this name are this package's own, or another package's."""
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        found = shutil.which("sluice", path=folder) if folder else None
        if found is not None:
            with open(found, "rb") as file:
                if file.read(2) != b"#!":
                    return found
    return None
