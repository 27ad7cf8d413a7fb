"""From raw scores to probabilities that mean what they say, and thresholds for a wanted precision or recall."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from sklearn.isotonic import IsotonicRegression
from sklearn.model_selection import StratifiedGroupKFold

from device.hearing.models.sidecar import Calibration
from export.errors import ExportError
from export.evaluation.metrics import WANTED, FloatVector, platt, thresholds

Method = Literal["platt", "temperature", "isotonic"]

FOLDS = 5
SEED = 7

_SURE = 1e-7
_ISOTONIC_POINTS = 64
"""A sidecar is read by people too: the curve is kept at so many points at most."""


def temperature(truth: npt.NDArray[np.int8], raw: FloatVector, weight: FloatVector) -> Calibration:
    """Scale log odds by one factor (Guo et al. 2017); the order and the middle stay where they are."""
    logit = _logit(raw)

    def loss(log_slope: float) -> float:
        return log_loss(truth, 1 / (1 + np.exp(-np.exp(log_slope) * logit)), weight)

    found = minimize_scalar(loss, bounds=(-4.0, 4.0), method="bounded")
    return Calibration("temperature", slope=float(np.exp(found.x)))


def isotonic(truth: npt.NDArray[np.int8], raw: FloatVector, weight: FloatVector) -> Calibration:
    """The best of all ascending curves (Zadrozny and Elkan 2002), thinned to a few points."""
    curve = IsotonicRegression(y_min=0.001, y_max=0.999, out_of_bounds="clip").fit(
        raw, truth, sample_weight=weight
    )
    places = np.unique(np.quantile(raw, np.linspace(0, 1, _ISOTONIC_POINTS)))
    return Calibration(
        "isotonic",
        raw=tuple(round(float(place), 5) for place in places),
        calibrated=tuple(round(float(value), 5) for value in np.maximum.accumulate(curve.predict(places))),
    )


_FEWEST = 2
"""Packages of each label: one to learn from, one to be asked."""

METHODS: Mapping[Method, Callable[[npt.NDArray[np.int8], FloatVector, FloatVector], Calibration]] = {
    "platt": platt,
    "temperature": temperature,
    "isotonic": isotonic,
}


def log_loss(truth: npt.NDArray[np.int8], probability: npt.ArrayLike, weight: FloatVector) -> float:
    """Mean surprise in nats, weighted."""
    sure = np.clip(np.asarray(probability, np.float64), _SURE, 1 - _SURE)
    surprise = -np.where(truth == 1, np.log(sure), np.log(1 - sure))
    return float(np.average(surprise, weights=weight))


def cross_validated(
    method: Method,
    truth: npt.NDArray[np.int8],
    raw: FloatVector,
    package: npt.NDArray[np.str_],
    weight: FloatVector,
) -> npt.NDArray[np.float64]:
    """(n,) probabilities, each from a calibration that has not seen its package.

    Raises:
        ExportError: there are no two packages of music, or of no music.
    """
    packages = [len(np.unique(package[truth == label])) for label in (1, 0)]
    if min(packages) < _FEWEST:
        raise ExportError(
            f"calibration needs two packages of music and two of no music that were not trained on; there are "
            f"{packages[0]} and {packages[1]}: add recordings to the validation split"
        )
    probability = np.empty(len(raw))
    folds = StratifiedGroupKFold(min(FOLDS, *packages), shuffle=True, random_state=SEED)
    for fitted, held_out in folds.split(raw, truth, package):
        calibration = METHODS[method](truth[fitted], raw[fitted], weight[fitted])
        probability[held_out] = calibration(raw[held_out].astype(np.float32))
    return probability


@dataclass(frozen=True, slots=True)
class Operating:
    """A threshold, and what one gets for it."""

    threshold: float
    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Of the two."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def operating_points(truth: npt.NDArray[np.int8], probability: FloatVector) -> list[Operating]:
    """Precision and recall at thresholds from 0.01 to 0.99."""
    points = []
    for threshold in np.round(np.linspace(0.01, 0.99, 197), 4):
        said = probability >= threshold
        hits = int(np.count_nonzero(said & (truth == 1)))
        precision = hits / max(1, int(np.count_nonzero(said)))
        points.append(Operating(float(threshold), precision, hits / max(1, int(np.count_nonzero(truth)))))
    return points


def for_precision(points: list[Operating], wanted: float) -> Operating | None:
    """The lowest threshold from which precision stays at what is wanted; None where none does."""
    found = None
    for point in reversed(points):
        if point.precision < wanted and point.recall > 0:
            break
        found = point if point.recall > 0 else found
    return found


def for_recall(points: list[Operating], wanted: float) -> Operating | None:
    """The highest threshold with the recall that is wanted; None where there is none."""
    return next((point for point in reversed(points) if point.recall >= wanted), None)


def mode_thresholds(variations: Sequence[tuple[npt.NDArray[np.int8], FloatVector]]) -> dict[str, float]:
    """Where to put the threshold for each mode, so that it holds in every variation and not on average.

    Args:
        variations: truth and calibrated probability in each kind of sound.

    Returns:
        balanced: as `thresholds` of metrics.py, over all of them together; precision: the lowest from there on
        with precision of at least 0.99 in each; recall: the highest up to there with recall of at least 0.99 in
        each. Where 0.99 is out of reach, the one whose worst variation is the best.
    """
    balanced = thresholds(
        np.concatenate([truth for truth, _ in variations]), np.concatenate([said for _, said in variations])
    )["balanced"]
    by_variation = [operating_points(truth, said) for truth, said in variations]
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


def _logit(raw: FloatVector) -> npt.NDArray[np.float64]:
    sure = np.clip(raw.astype(np.float64), _SURE, 1 - _SURE)
    logit: npt.NDArray[np.float64] = np.log(sure / (1 - sure))
    return logit
