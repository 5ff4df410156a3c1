"""Pipelines: declared in Python, read from a file, or given as the content of one.

    from sluicedata import pipeline, sources, stages

    train = pipeline(
        sources.folder("data/train"),
        [
            stages.rebalance("square_root"),
            stages.decode(),
            stages.random_resized_crop(224),
            stages.flip(),
            stages.to_tensor(),
            stages.normalize("imagenet", "imagenet"),
            stages.batch(64),
        ],
        seed=42,
    )

Relative paths are relative to the working directory when the pipeline is used; those in a file, to the file.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from types import FrameType, FunctionType, UnionType
from typing import Any, Literal, Protocol, Union, get_args, get_origin, get_type_hints, is_typeddict

from . import _html
from ._settings import OnError, Split
from .errors import Mistake, PipelineError

__all__ = [
    "Component",
    "OnError",
    "Pipeline",
    "PipelineLike",
    "Split",
    "component",
    "composite",
    "custom",
    "explained",
    "pipeline",
    "resolve",
]


@dataclass(frozen=True)
class Component:
    """A stage, a source or a format: its name, the options that aren't its defaults, and where it was declared."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    place: tuple[str, int] = field(default=("", 0), compare=False, repr=False)  # Python file and line

    def to_dict(self) -> str | dict[str, Any]:
        """As a pipeline file has it: the name alone, or {name: options}."""
        return {self.name: dict(self.options)} if self.options else self.name

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{k}={v!r}' for k, v in self.options.items())})"


