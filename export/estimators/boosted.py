"""Gradient-boosted trees: XGBoost."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from device.sound import FloatArray
from export.errors import ExportError
from export.estimators.base import Reads, check
from export.estimators.choosing import Fold, Setting, choose, folds
from export.estimators.pooled import FittedClassifier
from export.evaluation.metrics import FloatVector, Groups, Labels


@dataclass(frozen=True, slots=True)
class BoostedTrees:
    """XGBoost with histograms (Chen and Guestrin 2016)."""

    depths: Sequence[int] = (2, 4)
    """To choose from."""
    learning_rate: float = 0.1
    most_rounds: int = 300
    patience: int = 20
    """Rounds without progress on the packages left out, after which a fold stops."""
    jobs: int = 1
    """Threads."""

    name: ClassVar[str] = "xgboost"
    reads: ClassVar[Reads] = "pooled"

    def fit(self, x: FloatArray, y: Labels, *, weight: FloatVector, groups: Groups, seed: int) -> FittedClassifier:
        """As `Estimator.fit`; the depth is chosen, and the rounds: as many as the folds needed in the mean.

        Raises:
            ExportError: XGBoost is not installed; and as `Estimator.fit`.
        """
        check(x, y, weight=weight, groups=groups, reads=self.reads, name=self.name)
        rounds: dict[int, list[int]] = {depth: [] for depth in sorted(self.depths)}

        def score(setting: Setting, fold: Fold) -> FloatVector:
            trees = self._trees(setting, self.most_rounds, seed, early_stopping_rounds=self.patience)
            trees.fit(
                x[fold.inside],
                y[fold.inside],
                sample_weight=fold.weight,
                eval_set=[(x[fold.outside], y[fold.outside])],
                sample_weight_eval_set=[weight[fold.outside]],
                verbose=False,
            )
            rounds[setting["max_depth"]].append(trees.best_iteration + 1)
            scores: FloatVector = trees.predict(x[fold.outside], output_margin=True)
            return scores

        choice = choose(
            [{"max_depth": depth} for depth in rounds],
            score,
            folds(y, weight, groups, seed=seed),
            y=y,
            weight=weight,
        )
        needed = round(float(np.mean(rounds[choice.best.setting["max_depth"]])))
        trees = self._trees(choice.best.setting, needed, seed)
        trees.fit(x, y, sample_weight=weight, verbose=False)
        return FittedClassifier(self.name, trees, {**choice.document, "rounds": needed})

    def _trees(self, setting: Setting, rounds: int, seed: int, **further: Any) -> Any:
        return _xgboost().XGBClassifier(
            n_estimators=rounds,
            max_depth=setting["max_depth"],
            learning_rate=self.learning_rate,
            subsample=0.7,
            colsample_bytree=0.3,
            min_child_weight=5,
            max_bin=64,
            tree_method="hist",
            objective="binary:logistic",
            eval_metric="logloss",
            base_score=0.5,  # XGBoost would estimate the same: the weights make both classes equal
            n_jobs=self.jobs,
            random_state=seed,
            **further,
        )


def _xgboost() -> Any:
    try:
        return importlib.import_module("xgboost")
    except ImportError as error:
        raise ExportError(f"boosted trees need XGBoost: pip install xgboost-cpu ({error})") from error
