"""The comparison as Markdown and as CSV."""

import csv
import io
from collections.abc import Sequence
from dataclasses import astuple

from export.comparison.costs import COLUMNS
from export.comparison.rows import ALL, Row
from export.estimators.parity import ONNX_BAR
from export.markdown import table

FIGURE_NAMES = {
    "accuracy": "accuracy",
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
}

HEAD_NAMES = {
    "logistic": "logistic regression",
    "svm": "linear SVM",
    "forest": "random forest",
    "xgboost": "XGBoost",
    "dense": "dense network",
    "gru": "GRU",
    "attention": "attention network",
}

REPORTED = (
    ("logistic", 0.8623, 0.8268, 0.8003, 0.8550),
    ("svm", 0.8515, 0.8123, 0.7904, 0.8354),
    ("forest", 0.8554, 0.8047, 0.8368, 0.7749),
    ("xgboost", 0.8601, 0.8201, 0.8110, 0.8295),
)
"""`REPORTED_FIGURES` in the original report."""

REPORTED_FIGURES = ("accuracy", "f1", "precision", "recall")

_TITLES = {
    ALL: "All sounds together",
    "clean": "As recorded",
    "room": "In rooms",
    "mixture": "Music under speech, speech over noise",
}
"""Of the table of each sound."""

_REPORTED_SAYS = (
    "## Beside the original report's table\n\n"
    "Other data: other recordings, other labels, other shares of music, and no bootstrap. These figures say what "
    "was reported there; they cannot be compared with ours, number by number."
)

_PARITY_SAYS = (
    "## The files against what they were made of\n\n"
    "Difference in probability on every segment above. The first four are ONNX in float32: a tree takes the other "
    "branch where a value lies on a split, to the last digit. The networks are int8, in steps of 1/256."
)

_NOTES = (
    "Segments of 9.6 s. Every row learnt from the same sounds of the training packages: as recorded, at other "
    "levels in noise, in rooms, and mixed (music under speech, speech over noise), each section once in each; "
    "hyperparameters by cross-validation that leaves families of packages out. Figures are of the {split} split, "
    "at the threshold that was best on validation, all sounds together; of the converted file in the device's "
    "runtime; with 95 % intervals from a bootstrap over packages.\n\n"
    "Time: milliseconds of one thread on this machine for each second of sound, the head asked once every 9.6 s. "
    "Peak memory: of a process that runs extractor and head, Python, the runtimes and this program's own "
    "libraries (scikit-learn too) included: compare rows with each other, not with the device; published networks "
    "run in TensorFlow here. Size: of the head's file alone.\n\n"
    "Our embedder is not quite on equal terms with the other features. It learnt the same labels on the same "
    "packages, from more mixtures, levels and rooms of them, from synthetic speech, and from what YAMNet says of "
    "them; validation packages helped to choose its size; and its embeddings of what it learnt from are better "
    "than those of new sound, so that cross-validation of its heads is optimistic. What its rows gain is that of "
    "all of this, not of the architecture. A published network has not heard the corpus."
)


def markdown(rows: Sequence[Row], sentences: Sequence[str] = ()) -> str:
    """For people: a table for each sound, sentences that follow from them, the report's table.

    There must be a row, and all must be of one split.
    """
    parts = ["# Comparison\n", _NOTES.format(split=rows[0].split) + "\n"]
    if rows[0].split == "validation":
        parts.append(
            "**Validation is what the thresholds were tuned on: figures for development, not for a report.**\n"
        )
    for sound, title in _TITLES.items():
        if having := [row for row in rows if sound in row.reports]:
            parts.append(f"## {title}\n\n{_figures(having, sound)}\n")
    if having := [row for row in rows if "parity_rows" in row.parameters]:
        parts.append(f"{_PARITY_SAYS}\n\n{_parity(having)}\n")
    if sentences:
        parts.append("## Does it help?\n\n" + "\n".join(f"- {sentence}" for sentence in sentences) + "\n")
    parts.append(f"{_REPORTED_SAYS}{_ours_says(rows)}\n\n{_beside(rows)}\n")
    return "\n".join(parts)


