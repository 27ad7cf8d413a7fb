"""The comparison as pictures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from export.comparison.learning import Point
from export.comparison.rows import ALL, Judged, Row, best

_DPI = 120


def forest(rows: Sequence[Row], path: Path) -> Path:
    """F1 of every row over all sounds, with its interval: rows of one extractor have one colour."""
    figure = _new(8.0, 1.2 + 0.28 * len(rows))
    axes = figure.subplots()
    features = list(dict.fromkeys(row.feature for row in rows))
    for place, row in enumerate(rows):
        value = row.reports[ALL].f1
        colour = f"C{features.index(row.feature)}"
        # Interval and point apart: an interval of the bootstrap need not hold the point in its middle, or at all.
        axes.plot([value.low, value.high], [place, place], color=colour, linewidth=2)
        axes.plot(value.value, place, "o", color=colour)
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.invert_yaxis()
    axes.grid(visible=True, axis="x", color="0.9")
    axes.set(xlabel=f"F1 on {rows[0].split}, all sounds together, 95 % interval over packages")
    return _save(figure, path)


def curves(judged: Sequence[Judged], path: Path) -> Path:
    """ROC and precision over recall of each extractor's best row, chosen on validation."""
    figure = _new(9.0, 4.4)
    roc, precision = figure.subplots(1, 2)
    for feature in dict.fromkeys(each.row.feature for each in judged):
        chosen = best([each for each in judged if each.row.feature == feature], "scratch", "own", "published")
        if chosen is None:
            continue
        found = chosen.row.reports[ALL]
        wrong, right, _ = roc_curve(chosen.truth, chosen.probability)
        roc.plot(wrong, right, label=f"{chosen.row.name}, area {found.roc_auc.value:.4f}")
        part, recall, _ = precision_recall_curve(chosen.truth, chosen.probability)
        precision.plot(recall, part, label=f"{chosen.row.name}, area {found.pr_auc.value:.4f}")
    roc.set(xlabel="part of no music taken for music", ylabel="part of music found")
    precision.set(xlabel="recall", ylabel="precision")
    for axes in (roc, precision):
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axes.grid(visible=True, color="0.92")
        axes.legend(fontsize="x-small", loc="lower left" if axes is precision else "lower right")
    return _save(figure, path)


def learning(points: Sequence[Point], name: str, path: Path) -> Path:
    """F1 over the number of training packages: each fit a point, their means a line."""
    figure = _new(5.5, 4.0)
    axes = figure.subplots()
    packages = np.array([point.packages for point in points])
    scores = np.array([point.f1 for point in points])
    axes.plot(packages, scores, "o", color="C0", alpha=0.5)
    # Draws of one part have about as many packages, not just as many: parts lie side by side in order.
    size = np.sort(packages)
    groups = np.split(np.argsort(packages, kind="stable"), np.flatnonzero(np.diff(size) > 0.25 * size[1:]) + 1)
    axes.plot([packages[group].mean() for group in groups], [scores[group].mean() for group in groups], color="C0")
    axes.set_title(name)
    axes.set(xlabel="training packages", ylabel="F1, all sounds together")
    axes.grid(visible=True, color="0.92")
    return _save(figure, path)


def _new(width: float, height: float) -> Figure:
    # Not pyplot, which keeps every figure in a list of its own and may ask for a display.
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Figure, path: Path) -> Path:
    half_written = path.with_suffix(".part.png")
    figure.savefig(half_written, dpi=_DPI)
    half_written.replace(path)
    return path
