"""How a Loader and its engine end: whatever happens, nothing stays behind."""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sluicedata
from sluicedata import Loader

MakeFolder = Callable[..., Path]
LONG = bool(os.environ.get("SLUICE_LONG"))


@pytest.fixture
def pipeline(make_folder: MakeFolder, tmp_path: Path) -> Path:
    """11 batches an epoch, in a file."""
    folder = make_folder({"cat": 30, "dog": 10, "owl": 4})
    content = {
        "version": 1,
        "seed": 3,
        "epochs": 100,
        "source": {"folder": {"path": str(folder), "tasks": ["class"]}},
        "stages": [
            {"rebalance": {"target": "square_root"}},
            "decode",
            {"random_resized_crop": {"size": 16}},
            "to_tensor",
            {"batch": {"size": 4}},
        ],
    }
    path = tmp_path / "pipeline.json"
    path.write_text(json.dumps(content))
    return path


def children() -> set[int]:
    """Processes of this one, zombies too."""
    return {pid for pid, parent in _parents().items() if parent == os.getpid()}


def _parents() -> dict[int, int]:
    out = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            out[int(entry.parent.name)] = int(entry.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
    return out


def engines(pipeline: Path) -> list[int]:
    """Engines that a test's program started: those that have its pipeline's folder as their own."""
    out = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
            if b"feed" in command and os.readlink(entry / "cwd") == str(pipeline.parent):
                out.append(int(entry.name))
        except OSError:
            continue
    return out


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def start(program: str, pipeline: Path, warnings: str = "error", **options: Any) -> subprocess.Popen[str]:
    """A Python program, in the folder of the pipeline, which is its first argument."""
    environment = {**os.environ, "PYTHONPATH": str(Path(sluicedata.__path__[0]).parent), "PYTHONWARNINGS": warnings}
    head = "import sys, os, signal, time, gc, threading\nfrom sluicedata import Loader\nimport sluicedata, logging, warnings\nlogging.disable()\n"
    head += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # which a shell's background jobs ignore
    head += "warnings.filterwarnings('ignore', message='.*fork')\n"  # of threads; Python 3.12 and later
    return subprocess.Popen(
        [sys.executable, "-c", head + textwrap.dedent(program), str(pipeline)],
        env=environment,
        cwd=pipeline.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def gone(pipeline: Path) -> bool:
    """Whether the engines of a program end soon."""
    end = time.monotonic() + 10
    while engines(pipeline):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


ENDINGS = {
    "at the end": "for b in Loader(sys.argv[1], format='numpy'): pass",
    "break": "for b in Loader(sys.argv[1], format='numpy'): break",
    "kept": "l = Loader(sys.argv[1], format='numpy'); kept = list(l); x = kept[3].image",
    "kept in a global of a module": "sys.kept = list(Loader(sys.argv[1], format='numpy', slots=4))",
    "in a cycle": "l = Loader(sys.argv[1], format='numpy'); a = [l]; a.append(a); i = iter(l); next(i); a.append(i); del l, i",
    "exit": "for b in Loader(sys.argv[1], format='numpy'): sys.exit(0)",
    "os._exit": "for b in Loader(sys.argv[1], format='numpy'): os._exit(0)",
    "a generator that never ends": """
        def generator():
            with Loader(sys.argv[1], format='numpy') as l:
                for b in l:
                    yield b
        g = generator()
        next(g)
    """,
    "a thread": """
        def loop():
            while True:
                for b in l: pass
        l = Loader(sys.argv[1], format='numpy')
        threading.Thread(target=loop, daemon=True).start()
        time.sleep(0.2)
    """,
    "a forked child that goes on": """
        l = Loader(sys.argv[1], format='numpy')
        i = iter(l); first = next(i)
        if os.fork() == 0:
            time.sleep(1.5)
            os._exit(0)
    """,
    "a forked child that ends as programs do": """
        l = Loader(sys.argv[1], format='numpy')
        i = iter(l); first = next(i)
        pid = os.fork()
        if pid == 0:
            del first, i, l
            gc.collect()
            sys.exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        assert [b.number for b in i] == list(range(1, 11))
    """,
    "a fork beside a thread that loops": """
        l = Loader(sys.argv[1], format='numpy')
        def loop():
            while True:
                for b in l: pass
        threading.Thread(target=loop, daemon=True).start()
        for _ in range(5):
            time.sleep(0.05)
            pid = os.fork()
            if pid == 0:
                signal.alarm(20)
                next(iter(l))
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
    """,
    "a forked child that loops": """
        l = Loader(sys.argv[1], format='numpy')
        i = iter(l); first = next(i)
        pid = os.fork()
        if pid == 0:
            assert [b.number for b in i] == list(range(1, 11))
            assert [b.number for b in l] == list(range(11))
            sys.exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        assert [b.number for b in i] == list(range(1, 11))
    """,
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_program_ends(pipeline: Path, ending: str) -> None:
    program = start(ENDINGS[ending], pipeline)
    _, errors = program.communicate(timeout=60)
    assert (program.returncode, errors) == (0, "")
    assert gone(pipeline)


def test_interrupted(pipeline: Path) -> None:
    """Ctrl-C reaches the program and its engine; the loop goes on where it was, with nothing lost."""
    program = start(
        """
        l = Loader(sys.argv[1], format="numpy", seed=5)
        got, interrupts = [], 0
        state = l.state_dict()
        print("ready", flush=True)
        end = time.time() + 3
        while True:
            try:
                if l.epoch >= 40 and time.time() > end:
                    break
                for b in l:
                    # One append: whatever is interrupted, a batch is there with the state behind it, or not at all.
                    got.append((b.epoch, b.number, b.image.tobytes(), l.state_dict()))
            except KeyboardInterrupt:
                interrupts += 1
                while True:
                    try:
                        l.load_state_dict(got[-1][3] if got else state)
                        break
                    except KeyboardInterrupt:
                        pass
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        m = Loader(sys.argv[1], format="numpy", seed=5)
        want = []
        while m.epoch < l.epoch:
            want += [(b.epoch, b.number, b.image.tobytes()) for b in m]
        got = [g[:3] for g in got]
        print("places", [g[:2] for g in got] == [w[:2] for w in want], "contents", got == want, "interrupts", interrupts > 5)
        """,
        pipeline,
        warnings="ignore",  # of what Python itself was interrupted in the middle of
        start_new_session=True,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n", program.communicate()
    rng = random.Random(1)
    for _ in range(30):
        time.sleep(rng.uniform(0, 0.1))
        os.killpg(program.pid, signal.SIGINT)
    out, errors = program.communicate(timeout=60)
    assert (out, errors) == ("places True contents True interrupts True\n", "")
    assert gone(pipeline)


def test_python_is_killed(pipeline: Path) -> None:
    for delay in (0, 0.01, 0.05, 0.1):
        program = start(
            """
            print(flush=True)
            loaders = [Loader(sys.argv[1], format="numpy") for _ in range(2)]
            while True:
                for a, b in zip(*loaders): pass
            """,
            pipeline,
        )
        assert program.stdout is not None and program.stdout.readline()
        time.sleep(0.2 + delay)
        program.kill()
        program.communicate()
        assert gone(pipeline)


def test_the_engine_is_killed(pipeline: Path) -> None:
    loader = Loader(pipeline, format="numpy")
    want = [b.image.tobytes() for b in Loader(pipeline, format="numpy")]
    got = []
    iterator = iter(loader)
    got.append(next(iterator).image.tobytes())
    before = children()
    assert loader._engine is not None
    os.kill(loader._engine.pid, signal.SIGKILL)
    with pytest.raises(sluicedata.EngineError, match="SIGKILL"):
        for b in iterator:
            got.append(b.image.tobytes())  # noqa: PERF401
    assert len(children()) == len(before) - 1
    state = loader.state_dict()
    loader.load_state_dict(state)
    got += [b.image.tobytes() for b in loader]
    assert got == want


def test_changed_data_are_noticed(pipeline: Path) -> None:
    """An engine that takes the place of one that was killed plans anew: of other data it says so."""
    loader = Loader(pipeline, format="numpy")
    next(iter(loader))
    next((pipeline.parent / "data" / "cat").iterdir()).unlink()
    assert loader._engine is not None
    loader._engine.kill()
    with pytest.raises(sluicedata.StateError):
        list(loader)


def sequence(loader: Loader, epochs: int) -> list[tuple[Any, ...]]:
    out: list[tuple[Any, ...]] = []
    while loader.epoch < epochs:
        out += [(b.epoch, b.number, b.image.clone(), b.label["class"]) for b in loader]
    return out


def same(a: list[tuple[Any, ...]], b: list[tuple[Any, ...]]) -> bool:
    import torch

    return [x[:2] for x in a] == [x[:2] for x in b] and all(
        torch.equal(x[2].view(torch.int32), y[2].view(torch.int32)) and torch.equal(x[3], y[3])
        for x, y in zip(a, b, strict=True)
    )


def test_resumes_after_kills_of_the_engine(pipeline: Path) -> None:
    """Engines killed at random moments: the sequence is that of an unbroken run, bit for bit, in torch tensors."""
    pytest.importorskip("torch")
    kills, epochs = (50, 60) if LONG else (8, 10)
    want = sequence(Loader(pipeline), epochs)
    rng = random.Random(2)
    got: list[tuple[Any, ...]] = []
    loader = Loader(pipeline)
    step = len(want) // kills  # so that each kill is noticed before the next
    moments = [i * step + rng.randrange(1, step - 3) for i in range(kills)]
    done = 0
    while loader.epoch < epochs:
        try:
            for b in loader:
                got.append((b.epoch, b.number, b.image.clone(), b.label["class"]))
                if moments and len(got) >= moments[0]:
                    moments.pop(0)
                    assert loader._engine is not None
                    os.kill(loader._engine.pid, signal.SIGKILL)
                    time.sleep(rng.choice([0, 0.001, 0.01]))
        except sluicedata.EngineError as error:
            assert "SIGKILL" in str(error)
            done += 1
            loader.load_state_dict(loader.state_dict())
    assert done == kills and same(got, want)


def test_resumes_after_kills_of_python(pipeline: Path) -> None:
    """Programs killed at random moments, each going on from the last state on disk, in worlds of 1, 2 and 1."""
    torch = pytest.importorskip("torch")
    kills, epochs, kind = (50, 60, "torch") if LONG else (6, 6, "numpy")
    want = sequence(Loader(pipeline), epochs)
    program = """
        import json, time
        import numpy as np
        world, out, epochs, kind = int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5]
        loaders = [Loader(sys.argv[1], rank=r, world_size=world, format=kind) for r in range(world)]
        if os.path.exists(out + "/state"):
            state = json.load(open(out + "/state"))
            for l in loaders: l.load_state_dict(state)
        while loaders[0].epoch < epochs:
            for batches in zip(*loaders, strict=True):
                for b in batches:
                    with open(out + "/part", "wb") as f: np.savez(f, image=np.asarray(b.image), label=np.asarray(b.label["class"]))
                    os.rename(out + "/part", f"{out}/{b.epoch:03d}-{b.number:03d}.npz")
                time.sleep(0.02)
                with open(out + "/new", "w") as f: json.dump(loaders[-1].state_dict(), f)
                os.rename(out + "/new", out + "/state")
        print("done")
    """
    out = pipeline.parent / "out"
    out.mkdir()
    rng = random.Random(3)
    world, killed = 1, 0
    while True:
        run = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import sys, os\nfrom sluicedata import Loader\n" + textwrap.dedent(program),
                *(str(pipeline), str(world), str(out), str(epochs), kind),
            ],
            env={**os.environ, "PYTHONPATH": str(Path(sluicedata.__path__[0]).parent)},
            cwd=pipeline.parent,
            stdout=subprocess.PIPE,
            text=True,
        )
        have = len(list(out.glob("*.npz")))
        target = have + rng.randrange(1, len(want) // kills) if killed < kills else 1 << 30
        while run.poll() is None and len(list(out.glob("*.npz"))) < target:
            time.sleep(0.002)
        time.sleep(rng.choice([0, 0.002, 0.01]))
        ended = run.poll() is not None
        run.kill()
        text = run.communicate()[0]
        assert gone(pipeline)
        if ended:
            assert text == "done\n"
            break
        killed += 1
        world = 3 - world
    # A world of 2 drops the last batch of an epoch whose rest is odd: it alone may be missing.
    got = {}
    for file in sorted(out.glob("*.npz")):
        epoch, number = map(int, file.stem.split("-"))
        with np.load(file) as arrays:
            got[epoch, number] = (epoch, number, torch.from_numpy(arrays["image"]), torch.from_numpy(arrays["label"]))
    assert same(list(got.values()), [w for w in want if w[:2] in got])
    assert killed > kills // 2 and len(got) >= len(want) - epochs
    assert all(n == 10 for _, n in {w[:2] for w in want} - set(got))


def test_opened_and_dropped(pipeline: Path) -> None:
    """Loaders dropped at random points: files, processes, memory and /dev/shm stay as they were."""
    times = 1000 if LONG else 40
    rng = random.Random(4)

    def once(loader: Loader, way: int) -> Any:
        match way:
            case 0:
                return None
            case 1:
                loader.close()
            case 2:
                return next(iter(loader)).image
            case 3:
                iterator = iter(loader)
                for _ in range(rng.randrange(1, 20)):
                    if next(iterator, None) is None:
                        break
                return iterator
            case 4:
                with loader:
                    return list(loader)
            case 5:
                cycle: list[Any] = [loader, iter(loader)]
                cycle.append(cycle)
            case 6:
                assert loader._engine is not None
                os.kill(loader._engine.pid, signal.SIGKILL)
            case 7:
                with pytest.raises(sluicedata.PipelineError):
                    Loader(pipeline, set={"stages.decode.nothing": 1}, format="numpy")
        return None

    def figures() -> tuple[int, int, list[str]]:
        gc.collect()
        return (
            open_files(),
            len(children()),
            sorted(name for name in os.listdir("/dev/shm") if not name.startswith("sem.")),
        )  # of other programs

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    kept = [once(Loader(pipeline, format="numpy", transport="ring" if way % 2 else "pipe"), way) for way in range(8)]
    kept.clear()
    before, memory = figures(), resident()
    for i in range(times):
        kept.append(once(Loader(pipeline, format="numpy", transport=rng.choice(["ring", "pipe"])), rng.randrange(8)))
        if len(kept) > 3:
            kept.pop(rng.randrange(len(kept)))
        if i % 10 == 0:
            gc.collect()
    kept.clear()
    assert figures() == before
    assert resident() - memory < 32 << 20


def test_kept_and_freed_in_random_order(pipeline: Path) -> None:
    """Batches keep their contents as long as there is a view of them, whichever dies first."""
    batches = 100_000 if LONG else 5_000
    rng = random.Random(5)
    loader = Loader(
        pipeline, format="numpy", set={"stages.rebalance.draws": 1000}, without=["to_tensor"], slots=16, seed=1
    )
    small = Loader(
        pipeline, format="numpy", set={"stages.rebalance.draws": 1000}, without=["to_tensor"], transport="pipe", seed=1
    )
    want = {b.number: hash(b.image.tobytes()) for b in small}
    small.close()
    loader.set_epoch(0)
    kept: list[tuple[int, Any]] = []
    inline = taken = 0
    while taken < batches:
        loader.set_epoch(0)
        for b in loader:
            taken += 1
            inline += b._head["slot"] < 0
            image = b.image
            view = (
                image,
                np.asarray(image.base if image.base is not None else image),
                memoryview(image),
                np.from_dlpack(image),
            )
            assert hash(image.tobytes()) == want[b.number]
            kept.append((b.number, view[rng.randrange(4)] if rng.random() < 0.5 else image))
            while len(kept) > rng.choice([1, 4, 12, 12, 12, 24]):
                number, view_of = kept.pop(rng.randrange(len(kept)))
                pixels = np.asarray(view_of)
                if pixels.shape != image.shape:
                    pixels = pixels.reshape(-1, 16, 16, 3).transpose(0, 3, 1, 2)
                assert hash(pixels.tobytes()) == want[number]
            if taken >= batches:
                break
    assert 0 < inline < taken
    ring = loader._engine.ring if loader._engine is not None else None
    del b, image, view, pixels, view_of
    kept.clear()
    gc.collect()
    assert ring is not None and ring.taken == 0


@pytest.mark.skipif(sys.platform != "linux", reason="the ring is Linux's alone")
def test_a_forked_child_keeps_what_it_has(pipeline: Path) -> None:
    """The parent gives a batch's slot back and the engine fills it anew, while a child still has the batch."""
    program = """
        loader = Loader(sys.argv[1], transport="ring", format="numpy", slots=4)
        loop = iter(loader)
        kept, more = next(loop), [next(loop), next(loop)]
        image, sums = kept.image, [b.image.sum() for b in more]
        before, (go, told) = image.copy(), os.pipe()
        child = os.fork()
        if child == 0:
            os.close(told)
            os.read(go, 1)  # until the parent has used the slots again
            fine = (image == before).all() and [b.image.sum() for b in more] == sums
            more[0].image[:] = 7  # and the parent doesn't see what the child writes
            os._exit(0 if fine else 1)
        del kept, image, more
        for _, batch in zip(range(30), loop):
            assert (batch.image != 7).any()
        os.close(told)
        os.close(go)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    process = start(program, pipeline)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")


def test_closed_while_a_loop_waits(pipeline: Path) -> None:
    """Of an engine that says nothing, as with a network disk that has stalled."""
    loader = Loader(pipeline, format="numpy")
    assert loader._engine is not None
    os.kill(loader._engine.pid, signal.SIGSTOP)
    raised: list[BaseException] = []

    def run() -> None:
        try:
            for _ in loader:
                pass
        except sluicedata.Error as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.3)
    loader.close()
    thread.join(20)
    assert not thread.is_alive() and len(raised) == 1 and isinstance(raised[0], sluicedata.EngineError)


def test_without_standard_files(pipeline: Path) -> None:
    """A daemon that has closed them: the engine's socket may not take their numbers."""
    program = """
        for fd in (0, 1, 2):
            os.close(fd)
        try:
            n = sum(batch.rows for batch in Loader(sys.argv[1], format="numpy"))
            text = str(n)
        except BaseException as error:
            text = repr(error)
        open("result.txt", "w").write(text)
        os._exit(0)
    """
    process = start(program, pipeline)
    process.communicate(timeout=60)
    assert (pipeline.parent / "result.txt").read_text() == "44"
