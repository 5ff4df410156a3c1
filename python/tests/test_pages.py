"""The programs of docs/python.md, run as they stand."""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import sluicedata
from sluicedata import Loader, SampleError, StateError

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "python.md"

pytestmark = [
    pytest.mark.skipif(not PAGE.exists(), reason="docs isn't there: this is the package alone"),
]

# Runs a program, and writes a line for each batch that a Loader gives it, "<rank> <epoch> <number> <digest of the pixels>". At the batch
# that LEAVE names, "<epoch> <number>", the process is gone, as if killed. (A rank that the other waits for is killed by torchrun.)
RUN = """
import hashlib, os, runpy, sys
import numpy as np
import sluicedata.loader

give = sluicedata.loader.Loader._batch

def recorded(self, engine, message):
    out, head = give(self, engine, message), message.head
    image = out.get("pixel_values", out.get("image")) if isinstance(out, dict) else out.image
    place = f"{head['epoch']} {head['number']}"
    pipeline = os.path.basename(self._open_head["pipeline"].get("file") or "declared")
    with open(f"{pipeline}.log", "a") as file:
        digest = hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()
        file.write(f"{self.rank} {place} {digest}\\n")
    if place == os.environ.get("LEAVE") and pipeline == "train.yaml":
        os._exit(7)
    return out

sluicedata.loader.Loader._batch = recorded
sys.argv = sys.argv[1:]
sys.path.insert(0, "")
runpy.run_path(sys.argv[0], run_name="__main__")
"""

Line = tuple[int, int, int, str]  # rank, epoch, number, digest


