"""From raw scores to probabilities that mean what they say, and thresholds for a wanted precision or recall."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from device.hearing.models.sidecar import MODES, Calibration
from export.errors import ExportError
from export.evaluation.metrics import FloatVector, Groups, Labels, log_loss, log_odds

Method = Literal["platt", "temperature", "isotonic"]

FOLDS = 5
SEED = 7

PLATEAU = 0.001
"""Thresholds whose F1 is within so much of the best count as equally good; the middle one is taken."""

WANTED = 0.99
"""Precision of the mode `precision`, recall of the mode `recall`, on validation."""

_ISOTONIC_POINTS = 64
"""At most, as people read a sidecar, too."""

_FEWEST = 2
"""Packages of each label: one to fit on, one to be judged on."""


def platt(truth: Labels, raw: FloatVector, weight: FloatVector) -> Calibration:
    """Fit a sigmoid on the log odds of raw probabilities (Platt 1999)."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - an extra

    model = LogisticRegression(C=np.inf).fit(log_odds(raw)[:, None], truth, sample_weight=weight)
    return Calibration("platt", slope=float(model.coef_[0, 0]), offset=float(model.intercept_[0]))


def temperature(truth: Labels, raw: FloatVector, weight: FloatVector) -> Calibration:
    """Scale log odds by one factor (Guo et al. 2017); the order and the middle stay where they are."""
    from scipy.optimize import minimize_scalar  # noqa: PLC0415 - an extra

    odds = log_odds(raw.astype(np.float64))
    furthest = log_odds(np.ones(1))[0]

    def loss(log_slope: float) -> float:
        return log_loss(np.clip(np.exp(log_slope) * odds, -furthest, furthest), truth, weight)

    found = minimize_scalar(loss, bounds=(-4.0, 4.0), method="bounded")
    return Calibration("temperature", slope=float(np.exp(found.x)))


def isotonic(truth: Labels, raw: FloatVector, weight: FloatVector) -> Calibration:
    """The best of all ascending curves (Zadrozny and Elkan 2002), thinned to a few points."""
    from sklearn.isotonic import IsotonicRegression  # noqa: PLC0415 - an extra

    curve = IsotonicRegression(y_min=0.001, y_max=0.999, out_of_bounds="clip").fit(
        raw, truth, sample_weight=weight
    )
    places = np.unique(np.quantile(raw, np.linspace(0, 1, _ISOTONIC_POINTS)))
    return Calibration(
        "isotonic",
        raw=tuple(round(float(place), 5) for place in places),
        calibrated=tuple(round(float(value), 5) for value in np.maximum.accumulate(curve.predict(places))),
    )


METHODS: Mapping[Method, Callable[[Labels, FloatVector, FloatVector], Calibration]] = {
    "platt": platt,
    "temperature": temperature,
    "isotonic": isotonic,
}


def cross_validated(
    method: Method, truth: Labels, raw: FloatVector, package: Groups, weight: FloatVector
) -> FloatVector:
    """(n,) probabilities, each from a calibration that was fitted without its package.

    Raises:
        ExportError: there are no two packages of music, or of no music.
    """
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415 - an extra

    packages = [len(np.unique(package[truth == label])) for label in (1, 0)]
    if min(packages) < _FEWEST:
        raise ExportError(
            f"calibration needs two packages of music and two of no music that were not trained on; there are "
            f"{packages[0]} and {packages[1]}: add recordings to the validation split"
        )
    probability = np.empty(len(raw))
    folds = StratifiedGroupKFold(min(FOLDS, *packages), shuffle=True, random_state=SEED)
    for inside, outside in folds.split(raw, truth, package):
        calibration = METHODS[method](truth[inside], raw[inside], weight[inside])
        probability[outside] = calibration(raw[outside].astype(np.float32))
    return probability


@dataclass(frozen=True, slots=True)
class Operating:
    """A threshold, and what it gives."""

    threshold: float
    precision: float
    recall: float
    f1: float


def operating_points(truth: Labels, probability: FloatVector) -> list[Operating]:
    """Precision, recall and F1 at thresholds from 0.01 to 0.99, 0.005 apart; 0 where there is nothing to count."""
    music = truth == 1
    total = int(np.count_nonzero(music))
    points = []
    for threshold in np.round(np.linspace(0.01, 0.99, 197), 4):
        decided = probability >= threshold
        hits, positive = int(np.count_nonzero(decided & music)), int(np.count_nonzero(decided))
        points.append(
            Operating(
                threshold=float(threshold),
                precision=hits / max(1, positive),
                recall=hits / max(1, total),
                f1=2 * hits / max(1, total + positive),
            )
        )
    return points


def for_precision(points: Sequence[Operating], wanted: float) -> Operating | None:
    """The lowest threshold from which precision stays at what is wanted; None where none does."""
    found = None
    for point in reversed(points):
        if point.precision < wanted and point.recall > 0:
            break
        found = point if point.recall > 0 else found
    return found


def for_recall(points: Sequence[Operating], wanted: float) -> Operating | None:
    """The highest threshold with the recall that is wanted; None where there is none."""
    return next((point for point in reversed(points) if point.recall >= wanted), None)


def thresholds(truth: Labels, probability: FloatVector) -> dict[str, float]:
    """Where to put the threshold for each mode, on validation rows.

    Returns:
        balanced: the middle of those with the best F1; precision: the lowest from there on with precision of at
        least 0.99; recall: the highest up to there with recall of at least 0.99. Where 0.99 is out of reach, the
        nearest to it.
    """
    points = operating_points(truth, probability)
    best = max(point.f1 for point in points)
    balanced = float(np.median([point.threshold for point in points if point.f1 >= best - PLATEAU]))
    # Where both classes lie far apart, 0.99 is reached nearly everywhere: `precision` is never the laxer mode.
    precise = [point for point in points if point.precision >= WANTED and point.threshold >= balanced]
    thorough = [point for point in points if point.recall >= WANTED and point.threshold <= balanced]
    chosen = (
        balanced,
        (precise[0] if precise else max(points, key=lambda point: point.precision)).threshold,
        (thorough[-1] if thorough else points[0]).threshold,
    )
    return {mode: round(value, 4) for mode, value in zip(MODES, chosen, strict=True)}


def mode_thresholds(variations: Sequence[tuple[Labels, FloatVector]]) -> dict[str, float]:
    """Where to put the threshold for each mode, so that it holds in every variation and not on average.

    A variation is truth and calibrated probability in one kind of sound.

    Returns:
        balanced: as `thresholds`, over all of them together; precision: the lowest from there on with precision of
        at least 0.99 in each; recall: the highest up to there with recall of at least 0.99 in each. Where 0.99 is
        out of reach, the one whose worst variation is the best.
    """
    truth, probability = (np.concatenate(column) for column in zip(*variations, strict=True))
    balanced = thresholds(truth, probability)["balanced"]
    by_variation = [operating_points(*variation) for variation in variations]
    grid = [point.threshold for point in by_variation[0]]
    precision = np.min([[point.precision for point in points] for points in by_variation], axis=0)
    recall = np.min([[point.recall for point in points] for points in by_variation], axis=0)
    strict = [i for i, at in enumerate(grid) if at >= balanced and recall[i] > 0]
    lax = [i for i, at in enumerate(grid) if at <= balanced]
    precise = [i for i in strict if precision[i] >= WANTED]
    thorough = [i for i in lax if recall[i] >= WANTED]
    return {
        "balanced": balanced,
        "precision": grid[precise[0] if precise else max(strict, key=lambda i: precision[i])],
        "recall": grid[thorough[-1] if thorough else max(lax, key=lambda i: recall[i])],
    }
