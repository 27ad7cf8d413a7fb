"""Does the converted file give the same probabilities as the estimator?"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from device.hearing.models.loading import Model
from device.sound import FloatArray
from export.estimators.base import Fitted, ModelFile
from export.estimators.logistic import probability

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

ONNX_BAR = 1e-4
"""Difference in probability that an ONNX file may have: both compute the same in other precisions."""

_THRESHOLD = 0.5


def largest_difference(model: Model, pipeline: "Pipeline", features: FloatArray) -> float:
    """In calibrated probability, between the device's model and the pipeline of (n, features) float32 rows."""
    ours = model.sidecar.calibration(probability(pipeline, features).astype(np.float32))
    return float(np.abs(ours - model.probability(features)).max())


@dataclass(frozen=True, slots=True)
class Parity:
    """How far a file is from its estimator, in raw probability of music."""

    rows: int
    largest: float
    """Difference of a row."""
    mean: float
    """Difference over all rows."""
    beyond: int
    """Rows that differ by more than the bar."""
    other_decisions: int
    """Rows that are music for one of them only, at 0.5."""


def parity(fitted: Fitted, file: ModelFile, x: FloatArray, *, bar: float = ONNX_BAR) -> Parity:
    """Compare an estimator and its file, in the device's runtime, on rows as the estimator reads them.

    Raises:
        ModelError: the file cannot be opened or does not take the rows.
        ExportError: the estimator does not take the rows.
    """
    ours, theirs = fitted.probability(x), file.probability(x)
    difference = np.abs(ours - theirs)
    return Parity(
        rows=len(x),
        largest=float(difference.max()),
        mean=float(difference.mean()),
        beyond=int(np.count_nonzero(difference > bar)),
        other_decisions=int(np.count_nonzero((ours >= _THRESHOLD) != (theirs >= _THRESHOLD))),
    )
