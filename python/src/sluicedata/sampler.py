"""Sampler: sluice's draws for a Dataset and DataLoader of your own."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ._engine import Engine, logger
from ._labels import class_numbers, several_classes
from ._ranks import rank_and_world
from ._wire import Kind
from .errors import StateError, UsageError

if TYPE_CHECKING:
    from torch.utils.data import Sampler as _Base
else:
    try:
        from torch.utils.data import Sampler as _Base
    except ImportError:
        from collections.abc import Iterable as _Base

__all__ = ["Sampler"]

Target = Literal["instance", "square_root", "power", "class_balanced"] | Mapping[str, Mapping[str, float]]

_STATE_VERSION = 1
_MOST_EPOCHS = 1 << 22
_FIRST_BLOCK, _MOST_BLOCK = 1 << 10, 1 << 16  # draws that the engine is asked for at once


class Sampler(_Base[int]):
    """Indices of a dataset, shuffled, with its classes in other proportions.

    A torch.utils.data.Sampler for ``DataLoader(dataset, sampler=...)``. It replaces WeightedRandomSampler, DistributedSampler, and the
    two together, which PyTorch doesn't have. Where WeightedRandomSampler leaves the classes to chance, this one has
    quotas: in every epoch each class gets exactly its share, rounded so that none falls behind over the epochs, and the
    samples of a class are used equally often. The draws are those of the stage ``rebalance`` with the same seed. An
    engine computes them in blocks as they are needed, so memory doesn't grow with the length of an epoch.

    labels
        The class of each sample: integers in a list, a NumPy array or a tensor of shape [N], with -1 or -100 where it is
        unknown; or names, with None where it is unknown; or a dataset that has ``targets`` or ``labels``, as torchvision's do, or a
        Subset of one; or a dict with the labels of several tasks, to balance the combinations that occur. Where samples have
        several classes each, a list of lists of them, or 0s and 1s of shape [N, C]: a sample is drawn as often as its rarest
        class asks for, that which the fewest samples have.
    target
        The share of a class with n samples: ``"class_balanced"``, the same for all; ``"square_root"``, as sqrt(n);
        ``"power"``, as n to the power of the argument power, above 0 and at most 1; ``"instance"``, as n, which is a shuffle;
        ``{"effective_number": {"beta": 0.9999}}``, between the last and the first; ``{"repeat_factor": {"threshold": 0.001}}``, LVIS's:
        as n max(1, sqrt(threshold N/n)) of N samples, and an epoch has the sum of these draws unless samples says otherwise.
        Samples whose class is unknown count as a class of their own.
    samples
        Draws per epoch of all processes together, like WeightedRandomSampler's num_samples; by default as many as there
        are labels, or the sum of repeat factors.
    rank, world_size
        Which of how many processes this is. Draw i of an epoch goes to process i mod world_size, so that together they
        go through one sequence, and none gets another's draws. By default those of torch.distributed, where it is
        initialized, else of the variables RANK and WORLD_SIZE.
    seed
        From 0 to 2^64-1, the same in each process.
    drop_last
        Leaves out the last draws of an epoch that isn't a multiple of world_size. By default, as in DistributedSampler,
        the epoch's first draws are repeated at its end, so that all processes get the same number.

    One ``for`` is one epoch, and the next is the next epoch, with other draws, even if the first was left early; set_epoch
    chooses another. Lightning and Hugging Face call it themselves. ``Trainer(use_distributed_sampler=False)`` keeps
    Lightning from distributing the draws a second time; with Accelerate, which does the same, give rank=0 and
    world_size=1.

    Raises UsageError for arguments that don't go together, EngineError if no engine can be started.
    """

    def __init__(
        self,
        labels: Any,
        target: Target = "class_balanced",
        *,
        power: float | None = None,
        samples: int | None = None,
        rank: int | None = None,
        world_size: int | None = None,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if samples is not None and operator.index(samples) < 1:
            raise UsageError(f"samples={samples}: want at least 1, or None for as many as there are labels")
        if not 0 <= operator.index(seed) < 1 << 64:
            raise UsageError(f"seed={seed}: want 0 to 2^64-1")
        several = several_classes(labels)
        self._labels, self._count = several or (class_numbers(labels), 0)
        self._count = self._count or len(self._labels)
        self._ask: dict[str, Any] = {
            "target": target if isinstance(target, str) else {rule: dict(numbers) for rule, numbers in target.items()},
            "power": 0.0 if power is None else float(power),
            "samples": 0 if samples is None else operator.index(samples),
            "seed": operator.index(seed),
        }
        if several:
            self._ask["several"] = self._count
        self._given = rank, world_size
        self._drop_last = bool(drop_last)
        self._next = 0, 0  # epoch and position where the next loop begins
        self._place: _Place | None = None  # of the newest loop
        self._engine: Engine | None = None
        self._plan: dict[str, Any] = {}
        self._running()
        self._tell()
        if len(self) == 0:
            raise UsageError(
                f"an epoch of {self._plan['draws']} draws has none for each of {self._ranks()[1]} processes: "
                "draw more samples, or leave drop_last out"
            )

    def __repr__(self) -> str:
        rank, world = self._ranks()
        of = f", rank {rank} of {world}" if world > 1 else ""
        return (
            f"Sampler({self._count} labels, {self._ask['target']}, {len(self)} draws an epoch{of}, epoch {self.epoch})"
        )

    @property
    def epoch(self) -> int:
        """The epoch of the next loop."""
        return self._next[0]

    def __len__(self) -> int:
        """Draws per epoch of this process."""
        return self._left(0, self._ranks()[1])

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch of the next loop, from 0.

        If it is the epoch of a state that was loaded, the loop begins where that state was made; else at the epoch's start.
        """
        if not 0 <= operator.index(epoch) < _MOST_EPOCHS:
            raise UsageError(f"epoch {epoch}: want 0 to {_MOST_EPOCHS - 1}")
        if operator.index(epoch) != self._next[0]:
            self._next = operator.index(epoch), 0

    def __iter__(self) -> Iterator[int]:
        return _Loop(self)

    def _begin(self, epoch: int, start: int) -> _Place:
        """The place of a loop that asks for its first index. Not of each iterator: a DataLoader makes some that it never uses."""
        if epoch >= _MOST_EPOCHS:
            raise UsageError(f"epoch {epoch}: there are no more than {_MOST_EPOCHS}")
        rank, world = self._ranks()
        self._next = epoch + 1, 0
        self._place = _Place(epoch, start, rank, world, self._left(start, world), self._plan["draws"])
        return self._place

    def state_dict(self, taken: int | None = None) -> dict[str, Any]:
        """The place behind the index that the newest loop was given last: small, plain data for JSON. It is the same in all
        processes that have come equally far, so one state serves all of them, and another world size too.

        A DataLoader with workers runs ahead of the training loop. taken is how many indices of the newest loop, in this
        process, have been trained on: the number of batches times their size. torchdata's StatefulDataLoader keeps
        count itself.
        """
        if self._place is not None:
            epoch, position = self._place.behind(taken)
        elif taken:
            raise UsageError(f"taken={taken}: no loop has begun")
        else:
            epoch, position = self._next
        if position == self._plan["draws"]:
            epoch, position = epoch + 1, 0
        return self._state(epoch, position)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Makes the next loop begin where a state was made. Raises StateError if that was with other labels or arguments."""
        epoch, position = self._read(state)
        self._next = (epoch + 1, 0) if position == self._plan["draws"] else (epoch, position)
        self._place = None

    def close(self) -> None:
        """Ends the engine. A later use starts another."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_engine": None}

    def _ranks(self) -> tuple[int, int]:
        return rank_and_world(*self._given)

    def _left(self, start: int, world: int) -> int:
        """Draws of each of that many processes, from a position of an epoch on."""
        left = int(self._plan["draws"]) - start
        return left // world if self._drop_last else -(-left // world)

    def _identity(self) -> dict[str, Any]:
        """All that the draws depend on."""
        return {
            "labels": self._count,
            "fingerprint": self._plan["print"],
            **self._ask,
            "samples": self._plan["draws"],
            "algorithm": self._plan["version"],
        }

    def _state(self, epoch: int, position: int) -> dict[str, Any]:
        return {"version": _STATE_VERSION, "epoch": epoch, "position": position, "draws": self._identity()}

    def _read(self, state: Mapping[str, Any]) -> tuple[int, int]:
        """Epoch and position of a state of these draws."""
        if not isinstance(state, Mapping) or state.get("version") != _STATE_VERSION:
            raise StateError(f"this is no state of a Sampler (version {_STATE_VERSION}): {str(state)[:200]}")
        there, epoch, position = state.get("draws"), state.get("epoch"), state.get("position")
        if not isinstance(there, Mapping) or not isinstance(epoch, int) or not isinstance(position, int):
            raise StateError(f"this state of a Sampler is damaged: {str(state)[:200]}")
        differ = [
            f"{name} {there.get(name)!r} there and {value!r} here"
            for name, value in self._identity().items()
            if there.get(name) != value
        ]
        if differ:
            raise StateError("this state is of other draws: " + ", ".join(differ))
        draws = self._plan["draws"]
        if not 0 <= epoch < _MOST_EPOCHS or not 0 <= position <= draws:
            raise StateError(f"this state of a Sampler is damaged: epoch {epoch}, position {position} of {draws}")
        return epoch, position

    def _running(self) -> Engine:
        """The engine. It is started at first, and anew in another process or when it has ended."""
        if self._engine is None or not self._engine.usable:
            engine = Engine()
            plan = engine.request(Kind.LABELS, self._ask, self._labels.data.cast("B")).head
            if self._plan and plan != self._plan:
                engine.close()
                raise UsageError("the labels were changed after the Sampler was made: make another, or give it a copy")
            self._engine, self._plan = engine, plan
        return self._engine

    def _draw(self, ask: dict[str, int]) -> list[int]:
        answer = self._running().request(Kind.DRAWS, ask)
        block: list[int] = np.frombuffer(answer.body, "<i8").tolist()
        return block

    def _tell(self) -> None:
        """Warns of what is legal but probably not intended."""
        if unknown := self._plan["unknown"]:
            logger.warning(
                "Sampler: %d samples have no label and, but for repeat factors, count as a class of their own, with its share of the draws; "
                "leave them out of the dataset if that isn't intended",
                unknown,
            )
        if empties := self._plan["empties"]:
            names = ", ".join(self._plan["empty"]) + (", ..." if empties > len(self._plan["empty"]) else "")
            logger.warning("Sampler: %d classes have no sample and get no draws: %s", empties, names)


