"""Sampler: exact quotas, ranks, epochs, states, and a DataLoader around it."""

from __future__ import annotations

import copy
import gc
import json
import logging
import os
import pickle
import re
import signal
import subprocess
import sys
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sluicedata import EngineError, StateError, UsageError
from sluicedata._labels import class_numbers
from sluicedata.sampler import Sampler

TARGETS: dict[str, Any] = {
    "class_balanced": lambda n: 1,
    "instance": lambda n: n,
    "square_root": lambda n: Fraction(n) ** Fraction(1, 2),
    "power": lambda n: Fraction(n) ** Fraction(1, 4),
}


def long_tail(samples: int = 1000, classes: int = 8) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Each class has about 0.6 of the samples of the one before."""
    share = 0.6 ** np.arange(classes)
    labels = np.random.default_rng(3).choice(classes, samples, p=share / share.sum()).astype(np.int32)
    labels[:classes] = np.arange(classes)  # at least one each
    return labels


def kept(sampler: Sampler, epochs: int) -> list[list[int]]:
    return [list(sampler) for _ in range(epochs)]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("samples", [None, 77, 4001])
def test_exact_quotas(target: Any, samples: int | None) -> None:
    """No epoch gives a class a draw more or less than its share rounded; none falls two behind over ten epochs; and each
    sample of a class is used as often as the others, give or take one."""
    labels = long_tail()
    sampler = Sampler(labels, target, power=0.25 if target == "power" else None, samples=samples, seed=5)
    counts = np.bincount(labels)
    draws = len(labels) if samples is None else samples
    share = [TARGETS[target](int(n)) for n in counts]
    due = [Fraction(draws) * Fraction(s) / Fraction(sum(share)) for s in share]
    uses = np.zeros(len(labels), np.int64)
    for epoch, indices in enumerate(kept(sampler, 10)):
        assert len(indices) == len(sampler) == draws
        uses += np.bincount(indices, minlength=len(labels))
        got = np.bincount(labels[indices], minlength=len(counts))
        if epoch == 0:
            assert all(abs(g - d) < 1 for g, d in zip(got, due, strict=True))
        total = np.bincount(labels, weights=uses)
        assert all(abs(t - (epoch + 1) * d) < 2 for t, d in zip(total, due, strict=True))
        for c in range(len(counts)):
            of_class = uses[labels == c]
            assert of_class.max() - of_class.min() <= 1


def test_epochs_differ_and_repeat() -> None:
    labels = long_tail()
    first, second = kept(Sampler(labels, seed=1), 2), kept(Sampler(labels, seed=1), 2)
    assert first == second
    assert first[0] != first[1]
    assert kept(Sampler(labels, seed=2), 1)[0] != first[0]


def test_large_seed() -> None:
    assert len(list(Sampler([0, 1], seed=2**64 - 1))) == 2
    with pytest.raises(UsageError, match="seed"):
        Sampler([0, 1], seed=-1)


@pytest.mark.parametrize("world", [1, 2, 3, 7])
@pytest.mark.parametrize("drop_last", [False, True])
def test_ranks_share_one_sequence(world: int, drop_last: bool) -> None:
    labels = long_tail(500)
    whole = list(Sampler(labels, rank=0, world_size=1))
    ranks = [Sampler(labels, rank=r, world_size=world, drop_last=drop_last) for r in range(world)]
    lists = [list(sampler) for sampler in ranks]
    assert {len(indices) for indices in lists} == {len(sampler) for sampler in ranks}
    together = [index for step in zip(*lists, strict=True) for index in step]
    if drop_last:
        assert together == whole[: 500 // world * world]
    else:
        assert together[:500] == whole
        assert together[500:] == whole[: len(together) - 500]


def test_ranks_are_disjoint() -> None:
    """As many draws as samples in their own proportions: each index once, in one of the ranks."""
    labels = long_tail(600)
    lists = [list(Sampler(labels, "instance", rank=r, world_size=4)) for r in range(4)]
    assert sorted(index for indices in lists for index in indices) == list(range(600))


def test_more_ranks_than_draws() -> None:
    whole = list(Sampler([0, 1, 2], rank=0, world_size=1))
    assert [list(Sampler([0, 1, 2], rank=r, world_size=7)) for r in range(7)] == [[whole[r % 3]] for r in range(7)]
    with pytest.raises(UsageError, match="has none for each of 7 processes"):
        Sampler([0, 1, 2], rank=0, world_size=7, drop_last=True)


def test_rank_from_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="RANK"):
        Sampler([0, 1, 1])
    monkeypatch.setenv("RANK", "1")
    sampler = Sampler(long_tail())
    assert list(sampler) == list(Sampler(long_tail(), rank=1, world_size=2))


def test_set_epoch() -> None:
    labels = long_tail()
    epochs = kept(Sampler(labels), 4)
    sampler = Sampler(labels)
    sampler.set_epoch(2)
    assert list(sampler) == epochs[2]
    assert list(sampler) == epochs[3]
    sampler.set_epoch(0)
    next(iter(sampler))  # left early
    assert list(sampler) == epochs[1]
    for bad in (-1, 1 << 22):
        with pytest.raises(UsageError, match="epoch"):
            sampler.set_epoch(bad)
    sampler.set_epoch((1 << 22) - 1)
    assert len(list(sampler)) == len(labels)
    with pytest.raises(UsageError, match="epoch"):
        next(iter(sampler))


def test_unused_iterators_are_no_epochs() -> None:
    """A DataLoader with workers makes two of which it uses the second."""
    epochs = kept(Sampler(long_tail()), 2)
    sampler = Sampler(long_tail())
    iter(sampler)
    loop = iter(sampler)
    assert list(loop) == epochs[0]
    assert list(loop) == []
    assert list(sampler) == epochs[1]


def test_loops_beside_each_other() -> None:
    """Each is an epoch of its own, and the state is that of the newer one."""
    epochs = kept(Sampler(long_tail()), 3)
    sampler = Sampler(long_tail())
    first, second = iter(sampler), iter(sampler)
    got: list[list[int]] = [[], []]
    for _ in range(700):
        got[0].append(next(first))
        got[1].append(next(second))
    got[0] += first
    assert got == [epochs[0], epochs[1][:700]]
    assert (sampler.state_dict()["epoch"], sampler.state_dict()["position"]) == (1, 700)
    assert list(sampler) == epochs[2]


def take(sampler: Sampler, n: int) -> list[int]:
    loop = iter(sampler)
    return [next(loop) for _ in range(n)]


@pytest.mark.parametrize("at", [0, 1, 300, 999, 1000])
def test_resume(at: int) -> None:
    labels = long_tail()
    epochs = kept(Sampler(labels, seed=4), 3)
    sampler = Sampler(labels, seed=4)
    sampler.set_epoch(1)
    assert take(sampler, at) == epochs[1][:at]
    text = json.dumps(sampler.state_dict())
    assert len(text) < 400
    resumed = Sampler(labels, seed=4)
    resumed.load_state_dict(json.loads(text))
    assert resumed.state_dict() == json.loads(text)
    if at < 1000:
        assert list(resumed) == epochs[1][at:]
    assert list(resumed) == epochs[2]


def test_resume_with_set_epoch() -> None:
    """Frameworks call set_epoch before each loop, the resumed one too: it goes on where it was."""
    labels = long_tail()
    epochs = kept(Sampler(labels), 3)
    sampler = Sampler(labels)
    sampler.set_epoch(1)
    take(sampler, 10)
    state = sampler.state_dict()
    sampler = Sampler(labels)
    sampler.load_state_dict(state)
    sampler.set_epoch(1)
    assert list(sampler) == epochs[1][10:]
    sampler.load_state_dict(state)
    sampler.set_epoch(2)
    assert list(sampler) == epochs[2]


def test_state_of_what_was_taken() -> None:
    """A DataLoader has asked for more than the loop has got."""
    labels = long_tail()
    sampler = Sampler(labels, rank=0, world_size=2)
    with pytest.raises(UsageError, match="no loop"):
        sampler.state_dict(taken=1)
    everything = take(sampler, 50)
    state = sampler.state_dict(taken=20)
    resumed = Sampler(labels, rank=0, world_size=2)
    resumed.load_state_dict(state)
    assert take(resumed, 30) == everything[20:]
    assert resumed.state_dict() == sampler.state_dict()
    with pytest.raises(UsageError, match="has been given 50"):
        sampler.state_dict(taken=51)


@pytest.mark.parametrize("worlds", [(1, 2, 1), (2, 3, 4), (3, 1, 2)])
@pytest.mark.parametrize("drop_last", [False, True])
def test_resume_in_another_world(worlds: tuple[int, int, int], drop_last: bool) -> None:
    """All ranks' indices, through two changes of the world size, are the unbroken sequence."""
    labels = long_tail(997)
    whole = list(Sampler(labels, rank=0, world_size=1))
    got: list[int] = []
    state = None
    for world, steps in zip(worlds, (50, 41, 10**6), strict=True):
        ranks = [Sampler(labels, rank=r, world_size=world, drop_last=drop_last) for r in range(world)]
        loops = []
        for sampler in ranks:
            if state is not None:
                sampler.load_state_dict(state)
            loops.append(iter(sampler))
        for _ in range(steps):
            step = [next(loop, None) for loop in loops]
            if step[0] is None:
                break
            got += [index for index in step if index is not None]
        states = [sampler.state_dict() for sampler in ranks]
        assert all(other == states[0] for other in states)
        state = states[0]
    last = worlds[-1]
    if drop_last:
        assert got == whole[: len(got)]
        assert 0 <= len(whole) - len(got) < last
    else:
        assert got[:997] == whole
        assert got[997:] == whole[: len(got) - 997]
        assert len(got) < 997 + last
    assert state is not None and (state["epoch"], state["position"]) == (1, 0)


