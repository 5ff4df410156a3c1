"""A Loader and an engine that isn't what it should be: each time an exception that says so, and never a hang."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import json
import os
import signal
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import sluicedata
from sluicedata import Loader, _engine

LONG = bool(os.environ.get("SLUICE_LONG"))

_spec = importlib.util.spec_from_file_location("fake_engine", Path(__file__).with_name("fake_engine.py"))
assert _spec is not None and _spec.loader is not None
fake: Any = importlib.util.module_from_spec(_spec)
sys.modules["fake_engine"] = fake
_spec.loader.exec_module(fake)

Fake = Callable[..., None]


@pytest.fixture
def fake_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """fake_engine(do="stall", ...): the next engines behave so."""
    columns = pa.record_batch(
        {
            "key": pa.array(["a", "b", "c", "d"]),
            "label.class": pa.array([0, None, 0, 0], pa.int32()),
            "weight": pa.array([1, 1, 1, 1], pa.float32()),
            "epoch": pa.array([0, 0, 0, 0], pa.int32()),
            "position": pa.array([0, 1, 2, 3], pa.int64()),
            "source_index": pa.array([0, 1, 2, 3], pa.int64()),
        }
    )
    with pa.OSFile(str(tmp_path / "columns"), "wb") as file, pa.ipc.new_stream(file, columns.schema) as writer:
        writer.write_batch(columns)
    script = tmp_path / "sluice"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E {Path(__file__).with_name("fake_engine.py")} "$@"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("SLUICE", str(script))
    monkeypatch.setenv("FAKE_ENGINE", str(tmp_path / "behaviour.json"))
    monkeypatch.setattr(_engine, "STALL_SECONDS", 1.0)

    def behave(**behaviour: Any) -> None:
        settings = dataclasses.asdict(fake.Behaviour(columns=str(tmp_path / "columns"), **behaviour))
        (tmp_path / "behaviour.json").write_text(json.dumps(settings))

    return behave


def loader(**options: Any) -> Loader:
    return Loader({"version": 1}, **{"format": "numpy", **options})


def pixels(batch: Any) -> bytes:
    return np.ascontiguousarray(batch.image.transpose(0, 2, 3, 1)).tobytes()


def right(batches: Any) -> list[tuple[int, int]]:
    """Checks each batch's pixels, and returns which they are."""
    out = []
    for b in batches:
        assert pixels(b) == fake.pixels(b.epoch, b.number)
        assert b.label["class"].tolist() == [0, -100, 0, 0]
        out.append((b.epoch, b.number))
    return out


def processes() -> set[int]:
    """Children of this process, zombies too."""
    mine = set()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid():
            mine.add(int(entry.parent.name))
    return mine


@pytest.mark.parametrize("transport", ["ring", "pipe"])
def test_it_is_an_engine(fake_engine: Fake, transport: Any) -> None:
    fake_engine()
    with loader(transport=transport) as one:
        for epoch in range(3):
            assert right(one) == [(epoch, n) for n in range(5)]
        state = one.state_dict()
        one.load_state_dict({**state, "batch": 2})
        assert right(one) == [(3, 2), (3, 3), (3, 4)]


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ({"hello": {"protocol": 2}}, "speaks protocol 2, this package .* protocol 1"),
        ({"do": "version", "at": 0}, "version 2 of the protocol, this package version 1"),
        ({"do": "version", "at": 2}, "version 2 of the protocol"),
        ({"do": "garbage"}, "where a message begins"),
        ({"do": "kind"}, "kind 77"),
        ({"do": "stall", "at": 0}, "in the middle of a message|doesn't answer"),
        ({"do": "stall"}, "in the middle of a message"),
        ({"do": "exit"}, "ended with status 3"),
        ({"do": "exit", "at": 0}, "ended with status 3"),
        ({"do": "kill"}, "SIGKILL.*memory"),
        ({"do": "close"}, "ended before its time"),
        ({"do": "twice", "at": 2}, "batch 0 of epoch 0 where batch 1"),
        ({"ring": "unsealed"}, "sealed"),
        ({"ring": "small"}, "isn't 4 slots"),
        ({"ring": "missing"}, "sent none"),
        ({"plan": {"plan": {}}}, "a plan that isn't one"),
        ({"plan": {"state": None}}, "a plan that isn't one"),
        ({"plan": {"slot_bytes": "1"}}, "a plan that isn't one"),
        ({"do": "head", "head": {"slot": 4}}, "slot 4 of a ring of 4"),
        ({"do": "head", "head": {"slot": 1 << 40}}, "slot 1099511627776"),
        ({"do": "head", "head": {"slot": "0"}}, "a batch that isn't one"),
        ({"do": "head", "head": {"slot": True}}, "a batch that isn't one"),
        ({"do": "head", "head": {"slot": -1}}, "a batch that isn't one"),
        ({"do": "head", "head": {"columns": 1}}, "a batch that isn't one"),
        ({"do": "head", "head": {"rows": 3}}, "a batch that isn't one"),
        ({"do": "head", "head": {"next": [0]}}, "a batch that isn't one"),
        ({"do": "head", "head": {"image": {"dtype": "uint8"}}}, "a batch that isn't one"),
        ({"do": "head", "head": {"image": None}}, "a batch that isn't one"),
        (
            {
                "do": "head",
                "head": {"image": {"dtype": "uint8", "layout": "hwc", "shape": [4, 60, 50, 3], "bytes": 36000}},
            },
            "36000 bytes of a slot of 4096",
        ),
        ({"do": "head", "at": 3, "head": {"slot": 3}}, "of which there are still views"),
        ({"do": "head", "at": 3, "head": {"number": 7}}, "batch 7 of epoch 0 where batch 1 of epoch 0 comes"),
        ({"do": "head", "at": 3, "head": {"epoch": 7}}, "batch 1 of epoch 7 where"),
        ({"do": "head", "at": 6, "head": {"next": [2, 0]}}, "before batch 0 of epoch 2"),
        ({"do": "error", "head": {"kind": "engine", "message": "words of the engine"}}, "words of the engine"),
    ],
)
def test_misbehaviour(fake_engine: Fake, behaviour: dict[str, Any], message: str) -> None:
    fake_engine(**behaviour)
    before = processes()
    kept: list[Any] = []
    begin = time.monotonic()
    with pytest.raises(sluicedata.EngineError, match=message):
        one = loader()
        for b in one:
            kept.append(b)  # noqa: PERF402
    assert time.monotonic() - begin < 20
    right(kept)
    # An engine that behaves goes on where the other one left off.
    fake_engine()
    if "one" in locals():
        one.load_state_dict(one.state_dict())
        assert [(b.epoch, b.number) for b in kept] + right(one) == [(0, n) for n in range(5)]
        one.close()
    assert processes() <= before


