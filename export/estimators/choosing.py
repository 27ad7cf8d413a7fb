"""How estimators choose hyperparameters: by how well a setting predicts packages left out of training."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from export.errors import ExportError
from export.estimators.families import families_of
from export.evaluation.metrics import FloatVector, Groups, Labels, log_loss

FOLDS = 4

LEAST = 1 / 512
"""No probability counts as nearer to 0 or 1 than this, as on the device: half a step of an int8 output."""

Indices = npt.NDArray[np.intp]

Setting = Mapping[str, Any]
"""Hyperparameters by name."""


@dataclass(frozen=True, slots=True)
class Fold:
    """Rows to learn from and rows to be judged on."""

    inside: Indices
    """(i,) rows to learn from."""
    outside: Indices
    """(o,) rows to be judged on."""
    weight: FloatVector
    """(i,) of those inside. Both labels keep the share that they have of all rows. With another share in each fold
    a score would mean something else in each, and settings with narrow scores would look worse than they are."""


Score = Callable[[Setting, Fold], FloatVector]
"""Learns with a setting from a fold's rows inside and scores those outside: in log odds, or in any other number
that grows with the odds of music."""


def folds(y: Labels, weight: FloatVector, groups: Groups, *, seed: int, wanted: int = FOLDS) -> list[Fold]:
    """Deal the rows; arguments as for `Estimator.fit`.

    Packages of one family share material and stay together. There are fewer folds than wanted where music or no
    music has fewer families. A fold that would leave one label alone inside is skipped: its rows are learnt from
    in the others, and judged in none.

    Raises:
        ExportError: music or no music comes from a single family of packages, which cannot be left out.
    """
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415 - an extra

    families = families_of(groups)
    for label, called in ((1, "music"), (0, "no music")):
        there = np.unique(families[y == label])
        if len(there) < 2:  # noqa: PLR2004 - one to learn from, one to be judged on
            raise ExportError(
                f"all {called} comes from packages of one family, {str(there[0])!r}; "
                "choosing hyperparameters needs at least two: add packages"
            )
        wanted = min(wanted, len(there))
    split = StratifiedGroupKFold(wanted, shuffle=True, random_state=seed).split(y, y, families)
    dealt = [
        Fold(inside, outside, _same_shares(y, weight, inside))
        for inside, outside in split
        if len(np.unique(y[inside])) > 1
    ]
    if not dealt:
        raise ExportError(
            "no deal of the packages leaves music and no music to learn from on every side; "
            "there are too few packages, or some have both: add packages"
        )
    return dealt


def _same_shares(y: Labels, weight: FloatVector, inside: Indices) -> FloatVector:
    """(i,) weights of rows, mean 1, in which both labels have the share that they have of all."""
    scaled = weight[inside].astype(np.float64)
    for label in (0, 1):
        here = y[inside] == label
        scaled[here] *= weight[y == label].sum() / scaled[here].sum()
    mean_one: FloatVector = scaled / scaled.mean()
    return mean_one


@dataclass(frozen=True, slots=True)
class Trial:
    """The outcome of one setting."""

    setting: Setting
    log_loss: float
    """Weighted, in nats, on packages not learnt from, after the best sigmoid, as every estimator is calibrated
    later."""
    scores: FloatVector
    """(n,) of those rows; NaN for a row that no fold left out."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The best of all settings."""

    best: Trial
    trials: tuple[Trial, ...]

    @property
    def document(self) -> dict[str, Any]:
        """For `Fitted.parameters`."""
        return {
            **self.best.setting,
            "cross_validated_log_loss": round(self.best.log_loss, 5),
            "tried": [{**trial.setting, "log_loss": round(trial.log_loss, 5)} for trial in self.trials],
        }


def choose(
    settings: Sequence[Setting],
    score: Score,
    deal: Sequence[Fold],
    *,
    y: Labels,
    weight: FloatVector,
    patience: int | None = None,
) -> Choice:
    """Try every setting on every fold. Of equally good ones the first is chosen: list the simplest first.

    With a patience, the rest is left out after so many settings in a row that are no better than an earlier one:
    for settings in an order in which the loss falls and then rises.
    """
    trials: list[Trial] = []
    best = 0
    for number, setting in enumerate(settings):
        if patience is not None and number - best > patience:
            break
        scores = np.full(len(y), np.nan)
        for fold in deal:
            scores[fold.outside] = score(setting, fold)
        judged = ~np.isnan(scores)
        slope, offset = sigmoid(scores[judged], y[judged], weight[judged])
        loss = log_loss(slope * scores[judged] + offset, y[judged], weight[judged])
        trials.append(Trial(setting, loss, scores))
        if loss < trials[best].log_loss:
            best = number
    return Choice(trials[best], tuple(trials))


def sigmoid(scores: FloatVector, y: Labels, weight: FloatVector) -> tuple[float, float]:
    """Slope and offset with which 1 / (1 + exp(-(slope x score + offset))) is the probability of music.

    Platt 1999, "Probabilistic Outputs for Support Vector Machines", with his targets: not 0 and 1 but a little
    inside, by the number of rows, so that the slope stays finite where a score tells all rows apart. The (n,)
    scores are of rows that were not learnt from.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - an extra

    music = int(np.count_nonzero(y))
    target = np.where(y == 1, (music + 1) / (music + 2), 1 / (len(y) - music + 2))
    middle, spread = float(scores.mean()), float(scores.std()) or 1.0
    column = ((scores - middle) / spread)[:, None]
    # A row with the target t is a row of music that counts t and one of no music that counts 1 - t.
    model = LogisticRegression(C=np.inf, solver="newton-cholesky").fit(
        np.concatenate([column, column]),
        np.repeat([1, 0], len(y)),
        sample_weight=np.concatenate([weight * target, weight * (1 - target)]),
    )
    slope = float(model.coef_[0, 0]) / spread
    return slope, float(model.intercept_[0]) - slope * middle
