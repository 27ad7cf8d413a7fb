"""The pipeline's own parts, each with a stopwatch on it.

These are the real objects with a clock around their calls: nothing of what they do is done again here.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ParamSpec, TypeVar

from device.hearing.classifier import Classifier
from device.hearing.decision import Decision, Rules, Score, Step
from device.hearing.front_end.features import LOG_MEL, Spectra
from device.hearing.front_end.stream import FrontEnd
from device.hearing.models.loading import LoadedModel, Model, PatchModel, SegmentModel
from device.hearing.models.runtimes import Runtime
from device.sound import FloatArray

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Loaded = TypeVar("Loaded", bound=LoadedModel)


class Stopwatch:
    """Seconds spent in each stage. While a stage within it runs, a stage's own time stands still."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._spent: defaultdict[str, float] = defaultdict(float)
        self._inner = 0.0

    def time(
        self, stage: str, call: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """Make a call, whose time is the stage's."""
        outer, self._inner = self._inner, 0.0
        began = self._clock()
        try:
            return call(*args, **kwargs)
        finally:
            took = self._clock() - began
            self._spent[stage] += took - self._inner
            self._inner = outer + took

    def take(self) -> dict[str, float]:
        """Seconds by stage since the last time this was asked."""
        spent = dict(self._spent)
        self._spent.clear()
        return spent


class TimedSpectra(Spectra):
    """Frames whose logarithm is taken on the clock."""

    __slots__ = ("_watch",)
    _watch: Stopwatch

    def __init__(self, spectra: Spectra, watch: Stopwatch) -> None:
        super().__init__(spectra.mel)
        object.__setattr__(self, "_watch", watch)  # the class is frozen

    def log_mel(self, log_offset: float = LOG_MEL.log_offset) -> FloatArray:
        """As `Spectra.log_mel`."""
        return self._watch.time("log_mel", super().log_mel, log_offset)


class TimedFrontEnd(FrontEnd):
    """The front end of a stream, on the clock."""

    def __init__(self, watch: Stopwatch) -> None:
        super().__init__()
        self._watch = watch

    def feed(self, samples: FloatArray) -> Spectra:
        """As `FrontEnd.feed`."""
        return TimedSpectra(self._watch.time("log_mel", super().feed, samples), self._watch)


class TimedClassifier(Classifier):
    """A model listening to a stream, on the clock: what is neither front end nor network is its `features`."""

    def __init__(self, model: Model, watch: Stopwatch) -> None:
        super().__init__(timed_model(model, watch), front_end=lambda: TimedFrontEnd(watch))
        self._watch = watch

    def answer(self, samples: FloatArray) -> Score:
        """As `Classifier.answer`."""
        return self._watch.time("features", super().answer, samples)


class TimedDecision(Decision):
    """The state of a source, on the clock."""

    def __init__(self, rules: Rules, watch: Stopwatch) -> None:
        super().__init__(rules)
        self._watch = watch

    def update(self, score: Score) -> Step:
        """As `Decision.update`."""
        return self._watch.time("decision", super().update, score)


class TimedRuntime(Runtime):
    """A loaded model file, on the clock."""

    def __init__(self, runtime: Runtime, stage: str, watch: Stopwatch) -> None:
        self.description = runtime.description
        self._runtime = runtime
        self._stage = stage
        self._watch = watch

    def run_all(self, features: FloatArray) -> Sequence[FloatArray]:
        """As the runtime's."""
        return self._watch.time(self._stage, self._runtime.run_all, features)


def timed_model(model: Model, watch: Stopwatch) -> Model:
    """The model, with a stopwatch on every network that it runs."""
    if isinstance(model, SegmentModel):
        embedder = _timed(model.embedder, "embedder", watch)
        return replace(_timed(model, "head", watch), embedder=embedder)
    return _timed(model, "embedder" if isinstance(model, PatchModel) else "head", watch)


def _timed(model: Loaded, stage: str, watch: Stopwatch) -> Loaded:
    return replace(model, runtime=TimedRuntime(model.runtime, stage, watch))
