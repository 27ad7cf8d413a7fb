"""Is one row better than another? The same packages for both, drawn together."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from export.evaluation.metrics import BOOTSTRAPS, SEED, BoolVector, Figure, Groups, Labels, f1

Counts = npt.NDArray[np.int64]
"""(draws,) rows."""


def f1_difference(truth: Labels, one: BoolVector, other: BoolVector, package: Groups) -> Figure:
    """F1 of one less F1 of the other, of their decisions on the same (n,) rows, with its 95 % interval.

    The interval is that of a paired bootstrap over packages.
    """
    names, row = np.unique(package, return_inverse=True)
    music = truth == 1
    # For each package: rows of music, and of both the positives and hits. F1 = 2 hits / (music + positives).
    columns = (music, one, one & music, other, other & music)
    counts = np.stack([np.bincount(row[column], minlength=len(names)) for column in columns], axis=1)
    generator = np.random.default_rng(SEED)
    drawn = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), BOOTSTRAPS)
    totals = drawn[drawn @ counts[:, 0] > 0] @ counts
    differences = _f1(totals[:, 0], totals[:, 1], totals[:, 2]) - _f1(totals[:, 0], totals[:, 3], totals[:, 4])
    low, high = np.percentile(differences, (2.5, 97.5)) if len(differences) else (np.nan, np.nan)
    return Figure(f1(truth, one) - f1(truth, other), float(low), float(high))


def _f1(music: Counts, positive: Counts, hits: Counts) -> npt.NDArray[np.float64]:
    ratio: npt.NDArray[np.float64] = 2 * hits / np.maximum(1, music + positive)
    return ratio


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Is the candidate better than the baseline?"""

    kind: str
    """Of the candidate's embeddings, for the sentence."""
    candidate: str
    """Name of the row."""
    baseline: str
    """Name of the row."""
    difference: Figure
    """F1 of the candidate less that of the baseline."""
    baseline_kind: str = "the best from scratch"

    def __str__(self) -> str:
        """The answer as a sentence."""
        by = self.difference
        numbers = f"F1 differs by {by.value:+.4f} [{by.low:+.4f}, {by.high:+.4f}], paired bootstrap over packages"
        pair = f"{self.kind}: {self.candidate}"
        if by.low > 0:
            return f"{pair} beats {self.baseline_kind}, {self.baseline}: {numbers}."
        if by.high < 0:
            return f"{pair} does not beat {self.baseline_kind}, {self.baseline}, it is worse: {numbers}."
        return f"{pair} does not clearly beat {self.baseline_kind}, {self.baseline}: {numbers}, which spans 0."
