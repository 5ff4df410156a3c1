"""Runs the Python code of docs/pytorch.md as it stands, on a demo data set.

    python .ci/python/check_pytorch.py SLUICE

Asserts shapes and types, that a tensor is Arrow's own memory, that a loop is an epoch and
that the next goes on behind one that was left, that workers are refused, that a failing
sluice raises, and the doc's advice for null labels and for validation.
"""
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import warnings

import pyarrow as pa
import pyarrow.compute as pc
import torch

import common

args = common.arguments(__doc__)
doc = pathlib.Path(__file__).parents[2] / "docs" / "pytorch.md"
code = re.search(r"```python\n(.*?)```", doc.read_text(), re.S)[1]
temp = pathlib.Path(tempfile.mkdtemp(prefix="sluice-pytorch-"))
common.run(args.sluice, "demo", "-o", temp / "demo", "--epochs", "3")
os.chdir(temp)
os.environ["PATH"] = f"{temp}:{os.environ['PATH']}"
(temp / "sluice").symlink_to(args.sluice)
source = "{folder: {path: demo/data/train, tasks: [shape, color]}}"
images_stages = ["decode: {}", "rotate: {degrees: 30}", "resize: {height: 48, width: 64}"]
floats = common.pipeline(source, "take: {count: 200}", "shuffle: {}", *images_stages, "to_tensor: {}", "batch: {size: 32}", folder=temp)
os.rename(floats, "pipeline.yaml")
bytes_ = common.pipeline(source, "rebalance: {target: square_root, task: shape}", *images_stages, "batch: {size: 32}", folder=temp)
(temp / "split.yaml").write_text((temp / "pipeline.yaml").read_text().replace("take: {count: 200}\n  - shuffle: {}", "rebalance: {target: square_root, task: shape}") + "split: {val: 0.2}\n")
warnings.filterwarnings("ignore", message=".*not writable.*")  # as the doc says


class Stderr:
    """What this process and its children write to standard error meanwhile."""

    def __enter__(self):
        self.file, self.saved = tempfile.TemporaryFile(), os.dup(2)
        sys.stderr.flush()
        os.dup2(self.file.fileno(), 2)
        return self

    def __exit__(self, *_):
        sys.stderr.flush()
        os.dup2(self.saved, 2)
        self.file.seek(0)
        self.text = self.file.read().decode()


# The whole block, its loop included: ten epochs of pipeline.yaml.
common.expect(len(code.splitlines()) <= 48, f"the doc's code has {len(code.splitlines())} lines")
space = {}
with Stderr() as err:
    exec(compile(code, str(doc), "exec"), space)
common.equal("the doc's loop: its last batch", (tuple(space["images"].shape), space["images"].dtype), ((8, 3, 48, 64), torch.float32))
common.equal("labels by task", {k: (v.dtype, tuple(v.shape)) for k, v in space["labels"].items()}, {t: (torch.int32, (8,)) for t in ("shape", "color")})
common.equal("weights", (space["weights"].dtype, tuple(space["weights"].shape)), (torch.float32, (8,)))
common.equal("stderr", err.text, "")
common.equal("place after ten loops", (space["data"].epoch, space["data"].batch), (10, 0))
plan = json.loads(common.run(args.sluice, "plan", "pipeline.yaml", "--json"))
common.equal("class names", space["data"].classes, {t["name"]: t["classes"] for t in plan["tasks"]})
Sluice, DataLoader = space["Sluice"], torch.utils.data.DataLoader


class Named(Sluice):
    """Batches as (epoch, first position, digest of the pixels)."""

    @staticmethod
    def tensors(batch):
        return batch["epoch"][0].as_py(), batch["position"][0].as_py(), hashlib.sha256(batch["image"].to_numpy_ndarray().tobytes()).hexdigest()


def loops(data, n, leave=None):
    """n loops; leave is the batch of the first one behind which it is left."""
    out = []
    for i in range(n):
        for j, batch in enumerate(DataLoader(data, batch_size=None)):
            out.append(batch)
            if i == 0 and j == leave:
                break
    return out


with Stderr() as err:
    unbroken = loops(Named("pipeline.yaml"), 3)
    common.equal("epochs of three loops", [b[0] for b in unbroken], [0] * 7 + [1] * 7 + [2] * 7)
    for leave in (0, 3, 6):
        common.expect(loops(Named("pipeline.yaml"), 4, leave)[: len(unbroken)] == unbroken, f"left behind batch {leave}: the loops that follow go on there")
    second = Named("pipeline.yaml")
    second.epoch, second.batch = 0, 3
    common.expect(loops(second, 3) == unbroken[3:], "from a place that was kept")
    ranks = [loops(Named("pipeline.yaml", stream=["--rank", str(r), "--world", "2", "--last-round", "pad"]), 1) for r in (0, 1)]
    common.equal("two ranks, together", sorted({b[1] for b in ranks[0] + ranks[1]}), sorted({b[1] for b in unbroken if b[0] == 0}))
    left = Named("pipeline.yaml", stream=["--rank", "1", "--world", "2", "--last-round", "pad"])
    common.equal("a rank that was left goes on", loops(left, 2, 1)[: len(ranks[1])], ranks[1])
