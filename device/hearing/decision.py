"""Scores become a state, segments and paired events. Pure: no clock, no I/O, the same in and the same out.

Two thresholds keep the state from flickering between them, two durations keep it from answering every door
bell. Everything is back-dated: an onset is where the music began, not where it was noticed.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from device.hearing.models.sidecar import log_odds
from device.sound import SAMPLE_RATE

_CERTAIN = 1e-6
"""No stretch counts as more certain than this, or than 1 less this: its log odds stay finite."""

_LONGEST_WAIT_S = 60.0
"""How far back an event is dated by the evidence, at most."""


class Music(Enum):
    """The three answers. UNKNOWN is not OFF: the device cannot hear."""

    ON = "ON"
    OFF = "OFF"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Score:
    """One answer of the classifier. Positions are samples at 16 kHz since the start of the source."""

    start: int
    end: int
    """The stretch this answer speaks for, [start, end); consecutive scores join without a gap."""
    heard: int
    """How far the source had been heard when the answer was given."""
    probability: float
    """Calibrated probability of music, 0 to 1."""
    recent: float | None = None
    """The same of the stretch alone, where the answer weighs a longer context too; None: the answer itself."""

    @property
    def evidence(self) -> float:
        """Log odds of music in the stretch alone: what tells where music begins and ends."""
        return _log_odds(self.probability if self.recent is None else self.recent)


@dataclass(frozen=True, slots=True)
class Segment:
    """A finished stretch of one state."""

    start: int
    end: int
    music: Music
    mean: float | None
    """Mean probability; None where nothing was heard."""


@dataclass(frozen=True, slots=True)
class Event:
    """Music started or stopped. Both of a pair have the same `started`."""

    kind: Literal["music_started", "music_stopped"]
    started: int
    """Back-dated onset, in samples."""
    ended: int | None
    """Back-dated end, in samples; None while the music goes on."""
    peak: float
    mean: float
    """Of the probabilities since the onset."""


@dataclass(frozen=True, slots=True)
class Rules:
    """When the state changes."""

    on: float
    """Probability from which a score counts as music."""
    off: float
    """Probability below which a score counts as no music, once music is on; at most `on`."""
    min_on_s: float
    min_off_s: float

    def worst_case_delay_s(self, *, window_s: float, hop_s: float) -> tuple[float, float]:
        """How late, at worst, the state follows a clear start and a clear stop of music, in seconds.

        A score speaks for the middle of its window, so a clear change is certain to show after a whole window
        and up to one hop later; the minimum duration then runs in whole hops.
        """

        def delay(minimum_s: float) -> float:
            hops = max(1, -(-minimum_s // hop_s)) if hop_s else 1
            return window_s + hops * hop_s

        return delay(self.min_on_s), delay(self.min_off_s)


@dataclass(slots=True)
class _Run:
    """Consecutive scores on one side."""

    start: int
    end: int
    total: float = 0.0
    count: int = 0
    peak: float = 0.0

    def add(self, score: Score) -> None:
        self.end = score.end
        self.total += score.probability
        self.count += 1
        self.peak = max(self.peak, score.probability)

    def join(self, later: "_Run") -> None:
        self.end = later.end
        self.total += later.total
        self.count += later.count
        self.peak = max(self.peak, later.peak)

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """What one score changed."""

    events: tuple[Event, ...] = ()
    segments: tuple[Segment, ...] = ()


@dataclass(slots=True)
class Decision:
    """The state of one source. `rules` may be replaced between scores (another mode)."""

    rules: Rules
    since: int = 0
    """Where the present state began, back-dated, in samples."""
    _on: bool = field(default=False, repr=False)
    _settled: _Run = field(default_factory=lambda: _Run(0, 0), repr=False)
    """The run that made the present state; empty while nothing has been heard."""
    _pending: _Run | None = field(default=None, repr=False)
    """Scores on the other side, not yet long enough to change it."""
    _latest: deque[Score] = field(default_factory=deque, repr=False)
    """The scores of the last minute, for dating a change."""

    @property
    def state(self) -> Music:
        """UNKNOWN until the first score, and while only a start that has not lasted yet was heard."""
        if not self._settled.count:
            return Music.UNKNOWN
        return Music.ON if self._on else Music.OFF

    @property
    def heard_until(self) -> int | None:
        """How far the music that is on was heard, in samples: what would be its end. None while it is not on."""
        return self._settled.end if self._on else None

    def update(self, score: Score) -> Step:
        """Take the next score in.

        After `lose`, scores that speak for what was closed then change nothing.
        """
        if not self._settled.count and self._pending is None:
            if score.end <= self.since:
                return Step()
            self.since = max(self.since, score.start)
            self._settled = _Run(self.since, self.since)
        self._latest.append(score)
        while score.end - self._latest[0].start > _LONGEST_WAIT_S * SAMPLE_RATE:
            self._latest.popleft()
        if not self._is_against(score.probability):
            self._drop_pending()
            self._settled.add(score)
            return Step()
        if self._pending is None:
            start = max(score.start, self._settled.end)
            self._pending = _Run(start, start)
        self._pending.add(score)
        minimum_s = self.rules.min_off_s if self._on else self.rules.min_on_s
        if self._pending.end - self._pending.start < minimum_s * SAMPLE_RATE:
            return Step()
        return self._turn()

    def lose(self, end: int | None = None) -> Step:
        """Nothing can be heard any more, or the source has ended: close what is open.

        The state is unknown until the next score.

        Args:
            end: how far the source had been heard, in samples: what is open lasts until then, also where that is
                less than the last score spoke for (a clip shorter than a patch). None keeps the end of that score.
        """
        if not self._settled.count and self._pending is None:
            return Step()
        step = self._close(end)
        self._on, self._settled, self._pending = False, _Run(0, 0), None
        self.since = step.segments[-1].end
        return step

    def _is_against(self, probability: float) -> bool:
        """Whether a score speaks against the present state."""
        return probability < self.rules.off if self._on else probability >= self.rules.on

    def _drop_pending(self) -> None:
        """What was pending did not last: it belongs to the present state after all."""
        if self._pending is not None:
            self._settled.join(self._pending)
            self._pending = None

    def _turn(self) -> Step:
        """The pending run has lasted: it becomes the state."""
        assert self._pending is not None  # noqa: S101 - update calls this only with one
        before, after = self._settled, self._pending
        before.end = after.start = self._change(before.start)
        segments = (_segment(before, self.state),) if before.count else ()
        event = _stopped(before) if self._on else _started(after)
        self._on = not self._on
        self._settled, self._pending, self.since = after, None, after.start
        return Step((event,), segments)

    def _change(self, since: int) -> int:
        """Where the state has most likely changed: the split for which most evidence of single stretches speaks.

        An answer may follow its context for a while when the sound has long changed. So the change may lie before
        what is pending, as far back as the stretches speak against the present state, but not before `since`.
        """
        assert self._pending is not None  # noqa: S101 - as `_turn`
        place, total, most = self._pending.start, 0.0, 0.0
        for score in self._latest:
            if self._on:
                evidence = score.evidence - _log_odds(self.rules.off)
            else:
                evidence = _log_odds(self.rules.on) - score.evidence
            if score.start < self._pending.start and evidence >= 0:
                place, total, most = max(since, score.end), 0.0, 0.0
            elif score.end < self._pending.end:
                total += evidence
                if total > most and score.end > since:
                    place, most = score.end, total
        return place

    def _close(self, end: int | None) -> Step:
        """Segments and events of whatever is open.

        A start that was pending did not last and did not happen, unless nothing else was ever heard (a clip
        shorter than `min_on_s`). A stop that was pending is believed: nothing after it speaks for music.
        """
        events: list[Event] = []
        if not self._on and self._pending is not None:
            if self._settled.count:
                self._drop_pending()
            else:
                self._on, self._settled, self._pending = True, self._pending, None
                events.append(_started(self._settled))
        last = self._pending or self._settled
        if end is not None:
            last.end = max(last.start, end)
        segments = [_segment(self._settled, self.state)]
        if self._on:
            events.append(_stopped(self._settled))
        if self._pending is not None:
            segments.append(_segment(self._pending, Music.OFF))
        return Step(tuple(events), tuple(segments))


def _log_odds(probability: float) -> float:
    return log_odds(min(max(probability, _CERTAIN), 1 - _CERTAIN))


def _segment(run: _Run, music: Music) -> Segment:
    return Segment(run.start, run.end, music, run.mean)


def _started(run: _Run) -> Event:
    return Event("music_started", run.start, None, run.peak, run.mean)


def _stopped(run: _Run) -> Event:
    return Event("music_stopped", run.start, run.end, run.peak, run.mean)
