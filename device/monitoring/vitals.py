"""How one source is doing: what `telemetry` says of it, counted from its observations."""

import time
from collections import deque

from device.monitoring.host import cpu_temperature_c, resident_mb
from device.monitoring.tally import Tally
from device.pipeline import Observation
from device.publishing.payloads import Telemetry
from device.publishing.publisher import Publisher
from device.sound import SAMPLE_RATE

_RECENT = 256
"""Inferences whose times the percentiles are taken of: two to four minutes' worth, as the model answers."""


class Vitals:
    """Counts for one source, over all its openings. Not thread-safe: the listener's own thread calls it."""

    def __init__(self, tally: Tally, *, telemetry_interval_s: float) -> None:
        self._tally = tally
        self._interval_samples = telemetry_interval_s * SAMPLE_RATE
        self._due = self._interval_samples
        self._costs_ms: deque[float] = deque(maxlen=_RECENT)
        self._clipping = 0.0
        self._patches = 0
        self._overruns_before = self._invalid_before = 0
        self._began = time.monotonic()

    def opened(self) -> None:
        """The source is opened (again): its samples, and what the pipeline counts, begin at zero."""
        self._tally.opens += 1
        self._overruns_before, self._invalid_before = self._tally.overruns, self._tally.invalid
        self._due = self._interval_samples

    def observed(self, observation: Observation) -> None:
        """Count one more patch, or the end."""
        tally, health = self._tally, observation.health
        if observation.condition != "ended":
            tally.patches += 1
            tally.level_dbfs = health.level_dbfs
        if observation.condition == "hearing":
            tally.decisions += 1
            tally.inference.add(observation.cost_s)
            self._costs_ms.append(observation.cost_s * 1000)
        tally.overruns = self._overruns_before + health.overruns
        tally.invalid = self._invalid_before + health.invalid
        self._clipping += health.clipping
        self._patches += 1

    def telemetry(self, observation: Observation, publisher: Publisher) -> Telemetry | None:
        """What to tell, if it is time to; the next is due an interval of sound later."""
        if observation.heard < self._due:
            return None
        self._due = observation.heard + self._interval_samples
        costs = sorted(self._costs_ms)
        telemetry = Telemetry(
            level_dbfs=observation.health.level_dbfs,
            clipping=self._clipping / self._patches,
            inference_p50_ms=costs[len(costs) // 2] if costs else None,
            inference_p95_ms=costs[int(0.95 * len(costs))] if costs else None,
            overruns=self._tally.overruns,
            rss_mb=resident_mb(),
            cpu_temperature_c=cpu_temperature_c(),
            uptime_s=time.monotonic() - self._began,
            queued_events=publisher.queued_events,
            dropped_events=publisher.dropped_events,
        )
        self._clipping, self._patches = 0.0, 0
        return telemetry
