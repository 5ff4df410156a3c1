"""Streaming image augmentation for long-tailed data."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .errors import EngineError, Error, Mistake, PipelineError, SampleError, StateError, UsageError

if TYPE_CHECKING:
    from ._batch import Batch
    from .commands import bench, inspect, materialize, plan, preview, train, verify
    from .loader import Loader
    from .sampler import Sampler

__version__ = "0.1.0"

# Everything that isn't needed at once is imported where it is first used: name -> module.
_LAZY: dict[str, str] = {
    "Batch": "._batch",
    "Loader": ".loader",
    "Sampler": ".sampler",
    "bench": ".commands",
    "inspect": ".commands",
    "materialize": ".commands",
    "plan": ".commands",
    "preview": ".commands",
    "train": ".commands",
    "verify": ".commands",
}

__all__ = [
    "Batch",
    "EngineError",
    "Error",
    "Loader",
    "Mistake",
    "PipelineError",
    "SampleError",
    "Sampler",
    "StateError",
    "UsageError",
    "__version__",
    "bench",
    "inspect",
    "materialize",
    "plan",
    "preview",
    "train",
    "verify",
]


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(module, __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
