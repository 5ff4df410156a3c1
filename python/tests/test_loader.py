"""Loader against the engine: what a loop gets, and how it goes on."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import sluicedata
from sluicedata import Loader

torch = pytest.importorskip("torch")

MakeFolder = Callable[..., Path]


@pytest.fixture
def pipeline(make_folder: MakeFolder) -> dict[str, Any]:
    """44 pictures of 3 classes; 6 batches of 8 an epoch, the last one of 4."""
    folder = make_folder({"cat": 30, "dog": 10, "owl": 4})
    return {
        "version": 1,
        "seed": 3,
        "epochs": 3,
        "source": {"folder": {"path": str(folder), "tasks": ["class"]}},
        "stages": [
            {"rebalance": {"target": "square_root"}},
            "decode",
            {"random_resized_crop": {"size": 16}},
            {"flip": {"p": 0.5}},
            {"batch": {"size": 8}},
        ],
    }


def floats(pipeline: dict[str, Any]) -> dict[str, Any]:
    stages = pipeline["stages"]
    normalize = {"normalize": {"mean": "imagenet", "std": "imagenet"}}
    return {**pipeline, "stages": [*stages[:-1], "to_tensor", normalize, stages[-1]]}


def contents(batches: Any) -> list[tuple[Any, ...]]:
    """What batches hold, for comparison."""
    out = []
    for b in batches:
        label = tuple((task, tuple(np.asarray(label).tolist())) for task, label in b.label.items())
        out.append((b.epoch, b.number, b.scale, tuple(b.key), np.asarray(b.image).tobytes(), label))
    return out


@pytest.mark.parametrize("transport", ["ring", "pipe"])
def test_batches(pipeline: dict[str, Any], transport: Any) -> None:
    with Loader(pipeline, transport=transport) as loader:
        assert len(loader) == 6
        assert loader.classes == {"class": ["cat", "dog", "owl"]}
        assert loader.counts == {"class": [30, 10, 4]}
        for epoch in range(2):
            batches = list(loader)
            assert [b.rows for b in batches] == [8] * 5 + [4]
            assert [b.number for b in batches] == list(range(6))
            for b in batches:
                assert b.epoch == epoch
                assert b.image.shape == (b.rows, 3, 16, 16) and b.image.dtype == torch.uint8
                assert b.image.is_contiguous(memory_format=torch.channels_last)
                assert b.label["class"].dtype == torch.int64 and b.weight.dtype == torch.float32
                names = [key.split("/")[0] for key in b.key]
                assert [loader.classes["class"][n] for n in b.label["class"]] == names
                image, label = b
                assert image is b.image and label is b.label["class"]
                assert b.params is None and b.scale == 1 and b.position.tolist()[0] == 8 * b.number


def test_masks_by_ring_and_pipe(tmp_path: Path) -> None:
    """They lie in the slot behind the pixels, and keep it; where all slots are taken they come by the message."""
    rng = np.random.default_rng(1)
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    want = {}
    for i in range(9):
        Image.fromarray(rng.integers(0, 255, (12, 10, 3), np.uint8)).save(tmp_path / "images" / f"{i}.png")
        want[f"{i}.png"] = rng.integers(0, 20, (12, 10), np.uint8)
        Image.fromarray(want[f"{i}.png"]).save(tmp_path / "masks" / f"{i}.png")
    source = {"folder": {"path": str(tmp_path / "images"), "tasks": [], "masks": {"path": "../masks/{stem}.png"}}}
    stages = ["decode", {"resize": {"height": 12, "width": 10}}, {"batch": {"size": 2}}]
    ways_to_send: list[tuple[Any, int | None]] = [("ring", None), ("ring", 2), ("pipe", None)]
    for transport, slots in ways_to_send:
        with Loader({"version": 1, "source": source, "stages": stages}, transport=transport, slots=slots) as loader:
            ways = [b._head["mask_in_slot"] for b in loader]
            assert ways[0] == (transport == "ring")
            masks = [(key, mask) for b in loader for key, mask in zip(b.key, b["mask"], strict=True)]
        assert [key for key, _ in masks] == sorted(want)
        for key, mask in masks:
            assert (np.asarray(mask) == want[key]).all()


def test_ring_pipe_and_formats_agree(pipeline: dict[str, Any]) -> None:
    for p in (pipeline, floats(pipeline)):
        want = contents(Loader(p, transport="ring"))
        assert contents(Loader(p, transport="pipe")) == want
        assert contents(Loader(p, format="numpy")) == want
        taken = [(b.number, np.from_dlpack(b.image).tobytes()) for b in Loader(p, format="dlpack")]
        assert taken == [(w[1], w[4]) for w in want]
        for record, w in zip(Loader(p, format="arrow"), want, strict=True):
            assert isinstance(record, pa.RecordBatch)
            assert tuple(record.column("key").to_pylist()) == w[3]
            pixels = record.column("image").to_numpy_ndarray()
            if pixels.dtype == np.uint8:
                pixels = pixels.transpose(0, 3, 1, 2)
            assert pixels.tobytes() == w[4]


def test_epochs_and_break(pipeline: dict[str, Any]) -> None:
    loader = Loader(pipeline)
    epochs = [contents(loader) for _ in range(4)]  # one more than the pipeline says
    assert [e[0][0] for e in epochs] == [0, 1, 2, 3]
    assert len({e[0][4] for e in epochs}) == 4

    loader = Loader(pipeline)
    for b in loader:
        if b.number == 2:
            break
    assert contents(loader) == epochs[1]  # what was left is abandoned
    loader.set_epoch(0)
    assert contents(loader) == epochs[0]
    iterator = iter(loader)
    next(iterator)
    del iterator
    loader.set_epoch(1)  # explicitly the same one
    assert contents(loader) == epochs[1]
    loader.set_epoch(3)
    assert loader.epoch == 3 and contents(loader) == epochs[3]
    with pytest.raises(ZeroDivisionError):
        for _ in loader:
            _ = 1 / 0
    assert loader.epoch == 4
    assert next(iter(loader)).epoch == 5


def test_report(pipeline: dict[str, Any]) -> None:
    loader = Loader(pipeline, epochs=1)
    assert loader.report() is None
    list(loader)
    report = loader.report()
    assert report is not None and (report.rows, report.batches, report.epochs) == (44, 6, 1)


def test_state(pipeline: dict[str, Any]) -> None:
    want = contents(Loader(pipeline)) + contents(_at(pipeline, 1))
    for stop in range(1, len(want)):
        loader = Loader(pipeline)
        got: list[Any] = []
        while len(got) < stop:
            for b in loader:
                got += contents([b])
                if len(got) == stop:
                    state = json.loads(json.dumps(loader.state_dict()))
                    break
        again = Loader(pipeline)
        again.load_state_dict(state)
        again.set_epoch(again.epoch)  # as trainers do before each loop: changes nothing
        while len(got) < len(want):
            got += contents(again)
        assert got == want
        assert again.state_dict()["epoch"] == 2


def _at(pipeline: dict[str, Any], epoch: int) -> Loader:
    loader = Loader(pipeline)
    loader.set_epoch(epoch)
    return loader


def test_state_across_worlds(pipeline: dict[str, Any]) -> None:
    want = contents(Loader(pipeline))
    one = Loader(pipeline)
    got = contents([b for b, _ in zip(one, range(2), strict=False)])
    # zip asks for a third: the state is that of the last one taken, and it was taken.
    state = one.state_dict()
    assert state["batch"] == 3
    one = Loader(pipeline)
    iterator = iter(one)
    got = contents([next(iterator), next(iterator)])
    two = [Loader(pipeline, rank=r, world_size=2) for r in range(2)]
    rounds = []
    for loader in two:
        loader.load_state_dict(one.state_dict())
        rounds.append(contents([next(iter(loader))]))
    got += [r[0] for r in rounds]
    of_rank = ("rank", "ledger")
    first, second = ({n: v for n, v in of.state_dict().items() if n not in of_rank} for of in two)
    assert first == second
    last = Loader(pipeline)
    last.load_state_dict(two[1].state_dict())
    assert got + contents(last) == want


def ledger_of(loader: Loader) -> dict[str, list[float]]:
    """Of the classes, the columns of a state's ledger."""
    ledger = json.loads(loader.state_dict()["ledger"])
    rows = ledger["tasks"]["class"]
    return {name: [row[i] for row in rows] for i, name in enumerate(ledger["columns"])}