@dataclass(frozen=True)
class Pipeline:
    """A pipeline: a source, stages in their order, and settings, as in a pipeline file.

    It is a value: with_stages and with_settings return others. Without a source (None) it serves Transform alone.
    """

    source: Component | None
    stages: tuple[Component, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    place: tuple[str, int] = field(default=("", 0), compare=False, repr=False)  # where its settings were declared

    def to_dict(self) -> dict[str, Any]:
        """The content of a pipeline file."""
        return {
            "version": 1,
            **self.settings,
            **({"source": self.source.to_dict()} if self.source else {}),
            "stages": [stage.to_dict() for stage in self.stages],
        }

    def to_yaml(self) -> str:
        """The text of a pipeline file, which ``sluice plan -`` reads."""
        return "\n".join(text for text, _ in self._lines()) + "\n"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a pipeline file. Relative paths in it are then relative to its folder."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.to_yaml())

    def with_stages(self, *stages: Component | str | Mapping[str, Any]) -> Pipeline:
        """The same with other stages."""
        made = tuple(_component(s, f"stages[{i}]") for i, s in enumerate(stages))
        return Pipeline(self.source, made, self.settings, self.place)

    def with_settings(self, **settings: Any) -> Pipeline:
        """The same with other settings; None takes one away."""
        merged = {**self.settings, **settings}
        _checked_classes(merged.get("classes_from"))
        plain = {k: _plain(v, k) for k, v in merged.items() if v is not None}
        return Pipeline(self.source, self.stages, plain, _place())

    def __repr__(self) -> str:
        parts = [repr(self.source), f"[{', '.join(map(repr, self.stages))}]"]
        return f"pipeline({', '.join(parts + [f'{k}={v!r}' for k, v in self.settings.items()])})"

    def _repr_html_(self) -> str:
        return _html.pre(self.to_yaml())

    def _lines(self) -> list[tuple[str, tuple[str, Component | None]]]:
        """Each line of the file with what it declares: a component a line, so that a line is a place."""
        lines: list[tuple[str, tuple[str, Component | None]]] = [("version: 1", ("version", None))]
        for name, value in self.settings.items():
            lines.append((f"{name}: {_flow(value)}", (name, None)))
        if self.source:
            lines.append((f"source: {_flow(self.source.to_dict())}", ("source", self.source)))
        lines.append(("stages:" if self.stages else "stages: []", ("stages", None)))
        for i, stage in enumerate(self.stages):
            lines.append((f"  - {_flow(stage.to_dict())}", (f"stages[{i}]", stage)))
        return lines


class _Rooted(Protocol):
    """An ImageFolder, as far as it matters here."""

    root: Any


PipelineLike = str | os.PathLike[str] | Mapping[str, Any] | Pipeline
"""A pipeline, the path of a pipeline file, or its content as a dict."""


def pipeline(
    source: Component | Mapping[str, Any] | str | _Rooted,
    stages: Sequence[Component | Mapping[str, Any] | str],
    *,
    seed: int | None = None,
    epochs: int | None = None,
    fuse: Literal["full", "exact"] | None = None,
    split: Split | None = None,
    on_error: OnError | Literal["fail", "skip", "refill"] | None = None,
    classes_from: str | os.PathLike[str] | None = None,
    sink: Component | Mapping[str, Any] | str | None = None,
) -> Pipeline:
    """Declare a pipeline. Nothing is opened yet: mistakes raise PipelineError where it is used, each with its argument.

    Args:
        source: where the samples come from, of :mod:`sluicedata.sources`; an ImageFolder of torchvision stands for its folder.
        stages: what they pass, of :mod:`sluicedata.stages`, in this order.
        seed: of all random numbers, 0 to 2**64 - 1 (default: 0).
        epochs: passes over the data; a Loader prefetches nothing after the last (default: 1).
        fuse: full: resamplings merge into one; exact: only what leaves the reference's bytes unchanged (default: full).
        split: divides the source into training and validation samples: ``{"val": 0.1, "use": "train"}``.
        on_error: what to do about rows that fail: ``"skip"``, or ``{"policy": "refill", "max": "1%"}`` (default: fail).
        classes_from: another pipeline file, such as that of the training set: classes have the same numbers as there.
        sink: what materialize writes, of :mod:`sluicedata.sinks` (default: Arrow files).
    """
    if isinstance(stages, str | Mapping | Component) or not isinstance(stages, Iterable):
        raise TypeError(f"stages: want a list of stages, have {stages!r}")
    _checked_classes(classes_from)
    settings: dict[str, Any] = {
        "seed": seed,
        "epochs": epochs,
        "fuse": fuse,
        "classes_from": classes_from,
        "on_error": {"policy": on_error} if isinstance(on_error, str) else on_error,
        "split": split,
        "sink": None if sink is None else _component(sink, "sink").to_dict(),
    }
    return Pipeline(
        _source(source),
        tuple(_component(stage, f"stages[{i}]") for i, stage in enumerate(stages)),
        {k: _plain(v, k) for k, v in settings.items() if v is not None},
        _place(),
    )


def custom(name: str, **options: Any) -> Component:
    """A stage that an engine of your own has beside these; the environment variable SLUICE names its binary."""
    given = {k: _plain(v, f"{name}: {k}") for k, v in options.items() if v is not None}
    return Component(name, given, _place())


def component(of: Callable[..., Component], options: Mapping[str, Any]) -> Component:
    """A component of those options that are given and aren't the defaults: what the generated functions call."""
    kept, (kinds, usual) = {}, _signature(of)
    for name, value in options.items():
        what = f"{of.__name__}: {name}"
        if (value := _plain(value, what)) is None:
            continue
        if not _fits(value, kinds[name]):
            raise TypeError(f"{what}: want {of.__annotations__[name].removesuffix(' | None')}, have {value!r}")
        if value != usual[name] or type(value) is not type(usual[name]):
            kept[name] = value
    return Component(of.__name__, kept, _place())


def composite(of: Callable[..., Component], sources: Mapping[str, Component], options: Mapping[str, Any]) -> Component:
    """A source made of others, which stand under their names among its options."""
    if not isinstance(sources, Mapping):
        raise TypeError(f"{of.__name__}: sources: want a dict of sources by name, have {sources!r}")
    parts = {str(name): _source(part) for name, part in sources.items()}
    if taken := sorted(set(parts) & set(options)):
        raise TypeError(f"{of.__name__}: sources: {taken[0]!r} is the name of an option: choose another for the source")
    made = component(of, options)
    return Component(made.name, {**{k: part.to_dict() for k, part in parts.items()}, **made.options}, made.place)


def resolve(pipeline: PipelineLike) -> dict[str, Any]:
    """How the engine is told of a pipeline: its file, or its text and the folder of relative paths in it."""
    if isinstance(pipeline, str | os.PathLike):
        return {"file": os.path.abspath(os.fspath(pipeline))}
    if isinstance(pipeline, Pipeline) or _declared(pipeline):
        text = _parsed(pipeline).to_yaml()
    else:
        text = _flow(_plain({"version": 1, **pipeline}, "pipeline"))
    return {"text": text, "name": _NAME, "folder": os.getcwd()}


@contextmanager
def explained(pipeline: PipelineLike) -> Iterator[None]:
    """Have the mistakes that the engine finds in a declared pipeline point to the arguments that made them."""
    try:
        yield
    except PipelineError as error:
        if isinstance(pipeline, str | os.PathLike) or not _declared(pipeline):
            raise
        parsed = _parsed(pipeline)
        found = [_explained(mistake, parsed) for mistake in error.mistakes]
        text = str(error)
        if parsed.source and not found and text.startswith(_OPENING):  # which fails as a whole
            found = [_of("source", parsed.source, text.removeprefix(_OPENING))]
        if not found or found == error.mistakes:
            raise
        raise PipelineError("\n".join(map(str, found)), found) from None


_NAME = "pipeline"  # of a text, in the engine's errors
_OPENING = "sources: "  # begins the error of a source that cannot be opened


_MISSING = {
    "source": 'missing: say where the images are, such as sources.folder("data/train")',
    "stages": "missing: give a list, such as [stages.decode(), stages.resize(height=224, width=224), stages.batch(32)]",
}


def _explained(mistake: Mistake, pipeline: Pipeline) -> Mistake:
    lines = pipeline._lines()
    if mistake.file != _NAME or not 0 < mistake.line <= len(lines):
        return mistake
    argument, of = lines[mistake.line - 1][1]
    if missing := re.match("(source|stages) is missing", mistake.message):
        return Mistake(*pipeline.place, 0, f"{missing[1]}: {_MISSING[missing[1]]}")
    if of is None:
        return Mistake(*pipeline.place, 0, f"{argument}: {mistake.message.removeprefix(argument + ': ')}")
    return _of(argument, of, mistake.message)


def _of(argument: str, of: Component, message: str) -> Mistake:
    """A mistake of a component, which the engine calls by its name or, where there are several, by a name like flip_2."""
    text = re.sub(rf"^{re.escape(of.name)}(_\d+)?: ", "", message, count=1)
    return Mistake(*of.place, 0, f"{argument} {of!r}: {text}")


def _declared(pipeline: Pipeline | Mapping[str, Any]) -> bool:
    """Whether it has the parts of a pipeline: whatever else is in a dict is the engine's to refuse."""
    if isinstance(pipeline, Pipeline):
        return True
    stages = pipeline.get("stages")
    named = (str, Component)
    parts = [
        pipeline.get("source", ""),
        *(stages if isinstance(stages, Sequence) and not isinstance(stages, str) else [None]),
    ]
    return pipeline.get("version", 1) == 1 and all(
        isinstance(p, named) or (isinstance(p, Mapping) and len(p) == 1) for p in parts
    )


def _parsed(pipeline: Pipeline | Mapping[str, Any]) -> Pipeline:
    if isinstance(pipeline, Pipeline):
        return pipeline
    rest = {k: _plain(v, k) for k, v in pipeline.items() if k not in ("version", "source", "stages")}
    return Pipeline(
        _component(pipeline["source"], "source") if "source" in pipeline else None,
        tuple(_component(stage, f"stages[{i}]") for i, stage in enumerate(pipeline["stages"])),
        rest,
    )


def _source(value: Any) -> Component:
    """A source; a path is none, and an ImageFolder is that of its folder."""
    from . import sources  # which is made of this module

    if isinstance(value, str | os.PathLike):
        path = os.fspath(value)
        if path in sources.__all__ or (isinstance(value, str) and not _like_a_path(value)):
            return _component(path, "source")
        made = "manifest" if path.lower().endswith((".csv", ".tsv", ".jsonl")) else "folder"
        raise TypeError(f"source: {path!r} is a path, which doesn't say what is there: give sources.{made}({path!r})")
    if type(value).__name__ in ("ImageFolder", "DatasetFolder") and hasattr(value, "root"):
        root = os.fspath(value.root)
        if type(value).__name__ == "DatasetFolder" or not type(value).__module__.startswith("torchvision."):
            raise TypeError(f"source: {type(value).__name__} may read files its own way: give sources.folder({root!r})")
        return sources.folder(root, label="outermost")  # its classes, in its order
    return _component(value, "source")


def _like_a_path(text: str) -> bool:
    return any(c in text for c in {"/", ".", os.sep}) or os.path.exists(text)


def _checked_classes(classes_from: Any) -> None:
    if isinstance(classes_from, Pipeline | Mapping):
        raise TypeError(
            'classes_from: want the file of a pipeline: save it first, train.save("train.yaml"), and give classes_from="train.yaml"'
        )


def _component(value: Component | Mapping[str, Any] | str, argument: str) -> Component:
    if isinstance(value, Component):
        return value
    if isinstance(value, str):
        return Component(value)
    if isinstance(value, Mapping) and len(value) == 1:
        name, options = next(iter(value.items()))
        if options is None:
            return Component(str(name))
        if isinstance(options, Mapping):
            return Component(str(name), {str(k): _plain(v, f"{argument}: {k}") for k, v in options.items()})
    if isinstance(value, FunctionType):
        raise TypeError(f"{argument}: {value.__name__} is a function: call it, {value.__name__}(...)")
    raise TypeError(
        f"{argument}: want a name, {{name: {{option: value}}}}, or what a function such as stages.flip() makes, have {value!r}"
    )


@cache
def _signature(of: Callable[..., Component]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The types of a generated function's options, and their defaults."""
    usual = {p.name: p.default for p in inspect.signature(of).parameters.values()}
    return get_type_hints(of), {
        k: None if v is inspect.Parameter.empty else _plain(v, f"{of.__name__}: {k}") for k, v in usual.items()
    }


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value could be one of a type; which numbers and which words an option takes, the engine knows."""
    if kind is object:
        return True
    origin, of = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return any(_fits(value, k) for k in of)
    if isinstance(value, list):
        return origin in (Sequence, tuple) and all(_fits(v, of[0]) for v in value)
    if isinstance(value, dict):
        return is_typeddict(kind) or (origin is Mapping and all(_fits(v, of[1]) for v in value.values()))
    if isinstance(value, str):
        return kind is str or origin is Literal
    return kind is bool if isinstance(value, bool) else kind in (int, float)


def _plain(value: Any, what: str) -> Any:
    """A value as JSON has it: tuples are lists, paths are text, numbers of NumPy and PyTorch are numbers."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int | float):
        return int(value) if isinstance(value, int) else float(value)
    if isinstance(value, Component):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {str(k): _plain(v, f"{what}: {k}") for k, v in value.items()}
    if isinstance(value, Sequence | set | frozenset | range) and not isinstance(value, bytes | bytearray):
        return [_plain(v, what) for v in value]
    if hasattr(value, "tolist"):  # arrays, tensors, their scalars
        return _plain(value.tolist(), what)
    raise TypeError(f"{what}: want numbers, text, lists or dicts of them, have {type(value).__name__}")


_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}  # which some YAML takes for others


def _flow(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_flow(k)}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str) and _BARE.fullmatch(value) and value.lower() not in _WORDS:
        return value
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return {"inf": ".inf", "-inf": "-.inf"}.get(str(value), ".nan")
    return json.dumps(value, ensure_ascii=False)


def _place() -> tuple[str, int]:
    """The file and line outside of this package that called it."""
    frame: FrameType | None = sys._getframe(1)
    here = os.path.dirname(__file__)
    while frame is not None and os.path.dirname(frame.f_code.co_filename) == here:
        frame = frame.f_back
    return ("", 0) if frame is None else (frame.f_code.co_filename, frame.f_lineno)
