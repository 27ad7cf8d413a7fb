"""One row of the comparison: an estimator on an extractor's embeddings, and how good it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from export.comparison.costs import Costs
from export.embeddings.feature import Origin
from export.estimators.base import ModelFile
from export.evaluation.metrics import BoolVector, FloatVector, Groups, Labels, Report

ALL = "all"
"""All sounds of a split together, in `Row.reports`."""

SOUNDS = (ALL, "clean", "room", "mixture")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    feature: str
    origin: Origin
    head: str
    split: str
    """On which it was evaluated."""
    threshold: float
    """Tuned on validation, all sounds together."""
    validation_f1: float
    """There, at this threshold; the best rows are chosen by it."""
    parameters: Mapping[str, Any]
    costs: Costs | None
    """None: not measured."""
    reports: Mapping[str, Report]
    """By sound, in the order of `SOUNDS`; those that the split has."""

    @property
    def name(self) -> str:
        """In sentences and figures."""
        return f"{self.feature} + {self.head}"


@dataclass(frozen=True, slots=True)
class Judged:
    """A row, with the file and the answers that it was computed from."""

    row: Row
    file: ModelFile
    truth: Labels
    """(n,) of the evaluated split."""
    probability: FloatVector
    """(n,) that the file gave."""
    package: Groups

    @property
    def decided(self) -> BoolVector:
        """(n,) whether it is music at the row's threshold."""
        return self.probability >= self.row.threshold


def best(judged: Sequence[Judged], *origins: Origin) -> Judged | None:
    """The best on validation of those origins; None if there are none. Reported figures have no part in it."""
    among = [each for each in judged if each.row.origin in origins]
    return max(among, key=lambda each: each.row.validation_f1, default=None)
