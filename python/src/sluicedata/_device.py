"""Batches on a device."""

from __future__ import annotations

import contextlib
from collections import deque
from typing import Any

from ._ring import Ring
from .errors import UsageError


class Mover:
    """Copies tensors to a device of torch. Calling it gives the tensor there; what it was copied from lives until then.

    On CUDA the ring is registered once, so that the copy runs beside the loop's kernels, on a stream of its own; a slot is
    given back once the event behind its copy has passed.
    """

    def __init__(self, device: Any) -> None:
        import torch

        self._torch: Any = torch
        try:
            self.device = torch.device(device)
        except (RuntimeError, TypeError) as error:
            raise UsageError(f"device={device!r}: {error}") from None
        self._cuda = self.device.type == "cuda"
        if self._cuda and not torch.cuda.is_available():
            raise UsageError(f"device={device!r}: this torch sees no CUDA device")
        self._stream: Any = None
        self._pinned: Any = None  # the memory that is registered
        self._at = 0
        self._copies: deque[tuple[Any, Any]] = deque()  # of an event and what is copied until then

    @property
    def here(self) -> bool:
        """Whether tensors are there already."""
        return self.device.type == "cpu"

    def register(self, ring: Ring) -> None:
        """Tells CUDA of a ring, once. Where CUDA refuses, copies wait for their end."""
        if not self._cuda:
            return
        self.release()
        at = ring.address()
        if int(self._torch.cuda.cudart().cudaHostRegister(at, len(ring.memory), 0)) == 0:
            self._pinned, self._at = ring.memory, at
            self._stream = self._torch.cuda.Stream(self.device)

    def release(self) -> None:
        """Waits for what is under way, and takes the ring back from CUDA."""
        with contextlib.suppress(RuntimeError):  # at the end of a program CUDA may have gone before
            while self._copies:
                self._copies.popleft()[0].synchronize()
            if self._pinned is not None:
                self._torch.cuda.cudart().cudaHostUnregister(self._at)
        self._copies.clear()
        self._pinned = None

    def __call__(self, tensor: Any, owner: Any) -> Any:
        """The tensor on the device; owner is what its memory belongs to, None if that isn't the ring's."""
        while self._copies and self._copies[0][0].query():
            self._copies.popleft()
        if owner is None or self._pinned is None:
            return tensor.to(self.device)
        torch = self._torch
        now = torch.cuda.current_stream(self.device)
        with torch.cuda.stream(self._stream):
            there = tensor.to(self.device, non_blocking=True)
            event = self._stream.record_event()
        now.wait_event(event)
        there.record_stream(now)
        self._copies.append((event, owner))
        return there
