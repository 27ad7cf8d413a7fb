"""Pictures of an evaluation and of a calibration, and what pictures of any kind are made of."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from export.evaluation.calibration import Operating
from export.evaluation.metrics import Bin, BoolVector, FloatVector, Labels, reliability
from export.evaluation.results import Result
from export.whole_file import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL_INCHES = 3.6

_DARK = 0.5
"""From this part of a row on, the shade takes white figures."""


def blank(width: float, height: float) -> "Figure":
    """An empty picture, sizes in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - an extra
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra

    # Not pyplot, which keeps every figure in a list of its own and may ask for a display.
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def grid(figure: "Figure", rows: int, columns: int) -> "list[list[Axes]]":
    """Its panels, also where there is but one row or column of them."""
    panels: list[list[Axes]] = figure.subplots(rows, columns, squeeze=False).tolist()
    return panels


def save(figure: "Figure", path: Path) -> Path:
    """Write it as a PNG file, whole or not at all."""
    with whole_file(path) as part:
        figure.savefig(part, dpi=120, format="png")
    return path


def draw_bins(axes: "Axes", bins: Sequence[Bin], rows: int, *, largest: float, label: str | None = None) -> None:
    """A reliability diagram of some of `rows` rows; a point's area is up to `largest`, in square points."""
    axes.plot([0, 1], [0, 1], color="0.8", linewidth=1)
    predicted, observed = [each.predicted for each in bins], [each.observed for each in bins]
    (line,) = axes.plot(predicted, observed, linewidth=1, label=label)
    # The area of a point is the part of the rows that it stands for: a bin of three rows is no reason to worry.
    axes.scatter(predicted, observed, s=[4 + largest * each.rows / rows for each in bins], color=line.get_color())


def draw_confusion(axes: "Axes", truth: Labels, decided: BoolVector, *, percent: bool) -> None:
    """Counts, shaded by their part of the row, which may also be written as a percentage."""
    from sklearn.metrics import confusion_matrix  # noqa: PLC0415 - an extra

    counts = confusion_matrix(truth, decided, labels=[0, 1])
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    axes.set(xticks=[0, 1], yticks=[0, 1], xlabel="said", ylabel="is")
    axes.set_xticklabels(["no music", "music"])
    axes.set_yticklabels(["no music", "music"], rotation=90, va="center")
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        text = f"{count}\n{100 * share:.1f} %" if percent else str(count)
        colour = "white" if share > _DARK else "black"
        size = "small" if percent else "medium"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=size)


def draw_results(results: Sequence[Result], folder: Path) -> list[Path]:
    """Draw results, a row of panels for each granularity and a panel for each variation.

    Returns:
        The files: reliability.png, roc.png, pr.png, confusion.png.
    """
    rows = _unique(result.question.granularity for result in results)
    columns = _unique(result.question.variation for result in results)
    paths = []
    for name, draw_panel in (("reliability", _reliability), ("roc", _roc), ("pr", _precision_recall)):
        figure, axes = _panels(len(rows), len(columns))
        for result in results:
            panel = axes[rows.index(result.question.granularity)][columns.index(result.question.variation)]
            panel.set_title(f"{result.question.variation}, each {result.question.granularity}")
            draw_panel(panel, result)
            panel.grid(visible=True, color="0.92")
            panel.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        for panel in figure.axes:
            panel.legend(fontsize="x-small", loc="best")
        paths.append(save(figure, folder / f"{name}.png"))
    return [*paths, _confusion(results, columns, folder / "confusion.png")]


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _panels(rows: int, columns: int) -> "tuple[Figure, list[list[Axes]]]":
    figure = blank(_PANEL_INCHES * columns, _PANEL_INCHES * rows)
    return figure, grid(figure, rows, columns)


def _reliability(panel: "Axes", result: Result) -> None:
    verdicts = result.question.verdicts
    bins = reliability(verdicts.music, verdicts.probability)
    label = f"{result.question.model}, ECE {result.report.calibration_error.value:.3f}"
    draw_bins(panel, bins, result.report.rows, largest=200, label=label)
    panel.set(xlabel="probability said", ylabel="part that is music")


def _roc(panel: "Axes", result: Result) -> None:
    from sklearn.metrics import roc_curve  # noqa: PLC0415 - an extra

    verdicts = result.question.verdicts
    wrong, found, _ = roc_curve(verdicts.music, verdicts.probability)
    panel.plot(wrong, found, label=f"{result.question.model}, area {result.report.roc_auc.value:.4f}")
    panel.set(xlabel="part of no music taken for music", ylabel="part of music found")


def _precision_recall(panel: "Axes", result: Result) -> None:
    from sklearn.metrics import precision_recall_curve  # noqa: PLC0415 - an extra

    verdicts = result.question.verdicts
    precision, recall, _ = precision_recall_curve(verdicts.music, verdicts.probability)
    panel.plot(recall, precision, label=f"{result.question.model}, area {result.report.pr_auc.value:.4f}")
    panel.set(xlabel="recall", ylabel="precision")


def _confusion(results: Sequence[Result], columns: Sequence[str], path: Path) -> Path:
    """A row of panels for each model and granularity."""
    names = [f"{result.question.model} each {result.question.granularity}" for result in results]
    rows = _unique(names)
    figure, axes = _panels(len(rows), len(columns))
    for name, result in zip(names, results, strict=True):
        question = result.question
        panel = axes[rows.index(name)][columns.index(question.variation)]
        panel.set_title(f"{name}, {question.variation}", fontsize="small")
        decided = question.verdicts.probability >= question.threshold
        draw_confusion(panel, question.verdicts.music, decided, percent=False)
    return save(figure, path)


def draw_calibration(
    path: Path,
    truth: Labels,
    probability: FloatVector,
    points: Sequence[Operating],
    thresholds: Mapping[str, float],
) -> Path:
    """Operating points and the chosen thresholds on the left, a reliability diagram of (n,) rows on the right."""
    figure = blank(10, 4.2)
    ((left, right),) = grid(figure, 1, 2)
    at = [point.threshold for point in points]
    for name in ("precision", "recall", "f1"):
        left.plot(at, [getattr(point, name) for point in points], label=name)
    for mode, threshold in thresholds.items():
        left.axvline(threshold, color="0.6", linestyle=":")
        left.text(threshold, 0.51, mode, rotation=90, va="bottom", ha="right", color="0.4")
    left.set(xlabel="threshold", ylim=(0.5, 1.0), xlim=(0, 1), title="What a threshold gives (validation)")
    left.legend(loc="lower center")
    draw_bins(right, reliability(truth, probability), len(truth), largest=200)
    right.set(xlabel="probability said", ylabel="part that is music", title="Reliability (validation)")
    return save(figure, path)
