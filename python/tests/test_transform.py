"""Transform against the rows of runs, and in the places where people put it."""

from __future__ import annotations

import gc
import io
import json
import os
import pickle
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from conftest import picture, png
from sluicedata import EngineError, Loader, PipelineError, SampleError, StateError, Transform, UsageError
from sluicedata import stages as declare

MakeFolder = Callable[..., Path]

AUGMENT: list[Any] = [
    "decode",
    {"rotate": {"degrees": 30}},
    {"random_resized_crop": {"size": 24}},
    {"flip": {"p": 0.5}},
]
FLOATS: list[Any] = ["to_tensor", {"normalize": {"mean": "imagenet", "std": "imagenet"}}]


@pytest.fixture
def augment() -> Iterator[Transform]:
    with Transform(stages=[*AUGMENT, *FLOATS], seed=5, format="numpy") as transform:
        yield transform


def stream(engine: str, pipeline: dict[str, Any], *flags: str) -> list[dict[str, Any]]:
    """The rows that `sluice stream --params` writes, pictures as bytes."""
    done = subprocess.run(
        [engine, "stream", "-", "--params", *flags],
        input=json.dumps(pipeline).encode(),
        capture_output=True,
        check=True,
    )
    with pa.ipc.open_stream(done.stdout) as reader:
        table = reader.read_all()
    images = table.column("image").combine_chunks()
    if isinstance(images.type, pa.FixedShapeTensorType):
        arrays = images.to_numpy_ndarray()
    else:
        arrays = [np.frombuffer(i["pixels"], np.uint8).reshape(i["height"], i["width"], 3) for i in images.to_pylist()]
    rows = table.drop_columns(["image"]).to_pylist()
    return [{**row, "image": image} for row, image in zip(rows, arrays, strict=True)]


# Rows


@pytest.mark.parametrize("kind", ["float", "uint8", "grey", "sizes of their own", "jpeg", "jpeg, exact"])
def test_rows_are_those_of_a_run(engine: str, make_folder: MakeFolder, kind: str) -> None:
    folder = make_folder({"cat": 9, "dog": 4})
    if "jpeg" in kind:
        image = pytest.importorskip("PIL.Image")
        for i, file in enumerate(sorted(folder.rglob("*.png"))):
            image.fromarray(picture(i, 100, 140)).save(file.with_suffix(".jpg"), quality=80)
            file.unlink()
    stages: list[Any] = {
        "uint8": AUGMENT,
        "grey": [{"decode": {"mode": "gray"}}, *AUGMENT[1:], "to_tensor"],
        "sizes of their own": ["decode", {"flip": {"p": 0.5}}, {"resize": {"size": 30}}],
    }.get(kind, [*AUGMENT, *FLOATS])
    if kind == "sizes of their own":
        for i in range(3):
            (folder / "cat" / f"tall{i}.png").write_bytes(png(picture(40 + i, 90, 33 + i)))
    pipeline = {
        "version": 1,
        "seed": 11,
        "epochs": 2,
        "fuse": "exact" if "exact" in kind else "full",
        "source": {"folder": {"path": str(folder)}},
        "stages": [{"rebalance": {"target": "class_balanced"}}, *stages]
        + ([] if kind == "sizes of their own" else [{"batch": {"size": 5}}]),
    }
    rows = stream(engine, pipeline)
    assert len(rows) == 2 * len(list(folder.rglob("*.*")))
    with Transform(pipeline, format="numpy") as transform:
        for row in rows:
            drawn = transform.draw(folder / row["key"], epoch=row["epoch"], position=row["position"])
            want = row["image"] if kind in ("float", "jpeg", "jpeg, exact") else None
            if want is None:  # uint8 leaves as height, width, channels; grey floats have one plane
                want = np.moveaxis(row["image"], -1, 0) if drawn.image.dtype == np.uint8 else row["image"]
            assert drawn.image.shape == want.shape
            assert drawn.image.tobytes() == np.ascontiguousarray(want).tobytes()
            assert drawn.params == json.loads(row["params"])
        assert transform.position == 0


def test_rows_are_those_of_a_loader(make_folder: MakeFolder) -> None:
    torch = pytest.importorskip("torch")
    folder = make_folder({"cat": 7, "dog": 3})
    pipeline = {
        "version": 1,
        "source": {"folder": {"path": str(folder)}},
        "stages": ["shuffle", *AUGMENT, *FLOATS, {"batch": {"size": 4}}],
    }
    transform = Transform(pipeline)
    rows = 0
    with Loader(pipeline) as loader:
        for batch in loader:
            for key, image, position in zip(batch.key, batch.image, batch.position, strict=True):
                assert torch.equal(transform(folder / key, epoch=batch.epoch, position=int(position)), image)
                rows += 1
    assert rows == 10


