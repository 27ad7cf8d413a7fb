"""How good a classifier is, how sure one can be of that, and where to put its thresholds.

A package is the unit throughout: rows of one package are alike, so it is packages that the bootstrap draws.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

from device.hearing.sidecar import MODES, Calibration
from export.features import Rows

FloatVector = npt.NDArray[np.floating]
BoolVector = npt.NDArray[np.bool_]

BOOTSTRAPS = 1000
SEED = 11

PLATEAU = 0.001
"""Thresholds whose F1 is within so much of the best count as equally good; the middle one is taken."""

WANTED = 0.99
"""Precision of the mode `precision`, recall of the mode `recall`, on validation."""


def package_weights(rows: Rows) -> FloatVector:
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
    names, inverse = np.unique(package, return_inverse=True)
    decided = probability >= threshold
    correct_weight = np.ones(len(truth))

    def over_packages(measure: Callable[[FloatVector], float]) -> Figure:
        generator = np.random.default_rng(seed)
        draws = []
        for _ in range(BOOTSTRAPS):
            drawn = np.bincount(generator.integers(0, len(names), len(names)), minlength=len(names))
            weight = drawn[inverse].astype(np.float64)
            if 0 < (weight * truth).sum() < weight.sum():
                draws.append(measure(weight))
        low, high = np.percentile(draws, (2.5, 97.5)) if draws else (np.nan, np.nan)
        return Figure(measure(correct_weight), float(low), float(high))

    def precision(weight: FloatVector) -> float:
        return _ratio((weight * (truth & decided)).sum(), (weight * decided).sum())

    def recall(weight: FloatVector) -> float:
        return _ratio((weight * (truth & decided)).sum(), (weight * truth).sum())

    def f1_weighted(weight: FloatVector) -> float:
        return _ratio(2 * (weight * (truth & decided)).sum(), (weight * truth).sum() + (weight * decided).sum())

    return Report(
        rows=len(truth),
        packages=len(names),
        accuracy=over_packages(lambda weight: _ratio((weight * (truth == decided)).sum(), weight.sum())),
        f1=over_packages(f1_weighted),
        precision=over_packages(precision),
        recall=over_packages(recall),
        roc_auc=over_packages(lambda weight: float(roc_auc_score(truth, probability, sample_weight=weight))),
        pr_auc=over_packages(
            lambda weight: float(average_precision_score(truth, probability, sample_weight=weight))
        ),
        calibration_error=over_packages(lambda weight: calibration_error(truth, probability, weight)),
    )


def _ratio(part: float | np.number, whole: float | np.number) -> float:
    return float(part / whole) if whole else 0.0


def calibration_error(truth: npt.NDArray[np.int8], probability: FloatVector, weight: FloatVector) -> float:
    """Expected calibration error: mean distance of what is said from what is, over ten bins."""
    bins = np.minimum((probability * 10).astype(int), 9)
    total = np.bincount(bins, weight, 10)
    gap = np.bincount(bins, weight * probability, 10) - np.bincount(bins, weight * truth, 10)
    return float(np.abs(gap).sum() / max(total.sum(), 1e-12))


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
