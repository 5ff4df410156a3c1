"""Streaming image augmentation for long-tailed data."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .errors import EngineError, Error, Mistake, PipelineError, SampleError, StateError, UsageError

if TYPE_CHECKING:
    from . import sinks, sources, stages
    from ._batch import Batch
    from .commands import bench, inspect, materialize, plan, preview, train, verify
    from .convert import UnsupportedTransform, from_torchvision
    from .loader import Loader
    from .pipelines import Pipeline, pipeline
    from .sampler import Sampler
    from .transform import Transform

__version__ = "0.1.0"

# Everything that isn't needed at once is imported where it is first used: name -> module.
_LAZY: dict[str, str] = {
    "Batch": "._batch",
    "Loader": ".loader",
    "Pipeline": ".pipelines",
    "Sampler": ".sampler",
    "Transform": ".transform",
    "UnsupportedTransform": ".convert",
    "bench": ".commands",
    "from_torchvision": ".convert",
    "inspect": ".commands",
    "materialize": ".commands",
    "pipeline": ".pipelines",
    "plan": ".commands",
    "preview": ".commands",
    "sinks": ".",
    "sources": ".",
    "stages": ".",
    "train": ".commands",
    "verify": ".commands",
}

__all__ = [
    "Batch",
    "EngineError",
    "Error",
    "Loader",
    "Mistake",
    "Pipeline",
    "PipelineError",
    "SampleError",
    "Sampler",
    "StateError",
    "Transform",
    "UnsupportedTransform",
    "UsageError",
    "__version__",
    "bench",
    "from_torchvision",
    "inspect",
    "materialize",
    "pipeline",
    "plan",
    "preview",
    "sinks",
    "sources",
    "stages",
    "train",
    "verify",
]


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if module == ".":
        return importlib.import_module(f".{name}", __name__)
    value = getattr(importlib.import_module(module, __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