def test_errors_of_a_run(fake_engine: Fake) -> None:
    error = {"kind": "sample", "message": "a.jpg: no", "key": "a.jpg", "epoch": 0, "position": 4, "stage": "decode"}
    fake_engine(do="error", at=3, head=error)
    one = loader()
    iterator = iter(one)
    right([next(iterator)])
    with pytest.raises(sluicedata.SampleError, match=r"a\.jpg: no") as caught:
        next(iterator)
    assert (caught.value.key, caught.value.position, caught.value.stage) == ("a.jpg", 4, "decode")
    assert one.state_dict()["batch"] == 1


def test_warnings_are_logged(fake_engine: Fake, caplog: pytest.LogCaptureFixture) -> None:
    fake_engine(do="warn", plan={"warnings": ["of the plan"]})
    right(loader())
    assert [r.message for r in caplog.records if r.name == "sluicedata"] == ["of the plan", "a warning"]


@pytest.mark.parametrize("seed", range(1000 if LONG else 40))
def test_fuzzed_messages(fake_engine: Fake, seed: int) -> None:
    rng = np.random.default_rng(seed)
    do = str(rng.choice(["flip", "cut", "truncate", "garbage", "twice"]))
    fake_engine(do=do, at=int(rng.integers(0, 7)), seed=seed)
    transport = "ring" if seed % 2 else "pipe"
    begin = time.monotonic()
    with contextlib.suppress(sluicedata.Error):
        for b in loader(transport=transport):
            _ = b.image, b.label, b.key, b.weight, b.position
    assert time.monotonic() - begin < 20


def test_an_engine_that_never_greets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "sluice"
    script.write_text("#!/bin/sh\nexec sleep 1000\n")
    script.chmod(0o755)
    monkeypatch.setenv("SLUICE", str(script))
    monkeypatch.setattr(_engine, "STALL_SECONDS", 0.5)
    before = processes()
    with pytest.raises(sluicedata.EngineError, match="doesn't answer"):
        loader()
    script.write_text("#!/bin/sh\necho no such command >&2\nexit 2\n")
    with pytest.raises(sluicedata.EngineError, match="ended with status 2"):
        loader()
    script.write_text("not a program")
    with pytest.raises(sluicedata.EngineError, match="cannot be started"):
        loader()
    assert processes() <= before


def test_close_ends_an_engine_that_doesn_t_listen(fake_engine: Fake) -> None:
    fake_engine(do="stall", at=3)
    before = processes()
    one = loader()
    next(iter(one))
    begin = time.monotonic()
    one.close()
    assert time.monotonic() - begin < 5 and processes() <= before


def test_all_slots_kept(fake_engine: Fake) -> None:
    fake_engine(batches=20)
    kept = list(loader())
    assert right(kept) == [(0, n) for n in range(20)]
    assert sum(b._head["slot"] < 0 for b in kept) == 16
    fake_engine(batches=20, slots=1)
    assert right(loader()) == [(0, n) for n in range(20)]


def test_killed_while_it_is_waited_for(fake_engine: Fake) -> None:
    fake_engine(do="stall", at=2, seed=0)
    one = loader()
    assert one._engine is not None
    pid = one._engine.pid
    signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGTERM))
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    with pytest.raises(sluicedata.EngineError, match=r"SIGTERM|middle of a message"):
        next(iter(one))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
