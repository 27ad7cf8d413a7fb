"""The seven estimators that the comparison compares, each on every embedding."""

from export.estimators.base import Estimator
from export.estimators.boosted import BoostedTrees
from export.estimators.forest import RandomForest
from export.estimators.heads import attention_head, dense_head, gru_head
from export.estimators.linear import LinearSvm, PooledLogistic


def all_estimators(*, jobs: int = 1, standardise: bool = False) -> tuple[Estimator, ...]:
    """One of each, the simplest first; `standardise` is for the networks, see `Network`, `jobs` are threads."""
    return (
        PooledLogistic(),
        LinearSvm(),
        RandomForest(jobs=jobs),
        # One thread: those of XGBoost wait in a busy loop, and take ten times as long beside other work.
        BoostedTrees(),
        dense_head(standardise=standardise),
        gru_head(standardise=standardise),
        attention_head(standardise=standardise),
    )