class Site:
    """A folder with the page's files and two folders of pictures."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.page = PAGE.read_text(encoding="utf-8")
        (folder / "run.py").write_text(RUN)
        for block in re.findall(r"^```(?:python|yaml)\n(.*?)^```", self.page, re.S | re.M):
            name = re.match(r"# ([a-z0-9_]+\.(?:py|yaml))", block)
            assert name is not None, f"a block of {PAGE.name} doesn't begin with its file's name:\n{block}"
            (folder / name[1]).write_text(block)

    def run(self, program: str, *, leave: str = "", launch: tuple[str, ...] = ()) -> str:
        """Runs a program, until it is left at a batch; what it printed."""
        package = str(Path(sluicedata.__file__).parents[1])
        path = os.pathsep.join(p for p in (package, os.environ.get("PYTHONPATH")) if p)
        environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "LEAVE": leave}
        environment |= {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
        done = subprocess.run(
            [sys.executable, *launch, "run.py", program],
            cwd=self.folder,
            env=environment,
            text=True,
            capture_output=True,
            timeout=280,
            check=False,
        )
        said = done.stdout + done.stderr
        assert (done.returncode != 0) == bool(leave), f"{program}: status {done.returncode}\n{said}"
        assert leave or "Traceback" not in said, said
        return said

    def batches(self, pipeline: str = "train.yaml") -> list[Line]:
        """What Loaders of a pipeline gave since the last call."""
        log = self.folder / f"{pipeline}.log"
        lines = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
        log.unlink(missing_ok=True)
        return [(int(rank), int(epoch), int(number), digest) for rank, epoch, number, digest in lines]

    def unbroken(self, epochs: int) -> list[Line]:
        """What one process is given of train.yaml."""
        with Loader(self.folder / "train.yaml", format="numpy") as loader:
            return [
                (0, b.epoch, b.number, hashlib.sha256(b.image.tobytes()).hexdigest())
                for _ in range(epochs)
                for b in loader
            ]


@pytest.fixture
def site(tmp_path: Path, make_folder: Callable[..., Path]) -> Site:
    make_folder({"cat": 40, "dog": 16, "owl": 9}, "data/train")
    make_folder({"cat": 10, "dog": 5, "owl": 5}, "data/val")
    return Site(tmp_path)


def needs(*modules: str) -> None:
    """Skips where a framework isn't installed; `.ci/run pages` has them all."""
    missing = [m for m in modules if importlib.util.find_spec(m) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def test_before_and_after(site: Site) -> None:
    needs("torch", "torchvision")
    before, after = ((site.folder / name).read_text().splitlines() for name in ("before.py", "after.py"))
    changes = [line for line in difflib.ndiff(before[1:], after[1:]) if line[0] in "-+"]
    assert 0 < len(changes) <= 10
    for program in ("before.py", "after.py"):
        said = site.run(program)
        losses = [float(loss) for loss in re.findall(r"^epoch \d: loss ([\d.]+)$", said, re.M)]
        assert len(losses) == 2 and all(0 < loss < 20 for loss in losses), said
    given = site.batches("declared") or site.batches("pipeline")
    assert [(epoch, number) for _, epoch, number, _ in given] == [(e, n) for e in range(2) for n in range(8)]


def test_validation(site: Site) -> None:
    needs("torch")
    said = site.run("validate.py")
    assert len(re.findall(r"^epoch \d: accuracy [01]\.\d+ of 20$", said, re.M)) == 2, said
    assert site.batches() == site.unbroken(2)
    assert len(site.batches("val.yaml")) == 6
    train, val = map(int, site.run("split.py").split()[-2:])
    assert train + val == 65 and val in (12, 13, 14)


def test_broken_pictures(site: Site) -> None:
    """What the page says of on_error."""
    broken = sorted((site.folder / "data/train/owl").iterdir())[0]
    broken.write_bytes(broken.read_bytes()[:100])
    with Loader(site.folder / "train.yaml", format="numpy") as loader:
        with pytest.raises(SampleError) as caught:
            for _ in loader:
                pass
        assert caught.value.key == f"owl/{broken.name}"
        state = loader.state_dict()
        loader.load_state_dict(state)
        with pytest.raises(SampleError) as again:
            next(iter(loader))
        assert (again.value.epoch, again.value.position) == (caught.value.epoch, caught.value.position)
    with Loader(site.folder / "train.yaml", format="numpy", on_error="refill", max_bad="5%") as loader:
        assert [len(b.key) for b in loader] == [8] * 8
        assert (report := loader.report()) is not None and report.refilled >= 1 and report.failed == 0
        with pytest.raises(StateError, match="on_error"):
            loader.load_state_dict(state)
    needs("torch")
    said = site.run("broken.py")
    lines = [json.loads(line) for line in (site.folder / "bad.jsonl").read_text().splitlines()]
    assert lines and {line["key"] for line in lines} == {f"owl/{broken.name}"}
    assert f"{len(lines)} rows left out" in said


def test_a_loop_that_failed_or_was_left(site: Site) -> None:
    """The next loop is the next epoch, or goes on in the middle after load_state_dict(state_dict())."""
    with Loader(site.folder / "train.yaml", format="numpy") as loader:
        for batch in loader:
            if batch.number == 2:
                break
        loader.load_state_dict(loader.state_dict())
        assert [(b.epoch, b.number) for b in loader] == [(0, n) for n in range(3, 8)]
        for _ in loader:
            break
        assert next(iter(loader)).epoch == 2
    bad = sorted((site.folder / "data/train/owl").iterdir())[0]
    bad.write_bytes(bad.read_bytes()[:100])
    with Loader(site.folder / "train.yaml", format="numpy") as loader:
        for epoch in range(2):
            with pytest.raises(SampleError) as caught:
                for _ in loader:
                    pass
            assert caught.value.epoch == epoch


def test_uint8(site: Site) -> None:
    needs("torch")
    site.run("uint8.py")
    assert [number for _, _, number, _ in site.batches()] == list(range(8))


def test_checkpoints(site: Site) -> None:
    needs("torch")
    site.run("train.py", leave="1 4")
    want = site.unbroken(3)
    assert site.batches() == want[:13]
    site.run("train.py")
    assert site.batches() == want[11:], "the last checkpoint is that behind batch 2 of epoch 1"


def test_stateful(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    needs("torch")
    from torch.distributed.checkpoint.state_dict_loader import load
    from torch.distributed.checkpoint.state_dict_saver import save
    from torch.distributed.checkpoint.stateful import Stateful

    monkeypatch.chdir(site.folder)
    with Loader("train.yaml") as loader, Loader("train.yaml") as other:
        assert isinstance(loader, Stateful)
        batches = iter(loader)
        for _ in range(3):
            next(batches)
        save({"loader": loader}, checkpoint_id="dcp", no_dist=True)
        load({"loader": other}, checkpoint_id="dcp", no_dist=True)
        assert [b.number for b in other] == [3, 4, 5, 6, 7]
    needs("torchdata")
    from torchdata.stateful_dataloader import StatefulDataLoader

    with Loader("train.yaml") as loader, Loader("train.yaml") as other:
        batches = iter(first := StatefulDataLoader(loader, batch_size=None))
        for _ in range(3):
            next(batches)
        second = StatefulDataLoader(other, batch_size=None)
        second.load_state_dict(first.state_dict())
        assert [b.number for b in second] == [b.number for b in batches] == [3, 4, 5, 6, 7]


def test_ddp(site: Site) -> None:
    needs("torch")
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    want = [(number % 2, epoch, number, digest) for _, epoch, number, digest in site.unbroken(3)]
    site.run("ddp.py", launch=torchrun, leave="1 6")
    given = site.batches()
    assert set(given) <= set(want) and len(set(given)) == len(given), "the ranks' batches are disjoint"
    assert {line for line in want if line[1:3] < (1, 6)} <= set(given)
    site.run("ddp.py", launch=torchrun)
    assert sorted(site.batches(), key=lambda line: line[1:3]) == want[12:], (
        "the last checkpoint is that behind two batches of each rank in epoch 1"
    )


def test_lightning(site: Site) -> None:
    needs("torch", "lightning")
    want = site.unbroken(3)
    site.run("lit.py", leave="1 6")
    assert site.batches() == want[:15]
    checked = site.batches("val.yaml")
    assert {(e, n) for _, e, n, _ in checked} >= {(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)}, (
        "a check of two, then an epoch"
    )
    said = site.run("lit.py")
    assert "Restored all states" in said
    assert site.batches() == want[12:], "the last checkpoint is that of step 12, behind batch 3 of epoch 1"


@pytest.mark.parametrize("skip", [False, True])
def test_transformers(site: Site, skip: bool) -> None:
    needs("torch", "transformers", "accelerate")
    program = site.folder / "hf.py"
    if skip:
        program.write_text(program.read_text().replace("save_steps=1,", "save_steps=1, ignore_data_skip=True,"))
    want = site.unbroken(3)
    site.run("hf.py", leave="1 7")
    assert site.batches() == want[:16]
    said = site.run("hf.py")
    assert site.batches() == want[14:], "the last checkpoint is that of step 5, behind two times 3 batches of epoch 1"
    last = max((site.folder / "hf").glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    state = json.loads((last / "trainer_state.json").read_text())
    assert state["global_step"] == (8 if skip else 9), said
    assert skip or [entry["epoch"] for entry in state["log_history"] if "eval_accuracy" in entry] == [1, 2], said
    assert "missing keys" not in said and "unexpected keys" not in said, said


def test_transformers_refuses(site: Site) -> None:
    """A checkpoint that this Loader, or this Trainer, cannot go on with."""
    needs("torch", "transformers", "accelerate")
    from sluicedata.transformers import LoaderState, _View

    def resume(loader: Loader, saved: dict[str, Any], *, step: int, accumulate: int = 2, skip: bool = False) -> None:
        arguments = SimpleNamespace(gradient_accumulation_steps=accumulate, ignore_data_skip=skip)
        state = SimpleNamespace(global_step=step, stateful_callbacks={"LoaderState": saved})
        LoaderState().on_train_begin(arguments, state, None, train_dataloader=_View(loader))

    with Loader(site.folder / "train.yaml") as loader, Loader(site.folder / "train.yaml", seed=9) as other:
        batches = iter(loader)
        for _ in range(6):
            next(batches)
        saved = json.loads(json.dumps(LoaderState(_View(loader)).state()))
        resume(loader, saved, step=3)
        with pytest.raises(StateError, match=r"of step 3, which is epoch 1, batch 0 of 8, .* at epoch 0, batch 6"):
            resume(loader, saved, step=3, accumulate=3)
        resume(loader, saved, step=3, accumulate=3, skip=True)
        assert [b.number for b in loader] == [6, 7]
        with pytest.raises(StateError, match="seed 1 -> 9"):
            resume(other, saved, step=3)
        with pytest.raises(StateError, match="written by a Trainer without LoaderTrainerMixin"):
            resume(loader, {}, step=3)


def test_jax(site: Site) -> None:
    needs("jax")
    said = site.run("jax_train.py")
    assert len(re.findall(r"^epoch \d: loss \d+\.\d+$", said, re.M)) == 2, said
    assert site.batches() == site.unbroken(2)


def test_jax_copies_nothing(site: Site) -> None:
    """As the page says of jnp.from_dlpack on a CPU; in a process of its own, for JAX has threads."""
    needs("jax")
    (site.folder / "copies.py").write_text("""
import jax.numpy as jnp
import numpy as np
from sluicedata import Loader

with Loader("train.yaml", format="numpy") as loader:
    kept = []
    for image, label in loader:
        array = jnp.from_dlpack(image)
        if image.ctypes.data % 64 == 0:  # as XLA wants it; slots of the ring are
            assert array.unsafe_buffer_pointer() == image.ctypes.data
            print("the same memory")
        kept.append((array, image.copy()))
        del image
    assert len(kept) == 8
    for array, copy in kept:
        assert (np.asarray(array) == copy).all()
""")
    said = site.run("copies.py")
    if sys.platform == "linux":
        assert "the same memory" in said
