"""Indices for a DataLoader: sluicedata.Sampler beside PyTorch's samplers and NumPy.

    python benchmarks/python/sampler.py [--labels 1000000,100000000] [--draws 10000000] [--rounds 3] [--classes 1000] [-o FILE]

Each contestant is a process of its own that is given the same labels (int32, long-tailed: the rarest class has a
hundredth of the samples of the most frequent one) and goes through one epoch of as many draws as there are labels, at most --draws; in a round they
take turns, another one first each time. It is told

    first       seconds from the labels to the first index: weights, tables, an engine's start, all that must be made before
    per million seconds for a million of the other indices, taken from the iterator into an array; and processor seconds,
                the engine's included, which depend less on what else runs on the machine
    memory      the peak of what the contestant adds to a process with the labels (RSS), its engine included
    deviation   the largest difference between a class's draws and its share, in draws, and relative to the share
    uses        the smallest and largest number of times that samples of one class are used

sluice and sluice/2 are class_balanced; the second is rank 0 of 2, whose half of the draws deviates by chance: quotas are those of
the ranks together. weighted is WeightedRandomSampler with weights 1/n, numpy is Generator.choice with the same, distributed is DistributedSampler as rank 0 of 2, which
shuffles and doesn't balance (its deviation is from the data's own proportions).
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("sluice", "sluice/2", "weighted", "numpy", "distributed")
BLOCK = 1 << 20


def labels_of(n: int, classes: int) -> Any:
    import numpy as np

    share = 0.01 ** (np.arange(classes) / (classes - 1))
    counts = np.maximum(1, share / share.sum() * n).astype(np.int64)
    counts[0] += n - counts.sum()
    labels = np.repeat(np.arange(classes, dtype=np.int32), counts)
    np.random.default_rng(1).shuffle(labels)
    return labels


# Contestants: a function of the labels to an iterator, and the process beside it, if there is one.


def sluice(labels: Any, draws: int, world: int = 1) -> tuple[Iterator[int], int | None]:
    import sluicedata

    sampler = sluicedata.Sampler(labels, "class_balanced", samples=draws, rank=0, world_size=world)
    assert sampler._engine is not None
    return iter(sampler), sampler._engine.pid


def weighted(labels: Any, draws: int) -> tuple[Iterator[int], None]:
    import numpy as np
    import torch

    weights = 1 / np.bincount(labels)
    return iter(torch.utils.data.WeightedRandomSampler(torch.from_numpy(weights[labels]), draws)), None


def numpy(labels: Any, draws: int) -> tuple[Iterator[int], None]:
    import numpy as np

    weights = 1 / np.bincount(labels)
    p = weights[labels]
    p /= p.sum()
    indices = np.random.default_rng(0).choice(len(labels), draws, p=p)

    def blocks() -> Iterator[int]:
        for at in range(0, len(indices), BLOCK):
            yield from indices[at : at + BLOCK].tolist()

    return blocks(), None


def distributed(labels: Any, draws: int) -> tuple[Iterator[int], None]:
    import torch

    indices = iter(torch.utils.data.DistributedSampler(labels, num_replicas=2, rank=0))
    return itertools.islice(indices, draws // 2), None


def contestant(name: str) -> Callable[[Any, int], tuple[Iterator[int], int | None]]:
    return {
        "sluice": sluice,
        "sluice/2": lambda labels, draws: sluice(labels, draws, 2),
        "weighted": weighted,
        "numpy": numpy,
        "distributed": distributed,
    }[name]


def run(name: str, n: int, classes: int, draws: int) -> dict[str, Any]:
    """One contestant's epoch, in this process."""
    import numpy as np
    import torch  # noqa: F401  imported by whoever has a DataLoader: not counted

    labels = labels_of(n, classes)
    counts = np.bincount(labels, minlength=classes)
    Path("/proc/self/clear_refs").write_text("5")  # begins the peak anew
    before = memory("self", "VmRSS")
    begin = time.perf_counter()
    try:
        loop, engine = contestant(name)(labels, min(n, draws))
        first = next(loop)
    except RuntimeError as error:
        return {"error": str(error).splitlines()[0]}
    result: dict[str, Any] = {"first": time.perf_counter() - begin}
    drawn = np.zeros(classes, np.int64)
    uses = np.zeros(n, np.uint8)
    counted = uses.nbytes
    drawn[labels[first]] += 1
    uses[first] += 1
    seconds, processor, taken = 0.0, 0.0, 1
    while True:
        begin, used = time.perf_counter(), processor_seconds(engine)
        block = np.fromiter(itertools.islice(loop, BLOCK), np.int64)
        seconds, processor = seconds + time.perf_counter() - begin, processor + processor_seconds(engine) - used
        if len(block) == 0:
            break
        taken += len(block)
        drawn += np.bincount(labels[block], minlength=classes)
        np.add.at(uses, block, 1)
    result["million"], result["processor"] = seconds / (taken - 1) * 1e6, processor / (taken - 1) * 1e6
    result["taken"] = taken
    result["memory"] = memory("self", "VmHWM") - before - counted + (memory(str(engine), "VmHWM") if engine else 0)
    share = counts / n if name == "distributed" else np.full(classes, 1 / classes)
    off = np.abs(drawn - taken * share)
    result["deviation"] = float(off.max())
    result["relative"] = float((off / (taken * share)).max())
    order = np.argsort(labels, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    sorted_uses = uses[order]
    result["spread"] = int((np.maximum.reduceat(sorted_uses, starts) - np.minimum.reduceat(sorted_uses, starts)).max())
    return result


def processor_seconds(engine: int | None) -> float:
    """Of this process and an engine."""
    own = time.process_time()
    if engine is None:
        return own
    fields = Path(f"/proc/{engine}/stat").read_text().rpartition(")")[2].split()
    return own + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(process: str, field: str) -> int:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) << 10
    return 0