@dataclass
class _Place:
    """How far a loop is: done of count indices, at every world-th position from start + rank on.

    The Sampler has that of the newest loop.
    """

    epoch: int
    start: int
    rank: int
    world: int
    count: int
    draws: int  # of the epoch
    done: int = 0

    def behind(self, taken: int | None) -> tuple[int, int]:
        """Epoch and position behind the last index, or behind as many as were taken; the number of draws at the end."""
        done = self.done if taken is None else operator.index(taken)
        if not 0 <= done <= self.done:
            raise UsageError(f"taken={taken}: the newest loop has been given {self.done} indices")
        return self.epoch, self.draws if done == self.count else self.start + done * self.world


class _Loop(Iterator[int]):
    """One epoch of a sampler.

    Its own state is for StatefulDataLoader: at the end of an epoch it is still of this loop, where the Sampler's is of the next.
    """

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        self._place: _Place | None = None  # None: it hasn't begun
        self._block: Iterator[int] = iter(())
        self._ask = _FIRST_BLOCK

    def __next__(self) -> int:
        place = self._place
        if place is None:
            place = self._place = self._sampler._begin(*self._sampler._next)
        for index in self._block:
            place.done += 1
            return index
        if place.done == place.count:
            raise StopIteration
        ask = {
            "epoch": place.epoch,
            "first": place.start + place.rank + place.done * place.world,
            "step": place.world,
            "count": min(self._ask, place.count - place.done),
        }
        self._block = iter(self._sampler._draw(ask))
        self._ask = min(4 * self._ask, _MOST_BLOCK)
        return next(self)

    def state_dict(self) -> dict[str, Any]:
        return self._sampler._state(*(self._sampler._next if self._place is None else self._place.behind(None)))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._place = self._sampler._begin(*self._sampler._read(state))
        self._block, self._ask = iter(()), _FIRST_BLOCK