def test_states_refused() -> None:
    labels = long_tail()
    state = Sampler(labels, seed=1).state_dict()
    other = labels.copy()
    other[17] += 1
    for sampler, what in (
        (Sampler(labels, seed=2), "seed 1 there and 2 here"),
        (Sampler(labels, "square_root", seed=1), "target 'class_balanced' there and 'square_root' here"),
        (Sampler(labels, samples=99, seed=1), "samples 1000 there and 99 here"),
        (Sampler(labels[:-1], seed=1), "labels 1000 there and 999 here, fingerprint '"),
        (Sampler(other, seed=1), "of other draws: fingerprint '"),
    ):
        with pytest.raises(StateError, match=what):
            sampler.load_state_dict(state)
        assert len(list(sampler)) == len(sampler)  # it can be used all the same
    sampler = Sampler(labels, seed=1)
    for bad in ({}, {"version": 2}, {**state, "draws": None}, {**state, "epoch": "x"}, {**state, "position": 1001}, 3):
        with pytest.raises(StateError):
            sampler.load_state_dict(bad)  # type: ignore[arg-type]


def test_repeat_factors() -> None:
    """LVIS's factors, whose sum is the length of an epoch, met to less than one draw."""
    labels = long_tail()
    counts = np.bincount(labels[labels >= 0])
    due = counts * np.maximum(1, np.sqrt(0.2 * len(labels) / np.maximum(counts, 1)))
    sampler = Sampler(labels, {"repeat_factor": {"threshold": 0.2}}, seed=3)
    assert len(sampler) == round(due.sum() + (labels < 0).sum())
    drawn = np.zeros(len(counts))
    for epoch in range(1, 6):
        chosen = labels[list(sampler)]
        drawn += np.bincount(chosen[chosen >= 0], minlength=len(counts))
        assert np.abs(drawn - epoch * due * len(sampler) / (due.sum() + (labels < 0).sum())).max() < 1
    other = Sampler(labels, {"effective_number": {"beta": 0.99}}, seed=3)
    with pytest.raises(StateError, match="repeat_factor"):
        other.load_state_dict(sampler.state_dict())
    other.load_state_dict(Sampler(labels, {"effective_number": {"beta": 0.99}}, seed=3).state_dict())


