"""Labels of mixed pictures: the shares of their classes."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from conftest import MakeFolder, picture, png
from handmade import batch, pixels
from sluicedata import EngineError, Loader, UsageError, collate, materialize, pipeline, sources, stages

SHARES = pa.list_(pa.struct([pa.field("class", pa.int32(), False), pa.field("share", pa.float32(), False)]))
ROWS = [[(1, 0.75), (0, 0.25)], None, [(2, 1.0)], []]


def mixed(format: Any = "numpy", rows: Any = None, kind: Any = SHARES) -> Any:
    rows = ROWS if rows is None else rows
    given = [None if row is None else [{"class": c, "share": s} for c, s in row] for row in rows]
    labels = pa.array([1, None, 2, 0][: len(rows)], pa.int32())
    more = {"label.kind": labels, "label.kind.shares": pa.array(given, kind)}
    return batch([pixels(2, 3)] * len(rows), more=more, format=format)


def test_shares() -> None:
    for b in (mixed(), pickle.loads(pickle.dumps(mixed()))):
        assert list(b.shares) == ["kind"] and list(b.label) == ["kind"]
        assert b.label["kind"].tolist() == [1, -100, 2, 0]
        rows = b["label.kind.shares"]
        assert [row and [of.tolist() for of in row] for row in rows] == [
            [[1, 0], [0.75, 0.25]],
            None,
            [[2], [1]],
            [[], []],
        ]
        assert rows[0][0].dtype == np.int64 and rows[0][1].dtype == np.float32
        assert "label: kind, epoch" in repr(b)
        assert list(b)[1] is b.label["kind"]
    assert batch([pixels(2, 3)]).shares == {}


def test_soft_labels() -> None:
    soft, known = collate.soft_labels(mixed(), "kind", 4)
    assert soft.dtype == np.float32 and soft.tolist() == [[0.25, 0.75, 0, 0], [0] * 4, [0, 0, 1, 0], [0] * 4]
    assert known.tolist() == [True, False, True, True]
    plain = batch([pixels(2, 3)] * 3, more={"label.kind": pa.array([1, None, 0], pa.int32())})
    soft, known = collate.soft_labels(plain, "kind", 2)
    assert soft.tolist() == [[0, 1], [0, 0], [1, 0]] and known.tolist() == [True, False, True]
    with pytest.raises(UsageError, match="classes=2: kind has the class number 2"):
        collate.soft_labels(mixed(), "kind", 2)
    with pytest.raises(UsageError, match="no task 'other'"):
        collate.soft_labels(mixed(), "other", 2)
    with pytest.raises(UsageError, match="did you mean 'kind'"):
        collate.soft_labels(mixed(), "kin", 2)
    several = batch([pixels(2, 3)], more={"label.tags": pa.array([[1]], pa.list_(pa.int32()))})
    with pytest.raises(UsageError, match="no task 'tags' of one class"):
        collate.soft_labels(several, "tags", 2)


def test_other_types_are_refused() -> None:
    wrong = pa.list_(pa.struct([pa.field("class", pa.int32()), pa.field("share", pa.float64())]))
    with pytest.raises(EngineError, match=r"label\.kind\.shares isn't"):
        _ = mixed(kind=wrong).label


def test_torch(tmp_path: Path) -> None:
    """What torch makes of the engine's mixed pictures: they are those of the same pipeline without mixup, mixed."""
    torch = pytest.importorskip("torch")
    for i in range(21):
        file = tmp_path / "data" / "abc"[i % 3] / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png(picture(i, 8, 8)))
    before = [stages.shuffle(), stages.decode(), stages.resize(height=8, width=8), stages.to_tensor(), stages.batch(8)]
    source = sources.folder(tmp_path / "data")
    with (
        Loader(pipeline(source, [*before, stages.mixup(0.4)], seed=3), params=True) as loader,
        Loader(pipeline(source, before, seed=3)) as plain,
    ):
        assert "label.class.shares" in loader.plan["columns"]
        for b, other in zip(loader, plain, strict=True):
            soft, known = collate.soft_labels(b, "class", len(loader.classes["class"]))
            hard, _ = collate.soft_labels(other, "class", 3)
            assert known.all() and soft.dtype == torch.float32
            drawn = [params["mixup"] for params in b.params]
            partner = [other.position.tolist().index(one["partner"]) for one in drawn]
            lam = drawn[0]["lambda"]
            assert torch.allclose(soft, lam * hard + (1 - lam) * hard[partner], atol=1e-6)
            want = other.image[partner].mul(1 - lam).add(other.image.mul(lam))
            assert torch.equal(b.image, want)
            logits = torch.randn(b.rows, 3)
            loss = torch.nn.functional.cross_entropy(logits, soft)
            assert torch.isfinite(loss)
            assert b.to("cpu").shares["class"][0][1].sum() == 1


def test_of_a_data_set(make_folder: MakeFolder, tmp_path: Path) -> None:
    """Soft labels of a data set of mixed pictures are those of the pipeline that made it, to the bit."""
    before = [stages.rebalance("class_balanced", draws=40), stages.decode(), stages.resize(height=8, width=8)]
    live = pipeline(
        sources.folder(make_folder({"cat": 9, "dog": 4, "lynx": 2})),
        [*before, stages.batch(8), stages.cutmix(per="row")],
        seed=3,
    )
    materialize(live, tmp_path / "set")
    read = pipeline(sources.arrow(tmp_path / "set"), [stages.decode(), stages.batch(8)])
    with Loader(live, format="numpy") as made, Loader(read, format="numpy") as again:
        mixed = 0
        for a, b in zip(made, again, strict=True):
            (x, x_known), (y, y_known) = (collate.soft_labels(of, "class", 3) for of in (a, b))
            assert x.tobytes() == y.tobytes() and x_known.tolist() == y_known.tolist()
            assert a.image.tobytes() == b.image.tobytes() and a.weight.tobytes() == b.weight.tobytes()
            mixed += int((x.max(axis=1) < 1).sum())
        assert mixed > 20
