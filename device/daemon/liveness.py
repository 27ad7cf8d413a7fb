"""When a listener must next show that it is alive. The listener sets the time; the daemon checks it.

The watchdog is fed only while every listener is in time. A thread that hangs anywhere (opening, reading,
inferring, publishing) starves it: a device that runs but hears nothing cannot look healthy.
"""

import math
from dataclasses import dataclass
from typing import Literal

Doing = Literal["opening", "hearing", "waiting", "paused", "ended"]

MARGIN_S = 1.0
"""Added everywhere, for a busy machine."""

OPENING_S = 25.0
"""From asking for a source to its first observation: cameras take up to 15 s for the first sample."""

PAUSED_S = 5.0
"""How often a paused listener shows itself."""


@dataclass(frozen=True, slots=True)
class Liveness:
    """What a listener does, and by when it must do the next thing."""

    doing: Doing
    due: float
    """time.monotonic() seconds."""

    def overdue(self, now: float) -> bool:
        """Whether that time has passed."""
        return now > self.due


def opening(now: float) -> Liveness:
    """The source has been asked for."""
    return Liveness("opening", now + OPENING_S)


def hearing(now: float, *, stall_s: float, next_s: float) -> Liveness:
    """An observation was published, and the next is due when the model has heard enough to answer again.

    Args:
        now: time.monotonic().
        stall_s: after this long without samples the source itself gives up.
        next_s: seconds of sound that the next answer needs.
    """
    return Liveness("hearing", now + stall_s + next_s + MARGIN_S)


def waiting(now: float, *, wait_s: float) -> Liveness:
    """The absence of the source was published, and it is looked for again after `wait_s`."""
    return Liveness("waiting", now + wait_s + MARGIN_S)


def paused(now: float) -> Liveness:
    """Nothing is to be heard, by command, and that was published."""
    return Liveness("paused", now + PAUSED_S + MARGIN_S)


ENDED = Liveness("ended", math.inf)
"""The recording has been heard to its end, or the listener was stopped."""
