"""How one source is doing, counted from its observations, for telemetry and metrics."""

import bisect
import math
import time
from collections import deque
from dataclasses import dataclass, field

from device.monitoring.host import cpu_temperature_c, resident_mb
from device.pipeline import Observation
from device.publishing.payloads import Telemetry
from device.publishing.publisher import Publisher
from device.sound import SAMPLE_RATE

LATENCY_BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.48, 0.5, 0.96)
"""Upper bounds of the histogram's buckets, in seconds. A device that takes longer than a hop for an answer falls
behind: 0.48 is the bound for models that answer every 0.48 s, 0.96 for those that answer every 0.96 s."""

_RECENT = 256
"""Latest answers that the percentiles are taken from: two to four minutes of sound, depending on the model."""


@dataclass(slots=True)
class Latencies:
    """A histogram of seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BOUNDS_S) + 1))
    """One for each bound, not cumulative, and one for what exceeds them all."""
    total_s: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one more."""
        self.counts[bisect.bisect_left(LATENCY_BOUNDS_S, seconds)] += 1
        self.total_s += seconds


@dataclass(slots=True)
class Counts:
    """Of one source, over all the times it was opened. Its listener counts; any thread may read."""

    answers: int = 0
    """Answers to the sound of the source, one every hop, those during a flat line included."""
    decisions: int = 0
    """Answers that the decision took in: all but those during a flat line."""
    inference: Latencies = field(default_factory=Latencies)
    """Of those decisions."""
    overruns: int = 0
    """How often the audio device lost samples."""
    invalid: int = 0
    """Samples that were not finite numbers."""
    opens: int = 0
    """How often the source was opened, the first time included."""
    losses: int = 0
    """How often it was lost, or could not be opened."""
    level_dbfs: float = -math.inf
    """Of the sound of the latest answer."""


class Vitals:
    """Counts on, and makes telemetry of it. Not thread-safe: the listener's own thread calls it."""

    def __init__(self, counts: Counts, *, telemetry_interval_s: float) -> None:
        self._counts = counts
        self._interval_samples = telemetry_interval_s * SAMPLE_RATE
        self._due = self._interval_samples
        self._costs_ms: deque[float] = deque(maxlen=_RECENT)
        self._clipping = 0.0
        self._observations = 0
        self._overruns_before = self._invalid_before = 0
        self._began = time.monotonic()

    def opened(self) -> None:
        """The source is opened (again): its samples, and what the pipeline counts, begin at zero."""
        self._counts.opens += 1
        self._overruns_before, self._invalid_before = self._counts.overruns, self._counts.invalid
        self._due = self._interval_samples

    def observed(self, observation: Observation) -> None:
        """Count one more answer, or the end of the source."""
        counts, health = self._counts, observation.health
        if observation.condition != "ended":
            counts.answers += 1
            counts.level_dbfs = health.level_dbfs
        if observation.condition == "hearing":
            counts.decisions += 1
            counts.inference.add(observation.cost_s)
            self._costs_ms.append(observation.cost_s * 1000)
        counts.overruns = self._overruns_before + health.overruns
        counts.invalid = self._invalid_before + health.invalid
        self._clipping += health.clipping
        self._observations += 1

    def telemetry(self, observation: Observation, publisher: Publisher) -> Telemetry | None:
        """What to tell, if it is time to; the next is due an interval of sound later."""
        if observation.heard < self._due:
            return None
        self._due = observation.heard + self._interval_samples
        telemetry = self._telemetry(
            observation.health.level_dbfs, self._clipping / self._observations, publisher=publisher
        )
        self._clipping, self._observations = 0.0, 0
        return telemetry

    def starting(self, publisher: Publisher) -> Telemetry:
        """What to tell before anything was heard: it replaces what an earlier process left at the broker."""
        return self._telemetry(None, 0.0, publisher=publisher)

    def _telemetry(self, level_dbfs: float | None, clipping: float, *, publisher: Publisher) -> Telemetry:
        costs = sorted(self._costs_ms)
        return Telemetry(
            level_dbfs=level_dbfs,
            clipping=clipping,
            inference_p50_ms=costs[len(costs) // 2] if costs else None,
            inference_p95_ms=costs[int(0.95 * len(costs))] if costs else None,
            overruns=self._counts.overruns,
            rss_mb=resident_mb(),
            cpu_temperature_c=cpu_temperature_c(),
            uptime_s=time.monotonic() - self._began,
            queued_events=publisher.queued_events,
            dropped_events=publisher.dropped_events,
            refused_events=publisher.refused_events,
        )
