"""How late starts and stops of music are noticed, and false starts."""

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from device.sound import SAMPLE_RATE
from export.corpus.streams import Stream
from export.evaluation.replay import Told
from export.markdown import table

Fate = Literal["noticed", "missed", "already"]
"""`already`: the state was there before the join was (a false start, or music given up too early)."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """What became of one edge of a join."""

    fate: Fate
    delay_s: float = math.nan
    """From the join to the moment the state turned."""
    error_s: float = math.nan
    """From the join to where the event is dated back to; negative: too early."""


def edge(told: Sequence[Told], at: int, until: float, *, start: bool) -> Noticed:
    """How a start of music, or a stop, at a sample was noticed, from all events of the stream.

    A change that is told after the sample `until` does not belong to it.
    """
    live = [each for each in told if not each.by_end]
    before = [each for each in live if each.heard <= at]
    on = bool(before) and before[-1].is_start
    if on == start:
        return Noticed("already")
    for each in live:
        if at < each.heard <= until and each.is_start == start:
            dated = each.event.started if start else each.event.ended
            error_s = math.nan if dated is None else (dated - at) / SAMPLE_RATE
            return Noticed("noticed", (each.heard - at) / SAMPLE_RATE, error_s)
    return Noticed("missed")


def delays_table(starts: Sequence[Noticed], stops: Sequence[Noticed]) -> str:
    """Markdown, in seconds; the error is that of the date that an event is given: median, and p95 of its size."""
    head = ("music", "joins", "noticed", "missed", "already so")
    seconds = ("delay median", "p95", "max", "dating error", "p95")
    lines = []
    for name, edges in (("starts", starts), ("stops", stops)):
        delays = [each.delay_s for each in edges if each.fate == "noticed"]
        errors = [each.error_s for each in edges if each.fate == "noticed"]
        counts = [sum(each.fate == fate for each in edges) for fate in ("noticed", "missed", "already")]
        cells = ["-"] * len(seconds)
        if delays:
            cells = [f"{value:.2f}" for value in (*np.percentile(delays, (50, 95)), max(delays))]
            cells += [f"{np.median(errors):+.2f}", f"{np.percentile(np.abs(errors), 95):.2f}"]
        lines.append((name, len(edges), *counts, *cells))
    return table((*head, *seconds), lines, rule="---")


@dataclass(frozen=True, slots=True)
class FalseStart:
    """Music that the device reported where there is none."""

    where: str
    """Package, category and recording."""
    at_s: float
    """From the beginning of that recording, seconds; where the event is dated back to."""
    lasted_s: float


@dataclass(frozen=True, slots=True)
class FalseStarts:
    """All false starts in a stretch of sound."""

    starts: tuple[FalseStart, ...]
    heard_s: float
    """How long the sound is, seconds."""

    def described(self, *, listed: bool) -> str:
        """A sentence, and a table of all of them if that is wanted."""
        hours = self.heard_s / 3600
        on_s = sum(start.lasted_s for start in self.starts)
        rate, share = len(self.starts) / hours, on_s / self.heard_s
        counted = f"{len(self.starts)} false starts in {hours:.2f} h without music: {rate:.1f} an hour"
        sentence = f"{counted}; {100 * share:.1f} % of the time taken for music."
        if not (listed and self.starts):
            return sentence
        lines = [(each.where, f"{each.at_s:.1f}", f"{each.lasted_s:.1f}") for each in self.starts]
        return f"{sentence}\n\n{table(('recording', 'at s', 'lasted s'), lines, rule='---')}"


def onsets_document(starts: Sequence[Noticed], stops: Sequence[Noticed], without: FalseStarts) -> dict[str, Any]:
    """For a sidecar: the same figures, rounded; a delay is null where no edge was noticed."""
    document: dict[str, Any] = {"joins": len(starts)}
    for name, edges in (("starts", starts), ("stops", stops)):
        delays = [each.delay_s for each in edges if each.fate == "noticed"]
        median, p95 = np.percentile(delays, (50, 95)).round(2).tolist() if delays else (None, None)
        counts = {fate: sum(each.fate == fate for each in edges) for fate in ("noticed", "missed", "already")}
        document[name] = {**counts, "median_s": median, "p95_s": p95}
    document["false_starts"] = {
        "count": len(without.starts),
        "heard_s": round(without.heard_s, 1),
        "taken_for_music_s": round(sum(start.lasted_s for start in without.starts), 1),
    }
    return document


def false_starts(told: Sequence[Told], streams: Sequence[Stream], lengths: Sequence[int]) -> FalseStarts:
    """Where music was reported in streams without music, heard as one: of these lengths, in samples, in order."""
    begins = [0, *np.cumsum(lengths).tolist()]
    stopped = {each.event.started: each.event.ended for each in told if not each.is_start}
    found = []
    for each in told:
        if not each.is_start:
            continue
        started = each.event.started
        # Dated back it may lie before the first sample of all, or in the recording before.
        index = min(max(0, bisect.bisect_right(begins, started) - 1), len(streams) - 1)
        inside_s = (started - begins[index]) / SAMPLE_RATE
        stream = streams[index]
        clip = max(
            (clip for clip in stream.clips if clip.start_s <= inside_s),
            key=lambda clip: clip.start_s,
            default=stream.clips[0],
        )
        ended = stopped.get(started) or begins[-1]
        where = f"{stream.package} {clip.category} {clip.source_path}"
        found.append(FalseStart(where, inside_s - clip.start_s, (ended - started) / SAMPLE_RATE))
    return FalseStarts(tuple(found), begins[-1] / SAMPLE_RATE)
