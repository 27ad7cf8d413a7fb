"""What one source has been through since the process began, for telemetry and metrics."""

import bisect
import math
from dataclasses import dataclass, field

LATENCY_BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.96)
"""Upper bounds of the histogram's buckets. The last is the time that one patch lasts: slower than that, and the
device falls behind."""


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
class Tally:
    """Counts of one source, over all the times it was opened. Its listener counts; any thread may read."""

    patches: int = 0
    """Patches of 0.96 s that arrived."""
    decisions: int = 0
    """Patches that led to a score and a state: all but those of a flat line."""
    inference: Latencies = field(default_factory=Latencies)
    overruns: int = 0
    """How often the audio device lost samples."""
    invalid: int = 0
    """Samples that were not finite numbers."""
    opens: int = 0
    """How often the source was opened, the first time included."""
    losses: int = 0
    """How often it was lost, or could not be opened."""
    level_dbfs: float = -math.inf
    """Of the latest patch."""
