"""How the networks of the comparison learn: until packages that were left out gain no more, then from all rows.

Every one reads sequences, gives one probability, and becomes int8 TFLite. Needs TensorFlow and Keras, which are
imported only when something is fitted.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

import numpy as np

from device.hearing.statistics.pooling import Standardisation
from device.sound import FloatArray
from export.convert import tflite
from export.errors import ExportError
from export.estimators.base import ModelFile, Reads, check, check_shape, standardisation_of
from export.estimators.choosing import LEAST, Fold, Indices, Setting, choose, folds
from export.evaluation.metrics import FloatVector, Groups, Labels, log_loss, log_odds
from export.frameworks import tensorflow
from export.progress import Progress

_ROWS_AT_ONCE = 1_024


Build = Callable[[int, Setting], Any]
"""From the size of an embedding and a setting to a compiled Keras network, (10, size) to one probability of music,
with weights drawn by Keras's seed."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long to learn."""

    every_steps: int = 100
    """From one look at the packages left out to the next. Not epochs: of few rows they would be too short."""
    most_looks: int = 60
    patience: int = 6
    """Looks without progress, after which a fold stops."""
    folds: int = 2
    """So many of the folds are tried: each costs a training."""
    batch: int = 64
    """Rows in a step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """An estimator that is a Keras network."""

    name: str
    build: Build
    settings: Sequence[Setting]
    """To choose from, the simplest first."""
    schedule: Schedule
    standardise: bool
    """Whether to bring the columns to one size first, see `Standardisation`: for features of different units. The
    device does not do it: embeddings are read as they are."""

    reads: ClassVar[Reads] = "sequence"

    def fit(self, x: FloatArray, y: Labels, *, weight: FloatVector, groups: Groups, seed: int) -> "FittedNetwork":
        """As `Estimator.fit`; a setting is chosen, and the steps: as many as the folds needed in the mean.

        Raises:
            ExportError: TensorFlow is not installed; and as `Estimator.fit`.
        """
        check(x, y, weight=weight, groups=groups, reads=self.reads, name=self.name)
        tensorflow("training a network")
        standardisation = standardisation_of(x) if self.standardise else None
        rows = x if standardisation is None else standardisation(x)
        deal = folds(y, weight, groups, seed=seed)[: self.schedule.folds]
        looks: dict[str, list[int]] = {}

        def score(setting: Setting, fold: Fold) -> FloatVector:
            course = self._course(setting, rows, seed)
            best, scores = course.until_no_better(rows, y, weight, fold)
            looks.setdefault(_shown(setting), []).append(best)
            return scores

        choice = choose(self.settings, score, deal, y=y, weight=weight)
        needed = round(float(np.mean(looks[_shown(choice.best.setting)])))
        course = self._course(choice.best.setting, rows, seed)
        course.through(rows, y, weight, needed)
        steps = needed * self.schedule.every_steps
        parameters = {**choice.document, "steps": steps, "standardised": self.standardise}
        return FittedNetwork(self.name, course.model, parameters, standardisation)

    def _course(self, setting: Setting, x: FloatArray, seed: int) -> "_Course":
        import keras  # noqa: PLC0415 - seconds to import

        keras.utils.set_random_seed(seed)
        model = self.build(x.shape[-1], setting)
        return _Course(model, self.schedule, seed, f"{self.name} {_shown(setting)}".strip())


@dataclass(frozen=True, slots=True)
class FittedNetwork:
    """A Keras network that has learnt; becomes int8 TFLite."""

    name: str
    model: Any
    parameters: Mapping[str, Any]
    standardisation: Standardisation | None

    def probability(self, x: FloatArray) -> FloatVector:
        """As `Fitted.probability`, of the float32 network."""
        return _probability(self.model, self._rows(x), np.arange(len(x)))

    def convert(self, example: FloatArray) -> ModelFile:
        """As `Fitted.convert`; ranges are measured on the example, spread over all of its rows."""
        converted = tflite.convert(self.model, self._rows(example))
        return ModelFile(
            content=converted.content,
            suffix=".tflite",
            output=converted.output_of_size(1).name,
            labels=("music",),
            quantisation="int8",
            standardisation=self.standardisation,
        )

    def _rows(self, x: FloatArray) -> FloatArray:
        check_shape(x, reads="sequence", name=self.name, width=int(self.model.inputs[0].shape[-1]))
        return x if self.standardisation is None else self.standardisation(x)


@dataclass(frozen=True, slots=True)
class _Course:
    """One training of a network."""

    model: Any
    schedule: Schedule
    seed: int
    title: str

    def until_no_better(
        self, x: FloatArray, y: Labels, weight: FloatVector, fold: Fold
    ) -> tuple[int, FloatVector]:
        """The look with the smallest log loss on the rows left out, and their log odds then.

        The log loss alone: a penalty on the weights, which sinks for as long as one looks, would hide its rise.

        Raises:
            ExportError: the network gives no numbers from the start.
        """
        steps = self._steps(x, y, fold.inside, fold.weight)
        best, lowest = 0, np.inf
        scores: FloatVector = np.zeros(len(fold.outside))
        with Progress(total=self.schedule.most_looks, unit="look") as progress:
            for look in range(1, self.schedule.most_looks + 1):
                deque(islice(steps, self.schedule.every_steps), maxlen=0)
                probability = _probability(self.model, x, fold.outside)
                if not np.isfinite(probability).all():
                    break
                now = log_odds(probability.astype(np.float64), least=LEAST)
                loss = log_loss(now, y[fold.outside], weight[fold.outside])
                progress.step(f"{self.title}: log loss {loss:.4f} on packages left out")
                if loss < lowest:
                    best, lowest, scores = look, loss, now
                elif look - best >= self.schedule.patience:
                    break
        if not best:
            raise self._diverged(x)
        return best, scores

    def through(self, x: FloatArray, y: Labels, weight: FloatVector, looks: int) -> None:
        """Learn from all rows, for as many steps as lie between so many looks.

        Raises:
            ExportError: the network gives no numbers at the end.
        """
        everything = np.arange(len(y))
        steps = self._steps(x, y, everything, weight)
        with Progress(total=looks, unit=f"{self.schedule.every_steps} steps") as progress:
            for _ in range(looks):
                deque(islice(steps, self.schedule.every_steps), maxlen=0)
                progress.step(f"{self.title}: all packages")
        if not np.isfinite(_probability(self.model, x, everything[:_ROWS_AT_ONCE])).all():
            raise self._diverged(x)

    def _steps(self, x: FloatArray, y: Labels, rows: Indices, weight: FloatVector) -> Iterator[None]:
        """Learn from a batch each time, without end; every row comes before any comes again.

        What is left over from whole batches waits for the next order: for a batch of another size, the network
        would be compiled anew.
        """
        generator = np.random.default_rng(self.seed)
        batch = min(self.schedule.batch, len(rows))
        while True:
            order = generator.permutation(len(rows))
            for begin in range(0, len(order) - batch + 1, batch):
                chosen = order[begin : begin + batch]
                at = rows[chosen]
                self.model.train_on_batch(
                    x[at], y[at, None].astype(np.float32), sample_weight=weight[chosen].astype(np.float32)
                )
                yield

    def _diverged(self, x: FloatArray) -> ExportError:
        return ExportError(
            f"{self.title}: the network's answers are not finite numbers; it cannot learn from features up to "
            f"{np.abs(x).max():.3g}: standardise them"
        )


def _probability(model: Any, x: FloatArray, indices: Indices) -> FloatVector:
    """(n,) of the rows at the indices."""
    pieces = [
        np.asarray(model(x[indices[begin : begin + _ROWS_AT_ONCE]], training=False)).reshape(-1)
        for begin in range(0, len(indices), _ROWS_AT_ONCE)
    ]
    return np.concatenate(pieces)


def _shown(setting: Setting) -> str:
    return ", ".join(f"{value} {key}" for key, value in setting.items())
