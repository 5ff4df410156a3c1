"""The engine is found, or the error says how to get one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sluicedata import EngineError, __version__, _binary
from sluicedata._binary import engine_path

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No $SLUICE, nothing in the package, an empty PATH."""
    monkeypatch.delenv("SLUICE")
    monkeypatch.setattr(_binary, "_PACKED", tmp_path / "_bin" / "sluice")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    (tmp_path / "path").mkdir()
    (tmp_path / "_bin").mkdir()
    return tmp_path


def program(file: Path, content: bytes = b"\x7fELF", mode: int = 0o755) -> str:
    file.write_bytes(content)
    file.chmod(mode)
    return str(file)


def test_order(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path = program(nowhere / "path" / "sluice")
    assert engine_path() == on_path
    packed = program(nowhere / "_bin" / "sluice")
    assert engine_path() == packed
    chosen = program(nowhere / "mine")
    monkeypatch.setenv("SLUICE", chosen)
    assert engine_path() == chosen


def test_a_script_on_path_is_not_the_engine(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(nowhere / "path" / "sluice", b"#!/usr/bin/python3\n")
    with pytest.raises(EngineError, match="no sluice binary"):
        engine_path()
    (nowhere / "later").mkdir()
    binary = program(nowhere / "later" / "sluice")
    monkeypatch.setenv("PATH", f"{nowhere / 'path'}:{nowhere / 'later'}")
    assert engine_path() == binary


def test_errors_say_what_to_do(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError, match=r"pip install \./python"):
        engine_path()
    program(nowhere / "_bin" / "sluice", mode=0o644)
    with pytest.raises(EngineError, match=r"chmod \+x"):
        engine_path()
    monkeypatch.setenv("SLUICE", str(nowhere / "missing"))
    with pytest.raises(EngineError, match="unset it"):
        engine_path()


def test_the_command_becomes_the_engine(engine: str) -> None:
    done = subprocess.run([sys.executable, "-m", "sluicedata", "--version"], env={"SLUICE": engine, "PYTHONPATH": str(ROOT / "src")},
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("sluice ")


def test_the_command_without_an_engine(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "sluicedata", "plan"], env={"SLUICE": str(tmp_path / "none"), "PYTHONPATH": str(ROOT / "src")},
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("sluice: SLUICE is ")


def test_licence() -> None:
    """The package's licence is the project's."""
    if not (ROOT.parent / "go.mod").exists():
        pytest.skip("the project isn't around the package")
    assert (ROOT / "LICENSE").read_bytes() == (ROOT.parent / "LICENSE").read_bytes()
    assert __version__