def test_flags_are_the_command_lines(engine: str, make_folder: MakeFolder, tmp_path: Path) -> None:
    folder = make_folder({"cat": 6, "dog": 6})
    text = {
        "version": 1,
        "source": {"folder": {"path": str(folder)}},
        "split": {"val": 0.5},
        "stages": [*AUGMENT, "to_tensor", {"batch": {"size": 4}}],
    }
    file = tmp_path / "p.yaml"
    file.write_text(json.dumps(text))
    rows = stream(
        engine,
        text,
        "--use",
        "val",
        "--without",
        "rotate,flip",
        "--seed",
        "9",
        "--fuse",
        "exact",
        "--set",
        "stages.random_resized_crop.size=20",
    )
    transform = Transform(
        file,
        use="val",
        without=["rotate", "flip"],
        seed=9,
        fuse="exact",
        set={"stages.random_resized_crop.size": 20},
        format="numpy",
    )
    assert transform.shape == (3, 20, 20)
    for row in rows:
        assert np.array_equal(transform(folder / row["key"], epoch=0, position=row["position"]), row["image"])
    assert "p.yaml" in repr(transform)


def test_needs_no_source(tmp_path: Path) -> None:
    stages = [*AUGMENT, *FLOATS]
    file = tmp_path / "served.yaml"
    file.write_text(
        json.dumps(
            {
                "version": 1,
                "seed": 5,
                "source": {"folder": {"path": "not/here"}},
                "classes_from": "nor/this.yaml",
                "split": {"val": 0.1},
                "stages": [
                    {"rebalance": {"target": "square_root"}},
                    *stages,
                    {"batch": {"size": 2}},
                    {"multiscale": {"scales": [0.5, 1]}},
                ],
            }
        )
    )
    image = png(picture(1))
    want = Transform(stages=stages, seed=5, format="numpy")(image)
    assert np.array_equal(Transform(file, format="numpy")(image), want)
    assert np.array_equal(Transform({"version": 1, "seed": 5, "stages": stages}, format="numpy")(image), want)


def test_figures_of_the_data_need_it(make_folder: MakeFolder, tmp_path: Path) -> None:
    folder = make_folder({"cat": 3, "dog": 3})
    resize: list[Any] = ["decode", {"resize": {"height": 8, "width": 8}}, "to_tensor"]
    measured: dict[str, Any] = {
        "version": 1,
        "source": {"folder": {"path": str(folder)}},
        "stages": [*resize, {"normalize": {"mean": "dataset", "std": "dataset"}}],
    }
    pictures = np.concatenate([picture(i).reshape(-1, 3) for i in range(6)]) / 255
    plain = Transform(stages=resize, format="numpy")(picture(0))
    want = (plain - pictures.mean(0)[:, None, None]) / pictures.std(0)[:, None, None]
    assert np.allclose(Transform(measured, format="numpy")(picture(0)), want, atol=1e-4)
    with pytest.raises((PipelineError, EngineError), match="not-here"):
        Transform({**measured, "source": {"folder": {"path": str(tmp_path / "not-here")}}})
    with pytest.raises(PipelineError, match="source: missing"):
        Transform(stages=measured["stages"])
    with Loader({**measured, "stages": [*measured["stages"], {"batch": {"size": 2}}]}, format="numpy") as loader:
        state = json.loads(json.dumps(loader.state_dict()))
    gone = {**measured, "source": {"folder": {"path": str(tmp_path / "not-here")}}}
    have = Transform(gone, state=state, format="numpy")(picture(0))
    assert np.array_equal(have, Transform(measured, format="numpy")(picture(0)))
    for wrong, message in (
        ({}, "pipeline"),
        ({"engine": {"pipeline": {"stages": []}}}, "without normalize"),
        (3, "state"),
    ):
        with pytest.raises(StateError, match=message):
            Transform(gone, state=wrong)  # type: ignore[arg-type]


def test_declared_stages() -> None:
    declared = [declare.decode(), declare.resize(height=6, width=5), declare.to_tensor()]
    plain = Transform(stages=["decode", {"resize": {"height": 6, "width": 5}}, "to_tensor"], format="numpy")
    assert np.array_equal(Transform(stages=declared, format="numpy")(picture(2)), plain(picture(2)))
    with pytest.raises(PipelineError, match=r"test_transform\.py"):
        Transform(stages=[declare.decode(), declare.rotate(-400)])


