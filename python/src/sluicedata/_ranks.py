"""Which process of how many this is."""

from __future__ import annotations

import operator
import os
import sys

from .errors import UsageError


def rank_and_world(rank: int | None, world_size: int | None) -> tuple[int, int]:
    """Rank and world size as given, and what isn't given from torch.distributed, where it is initialized, else from
    the variables RANK and WORLD_SIZE (torchrun sets them), else 0 of 1.

    Raises UsageError where there are several processes and nothing says which one this is.
    """
    if rank is None or world_size is None:
        default_rank, default_world = _default()
        world_size = default_world if world_size is None else world_size
        rank = default_rank if rank is None and world_size > 1 else rank or 0
        if rank is None:
            raise UsageError(
                f"there are {world_size} processes (WORLD_SIZE), and neither torch.distributed nor RANK says which one "
                "this is: start with torchrun, call torch.distributed.init_process_group first, or give rank="
            )
    try:
        rank, world_size = operator.index(rank), operator.index(world_size)
    except TypeError:
        raise UsageError(f"rank={rank!r} of world_size={world_size!r}: want whole numbers, or None") from None
    if world_size < 1 or not 0 <= rank < world_size:
        raise UsageError(f"rank={rank} of world_size={world_size}: want a rank from 0 to {max(world_size, 1) - 1}")
    return rank, world_size


def fair_workers() -> int:
    """Threads for each engine where torchrun has started several processes on this machine (LOCAL_WORLD_SIZE): its part
    of the processors, at least 1. 0 where there is one process: the engine takes them all.
    """
    here = _variable("LOCAL_WORLD_SIZE") or 1
    if here <= 1:
        return 0
    try:
        processors = len(os.sched_getaffinity(0))
    except AttributeError:  # not on this platform
        processors = os.cpu_count() or 1
    return max(1, processors // here)


def _default() -> tuple[int | None, int]:
    # A program that hasn't imported torch.distributed hasn't initialized it.
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return int(distributed.get_rank()), int(distributed.get_world_size())
    return _variable("RANK"), _variable("WORLD_SIZE") or 1


def _variable(name: str) -> int | None:
    text = os.environ.get(name, "")
    try:
        return int(text) if text else None
    except ValueError:
        raise UsageError(f"the variable {name} is {text!r}: want a number, as torchrun sets it, or none") from None
