"""device.publishing.music_today: minutes of music since local midnight."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from device.publishing.music_today import MusicToday, local_midnight

MADRID = ZoneInfo("Europe/Madrid")
MIDNIGHT = datetime(2026, 5, 1, tzinfo=MADRID).timestamp()
NOON = MIDNIGHT + 12 * 3_600


def today(*before: tuple[float, float]) -> MusicToday:
    """In Madrid."""
    return MusicToday(before, zone=MADRID)


def test_intervals_are_summed_in_whole_minutes() -> None:
    """90 s and 45 s are two minutes and a bit."""
    counted = today()
    counted.add(NOON, NOON + 90)
    counted.add(NOON + 200, NOON + 245)
    assert counted.minutes(NOON + 300, playing_since=None) == 2


def test_music_that_still_plays_counts() -> None:
    """But for its newest seconds."""
    counted = today()
    assert counted.minutes(NOON + 600, playing_since=NOON) == 9
    assert counted.minutes(NOON + 606, playing_since=NOON) == 10


def test_only_what_was_heard_after_midnight_counts() -> None:
    """Music over midnight belongs to both days."""
    counted = today()
    assert counted.minutes(MIDNIGHT - 1, playing_since=MIDNIGHT - 3_600) == 59
    assert counted.minutes(MIDNIGHT + 1, playing_since=MIDNIGHT - 3_600) == 0
    counted.add(MIDNIGHT - 3_600, MIDNIGHT + 120)
    assert counted.minutes(MIDNIGHT + 200, playing_since=None) == 2


def test_a_new_process_counts_on() -> None:
    """From what is stored."""
    assert today((MIDNIGHT - 600, MIDNIGHT + 60), (NOON, NOON + 60)).minutes(NOON + 99, playing_since=None) == 2


def test_what_ended_on_an_earlier_day_counts_no_more() -> None:
    """It was dated back over midnight, after the new day had begun."""
    counted = today()
    assert counted.minutes(MIDNIGHT + 1, playing_since=None) == 0
    counted.add(MIDNIGHT - 300, MIDNIGHT - 10)
    assert counted.minutes(MIDNIGHT + 60, playing_since=None) == 0


def test_an_end_that_is_dated_back_does_not_shrink_the_total() -> None:
    """Home Assistant would take that for a new meter."""
    counted = today()
    shown = counted.minutes(NOON + 66, playing_since=NOON)
    counted.add(NOON, NOON + 50)
    assert counted.minutes(NOON + 67, playing_since=None) == shown == 1


def test_the_day_is_over_at_midnight() -> None:
    """Not before it was counted, and only once."""
    counted = today()
    assert not counted.over(NOON)
    counted.minutes(MIDNIGHT - 1, playing_since=None)
    assert not counted.over(MIDNIGHT - 0.5)
    assert counted.over(MIDNIGHT)
    counted.minutes(MIDNIGHT, playing_since=None)
    assert not counted.over(MIDNIGHT + 3_600)


def test_days_on_which_the_clocks_change_end_at_midnight() -> None:
    """23 and 25 hours."""
    for day, hours in ((datetime(2026, 3, 29, tzinfo=MADRID), 23), (datetime(2026, 10, 25, tzinfo=MADRID), 25)):
        counted = today()
        begin = day.timestamp()
        counted.minutes(begin, playing_since=None)
        assert not counted.over(begin + hours * 3_600 - 1)
        assert counted.over(begin + hours * 3_600)
        assert local_midnight(begin + hours * 3_600 - 1, MADRID) == begin


@given(st.lists(st.floats(0, 300), max_size=40))
def test_within_a_day_the_minutes_only_grow(pauses: list[float]) -> None:
    """Whatever starts, stops and is dated back, up to five seconds or more."""
    counted = MusicToday(zone=UTC)
    now = datetime(2026, 5, 1, 1, tzinfo=UTC)
    playing: float | None = None
    latest = 0
    for pause in pauses:
        now += timedelta(seconds=pause)
        moment = now.timestamp()
        shown = counted.minutes(moment, playing_since=playing)
        assert shown >= latest
        latest = shown
        if playing is None:
            playing = moment
        else:
            counted.add(playing, max(playing, moment - 7))
            playing = None
