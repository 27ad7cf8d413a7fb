"""Is one row better than another? The same packages for both, drawn together."""

from dataclasses import dataclass

import numpy as np

from export.evaluation.metrics import BOOTSTRAPS, SEED, BoolVector, Figure, Groups, Labels, f1


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
    music, *both = (drawn[drawn @ counts[:, 0] > 0] @ counts).T
    first, second = (2 * hits / np.maximum(1, music + positive) for positive, hits in (both[:2], both[2:]))
    differences = first - second
    low, high = np.percentile(differences, (2.5, 97.5)) if len(differences) else (np.nan, np.nan)
    return Figure(f1(truth, one) - f1(truth, other), float(low), float(high))


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
