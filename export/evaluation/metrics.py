"""How good a classifier is, how sure one can be of that, and where to put its thresholds.

A package is the unit throughout: rows of one package are alike, so it is packages that the bootstrap draws.
"""

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from device.hearing.models.sidecar import MODES, Calibration

FloatVector = npt.NDArray[np.floating]
BoolVector = npt.NDArray[np.bool_]

BOOTSTRAPS = 1000
SEED = 11

PLATEAU = 0.001
"""Thresholds whose F1 is within so much of the best count as equally good; the middle one is taken."""

WANTED = 0.99
"""Precision of the mode `precision`, recall of the mode `recall`, on validation."""


class Labelled(Protocol):
    """Rows of which it is known what they are and where they come from."""

    @property
    def music(self) -> npt.NDArray[np.int8]:
        """(n,) 1 for music."""
        ...

    @property
    def package(self) -> npt.NDArray[np.str_]:
        """(n,) where each row comes from."""
        ...


def package_weights(rows: Labelled) -> FloatVector:
    """(n,) weights, mean 1: half to music, half to no music; within each, a package has the root of its size.

    Counting every row alike would let the three longest packages decide; counting every package alike would let
    a five-second one weigh as much as an hour of speech.
    """
    weights = np.zeros(len(rows.music))
    for label in (0, 1):
        here = rows.music == label
        if here.any():
            _, inverse, sizes = np.unique(rows.package[here], return_inverse=True, return_counts=True)
            share = 1 / np.sqrt(sizes[inverse])
            weights[here] = share / share.sum()
    mean_one: FloatVector = weights * (len(weights) / weights.sum())
    return mean_one


def f1(truth: npt.ArrayLike, decided: npt.ArrayLike) -> float:
    """Harmonic mean of precision and recall; 0 where nothing was found."""
    music, said = np.asarray(truth, bool), np.asarray(decided, bool)
    hits = int(np.count_nonzero(music & said))
    return 2 * hits / max(1, int(np.count_nonzero(music)) + int(np.count_nonzero(said)))


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 95 % interval over packages."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """As it stands in a table."""
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True, slots=True)
class Report:
    """How a classifier does on one set of rows at one threshold."""

    rows: int
    packages: int
    accuracy: Figure
    f1: Figure
    precision: Figure
    recall: Figure
    roc_auc: Figure
    pr_auc: Figure
    calibration_error: Figure
    """Expected calibration error over ten bins (Naeini et al. 2015)."""


def report(
    truth: npt.NDArray[np.int8],
    probability: FloatVector,
    package: npt.NDArray[np.str_],
    *,
    threshold: float,
    seed: int = SEED,
) -> Report:
    """Every figure with a bootstrap interval over packages.

    Args:
        truth: (n,) 1 for music.
        probability: (n,) calibrated.
        package: (n,) where each row comes from.
        threshold: from which probability it is music.
        seed: of the bootstrap.
    """
    counts = _Counts.of(truth, probability, package, threshold)
    generator = np.random.default_rng(seed)
    packages = len(counts.music)
    drawn = np.stack(
        [
            np.bincount(generator.integers(0, packages, packages), minlength=packages).astype(np.float64)
            for _ in range(BOOTSTRAPS)
        ]
    )
    # A draw of packages that all have one label says nothing of telling two apart.
    of_music, of_all = drawn @ counts.music.sum(axis=1), drawn @ (counts.music + counts.other).sum(axis=1)
    drawn = drawn[(of_music > 0) & (of_music < of_all)]
    everything = counts.figures(np.ones((1, packages)))
    parts = [counts.figures(chunk) for chunk in np.array_split(drawn, max(1, len(drawn) // _DRAWS_AT_ONCE))]
    found = {}
    for name, value in everything.items():
        draws = np.concatenate([part[name] for part in parts])
        low, high = np.percentile(draws, (2.5, 97.5)) if draws.size else (np.nan, np.nan)
        found[name] = Figure(float(value[0]), float(low), float(high))
    return Report(rows=len(truth), packages=packages, **found)


_DRAWS_AT_ONCE = 32
"""As many draws of the bootstrap as fit into a processor's cache, more or less."""


