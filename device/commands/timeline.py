"""What was heard in a recording over time, kept for a picture and reduced to what the picture can show."""

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from device.hearing.decision import Event, Segment, Step
from device.pipeline import Observation
from device.sound import SAMPLE_RATE, FloatArray


@dataclass(slots=True)
class Trace:
    """Values, each of a stretch of time; in order."""

    middle_s: "array[float]" = field(default_factory=lambda: array("d"))
    value: "array[float]" = field(default_factory=lambda: array("f"))

    def add(self, start: int, end: int, value: float) -> None:
        """Of the samples [start, end)."""
        self.middle_s.append((start + end) / 2 / SAMPLE_RATE)
        self.value.append(value)


@dataclass(slots=True)
class Timeline:
    """One recording. 24 bytes an answer: 1.8 MB for ten hours."""

    file: str
    model: str
    mode: str
    limits: Mapping[str, float]
    """Probabilities at which a state turns, by what they are called; at most two."""
    scores: Trace = field(default_factory=Trace)
    """Probability of music, in the middle of the stretch that each answer speaks for."""
    levels_dbfs: Trace = field(default_factory=Trace)
    """In the middle of the sound that each answer was given for."""
    segments: list[Segment] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    heard: int = 0
    """Samples."""

    def note(self, observation: Observation) -> None:
        """Keep what was heard."""
        if observation.heard > self.heard:
            # Rounded: the last digits of a sum depend on where in memory its terms are.
            self.levels_dbfs.add(self.heard, observation.heard, round(observation.health.level_dbfs, 2))
            self.heard = observation.heard
        if observation.score is not None:
            # A clip shorter than a patch is padded: nothing was heard beyond its end.
            end = min(observation.score.end, self.heard)
            self.scores.add(min(observation.score.start, end), end, round(observation.score.probability, 4))

    def finish(self, steps: Iterable[Step]) -> None:
        """Keep what was decided."""
        for step in steps:
            self.events += step.events
            self.segments += step.segments


@dataclass(frozen=True, slots=True)
class Columns:
    """A trace in columns of a picture, empty columns left out; all (n,) float32."""

    at_s: FloatArray
    """The middle of the column, or the value's own time where nothing had to be reduced."""
    low: FloatArray
    mean: FloatArray
    high: FloatArray
    width_s: float | None
    """Seconds in a column; None: nothing had to be reduced."""


def columns(trace: Trace, *, seconds: float, count: int, decibels: bool = False) -> Columns:
    """Reduce a trace to the lowest, the mean and the highest value of each column.

    Args:
        trace: with at least one value.
        seconds: from the left of the first column to the right of the last.
        count: of columns; a trace of no more values stays as it is.
        decibels: the mean is that of the powers.
    """
    at_s, value = np.asarray(trace.middle_s), np.asarray(trace.value, np.float32)
    if len(value) <= count:
        return Columns(at_s.astype(np.float32), value, value, value, None)
    width_s = seconds / count
    column = np.clip((at_s / width_s).astype(int), 0, count - 1)
    filled, first = np.unique(column, return_index=True)
    sizes = np.diff(np.append(first, len(value)))
    powers = 10 ** (value / 10) if decibels else value
    mean = np.add.reduceat(powers.astype(float), first) / sizes
    if decibels:
        with np.errstate(divide="ignore"):  # of digital silence the level is -inf
            mean = 10 * np.log10(mean)
    return Columns(
        at_s=((filled + 0.5) * width_s).astype(np.float32),
        low=np.minimum.reduceat(value, first),
        mean=mean.astype(np.float32),
        high=np.maximum.reduceat(value, first),
        width_s=width_s,
    )