def shown(batches: Any, classes: int) -> list[int]:
    """Rows of each class, and an unknown one."""
    return [*np.bincount([int(n) for b in batches for n in b.label["class"]], minlength=classes).tolist(), 0]


@pytest.mark.parametrize("transport", ["ring", "pipe"])
def test_ledger_of_states(make_folder: Any, transport: Any) -> None:
    """A state has what each class got in the batches that the loop got, neither more nor less, and it goes on with the state."""
    folder = make_folder({"cat": 12, "dog": 5, "lynx": 3}, height=24, width=24)
    (folder / "lynx" / "0000.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    stages = [{"rebalance": {"target": "class_balanced", "draws": 24}}, "decode", {"resize": {"height": 8, "width": 8}}]
    p = {"version": 1, "source": {"folder": {"path": str(folder)}}, "stages": [*stages, {"batch": {"size": 4}}]}
    more: Any = {"epochs": 3, "on_error": "refill", "max_bad": 50, "transport": transport}
    whole = Loader(p, **more)
    assert whole.state_dict()["ledger"] is None  # nothing has been counted yet
    got: list[Any] = []
    states = []
    for _ in range(3):
        for b in whole:
            got.append(b)
            ledger = ledger_of(whole)
            assert ledger["delivered"] == shown(got, 3) and ledger["weight"] == ledger["delivered"]
            states.append(json.loads(json.dumps(whole.state_dict())))
    last = ledger_of(whole)
    assert last["quota"] == last["delivered"] == [24, 24, 24, 0]
    assert last["refilled"][:2] == [0, 0] and last["refilled"][2] == 8 and last["drawn"][2] == 24 + 8
    assert last["distinct"] == [12, 5, 2, 0]
    report = whole.report()
    assert report is not None and report.ledger["class"]["lynx"]["delivered"] == 24
    for at in (0, 3, 5, 11, 16):
        again = Loader(p, **more)
        again.load_state_dict(states[at])
        assert again.state_dict()["ledger"] == states[at]["ledger"]
        rest = list(again)
        assert ledger_of(again)["delivered"] == shown(got[: at + 1] + rest, 3)
        for _ in range(again.epoch, 3):
            rest += list(again)
        end = ledger_of(again)
        assert end.pop("distinct")[:2] == last["distinct"][:2]  # of lynx it is a bound, as draws failed
        assert end == {name: column for name, column in last.items() if name != "distinct"}

    abandoned = Loader(p, **more)  # of a loop that is left, what it got counts, and not what was made for it
    some = [next(iter(abandoned)) for _ in range(2)]
    assert [b.epoch for b in some] == [0, 1]
    assert ledger_of(abandoned)["delivered"] == shown(some, 3)
    moved = pickle.loads(pickle.dumps(abandoned))
    assert ledger_of(moved) == ledger_of(abandoned)

    two = [Loader(p, rank=r, world_size=2, **more) for r in range(2)]
    for loader in two:
        for _ in range(3):
            list(loader)
    for name, column in last.items():
        both = [a + b for a, b in zip(*(ledger_of(loader)[name] for loader in two), strict=True)]
        assert both == column or name in (
            "distinct",
            "refilled",
            "drawn",
        )  # which sample refills depends on nothing of the other rank
    two[1].load_state_dict(two[0].state_dict())
    assert two[1].state_dict()["ledger"] is None  # it is of rank 0

    bad = json.dumps({**json.loads(states[0]["ledger"]), "weight": -1})
    with pytest.raises(sluicedata.StateError, match="the weight in its ledger is -1"):
        whole.load_state_dict({**states[0], "ledger": bad})
    wrong: tuple[Any, ...] = (3, "3", "{", {})
    for damaged in wrong:
        with pytest.raises(sluicedata.StateError, match="the state is damaged: its ledger is"):
            whole.load_state_dict({**states[0], "ledger": damaged})


def test_state_of_another_plan(pipeline: dict[str, Any]) -> None:
    state = Loader(pipeline).state_dict()
    other = Loader(pipeline, set={"stages.flip.p": 0.25})
    with pytest.raises(sluicedata.StateError, match="flip"):
        other.load_state_dict(state)
    list(other)  # goes on as if nothing had been
    bad: Any
    for bad in (
        {},
        {"version": 1},
        {**state, "version": 2},
        {**state, "epoch": -1},
        {**state, "engine": {"a": 1}},
        None,
    ):
        with pytest.raises(sluicedata.StateError):
            other.load_state_dict(bad)
    assert next(iter(other)).epoch == 1


def test_scales(pipeline: dict[str, Any]) -> None:
    stages = [*pipeline["stages"], {"multiscale": {"scales": [0.5, 1]}}]
    p = floats({**pipeline, "stages": pipeline["stages"]})
    p = {**p, "stages": [*p["stages"], {"multiscale": {"scales": [0.5, 1]}}]}
    assert stages
    loader = Loader(p)
    assert len(loader) == 12
    want = contents(loader)
    assert [w[2] for w in want] == [0.5, 1.0] * 6
    for stop in (1, 2, 3):
        first = Loader(p)
        iterator = iter(first)
        got = contents(next(iterator) for _ in range(stop))
        again = Loader(p)
        again.load_state_dict(first.state_dict())
        assert got + contents(again) == want
    first = Loader(p)
    next(iter(first))
    with pytest.raises(
        sluicedata.StateError, match="in the middle of a batch's scales, of 1 processes, and there are 2"
    ):
        Loader(p, rank=0, world_size=2).load_state_dict(first.state_dict())
    alone = Loader(p, scale=0.5)
    assert len(alone) == 6
    assert contents(alone) == [w for w in want if w[2] == 0.5]
    with pytest.raises(sluicedata.PipelineError, match="scale"):
        Loader(p, scale=3)


def test_keys(pipeline: dict[str, Any]) -> None:
    loader = Loader(pipeline, keys={"pixel_values": "image", "labels": "label.class", "name": "key"})
    batch = next(iter(loader))
    assert list(batch) == ["pixel_values", "labels", "name"]
    assert batch["pixel_values"].shape == (8, 3, 16, 16) and batch["labels"].dtype == torch.int64
    assert next(iter(Loader(pipeline, keys={"y": "label"})))["y"].shape == (8,)
    with pytest.raises(sluicedata.UsageError, match=r"'z'.*no column 'labels'"):
        Loader(pipeline, keys={"z": "labels"})


def test_several_tasks_and_unknown(make_folder: MakeFolder, tmp_path: Path) -> None:
    folder = make_folder({"x": 4})
    lines = ["path,shape,color,camera,speed", "x/0000.png,ball,red,a,1", "x/0001.png,,blue,b,2", "x/0002.png,ball,,a,3"]
    (folder / "list.csv").write_text("\n".join(lines) + "\n")
    manifest = {"path": str(folder / "list.csv"), "tasks": ["shape", "color"], "meta": ["camera", "speed"]}
    p = {
        "version": 1,
        "source": {"manifest": manifest},
        "stages": ["decode", {"resize": {"size": 16}}, {"center_crop": {"size": 16}}, {"batch": {"size": 4}}],
    }
    b = next(iter(Loader(p)))
    image, label = b
    assert image.shape == (3, 3, 16, 16)
    assert {task: n.tolist() for task, n in label.items()} == {"shape": [0, -100, 0], "color": [1, 0, -100]}
    assert b.meta["camera"] == ["a", "b", "a"] and b.meta["speed"].tolist() == [1, 2, 3]


def test_encoded(pipeline: dict[str, Any]) -> None:
    p = {**pipeline, "stages": [pipeline["stages"][0], pipeline["stages"][-1]]}
    b = next(iter(Loader(p)))
    assert all(isinstance(file, bytes) and file.startswith(b"\x89PNG") for file in b.image)


def test_grey(pipeline: dict[str, Any]) -> None:
    loader = Loader(pipeline, set={"stages.decode.mode": "gray"})
    assert next(iter(loader)).image.shape == (8, 1, 16, 16)


def test_params(pipeline: dict[str, Any]) -> None:
    b = next(iter(Loader(pipeline, params=True)))
    assert b.params is not None and "flip" in b.params[0]


def test_kept_batches_stay(pipeline: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    loader = Loader(pipeline, slots=4)
    kept, want = [], []
    for _ in range(5):
        for b in loader:
            kept.append(b)
            want += contents([b])
    assert contents(kept) == want
    assert len([r for r in caplog.records if "slots" in r.message]) == 1
    views = [b.image[1:2, :, 3] for b in kept]
    copies = [v.clone() for v in views]
    loader.close()
    del kept, b
    assert all(torch.equal(v, c) for v, c in zip(views, copies, strict=True))


def test_images_may_be_written_to(pipeline: dict[str, Any]) -> None:
    want = contents(Loader(pipeline))
    loader = Loader(pipeline)
    got = []
    for b in loader:
        got += contents([b])
        b.image.zero_()
    assert got == want


def test_pipeline_errors(pipeline: dict[str, Any], tmp_path: Path) -> None:
    text = "version: 1\nsource: {folder: {path: nowhere, tasks: [class]}}\nstages:\n  - decode\n  - rotatee: {degrees: 3}\n"
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(sluicedata.PipelineError, match="rotate") as caught:
        Loader(tmp_path / "p.yaml")
    assert caught.value.mistakes[0].line == 5 and caught.value.mistakes[0].file.endswith("p.yaml")
    with pytest.raises(ValueError, match="rank"):
        Loader(pipeline, rank=2, world_size=2)
    for bad in (
        {"format": "jax"},
        {"transport": "x"},
        {"epochs": 0},
        {"format": "numpy", "device": "cuda"},
        {"device": "?"},
    ):
        with pytest.raises(sluicedata.UsageError, match=next(iter(bad))):
            Loader(pipeline, **bad)


def test_a_broken_image_raises_where_it_belongs(pipeline: dict[str, Any], make_folder: MakeFolder) -> None:
    want = contents(Loader(pipeline))
    bad = want[3][3][2]
    root = Path(pipeline["source"]["folder"]["path"])
    whole = (root / bad).read_bytes()
    (root / bad).write_bytes(whole[:60] + b"?" * (len(whole) - 60))
    loader = Loader(pipeline)
    got: list[Any] = []
    with pytest.raises(sluicedata.SampleError, match=bad) as caught:
        for b in loader:
            got += contents([b])
    first = min(i for i, w in enumerate(want) if bad in w[3])
    assert got == want[:first]
    assert caught.value.key == bad and caught.value.stage == "decode" and caught.value.epoch == 0
    assert loader.state_dict()["batch"] == first
    (root / bad).write_bytes(whole)


def test_nested_loops(pipeline: dict[str, Any]) -> None:
    loader = Loader(pipeline)
    outer = iter(loader)
    next(outer)
    assert len(list(loader)) == 6
    with pytest.raises(sluicedata.UsageError, match="another one"):
        next(outer)
    one, two = Loader(pipeline), Loader(pipeline)
    assert [(a.number, b.number) for a, b in zip(one, two, strict=True)] == [(i, i) for i in range(6)]


def test_closed(pipeline: dict[str, Any]) -> None:
    with Loader(pipeline) as loader:
        state = loader.state_dict()
    assert loader.state_dict() == state and len(loader) == 6
    with pytest.raises(sluicedata.UsageError, match="closed"):
        iter(loader)
    loader.close()


def test_another_thread(pipeline: dict[str, Any]) -> None:
    loader = Loader(pipeline)
    want = contents(Loader(pipeline))
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.extend(contents(loader)))
    thread.start()
    thread.join()
    assert got == want


def test_pickle(pipeline: dict[str, Any]) -> None:
    loader = Loader(pipeline, format="numpy")
    iterator = iter(loader)
    next(iterator)
    again = pickle.loads(pickle.dumps(loader))
    rest = contents(iterator)
    assert contents(again) == rest


def test_data_loader(pipeline: dict[str, Any]) -> None:
    from torch.utils.data import DataLoader, IterableDataset

    loader: Any = Loader(pipeline)
    assert isinstance(loader, IterableDataset)
    outer: Any = DataLoader(loader, batch_size=None)
    assert len(outer) == 6
    want = contents(Loader(pipeline))
    assert contents(outer) == want
    loader = Loader(pipeline)
    one: Any = DataLoader(loader)
    assert contents(one) == want
    several: Any = DataLoader(loader, batch_size=4)
    with pytest.raises(sluicedata.UsageError, match="batch_size=None"):
        list(several)
    workers: Any = DataLoader(loader, batch_size=None, num_workers=2)
    with pytest.raises(sluicedata.UsageError, match="num_workers=0"):
        list(workers)


def test_without_torch(pipeline: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(json.dumps(pipeline))
    program = f"""
        import sys
        sys.modules["torch"] = None
        import sluicedata
        loader = sluicedata.Loader({str(tmp_path / "p.json")!r}, format="numpy")
        print(sum(b.rows for b in loader), next(iter(loader)).image.dtype)
        try:
            sluicedata.Loader({str(tmp_path / "p.json")!r})
        except sluicedata.UsageError as error:
            print(error)
    """
    environment = {**os.environ, "PYTHONPATH": str(Path(sluicedata.__path__[0]).parent)}
    command = [sys.executable, "-c", textwrap.dedent(program)]
    out = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert out.stdout.startswith("44 uint8\n") and 'format="numpy"' in out.stdout and out.stderr == ""


def test_rank_of_torchrun(pipeline: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    loader = Loader(pipeline)
    assert (loader.rank, loader.world_size, len(loader)) == (1, 2, 3)
    assert [b.number for b in loader] == [1, 3, 5]
    monkeypatch.delenv("RANK")
    with pytest.raises(sluicedata.UsageError, match="rank"):
        Loader(pipeline)


def test_class_weights(pipeline: dict[str, Any]) -> None:
    plain = {**pipeline, "stages": pipeline["stages"][1:]}
    by_samples = torch.tensor([44 / 90, 44 / 30, 44 / 12])
    loader = Loader(plain)
    assert torch.allclose(loader.class_weights("class"), by_samples)
    assert torch.equal(loader.class_weights(), loader.class_weights("class", of="samples"))
    torch.nn.CrossEntropyLoss(weight=loader.class_weights(rule="effective_number"))
    with pytest.raises(sluicedata.UsageError, match="no task 'shape': the tasks are class"):
        loader.class_weights("shape")
    with pytest.raises(sluicedata.UsageError, match="want drawn or samples"):
        loader.class_weights(of="counts")  # type: ignore[arg-type]


def test_class_weights_after_rebalance(pipeline: dict[str, Any]) -> None:
    loader = Loader(pipeline, keys={"y": "label.class"})
    drawn = torch.bincount(torch.cat([b["y"] for b in loader]))
    assert torch.allclose(loader.class_weights(), 44 / (3 * drawn))
    assert torch.allclose(loader.class_weights(of="samples"), torch.tensor([44 / 90, 44 / 30, 44 / 12]))
    roots = torch.tensor([30.0, 10.0, 4.0]).sqrt()
    assert torch.allclose(loader.class_weights(rule="square_root", of="samples"), 44 / (roots * roots.sum()))
    even = Loader(pipeline, set={"stages.rebalance": {"target": "class_balanced", "draws": 45}})
    assert torch.allclose(even.class_weights(), torch.ones(3))
    even.plan["drawn"] = None  # as where they are too many
    with pytest.raises(sluicedata.UsageError, match='of="samples"'):
        even.class_weights()
    assert even.class_weights(of="samples")[2] > 3


def test_class_weights_without_tasks(pipeline: dict[str, Any]) -> None:
    loader = Loader(pipeline, set={"source.folder.tasks": []}, without=["rebalance"])
    with pytest.raises(sluicedata.UsageError, match=r"the data has no tasks.* class folders"):
        loader.class_weights()


@pytest.mark.parametrize("transport", ["ring", "pipe"])
@pytest.mark.parametrize("format", ["torch", "numpy", "dlpack"])
def test_pickled_batch(pipeline: dict[str, Any], format: Any, transport: Any) -> None:
    with Loader(pipeline, format=format, transport=transport, params=True) as loader:
        batch = next(iter(loader))
        again = pickle.loads(pickle.dumps(batch))
    have, want = np.from_dlpack(again.image), np.from_dlpack(batch.image)
    assert have.tobytes() == want.tobytes() and type(again.image) is type(batch.image)
    assert have.strides == want.strides
    assert np.from_dlpack(again.label["class"]).tolist() == np.from_dlpack(batch.label["class"]).tolist()
    assert (again.key, again.params, again.number, repr(again)) == (batch.key, batch.params, 0, repr(batch))
    assert again.to_arrow().equals(batch.to_arrow())


def test_pickled_batch_keeps_changes(pipeline: dict[str, Any], tmp_path: Path) -> None:
    loader = Loader(pipeline)
    batch = next(iter(loader))
    batch.image[0] = 7
    batch.label["class"][0] = 2
    torch.save(batch, tmp_path / "batch.pt")
    batch.image[0] = 8  # of its own from here on
    again = torch.load(tmp_path / "batch.pt", weights_only=False)
    assert bool((again.image[0] == 7).all()) and torch.equal(again.image[1:], batch.image[1:])
    assert int(again.label["class"][0]) == 2
    again.image[1] = 9
    assert bool((again.image[1] == 9).all())
    moved = pickle.loads(pickle.dumps(batch.to("cpu")))
    assert torch.equal(moved.image, batch.image) and torch.equal(moved.weight, batch.weight)


def test_pickled_batch_of_files(pipeline: dict[str, Any]) -> None:
    batch = next(iter(Loader({**pipeline, "stages": [{"batch": {"size": 8}}]})))
    again = pickle.loads(pickle.dumps(batch))
    assert len(again.image) == 8 and again.image == batch.image


def test_batch_by_name(pipeline: dict[str, Any]) -> None:
    batch = next(iter(Loader(pipeline)))
    assert len(batch) == batch.rows == 8
    assert batch["image"] is batch.image and batch["label.class"] is batch.label["class"]
    with pytest.raises(TypeError, match="the name of a column"):
        batch[0]
    with pytest.raises(sluicedata.UsageError, match="no column 'images'"):
        batch["images"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"workers": 2.5}, "workers=2.5: want a whole number from 1"),
        ({"workers": 0}, "workers=0: want a whole number from 1"),
        ({"workers": -1}, "workers=-1: want a whole number from 1"),
        ({"readers": "4"}, "readers='4': want"),
        ({"epochs": 0}, "epochs=0: want"),
        ({"seed": -1}, "seed=-1: want a whole number from 0"),
        ({"seed": 1 << 64}, "want a whole number from 0 to 18446744073709551615"),
        ({"slots": -1}, "slots=-1: want"),
        ({"budget": "much"}, "budget='much': want .*256MiB"),
        ({"budget": "1 iB"}, "budget='1 iB': want"),
        ({"budget": 1.5}, "budget=1.5: want"),
        ({"scale": "half"}, "scale='half': want a number"),
        ({"on_error": {"policy": "skip"}}, "on_error=.*: want a text"),
        ({"rank": 0.5, "world_size": 2}, "rank=0.5 of world_size=2: want whole numbers"),
    ],
)
def test_arguments(pipeline: dict[str, Any], arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(sluicedata.UsageError, match=message):
        Loader(pipeline, **arguments)


def test_arguments_that_are_taken(pipeline: dict[str, Any]) -> None:
    budgets: tuple[int | str, ...] = (1 << 28, "256MiB", "0.25 GiB", "268435456")
    for budget in budgets:
        given: dict[str, Any] = {"workers": np.int64(1), "seed": (1 << 64) - 1, "on_error": "skip", "max_bad": 3}
        with Loader(pipeline, budget=budget, **given) as loader:
            assert loader.plan["schedule"]["budget_bytes"] == 1 << 28
            assert loader.plan["schedule"]["workers"] == 1 and loader.plan["seed"] == (1 << 64) - 1


def test_arguments_of_others(pipeline: dict[str, Any]) -> None:
    make: Any = Loader
    with pytest.raises(
        TypeError, match=r"num_workers is workers=; batch_size is the stage batch.*; shuffle is the stage"
    ):
        make(pipeline, num_workers=2, batch_size=4, shuffle=True)
    with pytest.raises(TypeError, match="no argument worker: did you mean workers= for"):
        make(pipeline, worker=2)
    with pytest.raises(TypeError, match="no argument zzz: it has pipeline, rank, "):
        make(pipeline, zzz=2)
    for wrong in (None, 3, [pipeline]):
        with pytest.raises(TypeError, match="want the name of a pipeline file"):
            make(wrong)


@pytest.mark.parametrize("state", [{}, None, 5, {"version": 1, "epoch": 0, "batch": 0, "variant": 0, "engine": 7}])
def test_state_that_is_none(pipeline: dict[str, Any], state: Any) -> None:
    with Loader(pipeline) as loader:
        with pytest.raises(sluicedata.StateError, match=r"want the dict of state_dict\(\)|its engine is 7"):
            loader.load_state_dict(state)
        assert next(iter(loader)).number == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"set": {"stages.flp.p": 0}}, 'set: stages.flp.p=0: the file has no stage "flp"'),
        (
            {"set": {"stages.rebalance": {"a": {"b": 1}}}},
            'set: stages.rebalance={"a": {"b": 1}}: rebalance: unknown',
        ),
        ({"without": ["flp"]}, 'without: flp: the file has no stage "flp"'),
        ({"use": "val"}, "use: val: the file has no split: "),
        ({"use": "val"}, 'or give set={"split.val": 0.1}'),
        ({"on_error": "ignore"}, "on_error: ignore: want fail, skip or refill"),
        ({"on_error": "skip", "max_bad": "x"}, "max_bad: x: want a number of rows"),
        ({"fuse": "x"}, "fuse: x: want full or exact"),
    ],
)
def test_errors_name_arguments(pipeline: dict[str, Any], arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(sluicedata.PipelineError) as caught:
        Loader(pipeline, **arguments)
    assert message in str(caught.value) and "--" not in str(caught.value)
    assert any(message in str(mistake) for mistake in caught.value.mistakes)


def test_folder_without_labels(make_folder: MakeFolder, caplog: pytest.LogCaptureFixture) -> None:
    folder = make_folder({".": 4})
    source: dict[str, Any] = {"folder": {"path": str(folder)}}
    flat = {"source": source, "stages": ["decode", {"random_resized_crop": {"size": 16}}, {"batch": {"size": 2}}]}
    with Loader(flat) as loader:
        assert [b.label for b in loader] == [{}, {}]
    assert sum("no class folders" in r.getMessage() for r in caplog.records) == 1
    caplog.clear()
    source["folder"]["tasks"] = []
    with Loader(flat) as loader:
        assert next(iter(loader)).label == {}
    assert "class folders" not in caplog.text


@pytest.mark.parametrize("policy", ["skip", "refill"])
def test_failures_are_told(
    pipeline: dict[str, Any], policy: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "data" / "owl" / "0000.png").write_bytes(b"no picture")
    listed = tmp_path / "failed.jsonl"
    with Loader(pipeline, epochs=1, on_error=policy, max_bad="50%", quarantine=listed) as loader:
        rows = sum(b.rows for b in loader)
        report = loader.report()
    assert report is not None and report.failed + report.refilled > 0
    assert (rows == 44) == (policy == "refill")
    said = [r.getMessage() for r in caplog.records if "draws have failed" in r.getMessage()]
    assert said == [
        f"{report.failed + report.refilled} draws have failed in this run: {report.failed} were left out, "
        f"{report.refilled} refilled by another sample of the class; {listed} lists them"
    ]
    caplog.clear()
    with Loader(pipeline, epochs=1, on_error=policy, max_bad="50%") as loader:
        list(loader)
    assert "quarantine= names a file" in caplog.text


def test_failures_are_told_between_epochs(pipeline: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    with Loader(pipeline, on_error="skip") as loader:
        for b in loader:
            if b.number == 5:  # the last one: nothing is read between it and the end of the loop
                loader._engine.progress = {"failed": 2, "refilled": 1}  # type: ignore[union-attr]
        assert "3 draws have failed in this run: 2 were left out, 1 refilled" in caplog.text
        caplog.clear()
        for b in loader:
            if b.number == 5:
                loader._engine.progress = {"failed": 2, "refilled": 1}  # type: ignore[union-attr]
        assert "draws have failed" not in caplog.text  # no more than were told


def test_epoch_of_a_loop_that_was_left(pipeline: dict[str, Any]) -> None:
    with Loader(pipeline) as loader:
        for b in loader:
            if b.number == 2:
                break
        assert loader.epoch == 0 and repr(loader) == "Loader(pipeline, epoch 0, batch 3)"
        loader.set_epoch(4)
        assert loader.epoch == 4 and repr(loader) == "Loader(pipeline, epoch 4, batch 0)"
        assert next(iter(loader)).epoch == 4
        assert next(iter(loader)).epoch == 5


def test_a_loop_that_got_nothing(pipeline: dict[str, Any]) -> None:
    with Loader(pipeline) as loader:
        want = [contents(loader), contents(loader)]
    with Loader(pipeline) as loader:
        iter(loader)
        iter(loader)
        loader.set_epoch(0)
        assert contents(loader) == want[0]
        iter(loader)
        assert contents(loader) == want[1]
    with Loader(pipeline) as loader:
        it = iter(loader)
        next(it), next(it)
        state = loader.state_dict()
        loader.load_state_dict(state)
        iter(loader)
        loader.set_epoch(0)
        assert contents(loader) == want[0][2:], "the place of a state survives"
        loader.set_epoch(0)
        it = iter(loader)
        loader.set_epoch(1)
        assert contents(it) == want[0], "a loop keeps its epoch"
        assert contents(loader) == want[1]


def test_a_line_of_the_log(
    pipeline: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from sluicedata import loader as module

    caplog.set_level("INFO", "sluicedata")
    list(Loader(pipeline))
    assert not caplog.records  # in less than a minute
    monkeypatch.setattr(module._Meter, "SECONDS", 0.0)
    list(Loader(pipeline))
    assert [r.message.split(",")[0] for r in caplog.records] == [f"epoch 0: {n} of 6 batches" for n in range(1, 7)]
    assert "images/s" in caplog.records[-1].message


def test_a_bar(pipeline: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    import types

    said: list[Any] = []

    class Bar:
        def __init__(self, **options: Any) -> None:
            said.append((options["desc"], options["initial"], options["total"]))

        def update(self) -> None:
            said.append(1)

        def close(self) -> None:
            said.append("closed")

    monkeypatch.setitem(sys.modules, "tqdm", types.ModuleType("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", types.SimpleNamespace(tqdm=Bar))
    loader = Loader(pipeline, progress=True)
    list(loader)
    assert said == [("epoch 0", 0, 6), *[1] * 6, "closed"]
    iterator = iter(loader)
    next(iterator), next(iterator)
    loader.load_state_dict(loader.state_dict())
    del said[:]
    list(loader)
    assert said == ["closed", ("epoch 1", 2, 6), *[1] * 4, "closed"]
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(sluicedata.UsageError, match="tqdm"):
        Loader(pipeline, progress=True)


def test_in_a_spawned_process(pipeline: dict[str, Any], tmp_path: Path) -> None:
    program = """
        import multiprocessing, sys, sluicedata

        def rest(loader, queue):
            queue.put([b.number for b in loader])

        if __name__ == "__main__":
            loader = sluicedata.Loader(sys.argv[1], format="numpy")
            iterator = iter(loader)
            next(iterator)
            context = multiprocessing.get_context("spawn")
            queue = context.Queue()
            child = context.Process(target=rest, args=(loader, queue))
            child.start()
            print(queue.get(), [b.number for b in iterator])
            child.join()
            print(child.exitcode)
    """
    (tmp_path / "program.py").write_text(textwrap.dedent(program))
    (tmp_path / "p.json").write_text(json.dumps(pipeline))
    environment = {**os.environ, "PYTHONPATH": str(Path(sluicedata.__path__[0]).parent)}
    command = [sys.executable, str(tmp_path / "program.py"), str(tmp_path / "p.json")]
    out = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert (out.stdout, out.stderr) == ("[1, 2, 3, 4, 5] [1, 2, 3, 4, 5]\n0\n", "")
