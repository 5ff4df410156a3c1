"""The command line's commands as functions."""

from __future__ import annotations

import json
import logging
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sluicedata
from sluicedata import EngineError, PipelineError, SampleError, UsageError, _command, _html, sources, stages
from sluicedata.reports import VerifyError

ROOT = Path(__file__).resolve().parents[1]

MakeFolder = Callable[..., Path]


def pipeline(folder: Path, **more: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "source": {"folder": {"path": os.fspath(folder)}},
        "stages": ["shuffle", "decode", {"resize": {"height": 8, "width": 8}}, {"batch": {"size": 4}}],
        **more,
    }


@pytest.fixture
def data(make_folder: MakeFolder) -> Path:
    return make_folder({"cat": 5, "dog": 3})


@pytest.fixture
def written(data: Path, tmp_path: Path) -> Path:
    """A pipeline file whose paths are relative to it."""
    content = pipeline(data)
    content["source"]["folder"]["path"] = data.name
    file = tmp_path / "p.yaml"
    file.write_text(json.dumps(content))
    return file


def test_plan(data: Path, written: Path) -> None:
    report = sluicedata.plan(pipeline(data))
    assert report.samples == 8
    assert report.classes == {"class": ["cat", "dog"]}
    assert report.counts == {"class": {"cat": 5, "dog": 3}}
    assert report.drawn == report.counts
    assert report.shapes == ["uint8[8,8,3]"]
    assert report.to_dict()["plan_hash"] == report.plan_hash
    assert "text" not in report.to_dict()
    assert str(report).startswith(f"plan        {report.plan_hash}")
    assert repr(report).startswith(f"PlanReport(plan_hash='{report.plan_hash}', seed=0, samples=8")
    assert '<td style="text-align:right">5</td>' in report._repr_html_()
    for other in (written, str(written)):
        assert sluicedata.plan(other) == report


def test_settings(data: Path) -> None:
    report = sluicedata.plan(
        pipeline(data, split={"val": 0.25, "use": "train"}),
        use="val", seed=7, epochs=3, workers=1, readers=1, budget="64MiB", params=True, on_error="skip", max_bad=2,
        without=["shuffle"], set={"stages.batch.size": np.int32(2), "stages.resize": {"height": 4, "width": 6}},
    )  # fmt: skip
    assert (report.samples, report.seed, report.epochs, report.batch_size) == (2, 7, 3, 2)
    assert report.shapes == ["uint8[4,6,3]"]
    assert "params" in report.columns
    assert report.to_dict()["on_error"] == "skip"
    assert [stage["name"] for stage in report.to_dict()["stages"]] == ["decode", "resize", "batch"]
    assert sluicedata.plan(pipeline(data), workers=None, params=False, set=None, without=None) == sluicedata.plan(
        pipeline(data)
    )


def test_changes_as_texts(data: Path) -> None:
    assert sluicedata.plan(pipeline(data), set=["stages.batch.size=2", "seed=3"]).batch_size == 2


def test_a_setting_that_there_is_not(data: Path) -> None:
    with pytest.raises(TypeError, match=r"plan\(\) has no setting worker: did you mean workers\?"):
        sluicedata.plan(pipeline(data), worker=3)  # type: ignore[call-arg,unused-ignore]
    with pytest.raises(PipelineError, match="workers: 0: at least 1"):
        sluicedata.plan(pipeline(data), workers=0)
    with pytest.raises(UsageError, match=r"set: seed: Out of range float"):
        sluicedata.plan(pipeline(data), set={"seed": float("nan")})


def test_mistakes_have_their_places(data: Path, written: Path) -> None:
    wrong = pipeline(data)
    wrong["stages"] = ["shufle", "decode", {"batch": {"size": 0}}]
    with pytest.raises(PipelineError, match="did you mean") as caught:
        sluicedata.plan(wrong)
    assert len(caught.value.mistakes) == 2
    assert {mistake.message.split()[0] for mistake in caught.value.mistakes} == {"stages[0]", "stages[2]"}
    assert "stdin" not in str(caught.value)
    written.write_text("version: 1\nsource: {folder: {path: data}}\nstages: [shufle]\n")
    with pytest.raises(PipelineError) as caught:
        sluicedata.bench(written)
    mistake = caught.value.mistakes[0]
    assert (mistake.file, mistake.line, mistake.column) == (str(written), 3, 10)
    assert str(caught.value).startswith(f"{written}:3:10: unknown stage")
    with pytest.raises(PipelineError, match="no such file"):
        sluicedata.plan(written.with_name("missing.yaml"))


