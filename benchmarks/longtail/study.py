"""Ways to treat a long tail, on CIFAR-10-LT and traffic signs: trains, and writes results.md and front.svg.

    python benchmarks/longtail/study.py --data DIR [--results FILE]

DIR holds cifar10-lt/{train,test}.tar (folders are the classes) and signs/signs.tar (folders shape/type). Each run that ends
is a line of results.jsonl, beside this file. Runs that have a line aren't done again: the command goes on where it was
stopped, and with all of them done it only writes the tables. It needs PyTorch, matplotlib and sluicedata with its engine.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tarfile
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import resnet
import tables
import torch

import sluicedata
from sluicedata import Loader

HERE = Path(__file__).resolve().parent
SEEDS = (1, 2, 3)


@dataclass(frozen=True)
class Method:
    """What differs from the plain run: settings of the pipeline, an optional stage more, the loss."""

    set: Mapping[str, Any] = field(default_factory=dict)
    stage: str = ""
    augmentation: str = ""  # in place of the plain run's
    balanced_softmax: bool = False
    class_weights: str = ""  # of the built-in trainer


BALANCED = {"stages.rebalance.target": "class_balanced"}
DEFERRED = {"stages.rebalance.schedule": {"deferred": {"from": "instance", "after": 0.8}}}
# The commonest class keeps the plain run's augmentation; the rarest gets RandAugment of magnitude 13.5 of 30 beside it.
TAIL_AWARE = {"stages.rand_augment.strength": {"by": "class_count", "from": 0, "to": 1.5}}
METHODS = {
    "plain": Method(),
    "plain, moves": Method(augmentation="moves"),
    "square_root": Method({"stages.rebalance.target": "square_root"}),
    "class_balanced": Method(BALANCED),
    "class_balanced, moves": Method(BALANCED, augmentation="moves"),
    "deferred": Method(BALANCED | DEFERRED),
    "deferred, moves": Method(BALANCED | DEFERRED, augmentation="moves"),
    "balanced softmax": Method(balanced_softmax=True),
    "balanced softmax, moves": Method(balanced_softmax=True, augmentation="moves"),
    "CMO": Method(stage="cmo"),
    "tail-aware RandAugment": Method(TAIL_AWARE, stage="rand_augment"),
    "tail-aware RandAugment, class_balanced": Method(BALANCED | TAIL_AWARE, stage="rand_augment"),
    "inverse weights": Method(class_weights="inverse"),
}
BUILT_IN = ("plain", "inverse weights", "square_root", "class_balanced")
HIDDEN = ("", "shape", "type")  # the task whose labels are unknown for half of the signs


@dataclass(frozen=True)
class Choice:
    """What is chosen for the plain run, and taken for all methods."""

    lr: float
    epochs: int
    augmentation: str


@dataclass(frozen=True)
class Data:
    """A data set, and what the plain run's choice is made from."""

    name: str
    task: str
    moves: tuple[str, ...]  # the stages of the augmentation "moves"
    split: Mapping[str, Any]  # for the choice
    rates: tuple[float, ...]
    lengths: tuple[int, ...]
    trainer: Mapping[str, Any]  # the built-in trainer's file

    @property
    def augmentations(self) -> dict[str, tuple[str, ...]]:
        """Their stages."""
        return {"moves": self.moves, "none": (), "moves and RandAugment": (*self.moves, "rand_augment")}


def small_cnn(epochs: int, size: int) -> dict[str, Any]:
    """A trainer file: the rate falls after size epochs."""
    schedule = {"step": {"size": size, "gamma": 0.1}}
    return {"model": "small_cnn", "optimizer": {"adam": {"lr": 0.002}}, "schedule": schedule, "epochs": epochs}


STRATIFIED = {"val": 0.2, "stratify": True}
SETS = (
    Data(
        "signs",
        "type",
        ("rotate", "pad", "crop"),
        STRATIFIED | {"group": "(.*)_"},
        (0.05, 0.1, 0.2, 0.4),
        (10, 5),
        small_cnn(14, 10),
    ),
    Data("cifar", "class", ("pad", "crop", "flip"), STRATIFIED, (0.02, 0.05, 0.1), (5, 3), small_cnn(5, 4)),
)


