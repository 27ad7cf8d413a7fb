"""Event messages read back: which start a stop belongs to, and the stop of a start that never had one. Pure."""

import json
from dataclasses import dataclass, replace
from datetime import datetime

from device.publishing.message import Message, Topics, event_message
from device.publishing.payloads import EventReport

LATEST = 2.5e11
"""Seconds since the epoch, in the year 9892: past that dates end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What an event message says."""

    topics: Topics
    source: str
    report: EventReport


def read_event(message: Message) -> Said | None:
    """What was said by `event_message`; None for every other message."""
    match message.topic.split("/"):
        case [base, node, source, "event"]:
            pass
        case _:
            return None
    try:
        fields = json.loads(message.payload)
        report = EventReport(
            event_type=fields["event_type"],
            id=fields["id"],
            started=_seconds(fields["started"]),
            ended=None if fields["ended"] is None else _seconds(fields["ended"]),
            duration_s=fields["duration_s"],
            peak=fields["peak"],
            mean=fields["mean"],
            model=fields["model"],
        )
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    if not _is_sound(report):
        return None
    return Said(topics=Topics(base, node), source=source, report=report)


def _is_sound(report: EventReport) -> bool:
    """Whether every value is of its type: what was read from a disk may be anything."""
    texts = (report.event_type, report.id, report.model)
    times = (report.started, report.started if report.ended is None else report.ended)
    scores = (report.peak, report.mean)
    return (
        all(isinstance(text, str) for text in texts)
        and all(0 <= seconds <= LATEST for seconds in times)
        and all(type(score) in (int, float) and 0 <= score <= 1 for score in scores)
    )


def closing(start: Said, ended: float) -> Message:
    """The stop that a start never had; never before the start.

    Args:
        start: what `music_started` said.
        ended: when the music was heard last, seconds since the epoch.
    """
    report = start.report
    ended = max(report.started, ended)
    stop = replace(report, event_type="music_stopped", ended=ended, duration_s=round(ended - report.started, 3))
    return event_message(start.topics, start.source, stop)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