@dataclass(frozen=True, slots=True)
class _Counts:
    """Rows of each package at each probability: all that a figure of any draw of packages depends on."""

    values: FloatVector
    """(u,) probabilities that occur, descending."""
    decided: BoolVector
    """(u,) whether they are music at the threshold."""
    music: npt.NDArray[np.float64]
    """(packages, u) rows of music."""
    other: npt.NDArray[np.float64]
    """(packages, u) rows of no music."""

    @classmethod
    def of(
        cls, truth: npt.NDArray[np.int8], probability: FloatVector, package: npt.NDArray[np.str_], threshold: float
    ) -> Self:
        names, row = np.unique(package, return_inverse=True)
        ascending, place = np.unique(probability, return_inverse=True)
        values = ascending[::-1]
        column = len(values) - 1 - place
        counts = np.zeros((2, len(names), len(values)))
        np.add.at(counts, (truth.astype(int), row, column), 1.0)
        return cls(values, values >= threshold, music=counts[1], other=counts[0])

    def figures(self, drawn: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.float64]]:
        """Every figure of a report for each draw: (draws, packages) how often each -> (draws,) by name."""
        music, other = drawn @ self.music, drawn @ self.other
        all_music, all_other = music.sum(axis=1), other.sum(axis=1)
        hits, said = music[:, self.decided].sum(axis=1), (music + other)[:, self.decided].sum(axis=1)
        found, wrong = music.cumsum(axis=1), other.cumsum(axis=1)
        # The chance that music scores higher than no music; of equal scores half count.
        ranked = ((found - music / 2) * other).sum(axis=1)
        correct = hits + all_other - (said - hits)
        return {
            "accuracy": _ratios(correct, all_music + all_other),
            "f1": _ratios(2 * hits, all_music + said),
            "precision": _ratios(hits, said),
            "recall": _ratios(hits, all_music),
            "roc_auc": _ratios(ranked, all_music * all_other),
            # Average precision: the sum of precisions, each weighted with the recall that it adds.
            "pr_auc": _ratios((music * _ratios(found, found + wrong)).sum(axis=1), all_music),
            "calibration_error": _ratios(self._gap(music, other), all_music + all_other),
        }

    def _gap(self, music: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Rows x distance of what is said from what is, summed over the bins."""
        in_bin = _bins(self.values)[:, None] == np.arange(BINS)
        distance = (music + other) @ (in_bin * self.values[:, None]) - music @ in_bin
        gap: npt.NDArray[np.float64] = np.abs(distance).sum(axis=1)
        return gap


def _ratios(part: npt.NDArray[np.float64], whole: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Where there is nothing to divide by, 0."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


BINS = 10
"""Of the calibration error and the reliability diagram, equally wide."""


def _bins(probability: FloatVector) -> npt.NDArray[np.int64]:
    """(n,) which bin each probability falls into; 1 into the last."""
    return np.minimum((probability * BINS).astype(np.int64), BINS - 1)


def calibration_error(truth: npt.NDArray[np.int8], probability: FloatVector, weight: FloatVector) -> float:
    """Expected calibration error: mean distance of what is said from what is, over ten bins."""
    bins = _bins(probability)
    total = np.bincount(bins, weight, BINS)
    gap = np.bincount(bins, weight * probability, BINS) - np.bincount(bins, weight * truth, BINS)
    return float(np.abs(gap).sum() / max(total.sum(), 1e-12))


@dataclass(frozen=True, slots=True)
class Bin:
    """One point of a reliability diagram."""

    said: float
    """Mean probability of its rows."""
    found: float
    """Part of its rows that are music."""
    rows: int


def reliability(truth: npt.NDArray[np.int8], probability: FloatVector) -> list[Bin]:
    """What is said against what is, for each of the ten bins that has rows (DeGroot and Fienberg 1983)."""
    bins = _bins(probability)
    rows = np.bincount(bins, minlength=BINS)
    said, found = np.bincount(bins, probability, BINS), np.bincount(bins, truth, BINS)
    return [
        Bin(float(said[at] / count), float(found[at] / count), int(count))
        for at, count in enumerate(rows)
        if count
    ]


def platt(truth: npt.NDArray[np.int8], raw: FloatVector, weight: FloatVector) -> Calibration:
    """Fit a sigmoid on the logit of raw probabilities (Platt 1999)."""
    logit = np.log(np.clip(raw, 1e-7, 1 - 1e-7) / (1 - np.clip(raw, 1e-7, 1 - 1e-7)))
    model = LogisticRegression(C=np.inf).fit(logit[:, None], truth, sample_weight=weight)
    return Calibration("platt", slope=float(model.coef_[0, 0]), offset=float(model.intercept_[0]))


def thresholds(truth: npt.NDArray[np.int8], probability: FloatVector) -> dict[str, float]:
    """Where to put the threshold for each mode, on validation rows.

    Returns:
        balanced: the middle of those with the best F1; precision: the lowest from there on with precision of at
        least 0.99; recall: the highest up to there with recall of at least 0.99. Where 0.99 is out of reach, the
        nearest to it.
    """
    grid = np.linspace(0.01, 0.99, 197)
    scores = np.array([f1(truth, probability >= at) for at in grid])
    best = grid[scores >= scores.max() - PLATEAU]
    hits = np.array([np.count_nonzero(truth & (probability >= at)) for at in grid])
    said = np.array([np.count_nonzero(probability >= at) for at in grid])
    precision = np.where(said > 0, hits / np.maximum(said, 1), 0.0)
    recall = hits / max(1, np.count_nonzero(truth))
    balanced = float(np.median(best))
    # Where both classes lie far apart, 0.99 is reached nearly everywhere: `precision` is never the laxer mode.
    precise = np.flatnonzero((precision >= WANTED) & (grid >= balanced))
    thorough = np.flatnonzero((recall >= WANTED) & (grid <= balanced))
    chosen = (
        balanced,
        float(grid[precise[0]] if precise.size else grid[int(np.argmax(precision))]),
        float(grid[thorough[-1]] if thorough.size else grid[0]),
    )
    return {mode: round(value, 4) for mode, value in zip(MODES, chosen, strict=True)}