class Study:
    """The runs that there are, and how those that are missing are done."""

    def __init__(self, results: Path, work: Path) -> None:
        self.results, self.work = results, work
        lines = results.read_text().splitlines() if results.exists() else []
        self.rows: list[dict[str, Any]] = [json.loads(line) for line in lines]

    def row(self, do: Callable[[], dict[str, Any]], **what: Any) -> dict[str, Any]:
        """The row of a run, which is done if there is none."""
        for row in self.rows:
            if what.items() <= row.items():
                return row
        begin = time.monotonic()
        row = what | do()
        self.rows.append(row)
        with self.results.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(f"{what}: {time.monotonic() - begin:.0f} s", flush=True)
        return row

    def resnet(self, data: Data, choice: Choice, name: str, seed: int, *, held_out: bool = False) -> dict[str, Any]:
        """ResNet-8 trained by a method and tested; held_out: without the validation split, and tested on it."""
        method = METHODS[name]
        choice = replace(choice, augmentation=method.augmentation or choice.augmentation)
        optional = {*data.moves, "rand_augment", "cmo"}
        without = optional - {*data.augmentations[choice.augmentation], method.stage}
        split = {"split": dict(data.split)} if held_out else {}

        def do() -> dict[str, Any]:
            file, test_file = self.work / f"{data.name}.yaml", self.work / f"{data.name}-test.yaml"
            edits = method.set | split
            with Loader(file, epochs=choice.epochs, seed=seed, set=edits, without=sorted(without), workers=1) as loader:
                trained = resnet.train(loader, data.task, choice.epochs, choice.lr, seed, method.balanced_softmax)
                counts = loader.counts[data.task]
            if held_out:
                test = Loader(file, set=split, use="val", without=["rebalance", *sorted(optional)], epochs=1, workers=1)
            else:
                test = Loader(test_file, workers=1)
            with test:
                recall = [round(r, 2) for r in resnet.recalls(trained.model, test, data.task)]
            figures = {"steps": trained.steps, "loss": round(trained.loss, 4), "seconds": round(trained.seconds)}
            return {"recall": recall, "counts": counts, **figures}

        part = "choice" if held_out else "resnet"
        return self.row(do, part=part, set=data.name, method=name, seed=seed, **vars(choice))

    def small_cnn(self, data: Data, name: str, seed: int) -> dict[str, Any]:
        """The built-in trainer's network, trained by a method and tested."""

        def do() -> dict[str, Any]:
            method = METHODS[name]
            weights = {"tasks": {data.task: {"class_weights": method.class_weights}}} if method.class_weights else {}
            metrics = self.built_in(data, weights, method.set, seed)[data.task]
            return {"recall": percent(metrics), "counts": [*metrics["train_count"].values()]}

        return self.row(do, part="built-in", set=data.name, method=name, seed=seed)

    def hidden(self, data: Data, hidden: str, seed: int) -> dict[str, Any]:
        """The same for both tasks of the signs, where the labels of one are unknown for half of the physical signs."""

        def do() -> dict[str, Any]:
            path = self.work / (f"signs/half-{hidden}.csv" if hidden else "signs/train.csv")
            edits = {"source": {"manifest": {"path": str(path)}}, "stages.rebalance.task": "type"}
            metrics = self.built_in(data, {}, edits, seed, "signs-test-both.yaml")
            return {"recall": {task: percent(found) for task, found in metrics.items()}}

        return self.row(do, part="hidden", set=data.name, hidden=hidden, seed=seed)

    def built_in(
        self, data: Data, spec: Mapping[str, Any], edits: Mapping[str, Any], seed: int, test: str = ""
    ) -> dict[str, dict[str, Any]]:
        """The metrics of each task."""
        held_out = {"pipeline": str(self.work / (test or f"{data.name}-test.yaml")), "every": data.trainer["epochs"]}
        with tempfile.TemporaryDirectory() as folder:
            file, trainer = self.work / f"{data.name}.yaml", {**data.trainer, **spec, "seed": seed, "eval": held_out}
            report = sluicedata.train(
                file, trainer, Path(folder, "run"), seed=seed, set=edits, without=["rand_augment", "cmo"]
            )
        return report.tasks

    def choose(self, data: Data) -> Choice:
        """The plain run's rate, then its length, then its augmentation, by the mean recall on the validation split."""
        choice = Choice(data.rates[1], data.lengths[0], "moves")
        for name, values in {"lr": data.rates, "epochs": data.lengths, "augmentation": data.augmentations}.items():
            tried = [replace(choice, **{name: value}) for value in values]
            choice = max(tried, key=lambda c: tables.overall(self.resnet(data, c, "plain", 1, held_out=True)))
        return choice


def percent(metrics: Mapping[str, Any]) -> list[float]:
    """The recall of each class, in the order of the classes."""
    return [round(100 * metrics["recall"][name], 2) for name in metrics["train_count"]]


def prepare(data: Path, work: Path) -> None:
    """The pipeline files, the data they name, and lists of the signs.

    A quarter of the physical signs of each type is for the test. In two other lists of the training set, half of the physical
    signs have no shape, or no type.
    """
    for file in HERE.glob("*.yaml"):
        shutil.copy(file, work)
    (work / "data").symlink_to(data.resolve())
    with tarfile.open(data / "signs/signs.tar") as archive:
        archive.extractall(work, filter="data")
    signs = defaultdict(list)  # the rows of each
    for file in sorted((work / "signs").glob("*/*/*.png")):
        shape, kind = file.parts[-3:-1]
        signs[kind, file.name.partition("_")[0]].append((f"{shape}/{kind}/{file.name}", shape, kind))
    lists, of_kind = defaultdict(lambda: "path,shape,type\n"), defaultdict(int)
    for (kind, _), rows in sorted(signs.items()):
        number, of_kind[kind] = of_kind[kind], of_kind[kind] + 1
        if number % 4 == 3:
            lists["test"] += "".join(f"{path},{shape},{kind}\n" for path, shape, kind in rows)
            continue
        hidden = number % 2 == 0
        for path, shape, kind in rows:
            lists["train"] += f"{path},{shape},{kind}\n"
            lists["half-shape"] += f"{path},{'' if hidden else shape},{kind}\n"
            lists["half-type"] += f"{path},{shape},{'' if hidden else kind}\n"
    for name, text in lists.items():
        (work / f"signs/{name}.csv").write_text(text)
    text = (work / "signs-test.yaml").read_text()
    (work / "signs-test-both.yaml").write_text(
        text.replace(", tasks: [type]", "").replace("classes_from: signs.yaml\n", "")
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--results", type=Path, default=HERE / "results.jsonl")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        prepare(arguments.data, work)
        study = Study(arguments.results, work)
        choices = [(data, study.choose(data)) for data in SETS]
        for seed in SEEDS:
            for data, choice in choices:
                for name, method in METHODS.items():
                    if not method.class_weights and method.augmentation != choice.augmentation:
                        study.resnet(data, choice, name, seed)
                for name in BUILT_IN:
                    study.small_cnn(data, name, seed)
            for hidden in HIDDEN:
                study.hidden(SETS[0], hidden, seed)
    tables.write(study.rows, arguments.results.parent)


if __name__ == "__main__":
    main()
