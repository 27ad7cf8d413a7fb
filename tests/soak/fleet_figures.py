"""What a fleet's run amounts to: what was lost, how long events took, how soon everybody was back. Pure.

All times are seconds of the monotonic clock, which the processes of one machine share.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Key = tuple[str, str, str]
"""Node, event type and id: what tells an event from all others, and a repetition from a second event."""

CLUSTER_S = 0.1
"""How many devices come back within so long is what a broker feels of a storm."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event, as its device knows it."""

    key: Key
    at: float
    """When the device decided it: before it was written to the outbox."""
    acknowledged: float | None
    """When the device heard that the broker has it; None: never."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """An event message, as the subscriber got it."""

    key: Key
    at: float
    payload: str


@dataclass(frozen=True, slots=True)
class Storm:
    """A moment at which every device had to connect."""

    why: str
    """`start`, `term` or `kill`."""
    began: float
    """The devices were started, or the broker was told to end."""
    up: float
    """From here on a broker listened."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether every event arrived as it should."""

    lost: tuple[Recorded, ...]
    out_of_order: int
    """Events that arrived after a later one of the same device."""
    repeated: int
    """Messages that had arrived before, byte for byte: what QoS 1 allows."""
    altered: int
    """Repetitions that said something else."""
    unknown: int
    """Events that no device recorded."""
    first: Mapping[Key, float]
    """When each event arrived for the first time."""

    @property
    def good(self) -> bool:
        """Nothing lost, nothing out of order, nothing said twice in two ways, nothing made up."""
        return not (self.lost or self.out_of_order or self.altered or self.unknown)


@dataclass(frozen=True, slots=True)
class Recovery:
    """How a storm went by."""

    storm: Storm
    first_back_s: float
    """From the broker's return to the first session of a device; so are the other times."""
    half_back_s: float
    all_back_s: float
    settled_s: float
    """Until everything that was recorded before the last device was back had arrived."""
    densest: int
    """The most devices that came back within `CLUSTER_S`."""

    @property
    def window(self) -> tuple[float, float]:
        """From its beginning to the moment when all was as before."""
        return self.storm.began, self.storm.up + self.settled_s


@dataclass(frozen=True, slots=True)
class Spread:
    """How long events took, in milliseconds."""

    count: int
    p50_ms: float
    p99_ms: float
    max_ms: float


def verdict(recorded: Iterable[Recorded], arrived: Iterable[Arrived]) -> Verdict:
    """Compare what was recorded with what arrived.

    Args:
        recorded: each device's events in their order.
        arrived: all messages in theirs.
    """
    known = {event.key: (number, event) for number, event in enumerate(recorded)}
    first: dict[Key, float] = {}
    said: dict[Key, str] = {}
    newest: dict[str, int] = {}
    out_of_order = repeated = altered = unknown = 0
    for message in arrived:
        if message.key in first:
            same = said[message.key] == message.payload
            repeated, altered = repeated + same, altered + (not same)
            continue
        first[message.key], said[message.key] = message.at, message.payload
        if message.key not in known:
            unknown += 1
            continue
        number, node = known[message.key][0], message.key[0]
        out_of_order += number < newest.get(node, -1)
        newest[node] = max(number, newest.get(node, -1))
    lost = tuple(event for key, (_, event) in known.items() if key not in first)
    return Verdict(lost, out_of_order, repeated, altered, unknown, first)


def recovery(
    storm: Storm,
    *,
    sessions: Mapping[str, Sequence[float]],
    recorded: Iterable[Recorded],
    first: Mapping[Key, float],
) -> Recovery | None:
    """How a storm went by; None if somebody never came back.

    Args:
        storm: which.
        sessions: when each device's sessions began.
        recorded: all events.
        first: when they arrived.
    """
    back = np.array([min((at for at in each if at >= storm.began), default=np.nan) for each in sessions.values()])
    if not back.size or np.isnan(back).any():
        return None
    back.sort()
    last = float(back[-1])
    waited = [first[event.key] for event in recorded if event.at <= last and event.key in first]
    within = np.searchsorted(back, back + CLUSTER_S, side="right") - np.arange(len(back))
    return Recovery(
        storm,
        first_back_s=float(back[0]) - storm.up,
        half_back_s=float(np.median(back)) - storm.up,
        all_back_s=last - storm.up,
        settled_s=max([last, *waited]) - storm.up,
        densest=int(within.max()),
    )


def phases(
    recoveries: Sequence[Recovery], recorded: Iterable[Recorded], first: Mapping[Key, float]
) -> dict[str, list[tuple[float, float]]]:
    """The events by what went on while they were under way: `start`, `restart` or `steady`.

    Returns:
        When each was recorded and when it arrived; those that a storm touched at any moment count as its own.
    """
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for event in recorded:
        if event.key not in first:
            continue
        arrived = first[event.key]
        touched = [
            each.storm.why for each in recoveries if event.at <= each.window[1] and arrived >= each.window[0]
        ]
        phase = "steady" if not touched else "start" if touched == ["start"] else "restart"
        found[phase].append((event.at, arrived))
    return found


def spread(seconds: Sequence[float]) -> Spread | None:
    """Median, 99th percentile and maximum; None of nothing."""
    if not seconds:
        return None
    p50, p99 = np.percentile(seconds, [50, 99], method="higher") * 1000
    return Spread(len(seconds), round(float(p50), 1), round(float(p99), 1), round(max(seconds) * 1000, 1))


def waiting(recorded: Iterable[Recorded], first: Mapping[Key, float]) -> tuple[list[float], list[int]]:
    """How many events were on their way: times, and the number from each of them on. Lost ones are left out."""
    steps = sorted(
        step
        for event in recorded
        if event.key in first
        for step in ((event.at, 1), (max(first[event.key], event.at), -1))
    )
    counts = np.cumsum([change for _, change in steps], dtype=int)
    return [at for at, _ in steps], [int(count) for count in counts]
