"""The study's tables and plot, from the rows of its runs."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

Row = Mapping[str, Any]
GROUPS = ("many", "medium", "few")
FIGURES = ("overall", *GROUPS)


def overall(row: Row) -> float:
    """The mean recall of the classes, in percent."""
    return mean(row["recall"])


def figures(row: Row) -> dict[str, float]:
    """The mean recall of all classes, and of the commonest two fifths, the next ones, and the rarest three tenths."""
    order = sorted(range(len(row["counts"])), key=lambda c: -row["counts"][c])
    by_count = [row["recall"][c] for c in order]
    many, few = round(0.4 * len(order)), len(order) - round(0.3 * len(order))
    parts = by_count[:many], by_count[many:few], by_count[few:]
    return {"overall": overall(row), **{name: mean(part) for name, part in zip(GROUPS, parts, strict=True)}}


class Arms:
    """The runs of one data set and network, by method: of each figure the mean and the SD over the seeds."""

    def __init__(self, rows: Sequence[Row]) -> None:
        runs = defaultdict(list)
        for row in rows:
            runs[row["method"]].append(figures(row))
        self.runs = dict(runs)
        self.rows = rows

    def mean(self, method: str, figure: str) -> float:
        return mean(run[figure] for run in self.runs[method])

    def sd(self, method: str, figure: str) -> float:
        return stdev(run[figure] for run in self.runs[method])

    def noise(self, figure: str) -> float:
        """The SD of the difference of two runs: sqrt 2 times that over the seeds, pooled over the methods."""
        return math.sqrt(2 * mean(self.sd(method, figure) ** 2 for method in self.runs))

    def gain(self, method: str, figure: str) -> float:
        return self.mean(method, figure) - self.mean("plain", figure)

    def front(self) -> list[str]:
        """The methods that no other one beats both for many and for few."""
        points = {m: (self.mean(m, "many"), self.mean(m, "few")) for m in self.runs}
        beaten = {
            m for m, p in points.items() if any(q != p and q[0] >= p[0] and q[1] >= p[1] for q in points.values())
        }
        return sorted(points.keys() - beaten, key=lambda m: points[m])

    def table(self) -> str:
        """Mean ± SD; a difference from plain of more than two SD is bold, and told."""
        lines = [f"| recall, % | {' | '.join(FIGURES)} | on the front |", "|---|---|---|---|---|---|"]
        front = self.front()
        for method in self.runs:
            cells = [self.cell(method, figure) for figure in FIGURES]
            lines.append(f"| {method} | {' | '.join(cells)} | {'yes' if method in front else ''} |")
        lines.append(f"| 2 SD of a difference | {' | '.join(f'{2 * self.noise(f):.1f}' for f in FIGURES)} | |")
        return "\n".join(lines)

    def cell(self, method: str, figure: str) -> str:
        text = f"{self.mean(method, figure):.1f} ± {self.sd(method, figure):.1f}"
        gain = self.gain(method, figure)
        return f"{text} (**{gain:+.1f}**)" if abs(gain) > 2 * self.noise(figure) else text


def choices(rows: Sequence[Row]) -> str:
    """What the plain run was chosen from."""
    lines = ["| data | rate | epochs | augmentation | mean recall, validation split |", "|---|---|---|---|---|"]
    rows = sorted(rows, key=lambda r: (r["set"], -overall(r)))
    lines += [f"| {r['set']} | {r['lr']} | {r['epochs']} | {r['augmentation']} | {overall(r):.1f} |" for r in rows]
    return "\n".join(lines)


def plot(panels: Mapping[str, Arms], file: Path) -> None:
    """Recall of the few against that of the many, a panel for each data set and network; the line is the front."""
    plt.rcParams.update({"svg.hashsalt": "sluice", "svg.fonttype": "none", "font.size": 9})
    figure, axes = plt.subplots(2, 2, figsize=(9, 9), layout="constrained")
    methods = list(dict.fromkeys(method for arms in panels.values() for method in arms.runs))
    shown = {}
    for ax, (title, arms) in zip(axes.flat, panels.items(), strict=True):
        points = {m: (arms.mean(m, "many"), arms.mean(m, "few")) for m in arms.runs}
        for method, (x, y) in points.items():
            number = methods.index(method)
            style = {"fmt": "osD^v"[number // 2 % 5], "color": f"C{number}", "capsize": 2, "label": method}
            shown[method] = ax.errorbar(x, y, arms.sd(method, "few"), arms.sd(method, "many"), **style)
        ax.plot(*zip(*(points[m] for m in arms.front()), strict=True), color="grey", linewidth=1, zorder=0)
        ax.set(title=title, xlabel="recall of the classes with many images, %", ylabel="of those with few, %")
    figure.legend(handles=[shown[m] for m in methods], loc="outside lower center", ncols=3)
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


NETWORKS = {"resnet": "ResNet-8", "built-in": "small_cnn, built-in trainer"}
DATA = {"cifar": "CIFAR-10-LT", "signs": "Signs"}


def write(rows: Sequence[Row], folder: Path) -> None:
    """results.md and front.svg."""
    text = [
        "# Results\n\nWritten by study.py from [results.jsonl](results.jsonl); [README.md](README.md) explains and reads them.\n"
    ]
    panels = {}
    for network, about in NETWORKS.items():
        for data, name in DATA.items():
            arms = Arms([row for row in rows if (row["part"], row["set"]) == (network, data)])
            panels[f"{name}, {about}"] = arms
            text.append(f"## {name}, {about}\n\n{arms.table()}\n")
    hidden = [row for row in rows if row["part"] == "hidden"]
    text.append(f"## Signs, both tasks, with unknown labels\n\n{unknown(hidden)}\n")
    text.append(
        f"## What the plain runs were chosen from\n\n{choices([row for row in rows if row['part'] == 'choice'])}\n"
    )
    (folder / "results.md").write_text("\n".join(text))
    plot(panels, folder / "front.svg")


def unknown(rows: Sequence[Row]) -> str:
    """Mean recalls where labels are unknown."""
    lines = ["| unknown for half of the signs | shape | type |", "|---|---|---|"]
    for hidden in dict.fromkeys(row["hidden"] for row in rows):
        runs = [row["recall"] for row in rows if row["hidden"] == hidden]
        cells = [[mean(run[task]) for run in runs] for task in ("shape", "type")]
        lines.append(f"| {hidden or 'nothing'} | {' | '.join(f'{mean(c):.1f} ± {stdev(c):.1f}' for c in cells)} |")
    return "\n".join(lines)
