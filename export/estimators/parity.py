"""Does the converted file say what the estimator says?"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.pipeline import Pipeline

from device.hearing.models.loading import Model
from device.hearing.models.runtimes import TfliteName, open_runtime
from device.sound import FloatArray
from export.estimators.base import Fitted, ModelFile
from export.estimators.logistic import probability
from export.evaluation.metrics import FloatVector

ONNX_BAR = 1e-4
"""An ONNX file may differ by so much in probability: both compute the same in other precisions."""


def largest_difference(model: Model, pipeline: Pipeline, features: FloatArray) -> float:
    """The largest difference in calibrated probability between the device's model and the estimator.

    Args:
        model: as the device loads it.
        pipeline: what it was made of.
        features: (n, features) float32.
    """
    ours = model.sidecar.calibration(probability(pipeline, features).astype(np.float32))
    return float(np.abs(ours - model.probability(features)).max())


@dataclass(frozen=True, slots=True)
class Parity:
    """How far a file is from what it was made of, in raw probability of music."""

    rows: int
    largest: float
    """Difference of a row."""
    mean: float
    """Difference over all rows."""
    beyond: int
    """Rows that differ by more than the bar."""
    other_decisions: int
    """Rows that are music for one of them only, at the threshold."""

    def __str__(self) -> str:
        """As a line of a report."""
        return (
            f"differs by {self.largest:.1e} at most and {self.mean:.1e} in the mean on {self.rows} rows; "
            f"{self.beyond} beyond the bar, {self.other_decisions} decided otherwise"
        )


def parity(
    fitted: Fitted,
    file: ModelFile,
    x: FloatArray,
    *,
    bar: float = ONNX_BAR,
    threshold: float = 0.5,
    runtime: TfliteName = "auto",
) -> Parity:
    """Put the same rows to an estimator and to its file, which the device's own runtime runs.

    Args:
        fitted: the estimator.
        file: what it was converted to.
        x: (n, ...) float32, rows as the estimator reads them.
        bar: differences beyond it are counted.
        threshold: from which probability it is music.
        runtime: which TFLite runtime to use.

    Raises:
        ModelError: the file cannot be opened or does not take the rows.
        ExportError: the estimator does not take the rows.
    """
    ours, theirs = fitted.probability(x), said(file, x, runtime=runtime)
    difference = np.abs(ours - theirs)
    return Parity(
        rows=len(x),
        largest=float(difference.max()),
        mean=float(difference.mean()),
        beyond=int(np.count_nonzero(difference > bar)),
        other_decisions=int(np.count_nonzero((ours >= threshold) != (theirs >= threshold))),
    )


def said(file: ModelFile, x: FloatArray, *, runtime: TfliteName = "auto") -> FloatVector:
    """(n,) raw probability of music that the file gives in the device's runtime.

    Args:
        file: the file.
        x: (n, ...) float32, rows as the estimator reads them.
        runtime: which TFLite runtime to use.
    """
    opened = open_runtime(Path(f"model{file.suffix}"), file.content, file.output, runtime)
    rows = x if file.standardisation is None else file.standardisation(x)
    scores = opened.run(np.ascontiguousarray(rows, np.float32))
    return scores.reshape(len(x), len(file.labels))[:, file.labels.index("music")]
