"""How long to wait before trying again: longer each time, never the same for two devices."""

import random as _random
from collections.abc import Callable


class Backoff:
    """Waits that double, with jitter, so that devices that lost the same server do not return in step.

    Args:
        first_s: the longest first wait, seconds.
        longest_s: no wait exceeds it, seconds.
        jitter: the part of a wait left to chance, 0 (none) to 1 (all of it).
        random: uniform numbers in [0, 1).

    Raises:
        ValueError: the first wait is not positive, or exceeds the longest.
    """

    def __init__(
        self,
        *,
        first_s: float = 0.5,
        longest_s: float = 60.0,
        jitter: float = 0.5,
        random: Callable[[], float] = _random.random,
    ) -> None:
        if not 0 < first_s <= longest_s:
            raise ValueError(f"0 < first_s <= longest_s does not hold for {first_s!r} and {longest_s!r}")
        self._first_s = self._ceiling_s = first_s
        self._longest_s = longest_s
        self._jitter = jitter
        self._random = random

    def next_s(self) -> float:
        """Seconds to wait now, between (1 - jitter) and 1 times the current ceiling; raises the ceiling."""
        wait_s = self._ceiling_s * (1 - self._jitter * self._random())
        self._ceiling_s = min(2 * self._ceiling_s, self._longest_s)
        return wait_s

    def reset(self) -> None:
        """Start again with the shortest wait: the last try worked."""
        self._ceiling_s = self._first_s
