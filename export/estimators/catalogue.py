"""The seven estimators that the comparison compares, each on every embedding."""

from export.estimators.base import Estimator
from export.estimators.boosted import BoostedTrees
from export.estimators.forest import RandomForest
from export.estimators.heads import attention_head, dense_head, gru_head
from export.estimators.linear import LinearSvm, PooledLogistic


def all_estimators(*, jobs: int = 1, standardise: bool = False) -> tuple[Estimator, ...]:
    """One of each, the simplest first.

    Args:
        jobs: threads of those that can share their work.
        standardise: whether the networks' columns are brought to one size: for statistics of different units. The
            classical ones need no telling.
    """
    return (
        PooledLogistic(),
        LinearSvm(),
        RandomForest(jobs=jobs),
        # One thread: XGBoost's wait for each other in a loop, and take ten times as long beside any other work.
        BoostedTrees(),
        dense_head(standardise=standardise),
        gru_head(standardise=standardise),
        attention_head(standardise=standardise),
    )
