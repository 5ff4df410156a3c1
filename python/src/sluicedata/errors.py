"""The exceptions of this package. Each is an :class:`Error`, and a ValueError or a RuntimeError as well."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["EngineError", "Error", "Mistake", "PipelineError", "SampleError", "StateError", "UsageError"]


@dataclass(frozen=True)
class Mistake:
    """One mistake in a pipeline, and its place.

    file is a pipeline file, or for what was declared in Python the program; "" if there is no file. line and column count
    from 1; 0 is unknown.
    """

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        return f"{place}: {self.message}" if place else self.message


class Error(Exception):
    """Base class of this package's exceptions. All of them can be pickled."""


class PipelineError(Error, ValueError):
    """A pipeline that cannot run. mistakes lists everything that is wrong with it, each with its place."""

    def __init__(self, message: str, mistakes: Sequence[Mistake] = ()) -> None:
        super().__init__(message)
        self.mistakes: list[Mistake] = list(mistakes)


class SampleError(Error, RuntimeError):
    """A row that cannot be made: its file (key), its draw (epoch, position), the stage that failed, and the cause."""

    def __init__(
        self, message: str, key: str = "", epoch: int = 0, position: int = 0, stage: str = "", cause: str = ""
    ) -> None:
        super().__init__(message)
        self.key = key
        self.epoch = epoch
        self.position = position
        self.stage = stage
        self.cause = cause


class StateError(Error, ValueError):
    """A state that is damaged or belongs to another pipeline. The message says what differs."""


class UsageError(Error, ValueError):
    """Arguments that are invalid or don't go together, or a call that isn't possible now."""


class EngineError(Error, RuntimeError):
    """The engine cannot be started, has died, or sends what this package doesn't understand."""


_PACKAGE = re.compile("^( *)(?:flow|sinks|stages): ", re.MULTILINE)  # what messages of the engine begin with in Go


def from_head(head: Mapping[str, Any]) -> Error:
    """The exception that an ERROR message of the engine stands for."""
    message = _PACKAGE.sub(r"\1", str(head.get("message") or "the engine failed without saying why"))
    match head.get("kind"):
        case "pipeline":
            told = [_mistake(entry) for entry in head.get("mistakes") or []]
            mistakes = [_argument(mistake) for mistake in told]
            if message == "\n".join(map(str, told)):
                message = "\n".join(map(str, mistakes))
            return PipelineError(_in_python(message), mistakes)
        case "sample":
            return SampleError(
                message,
                key=str(head.get("key") or ""),
                epoch=int(head.get("epoch") or 0),
                position=int(head.get("position") or 0),
                stage=str(head.get("stage") or ""),
                cause=str(head.get("cause") or ""),
            )
        case "state":
            return StateError(message)
        case "usage":
            return UsageError(_in_python(message))
    return EngineError(message)


def _mistake(entry: Mapping[str, Any]) -> Mistake:
    return Mistake(
        file=str(entry.get("file") or ""),
        line=int(entry.get("line") or 0),
        column=int(entry.get("column") or 0),
        message=str(entry.get("message") or ""),
    )


def _argument(mistake: Mistake) -> Mistake:
    """A mistake of a flag, such as --max-bad x, as one of the argument that became it."""
    message = _in_python(mistake.message)
    flag = re.fullmatch(r"--([a-z-]+)(?:[ =](.*))?", mistake.file, re.DOTALL)
    if flag is None:
        return Mistake(mistake.file, mistake.line, mistake.column, message)
    given = f"{flag[1].replace('-', '_')}: " + (f"{flag[2]}: " if flag[2] else "")
    return Mistake("", 0, 0, given + message)


_SET = re.compile(r"--set ([\w.-]+)=([^\s,;:)]+)")
_NAMES = re.compile(
    r"--(set|without|use|workers|readers|budget|seed|epochs|exec|fuse|params|on-error|max-bad|quarantine)(?![\w-]|[ =]\S+:)"
)


def _in_python(message: str) -> str:
    """A message that advises flags of the command line, with the arguments that stand for them."""
    message = _SET.sub(r'set={"\1": \2}', message)
    return _NAMES.sub(lambda flag: flag[1].replace("-", "_") + "=", message)
