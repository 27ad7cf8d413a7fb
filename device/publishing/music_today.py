"""How much music one source has heard since local midnight. Pure."""

import math
from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo
from datetime import time as time_of_day

_UNSURE_S = 5.0
"""The newest seconds of music that still plays are not counted: its end may be dated back by as much, also by the
next process after a crash. The total must not shrink."""


def local_midnight(moment: float, zone: tzinfo | None = None) -> float:
    """When the local day of this moment began, both in seconds since the epoch; `zone` None: the system's."""
    day = datetime.fromtimestamp(moment, zone).date()
    return datetime.combine(day, time_of_day.min, tzinfo=zone).timestamp()


class MusicToday:
    """Minutes of music since local midnight. They only grow, until the next midnight sets them to 0."""

    def __init__(self, before: Iterable[tuple[float, float]] = (), *, zone: tzinfo | None = None) -> None:
        """Count on.

        Args:
            before: start and end of music that was heard before, in order, seconds since the epoch.
            zone: of the midnights; None: the system's.
        """
        self._zone = zone
        self._midnight = self._next_midnight = -math.inf
        self._finished_s = self._shown_s = 0.0
        for started, ended in before:
            self.add(started, ended)

    def add(self, started: float, ended: float) -> None:
        """Count music that has ended; seconds since the epoch. What ended on an earlier day counts no more."""
        if ended < self._midnight:
            return
        self._turn_to(ended)
        self._finished_s += max(ended - max(started, self._midnight), 0.0)

    def over(self, now: float) -> bool:
        """Whether the day that was counted last has ended."""
        return self._midnight < self._next_midnight <= now

    def minutes(self, now: float, *, playing_since: float | None) -> int:
        """Whole minutes since the midnight before `now`.

        Args:
            now: seconds since the epoch.
            playing_since: when the music began that still plays; None: none does.
        """
        self._turn_to(now)
        playing_s = 0.0
        if playing_since is not None:
            playing_s = max(now - _UNSURE_S - max(playing_since, self._midnight), 0.0)
        self._shown_s = max(self._shown_s, self._finished_s + playing_s)
        return int(self._shown_s // 60)

    def _turn_to(self, moment: float) -> None:
        """Begin with 0 if the moment is of another day."""
        if self._midnight <= moment < self._next_midnight:
            return
        self._midnight = local_midnight(moment, self._zone)
        # 36 hours later is always the next day, also when the clocks change.
        self._next_midnight = local_midnight(self._midnight + timedelta(hours=36).total_seconds(), self._zone)
        self._finished_s = self._shown_s = 0.0
