"""Every row's ROC, precision over recall, reliability and confusion, side by side in four pictures."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from export.comparison.figures import blank, corner, save, zoom_precision, zoom_roc
from export.comparison.rows import ALL, Judged
from export.evaluation.metrics import reliability

_SMALL_INCHES = 2.1
_LARGE_INCHES = 4.4

_DARK = 0.5
"""From this part of a row on, the shade takes white figures."""

_STROKES = ("-", "--", "-.", ":")
"""For those who cannot tell the colours apart."""

Corner = Literal["lower left", "lower right"]

Draw = Callable[[Axes, Judged], None]

Zoom = Callable[[Axes, float], None]

_FEWEST_ROWS = 10
"""A point of a reliability diagram that stands for fewer says nothing."""


def panels(judged: Sequence[Judged], folder: Path) -> list[Path]:
    """Draw all rows, over all sounds of the evaluated split.

    Args:
        judged: at least one.
        folder: where to; pictures of an earlier time are replaced.

    Returns:
        The files: roc.png and pr.png with a panel for each extractor, reliability.png and confusion.png with one
        for each row.
    """
    return [
        _by_extractor(judged, _roc, zoom_roc, "lower right", folder / "roc.png"),
        _by_extractor(judged, _precision_recall, zoom_precision, "lower left", folder / "pr.png"),
        _by_row(judged, _reliability, folder / "reliability.png"),
        _by_row(judged, _confusion, folder / "confusion.png"),
    ]


def _by_extractor(judged: Sequence[Judged], draw: Draw, zoom: Zoom, legend: Corner, path: Path) -> Path:
    """The heads of one extractor as lines in one panel, a head in the same colour in each."""
    features, heads = _names(judged)
    span = corner(judged)
    figure = blank(_LARGE_INCHES * len(features), _LARGE_INCHES)
    for axes, feature in zip(_grid(figure, 1, len(features))[0], features, strict=True):
        for each in judged:
            if each.row.feature == feature:
                draw(axes, each)
                number = heads.index(each.row.head)
                axes.lines[-1].set(color=f"C{number}", linestyle=_STROKES[number % len(_STROKES)])
        zoom(axes, span)
        axes.set_title(feature, loc="left")
        axes.legend(fontsize="small", loc=legend)
    return save(figure, path)


def _roc(axes: Axes, each: Judged) -> None:
    wrong, found, _ = roc_curve(each.truth, each.probability)
    axes.plot(wrong, found, linewidth=1.2, label=f"{each.row.head} {each.row.reports[ALL].roc_auc.value:.4f}")


def _precision_recall(axes: Axes, each: Judged) -> None:
    precision, recall, _ = precision_recall_curve(each.truth, each.probability)
    axes.plot(recall, precision, linewidth=1.2, label=f"{each.row.head} {each.row.reports[ALL].pr_auc.value:.4f}")


def _by_row(judged: Sequence[Judged], draw: Draw, path: Path) -> Path:
    """A line of panels for each extractor, a column for each head."""
    features, heads = _names(judged)
    figure = blank(_SMALL_INCHES * len(heads) + 0.3, _SMALL_INCHES * len(features) + 0.4)
    grid = _grid(figure, len(features), len(heads))
    for axes in (axes for line in grid for axes in line):
        axes.set_axis_off()  # until something is drawn there: not every extractor need have every head
    for each in judged:
        axes = grid[features.index(each.row.feature)][heads.index(each.row.head)]
        axes.set_axis_on()
        draw(axes, each)
        axes.tick_params(labelsize="x-small")
        # Once is enough for a line or a column of panels that all say the same.
        axes.label_outer(remove_inner_ticks=False)
    return save(figure, path)


def _reliability(axes: Axes, each: Judged) -> None:
    """What is said against what is, of those bins that have rows enough."""
    bins = [one for one in reliability(each.truth, each.probability) if one.rows >= _FEWEST_ROWS]
    axes.plot([0, 1], [0, 1], color="0.8", linewidth=1)
    said, found = [one.said for one in bins], [one.found for one in bins]
    (line,) = axes.plot(said, found, linewidth=1)
    # The area of a point is the part of the rows that it stands for: a bin of three rows is no reason to worry.
    axes.scatter(said, found, s=[4 + 100 * one.rows / len(each.truth) for one in bins], color=line.get_color())
    error = each.row.reports[ALL].calibration_error.value
    axes.set_title(f"{each.row.name}\nECE {error:.3f}", fontsize="small")
    axes.set(xlim=(-0.05, 1.05), ylim=(-0.05, 1.05), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    axes.set_xlabel("said", fontsize="x-small")
    axes.set_ylabel("part that is music", fontsize="x-small")
    axes.grid(visible=True, color="0.92")
    axes.set_axisbelow(True)


def _confusion(axes: Axes, each: Judged) -> None:
    """Counts, shaded by their part of the line."""
    counts = np.zeros((2, 2), int)
    np.add.at(counts, (each.truth.astype(int), each.decided.astype(int)), 1)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    axes.set_title(f"{each.row.name}\nmusic from {each.row.threshold:.2f}", fontsize="small")
    axes.set(xticks=[0, 1], yticks=[0, 1])
    axes.set_xticklabels(["no music", "music"])
    axes.set_yticklabels(["no music", "music"], rotation=90, va="center")
    axes.set_xlabel("said", fontsize="x-small")
    axes.set_ylabel("is", fontsize="x-small")
    for (line, column), count in np.ndenumerate(counts):
        share = shares[line, column]
        colour = "white" if share > _DARK else "black"
        text = f"{count}\n{100 * share:.1f} %"
        axes.text(column, line, text, ha="center", va="center", color=colour, fontsize="small")


def _names(judged: Sequence[Judged]) -> tuple[list[str], list[str]]:
    """Extractors and heads, in the table's order."""
    features = dict.fromkeys(each.row.feature for each in judged)
    return list(features), list(dict.fromkeys(each.row.head for each in judged))


def _grid(figure: Figure, lines: int, columns: int) -> list[list[Axes]]:
    grid: list[list[Axes]] = figure.subplots(lines, columns, squeeze=False).tolist()
    return grid
