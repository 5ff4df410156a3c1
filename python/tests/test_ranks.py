"""Rank and world size, given or found."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sluicedata import UsageError
from sluicedata._ranks import fair_workers, rank_and_world


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)


def test_alone() -> None:
    assert rank_and_world(None, None) == (0, 1)
    assert rank_and_world(None, 1) == (0, 1)
    assert rank_and_world(2, 3) == (2, 3)


def test_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "3")
    assert rank_and_world(None, None) == (3, 4)
    assert rank_and_world(1, None) == (1, 4)
    assert rank_and_world(None, 5) == (3, 5)
    assert rank_and_world(None, 1) == (0, 1)
    with pytest.raises(UsageError, match="rank=3 of world_size=2"):
        rank_and_world(None, 2)


def test_no_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match=r"neither .* nor RANK says"):
        rank_and_world(None, None)
    with pytest.raises(UsageError, match="there are 3 processes"):
        rank_and_world(None, 3)
    assert rank_and_world(0, None) == (0, 2)


@pytest.mark.parametrize(("rank", "world"), [(-1, 2), (2, 2), (0, 0), (0, -1), (5, None)])
def test_refused(rank: int, world: int | None) -> None:
    with pytest.raises(UsageError, match="want a rank from 0 to"):
        rank_and_world(rank, world)


def test_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(UsageError, match="the variable WORLD_SIZE is 'two'"):
        rank_and_world(None, None)


def test_distributed() -> None:
    """torch.distributed goes before the variables: the rank of a group of one process, whatever they say."""
    pytest.importorskip("torch")
    code = """
import os, torch.distributed as dist
store = dist.HashStore()
dist.init_process_group("gloo", rank=0, world_size=1, store=store)
os.environ.update(RANK="3", WORLD_SIZE="4")
from sluicedata._ranks import fair_workers, rank_and_world
assert rank_and_world(None, None) == (0, 1)
dist.destroy_process_group()
assert rank_and_world(None, None) == (3, 4)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_processes_share_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert fair_workers() == 0
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(12)), raising=False)
    for processes, workers in ((1, 0), (2, 6), (5, 2), (64, 1)):
        monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
        assert fair_workers() == workers
