"""Loader: a pipeline as the batches of a training loop."""

from __future__ import annotations

import difflib
import inspect
import json
import logging
import math
import os
import re
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, NamedTuple, Never, Self

import numpy as np

from . import _checks as checks
from . import pipelines
from ._batch import Batch, Format, check_head, wrapper
from ._command import edits
from ._device import Mover
from ._engine import STALL_SECONDS, Engine
from ._ranks import fair_workers, rank_and_world
from ._ring import Blocks, Ring
from ._targets import TargetSpec
from ._wire import Kind, Message
from .errors import EngineError, StateError, UsageError, from_head
from .reports import PlanReport, RunReport

__all__ = ["Loader"]

logger = logging.getLogger("sluicedata")

_STATE_VERSION = 1


class Loader:
    """The batches of a pipeline, made by an engine in a process of its own, on all cores.

    Takes the place of torch.utils.data.DataLoader together with its Dataset, Sampler and transforms: one ``for`` is one epoch, and the
    next one the next epoch, each with its own draws. Batches are :class:`Batch`; ``for image, label in loader`` unpacks
    them. Leaving a loop early abandons its epoch. A loader may be used in any thread, but by one loop at a time.
    ``close()``, a ``with`` block or the last reference to it ends the engine.

    pipeline is a file, the content of one as a dict, or what :func:`sluicedata.pipeline` made. Other parameters:

    rank, world_size
        Which process this is, and of how many; each gets every world_size-th batch. By default as torch.distributed says, if it is
        initialized, else as the environment variables RANK and WORLD_SIZE say.
    epochs
        How many epochs there will be, so that nothing is prefetched after the last; by default as many as the pipeline says.
    workers, readers, budget
        Threads that decode and transform, threads that read files, and bytes of memory in flight. By default one worker per
        processor, or if torchrun has started several processes on this machine, per processor of this process's share. budget may be
        a text such as ``"256MiB"``.
    scale
        Only this scale of a multi-scale pipeline; by default every scale that it picks, one batch after another.
    device
        Where pictures, labels and weights go, as torch.device takes it: ``"cuda"``. By default they stay in the memory that
        is shared with the engine, without a copy.
    format
        What arrays are: ``"torch"``, ``"numpy"``, ``"dlpack"`` (anything that from_dlpack takes), or ``"arrow"``, where a batch is a
        pyarrow.RecordBatch.
    keys
        Makes each batch a dict: ``{"pixel_values": "image", "labels": "label.class"}``.
    collate
        A function that the loop gets the value of in place of each batch: one of :mod:`sluicedata.collate`, or your own.
    set, without, use, seed, params, on_error, max_bad, quarantine, exec, fuse
        As the flags of the command line: ``set={"stages.rotate.degrees": 10}``, ``without=["rotate"]``, ``use="val"``.
    last_round
        What happens to an epoch's last batches if there aren't enough for every process: ``"drop"`` them, or ``"pad"`` with the
        epoch's first.
    transport, slots
        ``"ring"`` shares memory with the engine, ``"pipe"`` copies; ``"auto"`` is the ring where there can be one. slots is how many
        batches the ring holds.
    progress
        Shows a bar (tqdm). Otherwise the logger ``sluicedata`` gets a line a minute.

    Raises PipelineError with all mistakes of a pipeline, UsageError for arguments that don't go together, EngineError where no
    engine can be started; a loop raises SampleError at the batch that cannot be made.
    """

    def __init__(
        self,
        pipeline: pipelines.PipelineLike,
        *,
        rank: int | None = None,
        world_size: int | None = None,
        epochs: int | None = None,
        workers: int | None = None,
        readers: int | None = None,
        budget: int | str | None = None,
        scale: float | None = None,
        device: Any = None,
        format: Format = "torch",
        keys: Mapping[str, str] | None = None,
        collate: Callable[[Batch], Any] | None = None,
        set: Mapping[str, Any] | Sequence[str] | None = None,
        without: Sequence[str] | str | None = None,
        use: str | None = None,
        seed: int | None = None,
        params: bool = False,
        on_error: str | None = None,
        max_bad: int | str | None = None,
        quarantine: str | os.PathLike[str] | None = None,
        exec: str | None = None,
        fuse: str | None = None,
        last_round: Literal["drop", "pad"] = "drop",
        transport: Literal["auto", "ring", "pipe"] = "auto",
        slots: int | None = None,
        progress: bool = False,
        **unknown: Never,
    ) -> None:
        if unknown:
            raise TypeError(_unknown(list(unknown)))
        if not isinstance(pipeline, str | os.PathLike | Mapping | pipelines.Pipeline):
            raise TypeError(
                f"Loader({pipeline!r:.100}): want the name of a pipeline file, such as 'train.yaml', its content as a dict, or what "
                "sluicedata.pipeline(...) made"
            )
        epochs = checks.whole("epochs", epochs)
        texts = {"use": use, "on_error": on_error, "exec": exec, "fuse": fuse}
        if keys is not None and format == "arrow":
            raise UsageError('keys goes with format "torch", "numpy" or "dlpack": a RecordBatch has columns of its own')
        if collate is not None and (keys is not None or format == "arrow" or not callable(collate)):
            raise UsageError(
                'collate is a function of a Batch, and goes with format "torch", "numpy" or "dlpack", without keys'
            )
        self._open_head: dict[str, Any] = {
            "pipeline": pipelines.resolve(pipeline),
            "set": edits(set),
            "without": [without] if isinstance(without, str) else list(without or ()),
            **{name: checks.text(name, value) for name, value in texts.items()},
            "seed": checks.whole("seed", seed, 0, (1 << 64) - 1),
            "epochs": epochs or 0,
            "workers": checks.whole("workers", workers) or 0,
            "readers": checks.whole("readers", readers) or 0,
            "budget": checks.size("budget", budget) or 0,
            "params": bool(params),
            "max_bad": checks.text("max_bad", str(max_bad) if type(max_bad) is int else max_bad),
            "quarantine": os.fspath(quarantine) if quarantine is not None else "",
            "scale": checks.number("scale", scale),
            "last_round": checks.text("last_round", last_round),
            "slots": checks.whole("slots", slots) or 0,
        }
        self._rank, self._world_size = rank, world_size
        self._epochs, self._device, self._format, self._transport = epochs, device, format, transport
        self._keys = None if keys is None else dict(keys)
        self._collate = collate
        self._progress = progress
        self._begin()
        with pipelines.explained(pipeline):
            self._start()

    def _begin(self) -> None:
        """All that isn't a parameter."""
        if self._format not in ("torch", "numpy", "dlpack", "arrow"):
            raise UsageError(f"format={self._format!r}: want torch, numpy, dlpack or arrow")
        if self._transport not in ("auto", "ring", "pipe"):
            raise UsageError(f"transport={self._transport!r}: want auto, ring or pipe")
        self._wrap: Callable[[Any], Any] = wrapper(self._format)
        self._mover: Mover | None = None
        if self._device is not None:
            if self._format != "torch":
                raise UsageError(f'device={self._device!r} goes with format="torch", not {self._format!r}')
            mover = Mover(self._device)
            if not mover.here:
                self._mover = mover
                weakref.finalize(self, mover.release)
        self._lock = threading.RLock()
        self._engine: Engine | None = None
        self._closed = False
        self._plan: dict[str, Any] | None = None  # PLAN
        self._meter = _Meter(self._progress)
        self._report: dict[str, Any] | None = None
        self._place = _Place(0, 0, 0)  # behind the last batch that a loop got
        self._loop: int | None = None  # the epoch of a loop that hasn't come to its end
        self._began = (
            self._place
        )  # where it began: a loop that got nothing (Lightning only tries iter()) abandons nothing
        self._asked: int | None = None  # by set_epoch, within such a loop
        self._token = 0  # of the newest loop
        self._run = 0  # 0: none
        self._run_at = _Place(0, 0, 0)  # what the run brings next
        self._stash: Message | None = None  # of the next epoch
        self._untold = False  # whether a warning has said that annotations may belong to the pictures as stored
        self._failures = 0  # draws of the run that failed, as far as a warning has said so
        self._run_end = 0  # the epoch before which it ends; 0: nowhere
        self._ledger: dict[str, Any] | None = None  # what each class got before the run; None: not known
        self._counted = 0  # the run that has counted on since; 0: none
        self._seen = 0  # scales of the run's batch at hand that have come
        self._skip = 0  # of these, how many an earlier run's loop got
        self._torn = False  # in the middle of a message, or between one and the place behind it
        _loaders.add(self)
        _be_iterable()

    # A loop

    def __iter__(self) -> Iterator[Any]:
        _refuse_workers()
        with self._lock:
            if self._asked is not None:
                self._place = _Place(self._asked, 0, 0)
            elif self._loop is not None and self._place != self._began:
                self._place = _Place(self._loop + 1, 0, 0)
            self._asked = None
            self._began = self._place
            self._token += 1
            self._running()
            self._loop = self._place.epoch
            total = self._planned()["batches"] or 0
            self._meter.begin(
                self._loop, total, self._place.batch * self._planned()["variants_per_batch"] // self.world_size
            )
            return _Epoch(self, self._token, self._loop)

    def _next(self, loop: _Epoch) -> Any:
        with self._lock:
            if loop.token != self._token:
                raise UsageError(
                    "this loop is over: another one over the same loader has begun, or it was given a state. "
                    "Make two Loaders for loops that are to run beside each other"
                )
            while loop.epoch == self._place.epoch:
                engine = self._running()
                if self._stash is None:
                    engine.tell()
                    engine.wait()
                self._torn = True
                try:
                    batch = self._advance(engine)
                except EngineError:
                    engine.kill()
                    raise
                self._torn = False
                if batch is not None:
                    return batch
            if self._loop is not None:
                self._loop = None
                self._meter.end()
                if self._run and self._run_end == self._place.epoch:
                    engine = self._opened()[0]
                    self._torn = True
                    self._halt(engine)  # for its report
                    self._torn = False
                elif self._run and self._engine is not None:
                    self._warn(self._engine.progress)
            raise StopIteration

    def _advance(self, engine: Engine) -> Any:
        """Reads a message, and returns a batch if it brought one."""
        message, self._stash = self._stash or engine.read(), None
        if message.kind in (Kind.WARN, Kind.PROGRESS):
            return None
        if message.id != self._run and message.kind is not Kind.ERROR:
            raise EngineError(f"the engine sent {message.kind.name} of {message.id} within run {self._run}")
        if message.kind is Kind.BATCH:
            return self._take(engine, message)
        self._run = 0
        if message.kind is Kind.ERROR:
            error = from_head(message.head)
            self._torn = isinstance(error, EngineError)
            raise error
        if message.kind is not Kind.END:
            raise EngineError(f"the engine sent {message.kind.name} within a run")
        self._report = message.head.get("report")
        self._warn(self._report)
        self._place = _Place(self._place.epoch + 1, 0, 0)
        return None

    def _take(self, engine: Engine, message: Message) -> Any:
        """A batch, and the place behind it; None if it isn't one of this loop's."""
        head, before = message.head, self._place
        check_head(head, len(message.body))
        self._check_order(head)
        if head["epoch"] > before.epoch:  # where an epoch's end wasn't to be seen from its last batch
            self._stash = message
            self._place = self._run_at = _Place(head["epoch"], 0, 0)
            return None
        engine.took()
        self._seen += 1
        after = _Place(before.epoch, before.batch, self._seen)
        if head["last"]:
            after = _Place(head["next"][0], head["next"][1], 0)
            self._seen = 0
        if self._skip > 0:
            self._skip -= 1
            engine.drop(message)
            if not head["last"]:
                return None
        elif head["rows"] > 0:
            out = self._batch(engine, message)
            self._place = self._run_at = after
            self._meter.step(head["rows"])
            return out
        self._place = self._run_at = after
        return None

    def _check_order(self, head: Mapping[str, Any]) -> None:
        """Refuses a batch that isn't the next one of this rank."""
        epoch, batch, _ = self._place
        total = self._batches_per_epoch
        if head["epoch"] > epoch and (self._some or batch + self.world_size > total):
            epoch, batch = epoch + 1, 0
        want, number = (batch + self.rank) % total, head["number"]
        if head["epoch"] != epoch or number >= total or (number != want and not (self._some and number > want)):
            raise EngineError(
                f"the engine sent batch {number} of epoch {head['epoch']} where batch {want} of epoch {epoch} comes"
            )
        after = tuple(head["next"])
        if not (epoch, batch) < after <= (epoch + 1, 0):
            raise EngineError(
                f"the engine sent batch {number} of epoch {epoch} as the one before batch {after[1]} of epoch {after[0]}"
            )

    def _batch(self, engine: Engine, message: Message) -> Any:
        head, columns, pixels, masks = message.head, message.body, None, None
        beside = 0  # bytes of masks in the slot
        if head.get("mask") is not None:
            size = math.prod(head["mask"])
            if head.get("mask_in_slot"):
                beside = size
            else:
                columns, masks = columns[: len(columns) - size], columns[len(columns) - size :]
        if head["image"] is not None:
            if head["slot"] < 0:
                pixels = columns[head["columns"] :]
                columns = columns[: head["columns"]]
            elif engine.ring is None:
                raise EngineError(f"the engine named slot {head['slot']}, and there is no ring")
            else:
                held = head["image"]["bytes"]
                pixels = engine.ring.take(head["slot"], held + beside)
                if beside:
                    both = memoryview(pixels).cast("B")
                    pixels, masks = both[:held], both[held:]
        batch = Batch(head, columns, pixels, self._wrap, self._mover, masks)
        if self._collate is not None:
            return self._collate(batch)
        if self._keys is not None:
            return batch.named(self._keys)
        return batch.to_arrow() if self._format == "arrow" else batch

    # Its engine

    def _start(self) -> None:
        """Starts an engine, and has it plan the pipeline."""
        rank, world_size = rank_and_world(self._rank, self._world_size)
        engine = Engine()
        try:
            if self._transport == "ring" and not engine.memfd:
                raise UsageError('transport="ring": there are no memory files on this platform; leave it at "auto"')
            head = {**self._open_head, "rank": rank, "world": world_size}
            head["workers"] = head["workers"] or fair_workers()
            head["transport"] = "" if self._transport == "auto" else self._transport
            plan = _checked(engine.request(Kind.OPEN, head).head)
            file = engine.file()
            if plan["slots"]:
                if file is None:
                    raise EngineError("the engine says that there is a ring, and sent none")
                try:
                    engine.ring = Ring(file, plan["slots"], plan["slot_bytes"])
                finally:
                    os.close(file)
                if self._mover is not None:
                    self._mover.register(engine.ring)
            if self._keys is not None:
                _check_keys(self._keys, plan["plan"]["columns"])
            engine.blocks = Blocks()
            engine.on_progress = self._meter.engine_says
            if self._plan is not None and self._plan["state"]["plan_hash"] != plan["state"]["plan_hash"]:
                engine.request(Kind.CHECK, {"state": {**_template(self._plan), "epoch": 0, "batch": 0}})
        except BaseException:
            engine.close()
            raise
        if self._plan is None:
            for warning in plan.get("warnings") or ():
                logger.warning("%s", warning)
            if _lacks_labels(plan):
                logger.warning(
                    "the pictures have no labels, and each batch's label is {}: the folder has no class folders. If that is intended, "
                    "say so: tasks: [] in the source"
                )
        self._plan, self._engine = plan, engine
        self._batches_per_epoch = int(plan["plan"]["batches_per_epoch"])  # of all ranks
        self._some = self._open_head["scale"] is not None  # of a batch's scales, and so perhaps of the batches
        self.rank, self.world_size = rank, world_size

    def _opened(self) -> tuple[Engine, dict[str, Any]]:
        """An engine that can be used, and the plan that it made."""
        if self._closed:
            raise UsageError("this loader has been closed: make another one")
        if self._engine is not None and (self._torn or not self._engine.usable):
            self._engine.kill()
            self._engine = None
        if self._engine is None:
            self._run, self._stash, self._torn = 0, None, False
            self._start()
        assert self._engine is not None and self._plan is not None
        return self._engine, self._plan

    def _running(self) -> Engine:
        """The engine, in a run whose next batch is the one at the place."""
        engine = self._engine
        if engine is not None and engine.usable and self._run and not self._torn and self._run_at == self._place:
            ended = self._run_end != 0 and self._place.epoch >= self._run_end
            if not ended:
                return engine
        ledger = self._count()
        engine, plan = self._opened()
        self._torn = True  # an engine that is interrupted in here isn't used again
        self._halt(engine)
        self._counted, self._ledger = 0, ledger
        epoch, batch, variant = self._place
        epochs = self._epochs or plan["plan"].get("epochs") or 0
        end = epochs if epochs == 0 or epochs > epoch else epoch + 1
        start = {"epoch": epoch, "batch": batch, "epochs": end, "state": None, "ledger": ledger}
        run = engine.post(Kind.RUN, start)
        engine.begin(run)
        self._counted = run
        self._run, self._run_at, self._run_end = run, self._place, end
        self._failures, engine.progress = 0, {}
        self._seen, self._skip = 0, variant
        self._torn = False
        return engine

    def _count(self) -> dict[str, Any] | None:
        """What each class got in the batches that loops got, as states have it; None where that isn't known."""
        engine = self._engine
        if not self._counted:
            return self._ledger
        ledger: dict[str, Any] | None = None
        if engine is None or self._torn or not engine.usable:
            self._counted, self._ledger = 0, None  # it went with its engine
            return None
        self._torn = True
        ask = {"run": self._counted, "taken": engine.taken}
        try:
            ledger = engine.request(Kind.LEDGER, ask, timeout=STALL_SECONDS, keep=True).head.get("ledger")
        except EngineError as error:
            logger.warning("%s: what each class got so far isn't known any more", error)
            engine.kill()
        self._torn = False
        if not self._run or not engine.usable:
            self._counted, self._ledger = 0, ledger
        return ledger

    def _halt(self, engine: Engine) -> None:
        """Ends the run, if one is going on; what it had made is dropped. Whoever calls it has set torn."""
        if self._stash is not None:
            engine.drop(self._stash)
            self._stash = None
        if not self._run:
            return
        engine.stop(self._run)
        while self._run:
            engine.wait()
            message = engine.read()
            if message.kind is Kind.BATCH:
                engine.drop(message)
            elif message.kind in (Kind.END, Kind.ERROR) and message.id in (self._run, 0):
                self._report = message.head.get("report") or self._report
                self._warn(message.head.get("report"))
                self._run = 0

    def _warn(self, so_far: Mapping[str, Any] | None) -> None:
        """Says how many draws of the run have failed, if more have than when it was said last, and once which annotations are in doubt."""
        if not self._untold and (rows := int((so_far or {}).get("untold") or 0)):
            self._untold = True
            logger.warning(
                "no size tells whether the annotations of pictures such as %s (%d so far) are of the picture as the file stores it, which is"
                " shown turned (EXIF): they were taken as of the picture as it is shown; say annotations: stored, an option of the source,"
                " or annotations: displayed",
                (so_far or {}).get("first_untold"),
                rows,
            )
        left_out, refilled = (int((so_far or {}).get(name) or 0) for name in ("failed", "refilled"))
        if left_out + refilled <= self._failures:
            return
        self._failures = left_out + refilled
        listed = self._open_head["quarantine"]
        logger.warning(
            "%d draws have failed in this run: %d were left out, %d refilled by another sample of the class; %s",
            self._failures,
            left_out,
            refilled,
            f"{listed} lists them" if listed else "quarantine= names a file that lists them",
        )

    def close(self) -> None:
        """Ends the engine, also while a loop of another thread waits for it. Batches that are kept stay valid."""
        self._closed = True
        while not self._lock.acquire(timeout=0.1):
            if (engine := self._engine) is not None:
                engine.kill()
        try:
            self._meter.end()
            if self._mover is not None:
                self._mover.release()
            if self._engine is not None:
                self._engine.close()
                self._engine = None
        finally:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Epochs and states

    def __len__(self) -> int:
        """Batches in an epoch, of this process; each scale counts as one."""
        batches = self._planned()["batches"]
        if batches is None or batches < 0:
            raise TypeError("epochs of this loader differ in their number of batches: it has no len()")
        return int(batches)

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch of the next loop, from 0. It begins at the start, unless a state in the middle of this very epoch was loaded."""
        if epoch < 0:
            raise UsageError(f"epoch {epoch}: the first is 0")
        with self._lock:
            unused = self._place == self._began and epoch == self._place.epoch
            if self._loop is not None and not unused:
                self._asked = epoch
            elif epoch != self._place.epoch:
                self._place = _Place(epoch, 0, 0)

    @property
    def epoch(self) -> int:
        """The epoch of the newest loop until that has come to its end, then of the next one; set_epoch chooses it.

        A loop that was left by break or an exception hasn't come to its end: this is still its epoch, as state_dict() is a
        place in it. The next loop begins the epoch after it.
        """
        return self._place.epoch if self._asked is None else self._asked

    def state_dict(self) -> dict[str, Any]:
        """The place of the next batch, the one after the last that the loop got: small, plain data for JSON.

        The place is the same in all processes that have got equally many batches, so one state serves all of them, and another
        world size too. "ledger" is what each class got in this process so far, as JSON text, so that all states have the same keys, as
        torch.distributed.checkpoint wants them; None before the first batch, with more than 10,000 classes, and after an engine that
        ended before its time.
        """
        with self._lock:
            place = self._place if self._asked is None else _Place(self._asked, 0, 0)
            template = _template(self._planned())
            return {
                "version": _STATE_VERSION,
                **place._asdict(),
                "rank": self.rank,
                "world_size": self.world_size,
                "engine": template,
                "ledger": None if (ledger := self._count()) is None else json.dumps(ledger),
            }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Makes the next loop begin where the state was made, at once: no earlier batch is made again.

        The ledger goes on, too, in the process of the rank that made the state; in others it begins anew.
        Raises StateError, which says what differs, if the state is of other data or another pipeline.
        """
        names = ("version", "epoch", "batch", "variant", "engine")
        if not isinstance(state, Mapping):
            raise StateError(
                f"this isn't a state of a sluicedata.Loader: want the dict of state_dict(), have {state!r:.100}"
            )
        if missing := [name for name in names if name not in state]:
            raise StateError(
                f"this isn't a state of a sluicedata.Loader: {', '.join(missing)} missing in {dict(state)!r:.100}: want the dict of "
                "state_dict()"
            )
        version, epoch, batch, variant, template = (state[name] for name in names)
        if version != _STATE_VERSION:
            raise StateError(
                f"the state has version {version}, and this sluicedata ({_package_version()}) reads version "
                f"{_STATE_VERSION}: go on with the release that wrote it"
            )
        for name, value in (("epoch", epoch), ("batch", batch), ("variant", variant)):
            if type(value) is not int or not 0 <= value <= 1 << 53:
                raise StateError(f"the state is damaged: its {name} is {value!r}")
        if not isinstance(template, Mapping):
            raise StateError(f"the state is damaged: its engine is {template!r:.100}")
        ledger = _ledger_of(state)
        with self._lock:
            engine, plan = self._opened()
            if variant > 0 and state.get("world_size") != self.world_size:
                raise StateError(
                    f"the state is in the middle of a batch's scales, of {state.get('world_size')} processes, and there are "
                    f"{self.world_size}, which have other batches: go on with as many, or from a state whose variant is 0"
                )
            self._torn = True
            try:
                self._halt(engine)
                asked = {**template, "epoch": epoch, "batch": batch, **({} if ledger is None else {"ledger": ledger})}
                place = engine.request(Kind.CHECK, {"state": asked}).head
            except StateError:
                self._torn = False
                raise
            if place.get("epoch") != epoch or place.get("batch") != batch or variant >= plan["variants_per_batch"]:
                variant = 0
            self._token += 1
            self._loop = self._asked = None
            self._place = _Place(place["epoch"], place["batch"], variant)
            self._counted, self._ledger = 0, None
            if ledger is not None and state.get("rank", self.rank) == self.rank:
                self._ledger = ledger
            self._torn = False

    # What is known of the data

    @property
    def plan(self) -> dict[str, Any]:
        """What `sluice plan --json` prints."""
        plan: dict[str, Any] = self._planned()["plan"]
        return plan

    @property
    def classes(self) -> dict[str, list[str]]:
        """Class names by task of one class for each picture, in the order of their numbers; those of objects and of several labels are in targets."""
        return {task["name"]: list(task["classes"]) for task in self.plan["tasks"] or ()}

    @property
    def targets(self) -> TargetSpec | None:
        """What the samples have beside class numbers: boxes and their classes, keypoints, masks; None where there is nothing."""
        given = self._planned().get("targets")
        return None if given is None else TargetSpec.of(given)

    @property
    def counts(self) -> dict[str, list[int]]:
        """Samples that the pipeline draws from, by task, in the order of class numbers; samples of unknown class aren't counted.

        Of the tasks that classes has. ``plan["objects"]`` counts the objects of each class, and ``plan["multi"]`` the samples that have each class
        of a task of several labels.
        """
        tasks, counts = self.plan["tasks"] or (), self.plan["counts"] or ()
        return {task["name"]: list(n[: len(task["classes"])]) for task, n in zip(tasks, counts, strict=True)}

    def class_weights(
        self,
        task: str | None = None,
        rule: Literal["inverse", "square_root", "effective_number"] = "inverse",
        of: Literal["drawn", "samples"] = "drawn",
    ) -> Any:
        """Weights of a task's classes by their counts, float32 [C], for torch.nn.CrossEntropyLoss(weight=...).

        "inverse" is N / (C n_c), scikit-learn's "balanced"; "square_root" is in proportion to 1/sqrt(n_c), with a mean of 1 over the rows;
        "effective_number" is (1 - b) / (1 - b^n_c) with b = 0.9999, scaled to a
        sum of C (Cui et al. 2019). A class with a count of 0 gets 0, and isn't counted in C.

        n_c are by default the draws of the first epoch: what a loop gets. After ``rebalance`` with class_balanced all weights are
        about 1, as the classes are equally frequent already. of="samples" counts the samples of the source, each once, whatever is
        drawn: with rebalance, rare classes are then compensated twice. Where a pipeline rebalances and an epoch is too long to be counted
        (more than 2^24 draws), "drawn" raises UsageError.
        """
        if rule not in ("inverse", "square_root", "effective_number"):
            raise UsageError(f"rule={rule!r}: want inverse, square_root or effective_number")
        if of not in ("drawn", "samples"):
            raise UsageError(f"of={of!r}: want drawn or samples")
        tasks = list(self.classes)
        if not tasks:
            if several := self.plan.get("multi"):
                raise UsageError(
                    f"class_weights weighs tasks of one class for each picture, and {', '.join(several)} has any number: loader.plan['multi'] counts "
                    "the samples of each class, of which a loss's pos_weight is made, others / samples"
                )
            if self.plan.get("objects"):
                raise UsageError(
                    "class_weights weighs tasks of one class for each picture, and this data has objects: loader.plan['objects'] counts those of each class"
                )
            raise UsageError(
                "the data has no tasks, thus no classes to weigh: a folder source finds them in class folders, other sources in "
                "the columns that tasks names"
            )
        if task is None:
            if len(tasks) > 1:
                raise UsageError(f"which task: {', '.join(tasks)}? Give task=")
            task = tasks[0]
        if task not in tasks:
            raise UsageError(f"no task {task!r}: the tasks are {', '.join(tasks)}")
        n = np.array(self._frequencies(task, of), np.float64)
        some = n > 0
        weights = np.zeros_like(n)
        if rule == "inverse":
            weights[some] = n.sum() / (some.sum() * n[some])
        elif rule == "square_root":
            weights[some] = n.sum() / (np.sqrt(n[some]) * np.sqrt(n).sum())
        elif some.any():
            weights[some] = (1 - 0.9999) / -np.expm1(n[some] * np.log(0.9999))
            weights *= some.sum() / weights.sum()
        wrapped = self._wrap(weights.astype(np.float32))
        return wrapped if self._mover is None else self._mover(wrapped, None)

    def _frequencies(self, task: str, of: str) -> list[int]:
        """How often each class of a task is drawn in the first epoch, or how many samples it has."""
        if of == "samples":
            return self.counts[task]
        plan, number = self.plan, list(self.classes).index(task)
        if drawn := plan.get("drawn"):
            return list(drawn[number][: len(self.classes[task])])
        if any(str(stage.get("name")).startswith("rebalance") for stage in plan.get("stages") or ()):
            raise UsageError(
                f"class_weights: the {plan.get('rows_per_epoch')} draws of an epoch are too many to count by class, and the pipeline "
                'rebalances: of="samples" gives weights by the samples of the source, as if it didn\'t'
            )
        return self.counts[task]  # each sample is drawn once

    def report(self) -> RunReport | None:
        """What the last run that has ended did; None while the first is going on.

        A run is all epochs that follow each other, up to the last one of the pipeline or of epochs=: of `epochs: 4` there is a report
        after the fourth loop. A loop that was left ends it too, once the next one begins.
        """
        return None if self._report is None else RunReport.from_json(self._report)

    def _planned(self) -> dict[str, Any]:
        if self._plan is None:
            with self._lock:
                self._opened()
        assert self._plan is not None
        return self._plan

    # Elsewhere

    def __getstate__(self) -> dict[str, Any]:
        """A loader travels to another process as its parameters and its place, and starts an engine there when it is used."""
        kept = (
            "_open_head",
            "_rank",
            "_world_size",
            "_epochs",
            "_device",
            "_format",
            "_transport",
            "_keys",
            "_collate",
            "_progress",
        )
        with self._lock:
            ledger = self._count()
        return {**{name: self.__dict__[name] for name in kept}, "_place": tuple(self._place), "_ledger": ledger}

    def __setstate__(self, state: dict[str, Any]) -> None:
        place, ledger = state.pop("_place"), state.pop("_ledger")
        self.__dict__.update(state)
        self._begin()
        self._place, self._ledger = _Place(*place), ledger

    def _repr_html_(self) -> str:
        """Its plan, for notebooks."""
        planned = self._planned()
        return PlanReport.from_json({**planned["plan"], "text": planned["text"]})._repr_html_()

    def __repr__(self) -> str:
        pipeline = self._open_head["pipeline"]
        place = self._place if self._asked is None else _Place(self._asked, 0, 0)
        return f"Loader({pipeline.get('file') or pipeline.get('name')}, {place})"


