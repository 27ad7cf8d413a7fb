"""The smallest model: standardised statistics, a weighted sum, a sigmoid."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from device.sources.base import FloatArray
from export.features import Rows
from export.metrics import FloatVector, f1, package_weights

STRENGTHS = (0.00001, 0.00003, 0.0001, 0.0003, 0.001, 0.01)
"""Values of C that cross-validation chooses from: many correlated statistics want a firm hand."""

FOLDS = 5
SEED = 7


def fit(rows: Rows, *, c: float, columns: Sequence[int] | None = None) -> Pipeline:
    """Fit on rows in which every package has its say, and music as much of it as no music.

    Args:
        rows: training rows.
        c: inverse strength of the L2 penalty.
        columns: features to use; None for all.
    """
    pipeline = Pipeline(
        [
            ("scale", StandardScaler()),
            ("logistic", LogisticRegression(C=c, solver="newton-cholesky", max_iter=200)),
        ]
    )
    features = rows.features if columns is None else rows.features[:, columns]
    pipeline.fit(features, rows.music, logistic__sample_weight=package_weights(rows))
    return pipeline


def probability(pipeline: Pipeline, features: FloatArray) -> FloatVector:
    """Raw probability of music, (n,)."""
    music: FloatVector = pipeline.predict_proba(features)[:, 1]
    return music


@dataclass(frozen=True, slots=True)
class Trial:
    """What cross-validation says of one setting: F1 at 0.5 on packages not trained on, a variant each."""

    c: float
    by_variant: dict[str, float]

    @property
    def mean(self) -> float:
        """Over the variants, so that a room counts as much as a studio."""
        return float(np.mean(list(self.by_variant.values())))


def cross_validate(rows: Rows, *, c: float, columns: Sequence[int] | None = None) -> Trial:
    """Grouped cross-validation: whole packages are left out, never parts of one.

    Args:
        rows: training rows; nothing else may be looked at while choosing.
        c: inverse strength of the L2 penalty.
        columns: features to use; None for all.
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
    """(n,) the fold of each row's package; families of packages stay together."""
    families = np.array([family(package) for package in np.unique(rows.package)])
    order = np.random.default_rng(SEED).permutation(len(np.unique(families)))
    fold_of = {name: int(order[i]) % FOLDS for i, name in enumerate(np.unique(families))}
    of_package = {package: fold_of[family(package)] for package in np.unique(rows.package)}
    return np.array([of_package[package] for package in rows.package])


def family(package: str) -> str:
    """Packages that share material begin alike: fillets-ng-data-cs, asterisk-core-sounds-es-g722."""
    return package.partition("-")[0]
