"""The smallest model: standardised statistics, a weighted sum, a sigmoid."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from device.sound import FloatArray
from export.corpus.features import Rows
from export.errors import ExportError
from export.estimators.families import families_of
from export.evaluation.metrics import FloatVector, f1, package_weights

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

STRENGTHS = (0.00001, 0.00003, 0.0001, 0.0003, 0.001, 0.01)
"""Values of C that cross-validation chooses from: many correlated statistics need a strong penalty."""

FOLDS = 5
SEED = 7


def fit(rows: Rows, *, c: float, columns: Sequence[int] | None = None) -> "Pipeline":
    """Fit on training rows, weighted by `package_weights`; c is the inverse strength of the L2 penalty.

    Only the features of the columns are used, all of them if there are none.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - an extra
    from sklearn.pipeline import Pipeline  # noqa: PLC0415 - an extra
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415 - an extra

    pipeline = Pipeline(
        [
            ("scale", StandardScaler()),
            ("logistic", LogisticRegression(C=c, solver="newton-cholesky", max_iter=200)),
        ]
    )
    features = rows.features if columns is None else rows.features[:, columns]
    pipeline.fit(features, rows.music, logistic__sample_weight=package_weights(rows))
    return pipeline


def probability(pipeline: "Pipeline", features: FloatArray) -> FloatVector:
    """Raw probability of music, (n,)."""
    music: FloatVector = pipeline.predict_proba(features)[:, 1]
    return music


@dataclass(frozen=True, slots=True)
class Trial:
    """What cross-validation says of one penalty: F1 at 0.5 on packages not trained on, for each variant."""

    c: float
    by_variant: dict[str, float]

    @property
    def mean(self) -> float:
        """Over the variants, so that a room counts as much as a studio."""
        return float(np.mean(list(self.by_variant.values())))


def cross_validate(rows: Rows, *, c: float, columns: Sequence[int] | None = None) -> Trial:
    """Grouped cross-validation on training rows: whole packages are left out, never parts of one.

    Raises:
        ExportError: music or no music comes from a single family of packages, which cannot be left out.
    """
    fold = _folds(rows)
    held_out = np.zeros(len(rows.music))
    for number in range(FOLDS):
        inside, outside = fold != number, fold == number
        pipeline = fit(rows.where(inside), c=c, columns=columns)
        features = rows.features[outside]
        held_out[outside] = probability(pipeline, features if columns is None else features[:, columns])
    counted = ~rows.mixed & ~np.char.startswith(rows.package, "synthetic/")
    by_variant = {}
    for variant in np.unique(rows.variant):
        here = counted & (rows.variant == variant)
        by_variant[str(variant)] = f1(rows.music[here], held_out[here] >= 0.5)  # noqa: PLR2004 - uncalibrated
    return Trial(c, by_variant)


def _folds(rows: Rows) -> np.ndarray:
    """(n,) the fold of each row's package; families of packages stay together.

    Dealt anew as long as one fold has all music or all no music: one label alone would be left to learn from.
    """
    families, of_row = np.unique(families_of(rows.package), return_inverse=True)
    holders = [np.unique(of_row[rows.music == label]) for label in (0, 1)]
    for called, there in zip(("no music", "music"), holders, strict=True):
        if len(there) < 2:  # noqa: PLR2004 - one to learn from, one to be judged on
            raise ExportError(
                f"{len(there)} source packages of {called} to train on, and 2 are needed to choose the penalty; "
                "add some, or give every file a split in a CSV"
            )
    for attempt in itertools.count(SEED):
        fold_of = np.random.default_rng(attempt).permutation(len(families)) % FOLDS
        if all(len(np.unique(fold_of[there])) > 1 for there in holders):
            break
    found: np.ndarray = fold_of[of_row]
    return found
