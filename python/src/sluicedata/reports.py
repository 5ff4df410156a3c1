"""The reports of the commands."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, fields
from typing import Any, Self

from . import _html
from .errors import EngineError, Error

__all__ = [
    "BenchReport",
    "InspectReport",
    "LedgerReport",
    "PlanReport",
    "PreviewReport",
    "Report",
    "RunReport",
    "TrainReport",
    "VerifyError",
    "VerifyReport",
]

ByClass = dict[str, dict[str, int]]
"""A number for each class of each task: {task: {class: n}}. The class "" is an unknown label."""


@dataclass(frozen=True, repr=False, kw_only=True)
class Report:
    """A report. str() is the text that the command line prints, to_dict() everything that it prints with --json."""

    _data: dict[str, Any] = field(default_factory=dict, compare=False)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The report of what the engine has printed."""
        known = {f.name: data[f.name] for f in fields(cls) if f.name in data}
        try:
            return cls(**known, _data=data)
        except TypeError as error:
            raise EngineError(f"the engine's report isn't one of this version of sluicedata: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        """All of the report, as plain data."""
        return {name: value for name, value in copy.deepcopy(self._data).items() if name != "text"}

    def __str__(self) -> str:
        text = self._data.get("text")
        return text.rstrip("\n") if isinstance(text, str) else repr(self)

    def __repr__(self) -> str:
        shown = [
            f"{f.name}={getattr(self, f.name)!r}"
            for f in fields(self)
            if f.name != "_data" and isinstance(getattr(self, f.name), str | int | float)
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    def _repr_html_(self) -> str:
        return _html.pre(str(self))


@dataclass(frozen=True, repr=False, kw_only=True)
class PlanReport(Report):
    """What a pipeline will do."""

    plan_hash: str
    """Equal for two runs that give the same bytes."""
    seed: int
    samples: int
    """In the source, after the split."""
    epochs: int
    rows_per_epoch: int
    batches_per_epoch: int
    records_per_epoch: int
    """Batches, where each scale of one counts."""
    batch_size: int
    columns: list[str]
    shapes: list[str]
    """Of the images delivered, such as uint8[224,224,3], one for each scale; empty if they aren't decoded."""
    warnings: list[str]

    @property
    def classes(self) -> dict[str, list[str]]:
        """Class names by task, in the order of class numbers."""
        return {task["name"]: list(task["classes"]) for task in self._data["tasks"]}

    @property
    def counts(self) -> ByClass:
        """Samples by class."""
        return self._by_class(self._data["counts"])

    @property
    def drawn(self) -> ByClass | None:
        """The first epoch's draws by class; None where they are too many to count."""
        return None if self._data["drawn"] is None else self._by_class(self._data["drawn"])

    @property
    def multi(self) -> ByClass:
        """Of each task of several labels, the samples that have each class; at "" those whose labels are unknown."""
        return dict(self._data.get("multi") or {})

    @property
    def objects(self) -> dict[str, int]:
        """Objects of each class, in all samples that the pipeline draws from; empty where there are none."""
        return dict(self._data.get("objects") or {})

    def _by_class(self, counts: list[list[int]]) -> ByClass:
        return {
            task: {name: n for name, n in zip([*names, ""], of, strict=True) if name or n}
            for (task, names), of in zip(self.classes.items(), counts, strict=True)
        }

    def _repr_html_(self) -> str:
        drawn = self.drawn
        if drawn is None:
            return _html.pre(str(self)) + _html.counts(self.counts, head=["samples"])
        return _html.pre(str(self)) + _html.counts(self.counts, drawn, head=["samples", "drawn in the first epoch"])


@dataclass(frozen=True, repr=False, kw_only=True)
class RunReport(Report):
    """What a run delivered, and where its time went."""

    rows: int
    """Delivered; each scale of a batch counts."""
    drawn: int
    """Draws in the delivered batches, failed ones included."""
    failed: int
    """Draws that gave no row."""
    refilled: int
    """Rows in which another sample of the class replaces one that failed."""
    filled: int
    """Rows of damaged files whose missing part decode filled in (truncated="fill")."""
    batches: int
    epochs: int
    seconds: float
    images_per_second: float
    plan_hash: str
    seed: int
    workers: int
    samples: int
    bottleneck: str
    """The busiest operators, in words."""
    busy: dict[str, float]
    """Share of the time in which read, decode, transform, batch and sink were busy."""
    memory: dict[str, Any]
    """budget_bytes, peak_bytes, row_bytes (of the largest row), waited (share of the time in which rows waited for memory)."""
    ledger: dict[str, dict[str, dict[str, Any]]]
    """{task: {class: {quota, drawn, delivered, failed, refilled, filled, distinct, repeats, samples, weight,
    weight_share, strength}}}: what each class got."""
    delivered: ByClass = field(default_factory=dict)
    """Delivered rows by class."""
    images: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    """The same of tasks of several labels, and of the classes of objects under the name boxes: a picture counts for every class that it has."""
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    """{class: {seen, delivered, clipped, dropped: {why: n}}}: what became of the objects of each class; empty where there are none."""
    ledger_by_epoch: list[dict[str, Any]] = field(default_factory=list)
    """[{epochs: [first, past the last], ledger, images}]: the same epoch by epoch; with many classes, several epochs are one."""
    warnings: list[str] = field(default_factory=list)

    def _repr_html_(self) -> str:
        head = ["quota", "drawn", "delivered", "distinct", "failed", "refilled"]
        columns = [{task: {name: e[h] for name, e in of.items()} for task, of in self.ledger.items()} for h in head]
        return _html.pre(str(self)) + _html.counts(*columns, head=head)


@dataclass(frozen=True, repr=False, kw_only=True)
class BenchReport(RunReport):
    """How fast a pipeline is on this machine: the run of median speed, and all of them."""

    images_per_second_min: float
    images_per_second_max: float
    milliseconds_per_image: dict[str, float]
    """Of one processor, by operator."""
    allocations_per_image: float
    allocated_bytes_per_image: float
    peak_memory_bytes: int
    """Of the engine's process, plan and warm-up included."""
    repeats: list[dict[str, float]]
    """rows, seconds and images_per_second of each run."""

    def _repr_html_(self) -> str:
        return _html.pre(str(self))


@dataclass(frozen=True, repr=False, kw_only=True)
class TrainReport(RunReport):
    """What a training of `sluice train` reached."""

    tasks: dict[str, dict[str, Any]]
    """Metrics by task on the first evaluation: balanced_accuracy, accuracy, recall by class, ..."""
    evaluated_on: str
    """Name of that evaluation; "" without one."""
    evaluations: dict[str, dict[str, dict[str, Any]]]
    """The same for every evaluation."""
    train: dict[str, Any]
    """steps, epochs with their losses, history of all epochs, the model."""

    def _repr_html_(self) -> str:
        return _html.pre(str(self))


@dataclass(frozen=True, repr=False, kw_only=True)
class LedgerReport(Report):
    """A page of what each class gets."""

    file: str
    """Where the page was written; "" without output=."""
    html: str = field(repr=False)
    """The page."""
    plan_hash: str
    of: str
    """What it is the ledger of, a sentence."""
    ledger: dict[str, dict[str, dict[str, Any]]]
    """{task: {class: numbers}}, as of a RunReport."""
    ledger_by_epoch: list[dict[str, Any]] = field(default_factory=list)
    """[{epochs: [first, past the last], ledger}]."""

    def __repr__(self) -> str:
        return f"LedgerReport(file={self.file!r}, of={self.of!r})"

    def _repr_html_(self) -> str:
        return _html.frame(self.html)


@dataclass(frozen=True, repr=False, kw_only=True)
class PreviewReport(Report):
    """A page of draws of each class: before, after, and what was drawn."""

    file: str
    """Where the page was written; "" without output=."""
    html: str = field(repr=False)
    """The page."""
    plan_hash: str
    classes: int
    """Shown."""
    draws: int
    """Shown."""
    failed: int
    refilled: int
    filled: int
    warnings: list[str]

    def __repr__(self) -> str:
        return f"PreviewReport(file={self.file!r}, classes={self.classes}, draws={self.draws})"

    def _repr_html_(self) -> str:
        return _html.frame(self.html)


@dataclass(frozen=True, repr=False, kw_only=True)
class VerifyReport(Report):
    """What `verify` found in a data set."""

    parts: int
    rows: int
    bytes: int
    problems: list[dict[str, str]]
    """name, kind and text of each file that differs. Empty in a report that verify() returns."""
    warnings: list[str]


@dataclass(frozen=True, repr=False, kw_only=True)
class IndexReport(Report):
    """What `index` listed."""

    samples: int
    seconds: float
    sources: list[dict[str, Any]]
    """source, samples, units (directories, shards and lists), read (of them; the others were known), bytes and file of
    each index."""


class VerifyError(Error, RuntimeError):
    """A data set that differs from its manifest or its source: report has each problem."""

    def __init__(self, message: str, report: VerifyReport | None = None) -> None:
        super().__init__(message)
        self.report = report


@dataclass(frozen=True, repr=False, kw_only=True)
class InspectReport(Report):
    """What a data set, a file or a stream holds."""

    path: str
    plan_hash: str
    seed: int
    rows: int
    batches: int
    columns: list[dict[str, str]]
    """name and type (Arrow's) of each."""
    shapes: list[dict[str, Any]]
    """image (such as uint8[64,64,3]) and rows of each shape, its scale, and with stats mean and std by channel."""
    tasks: ByClass
    """Rows by class."""
    samples: ByClass
    """Samples drawn from, by class."""
    ledger: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    """{task: {class: {samples, delivered, distinct, repeats, weight, weight_share, strength}}}: what the rows show of each
    class; a row in several scales counts once."""
    ledger_by_epoch: list[dict[str, Any]] = field(default_factory=list)
    """[{epochs: [first, past the last], ledger, images}]: the same epoch by epoch."""
    images: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    """The same of tasks of several labels, and of the classes of objects ("boxes"): a row counts for each that it shows."""
