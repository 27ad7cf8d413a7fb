"""What every estimator of the comparison can do: learn, give probabilities, become a model file.

A segment is ten patches of 0.96 s in a row, each an embedding. Some estimators read it as it is, a sequence, some
pooled: the mean and the standard deviation of each of its values. All learn from the training packages alone, with
the same weights, and choose their hyperparameters by leaving whole packages out (`export.estimators.choosing`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from device.hearing.models.runtimes import open_runtime
from device.hearing.statistics.pooling import Standardisation
from device.sound import FloatArray
from export.errors import ExportError
from export.evaluation.hearing import SEGMENT_PATCHES
from export.evaluation.metrics import FloatVector, Groups, Labels

Reads = Literal["pooled", "sequence"]


def standardisation_of(sequences: FloatArray, *, limit: float = 5.0) -> Standardisation:
    """Measured on training rows, (n, patches, size)."""
    mean, scale = sequences.mean(axis=(0, 1), dtype=np.float64), sequences.std(axis=(0, 1), dtype=np.float64)
    steady = scale <= 1e-6 * np.abs(mean) + 1e-12  # rounding is no variation to blow up
    return Standardisation(mean.astype(np.float32), np.where(steady, 1.0, scale).astype(np.float32), limit)


def standardisation_document(standardisation: Standardisation) -> dict[str, Any]:
    """For a sidecar: `mean`, `scale` and `limit`."""
    mean, scale = standardisation.mean.tolist(), standardisation.scale.tolist()
    return {"mean": mean, "scale": scale, "limit": standardisation.limit}


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A fitted estimator as the device can run it."""

    content: bytes
    suffix: Literal[".onnx", ".tflite"]
    output: str
    """Name of the output tensor."""
    labels: tuple[str, ...]
    """Of the output's columns."""
    quantisation: str | None = None
    """None: it calculates in float32."""
    standardisation: Standardisation | None = None
    """What its rows must go through first; None: nothing."""

    def probability(self, x: FloatArray) -> FloatVector:
        """(n,) raw probability of music that the device's runtime gives of rows as the estimator reads them.

        Raises:
            ModelError: the file cannot be opened or does not take the rows.
        """
        runtime = open_runtime(Path(f"model{self.suffix}"), self.content, self.output)
        rows = x if self.standardisation is None else self.standardisation(x)
        scores = runtime.run(np.ascontiguousarray(rows, np.float32))
        return scores.reshape(len(x), len(self.labels))[:, self.labels.index("music")]


class Fitted(Protocol):
    """An estimator that has learnt."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyperparameters and how good they were, ready for JSON."""

    def probability(self, x: FloatArray) -> FloatVector:
        """Raw probability of music, (n,), of rows as the estimator reads them.

        Raises:
            ExportError: the rows have another shape than those of training.
        """

    def convert(self, example: FloatArray) -> ModelFile:
        """The file for the device; int8 ranges are measured on the training rows given, 200 are enough.

        Raises:
            ExportError: it cannot be converted, or a library is missing.
        """


class Estimator(Protocol):
    """Something that can learn to tell music from no music."""

    @property
    def name(self) -> str:
        """In tables and file names."""

    @property
    def reads(self) -> Reads:
        """Pooled segments, (n, 2 x size), or sequences, (n, 10, size)."""

    def fit(self, x: FloatArray, y: Labels, *, weight: FloatVector, groups: Groups, seed: int) -> Fitted:
        """Choose the hyperparameters by grouped cross-validation, then learn from all rows.

        Args:
            x: (n, ...) float32, training rows as `reads` says.
            y: (n,) 1 for music, 0 for no music.
            weight: (n,) how much each row counts, mean 1; as `package_weights` of metrics.py gives them.
            groups: (n,) the package of each row: rows of one are never on both sides of a fold.
            seed: the same seed and rows give the same estimator.

        Raises:
            ExportError: it cannot learn from these rows; the message says why.
        """


def check(x: FloatArray, y: Labels, *, weight: FloatVector, groups: Groups, reads: Reads, name: str) -> None:
    """Check the arguments of `Estimator.fit`; name and reads are the estimator's.

    Raises:
        ExportError: nothing can be learnt from them.
    """
    check_shape(x, reads=reads, name=name)
    for what, values in (("labels", y), ("weights", weight), ("packages", groups)):
        if values.shape != (len(x),):
            raise ExportError(f"{name}: there are {len(x)} rows, but the {what} have the shape {values.shape}")
    if not np.isfinite(x).all():
        broken = np.flatnonzero(~np.isfinite(x.reshape(len(x), -1)).all(axis=1))
        raise ExportError(
            f"{name}: {len(broken)} of {len(x)} rows hold numbers that are not finite, "
            f"the first of package {groups[broken[0]]}; make the features of it anew"
        )
    if not np.isin(y, (0, 1)).all():
        raise ExportError(
            f"{name}: labels must be 1 for music and 0 for no music, not {np.unique(y).tolist()[:5]}"
        )
    there = np.unique(y)
    if len(there) < 2:  # noqa: PLR2004 - both
        only = "music" if 1 in there else "no music"
        raise ExportError(f"{name}: all {len(x)} training rows are {only}; there is nothing to tell apart")
    if not (np.isfinite(weight).all() and (weight > 0).all()):
        raise ExportError(f"{name}: every weight must be a positive number")


def check_shape(x: FloatArray, *, reads: Reads, name: str, width: int | None = None) -> None:
    """Check the shape of an estimator's rows; `width` is that of the last axis, None allows any.

    Raises:
        ExportError: they have another shape, or there are none.
    """
    axes = {"pooled": 2, "sequence": 3}[reads]
    last = "any number of" if width is None else str(width)
    wanted = f"(n, {last} values)" if reads == "pooled" else f"(n, {SEGMENT_PATCHES}, {last} values)"
    fits = x.ndim == axes and len(x) > 0 and x.shape[-1] > 0 and (width is None or x.shape[-1] == width)
    if not fits or (reads == "sequence" and x.shape[1] != SEGMENT_PATCHES):
        raise ExportError(f"{name} reads {wanted}, n > 0, but the rows have the shape {x.shape}")