def test_says_what_draws() -> None:
    training = [declare.decode(), declare.flip(), declare.random_resized_crop(8), declare.flip(0.1), declare.batch(4)]
    with Transform(stages=training, format="numpy") as drawing:
        assert drawing.random == ("flip", "random_resized_crop", "flip_2")
        assert repr(drawing).endswith("; random: flip, random_resized_crop, flip_2)")
    # Batches of rows that vary in size are nothing to single images.
    with Transform(stages=training, without=["flip_2", "flip", "random_resized_crop"], format="numpy") as plain:
        assert plain.random == () and "random" not in repr(plain)
        assert plain(picture(1)).shape == (3, 48, 64)


# Images


def test_kinds_of_images(augment: Transform) -> None:
    pixels = picture(3)
    file = png(pixels)
    want = augment(file, epoch=2, position=7)
    assert want.shape == (3, 24, 24)
    assert want.dtype == np.float32
    image: Any
    for image in (bytearray(file), memoryview(file), pixels, np.asfortranarray(pixels), pixels[::-1][::-1]):
        assert np.array_equal(augment(image, epoch=2, position=7), want)
    grey = pixels[:, :, 0]
    want = augment(np.repeat(grey[:, :, None], 3, axis=2), epoch=0, position=1)
    for image in (grey, grey[:, :, None], png(grey)):
        assert np.array_equal(augment(image, epoch=0, position=1), want)


def test_tensors() -> None:
    torch = pytest.importorskip("torch")
    transform = Transform(stages=AUGMENT, seed=2)
    pixels = picture(4)
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)
    have = transform(tensor, epoch=0, position=3)
    assert have.dtype == torch.uint8
    assert have.shape == (3, 24, 24)
    assert torch.equal(have, transform(png(pixels), epoch=0, position=3))
    assert torch.equal(have, transform(tensor.contiguous(), epoch=0, position=3))
    grey = tensor[:1]
    assert torch.equal(transform(grey, epoch=0, position=3), transform(grey[0], epoch=0, position=3))
    assert torch.equal(transform(grey, epoch=0, position=3), transform(grey.expand(3, -1, -1), epoch=0, position=3))
    have += 1  # it is the caller's
    for wrong, message in (
        (tensor.float(), "torch.float32"),
        (torch.from_numpy(pixels), "channels come first"),
        (tensor[None], "batch"),
        (tensor[:2], "shape"),
        (tensor[:, :0], "no pixels"),
    ):
        with pytest.raises(UsageError, match=message):
            transform(wrong)


