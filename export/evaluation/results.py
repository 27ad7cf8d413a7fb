"""Figures of what was said: as Markdown for people, and as the `metrics` of a sidecar."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from export.evaluation.metrics import Report, report
from export.evaluation.scoring import Granularity, Verdicts
from export.evaluation.takes import Variation

COLUMNS = ("accuracy", "f1", "precision", "recall", "roc_auc", "pr_auc", "calibration_error")


@dataclass(frozen=True, slots=True)
class Question:
    """One row of the table, before anything is computed."""

    model: str
    variation: Variation
    granularity: Granularity
    verdicts: Verdicts
    threshold: float


@dataclass(frozen=True, slots=True)
class Result:
    """One row of the table."""

    question: Question
    report: Report

    @classmethod
    def of(cls, question: Question) -> "Result":
        """Compute it: a second or so, for the bootstrap."""
        verdicts = question.verdicts
        figures = report(verdicts.music, verdicts.probability, verdicts.package, threshold=question.threshold)
        return cls(question, figures)


def by_variation(results: Iterable[Result]) -> str:
    """A Markdown table with 95 % intervals from a bootstrap over packages, models one under the other."""
    lines = [_head("model", "sound", "each", "rows", "packages", *COLUMNS)]
    for result in results:
        asked, found = result.question, result.report
        lines.append(
            _line(
                asked.model,
                asked.variation,
                asked.granularity,
                found.rows,
                found.packages,
                *(getattr(found, column) for column in COLUMNS),
            )
        )
    return "\n".join(lines)


def by_category(questions: Sequence[Question]) -> str:
    """A Markdown table: the part of each kind of sound that is told right, by variation.

    A kind of sound is all music or all no music and comes from few packages: one figure and no interval.
    """
    variations = list(dict.fromkeys(asked.variation for asked in questions))
    right: dict[tuple[str, Granularity, str, str], dict[Variation, float]] = defaultdict(dict)
    for asked in questions:
        verdicts = asked.verdicts
        correct = (verdicts.probability >= asked.threshold) == (verdicts.music == 1)
        for music, label in ((1, "music"), (0, "no music")):
            for category in sorted(set(verdicts.category[verdicts.music == music].tolist())):
                here = (verdicts.category == category) & (verdicts.music == music)
                right[asked.model, asked.granularity, label, category][asked.variation] = float(
                    correct[here].mean()
                )
    lines = [_head("model", "each", "label", "category", *variations)]
    for key, shares in sorted(right.items()):
        cells = (f"{shares[variation]:.4f}" if variation in shares else "" for variation in variations)
        lines.append(_line(*key, *cells))
    return "\n".join(lines)


def metrics_document(results: Sequence[Result]) -> dict[str, Any]:
    """For a sidecar: for each variation the figures of its answers and within, as `segment`, of its segments."""
    document: dict[str, Any] = {}
    for result in sorted(results, key=lambda result: result.question.granularity):  # answers first
        figures = rounded(asdict(result.report))
        variation = result.question.variation
        if result.question.granularity == "answer":
            document[variation] = figures
        else:
            document.setdefault(variation, {})["segment"] = figures
    return document


def rounded(value: Any) -> Any:
    """The same with every float rounded to four decimals."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def _head(*cells: str) -> str:
    return f"{_line(*cells)}\n{'|---' * len(cells)}|"


def _line(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"