def test_mistakes_point_to_arguments(data: Path, tmp_path: Path) -> None:
    sluicedata.materialize(pipeline(data), tmp_path / "out")
    declared = sluicedata.pipeline(sources.folder(data), [stages.decode(), stages.batch(0)])
    place = r"test_commands.py:\d+: stages\[1\] batch\(size=0\): size is 0"
    for use in (sluicedata.preview, lambda wrong: sluicedata.verify(tmp_path / "out", wrong)):
        with pytest.raises(PipelineError, match=place) as caught:
            use(declared)
        assert caught.value.mistakes[0].file == __file__


def test_paths_of_a_dict_are_relative_to_the_working_directory(
    data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(data.parent)
    assert sluicedata.plan(pipeline(Path(data.name))).samples == 8
    (tmp_path / "-p.yaml").write_text(json.dumps(pipeline(data)))
    assert sluicedata.plan("-p.yaml").samples == 8


def test_a_row_that_cannot_be_made(data: Path, tmp_path: Path) -> None:
    picture = data / "dog" / "0001.png"
    picture.write_bytes(picture.read_bytes()[:60])
    with pytest.raises(SampleError, match=r'key "dog/0001.png"') as caught:
        sluicedata.materialize(pipeline(data), tmp_path / "out")
    error = caught.value
    assert (error.key, error.epoch, error.stage) == ("dog/0001.png", 0, "decode")
    assert 0 <= error.position < 8
    assert error.cause in str(error)
    report = sluicedata.materialize(
        pipeline(data), tmp_path / "skipped", on_error="skip", max_bad="20%", quarantine=tmp_path / "bad.jsonl"
    )
    assert (report.rows, report.failed) == (7, 1)
    assert "dog/0001.png" in (tmp_path / "bad.jsonl").read_text()


def test_materialize_verify_inspect(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = sluicedata.materialize(pipeline(data), out, codec="lz4", part_rows=4)
    assert (report.rows, report.batches, report.delivered) == (8, 2, {"class": {"cat": 5, "dog": 3}})
    assert report.ledger["class"]["dog"]["delivered"] == 3
    assert str(report).startswith(f"{out}: 8 rows in 2 batches")
    assert "<td" in report._repr_html_()
    assert sluicedata.materialize(pipeline(data), out, codec="lz4", part_rows=4).rows == 0
    assert sluicedata.materialize(pipeline(data), tmp_path / "half", part_rows=4, shard=(0, 2)).rows == 4

    verified = sluicedata.verify(out, pipeline(data))
    assert (verified.parts, verified.rows, verified.problems) == (2, 8, [])
    assert "8 samples of the source" in str(verified)
    seen = sluicedata.inspect(out, stats=True)
    assert seen.samples == {"class": {"cat": 5, "dog": 3}}
    assert 0 < seen.shapes[0]["mean"][0] < 1

    part = next(out.glob("part-*.arrow"))
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    with pytest.raises(VerifyError, match=part.name) as caught:
        sluicedata.verify(out)
    assert caught.value.report is not None
    assert [problem["name"] for problem in caught.value.report.problems] == [part.name]
    with pytest.raises(EngineError, match="no such file"):
        sluicedata.verify(tmp_path / "missing")
    with pytest.raises(EngineError, match="seed 0 -> 1"):
        sluicedata.materialize(pipeline(data, seed=1), out)


def test_bench(data: Path) -> None:
    report = sluicedata.bench(pipeline(data), repeat=2, epochs=2)
    assert len(report.repeats) == 2
    assert report.images_per_second_min <= report.images_per_second <= report.images_per_second_max
    assert str(report).startswith("pipeline: 2 runs of ")
    assert len(sluicedata.bench(pipeline(data), repeat=1, seconds=0.02).repeats) == 1


def test_preview(data: Path, tmp_path: Path) -> None:
    report = sluicedata.preview(pipeline(data), per_class=2)
    assert (report.file, report.draws, report.classes) == ("", 4, 2)
    assert "<title>sluice preview: pipeline" in report.html
    assert str(report) == "4 draws of 2 classes"
    assert report._repr_html_().startswith("<iframe srcdoc=")
    page = tmp_path / "page.html"
    report = sluicedata.preview(pipeline(data), page, classes=1, task="class")
    assert report.file == str(page)
    assert page.read_text() == report.html
    with pytest.raises(PipelineError, match="the tasks are class"):
        sluicedata.preview(pipeline(data), task="shape")


def test_ledger_before_the_end(data: Path) -> None:
    loader = sluicedata.Loader(pipeline(data) | {"epochs": 2})
    list(loader)
    assert loader.report() is None
    with pytest.raises(UsageError, match="None until the run is over"):
        sluicedata.ledger(loader.report())  # type: ignore[arg-type]
    list(loader)
    assert loader.report() is not None


def test_ledger(data: Path, tmp_path: Path) -> None:
    report = sluicedata.ledger(pipeline(data), epochs=2)
    assert report.file == ""
    assert "<title>sluice ledger: pipeline" in report.html
    assert str(report).startswith("Planned, and not run: 2 epochs of ")
    assert len(report.ledger_by_epoch) == 2
    assert report._repr_html_().startswith("<iframe srcdoc=")
    made = sluicedata.materialize(pipeline(data), tmp_path / "set", epochs=2)
    assert made.ledger == report.ledger
    for other in (made, sluicedata.inspect(tmp_path / "set")):
        again = sluicedata.ledger(other)
        assert again.ledger["class"].keys() == made.ledger["class"].keys()
        assert "aria-label" in again.html
    page = tmp_path / "page.html"
    of_set = sluicedata.ledger(tmp_path / "set", page, classes=1)
    assert page.read_text() == of_set.html
    for name, numbers in report.ledger["class"].items():
        assert of_set.ledger["class"][name]["delivered"] == numbers["delivered"]
        assert of_set.ledger["class"][name]["distinct"] == numbers["distinct"]


def test_train(data: Path, tmp_path: Path) -> None:
    content = pipeline(data)
    content["stages"][-1:] = ["to_tensor", {"batch": {"size": 4}}]
    (tmp_path / "val.yaml").write_text(json.dumps(content))
    trainer = {"model": "softmax", "tasks": {"class": {}}, "optimizer": {"adam": {"lr": 0.01}}, "epochs": 2}
    held_out = {"eval": {"pipeline": tmp_path / "val.yaml"}}
    report = sluicedata.train(content, trainer | held_out, tmp_path / "run")
    assert report.train["steps"] == 4
    assert 0 <= report.tasks["class"]["accuracy"] <= 1
    assert report.evaluated_on == "val.yaml"
    assert "balanced accuracy" in str(report)
    (tmp_path / "trainer.yaml").write_text(json.dumps(trainer | {"eval": {"pipeline": "val.yaml"}}))
    assert (
        sluicedata.train(content, tmp_path / "trainer.yaml", tmp_path / "run", resume=True, epochs=3).train["steps"]
        == 2
    )
    with pytest.raises(PipelineError, match="nonsense") as caught:
        sluicedata.train(content, trainer | {"model": "nonsense"}, tmp_path / "other")
    assert caught.value.mistakes[0].file == "trainer"


def test_warnings_are_logged(data: Path, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    (data / "dog" / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic")
    with caplog.at_level(logging.WARNING, "sluicedata"):
        report = sluicedata.materialize(pipeline(data), tmp_path / "out")
    assert any("heic" in record.getMessage().lower() for record in caplog.records)
    assert report.rows == 8


def test_an_engine_that_dies(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for script, message in {
        "kill -9 $$": r"by signal 9 .*budget=",
        "echo panic: x >&2; exit 2": "status 2, without a report\npanic: x",
    }.items():
        engine = tmp_path / "engine"
        engine.write_text(f"#!/bin/sh\n{script}\n")
        engine.chmod(0o755)
        monkeypatch.setenv("SLUICE", str(engine))
        with pytest.raises(EngineError, match=message):
            sluicedata.plan(pipeline(data))


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("#!/bin/sh\necho '{}'", "isn't one of this version"),
        (
            """#!/bin/sh\necho '{"error": "unknown flag --as-child", "exit": 2, "errors": []}'; exit 2""",
            "of another version .*most likely older: unknown flag --as-child",
        ),
        (
            """#!/bin/sh\necho '{"error": "unexpected argument plan", "exit": 2, "errors": []}'; exit 2""",
            "of another version .*unexpected argument plan",
        ),
        ("#!/nowhere/interpreter", "cannot be started"),
    ],
)
def test_an_engine_that_is_none(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    engine = tmp_path / "engine"
    engine.write_text(script + "\n")
    engine.chmod(0o755)
    monkeypatch.setenv("SLUICE", str(engine))
    with pytest.raises(EngineError, match=message):
        sluicedata.plan(pipeline(data))


LONG = """
    import signal
    import sys
    import sluicedata
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background jobs ignore
    print("ready", flush=True)
    try:
        sluicedata.bench(sys.argv[1], seconds=60)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def children(pid: int) -> list[int]:
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_the_engine_ends_with_python(written: Path, end: signal.Signals) -> None:
    script = subprocess.Popen([sys.executable, "-c", textwrap.dedent(LONG), str(written)], env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
                              stdout=subprocess.PIPE, text=True)  # fmt: skip
    assert script.stdout is not None
    with script:
        assert script.stdout.readline() == "ready\n"
        engines: list[int] = []
        while not engines:
            assert script.poll() is None, "the script has ended"
            time.sleep(0.01)
            engines = children(script.pid)
        time.sleep(0.2)
        script.send_signal(end)
        assert script.stdout.read() == ("interrupted\n" if end == signal.SIGINT else "")
    deadline = time.monotonic() + 20
    while any(map(alive, engines)):
        assert time.monotonic() < deadline, "the engine outlives Python"
        time.sleep(0.05)


def test_reports_can_be_pickled(data: Path) -> None:
    report = sluicedata.plan(pipeline(data))
    assert pickle.loads(pickle.dumps(report)).to_dict() == report.to_dict()
    error = pickle.loads(pickle.dumps(_command.failure({"error": "x", "exit": 1, "row": {"key": "k"}})))
    assert isinstance(error, SampleError)


@pytest.mark.parametrize("format", ["numpy", "dlpack", "torch"])
@pytest.mark.parametrize("more", [["to_tensor"], [], None])
def test_batches_and_loaders_in_a_notebook(data: Path, format: Any, more: list[str] | None) -> None:
    if format == "torch":
        pytest.importorskip("torch")
    content = pipeline(data)
    content["stages"][-1:] = [*(more or []), {"batch": {"size": 4}}]
    if more is None:
        content["stages"] = ["shuffle", {"batch": {"size": 4}}]  # files
    with sluicedata.Loader(content, format=format) as loader:
        assert "<pre" in loader._repr_html_()
        for batch in loader:
            shown = batch._repr_html_()
            assert shown.count('src="data:image/png;base64,') == 4
            assert all(f'title="{key}"' in shown for key in batch.key)
            assert "<figcaption" in shown and "class 0" in shown


def test_pictures() -> None:
    images = np.zeros((40, 3, 4, 5), np.float32)
    images[0, 0, 0] = np.nan
    shown = _html.batch("<a>", images, {}, ["<b>"] * 40)
    assert shown.count("<img") == 32
    assert "&lt;a&gt;" in shown and "&lt;b&gt;" in shown
    assert "and 8 more" in shown
    assert _html.png(np.zeros((4, 5, 1), np.uint8))[25] == 0  # grey
    many = {"class": {str(i): i for i in range(100)}}
    assert _html.counts(many, head=["samples"]).count("<tr>") == 1 + 33


def test_index(data: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = sluicedata.index(pipeline(data), cache=cache)
    assert first.samples == 8
    assert [part["source"] for part in first.sources] == ["folder"]
    assert first.sources[0]["units"] == 3
    assert Path(first.sources[0]["file"]).parent == cache / "index"
    assert "8 samples" in str(first)
    with pytest.raises(EngineError, match="no index was kept"):
        sluicedata.index(pipeline(data), cache="none")