def test_several_classes() -> None:
    """Samples of several classes are drawn as often as the rarest of them asks for, however they are given."""
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(5)
    hot = random.random((400, 6)) < 0.6 ** np.arange(1, 7)
    lists = [np.flatnonzero(row).tolist() for row in hot]
    having = hot.sum(axis=0)
    factors = np.maximum(1, np.sqrt(0.3 * len(hot) / having))
    due = np.array([max((factors[c] for c in own), default=1.0) for own in lists])
    rarest = np.array([min(own, key=lambda c: (having[c], c)) if own else -1 for own in lists])
    draws = [
        list(Sampler(labels, {"repeat_factor": {"threshold": 0.3}}, seed=2))
        for labels in (lists, hot, torch.from_numpy(hot.astype(np.float32)), [set(own) for own in lists])
    ]
    assert draws[0] == draws[1] == draws[2] == draws[3]
    assert len(draws[0]) == round(due.sum())
    uses = np.bincount(draws[0], minlength=len(hot))
    for c in range(-1, 6):
        assert abs(uses[rarest == c].sum() - due[rarest == c].sum() * len(draws[0]) / due.sum()) < 1
        assert np.ptp(uses[rarest == c]) <= 1
    for bad, what in (([[0], ["a"]], "sample 1 has the classes"), (np.full((2, 2), 2), "want 0 and 1")):
        with pytest.raises(UsageError, match=what):
            Sampler(bad)


