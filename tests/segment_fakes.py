"""Made-up segments for tests of the estimators: packages are clouds of points, music lies on one side."""

import importlib.util
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pytest

from device.hearing.statistics.pooling import mean_std
from device.sound import FloatArray
from export.estimators.base import Estimator, Fitted
from export.evaluation.metrics import FloatVector, package_weights

needs_xgboost = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("xgboost", "onnxmltools")),
    reason="XGBoost or onnxmltools is not installed: no boosted trees here",
)

SIZE = 12


@dataclass(frozen=True)
class Segments:
    """Rows as estimators learn from them."""

    sequences: FloatArray
    """(n, 10, SIZE)."""
    music: npt.NDArray[np.int8]
    package: npt.NDArray[np.str_]

    @property
    def weight(self) -> FloatVector:
        """As in training."""
        return package_weights(self)

    def read_by(self, estimator: Estimator) -> FloatArray:
        """As the estimator reads them."""
        return self.sequences if estimator.reads == "sequence" else mean_std(self.sequences)

    def only(self, label: int) -> Self:
        """The rows of one label."""
        here = self.music == label
        return type(self)(self.sequences[here], self.music[here], self.package[here])

    def fit(self, estimator: Estimator, *, seed: int = 1) -> Fitted:
        """Let an estimator learn from them."""
        return estimator.fit(
            self.read_by(estimator), self.music, weight=self.weight, groups=self.package, seed=seed
        )


def segments(*, packages: int, rows: int = 16, seed: int = 0, distance: float = 1.5, prefix: str = "") -> Segments:
    """So many packages of music and of no music, `rows` of each; a package lies a little beside its label."""
    generator = np.random.default_rng(seed)
    towards_music = np.random.default_rng(99).standard_normal(SIZE)
    towards_music /= np.linalg.norm(towards_music)
    parts, music, names = [], [], []
    for number in range(packages):
        for label in (0, 1):
            centre = distance * (2 * label - 1) * towards_music + 0.3 * generator.standard_normal(SIZE)
            parts.append(centre + generator.standard_normal((rows, 10, SIZE)))
            music += [label] * rows
            names += [f"{prefix}{('talk', 'song')[label]}{number}"] * rows
    return Segments(np.concatenate(parts).astype(np.float32), np.array(music, np.int8), np.array(names))
