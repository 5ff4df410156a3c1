"""The exceptions of this package: all are an :class:`Error`, and each is also the built-in that fits it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["EngineError", "Error", "Mistake", "PipelineError", "SampleError", "StateError", "UsageError"]


@dataclass(frozen=True)
class Mistake:
    """One mistake of a pipeline.

    file is empty for a pipeline that isn't a file, line and column count from 1 and are 0 where no place is known.
    """

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        return f"{place}: {self.message}" if place else self.message


class Error(Exception):
    """What this package raises. Every such error can be made of its message alone, so all of them can be pickled."""


class PipelineError(Error, ValueError):
    """A pipeline that cannot be planned: mistakes has all of them, each with its place."""

    def __init__(self, message: str, mistakes: Sequence[Mistake] = ()) -> None:
        super().__init__(message)
        self.mistakes: list[Mistake] = list(mistakes)


class SampleError(Error, RuntimeError):
    """A row that cannot be made: of which file (key), as which draw (epoch, position), in which stage, and why."""

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
    """A state that doesn't belong to this pipeline, or isn't a state: the message says what differs."""


class UsageError(Error, ValueError):
    """A call with arguments that don't go together, or at a moment when it cannot be done."""


class EngineError(Error, RuntimeError):
    """The engine cannot be started, has ended before its time, or doesn't speak the protocol of this package."""


def from_head(head: Mapping[str, Any]) -> Error:
    """The exception that an ERROR message of the engine stands for."""
    message = str(head.get("message") or "the engine failed without saying why")
    match head.get("kind"):
        case "pipeline":
            return PipelineError(message, [_mistake(entry) for entry in head.get("mistakes") or []])
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
            return UsageError(message)
    return EngineError(message)


def _mistake(entry: Mapping[str, Any]) -> Mistake:
    return Mistake(
        file=str(entry.get("file") or ""),
        line=int(entry.get("line") or 0),
        column=int(entry.get("column") or 0),
        message=str(entry.get("message") or ""),
    )
