"""Uses an installed sluicedata as its README does, where nothing but it, NumPy and pyarrow is there. Runs in any folder."""
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import sluicedata
from sluicedata._binary import engine_path

assert shutil.which("go") is None and shutil.which("sluice") is None, "PATH has a Go or a sluice"
assert importlib.util.find_spec("torch") is None, "torch is there: this environment isn't a clean one"
package = pathlib.Path(sluicedata.__file__).parent
assert pathlib.Path(sys.prefix) in package.parents, package
assert engine_path() == str(package / "_bin" / "sluice"), engine_path()

for command in ([pathlib.Path(sys.prefix, "bin", "sluice")], [sys.executable, "-m", "sluicedata"]):
    said = subprocess.run([*command, "--version"], check=True, capture_output=True, text=True).stdout
    assert said.startswith(f"sluice {sluicedata.__version__}\n"), said

with tempfile.TemporaryDirectory() as folder:
    for label, count in {"cat": 9, "dog": 3}.items():
        (data := pathlib.Path(folder, "data", label)).mkdir(parents=True)
        for i in range(count):
            (data / f"{i}.ppm").write_bytes(b"P6 16 12 255\n" + bytes([20 * i]) * (16 * 12 * 3))
    pipeline = {
        "version": 1,
        "source": {"folder": {"path": os.path.join(folder, "data")}},
        "stages": [{"rebalance": {"target": "class_balanced"}}, "decode", {"resize": {"height": 8, "width": 8}}, {"batch": {"size": 4}}],
    }
    with sluicedata.Loader(pipeline, format="numpy") as loader:
        drawn = []
        for image, label in loader:
            assert image.shape == (4, 3, 8, 8) and image.dtype == "uint8", (image.shape, image.dtype)
            drawn += label.tolist()
        assert sorted(drawn) == [0] * 6 + [1] * 6 and len(loader) == 3, drawn
    plan = sluicedata.plan(pipeline)
    assert plan.drawn == {"class": {"cat": 6, "dog": 6}}, plan.drawn
    assert sluicedata.materialize(pipeline, os.path.join(folder, "out")).rows == 12
print(f"ok    {engine_path()}: sluicedata {sluicedata.__version__} on Python {sys.version.split()[0]}")
