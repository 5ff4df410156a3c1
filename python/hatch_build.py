"""Puts the engine into the package.

A wheel carries the engine's static binary as sluicedata/_bin/sluice, beside the licences of all that is in it, and is of
one platform and of any Python. An sdist carries the engine's Go sources in engine/; a wheel of it is built with Go.

    pip wheel ./python                                  # for this machine
    SLUICE_PLATFORM=linux-arm64 pip wheel ./python      # for another one: PLATFORMS has the names
"""

from __future__ import annotations

import gzip
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# What wheels are for, by Go's names, and their tags. A static binary runs with any C library; Go 1.26 wants Linux 3.2 and macOS 12.
PLATFORMS = {
    "linux-amd64": "manylinux_2_17_x86_64.manylinux2014_x86_64.musllinux_1_1_x86_64",
    "linux-arm64": "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
    "darwin-amd64": "macosx_12_0_x86_64",
    "darwin-arm64": "macosx_12_0_arm64",
}

# The folders of the repository that the engine is built from.
FOLDERS = ("cmd/sluice", "flow", "internal", "schema", "sinks", "sources", "stages", "trainer")


class EngineHook(BuildHookInterface[Any]):
    """Builds the engine for a wheel; collects its sources for an sdist."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Hatchling calls it before it builds. version is "standard", or "editable" for pip install -e."""
        sources = self.sources()
        if self.target_name == "sdist":
            build_data["force_include"].update({str(file): f"engine/{name}" for name, file in engine_files(sources)})
            return
        wanted = os.environ.get("SLUICE_PLATFORM") or this_platform()
        if wanted not in PLATFORMS:
            self.app.abort(f"sluicedata: there is no wheel for {wanted}. SLUICE_PLATFORM takes {', '.join(PLATFORMS)}.")
        if version == "editable":  # the package is used where it lies
            folder = Path(self.root, "src", "sluicedata", "_bin")
            folder.mkdir(exist_ok=True)
        else:
            self.made = folder = Path(tempfile.mkdtemp(prefix="sluicedata-"))
        self.build(sources, wanted, folder / "sluice")
        (folder / "LICENSES.txt").write_bytes(
            gzip.decompress((sources / "internal/licenses/licenses.txt.gz").read_bytes())
        )
        if version != "editable":
            build_data["force_include"].update({str(f): f"sluicedata/_bin/{f.name}" for f in folder.iterdir()})
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{PLATFORMS[wanted]}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Hatchling calls it after it has built."""
        if hasattr(self, "made"):
            shutil.rmtree(self.made, ignore_errors=True)

    def sources(self) -> Path:
        """The folder of the engine's go.mod: in an sdist engine/, in the repository the one above."""
        root = Path(self.root)
        for folder in (root / "engine", root.parent):
            if (folder / "cmd/sluice/main.go").is_file() and (folder / "go.mod").is_file():
                return folder
        self.app.abort(
            f"sluicedata: the engine's Go sources are neither in {root / 'engine'} nor in {root.parent}. Build in a clone of the repository, or from an sdist."
        )
        raise AssertionError

    def build(self, sources: Path, wanted: str, binary: Path) -> None:
        """Builds the engine for a platform."""
        if shutil.which("go") is None:
            self.app.abort(
                "sluicedata: building the engine needs Go 1.26 or later on PATH (https://go.dev/dl/). Ready wheels need none."
            )
            raise AssertionError
        system, processor = wanted.split("-")
        env = os.environ | {"GOOS": system, "GOARCH": processor, "CGO_ENABLED": "0", "GOAMD64": "v1", "GOARM64": "v8.0"}
        # A repository notes its revision; around an sdist there may be a foreign one, and one that git cannot read stops Go.
        stamp = "auto" if sources == Path(self.root).parent and git_reads(sources) else "false"
        flags = f"-s -w -X main.release={self.metadata.version}"
        command = [
            "go",
            "build",
            "-trimpath",
            f"-buildvcs={stamp}",
            "-ldflags",
            flags,
            "-o",
            str(binary),
            "./cmd/sluice",
        ]
        self.app.display_info(f"building the engine for {wanted}")
        if subprocess.run(command, cwd=sources, env=env).returncode != 0:
            self.app.abort(
                f"sluicedata: Go could not build the engine in {sources}: its messages are above. The command was: {' '.join(command)}"
            )
        binary.chmod(0o755)


def git_reads(folder: Path) -> bool:
    """Whether the folder is in a repository that git can read."""
    try:
        return subprocess.run(["git", "status"], cwd=folder, capture_output=True).returncode == 0
    except OSError:
        return False


def this_platform() -> str:
    """This machine by Go's names, such as linux-amd64."""
    machine = platform.machine().lower()
    return f"{platform.system().lower()}-{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(machine, machine) }"


def engine_files(sources: Path) -> Iterator[tuple[str, Path]]:
    """The files that the engine is built from, by their names in the repository: no tests and what they read."""
    for name in ("go.mod", "go.sum", "LICENSE"):
        yield name, sources / name
    for folder in FOLDERS:
        for file in sorted((sources / folder).rglob("*")):
            name = file.relative_to(sources).as_posix()
            if file.is_file() and not file.name.endswith("_test.go") and "/testdata/" not in name:
                yield name, file
