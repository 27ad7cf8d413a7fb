"""Is one row better than another? The same packages for both, drawn together."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from export.evaluation.metrics import BOOTSTRAPS, SEED, BoolVector, Figure, f1

Counts = npt.NDArray[np.int64]
"""(draws,) rows."""


def f1_difference(
    truth: npt.NDArray[np.int8],
    one: BoolVector,
    other: BoolVector,
    package: npt.NDArray[np.str_],
    *,
    seed: int = SEED,
) -> Figure:
    """F1 of one less F1 of the other, with its 95 % interval: a paired bootstrap over packages.

    Args:
        truth: (n,) 1 for music.
        one: (n,) what one decided.
        other: (n,) what the other decided of the same rows.
        package: (n,) where each row comes from.
        seed: of the bootstrap.
    """
    names, row = np.unique(package, return_inverse=True)
    music = truth == 1
    # For each package: rows of music, and for both of them rows said and rows hit. F1 = 2 hits / (music + said).
    columns = (music, one, one & music, other, other & music)
    counts = np.stack([np.bincount(row[column], minlength=len(names)) for column in columns], axis=1)
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), BOOTSTRAPS)
    totals = drawn[drawn @ counts[:, 0] > 0] @ counts
    differences = _f1(totals[:, 0], totals[:, 1], totals[:, 2]) - _f1(totals[:, 0], totals[:, 3], totals[:, 4])
    low, high = np.percentile(differences, (2.5, 97.5)) if len(differences) else (np.nan, np.nan)
    return Figure(f1(truth, one) - f1(truth, other), float(low), float(high))


def _f1(music: Counts, said: Counts, hits: Counts) -> npt.NDArray[np.float64]:
    ratio: npt.NDArray[np.float64] = 2 * hits / np.maximum(1, music + said)
    return ratio


@dataclass(frozen=True, slots=True)
class Contest:
    """One row against another."""

    what: str
    """What the challenger stands for."""
    challenger: str
    incumbent: str
    difference: Figure
    """F1 of the challenger less that of the incumbent."""
    against: str = "the best from scratch"
    """What the incumbent stands for."""

    def __str__(self) -> str:
        """The answer as a sentence."""
        by = self.difference
        numbers = f"F1 differs by {by.value:+.4f} [{by.low:+.4f}, {by.high:+.4f}], paired bootstrap over packages"
        pair = f"{self.what}: {self.challenger}"
        if by.low > 0:
            return f"{pair} beats {self.against}, {self.incumbent}: {numbers}."
        if by.high < 0:
            return f"{pair} does not beat {self.against}, {self.incumbent}, it is worse: {numbers}."
        return f"{pair} does not clearly beat {self.against}, {self.incumbent}: {numbers}, which spans 0."