common.equal("stderr of loops that were left", err.text, "")
try:
    next(iter(DataLoader(Named("pipeline.yaml"), batch_size=None, num_workers=1)))
    common.expect(False, "num_workers=1 was taken")
except RuntimeError as error:
    common.expect("leave num_workers at 0" in str(error), "num_workers=1 is refused")
train, val = Sluice("split.yaml"), Sluice("split.yaml", "--use", "val", "--without", "rebalance,rotate")
keys = [{k for b in common.stream(args.sluice, "split.yaml", *flags).to_batches() for k in b["key"].to_pylist()} for flags in ([], ["--use", "val", "--without", "rebalance,rotate"])]
common.expect(train.classes == val.classes and keys[0] and keys[1] and not keys[0] & keys[1], "one file, both sides of its split: the same classes, other samples")
images, labels, _ = next(iter(Sluice(bytes_)))
common.equal("without to_tensor", (tuple(images.shape), images.dtype), ((32, 48, 64, 3), torch.uint8))

# Zero copy: each tensor lies in the buffers of the batch that Arrow read.
class Watched(Sluice):
    inside = {"image": True, "label.shape": True, "weight": True}
    allocated = 0

    @classmethod
    def tensors(cls, batch):
        images, labels, weights = Sluice.tensors(batch)
        for name, t in (("image", images), ("label.shape", labels["shape"]), ("weight", weights)):
            begin, end = t.data_ptr(), t.data_ptr() + t.numel() * t.element_size()
            cls.inside[name] &= any(b and b.address <= begin and end <= b.address + b.size for b in batch.column(name).buffers())
        cls.allocated = max(cls.allocated, pa.total_allocated_bytes() - before)
        return images, labels, weights


before = pa.total_allocated_bytes()
common.equal("batches read from the pipe", sum(1 for _ in DataLoader(Watched("pipeline.yaml"), batch_size=None)), 7)
common.equal("tensors that lie within Arrow's buffers", Watched.inside, dict.fromkeys(Watched.inside, True))
common.equal("bytes that Arrow allocated beside what it read", Watched.allocated, 0)

def loop(file, *flags, at_first):
    """Iterates as the doc does; at_first(process) is called after the first batch, and True leaves the loop."""
    data, started, popen = Sluice(file, *flags), [], subprocess.Popen
    subprocess.Popen = lambda *a, **k: started.append(popen(*a, **k)) or started[-1]
    try:
        for n, _ in enumerate(DataLoader(data, batch_size=None)):
            if n == 0 and at_first(started[0]):
                break
    finally:
        subprocess.Popen = popen
    return started[0].returncode


with Stderr() as err:
    status = loop(bytes_, "--epochs", "50", at_first=lambda process: True)
common.equal("leaving early: status of sluice, stderr", (status, err.text), (-9, ""))
try:
    loop(bytes_, "--epochs", "50", at_first=lambda process: process.kill())
    common.expect(False, "killed sluice: the loop ended as if that were the end of the data")
except RuntimeError as error:
    common.expect("status -9" in str(error), f"killed sluice: raised {error!r}")


def fails(what, file, *messages):
    """A loop that must raise, with sluice's own message on stderr."""
    caught = None
    with Stderr() as err:
        try:
            for _ in DataLoader(Sluice(file), batch_size=None):
                pass
        except (RuntimeError, subprocess.CalledProcessError) as error:
            caught = error
    right = caught is not None and "status" in str(caught) and all(m in err.text for m in messages)
    common.expect(right, f"{what}: raised {caught!r}; stderr: {err.text.strip()}")


(temp / "bad.yaml").write_text("version: 1\nsource: {folder: {path: nowhere}}\nstages: [decode: {}]\n")
fails("a pipeline that cannot start", "bad.yaml", "nowhere")
victim = sorted((temp / "demo" / "data" / "train").rglob("*.jpg"))[150]
victim.write_bytes(victim.read_bytes()[:400])
fails("a broken image in the middle", "pipeline.yaml", victim.name)

# Unknown labels, as the doc says.
(temp / "list.csv").write_text("path,class\n" + "".join(f"{p},{'' if i % 2 else 'a'}\n" for i, p in enumerate(
    q.relative_to(temp).as_posix() for q in sorted((temp / "demo" / "data" / "val").rglob("*.jpg"))[:10])))  # fmt: skip
batch = common.stream(args.sluice, common.pipeline("{manifest: {path: list.csv}}", *images_stages, "batch: {size: 10}", folder=temp)).to_batches()[0]
common.equal("null labels: type", Sluice.tensors(batch)[1]["class"].dtype, torch.float64)
filled = torch.from_numpy(pc.fill_null(batch.column("label.class"), -100).to_numpy())
common.equal("null labels filled", filled.tolist(), [0, -100] * 5)
common.finish()
