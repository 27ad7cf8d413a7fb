"""How estimators choose: settings are judged by what they say of packages that they have not learnt from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from export.errors import ExportError
from export.estimators.base import Groups, Labels
from export.estimators.logistic import family
from export.evaluation.metrics import FloatVector

FOLDS = 4

SURE = 1 / 512
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
    """(i,) of those inside. Both labels keep the share that they have of all rows: were it another in each fold,
    a score would mean something else in each, and settings with narrow scores would look worse than they are."""


Score = Callable[[Setting, Fold], FloatVector]
"""Learns with a setting from a fold's rows inside and scores those outside: in log odds, or in any other number
that grows with the odds of music."""


def folds(y: Labels, weight: FloatVector, groups: Groups, *, seed: int, wanted: int = FOLDS) -> list[Fold]:
    """Deal the rows.

    Packages of one family share material and stay together, as everywhere in this project. A fold without which
    there is but one label to learn from is skipped: its rows are learnt from in the others, and judged in none.

    Args:
        y: (n,) 1 for music.
        weight: (n,) of each row.
        groups: (n,) package of each row.
        seed: of the deal.
        wanted: how many folds; fewer where there are fewer families of music or of no music.

    Raises:
        ExportError: music or no music comes from a single family of packages, which cannot be left out.
    """
    families = np.array([family(str(name)) for name in groups])
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
    """What became of one setting."""

    setting: Setting
    log_loss: float
    """Weighted, in nats, on packages not learnt from, after the best sigmoid: every estimator is calibrated later
    anyway, so that it is worth what remains then."""
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
    """Try every setting on every fold; of equally good ones the first is chosen: list the simplest first.

    Args:
        settings: what to choose from.
        score: learns and judges.
        deal: as `folds` gives it.
        y: (n,) 1 for music.
        weight: (n,) of each row.
        patience: after so many settings in a row that are no better than an earlier one, the rest is left out; for
            settings in an order in which the loss falls and then rises. None: all are tried.
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
    inside, by the number of rows, so that the slope stays finite where a score tells all rows apart.

    Args:
        scores: (n,) of rows that the scorer has not learnt from.
        y: (n,) 1 for music.
        weight: (n,) of each row.
    """
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


def log_loss(log_odds: FloatVector, y: Labels, weight: FloatVector) -> float:
    """Mean surprise in nats, weighted."""
    return float(np.average(np.logaddexp(0.0, np.where(y == 1, -log_odds, log_odds)), weights=weight))


def log_odds(probability: FloatVector) -> FloatVector:
    """Of probabilities, none counted as surer than `SURE` allows."""
    sure = np.clip(probability.astype(np.float64), SURE, 1 - SURE)
    odds: FloatVector = np.log(sure / (1 - sure))
    return odds