def _parity(rows: Sequence[Row]) -> str:
    """How far each file is from its estimator."""
    lines = []
    for row in rows:
        segments, largest, mean, beyond, other = (
            row.parameters[f"parity_{key}"] for key in ("rows", "largest", "mean", "beyond", "other_decisions")
        )
        figures = (segments, f"{largest:.1e}", f"{mean:.1e}", beyond, other)
        lines.append((row.feature, HEAD_NAMES.get(row.head, row.head), *figures))
    head = ("features", "model", "segments", "largest", "mean", f"beyond {ONNX_BAR:g}", "decided otherwise")
    return table(head, lines, rule="---")


def comparable(rows: Sequence[Row]) -> dict[str, Row]:
    """The rows that are most like the report's, by head: those of features that have learnt nothing."""
    return {row.head: row for row in rows if row.origin == "scratch"}


def _ours_says(rows: Sequence[Row]) -> str:
    names = list(dict.fromkeys(row.feature for row in comparable(rows).values()))
    return f" Ours: {', '.join(names)}, {rows[0].split} split, all sounds together." if names else ""


def _beside(rows: Sequence[Row]) -> str:
    """The report's figures, and where there are such rows, ours."""
    ours = comparable(rows)
    lines = []
    for head, *values in REPORTED:
        cells = [f"{value:.4f}" for value in values]
        if row := ours.get(head):
            cells += [f"{getattr(row.reports[ALL], figure).value:.4f}" for figure in REPORTED_FIGURES]
        elif ours:
            cells += [""] * len(REPORTED_FIGURES)
        lines.append((HEAD_NAMES[head], *cells))
    whose = ("reported", "ours") if ours else ("reported",)
    columns = [f"{FIGURE_NAMES[figure]}, {each}" for each in whose for figure in REPORTED_FIGURES]
    return table(("model", *columns), lines, rule="---")


def _figures(rows: Sequence[Row], sound: str) -> str:
    """One line a row; costs stand beside all sounds together."""
    head = ["features", "model", *FIGURE_NAMES.values(), "threshold"]
    if sound == ALL:
        head += ["extractor ms/s", "head ms/s", "peak MB", "head KB"]
    lines = []
    for row in rows:
        cells = [row.feature, HEAD_NAMES.get(row.head, row.head)]
        cells += [str(getattr(row.reports[sound], figure)) for figure in FIGURE_NAMES]
        cells.append(f"{row.threshold:.3f}")
        if sound == ALL and row.costs is not None:
            costs = row.costs
            cells += [f"{costs.extractor_ms:.2f}", f"{costs.head_ms:.3f}"]
            cells += [f"{costs.peak_mb:.0f}", f"{costs.size_kb:.1f}"]
        lines.append(cells + [""] * (len(head) - len(cells)))
    found = rows[0].reports[sound]
    return f"{found.rows} segments of {found.packages} packages.\n\n{table(head, lines, rule='---')}"


def comma_separated(rows: Sequence[Row]) -> str:
    """One line for each row and sound; every figure with its interval."""
    intervals = [f"{figure}{end}" for figure in FIGURE_NAMES for end in ("", "_low", "_high")]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    keys = ["features", "origin", "model", "split", "sound", "segments", "packages", "threshold", "validation_f1"]
    writer.writerow([*keys, *intervals, *COLUMNS])
    for row in rows:
        costs = [""] * len(COLUMNS) if row.costs is None else [f"{value:.4f}" for value in astuple(row.costs)]
        for sound, found in row.reports.items():
            figures = [getattr(found, figure) for figure in FIGURE_NAMES]
            values = [f"{value:.6f}" for each in figures for value in (each.value, each.low, each.high)]
            first = [row.feature, row.origin, row.head, row.split, sound, found.rows, found.packages]
            writer.writerow([*first, row.threshold, f"{row.validation_f1:.6f}", *values, *costs])
    return text.getvalue()
