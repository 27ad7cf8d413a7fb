"""The simplest: standardised values, a weighted sum, a sigmoid."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from device.sound import FloatArray
from export.estimators.base import Groups, Labels, Reads, check
from export.estimators.choosing import Fold, Setting, choose, folds
from export.estimators.pooled import FittedClassifier
from export.evaluation.metrics import FloatVector

STRENGTHS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Values of C to choose from, the firmest hand first."""


@dataclass(frozen=True, slots=True)
class PooledLogistic:
    """Logistic regression with an L2 penalty."""

    strengths: Sequence[float] = STRENGTHS
    """Values of C: the inverse of the penalty's strength."""

    name: ClassVar[str] = "logistic"
    reads: ClassVar[Reads] = "pooled"

    def fit(self, x: FloatArray, y: Labels, *, weight: FloatVector, groups: Groups, seed: int) -> FittedClassifier:
        """As `Estimator.fit`; C is chosen."""
        check(x, y, weight=weight, groups=groups, reads=self.reads, name=self.name)

        def score(setting: Setting, fold: Fold) -> FloatVector:
            fitted = _fit(x[fold.inside], y[fold.inside], fold.weight, setting)
            scores: FloatVector = fitted.decision_function(x[fold.outside])
            return scores

        settings = [{"c": c} for c in sorted(self.strengths)]
        deal = folds(y, weight, groups, seed=seed)
        # The weaker the penalty, the longer a fit takes: beyond the best one, there is nothing to look for.
        choice = choose(settings, score, deal, y=y, weight=weight, patience=1)
        return FittedClassifier(self.name, _fit(x, y, weight, choice.best.setting), choice.document)


def _fit(x: FloatArray, y: Labels, weight: FloatVector, setting: Setting) -> Pipeline:
    # In float64: with float32's rounding the solver may stop early, at another place on another processor.
    pipeline = Pipeline(
        [("scale", StandardScaler()), ("logistic", LogisticRegression(C=setting["c"], max_iter=2_000))]
    )
    return pipeline.fit(x.astype(np.float64), y, logistic__sample_weight=weight)
