"""The programs of docs/python-targets.md, run as they stand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from conftest import picture, png

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python-targets.md"

pytestmark = [pytest.mark.skipif(not PAGE.exists(), reason="docs isn't there: this is the package alone")]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with the page's files and a list of 12 pictures."""
    for block in re.findall(r"^```(?:python|yaml)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.S | re.M):
        name = re.match(r"# ([a-z0-9_]+\.(?:py|yaml))", block)
        assert name is not None, f"a block of {PAGE.name} doesn't begin with its file's name:\n{block}"
        (tmp_path / name[1]).write_text(block)
    lines = []
    for number in range(12):
        size = (96, 128) if number % 3 else (128, 96)
        (tmp_path / f"{number}.png").write_bytes(png(picture(number, *size)))
        (tmp_path / f"{number}_mask.png").write_bytes(png(np.full(size, number % 3, np.uint8)))
        objects = {"bbox": [[4, 6, 40, 32], [50, 40, 20, 30]], "category": ["cell", "dust"]}
        lines.append(json.dumps({"path": f"{number}.png", "objects": objects}))
    (tmp_path / "train.jsonl").write_text("\n".join(lines))
    tags = [f"{number}.png,{('day', 'day;rain', 'night')[number % 3]}" for number in range(12)]
    (tmp_path / "tags.csv").write_text("\n".join(["path,tags", *tags]))
    return tmp_path


def run(site: Path, program: str) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, program], cwd=site, env=environment, text=True, capture_output=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_look(site: Path) -> None:
    pytest.importorskip("torch")
    first, *rows = run(site, "look.py").splitlines()
    assert first == "('cell', 'dust') ()" and len(rows) == 12
    assert all(re.fullmatch(r"\d+\.png \(3, \d+, \d+\) \[\[.*\]\] \[[01](, 1)?\]", row) for row in rows), rows


@pytest.mark.parametrize(
    ("program", "modules"), [("detect.py", ["torch", "torchvision"]), ("segment.py", ["torch"]), ("tags.py", ["torch"])]
)
def test_learn(site: Path, program: str, modules: list[str]) -> None:
    for module in modules:
        pytest.importorskip(module)
    assert re.fullmatch(r"loss \d+\.\d+\n", run(site, program))
