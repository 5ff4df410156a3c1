"""Batches on a device: on a CUDA that isn't there, whose copies come to their end as late as the loader lets them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import sluicedata
from sluicedata import Loader

torch: Any = pytest.importorskip("torch")

MakeFolder = Callable[..., Path]


@pytest.fixture
def pipeline(make_folder: MakeFolder) -> dict[str, Any]:
    folder = make_folder({"cat": 20, "dog": 20})
    return {
        "version": 1,
        "seed": 3,
        "source": {"folder": {"path": str(folder), "tasks": ["class"]}},
        "stages": ["shuffle", "decode", {"random_resized_crop": {"size": 16}}, {"batch": {"size": 4}}],
    }


class Cuda:
    """What a Mover uses of torch.cuda. A copy reads its source when the event behind it has passed: some events later."""

    late = 3

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.registered: dict[int, int] = {}
        self.registrations = self.copies = 0
        self.events: list[Event] = []
        self.pending: list[tuple[Any, Any]] = []
        cuda = torch.cuda
        monkeypatch.setattr(cuda, "is_available", lambda: True)
        monkeypatch.setattr(cuda, "cudart", lambda: self)
        monkeypatch.setattr(cuda, "Stream", lambda device: self)
        monkeypatch.setattr(cuda, "stream", lambda stream: contextlib.nullcontext())
        monkeypatch.setattr(cuda, "current_stream", lambda device: self)
        monkeypatch.setattr(torch.Tensor, "record_stream", lambda tensor, stream: None)
        to = torch.Tensor.to

        def copy(tensor: Any, device: Any, non_blocking: bool = False) -> Any:
            if torch.device(device).type != "cuda":
                return to(tensor, device, non_blocking=non_blocking)
            if not non_blocking:
                return tensor.clone()
            there = torch.full_like(tensor, 77)
            self.pending.append(
                (there, tensor.detach().numpy())
            )  # a view that keeps nothing of the loader's alive by itself
            self.copies += 1
            return there

        monkeypatch.setattr(torch.Tensor, "to", copy)

    def cudaHostRegister(self, at: int, size: int, flags: int) -> int:  # noqa: N802
        self.registered[at] = size
        self.registrations += 1
        return 0

    def cudaHostUnregister(self, at: int) -> int:  # noqa: N802
        del self.registered[at]
        return 0

    def wait_event(self, event: Event) -> None:
        pass

    def record_event(self) -> Event:
        event = Event(self, self.pending)
        self.pending = []
        self.events.append(event)
        return event


class Event:
    def __init__(self, cuda: Cuda, copies: list[tuple[Any, Any]]) -> None:
        self.cuda = cuda
        # By address: only the loader keeps the memory from being used again.
        self.copies = [(there, here.ctypes.data, here.shape, here.strides) for there, here in copies]
        self.number = len(cuda.events)
        self.passed = False

    def query(self) -> bool:
        if len(self.cuda.events) - self.number > self.cuda.late:
            self.synchronize()
        return self.passed

    def synchronize(self) -> None:
        if self.passed:
            return
        import ctypes

        import numpy as np

        for there, address, shape, strides in self.copies:
            size = 1 + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
            raw = np.frombuffer((ctypes.c_ubyte * size).from_address(address), np.uint8)
            there.copy_(torch.from_numpy(np.lib.stride_tricks.as_strided(raw, shape, strides).copy()))
        self.passed = True


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cuda]:
    yield Cuda(monkeypatch)


def test_the_ring_is_registered_and_copied_from(pipeline: dict[str, Any], cuda: Cuda) -> None:
    want = [(b.image.clone(), b.label["class"]) for b in Loader(pipeline)]
    loader = Loader(pipeline, device="cuda", slots=16)
    assert cuda.registrations == 1 and list(cuda.registered.values()) == [16 * 4096]
    assert loader._engine is not None and loader._engine.ring is not None
    ring = loader._engine.ring
    for _ in range(3):
        loader.set_epoch(0)
        got = list(loader)
        assert ring.taken <= cuda.late + 2  # kept batches are copies: slots go back once their events have passed
        assert loader._mover is not None
        for event in cuda.events:
            event.synchronize()
        assert all(
            torch.equal(b.image, image) and torch.equal(b.label["class"], y)
            for b, (image, y) in zip(got, want, strict=True)
        )
    assert cuda.copies == 3 * len(want) and cuda.registrations == 1
    with pytest.raises(sluicedata.UsageError, match="device"):
        got[0].to_arrow()
    loader.close()
    assert not cuda.registered and all(event.passed for event in cuda.events)


def test_dropped_with_copies_under_way(pipeline: dict[str, Any], cuda: Cuda) -> None:
    loader = Loader(pipeline, device="cuda")
    image, _ = next(iter(loader))
    del loader
    assert not cuda.registered
    assert torch.equal(image, next(iter(Loader(pipeline))).image)


def test_an_engine_that_is_killed(pipeline: dict[str, Any], cuda: Cuda) -> None:
    loader = Loader(pipeline, device="cuda")
    iterator = iter(loader)
    got = [next(iterator).image]
    assert loader._engine is not None
    loader._engine.kill()
    got += [b.image for b in iterator]
    for event in cuda.events:
        event.synchronize()
    assert cuda.registrations == 2 and len(cuda.registered) == 1
    assert all(torch.equal(a, b.image) for a, b in zip(got, Loader(pipeline), strict=True))


def test_cuda_refuses(pipeline: dict[str, Any], cuda: Cuda, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cuda, "cudaHostRegister", lambda *_: 801)
    got = [b.image for b in Loader(pipeline, device="cuda")]
    assert cuda.copies == 0  # that wouldn't be waited for
    assert all(torch.equal(a, b.image) for a, b in zip(got, Loader(pipeline), strict=True))


def test_by_the_pipe(pipeline: dict[str, Any], cuda: Cuda) -> None:
    got = [b.image for b in Loader(pipeline, device="cuda", transport="pipe")]
    assert cuda.registrations == 0 and cuda.copies == 0
    assert all(torch.equal(a, b.image) for a, b in zip(got, Loader(pipeline), strict=True))


def test_other_devices(pipeline: dict[str, Any]) -> None:
    with Loader(pipeline, device="meta") as loader:
        image, label = next(iter(loader))
        assert image.device.type == label.device.type == loader.class_weights().device.type == "meta"
        assert image.shape == (4, 3, 16, 16)
    here = next(iter(Loader(pipeline, device="cpu")))
    assert here.image.data_ptr() % 4096 == 0  # where it lies in the ring
    there = here.to("meta")
    assert there.image.device.type == there.label["class"].device.type == "meta" and there.key == here.key
    if not torch.cuda.is_available():
        with pytest.raises(sluicedata.UsageError, match="CUDA"):
            Loader(pipeline, device="cuda:0")
    with pytest.raises(sluicedata.UsageError, match="torch"):
        next(iter(Loader(pipeline, format="numpy"))).to("meta")
