"""The comparison as Markdown and as CSV."""

import csv
import io
from collections.abc import Iterator, Sequence

from export.comparison.rows import FIGURES, SOUNDS, Row

_HEADS = {
    "accuracy": "accuracy",
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
}

_NAMES = {
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
"""Accuracy, F1, precision and recall of the original report."""

_REPORTED_SAYS = (
    "## The original report's table\n\n"
    "Other data: other recordings, other labels, other shares of music, and no bootstrap. These figures say what "
    "was reported there; they cannot be compared with those above, number by number.\n"
)

_NOTES = (
    "Segments of 9.6 s, learnt from the training packages as they are and in rooms; {split} split; each row at "
    "the threshold that was best on validation, all sounds together. Figures are of the converted file in the "
    "device's runtime, with 95 % intervals from a bootstrap over packages. Time: milliseconds on this machine "
    "for each second of sound, the head asked once every 9.6 s. Peak memory: of a process that runs extractor "
    "and head, Python, the runtimes and this program's own libraries (scikit-learn too) included: compare rows "
    "with each other, not with the device; published networks run in TensorFlow here. Size: of the head's file "
    "alone. Our embedder is not on equal terms with the other features: it learnt the same labels on the "
    "training packages, there also with music under speech, speech over noise, levels and synthetic speech, of "
    "which the heads get none, and validation packages helped to choose its size; its training embeddings are "
    "better than those of new sound, so that cross-validation of its heads is optimistic. What its rows gain "
    "is that of all of this, not of the architecture. A published network has not heard the corpus."
)


def markdown(rows: Sequence[Row], sentences: Sequence[str] = ()) -> str:
    """Everything for people: a table for each sound, the answers, the report's table.

    Args:
        rows: at least one, all of one split.
        sentences: what follows from them.
    """
    parts = ["# Comparison\n", _NOTES.format(split=rows[0].split) + "\n"]
    if rows[0].split == "validation":
        parts.append(
            "**Validation is what the thresholds were tuned on: figures for development, not for a report.**\n"
        )
    tables = {sound: list(_table(rows, sound)) for sound in SOUNDS}
    parts += [f"## {_title(sound)}\n\n" + "\n".join(lines) + "\n" for sound, lines in tables.items() if lines]
    if sentences:
        parts.append("## Does it help?\n\n" + "\n".join(f"- {sentence}" for sentence in sentences) + "\n")
    reported = [_line("model", "accuracy", "F1", "precision", "recall"), "|---" * 5 + "|"]
    reported += [_line(_NAMES[head], *(f"{value:.4f}" for value in values)) for head, *values in REPORTED]
    parts.append(_REPORTED_SAYS + "\n" + "\n".join(reported) + "\n")
    return "\n".join(parts)


def _title(sound: str) -> str:
    return {
        "all": "All sounds together",
        "clean": "As recorded",
        "room": "In rooms",
        "mixture": "Music under speech, speech over noise",
    }[sound]


def _table(rows: Sequence[Row], sound: str) -> Iterator[str]:
    """One line a row; nothing where no row has heard this sound."""
    having = [row for row in rows if sound in row.reports]
    if not having:
        return
    costs = sound == "all"
    head = ["features", "model", *_HEADS.values(), "threshold"]
    if costs:
        head += ["extractor ms/s", "head ms/s", "peak MB", "head KB"]
    found = having[0].reports[sound]
    yield f"{found.rows} segments of {found.packages} packages.\n"
    yield _line(*head)
    yield "|---" * len(head) + "|"
    for row in having:
        cells = [row.feature, _NAMES.get(row.head, row.head)]
        cells += [str(getattr(row.reports[sound], figure)) for figure in FIGURES]
        cells.append(f"{row.threshold:.3f}")
        if costs and row.costs is not None:
            each = row.costs
            cells += [
                f"{each.extractor_ms:.2f}",
                f"{each.head_ms:.3f}",
                f"{each.peak_mb:.0f}",
                f"{each.size_kb:.1f}",
            ]
        yield _line(*cells, *[""] * (len(head) - len(cells)))


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def comma_separated(rows: Sequence[Row]) -> str:
    """One line for each row and sound; every figure with its interval."""
    intervals = [f"{figure}{end}" for figure in FIGURES for end in ("", "_low", "_high")]
    costs = ["extractor_ms_per_s", "head_ms_per_s", "peak_mb", "head_kb"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    keys = ["features", "origin", "model", "split", "sound", "segments", "packages", "threshold", "validation_f1"]
    writer.writerow([*keys, *intervals, *costs])
    for row in rows:
        measured = row.costs
        last = (
            [""] * len(costs)
            if measured is None
            else [
                f"{value:.4f}"
                for value in (measured.extractor_ms, measured.head_ms, measured.peak_mb, measured.size_kb)
            ]
        )
        for sound, found in row.reports.items():
            figures = [getattr(found, figure) for figure in FIGURES]
            values = [f"{value:.6f}" for each in figures for value in (each.value, each.low, each.high)]
            first = [row.feature, row.origin, row.head, row.split, sound, found.rows, found.packages]
            writer.writerow([*first, row.threshold, f"{row.validation_f1:.6f}", *values, *last])
    return text.getvalue()