def test_arguments_refused() -> None:
    for arguments, what in (
        ({"target": "balanced"}, "instance, square_root, power, class_balanced"),
        ({"target": "power"}, "power: missing"),
        ({"target": {"repeat_factor": {"threshold": 2}}}, "threshold: 2 is not above 0 and at most 1"),
        ({"power": 0.5}, "only target power needs it"),
        ({"target": "power", "power": 2}, "not between 0"),
        ({"samples": 0}, "samples=0"),
        ({"samples": 1 << 41}, "2.40"),
        ({"rank": 2, "world_size": 2}, "rank=2"),
    ):
        with pytest.raises(UsageError, match=what):
            Sampler([0, 1, 1], **arguments)


def test_warnings(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "sluicedata"):
        Sampler([0, 0, 3, -1, -100])
    text = caplog.text
    assert "2 samples have no label" in text
    assert "2 classes have no sample and get no draws: 1, 2" in text


# Labels


@pytest.mark.parametrize(
    ("labels", "want"),
    [
        ([2, 0, 1], [2, 0, 1]),
        ([True, False], [1, 0]),
        (np.array([3, 255], np.uint8), [3, 255]),
        (np.array([0, 9, 0, 9], np.int64)[::2], [0, 0]),
        ([0, -1, -100], [0, -1, -1]),
        ([4, None, 1], [4, -1, 1]),
        (["b", "a", "ü", "b"], [1, 0, 2, 1]),
        (["b", None, "a"], [1, -1, 0]),
        (np.array(["x", "y", "x"]), [0, 1, 0]),
        (np.array([b"x", b"a"]), [1, 0]),
        ([1 << 40, 7, -1, 7], [1, 0, -1, 0]),
        ([1 << 24, 7, 7], [1, 0, 0]),
        ({"a": [1, 0, 1, -1], "b": ["y", "y", "x", "x"]}, [2, 0, 1, 3]),
        ((0, 1), [0, 1]),
    ],
)
def test_labels(labels: Any, want: list[int]) -> None:
    numbers = class_numbers(labels)
    assert numbers.dtype == np.int32
    assert numbers.flags.c_contiguous
    assert numbers.tolist() == want


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        ([], "shape"),
        ([[0, 1], [1, 0]], "argmax"),
        ([0.5, 1], "whole numbers"),
        ([0, -2], "sample 1 has the label -2"),
        ([0, "a"], "sample 1 has the label 'a': want all numbers or all names"),
        ([None, 1, "a"], "sample 2 has the label 'a'"),
        ([[0], [1, 2]], "cannot be made an array"),
        (3, "int"),
        (iter([0]), "want a list"),
        ({}, "empty dict"),
        ({"a": [0, 1], "b": [0]}, "'b' has 1 labels"),
    ],
)
def test_labels_refused(labels: Any, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        class_numbers(labels)


def test_int32_is_not_copied() -> None:
    labels = long_tail()
    assert class_numbers(labels) is labels


def test_changed_labels() -> None:
    labels = long_tail()
    sampler = Sampler(labels)
    sampler.close()
    assert len(take(sampler, 3)) == 3
    sampler.close()
    labels[0] = 7
    with pytest.raises(UsageError, match="were changed"):
        list(sampler)


def test_several_tasks_balance_their_combinations() -> None:
    rng = np.random.default_rng(0)
    kind, view = rng.integers(0, 3, 300), np.where(rng.random(300) < 0.9, "front", "back")
    drawn = list(Sampler({"kind": kind, "view": view}, samples=600))
    counts = [sum(1 for i in drawn if kind[i] == k and view[i] == v) for k in range(3) for v in ("front", "back")]
    assert counts == [100] * 6


# Life


def test_pickle_and_copy() -> None:
    sampler = Sampler(long_tail(), seed=3)
    want = kept(Sampler(long_tail(), seed=3), 2)
    take(sampler, 5)
    for other in (pickle.loads(pickle.dumps(sampler)), copy.copy(sampler)):
        assert other.state_dict() == sampler.state_dict()
        assert list(other) == want[1]


def test_engine_killed() -> None:
    """An error at the block that cannot be had; the next loop starts another engine."""
    sampler = Sampler(long_tail(), samples=100_000)
    loop = iter(sampler)
    next(loop)
    assert sampler._engine is not None
    os.kill(sampler._engine.pid, signal.SIGKILL)
    with pytest.raises(EngineError):
        list(loop)
    sampler.set_epoch(0)
    assert len(list(sampler)) == 100_000


def test_ends_with_its_last_reference() -> None:
    sampler = Sampler(long_tail())
    assert len(take(sampler, 3)) == 3
    assert sampler._engine is not None
    pid = sampler._engine.pid
    gc.disable()
    try:
        del sampler
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    finally:
        gc.enable()


def test_without_torch() -> None:
    """A plain iterable where torch isn't installed."""
    code = """
import sys
sys.modules["torch"] = sys.modules["torch.utils"] = sys.modules["torch.utils.data"] = None
from sluicedata.sampler import Sampler
sampler = Sampler(["a", "b", "b"], samples=4)
assert sorted(sampler) in ([0, 0, 1, 2], [0, 0, 1, 1], [0, 0, 2, 2]) and len(sampler) == 4
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# PyTorch


def test_torch_tensor() -> None:
    torch = pytest.importorskip("torch")
    labels = long_tail()
    assert list(Sampler(torch.from_numpy(labels).to(torch.int64))) == list(Sampler(labels))
    hot = torch.nn.functional.one_hot(torch.from_numpy(labels[labels >= 0]).to(torch.int64))
    assert list(Sampler(hot)) == list(Sampler(labels[labels >= 0]))


def test_dataset_with_targets() -> None:
    data = pytest.importorskip("torch.utils.data")

    class Labelled(data.Dataset):  # type: ignore[misc, name-defined]
        targets = long_tail().tolist()

    indices = list(range(0, 1000, 3))
    assert list(Sampler(Labelled())) == list(Sampler(long_tail()))
    assert list(Sampler(data.Subset(Labelled(), indices))) == list(Sampler(long_tail()[indices]))


def dataset(n: int = 1000) -> Any:
    torch = pytest.importorskip("torch")
    return torch.utils.data.TensorDataset(torch.arange(n))


@pytest.mark.parametrize("workers", [0, 2])
def test_data_loader(workers: int) -> None:
    data = pytest.importorskip("torch.utils.data")
    labels = long_tail()
    epochs = kept(Sampler(labels, rank=1, world_size=2), 2)
    sampler = Sampler(labels, rank=1, world_size=2)
    assert isinstance(sampler, data.Sampler)
    loader = data.DataLoader(dataset(), batch_size=32, sampler=sampler, num_workers=workers)
    assert len(loader) == 16
    for epoch in range(2):
        sampler.set_epoch(epoch)
        assert [i for (batch,) in loader for i in batch.tolist()] == epochs[epoch]


@pytest.mark.parametrize("workers", [0, 2])
def test_data_loader_of_single_samples(workers: int) -> None:
    data = pytest.importorskip("torch.utils.data")
    labels = long_tail()
    loader = data.DataLoader(dataset(), batch_size=None, sampler=Sampler(labels), num_workers=workers)
    for epoch in kept(Sampler(labels), 2):
        assert [int(i) for (i,) in loader] == epoch


def test_batch_sampler() -> None:
    data = pytest.importorskip("torch.utils.data")
    labels = long_tail()
    batches = data.BatchSampler(Sampler(labels), batch_size=30, drop_last=True)
    loader = data.DataLoader(dataset(), batch_sampler=batches)
    assert [i for (batch,) in loader for i in batch.tolist()] == list(Sampler(labels))[:990]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("at", [1, 7, 31, 32])
def test_stateful_data_loader(workers: int, at: int) -> None:
    """torchdata's: the state is of the batch that the loop got last, whatever its workers have fetched."""
    stateful = pytest.importorskip("torchdata.stateful_dataloader")
    labels = long_tail()
    epochs = kept(Sampler(labels), 3)

    def make() -> tuple[Sampler, Any]:
        sampler = Sampler(labels)
        return sampler, stateful.StatefulDataLoader(dataset(), batch_size=32, sampler=sampler, num_workers=workers)

    sampler, loader = make()
    sampler.set_epoch(1)
    loop = iter(loader)
    got = [i for _ in range(at) for i in next(loop)[0].tolist()]
    state = loader.state_dict()
    _, loader = make()
    loader.load_state_dict(state)
    got += [i for (batch,) in loader for i in batch.tolist()]
    assert got == epochs[1]
    assert [i for (batch,) in loader for i in batch.tolist()] == epochs[2]


def test_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code of docs/python-sampler.md, on a folder of pictures."""
    folder = pytest.importorskip("torchvision.datasets")
    from PIL import Image
    from torchvision.transforms import ToTensor

    page = Path(__file__).parents[2] / "docs" / "python-sampler.md"
    if not page.exists():
        pytest.skip("docs isn't there: this is the package alone")
    counts = {"cat": 900, "eel": 90, "owl": 10}
    for name, n in counts.items():
        (tmp_path / "train" / name).mkdir(parents=True)
        for i in range(n):
            Image.new("RGB", (4, 4)).save(tmp_path / "train" / name / f"{i}.png")
    monkeypatch.chdir(tmp_path)
    drawn: list[int] = []
    names = {"transform": ToTensor(), "epochs": 3, "train": lambda images, labels: drawn.extend(labels.tolist())}
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.S | re.M)
    assert len(blocks) == 2
    exec(blocks[0], names)
    assert [drawn.count(c) for c in range(3)] == [1000] * 3
    drawn.clear()
    exec(blocks[1], names)
    assert len(drawn) == 1000 - 640
    assert isinstance(names["dataset"], folder.ImageFolder)


def test_two_processes() -> None:
    """torchrun, gloo: the ranks that torch.distributed knows share an epoch."""
    pytest.importorskip("torch")
    code = """
import torch, torch.distributed as dist
from torch.utils.data import DataLoader, TensorDataset
from sluicedata import Sampler
dist.init_process_group("gloo")
labels = [0] * 90 + [1] * 9 + [2]
sampler = Sampler(labels, "instance")
loader = DataLoader(TensorDataset(torch.arange(100)), batch_size=10, sampler=sampler)
for epoch in range(2):
    sampler.set_epoch(epoch)
    mine = torch.cat([batch for (batch,) in loader])
    all = [torch.empty_like(mine) for _ in range(2)]
    dist.all_gather(all, mine)
    assert sorted(torch.cat(all).tolist()) == list(range(100)), all
dist.destroy_process_group()
"""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--no-python"]
    subprocess.run([*command, sys.executable, "-c", code], check=True, env=environment, timeout=110)


class Endless:
    """A dataset that says nothing of its labels, and has a sample for every index."""

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> int:
        return index % 2


def test_a_dataset_without_labels_is_refused_unread() -> None:
    with pytest.raises(UsageError, match="labels are a Endless: want a list"):
        Sampler(Endless())


def test_datasets_one_behind_the_other() -> None:
    class Part:
        def __init__(self, targets: list[int]) -> None:
            self.targets = targets

    class Both:
        datasets = (Part([0, 0, 0]), Part([1]))

    with closing(Sampler(Both(), samples=8)) as sampler:
        assert sorted(sampler)[-4:] == [3, 3, 3, 3]
        assert repr(sampler) == "Sampler(4 labels, class_balanced, 8 draws an epoch, epoch 1)"
