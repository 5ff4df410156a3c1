"""Batches that a forked child has of its parent: in shared memory, which the parent gives back and the engine fills anew.

So each child makes what it has its own, and its parent goes on when that is done.
"""

from __future__ import annotations

import os
import select
import threading
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._ring import Ring

_WAIT_MILLISECONDS = 5000

_rings: weakref.WeakSet[Ring] = weakref.WeakSet()
_forking = threading.Lock()  # one fork at a time
_pipe: tuple[int, int] | None = None  # which the child closes when it is done; None: there is nothing to do


def watch(ring: Ring) -> None:
    """Has forked children keep what is taken of a ring."""
    _rings.add(ring)


def _before() -> None:
    global _pipe
    _forking.acquire()
    _pipe = os.pipe() if any(ring.taken for ring in list(_rings)) else None


def _in_parent() -> None:
    global _pipe
    pipe, _pipe = _pipe, None
    if pipe is not None:
        os.close(pipe[1])
        poll = select.poll()
        poll.register(pipe[0], select.POLLIN)
        poll.poll(_WAIT_MILLISECONDS)
        os.close(pipe[0])
    _forking.release()


def _in_child() -> None:
    global _forking, _pipe
    pipe, _pipe, _forking = _pipe, None, threading.Lock()
    if pipe is not None:
        for ring in list(_rings):
            ring.own()
        os.close(pipe[0])
        os.close(pipe[1])


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
