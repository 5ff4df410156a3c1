"""What the command line does, as functions: each returns its report.

Every function takes a pipeline as a file, as the content of one (a dict), or as :func:`sluicedata.pipeline` declares it,
and the settings of :class:`Settings` by keyword. Warnings and progress go to the logger "sluicedata". A pipeline that
cannot run raises PipelineError, with all of its mistakes; a row that cannot be made SampleError; any other failure
EngineError, in the command line's words.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from . import _command, errors
from ._command import Settings
from .pipelines import PipelineLike, explained
from .reports import (
    BenchReport,
    IndexReport,
    InspectReport,
    LedgerReport,
    PlanReport,
    PreviewReport,
    RunReport,
    TrainReport,
    VerifyError,
    VerifyReport,
)

__all__ = ["Settings", "bench", "index", "inspect", "ledger", "materialize", "plan", "preview", "train", "verify"]

StrPath = str | os.PathLike[str]


def plan(pipeline: PipelineLike, **settings: Unpack[Settings]) -> PlanReport:
    """Checks a pipeline and says what it will do: `sluice plan`.

    No image is decoded, unless normalize measures the data set.
    """
    return PlanReport.from_json(_run("plan", pipeline, [], settings))


def preview(
    pipeline: PipelineLike,
    output: StrPath | None = None,
    *,
    per_class: int = 4,
    classes: int = 12,
    task: str | None = None,
    **settings: Unpack[Settings],
) -> PreviewReport:
    """Makes an HTML page with augmented samples of each class: before, after, and what was drawn: `sluice preview`.

    output: the file to write it to; without it the page is only in the report, which a notebook shows.
    per_class: draws shown of each class. classes: classes shown; if there are more, the commonest and the rarest.
    task: whose classes group the draws; the first by default.
    """
    more = _command.flags(
        "preview", {"per_class": per_class, "classes": classes, "task": task}, ("per_class", "classes", "task")
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "preview.html") if output is None else Path(output)
        report = _run("preview", pipeline, [*more, f"--out={file}"], settings)
        page = file.read_text(encoding="utf-8")
    if output is None:
        report["file"] = ""
        report["text"] = report["text"].removeprefix(f"{file}: ").replace("; open it in a browser", "")
    return PreviewReport.from_json(report | {"html": page})


def ledger(
    pipeline: PipelineLike | RunReport | InspectReport,
    output: StrPath | None = None,
    *,
    classes: int = 40,
    **settings: Unpack[Settings],
) -> LedgerReport:
    """Makes an HTML page of what each class gets, in all and by epoch: `sluice ledger`.

    pipeline: what a run of it will show, without reading an image. Or what a run showed: its report, as loader.report() and
    materialize() give it, or that of inspect(). Or a path: the directory of a data set, the JSON report of a run, or a state. output: the file to write the page to; without it the page is only in the report, which a notebook
    shows. classes: classes shown; if there are more, the commonest and the rarest.
    """
    if pipeline is None:  # what Loader.report() is at first
        raise errors.UsageError(
            "ledger: there is no report yet: loader.report() is None until the run is over, which is after as many epochs as the "
            "pipeline says, or Loader(epochs=): take all of them. loader.state_dict() has the ledger so far: give its file, as JSON"
        )
    more = _command.flags("ledger", {"classes": classes}, ("classes",))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "ledger.html") if output is None else Path(output)
        if isinstance(pipeline, RunReport | InspectReport):
            report_file = Path(folder, "report.json")
            report_file.write_text(json.dumps(pipeline.to_dict()), encoding="utf-8")
            pipeline = report_file
        report = _run("ledger", pipeline, [*more, f"--out={file}"], settings)
        page = file.read_text(encoding="utf-8")
    if output is None:
        report["file"] = ""
        report["text"] = report["text"].removeprefix(f"{file}: ").replace(" Open it in a browser", "")
    return LedgerReport.from_json(report | {"html": page})


def materialize(
    pipeline: PipelineLike,
    output: StrPath,
    *,
    format: str | None = None,
    codec: str | None = None,
    part_rows: int | None = None,
    shard: tuple[int, int] | None = None,
    any_space: bool = False,
    update: bool = False,
    **settings: Unpack[Settings],
) -> RunReport:
    """Writes the batches as a data set in the directory output, Arrow files by default: `sluice materialize`.

    Called again after an interruption, it resumes. format, codec ("none", "lz4", "zstd") and part_rows override the
    pipeline's sink. shard: (i, n) writes shard i of n only, i from 0. any_space: starts even if the disk seems too small.
    update: rewrites the files whose samples have changed, and only those.
    """
    more = {"format": format, "codec": codec, "part_rows": part_rows, "any_space": any_space, "update": update}
    if shard is not None:
        more["shard"] = f"{shard[0]}/{shard[1]}"
    arguments = [*_command.flags("materialize", more, more), f"--out={os.fspath(output)}"]
    return RunReport.from_json(_run("materialize", pipeline, arguments, settings))


def bench(
    pipeline: PipelineLike, *, repeat: int = 5, seconds: float = 2.0, **settings: Unpack[Settings]
) -> BenchReport:
    """Measures a pipeline whose batches are dropped: images per second, time by operator, memory: `sluice bench`.

    repeat: measured runs, after a warm-up. seconds: length of a run, unless epochs= says how many epochs it has.
    """
    return BenchReport.from_json(_run("bench", pipeline, [f"--repeat={repeat}", f"--time={seconds:.9f}s"], settings))


def train(
    pipeline: PipelineLike,
    trainer: StrPath | Mapping[str, Any],
    output: StrPath,
    *,
    resume: bool = False,
    **settings: Unpack[Settings],
) -> TrainReport:
    """Trains one of the engine's own models on the batches as they come: `sluice train`, on the CPU and without PyTorch.

    trainer: a trainer file, or the content of one, whose relative paths are relative to the working directory.
    output: the directory of weights, checkpoint, log and report. resume: from the last completed epoch of an earlier run.
    """
    arguments = [f"--out={os.fspath(output)}", *(["--resume"] if resume else [])]
    if not isinstance(trainer, Mapping):
        return TrainReport.from_json(_run("train", pipeline, [*arguments, f"--trainer={os.fspath(trainer)}"], settings))
    content = dict(trainer)
    if isinstance(held_out := content.get("eval"), Mapping) and isinstance(held_out.get("pipeline"), str | os.PathLike):
        content["eval"] = {**held_out, "pipeline": os.path.abspath(held_out["pipeline"])}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "trainer.yaml")
        file.write_text(_command.yaml("trainer", content), encoding="utf-8")
        try:
            report = _run("train", pipeline, [*arguments, f"--trainer={file}"], settings)
        except errors.PipelineError as error:
            raise errors.PipelineError(
                str(error).replace(str(file), "trainer"),
                [
                    errors.Mistake(m.file.replace(str(file), "trainer"), m.line, m.column, m.message)
                    for m in error.mistakes
                ],
            ) from None
    return TrainReport.from_json(report)


def verify(
    directory: StrPath,
    source: PipelineLike | None = None,
    *,
    set: Mapping[str, Any] | Sequence[str] | None = None,
    without: Sequence[str] | None = None,
    use: str | None = None,
) -> VerifyReport:
    """Checks a materialized data set against its manifest: `sluice verify`. VerifyError says what differs.

    source: a pipeline; every sample of its source is read, too, and compared with its recorded fingerprint. set, without
    and use change that pipeline.
    """
    arguments, text = [_place(directory)], None
    if source is not None:
        given = _command.Input(source)
        arguments, text = [*arguments, f"--source={given.file}", *given.flags], given.text
    arguments += _command.flags("verify", {"set": set, "without": without, "use": use})

    def failed(report: dict[str, Any]) -> errors.Error:
        if report.get("problems"):
            return VerifyError(report["error"], VerifyReport.from_json(report | {"text": report["error"]}))
        return _command.failure(report)

    with contextlib.nullcontext() if source is None else explained(source):
        return VerifyReport.from_json(_command.run("verify", arguments, text, failed))


def index(
    pipeline: PipelineLike,
    *,
    cache: StrPath | None = None,
    set: Mapping[str, Any] | Sequence[str] | None = None,
    without: Sequence[str] | None = None,
    use: str | None = None,
) -> IndexReport:
    """Lists a pipeline's source now and keeps its index, so that every start opens at once: `sluice index`.

    cache: the directory to keep it in; by default the environment's SLUICE_CACHE, or sluice in the user's cache
    directory. set, without and use change the pipeline.
    """
    given = _command.Input(pipeline)
    more = _command.flags(
        "index", {"set": set, "without": without, "use": use, "cache": cache}, ("set", "without", "use", "cache")
    )
    with explained(pipeline):
        return IndexReport.from_json(_command.run("index", [given.file, *given.flags, *more], given.text))


def inspect(path: StrPath, *, stats: bool = False) -> InspectReport:
    """Says what a data set, an Arrow file or a file with a stream holds: `sluice inspect`.

    stats: also the mean and the standard deviation of each channel.
    """
    return InspectReport.from_json(_command.run("inspect", [_place(path), *(["--stats"] if stats else [])]))


def _run(command: str, pipeline: PipelineLike, arguments: list[str], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Runs a command on a pipeline."""
    more = _command.flags(command, settings)
    given = _command.Input(pipeline)
    with explained(pipeline):
        return _command.run(command, [given.file, *given.flags, *arguments, *more], given.text)


def _place(path: StrPath) -> str:
    """A path as an argument, which must not look like a flag."""
    name = os.fspath(path)
    return os.path.join(".", name) if name.startswith("-") else name
