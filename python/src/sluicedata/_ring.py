"""Memory for pixels that is used again once the last view of it is gone.

Each batch has an exporter: an object that owns its memory, and that every view of it keeps alive, NumPy's as well as
those of torch, Arrow and DLPack's consumers. When the exporter dies the memory goes back. It may die anywhere, in
any thread, in a garbage collection in the middle of anything: so all that happens then is that a deque gets an entry,
by a function in C, which no Ctrl-C can interrupt. The loop finds it when it wants its next batch.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Self

from . import _fork
from .errors import EngineError

_SEAL_SHRINK = 2
_MAP_FIXED = 0x10


class _Lease(weakref.ref[Any]):
    """The weak reference to an exporter, which knows what memory goes back with it."""

    __slots__ = ("place",)
    place: int

    def __new__(cls, exporter: Any, callback: Callable[[Any], None], place: int) -> Self:
        self = super().__new__(cls, exporter, callback)
        self.place = place
        return self

    def __init__(self, exporter: Any, callback: Callable[[Any], None], place: int) -> None:
        super().__init__(exporter, callback)  # type: ignore[call-arg]


_types: dict[int, Any] = {}


def _export(memory: mmap.mmap, offset: int, size: int) -> Any:
    kind = _types.get(size)
    if kind is None:
        if len(_types) > 64:
            _types.clear()
        kind = _types[size] = ctypes.c_ubyte * size
    return kind.from_buffer(memory, offset)


class Ring:
    """The engine's memory file, mapped. A slot belongs to Python from the batch that names it until it is given back."""

    def __init__(self, file: int, slots: int, slot_bytes: int) -> None:
        size = slots * slot_bytes
        if os.fstat(file).st_size < size or not _sealed(file):
            raise EngineError(f"the engine's ring isn't {slots} slots of {slot_bytes} bytes in a sealed memory file")
        self.memory = mmap.mmap(file, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self.slots = slots
        self.slot_bytes = slot_bytes
        self.dead: deque[_Lease] = deque()
        self._leases: dict[int, _Lease] = {}
        _fork.watch(self)

    def own(self) -> None:
        """In a forked child: puts memory of this process alone in the place of what it has, with the same content.

        Where the system refuses, it stays shared: valid until the parent gives it back.
        """
        map_at = ctypes.CDLL(None, use_errno=True).mmap
        map_at.restype = ctypes.c_void_p
        map_at.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
        access, kind = mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_FIXED
        start = self.address()
        for slot in list(self._leases):
            at = start + slot * self.slot_bytes
            content = ctypes.string_at(at, self.slot_bytes)
            if map_at(at, self.slot_bytes, access, kind, -1, 0) == at:
                ctypes.memmove(at, content, self.slot_bytes)

    def take(self, slot: Any, size: Any) -> Any:
        """The exporter of a slot's first bytes."""
        if not isinstance(slot, int) or not 0 <= slot < self.slots:
            raise EngineError(f"the engine named slot {slot} of a ring of {self.slots}")
        if slot in self._leases:
            raise EngineError(f"the engine filled slot {slot}, of which there are still views")
        if not isinstance(size, int) or not 0 < size <= self.slot_bytes:
            raise EngineError(f"the engine named {size} bytes of a slot of {self.slot_bytes}")
        exporter = _export(self.memory, slot * self.slot_bytes, size)
        self._leases[slot] = _Lease(exporter, self.dead.append, slot)
        return exporter

    def address(self) -> int:
        """Where it begins in this process."""
        return ctypes.addressof(ctypes.c_ubyte.from_buffer(self.memory))

    @property
    def taken(self) -> int:
        """How many slots Python has."""
        return len(self._leases) - len(self.dead)

    def freed(self) -> list[int]:
        """The slots of which the last view has gone, each told of once."""
        return [self._leases.pop(self.dead.popleft().place).place for _ in range(len(self.dead))]


class Blocks:
    """Heap memory for pixels that come with their message: fresh pages for each batch would cost more than the copy."""

    _KEPT = 4

    def __init__(self) -> None:
        self._free: deque[mmap.mmap] = deque(maxlen=self._KEPT)
        self._dead: deque[_Lease] = deque()
        self._leases: dict[int, tuple[_Lease, mmap.mmap]] = {}
        self._count = 0

    def take(self, size: int) -> memoryview:
        """Memory of a size, which its views keep."""
        for _ in range(len(self._dead)):
            self._free.append(self._leases.pop(self._dead.popleft().place)[1])
        memory = None
        while self._free and memory is None:
            memory = self._free.popleft()
            if not size <= len(memory) <= 2 * size:
                memory = None
        if memory is None:
            memory = mmap.mmap(-1, size)
        exporter = _export(memory, 0, size)
        self._count += 1
        self._leases[self._count] = (_Lease(exporter, self._dead.append, self._count), memory)
        return memoryview(exporter).cast("B")


def _sealed(file: int) -> bool:
    """Whether nobody can shrink a memory file, which would end whoever reads it."""
    import fcntl

    try:
        return bool(fcntl.fcntl(file, fcntl.F_GET_SEALS) & _SEAL_SHRINK)
    except OSError:
        return False
