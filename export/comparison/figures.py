"""The rows of a comparison in pictures: F1 of all, curves of the best, a learning curve."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from export.comparison.learning import Point
from export.comparison.rows import ALL, Judged, Row
from export.evaluation.plots import blank, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def forest(rows: Sequence[Row], path: Path) -> Path:
    """F1 of every row over all sounds, with its interval: rows of one extractor have one colour."""
    figure = blank(8.0, 1.2 + 0.28 * len(rows))
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
    return save(figure, path)


def curves(judged: Sequence[Judged], path: Path) -> Path:
    """ROC and precision over recall of the row of each extractor that is best on validation."""
    from sklearn.metrics import precision_recall_curve, roc_curve  # noqa: PLC0415 - an extra

    figure = blank(9.0, 4.4)
    roc, precision = figure.subplots(1, 2)
    names = dict.fromkeys(each.row.feature for each in judged)
    chosen = [
        max((each for each in judged if each.row.feature == name), key=lambda each: each.row.validation_f1)
        for name in names
    ]
    for each in chosen:
        found = each.row.reports[ALL]
        wrong, right, _ = roc_curve(each.truth, each.probability)
        roc.plot(wrong, right, label=f"{each.row.name}, area {found.roc_auc.value:.4f}")
        part, recall, _ = precision_recall_curve(each.truth, each.probability)
        precision.plot(recall, part, label=f"{each.row.name}, area {found.pr_auc.value:.4f}")
    span = corner(chosen)
    zoom_roc(roc, span)
    roc.legend(fontsize="small", loc="lower right")
    zoom_precision(precision, span)
    precision.legend(fontsize="small", loc="lower left")
    return save(figure, path)


_SPANS = (0.02, 0.05, 0.1, 0.2, 0.5)


def corner(judged: Sequence[Judged]) -> float:
    """Side of the corner of the unit square to show: good curves run along its edges, and look alike as a whole.

    A little more than twice the equal error rate of the worst row.
    """
    from sklearn.metrics import roc_curve  # noqa: PLC0415 - an extra

    worst = 0.0
    for each in judged:
        wrong, found, _ = roc_curve(each.truth, each.probability)
        worst = max(worst, float(np.interp(0.0, wrong - (1 - found), wrong)))
    return next((span for span in _SPANS if 2.2 * worst <= span), 1.0)


def zoom_roc(axes: "Axes", span: float) -> None:
    """The corner at the upper left."""
    axes.set(xlabel="part of no music taken for music", ylabel="part of music found", xlim=(-0.02 * span, span))
    _zoom(axes, span)


def zoom_precision(axes: "Axes", span: float) -> None:
    """The corner at the upper right."""
    axes.set(xlabel="recall", ylabel="precision", xlim=(1 - span, 1 + 0.02 * span))
    _zoom(axes, span)


def _zoom(axes: "Axes", span: float) -> None:
    axes.set(ylim=(1 - span, 1 + 0.02 * span))
    axes.grid(visible=True, color="0.92")
    if span < 1:
        axes.set_title(f"only the corner of {span:g} x {span:g}", fontsize="small", color="0.4", loc="right")


def learning(points: Sequence[Point], name: str, path: Path) -> Path:
    """F1 over the number of training packages: a point for each fit, a line through their means."""
    figure = blank(5.5, 4.0)
    axes = figure.subplots()
    packages = np.array([point.packages for point in points])
    scores = np.array([point.f1 for point in points])
    axes.plot(packages, scores, "o", color="C0", alpha=0.5)
    # Draws of one part have about the same number of packages, not exactly: where the number jumps, a part begins.
    size = np.sort(packages)
    groups = np.split(np.argsort(packages, kind="stable"), np.flatnonzero(np.diff(size) > 0.25 * size[1:]) + 1)
    axes.plot([packages[group].mean() for group in groups], [scores[group].mean() for group in groups], color="C0")
    axes.set_title(name)
    axes.set(xlabel="training packages", ylabel="F1, all sounds together")
    axes.grid(visible=True, color="0.92")
    return save(figure, path)
