from __future__ import annotations

import pickle
import random

import pytest

from sluicedata import _wire, errors
from sluicedata._wire import Kind


def test_round_trip() -> None:
    head = {"epoch": 2, "name": "ü", "list": [1, 2.5, None]}
    data = _wire.pack(Kind.BATCH, 7, head, 5)
    header = _wire.unpack_header(data[:32])
    assert (header.kind, header.id, header.body) == (Kind.BATCH, 7, 5)
    assert header.head == len(data) - 32
    assert _wire.unpack_head(data[:32], data[32:]) == head


def test_layout() -> None:
    # Of the specification, byte by byte: little-endian, CRC-32 of the 24 bytes before it and the head.
    data = _wire.pack(Kind.HELLO, 3, {})
    assert data[:24] == b"sluf" + bytes([1, 0, 1, 0, 3, 0, 0, 0, 2, 0, 0, 0]) + bytes(8)
    assert data[28:] == bytes(4) + b"{}"


def test_every_changed_bit_is_noticed() -> None:
    data = _wire.pack(Kind.PLAN, 1, {"plan": {"a": 1}})
    for bit in range(8 * len(data)):
        bad = bytearray(data)
        bad[bit // 8] ^= 1 << bit % 8
        with pytest.raises(errors.EngineError):
            header = _wire.unpack_header(bad[:32])
            if header.head > len(data) - 32:
                raise errors.EngineError("the message ends before its time")
            _wire.unpack_head(bad[:32], bad[32 : 32 + header.head])


def test_noise_is_refused() -> None:
    rng = random.Random(1)
    for _ in range(1000):
        with pytest.raises(errors.EngineError):
            _wire.unpack_header(rng.randbytes(32))


def test_version_is_named() -> None:
    data = bytearray(_wire.pack(Kind.PLAN, 1, {}))
    data[4] = 2
    with pytest.raises(errors.EngineError, match="version 2 of the protocol, this package version 1"):
        _wire.unpack_header(data[:32])


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        ({"kind": "pipeline", "mistakes": [{"file": "p.yaml", "line": 3, "message": "no"}]}, errors.PipelineError),
        ({"kind": "sample", "key": "a.jpg", "position": 4, "stage": "decode"}, errors.SampleError),
        ({"kind": "state"}, errors.StateError),
        ({"kind": "usage"}, errors.UsageError),
        ({"kind": "engine"}, errors.EngineError),
        ({"kind": "of a later version"}, errors.EngineError),
    ],
)
def test_errors(head: dict[str, object], kind: type[errors.Error]) -> None:
    error = errors.from_head({"message": "words", **head})
    assert type(error) is kind and str(error) == "words"
    assert str(pickle.loads(pickle.dumps(error))) == "words"
    assert str(kind("words")) == "words"  # as torch does when it passes an exception on from a worker
    if isinstance(error, errors.PipelineError):
        assert str(error.mistakes[0]) == "p.yaml:3: no"
    if isinstance(error, errors.SampleError):
        assert (error.key, error.position, error.stage) == ("a.jpg", 4, "decode")
