"""The four pictures of an evaluation: reliability, ROC, precision over recall, confusion."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from export.evaluation.metrics import reliability
from export.evaluation.results import Result
from export.whole_file import whole_file

_PANEL_INCHES = 3.6

_DARK = 0.5
"""From this part of a row on, the shade takes white figures."""


def draw(results: Sequence[Result], folder: Path) -> list[Path]:
    """Draw what models said, a row of panels for each granularity and a panel for each variation.

    Args:
        results: at least one.
        folder: made where it is not there; pictures of an earlier time are replaced.

    Returns:
        The files: reliability.png, roc.png, pr.png, confusion.png.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = _unique([result.question.granularity for result in results])
    columns = _unique([result.question.variation for result in results])
    paths = []
    for name, draw_panel in (("reliability", _reliability), ("roc", _roc), ("pr", _precision_recall)):
        figure, axes = _panels(len(rows), len(columns))
        for result in results:
            panel = axes[rows.index(result.question.granularity)][columns.index(result.question.variation)]
            panel.set_title(f"{result.question.variation}, each {result.question.granularity}")
            draw_panel(panel, result)
        for panel in figure.axes:
            panel.legend(fontsize="x-small", loc="best")
        paths.append(_save(figure, folder / f"{name}.png"))
    paths.append(_confusion(results, folder / "confusion.png"))
    return paths


def _unique(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _panels(rows: int, columns: int) -> tuple[Figure, list[list[Axes]]]:
    # Not pyplot, which keeps every figure in a list of its own and may ask for a display.
    figure = Figure(figsize=(_PANEL_INCHES * columns, _PANEL_INCHES * rows), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False).tolist()


def _save(figure: Figure, path: Path) -> Path:
    with whole_file(path) as part:
        figure.savefig(part, dpi=120, format="png")
    return path


def _reliability(panel: Axes, result: Result) -> None:
    verdicts = result.question.verdicts
    bins = reliability(verdicts.music, verdicts.probability)
    error = result.report.calibration_error.value
    panel.plot([0, 1], [0, 1], color="0.8", linewidth=1)
    said, found = [each.said for each in bins], [each.found for each in bins]
    (line,) = panel.plot(said, found, linewidth=1, label=f"{result.question.model}, ECE {error:.3f}")
    # The area of a point is the part of the rows that it stands for: a bin of three rows is no reason to worry.
    areas = [4 + 200 * each.rows / result.report.rows for each in bins]
    panel.scatter(said, found, s=areas, color=line.get_color())
    _unit_square(panel, "probability said", "part that is music")


def _roc(panel: Axes, result: Result) -> None:
    verdicts = result.question.verdicts
    wrong, found, _ = roc_curve(verdicts.music, verdicts.probability)
    panel.plot(wrong, found, label=f"{result.question.model}, area {result.report.roc_auc.value:.4f}")
    _unit_square(panel, "part of no music taken for music", "part of music found")


def _precision_recall(panel: Axes, result: Result) -> None:
    verdicts = result.question.verdicts
    precision, recall, _ = precision_recall_curve(verdicts.music, verdicts.probability)
    panel.plot(recall, precision, label=f"{result.question.model}, area {result.report.pr_auc.value:.4f}")
    _unit_square(panel, "recall", "precision")


def _unit_square(panel: Axes, x: str, y: str) -> None:
    panel.set(xlabel=x, ylabel=y, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    panel.grid(visible=True, color="0.92")


def _confusion(results: Sequence[Result], path: Path) -> Path:
    """Counts, shaded by their part of the row: a row of panels for each model and granularity."""
    rows = _unique([_row_name(result) for result in results])
    columns = _unique([result.question.variation for result in results])
    figure, axes = _panels(len(rows), len(columns))
    for result in results:
        verdicts = result.question.verdicts
        decided = (verdicts.probability >= result.question.threshold).astype(int)
        counts = np.zeros((2, 2), int)
        np.add.at(counts, (verdicts.music.astype(int), decided), 1)
        panel = axes[rows.index(_row_name(result))][columns.index(result.question.variation)]
        panel.set_title(f"{_row_name(result)}, {result.question.variation}", fontsize="small")
        shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
        panel.imshow(shares, vmin=0, vmax=1, cmap="Blues")
        panel.set(xticks=[0, 1], yticks=[0, 1], xlabel="said", ylabel="is")
        panel.set_xticklabels(["no music", "music"])
        panel.set_yticklabels(["no music", "music"], rotation=90, va="center")
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > _DARK else "black"
            panel.text(column, row, str(count), ha="center", va="center", color=colour)
    return _save(figure, path)


def _row_name(result: Result) -> str:
    return f"{result.question.model} each {result.question.granularity}"
