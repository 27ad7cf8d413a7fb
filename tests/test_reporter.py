"""device.publishing.reporter: observations become messages, in order, dated by samples."""

import json
from datetime import UTC
from typing import Any

import pytest

from device.hearing.decision import Event, Music, Score, Step
from device.hearing.health import Health
from device.pipeline import Condition, Observation
from device.publishing.message import Message, Topics, event_id
from device.publishing.music_today import MusicToday
from device.publishing.reporter import Reporter
from device.sound import SAMPLE_RATE

ORIGIN = 1_000.0


def reporter(*, interval_s: float = 5.0, summary_interval_s: float | None = None) -> Reporter:
    """Of source `mic` on node `attic`."""
    return Reporter(
        topics=Topics("oido", "attic"),
        source="mic",
        model="fake",
        mode="balanced",
        state_interval_s=interval_s,
        origin=ORIGIN,
        summary_interval_s=summary_interval_s,
        today=MusicToday(zone=UTC),
    )


def observation(
    heard_s: float,
    state: Music = Music.OFF,
    *,
    since_s: float = 0.0,
    events: tuple[Event, ...] = (),
    origin: float = ORIGIN,
    condition: Condition = "hearing",
) -> Observation:
    """After so many seconds."""
    heard = round(heard_s * SAMPLE_RATE)
    return Observation(
        score=Score(0, heard, heard, 0.25) if condition == "hearing" else None,
        state=state,
        since=round(since_s * SAMPLE_RATE),
        heard=heard,
        origin=origin,
        health=Health(level_dbfs=-30.0),
        step=Step(events),
        condition=condition,
        cost_s=0.0,
    )


def started(at_s: float) -> Event:
    """Music begins."""
    return Event("music_started", round(at_s * SAMPLE_RATE), None, 0.9, 0.8)


def stopped(at_s: float, ended_s: float) -> Event:
    """Music that began at `at_s` ends."""
    return Event("music_stopped", round(at_s * SAMPLE_RATE), round(ended_s * SAMPLE_RATE), 0.9, 0.8)


def leaves(messages: list[Message]) -> list[str]:
    """The last level of each topic."""
    return [message.topic.rpartition("/")[2] for message in messages]


def payload(messages: list[Message], leaf: str) -> dict[str, Any]:
    """The JSON of the only message to that leaf."""
    (found,) = (json.loads(message.payload) for message in messages if message.topic.endswith(f"/{leaf}"))
    assert isinstance(found, dict)
    return found


def test_the_first_state_is_said_in_full() -> None:
    """Plain state, JSON, then that the source can hear."""
    messages = reporter().observed(observation(1.0))
    assert leaves(messages) == ["music", "state", "availability"]
    assert payload(messages, "state") == {
        "music": "OFF",
        "score": 0.25,
        "since": "1970-01-01T00:16:40.000Z",
        "updated": "1970-01-01T00:16:41.000Z",
        "level_dbfs": -30.0,
        "model": "fake",
        "mode": "balanced",
        "paused": False,
        "reason": "no music",
    }


def test_an_event_goes_before_the_state_it_makes() -> None:
    """Whoever reads the state ON has heard of the start."""
    each = reporter()
    each.observed(observation(1.0))
    messages = each.observed(observation(4.0, Music.ON, since_s=2.0, events=(started(2.0),)))
    assert leaves(messages) == ["event", "music", "state", "availability"]
    assert payload(messages, "event")["started"] == "1970-01-01T00:16:42.000Z"


def test_nothing_new_is_not_said() -> None:
    """Between two intervals the same state is silent."""
    each = reporter()
    each.observed(observation(1.0))
    assert each.observed(observation(5.9)) == []


def test_the_state_is_repeated_by_sample_time() -> None:
    """Every 5 s of sound, however fast it comes."""
    each = reporter(interval_s=5.0)
    said = [bool(each.observed(observation(float(second)))) for second in range(1, 13)]
    assert [second for second, spoke in enumerate(said, 1) if spoke] == [1, 6, 11]


def test_a_pair_has_one_id_even_when_the_clock_is_corrected() -> None:
    """Start and stop keep id and start date; the duration is the samples'."""
    each = reporter()
    start = payload(each.observed(observation(4.0, Music.ON, events=(started(2.0),))), "event")
    late = observation(20.0, events=(stopped(2.0, 10.5),), origin=ORIGIN + 3600)
    stop = payload(each.observed(late), "event")
    assert start["id"] == stop["id"] == event_id("attic", "mic", ORIGIN + 2.0)
    assert stop["started"] == start["started"]
    assert (stop["duration_s"], stop["ended"]) == (8.5, "1970-01-01T00:16:50.500Z")


