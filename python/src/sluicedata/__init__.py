"""Streaming image augmentation for long-tailed data.

An engine in a process of its own reads, decodes, augments and batches images on all cores, and hands the batches over in
shared memory. What it does is described by a pipeline: a YAML file, the same as a dict, or declared in Python::

    from sluicedata import Loader, pipeline, sources, stages

    train = pipeline(
        sources.folder("data/train"),
        [
            stages.rebalance("square_root"),
            stages.decode(),
            stages.random_resized_crop(224),
            stages.flip(),
            stages.to_tensor(),
            stages.normalize("imagenet", std="imagenet"),
            stages.batch(64),
        ],
        seed=42,
    )
    loader = Loader(train)
    for epoch in range(90):
        for image, label in loader:
            ...

Loader
    The batches of a pipeline, in place of PyTorch's DataLoader with its Dataset, Sampler and transforms.
Sampler
    The draws of ``rebalance`` as indices, for a Dataset and a DataLoader that stay as they are.
Transform
    The picture stages of a pipeline as a function of one image, for serving, evaluation and looking.
collate
    Batches with boxes, masks and keypoints as detection and segmentation models take them.
pipeline, sources, stages, sinks
    Pipelines declared in Python.
from_torchvision
    A pipeline that does what a Compose of torchvision does.
plan, preview, ledger, materialize, verify, inspect, index, bench, train
    The commands of the command line; each returns its report.

The same pipeline and seed give the same batches, bit for bit, on any machine, with any number of workers. All errors are an
:class:`Error`, in the engine's own words.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .errors import EngineError, Error, Mistake, PipelineError, SampleError, StateError, UsageError

if TYPE_CHECKING:
    from . import collate, sinks, sources, stages
    from ._batch import Batch
    from .commands import bench, index, inspect, ledger, materialize, plan, preview, train, verify
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
    "collate": ".",
    "from_torchvision": ".convert",
    "index": ".commands",
    "inspect": ".commands",
    "ledger": ".commands",
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
    "collate",
    "from_torchvision",
    "index",
    "inspect",
    "ledger",
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
