"""Transform: a pipeline's picture stages on images at hand."""

from __future__ import annotations

import json
import math
import os
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np

from . import _checks as checks
from . import pipelines
from ._batch import Format, wrapper
from ._calls import Calls
from ._command import edits
from ._engine import Engine
from ._images import Given, given
from ._ring import Blocks
from ._wire import Kind, Message
from .errors import EngineError, StateError, UsageError

__all__ = ["Drawn", "Transform"]

_BITS = (1 << 62) - 1  # positions are int64, and count on


class Drawn(NamedTuple):
    """An image, and what was drawn for it, as the column params has it."""

    image: Any
    params: dict[str, Any]


class Transform:
    """A pipeline's picture stages as a function of an image. The result is what a row of a batch would be.

    ``Transform("pipeline.yaml")(image)`` takes an encoded file as bytes, its path, a PIL image, a NumPy array (uint8, HWC, or HW for
    grey) or a torch tensor (uint8, CHW or HW), and gives [channels, height, width]: float32 after to_tensor, else uint8. It stands where a
    transform of torchvision does, ``ImageFolder(root, transform=...)``. An encoded file is both the fastest and the exact way: its row
    equals the loader's byte for byte. Pixels that were decoded elsewhere equal it under ``fuse="exact"``; otherwise they differ by less
    than a level on average, since stages then read a JPEG file's own planes.

    Neither the data set nor a ``source`` in the pipeline is needed: a server has the file alone. Only where a stage asks for figures of
    the data (``normalize: {mean: dataset}``) is the source opened, and measured, unless there is a ``state``.
    Samplers, class_weights, batch and multiscale are ignored. Stages that draw at random still do, and ``random`` names them: leave them
    out with ``without=`` where the result is to be the same each time. ``transform.draw(image).params`` says what was drawn.

    Each call draws anew: its address is epoch 0 and a position that counts on from 0, so the same calls in the same order give the same
    images. ``epoch=`` and ``position=`` give the draw instead: those of a row of the loader give that row. Workers of a
    DataLoader begin where their own seed says, different in each and in every epoch, and fixed by ``torch.manual_seed``.

    Threads may share a Transform, and their images are made beside each other. A process that is forked, or that it is pickled into, starts an
    engine of its own when it first needs one.

    pipeline is a file, the content of one as a dict, or what :func:`sluicedata.pipeline` made; or ``stages=`` alone:
    ``Transform(stages=["decode", {"resize": {"size": 256}}, {"center_crop": {"size": 224}}, "to_tensor"])``. Other parameters:

    set, without, use, seed, exec, fuse
        As the flags of the command line: ``without=["rotate", "flip"]``, ``use="val"``.
    state
        Of a Loader's ``state_dict()``, such as that in a checkpoint: what its normalize stages measured of the data stands in place of what the
        pipeline's say. Nothing else is taken from it.
    workers
        How many images are made at a time; by default as many as there are cores.
    format
        What images are: ``"torch"``, ``"numpy"``, or ``"dlpack"`` (anything that from_dlpack takes).

    Raises PipelineError with all mistakes of a pipeline, UsageError for an image or arguments that it doesn't take, EngineError where no
    engine can be started; a call raises SampleError for an image that cannot be made, with its stage and cause.
    """

    def __init__(
        self,
        pipeline: pipelines.PipelineLike | None = None,
        *,
        stages: Sequence[Any] | None = None,
        set: Mapping[str, Any] | Sequence[str] | None = None,
        without: Sequence[str] | str | None = None,
        use: str | None = None,
        seed: int | None = None,
        workers: int | None = None,
        exec: str | None = None,
        fuse: str | None = None,
        state: Mapping[str, Any] | None = None,
        format: Format = "torch",
    ) -> None:
        if (pipeline is None) == (stages is None):
            raise UsageError("give a pipeline, or stages=[...] alone")
        if pipeline is None:
            pipeline = {"version": 1, "stages": list(stages or ())}
        if format not in ("torch", "numpy", "dlpack"):
            raise UsageError(f"format={format!r}: want torch, numpy or dlpack")
        wrapper(format)
        self._ask: dict[str, Any] = {
            "pipeline": pipelines.resolve(pipeline),
            "set": [*edits(set), *([] if state is None else _figures(state))],
            "without": [without] if isinstance(without, str) else list(without or ()),
            **{name: checks.text(name, value) for name, value in {"use": use, "exec": exec, "fuse": fuse}.items()},
            "seed": checks.whole("seed", seed, 0, (1 << 64) - 1),
            "workers": checks.whole("workers", workers) or 0,
            "params": True,
        }
        self._format: Format = format
        self._position = 0
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._calls: Calls | None = None
        self._tells: dict[str, Any] = {}
        with pipelines.explained(pipeline):
            self._opened()

    # Images

    def __call__(
        self, image: Any, *, epoch: int | None = None, position: int | None = None, key: str | None = None
    ) -> Any:
        """The image, [channels, height, width], as a row of a batch; key names it in errors (by default its path)."""
        return self.draw(image, epoch=epoch, position=position, key=key).image

    def draw(
        self, image: Any, *, epoch: int | None = None, position: int | None = None, key: str | None = None
    ) -> Drawn:
        """The image, and what was drawn for it."""
        first = self._first(1, epoch, position)
        message = self._apply([given(image)], epoch or 0, first, [key])
        return Drawn(self._rows(message)[0], json.loads(message.head["params"][0]))

    def batch(
        self, images: Iterable[Any], *, epoch: int | None = None, position: int | None = None, keys: Sequence[str] = ()
    ) -> Any:
        """Several images, made beside each other: [N, channels, height, width], a list where they have sizes of their own.

        Their positions count on from position.
        """
        all_of_them = [given(image) for image in images]
        if not all_of_them:
            raise UsageError("there are no images: batch() takes at least one")
        if keys and len(keys) != len(all_of_them):
            raise UsageError(f"there are {len(keys)} keys for {len(all_of_them)} images")
        first = self._first(len(all_of_them), epoch, position)
        message = self._apply(all_of_them, epoch or 0, first, list(keys) or [None] * len(all_of_them))
        rows = message.head["images"]
        if any(row["shape"] != rows[0]["shape"] for row in rows) or 0 in self._tells["image"]["shape"]:
            return self._rows(message)
        array = np.frombuffer(message.body, rows[0]["dtype"]).reshape([len(rows), *rows[0]["shape"]])
        return wrapper(self._format)(array if rows[0]["layout"] == "chw" else array.transpose(0, 3, 1, 2))

    def _apply(self, images: list[Given], epoch: int, position: int, keys: Sequence[str | None]) -> Message:
        head = {
            "images": [
                {
                    "key": image.path if key is None else key,
                    "epoch": epoch,
                    "position": position + i,
                    "bytes": len(image.data),
                    "shape": image.shape,
                }
                for i, (image, key) in enumerate(zip(images, keys, strict=True))
            ]
        }
        body = images[0].data if len(images) == 1 else b"".join([image.data for image in images])
        message = self._opened().ask(Kind.APPLY, head, body)
        rows = message.head.get("images") or []
        sizes = [row["bytes"] == math.prod(row["shape"]) * np.dtype(row["dtype"]).itemsize for row in rows]
        if len(rows) != len(images) or not all(sizes) or sum(row["bytes"] for row in rows) != len(message.body):
            raise EngineError("the engine sent other images than were asked for")
        return message

    def _rows(self, message: Message) -> list[Any]:
        wrap, at, out = wrapper(self._format), 0, []
        for row in message.head["images"]:
            array = np.frombuffer(message.body[at : at + row["bytes"]], row["dtype"]).reshape(row["shape"])
            out.append(wrap(array if row["layout"] == "chw" else array.transpose(2, 0, 1)))
            at += row["bytes"]
        return out

    # Draws

    @property
    def position(self) -> int:
        """The position of the next draw that isn't given one."""
        self._here()
        return self._position

    @position.setter
    def position(self, position: int) -> None:
        self._here()
        with self._lock:
            self._position = _checked("position", position, _BITS)

    def _first(self, count: int, epoch: int | None, position: int | None) -> int:
        """The position of the first of some draws."""
        if epoch is not None:
            _checked("epoch", epoch, (1 << 31) - 1)
        if position is not None:
            return _checked("position", position, _BITS)
        if epoch is not None:
            raise UsageError(f"epoch={epoch} without a position: a draw is an epoch and a position in it")
        self._here()
        with self._lock:
            first = self._position
            self._position += count
            return first

    # The engine

    def _here(self) -> None:
        """Begins anew in another process: a fork, or where this was unpickled."""
        if self._pid == os.getpid():
            return
        with _arriving:
            if self._pid == os.getpid():
                return
            self._lock = threading.Lock()
            self._calls = None
            if (seed := _worker_seed()) is not None:
                self._position = _mixed(seed)
            self._pid = os.getpid()

    def _opened(self) -> Calls:
        self._here()
        with self._lock:
            if self._calls is None or not self._calls.engine.usable:
                engine = Engine()
                try:
                    self._tells = engine.request(Kind.STAGES, self._ask).head
                    if 0 not in self._tells["image"]["shape"]:
                        engine.blocks = Blocks()
                except BaseException:
                    engine.close()
                    raise
                self._calls = Calls(engine)
            return self._calls

    @property
    def shape(self) -> tuple[int | None, int | None, int | None]:
        """Channels, height and width of what a call gives; None where they vary."""
        image = self._tells["image"]
        channels, height, width = image["shape"] if image["layout"] == "chw" else [image["shape"][i] for i in (2, 0, 1)]
        return channels, height or None, width or None

    @property
    def random(self) -> tuple[str, ...]:
        """The stages that draw at random, by name: () where an image always gives the same, as for evaluation and serving."""
        return tuple(self._tells.get("random") or ())

    def close(self) -> None:
        """Ends the engine. A later call starts another."""
        self._here()
        with self._lock:
            calls, self._calls = self._calls, None
        if calls is not None:
            calls.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"ask": self._ask, "format": self._format, "position": self._position, "tells": self._tells}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._ask, self._format = state["ask"], state["format"]
        self._position, self._tells = state["position"], state["tells"]
        self._pid = -1  # of no process yet
        self._lock = threading.Lock()
        self._calls = None

    def __repr__(self) -> str:
        of = self._ask["pipeline"]
        drawn = f"; random: {', '.join(self.random)}" if self.random else ""
        return f"Transform({of.get('file') or 'stages'}: {self._tells['image']['dtype']} {list(self.shape)}{drawn})"


