"""Figures of an evaluation: as Markdown for people, and as the `metrics` of a sidecar."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from export.evaluation.metrics import COLUMNS, Report, report
from export.evaluation.questions import Question
from export.markdown import table


@dataclass(frozen=True, slots=True)
class Result:
    """One row of the table."""

    question: Question
    report: Report

    @classmethod
    def of(cls, question: Question) -> "Result":
        """Compute it. The bootstrap takes about a second."""
        verdicts = question.verdicts
        figures = report(verdicts.music, verdicts.probability, verdicts.package, threshold=question.threshold)
        return cls(question, figures)


def by_variation(results: Iterable[Result]) -> str:
    """A Markdown table with 95 % intervals from a bootstrap over packages, models one under the other."""
    lines = []
    for result in results:
        question, found = result.question, result.report
        figures = (getattr(found, column) for column in COLUMNS)
        names = (question.model, question.variation, question.granularity)
        lines.append((*names, found.rows, found.packages, *figures))
    return table(("model", "sound", "each", "rows", "packages", *COLUMNS), lines, rule="---")


def by_category(questions: Sequence[Question]) -> str:
    """A Markdown table: the part of each kind of sound that is decided correctly, by variation.

    A kind of sound is all music or all no music and comes from few packages: one figure and no interval.
    """
    variations = list(dict.fromkeys(question.variation for question in questions))
    correct: dict[tuple[str, ...], dict[str, str]] = defaultdict(dict)
    for question in questions:
        verdicts = question.verdicts
        decided = verdicts.probability >= question.threshold
        for music, label in ((1, "music"), (0, "no music")):
            for category in np.unique(verdicts.category[verdicts.music == music]).tolist():
                here = (verdicts.category == category) & (verdicts.music == music)
                share = (decided[here] == music).mean()
                correct[question.model, question.granularity, label, category][question.variation] = f"{share:.4f}"
    lines = [
        (*key, *(shares.get(variation, "") for variation in variations)) for key, shares in sorted(correct.items())
    ]
    return table(("model", "each", "label", "category", *variations), lines, rule="---")


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