def test_pil_images() -> None:
    image = pytest.importorskip("PIL.Image")
    transform = Transform(stages=AUGMENT, fuse="exact", format="numpy")
    pixels = picture(5)
    rgb = image.fromarray(pixels)

    def same(pil: Any, other: Any) -> None:
        assert np.array_equal(transform(pil, epoch=0, position=1), transform(other, epoch=0, position=1))

    same(rgb, pixels)
    same(rgb.convert("L"), np.asarray(rgb.convert("L")))
    transparent = rgb.copy()
    transparent.putalpha(image.fromarray(pixels[:, :, 1]))
    same(transparent, pixels)
    palette = rgb.quantize(16)
    same(palette, np.asarray(palette.convert("RGB")))
    same(rgb.convert("1"), np.asarray(rgb.convert("1").convert("RGB")))
    # Turned by EXIF: as files are.
    for orientation in range(1, 9):
        exif = image.Exif()
        exif[0x0112] = orientation
        file = io.BytesIO()
        rgb.save(file, "JPEG", exif=exif, quality=95)
        same(image.open(io.BytesIO(file.getvalue())), file.getvalue())
    with pytest.raises(UsageError, match="I;16"):
        transform(image.fromarray(pixels[:, :, 0].astype(np.uint16)))
    with pytest.raises(UsageError, match="no pixels"):
        transform(image.new("RGB", (0, 3)))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (3, "a int isn't an image"),
        (None, "a NoneType isn't"),
        ([1, 2], "a list isn't"),
        (np.zeros((4, 4, 3), np.float32), "float32: give uint8"),
        (np.zeros((3, 9, 9), np.uint8), "channels come last"),
        (np.zeros((9, 9, 4), np.uint8), "alpha"),
        (np.zeros((9, 9, 2), np.uint8), "shape"),
        (np.zeros((2, 9, 9, 3), np.uint8), "batch"),
        (np.zeros((0, 9, 3), np.uint8), "no pixels"),
        (np.zeros(9, np.uint8), "shape"),
    ],
)
def test_what_is_no_image(augment: Transform, image: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        augment(image)


def test_broken_images_say_which_and_why(augment: Transform, tmp_path: Path) -> None:
    file = tmp_path / "broken.png"
    file.write_bytes(png(picture(1))[:-40])
    with pytest.raises(SampleError) as caught:
        augment(file, epoch=1, position=8)
    error = caught.value
    assert (error.key, error.epoch, error.position, error.stage) == (str(file), 1, 8, "decode")
    assert error.cause
    assert error.cause in str(error)
    with pytest.raises(SampleError, match="upload 7"):
        augment(b"", key="upload 7")
    with pytest.raises(SampleError) as caught:
        augment.batch([picture(1), b"nothing", picture(2)], keys=["a", "b", "c"], position=4)
    assert (caught.value.key, caught.value.position) == ("b", 5)
    with pytest.raises(FileNotFoundError):
        augment(tmp_path / "none.jpg")
    assert augment(picture(1)).shape == (3, 24, 24)  # it goes on


# Draws


def test_draws_count_on(augment: Transform) -> None:
    image = picture(6)
    first = [augment(image) for _ in range(5)]
    assert len({a.tobytes() for a in first}) == 5
    assert augment.position == 5
    for position, a in enumerate(first):
        assert np.array_equal(augment(image, epoch=0, position=position), a)
        assert np.array_equal(augment(image, position=position), a)
    assert augment.position == 5
    augment.position = 0
    assert np.array_equal(augment(image), first[0])
    with Transform(stages=[*AUGMENT, *FLOATS], seed=6, format="numpy") as other:
        assert not np.array_equal(other(image), first[0])
    assert not np.array_equal(augment(image, epoch=1, position=0), first[0])
    for wrong in (
        {"position": -1},
        {"position": 1 << 63},
        {"epoch": 1 << 31, "position": 0},
        {"position": 1.5},
        {"position": True},
        {"epoch": 3},
    ):
        with pytest.raises(UsageError, match=r"epoch|position"):
            augment(image, **wrong)
    with pytest.raises(UsageError, match="position"):
        augment.position = -2


def test_batches(augment: Transform) -> None:
    images = [picture(i, 40 + i, 50) for i in range(7)]
    mixed = [png(image) if i % 2 else image for i, image in enumerate(images)]
    have = augment.batch(mixed)
    assert have.shape == (7, 3, 24, 24)
    assert augment.position == 7
    for i, image in enumerate(images):
        assert np.array_equal(have[i], augment(image, position=i))
    assert np.array_equal(augment.batch(iter(images[2:4]), epoch=0, position=2), have[2:4])
    with pytest.raises(UsageError, match="no images"):
        augment.batch([])
    with pytest.raises(UsageError, match="1 keys for 2 images"):
        augment.batch(images[:2], keys=["a"])
    with Transform(stages=["decode", {"flip": {"p": 0.5}}], format="numpy") as sizes:
        assert sizes.shape == (3, None, None)
        rows = sizes.batch(images)
        assert [row.shape for row in rows] == [(3, 40 + i, 50) for i in range(7)]
        assert isinstance(sizes.batch(images[:1]), list)
        assert all(
            np.array_equal(row, sizes(image, position=i))
            for i, (row, image) in enumerate(zip(rows, images, strict=True))
        )
    with Transform(stages=AUGMENT, format="numpy") as bytes_:
        rows = bytes_.batch(images)
        assert rows.shape == (7, 3, 24, 24)
        assert np.array_equal(rows[3], bytes_(images[3], position=3))


def test_formats() -> None:
    image = picture(1)
    stages = ["decode", {"resize": {"height": 5, "width": 4}}]
    array = Transform(stages=stages, format="numpy")(image)
    assert np.array_equal(np.from_dlpack(Transform(stages=stages, format="dlpack")(image)), array)
    with pytest.raises(UsageError, match="arrow"):
        Transform(stages=stages, format="arrow")
    torch = pytest.importorskip("torch")
    tensor = Transform(stages=stages)(image)
    assert isinstance(tensor, torch.Tensor)
    assert np.array_equal(tensor.numpy(), array)


# Pipelines


def test_mistakes_of_pipelines(tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        Transform(stages=["decode", {"rotated": {"degrees": 3}}, {"crop": {"sizes": 3}}])
    assert len(caught.value.mistakes) == 2
    assert "rotate" in str(caught.value)
    with pytest.raises(PipelineError, match=r"^the pipeline has no decode stage"):
        Transform(stages=[{"batch": {"size": 3}}])
    with pytest.raises(PipelineError, match=r"^exec: quick: want fused or reference$") as caught:
        Transform(stages=["decode"], exec="quick")
    assert [(m.file, m.message) for m in caught.value.mistakes] == [("", "exec: quick: want fused or reference")]
    with pytest.raises(PipelineError, match=r"^without: flip: the file has 2 stages"):
        Transform(stages=["decode", "flip", "flip"], without="flip")
    with pytest.raises((PipelineError, EngineError), match=r"none\.yaml"):
        Transform(tmp_path / "none.yaml")
    with pytest.raises(UsageError, match="pipeline, or stages"):
        Transform()
    with pytest.raises(UsageError, match="pipeline, or stages"):
        Transform("p.yaml", stages=["decode"])


# Threads and processes


def test_threads_share_a_transform(augment: Transform) -> None:
    images = [png(picture(i, 60, 300)) if i % 2 else picture(i, 400, 500) for i in range(8)]
    want = [augment(image, position=i).tobytes() for i, image in enumerate(images)]
    failures: list[object] = []

    def work(thread: int) -> None:
        try:
            for n in range(24):
                i = (n * (thread + 1)) % 8
                if n % 9 == 8:
                    with pytest.raises(SampleError, match=f"thread {thread}"):
                        augment(b"x", key=f"thread {thread}")
                if augment(images[i], position=i).tobytes() != want[i]:
                    failures.append((thread, n))
        except BaseException as error:
            failures.append(error)

    before = augment.position
    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures
    assert augment.position == before + 6 * 2
    assert not augment._opened()._waiting


class Interrupted(BaseException):
    """What a signal raises, as Ctrl-C does."""


def test_interrupts_leave_nothing_hanging(augment: Transform) -> None:
    images = [picture(i, 60, 80) for i in range(4)]
    want = [augment(image, position=i).tobytes() for i, image in enumerate(images)]
    failures: list[object] = []
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            try:
                for i, image in enumerate(images):
                    if augment(image, position=i).tobytes() != want[i]:
                        failures.append(i)
            except EngineError:  # it was interrupted beside this thread, and another one is started
                pass
            except BaseException as error:
                failures.append(error)
                return

    def interrupt(*_: object) -> None:
        raise Interrupted

    threads = [threading.Thread(target=work) for _ in range(2)]
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for t in threads:
            t.start()
        delays = np.random.default_rng(1).uniform(1e-5, 4e-3, 60)
        interrupts = 0
        for n, delay in enumerate(delays):
            try:
                signal.setitimer(signal.ITIMER_REAL, delay)
                while True:
                    if augment(images[n % 4], position=n % 4).tobytes() != want[n % 4]:
                        failures.append(n)
            except Interrupted:
                interrupts += 1
            except EngineError:
                signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        stop.set()
        for t in threads:
            t.join(60)
    assert not any(t.is_alive() for t in threads)
    assert not failures
    assert interrupts > 20
    augment.close()
    assert augment(images[1], position=1).tobytes() == want[1]


def test_a_killed_engine_is_replaced(augment: Transform) -> None:
    image = picture(1)
    want = augment(image, position=0)
    os.kill(augment._opened().engine.pid, signal.SIGKILL)
    time.sleep(0.05)
    try:
        assert np.array_equal(augment(image, position=0), want)
    except EngineError:  # its end had not been noticed
        assert np.array_equal(augment(image, position=0), want)
    augment.close()
    assert np.array_equal(augment(image, position=0), want)


def test_an_engine_ends_with_its_transform() -> None:
    transform = Transform(stages=AUGMENT, format="numpy")
    pid = transform._opened().engine.pid
    os.kill(pid, 0)
    del transform
    gc.collect()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_pickling(augment: Transform) -> None:
    augment.position = 3
    copy = pickle.loads(pickle.dumps(augment))
    assert copy.position == 3
    assert np.array_equal(copy(picture(2)), augment(picture(2)))
    assert copy._opened().engine.pid != augment._opened().engine.pid


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_forks_have_engines_of_their_own(augment: Transform) -> None:
    image = picture(3)
    want = augment(image, position=4)
    theirs = augment._opened().engine.pid
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            have = augment(image, position=4)
            ok = np.array_equal(have, want) and augment._opened().engine.pid != theirs
            augment.close()
            os.write(write, b"y" if ok else b"n")
        finally:
            os._exit(0)
    os.close(write)
    assert os.read(read, 1) == b"y"
    os.close(read)
    os.waitpid(child, 0)
    assert np.array_equal(augment(image, position=4), want)
    assert augment._opened().engine.pid == theirs


class Images:
    """A map-style dataset of one picture many times."""

    def __init__(self, transform: Transform, count: int) -> None:
        self.transform, self.count, self.image = transform, count, png(picture(8))

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> Any:
        return self.transform(self.image)


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_of_a_dataloader_draw_apart(start: str) -> None:
    torch = pytest.importorskip("torch")
    loader = torch.utils.data.DataLoader(
        Images(Transform(stages=[*AUGMENT, "to_tensor"]), 12),
        batch_size=3,
        num_workers=2,
        multiprocessing_context=start,
    )

    def epochs() -> list[bytes]:
        torch.manual_seed(1)
        return [row.numpy().tobytes() for _ in range(2) for batch in loader for row in batch]

    have = epochs()
    assert len(set(have)) == 24  # in neither worker, nor in the next epoch, is anything drawn again
    if start == "fork":
        assert epochs() == have


def test_in_an_image_folder(make_folder: MakeFolder) -> None:
    datasets = pytest.importorskip("torchvision.datasets")
    folder = make_folder({"cat": 2, "dog": 1})
    transform = Transform(stages=["decode", {"resize": {"size": 20}}, {"center_crop": {"size": 16}}, "to_tensor"])
    slow = datasets.ImageFolder(folder, transform=transform)
    fast = datasets.ImageFolder(folder, transform=transform, loader=lambda path: Path(path).read_bytes())
    for (a, label), (b, same) in zip(slow, fast, strict=True):
        assert label == same
        assert a.shape == (3, 16, 16)
        assert bool((a == b).all())


def test_page(make_folder: MakeFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code of docs/python-transform.md, where a server and a training script would run it."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("torchvision")
    page = Path(__file__).parents[2] / "docs" / "python-transform.md"
    if not page.exists():
        pytest.skip("docs isn't there: this is the package alone")
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.S | re.M)
    assert len(blocks) == 4
    make_folder({"cat": 8, "dog": 2}, name="data/train", height=300, width=280)
    for i, name in enumerate(("a.jpg", "b.jpg")):
        (tmp_path / name).write_bytes(png(picture(i, 300, 400)))
    pipeline = {
        "version": 1,
        "source": {"folder": {"path": "nowhere"}},
        "stages": [
            "decode",
            {"random_resized_crop": {"size": 224}},
            "flip",
            *FLOATS,
        ],
    }
    (tmp_path / "train.yaml").write_text(json.dumps(pipeline))
    val = re.search(r"^```yaml\n(# val.yaml\n.*?)^```", page.with_name("python.md").read_text(), re.S | re.M)
    assert val is not None
    (tmp_path / "val.yaml").write_text(val[1].replace("train.yaml", "elsewhere.yaml"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/train/cat/0007.png").rename(tmp_path / "data/train/cat/7.jpg")
    names: dict[str, Any] = {"request": io.BytesIO(png(picture(3))), "model": lambda images: images.shape}
    for block in blocks:
        exec(block, names)
    assert names["logits"] == (1, 3, 32, 32)
    drawn = names["preprocess"].draw("a.jpg").params
    assert set(drawn) == {"source", "output", "matrix"}
    left = Transform("train.yaml", without=["flip"])
    assert set(left.draw("a.jpg").params) == {"source", "output", "matrix", "random_resized_crop"}
    assert not torch.equal(left("a.jpg"), left("a.jpg"))
    assert names["batch"].shape == (2, 3, 224, 224)
    assert names["batch"].dtype == torch.float32
    assert len(names["faster"]) == 10
    assert names["faster"][3][0].shape == (3, 224, 224)
    assert names["image"].shape == (3, 224, 224)
    assert set(names["params"]) >= {"random_resized_crop", "matrix"}


@pytest.mark.parametrize("name, value", [("workers", 2.5), ("workers", -1), ("seed", -1), ("use", 3), ("exec", 1)])
def test_arguments_are_checked_by_name(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"{name}="):
        Transform(stages=["decode"], format="numpy", **{name: value})
