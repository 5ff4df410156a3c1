"""Runs a command of the engine's command line and gets its report."""

from __future__ import annotations

import difflib
import json
import logging
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypedDict

from . import __version__, errors, pipelines
from ._binary import engine_path

log = logging.getLogger("sluicedata")

# How long an interrupted engine may take to put its files in order.
_GRACE = 10.0


class Settings(TypedDict, total=False):
    """Settings that every command takes by keyword; they override the pipeline's own. None: the pipeline's, or the default.

    set: changes of the pipeline, in order: {"stages.rotate.degrees": 10, "split.val": 0.2}. A relative path is relative
    to the working directory. Texts such as ["split.val=0.2"] are read as the command line reads them. without: names of
    stages to leave out. use: "train" or "val", the side of the split.
    workers, readers: threads that decode and that read ahead. budget: bytes, or a text such as "256MiB". seed, epochs.
    exec: "fused" or "reference". fuse: "full" or "exact". params: adds the column params. on_error: "fail", "skip" or
    "refill". max_bad: a number of draws, or a share such as "1%". quarantine: a file that lists what failed.

    workers, readers and budget never change the bytes.
    """

    set: Mapping[str, Any] | Sequence[str] | None
    without: Sequence[str] | None
    use: str | None
    workers: int | None
    readers: int | None
    budget: int | str | None
    seed: int | None
    epochs: int | None
    exec: str | None
    fuse: str | None
    params: bool | None
    on_error: str | None
    max_bad: int | str | None
    quarantine: str | os.PathLike[str] | None


def flags(command: str, settings: Mapping[str, Any], known: Iterable[str] = Settings.__annotations__) -> list[str]:
    """The command line's flags of settings; None and False are none."""
    names = list(known)
    out: list[str] = []
    for name, value in settings.items():
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            hint = f": did you mean {near[0]}?" if near else f"; settings are {', '.join(names)}"
            raise TypeError(f"{command}() has no setting {name}{hint}")
        flag = "--" + name.replace("_", "-")
        if name == "set":
            out += [f"{flag}={edit}" for edit in edits(value)]
        elif name == "without":
            out += [f"{flag}={stage}" for stage in ([value] if isinstance(value, str) else value or ())]
        elif value is True:
            out.append(flag)
        elif value is not None and value is not False:
            out.append(f"{flag}={os.fspath(value) if isinstance(value, os.PathLike) else value}")
    return out


def edits(given: Mapping[str, Any] | Sequence[str] | None) -> list[str]:
    """Changes of a pipeline as PATH=VALUE."""
    if isinstance(given, Mapping):
        return [f"{path}={yaml(path, value)}" for path, value in given.items()]
    return [given] if isinstance(given, str) else list(given or ())


def yaml(path: str, value: Any) -> str:
    """A value as --set takes it: JSON, which is YAML."""

    def plain(other: Any) -> Any:
        if isinstance(other, os.PathLike):
            return os.fspath(other)
        if hasattr(other, "item"):  # a number of NumPy or torch
            return other.item()
        raise TypeError(f"{type(other).__name__} is no plain data")

    try:
        return json.dumps(value, default=plain, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise errors.UsageError(f"set: {path}: {error}") from None


class Input:
    """A pipeline as the command line takes it: a file to name, or a text for stdin."""

    def __init__(self, pipeline: pipelines.PipelineLike) -> None:
        found = pipelines.resolve(pipeline)
        self.text: str | None = None
        if "file" in found:
            # As it was given: relative paths stay so in messages.
            self.file = os.fspath(pipeline) if isinstance(pipeline, str | os.PathLike) else str(found["file"])
            if self.file.startswith("-"):
                self.file = os.path.join(".", self.file)
            self.flags: list[str] = []
        else:
            self.file, self.text = "-", str(found["text"])
            self.flags = [f"--stdin-name={found['name']}", f"--stdin-folder={found['folder']}"]


def failure(report: Mapping[str, Any]) -> errors.Error:
    """The exception of a failure's report, which has the members error, exit, errors and perhaps row."""
    row = report.get("row")
    # A source that cannot be opened is a pipeline that cannot be planned, whatever its exit status.
    planned = report.get("exit") == 2 or str(report.get("error")).startswith("sources: ")
    kind = "pipeline" if planned else "sample" if row else "engine"
    return errors.from_head(
        {"kind": kind, "message": report.get("error"), "mistakes": report.get("errors"), **(row or {})}
    )


def run(
    command: str,
    arguments: Sequence[str],
    text: str | None = None,
    failed: Callable[[dict[str, Any]], errors.Error] = failure,
) -> dict[str, Any]:
    """Runs `sluice COMMAND ARGUMENTS --json` with text on stdin and returns the report, whose member text is what people read.

    Warnings and progress go to logging. failed makes an exception of a failure's report. KeyboardInterrupt ends the engine
    as Ctrl-C ends it in a shell: what is finished stays, the rest is taken away.
    """
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stdout:
        stdin.write((text or "").encode())
        stdin.seek(0)
        # A process group of its own: a terminal's Ctrl-C comes to Python alone, which passes it on once.
        path = engine_path()
        try:
            process = subprocess.Popen(
                [path, "--as-child", command, *arguments, "--json"],
                stdin=stdin,
                stdout=stdout,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                process_group=0,
            )
        except OSError as error:
            raise errors.EngineError(f"the engine {path} cannot be started: {error}") from None
        with process:
            try:
                said = _listen(command, process)
                process.wait()
            except BaseException:
                _end(process)
                raise
        stdout.seek(0)
        output = stdout.read()
    try:
        report = json.loads(output)
    except ValueError:
        raise _lost(command, process.returncode, said) from None
    if not isinstance(report, dict):
        raise _lost(command, process.returncode, said)
    said_no = str(report.get("error"))
    if process.returncode != 0 and said_no.startswith(("unknown flag", "unexpected argument")):  # and these are ours
        raise errors.EngineError(
            f"the engine {path} is of another version than this package ({__version__}), most likely older: {said_no}; "
            "install a sluice and a sluicedata that belong together"
        )
    if process.returncode != 0:
        raise failed(report)
    return report


def _listen(command: str, process: subprocess.Popen[str]) -> list[str]:
    """Passes on what the engine says, until it ends; returns the last lines that are neither warnings nor progress."""
    assert process.stderr is not None
    said: list[str] = []
    for line in process.stderr:
        line = line.rstrip()
        if line.startswith("warning: "):
            log.warning("%s", line.removeprefix("warning: "))
        elif line.startswith(f"{command}: "):
            log.info("%s", line)
        else:
            said = [*said[-20:], line]
    return said


def _end(process: subprocess.Popen[str]) -> None:
    """Ends the engine: politely, and by force where that takes too long."""
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=_GRACE)
    except BaseException:  # a second Ctrl-C, too
        process.kill()
        process.wait()


def _lost(command: str, status: int, said: Sequence[str]) -> errors.EngineError:
    """The error of an engine that ended without a report."""
    how = f"with status {status}"
    if status < 0:
        how = f"by signal {-status} ({signal.strsignal(-status)})"
        if -status == signal.SIGKILL:
            how += ": where memory is short, budget= takes less of it"
    return errors.EngineError("\n".join([f"sluice {command} ended {how}, without a report", *said]))
