"""What the pipeline observes of one source, as messages. Pure: samples become dates here; nothing is sent."""

from dataclasses import dataclass, replace

from device.configuration.settings import Mode
from device.hearing.decision import Event, Music, Step
from device.pipeline import Observation
from device.publishing.message import (
    Message,
    Topics,
    event_id,
    event_message,
    state_message,
    state_messages,
    summary_message,
)
from device.publishing.music_today import MusicToday
from device.publishing.payloads import EventReport, StateReport
from device.sound import SAMPLE_RATE

REASONS = {Music.ON: "music", Music.OFF: "no music", Music.UNKNOWN: "starting"}
"""Why the state is what it is, where the source can be heard."""


@dataclass(frozen=True, slots=True)
class _Identity:
    """What both events of a pair share, fixed when the music starts: a corrected clock must not change it."""

    id: str
    started: float
    onset: int
    """The sample that `started` dates."""


class Reporter:
    """Makes the messages of one source: events as they are decided, the state on change and at intervals."""

    def __init__(
        self,
        *,
        topics: Topics,
        source: str,
        model: str,
        mode: Mode,
        state_interval_s: float,
        origin: float,
        summary_interval_s: float | None = None,
        today: MusicToday | None = None,
    ) -> None:
        """Nothing is observed yet.

        Args:
            topics: of the device.
            source: the source's name.
            model: the name of the model that hears.
            mode: in force.
            state_interval_s: seconds of sound between two states without a change.
            origin: when sample zero was, seconds since the epoch.
            summary_interval_s: the same for summaries; None: there are none.
            today: counts the music of today; None: from zero.
        """
        self.mode: Mode = mode
        self.model = model
        self._topics = topics
        self._source = source
        self._interval_samples = state_interval_s * SAMPLE_RATE
        self._summary_samples = None if summary_interval_s is None else summary_interval_s * SAMPLE_RATE
        self._today = today or MusicToday()
        self._origin = origin
        self._heard = 0
        self.said: tuple[Music, str] | None = None
        """The latest state and its reason, as published."""
        self._report: StateReport | None = None
        self._said_at = self._summarised_at = 0
        self._counted_at = origin
        """When the music of today was counted last."""
        self._open: _Identity | None = None

    def playing(self, heard_until: int) -> tuple[str, float] | None:
        """The id of the music that is on, and when it was last heard; None while none is on.

        Args:
            heard_until: how far it was heard, in samples.
        """
        if self._open is None:
            return None
        return self._open.id, self._open.started + (heard_until - self._open.onset) / SAMPLE_RATE

    def observed(self, observation: Observation) -> list[Message]:
        """The messages after one more answer."""
        self._origin, self._heard = observation.origin, observation.heard
        messages = self._events(observation.step)
        state = observation.state
        reason = REASONS[state] if observation.condition == "hearing" else observation.condition
        changed = (state, reason) != self.said
        summary_due = (
            self._summary_samples is not None and self._heard - self._summarised_at >= self._summary_samples
        )
        state_due = self._heard - self._said_at >= self._interval_samples
        if changed or state_due or summary_due:
            score = observation.score.probability if observation.score else None
            report = self._state(state, reason, observation.since, score, observation.health.level_dbfs)
            now = self._date(self._heard)
            # Availability and plain ON or OFF are retained: without a change they need not be repeated.
            if changed:
                messages += self._turned(report, now)
            if not changed and state_due:
                self._said_at = self._heard
                messages.append(state_message(self._topics, self._source, report))
            if not changed and summary_due:
                messages += self._summary(report, now)
        return messages

    def silent(self, reason: str, step: Step | None = None) -> list[Message]:
        """The messages when nothing is heard (`starting`, `no audio`, `paused`); `step` ends what was open."""
        messages = self._events(step) if step else []
        if self.said != (Music.UNKNOWN, reason):
            report = self._state(Music.UNKNOWN, reason, self._heard, None, None)
            messages += self._turned(report, self._latest_moment)
        return messages

    def day_over(self, now: float) -> bool:
        """Whether the day of the latest summary has ended; `now` in seconds since the epoch."""
        return self._summary_samples is not None and self._today.over(now)

    def summarised(self, now: float) -> list[Message]:
        """The latest state once more, as a summary at this time, seconds since the epoch."""
        return [] if self._report is None else self._summary(self._report, now)

    def restated(self) -> list[Message]:
        """The latest state once more, with the model and mode that are now in force."""
        if self._report is None:
            return []
        self._report = replace(self._report, model=self.model, mode=self.mode)
        state = state_message(self._topics, self._source, self._report)
        return [state, *self._summary(self._report, self._latest_moment)]

    def restarted(self, origin: float) -> None:
        """The source is opened again: its samples count from zero."""
        self._origin, self._heard, self._said_at, self._summarised_at = origin, 0, 0, 0

    def _state(
        self, state: Music, reason: str, since: int, score: float | None, level_dbfs: float | None
    ) -> StateReport:
        self.said = state, reason
        self._report = StateReport(
            music=None if state is Music.UNKNOWN else state.value,
            score=score,
            since=self._date(since),
            updated=self._date(self._heard),
            level_dbfs=level_dbfs,
            model=self.model,
            mode=self.mode,
            paused=reason == "paused",
            reason=reason,
        )
        return self._report

    @property
    def _latest_moment(self) -> float:
        """Without sound, midnights pass all the same."""
        return max(self._date(self._heard), self._counted_at)

    def _turned(self, report: StateReport, now: float) -> tuple[Message, ...]:
        """All that a new state says."""
        self._said_at = self._summarised_at = self._heard
        today_min = None if self._summary_samples is None else self._today_min(now)
        return state_messages(self._topics, self._source, report, today_min)

    def _summary(self, report: StateReport, now: float) -> list[Message]:
        if self._summary_samples is None:
            return []
        self._summarised_at = self._heard
        return [summary_message(self._topics, self._source, report, self._today_min(now))]

    def _today_min(self, now: float) -> int:
        self._counted_at = now
        return self._today.minutes(now, playing_since=None if self._open is None else self._open.started)

    def _events(self, step: Step) -> list[Message]:
        topic = self._topics.event(self._source)
        return [event_message(topic, self._event(event)) for event in step.events]

    def _event(self, event: Event) -> EventReport:
        if self._open is None:
            started = self._date(event.started)
            self._open = _Identity(event_id(self._topics.node, self._source, started), started, event.started)
        identity, duration_s = self._open, None
        if event.ended is not None:
            # From the samples: the clock may have been corrected between the two dates.
            duration_s = (event.ended - event.started) / SAMPLE_RATE
            self._open = None
        ended = None if duration_s is None else identity.started + duration_s
        if ended is not None:
            self._today.add(identity.started, ended)
        return EventReport(
            event_type=event.kind,
            id=identity.id,
            started=identity.started,
            ended=ended,
            duration_s=duration_s,
            peak=event.peak,
            mean=event.mean,
            node=self._topics.node,
            source=self._source,
            model=self.model,
        )

    def _date(self, sample: int) -> float:
        return self._origin + sample / SAMPLE_RATE