def test_the_next_pair_has_another_id() -> None:
    """Dated by the origin that holds then."""
    each = reporter()
    both = (started(2.0), stopped(2.0, 3.0))
    first = each.observed(observation(4.0, events=both))
    second = each.observed(observation(9.0, events=(started(8.0),), origin=ORIGIN + 3600))
    ids = [json.loads(message.payload)["id"] for message in first + second if message.topic.endswith("event")]
    assert ids[0] == ids[1] != ids[2] == event_id("attic", "mic", ORIGIN + 3608.0)


@pytest.mark.parametrize("condition", ["flat line", "ended"])
def test_deafness_has_its_reason(condition: Condition) -> None:
    """Unknown, offline first, and why."""
    each = reporter()
    each.observed(observation(1.0))
    messages = each.observed(observation(2.0, Music.UNKNOWN, condition=condition))
    assert leaves(messages) == ["availability", "state"]
    assert messages[0].payload == "offline"
    state = payload(messages, "state")
    assert (state["music"], state["reason"], state["score"]) == (None, condition, None)


@pytest.mark.parametrize(("state", "condition"), [(Music.ON, "hearing"), (Music.UNKNOWN, "flat line")])
def test_only_the_state_is_repeated(state: Music, condition: Condition) -> None:
    """Availability and plain ON or OFF stand retained: repeating them is no news."""
    each = reporter()
    each.observed(observation(1.0, state, condition=condition))
    assert leaves(each.observed(observation(99.0, state, condition=condition))) == ["state"]


def test_silent_closes_what_was_open() -> None:
    """The stop goes first, then that nothing is heard, since what was heard last."""
    each = reporter()
    each.observed(observation(4.0, Music.ON, events=(started(2.0),)))
    messages = each.silent("no audio", Step((stopped(2.0, 4.0),)))
    assert leaves(messages) == ["event", "availability", "state"]
    assert payload(messages, "state")["since"] == "1970-01-01T00:16:44.000Z"


def test_silent_says_a_reason_once() -> None:
    """Every failed attempt to open a source would say the same."""
    each = reporter()
    assert leaves(each.silent("no audio")) == ["availability", "state"]
    assert each.silent("no audio") == []
    assert payload(each.silent("paused"), "state")["paused"] is True


def test_a_source_opened_anew_counts_from_zero() -> None:
    """Its first state is dated by its own origin."""
    each = reporter()
    each.observed(observation(100.0))
    each.silent("no audio")
    each.restarted(ORIGIN + 500)
    state = payload(each.observed(observation(1.0, origin=ORIGIN + 500)), "state")
    assert (state["since"], state["updated"]) == ("1970-01-01T00:25:00.000Z", "1970-01-01T00:25:01.000Z")


def test_the_mode_is_the_one_in_force() -> None:
    """A command may have changed it."""
    each = reporter()
    each.mode = "recall"
    assert payload(each.observed(observation(1.0)), "state")["mode"] == "recall"


# What Home Assistant is told.


def test_a_change_is_summarised_at_once_and_the_rest_at_longer_intervals() -> None:
    """The recorder keeps every value; the state goes on at its own interval."""
    told = reporter(interval_s=5.0, summary_interval_s=30.0)
    heard = [leaves(told.observed(observation(float(second)))) for second in range(1, 63)]
    assert heard[0] == ["music", "state", "summary", "availability"]
    rest = [leaf for messages in heard[1:] for leaf in messages]
    assert (rest.count("state"), rest.count("summary")) == (12, 2)


def test_nothing_is_summarised_where_nobody_is_told() -> None:
    """Without Home Assistant."""
    told = reporter()
    said = [*told.observed(observation(1.0)), *told.restated(), *told.silent("paused")]
    assert "summary" not in leaves(said)


def test_a_summary_says_the_state_and_the_minutes_of_today() -> None:
    """All fields of the state, and whole minutes; music that still plays counts."""
    told = reporter(interval_s=60.0, summary_interval_s=60.0)
    told.observed(observation(1.0))
    told.observed(observation(3.0, Music.ON, since_s=2.0, events=(started(2.0),)))
    messages = told.observed(observation(190.0, Music.ON, since_s=2.0))
    assert payload(messages, "summary") == payload(messages, "state") | {"music_today_min": 3}


def test_a_new_mode_is_summarised_at_once() -> None:
    """Home Assistant's select follows the command."""
    told = reporter(summary_interval_s=30.0)
    told.observed(observation(1.0))
    told.mode = "recall"
    assert payload(told.restated(), "summary")["mode"] == "recall"


def test_midnight_passes_also_while_nothing_is_heard() -> None:
    """A paused source has 0 minutes on the new day, and keeps that when its mode is changed."""
    told = reporter(summary_interval_s=30.0)
    told.observed(observation(61.0, Music.ON, events=(started(0.0),)))
    told.silent("paused", Step((stopped(0.0, 61.0),)))
    assert not told.day_over(ORIGIN + 3_600)
    midnight = 86_400.0
    assert told.day_over(midnight)
    assert payload(told.summarised(midnight), "summary")["music_today_min"] == 0
    assert payload(told.restated(), "summary")["music_today_min"] == 0
    assert not told.day_over(midnight)
