"""Pipelines as they are given to a loader: a file, or the content of one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from .errors import PipelineError

__all__ = ["PipelineLike", "resolve"]

PipelineLike = str | os.PathLike[str] | Mapping[str, Any]
"""A path of a pipeline file, or its content as a dict."""


def resolve(pipeline: PipelineLike) -> dict[str, Any]:
    """How the engine is told of a pipeline.

    Paths in a file are relative to it, those in a dict relative to the current folder.
    """
    if isinstance(pipeline, Mapping):
        try:
            text = json.dumps(pipeline)
        except (TypeError, ValueError) as error:
            raise PipelineError(f"the pipeline isn't plain data: {error}") from None
        return {"text": text, "name": "pipeline", "folder": os.getcwd()}
    return {"file": os.path.abspath(os.fspath(pipeline))}