_arriving = threading.Lock()


def _arrive() -> None:
    global _arriving
    _arriving = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_arrive)


def _checked(name: str, number: int, most: int) -> int:
    if isinstance(number, bool) or not isinstance(number, int | np.integer) or not 0 <= number <= most:
        raise UsageError(f"{name}={number!r}: want a whole number from 0 to {most}")
    return int(number)


def _figures(state: Mapping[str, Any]) -> list[str]:
    """Settings that give normalize stages the numbers that they have in the plan of a state."""
    try:
        stages = state.get("engine", state)["pipeline"]["stages"]
        normalize = [stage["options"] for stage in stages if stage["name"] == "normalize"]
        figures = [
            f"stages.normalize_{i}.{name}={json.dumps(options[name])}"
            for i, options in enumerate(normalize, 1)
            for name in ("mean", "std")
        ]
    except (AttributeError, KeyError, TypeError) as error:
        raise StateError(f"this isn't a state of a sluicedata.Loader: {error!r}") from None
    if not figures:
        raise StateError("the state is of a pipeline without normalize: it has no figures of the data")
    return figures


def _worker_seed() -> int | None:
    """The seed of a DataLoader's worker, another in each and in every epoch; None elsewhere."""
    data = sys.modules.get("torch.utils.data")
    info = data.get_worker_info() if data is not None else None
    return None if info is None else int(info.seed)


def _mixed(seed: int) -> int:
    """A position far from those of other seeds (splitmix64)."""
    mask = (1 << 64) - 1
    z = (seed + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return (z ^ (z >> 31)) & (_BITS >> 1)
