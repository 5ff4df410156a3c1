"""Formats of data sets, as typed functions: generated from the engine's catalogues.

Do not edit: go test ./flow/pipefile -run TestPythonFiles -update writes this file.
"""

from __future__ import annotations

from typing import Literal

from .pipelines import Component, component

__all__ = [
    "arrow",
]


def arrow(
    codec: Literal["none", "lz4", "zstd"] = "none",
    *,
    part_rows: int = 4096,
) -> Component:
    """Arrow IPC files with a manifest; resumes after a crash.

    Args:
        codec: compression of the buffers; none can be mapped into memory.
        part_rows: rows of a file, rounded down to whole batches, at least one.
    """
    return component(
        arrow,
        {
            "codec": codec,
            "part_rows": part_rows,
        },
    )
