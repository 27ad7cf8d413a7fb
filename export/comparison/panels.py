"""Every row's ROC, precision over recall, reliability and confusion, side by side in four pictures."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from export.comparison.figures import corner, zoom_precision, zoom_roc
from export.comparison.rows import ALL, Judged
from export.evaluation.metrics import reliability
from export.evaluation.plots import blank, draw_bins, draw_confusion, grid, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SMALL_INCHES = 2.1
_LARGE_INCHES = 4.4

_STROKES = ("-", "--", "-.", ":")
"""For those who cannot tell the colours apart."""

Corner = Literal["lower left", "lower right"]

Draw = Callable[["Axes", Judged], None]

Zoom = Callable[["Axes", float], None]

_FEWEST_ROWS = 10
"""A point of a reliability diagram that stands for fewer says nothing."""


def panels(judged: Sequence[Judged], folder: Path) -> list[Path]:
    """Draw all rows, of which there must be one, over all sounds of the evaluated split.

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
    for axes, feature in zip(grid(figure, 1, len(features))[0], features, strict=True):
        for each in judged:
            if each.row.feature == feature:
                draw(axes, each)
                number = heads.index(each.row.head)
                axes.lines[-1].set(color=f"C{number}", linestyle=_STROKES[number % len(_STROKES)])
        zoom(axes, span)
        axes.set_title(feature, loc="left")
        axes.legend(fontsize="small", loc=legend)
    return save(figure, path)


def _roc(axes: "Axes", each: Judged) -> None:
    from sklearn.metrics import roc_curve  # noqa: PLC0415 - an extra

    wrong, found, _ = roc_curve(each.truth, each.probability)
    axes.plot(wrong, found, linewidth=1.2, label=f"{each.row.head} {each.row.reports[ALL].roc_auc.value:.4f}")


def _precision_recall(axes: "Axes", each: Judged) -> None:
    from sklearn.metrics import precision_recall_curve  # noqa: PLC0415 - an extra

    precision, recall, _ = precision_recall_curve(each.truth, each.probability)
    axes.plot(recall, precision, linewidth=1.2, label=f"{each.row.head} {each.row.reports[ALL].pr_auc.value:.4f}")


def _by_row(judged: Sequence[Judged], draw: Draw, path: Path) -> Path:
    """A line of panels for each extractor, a column for each head."""
    features, heads = _names(judged)
    figure = blank(_SMALL_INCHES * len(heads) + 0.3, _SMALL_INCHES * len(features) + 0.4)
    panels = grid(figure, len(features), len(heads))
    for axes in figure.axes:
        axes.set_axis_off()  # until something is drawn there: not every extractor need have every head
    for each in judged:
        axes = panels[features.index(each.row.feature)][heads.index(each.row.head)]
        axes.set_axis_on()
        draw(axes, each)
        axes.tick_params(labelsize="x-small")
        for label in (axes.xaxis.label, axes.yaxis.label):
            label.set_fontsize("x-small")
        # A row or a column of panels has its labels once.
        axes.label_outer(remove_inner_ticks=False)
    return save(figure, path)


def _reliability(axes: "Axes", each: Judged) -> None:
    """Of those bins that have rows enough."""
    bins = [one for one in reliability(each.truth, each.probability) if one.rows >= _FEWEST_ROWS]
    draw_bins(axes, bins, len(each.truth), largest=100)
    error = each.row.reports[ALL].calibration_error.value
    axes.set_title(f"{each.row.name}\nECE {error:.3f}", fontsize="small")
    axes.set(xlim=(-0.05, 1.05), ylim=(-0.05, 1.05), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    axes.set(xlabel="said", ylabel="part that is music")
    axes.grid(visible=True, color="0.92")
    axes.set_axisbelow(True)


def _confusion(axes: "Axes", each: Judged) -> None:
    draw_confusion(axes, each.truth, each.decided, percent=True)
    axes.set_title(f"{each.row.name}\nmusic from {each.row.threshold:.2f}", fontsize="small")


def _names(judged: Sequence[Judged]) -> tuple[list[str], list[str]]:
    """Extractors and heads, in the table's order."""
    features = dict.fromkeys(each.row.feature for each in judged)
    return list(features), list(dict.fromkeys(each.row.head for each in judged))