# The rounds


def table(n: int, rounds: list[dict[str, dict[str, Any]]]) -> list[str]:
    def middle(name: str, key: str, digits: int, unit: float = 1) -> str:
        values = [r[name][key] / unit for r in rounds]
        spread = f" ({min(values):.{digits}f}..{max(values):.{digits}f})" if len(values) > 1 else ""
        return f"{statistics.median(values):.{digits}f}{spread}"

    lines = [
        f"## {n:,} labels".replace(",", " "),
        "",
        "| | first index, s | s per million | processor s per million | memory, MB | deviation, draws | of the share | uses within a class differ by |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in NAMES:
        if error := rounds[0][name].get("error"):
            lines.append(f"| {name} | fails: {error} | | | | | | |")
            continue
        last = rounds[-1][name]
        lines.append(
            f"| {name} | {middle(name, 'first', 2)} | {middle(name, 'million', 2)} | {middle(name, 'processor', 2)} | {middle(name, 'memory', 0, 1e6)} | "
            f"{last['deviation']:.1f} | {100 * last['relative']:.3g} % | {last['spread']} |"
        )
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--labels", default="1000000,100000000", help="numbers of labels, with commas between them")
    parser.add_argument("--rounds", type=int, default=3, help="rounds up to 10 million labels; one above it")
    parser.add_argument("--draws", type=int, default=10_000_000, help="draws in an epoch, at most")
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("-o", type=Path, help="file for the results")
    parser.add_argument("--run", nargs=2, metavar=("NAME", "LABELS"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        print(json.dumps(run(args.run[0], int(args.run[1]), args.classes, args.draws)))
        return

    import numpy
    import torch

    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python" / "src")}
    if "SLUICE" not in environment:
        sys.exit("set SLUICE to a binary: go build -o SOMEWHERE/sluice ./cmd/sluice")
    cpu = next(
        (x.split(":")[1].strip() for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name")),
        "",
    )
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    lines = [
        "# Indices for a DataLoader",
        "",
        f"{date.today()}, {os.cpu_count()} x {cpu}, Python {platform.python_version()}, PyTorch {torch.__version__}, NumPy {numpy.__version__}, sluice {commit}; "
        f"`python benchmarks/python/sampler.py {' '.join(sys.argv[1:])}`".replace(f" -o {args.o}", ""),
        "",
        f"One epoch of as many draws as labels, at most {args.draws}; {args.classes} classes. Columns and contestants: [sampler.py](../sampler.py).",
        "",
    ]
    for n in map(int, args.labels.split(",")):
        rounds = []
        for number in range(args.rounds if n <= 10_000_000 else 1):
            results = {}
            for name in NAMES[number % len(NAMES) :] + NAMES[: number % len(NAMES)]:
                command = [
                    sys.executable,
                    __file__,
                    "--classes",
                    str(args.classes),
                    "--draws",
                    str(args.draws),
                    "--run",
                    name,
                    str(n),
                ]
                out = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
                results[name] = json.loads(out)
                print(f"{n} labels, round {number + 1}, {name}: {out.strip()}", file=sys.stderr)
            rounds.append(results)
        lines += table(n, rounds)
    text = "\n".join(lines)
    print(text)
    if args.o:
        args.o.parent.mkdir(parents=True, exist_ok=True)
        args.o.write_text(text)


if __name__ == "__main__":
    main()
