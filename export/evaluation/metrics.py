"""How good a classifier is, and how sure one can be of that.

A package is the unit throughout: rows of one package are alike, so the bootstrap draws packages.
"""

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

FloatVector = npt.NDArray[np.floating]
BoolVector = npt.NDArray[np.bool_]

Labels = npt.NDArray[np.int8]
"""(n,) 1 for music, 0 for no music."""

Groups = npt.NDArray[np.str_]
"""(n,) the package that each row comes from."""

FIGURES = ("accuracy", "f1", "precision", "recall", "roc_auc", "pr_auc")
"""Those of a report of which more is better."""

COLUMNS = (*FIGURES, "calibration_error")
"""All of a report."""

BOOTSTRAPS = 1000
SEED = 11


class Labelled(Protocol):
    """Rows with their labels and packages."""

    @property
    def music(self) -> Labels:
        """A label a row."""

    @property
    def package(self) -> Groups:
        """A package a row."""


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
    music, positive = np.asarray(truth, bool), np.asarray(decided, bool)
    hits = int(np.count_nonzero(music & positive))
    return 2 * hits / max(1, int(np.count_nonzero(music)) + int(np.count_nonzero(positive)))


def log_odds(probability: FloatVector, *, least: float = 1e-7) -> FloatVector:
    """(n,) of probabilities, in their precision; none counts as nearer to 0 or 1 than `least`."""
    bounded = np.clip(probability, least, 1 - least)
    odds: FloatVector = np.log(bounded / (1 - bounded))
    return odds


def log_loss(odds: FloatVector, truth: Labels, weight: FloatVector) -> float:
    """Weighted mean of the negative log likelihood, in nats, of predictions that are log odds."""
    return float(np.average(np.logaddexp(0.0, np.where(truth == 1, -odds, odds)), weights=weight))


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


def report(truth: Labels, probability: FloatVector, package: Groups, *, threshold: float) -> Report:
    """Every figure of (n,) probabilities with a bootstrap interval over packages; music is from `threshold` on."""
    counts = _Counts.of(truth, probability, package, threshold)
    generator = np.random.default_rng(SEED)
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
    def of(cls, truth: Labels, probability: FloatVector, package: Groups, threshold: float) -> Self:
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
        hits, positive = music[:, self.decided].sum(axis=1), (music + other)[:, self.decided].sum(axis=1)
        found, wrong = music.cumsum(axis=1), other.cumsum(axis=1)
        # The chance that music scores higher than no music; of equal scores half count.
        ranked = ((found - music / 2) * other).sum(axis=1)
        correct = hits + all_other - (positive - hits)
        return {
            "accuracy": _ratios(correct, all_music + all_other),
            "f1": _ratios(2 * hits, all_music + positive),
            "precision": _ratios(hits, positive),
            "recall": _ratios(hits, all_music),
            "roc_auc": _ratios(ranked, all_music * all_other),
            # Average precision: the sum of precisions, each weighted with the recall that it adds.
            "pr_auc": _ratios((music * _ratios(found, found + wrong)).sum(axis=1), all_music),
            "calibration_error": _ratios(self._gap(music, other), all_music + all_other),
        }

    def _gap(self, music: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Rows x distance of the mean probability from the part that is music, summed over the bins."""
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


def calibration_error(truth: Labels, probability: FloatVector, weight: FloatVector) -> float:
    """Expected calibration error: mean distance of the probability from the part that is music, over ten bins."""
    bins = _bins(probability)
    total = np.bincount(bins, weight, BINS)
    gap = np.bincount(bins, weight * probability, BINS) - np.bincount(bins, weight * truth, BINS)
    return float(np.abs(gap).sum() / max(total.sum(), 1e-12))


@dataclass(frozen=True, slots=True)
class Bin:
    """One point of a reliability diagram."""

    predicted: float
    """Mean probability of its rows."""
    observed: float
    """Part of its rows that are music."""
    rows: int


def reliability(truth: Labels, probability: FloatVector) -> list[Bin]:
    """The points of a reliability diagram: those of the ten bins that have rows (DeGroot and Fienberg 1983)."""
    bins = _bins(probability)
    rows = np.bincount(bins, minlength=BINS)
    predicted, observed = np.bincount(bins, probability, BINS), np.bincount(bins, truth, BINS)
    return [
        Bin(float(predicted[at] / count), float(observed[at] / count), int(count))
        for at, count in enumerate(rows)
        if count
    ]
