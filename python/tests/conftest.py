"""The engine that the tests run, and pictures for them."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

# Processes that tests start import the package from where the tests do.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(REPOSITORY / "python" / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
)


@pytest.fixture(scope="session", autouse=True)
def engine(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The engine's binary: $SLUICE, or built from the repository. Also in $SLUICE, so that the package takes it."""
    if chosen := os.environ.get("SLUICE"):
        return chosen
    if not (REPOSITORY / "cmd/sluice/main.go").is_file():
        pytest.skip("there are no Go sources around the tests: set SLUICE to the engine's binary")
    if shutil.which("go") is None:
        pytest.skip("Go isn't there to build the engine: install it, or set SLUICE to the engine's binary")
    binary = str(tmp_path_factory.mktemp("engine") / "sluice")
    subprocess.run(["go", "build", "-o", binary, "./cmd/sluice"], cwd=REPOSITORY, check=True)
    os.environ["SLUICE"] = binary
    return binary


def png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """A PNG file of uint8 pixels [h, w, 3] or [h, w]."""
    h, w = pixels.shape[:2]
    rows = np.concatenate([np.zeros((h, 1), np.uint8), pixels.reshape(h, -1)], axis=1)  # filter 0 before each row

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", w, h, 8, 2 if pixels.ndim == 3 else 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows.tobytes()))
        + chunk(b"IEND", b"")
    )


def picture(number: int, height: int = 48, width: int = 64) -> npt.NDArray[np.uint8]:
    """The picture of a number, uint8 [height, width, 3]: a gradient with coarse noise, so that no two are alike."""
    noise = np.random.default_rng(number).integers(0, 128, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    noise = noise.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]
    gradient = np.linspace(0, 127, width, dtype=np.uint8)[None, :, None]
    return noise + gradient


MakeFolder = Callable[..., Path]


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """make_folder({"cat": 6, "dog": 3}, name="data", height=48, width=64): that many PNG files in a folder for each class."""

    def make(classes: Mapping[str, int], name: str = "data", height: int = 48, width: int = 64) -> Path:
        number = 0
        for label, count in classes.items():
            folder = tmp_path / name / label
            folder.mkdir(parents=True)
            for i in range(count):
                (folder / f"{i:04d}.png").write_bytes(png(picture(number, height, width)))
                number += 1
        return tmp_path / name

    return make