_loaders: weakref.WeakSet[Loader] = weakref.WeakSet()


def _unlock() -> None:
    """In a forked child: a thread that isn't there may have held the lock."""
    for loader in list(_loaders):
        loader._lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


class _Place(NamedTuple):
    """Where a sequence of batches goes on: at a batch of an epoch, of which some variants (scales) are done."""

    epoch: int
    batch: int
    variant: int

    def __str__(self) -> str:
        return f"epoch {self.epoch}, batch {self.batch}"


class _Epoch:
    """One loop over a loader."""

    __slots__ = ("_loader", "epoch", "token")

    def __init__(self, loader: Loader, token: int, epoch: int) -> None:
        self._loader = loader
        self.token = token
        self.epoch = epoch

    def __iter__(self) -> _Epoch:
        return self

    def __next__(self) -> Any:
        return self._loader._next(self)


class _Meter:
    """Says how far a loop is: as a bar, or as a line of the log each minute."""

    SECONDS = 60.0

    def __init__(self, bar: bool) -> None:
        self._bar: Any = None
        self._tqdm: Any = None
        if bar:
            try:
                from tqdm.auto import tqdm
            except ImportError:
                raise UsageError("progress=True needs tqdm: install it, or read the log of sluicedata") from None
            self._tqdm = tqdm
        self._epoch = self._batches = self._rows = self._total = 0
        self._start = self._said = 0.0
        self._bottleneck = ""

    def begin(self, epoch: int, batches: int, done: int) -> None:
        self.end()
        self._epoch, self._total, self._batches, self._rows = epoch, batches, done, 0
        self._start = self._said = time.monotonic()
        if self._tqdm is not None:
            self._bar = self._tqdm(
                total=batches if batches > 0 else None, initial=done, desc=f"epoch {epoch}", unit="batch"
            )

    def step(self, rows: int) -> None:
        self._batches += 1
        self._rows += rows
        if self._bar is not None:
            self._bar.update()
            return
        now = time.monotonic()
        if now - self._said >= self.SECONDS:
            self._said = now
            rate = self._rows / (now - self._start)
            of = f" of {self._total}" if self._total > 0 else ""
            slow = f"; slowest: {self._bottleneck}" if self._bottleneck else ""
            logger.info("epoch %d: %d%s batches, %.0f images/s%s", self._epoch, self._batches, of, rate, slow)

    def end(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def engine_says(self, progress: Mapping[str, Any]) -> None:
        self._bottleneck = str(progress.get("bottleneck") or "")


_INSTEAD = {  # of DataLoader's arguments, and of other names
    "num_workers": "num_workers is workers=",
    "batch_size": 'batch_size is the stage batch: set={"stages.batch.size": 64}',
    "drop_last": 'drop_last is an option of the stage batch: set={"stages.batch.drop_last": True}',
    "shuffle": "shuffle is the stage shuffle",
    "sampler": "sampler is the stage rebalance",
    "batch_sampler": "batch_sampler is the stages rebalance and batch",
    "transform": "transform is the pipeline's stages",
    "collate_fn": "collate_fn is keys=, which makes batches dicts, or work on the batch in the loop",
    "pin_memory": "pin_memory goes with device=, which moves batches there",
    "prefetch_factor": "prefetch_factor is slots= or budget=",
    "persistent_workers": "persistent_workers is always so",
    "generator": "generator is seed=",
    "batch": 'batch is a stage: set={"stages.batch.size": 64}',
    "world": "world is world_size=",
}


def _unknown(names: Sequence[str]) -> str:
    """The message about arguments that a Loader doesn't have."""
    known = [*inspect.signature(Loader.__init__).parameters][1:-1]
    hints = [_INSTEAD[name] for name in names if name in _INSTEAD]
    near = {name: difflib.get_close_matches(name, known, 1) for name in names if name not in _INSTEAD}
    hints += [f"did you mean {close[0]}= for {name}=?" for name, close in near.items() if close]
    return f"Loader has no argument {', '.join(names)}: {'; '.join(hints) or 'it has ' + ', '.join(known)}"


def _checked(plan: dict[str, Any]) -> dict[str, Any]:
    """A PLAN message of which the rest of this module is sure afterwards."""
    try:
        numbers = plan["slots"], plan["slot_bytes"], plan["variants_per_batch"], plan["plan"]["batches_per_epoch"]
        if any(type(n) is not int or n < 0 for n in numbers) or plan["plan"]["batches_per_epoch"] == 0:
            raise ValueError(numbers)
        for task, counts in zip(plan["plan"]["tasks"] or (), plan["plan"]["counts"] or (), strict=True):
            _ = task["name"], task["classes"], counts[0]
        _ = plan["state"]["plan_hash"], plan["batches"], list(plan["plan"]["columns"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise EngineError(f"the engine sent a plan that isn't one: {error!r}") from None
    return plan


def _lacks_labels(plan: Mapping[str, Any]) -> bool:
    """Whether the source is a folder in which no tasks were found, though it wasn't declared to have none."""
    source = re.search(r"^ +folder .*", str(plan.get("text")), re.MULTILINE)
    return not plan["plan"]["tasks"] and source is not None and "tasks: []" not in source[0]


def _check_keys(keys: Mapping[str, str], columns: Sequence[str]) -> None:
    known = [*columns, "number", "scale", "label", "meta"]
    for name, column in keys.items():
        if column not in known:
            raise UsageError(f"keys: {name!r}: there is no column {column!r}: want one of {', '.join(known)}")


def _ledger_of(state: Mapping[str, Any]) -> dict[str, Any] | None:
    """The ledger of a state, which has it as text."""
    text = state.get("ledger")
    if text is None:
        return None
    try:
        ledger = json.loads(text)
        if isinstance(ledger, dict):
            return ledger
    except (TypeError, ValueError):
        pass
    raise StateError(f"the state is damaged: its ledger is {text!r:.100}")


def _template(plan: Mapping[str, Any]) -> dict[str, Any]:
    """The engine's state without a place."""
    gone = ("epoch", "batch", "rows", "failed", "refilled", "format", "sha256")
    return {name: value for name, value in plan["state"].items() if name not in gone}


def _refuse_workers() -> None:
    """Every worker of a DataLoader would deliver everything again."""
    data = sys.modules.get("torch.utils.data")
    if data is not None and data.get_worker_info() is not None:
        raise UsageError(
            "a Loader cannot be read in a worker of a DataLoader: its engine uses all cores already, and each worker would deliver "
            "everything again. Loop over the Loader itself, or leave it at DataLoader(loader, batch_size=None, num_workers=0); "
            "workers= of the Loader is how many threads its engine has"
        )


def _be_iterable() -> None:
    """Has DataLoader take a Loader as the IterableDataset that it is, without a need for torch."""
    data = sys.modules.get("torch.utils.data")
    if data is not None:
        data.IterableDataset.register(Loader)
        from torch.utils.data._utils.collate import default_collate_fn_map

        default_collate_fn_map[Batch] = _collated


def _collated(batches: Sequence[Batch], **_: Any) -> Batch:
    """What a DataLoader makes of a Loader's batches where it is left to make batches itself."""
    if len(batches) == 1:
        return batches[0]
    raise UsageError(
        "a Loader's batches are whole: DataLoader(loader, batch_size=None) leaves them so, and how many rows they have is the "
        "pipeline's batch stage, as in set={'stages.batch.size': 64}"
    )


def _package_version() -> str:
    from . import __version__

    return __version__
