"""What cannot be built is refused in words. .ci/run package builds wheels, and checks and uses them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def build(target: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("hatchling")
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    return subprocess.run(command, cwd=ROOT, env=os.environ | env, capture_output=True, text=True)


def test_a_platform_that_there_is_no_wheel_for(tmp_path: Path) -> None:
    done = build("wheel", tmp_path, SLUICE_PLATFORM="linux-riscv64")
    assert done.returncode != 0
    assert "no wheel for linux-riscv64" in done.stdout + done.stderr
    assert "linux-arm64" in done.stdout + done.stderr
    assert not list(tmp_path.iterdir())


def test_without_go(tmp_path: Path) -> None:
    done = build("wheel", tmp_path, PATH="/nowhere", SLUICE_PLATFORM="linux-amd64")
    assert done.returncode != 0
    assert "needs Go 1.26 or later" in done.stdout + done.stderr
    assert not list(tmp_path.iterdir())
