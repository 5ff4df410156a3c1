"""The README's program runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"


def test_readme(make_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    make_folder({"cat": 30, "dog": 4}, name="data/train")
    monkeypatch.chdir(make_folder({}).parent)
    (program,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(program, str(README), "exec"), names)
    assert (names["image"].dtype, names["image"].shape[1:]) == (torch.float32, (3, 224, 224))
    assert names["label"].dtype == torch.int64
    assert names["loader"].state_dict()["epoch"] == 10
    names["loader"].close()
