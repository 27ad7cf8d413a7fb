"""A random forest, kept small enough for a small device."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from device.sound import FloatArray
from export.estimators.base import Reads, check
from export.estimators.choosing import LEAST, Fold, Setting, choose, folds
from export.estimators.pooled import FittedClassifier
from export.evaluation.metrics import FloatVector, Groups, Labels, log_odds

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier


@dataclass(frozen=True, slots=True)
class RandomForest:
    """The mean vote of trees, each grown on half of the rows (Breiman 2001)."""

    trees: int = 120
    trees_while_choosing: int = 40
    """A third of the trees tells which size is better."""
    leaves: Sequence[int] = (32, 128)
    """Sizes of a tree to choose from. 120 trees of 128 leaves are 1.8 MB of ONNX, and deeper ones learn single
    recordings by heart."""
    rows_in_leaf: int = 5
    """At least."""
    jobs: int = 1
    """Threads; they change nothing but the time."""

    name: ClassVar[str] = "forest"
    reads: ClassVar[Reads] = "pooled"

    def fit(self, x: FloatArray, y: Labels, *, weight: FloatVector, groups: Groups, seed: int) -> FittedClassifier:
        """As `Estimator.fit`; the size of the trees is chosen."""
        check(x, y, weight=weight, groups=groups, reads=self.reads, name=self.name)

        def score(setting: Setting, fold: Fold) -> FloatVector:
            forest = self._fit(
                x[fold.inside], y[fold.inside], fold.weight, setting, self.trees_while_choosing, seed
            )
            return log_odds(forest.predict_proba(x[fold.outside])[:, 1], least=LEAST)

        settings = [{"max_leaf_nodes": count} for count in sorted(self.leaves)]
        choice = choose(settings, score, folds(y, weight, groups, seed=seed), y=y, weight=weight)
        forest = self._fit(x, y, weight, choice.best.setting, self.trees, seed)
        return FittedClassifier(self.name, forest, {**choice.document, "trees": self.trees})

    def _fit(
        self, x: FloatArray, y: Labels, weight: FloatVector, setting: Setting, trees: int, seed: int
    ) -> "RandomForestClassifier":
        from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415 - an extra

        forest = RandomForestClassifier(
            trees,
            max_leaf_nodes=setting["max_leaf_nodes"],
            min_samples_leaf=self.rows_in_leaf,
            max_samples=0.5,
            n_jobs=self.jobs,
            random_state=seed,
        )
        return forest.fit(x, y, sample_weight=weight)
