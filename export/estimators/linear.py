"""The linear classifiers of the comparison, on pooled segments: logistic regression and a linear SVM."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from device.sound import FloatArray
from export.estimators.base import Reads, check
from export.estimators.choosing import Choice, Fold, Setting, choose, folds, sigmoid
from export.estimators.pooled import FittedClassifier
from export.evaluation.metrics import FloatVector, Groups, Labels

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

LOGISTIC_STRENGTHS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
SVM_STRENGTHS = LOGISTIC_STRENGTHS[:-1]
"""Values of C to choose from, the strongest penalty first."""


@dataclass(frozen=True, slots=True)
class PooledLogistic:
    """Logistic regression with an L2 penalty."""

    strengths: Sequence[float] = LOGISTIC_STRENGTHS
    """Values of C: the inverse of the penalty's strength."""

    name: ClassVar[str] = "logistic"
    reads: ClassVar[Reads] = "pooled"

    def fit(self, x: FloatArray, y: Labels, *, weight: FloatVector, groups: Groups, seed: int) -> FittedClassifier:
        """As `Estimator.fit`; C is chosen."""
        check(x, y, weight=weight, groups=groups, reads=self.reads, name=self.name)

        def fit(x: FloatArray, y: Labels, weight: FloatVector, setting: Setting) -> "Pipeline":
            from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - an extra

            return _fit(LogisticRegression(C=setting["c"], max_iter=2_000), x, y, weight)

        choice = _chosen(fit, self.strengths, x, y, weight, groups, seed)
        return FittedClassifier(self.name, fit(x, y, weight, choice.best.setting), choice.document)


@dataclass(frozen=True, slots=True)
class LinearSvm:
    """Squared hinge loss, L2 penalty; a sigmoid fitted on packages that were left out (Platt 1999)."""

    strengths: Sequence[float] = SVM_STRENGTHS
    """Values of C: the inverse of the penalty's strength."""

    name: ClassVar[str] = "svm"
    reads: ClassVar[Reads] = "pooled"

    def fit(self, x: FloatArray, y: Labels, *, weight: FloatVector, groups: Groups, seed: int) -> FittedClassifier:
        """As `Estimator.fit`; C is chosen, and the sigmoid is fitted on the scores by which it was chosen."""
        check(x, y, weight=weight, groups=groups, reads=self.reads, name=self.name)

        def fit(x: FloatArray, y: Labels, weight: FloatVector, setting: Setting) -> "Pipeline":
            from sklearn.svm import LinearSVC  # noqa: PLC0415 - an extra

            # The primal problem: there are more rows than columns, and its solver draws nothing by chance.
            machine = LinearSVC(C=setting["c"], dual=False, max_iter=2_000, random_state=seed)
            return _fit(machine, x, y, weight)

        choice = _chosen(fit, self.strengths, x, y, weight, groups, seed)
        judged = ~np.isnan(choice.best.scores)
        slope, offset = sigmoid(choice.best.scores[judged], y[judged], weight[judged])
        fitted = fit(x, y, weight, choice.best.setting)
        parameters = {**choice.document, "sigmoid": {"slope": slope, "offset": offset}}
        return FittedClassifier(self.name, _with_sigmoid(fitted, slope, offset), parameters)


def _fit(machine: Any, x: FloatArray, y: Labels, weight: FloatVector) -> "Pipeline":
    from sklearn.pipeline import Pipeline  # noqa: PLC0415 - an extra
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415 - an extra

    # In float64: with float32's rounding a solver may stop early, and elsewhere on another processor.
    pipeline = Pipeline([("scale", StandardScaler()), ("machine", machine)])
    return pipeline.fit(x.astype(np.float64), y, machine__sample_weight=weight)


def _chosen(
    fit: Any, strengths: Sequence[float], x: FloatArray, y: Labels, weight: FloatVector, groups: Groups, seed: int
) -> Choice:
    def score(setting: Setting, fold: Fold) -> FloatVector:
        fitted = fit(x[fold.inside], y[fold.inside], fold.weight, setting)
        scores: FloatVector = fitted.decision_function(x[fold.outside])
        return scores

    settings = [{"c": c} for c in sorted(strengths)]
    # The weaker the penalty, the longer a fit takes, and beyond the best one the loss only rises.
    return choose(settings, score, folds(y, weight, groups, seed=seed), y=y, weight=weight, patience=1)


def _with_sigmoid(fitted: "Pipeline", slope: float, offset: float) -> "Pipeline":
    """The machine and its sigmoid as one: a sigmoid of a weighted sum is what logistic regression computes too.

    So it becomes the same two operations in ONNX (Scaler, LinearClassifier), which a `CalibratedClassifierCV` of
    scikit-learn would need a dozen for.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - an extra
    from sklearn.pipeline import Pipeline  # noqa: PLC0415 - an extra

    machine = fitted["machine"]
    same = LogisticRegression()
    same.classes_ = machine.classes_
    same.n_features_in_ = machine.n_features_in_
    same.coef_ = slope * machine.coef_
    same.intercept_ = slope * machine.intercept_ + offset
    return Pipeline([("scale", fitted["scale"]), ("sigmoid", same)])
