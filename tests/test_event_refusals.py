"""How often an event is refused before it is set aside, and which message ends sessions."""

from device.publishing.backlog import Parcel
from device.publishing.event_refusals import EventRefusals
from device.publishing.message import Message
from device.publishing.session_ender import SessionEnder

SMALL = Message("oido/n/status", "online", qos=1, retain=True, coalesce=True)
LARGE = Parcel(Message("homeassistant/device/n/config", "x" * 5_000, qos=1, retain=True, coalesce=True))
EVENT = Parcel(Message("oido/n/s/event", "{}", qos=1, retain=False, coalesce=False), event_key=1)


def test_the_third_refusal_is_for_good() -> None:
    """And the next event of that topic needs only one."""
    refusals = EventRefusals(apart_s=60)
    assert [refusals.refused("a", now) for now in (0, 60, 120, 121)] == [False, False, True, True]


def test_refusals_in_quick_succession_count_as_one() -> None:
    """Short sessions repeat the event at once."""
    refusals = EventRefusals(apart_s=60)
    assert not any(refusals.refused("a", now) for now in range(60))


def test_a_topic_that_was_taken_begins_anew() -> None:
    """Its access list was mended; other topics are counted by themselves."""
    refusals = EventRefusals(apart_s=60)
    for now in (0, 60):
        refusals.refused("a", now)
    refusals.taken("a")
    assert not refusals.refused("a", 120)
    assert not refusals.refused("b", 120)


def test_a_refused_topic_is_tried_again_once() -> None:
    """When it is time."""
    refusals = EventRefusals(apart_s=60)
    refusals.refused("a", 0)
    assert [refusals.due(now) for now in (59, 60, 61)] == [[], ["a"], []]


def session(ender: SessionEnder, *under_way: Parcel, acknowledged: bool = True) -> Parcel | None:
    """One that ends with these messages unacknowledged."""
    ender.begin()
    if acknowledged:
        ender.acknowledged(SMALL)
    return ender.ended(under_way)


def test_a_large_message_that_ends_two_sessions_is_the_reason() -> None:
    """Once may be chance."""
    ender = SessionEnder()
    assert [session(ender, LARGE, EVENT) for _ in range(2)] == [None, LARGE]


def test_an_event_must_end_five_sessions() -> None:
    """A bad line can break over the same one several times."""
    ender = SessionEnder()
    assert [session(ender, EVENT) for _ in range(5)] == [None, None, None, None, EVENT]


def test_sessions_that_end_otherwise_are_nobodys_fault() -> None:
    """Nothing under way, nothing acknowledged before, or a small state."""
    ender = SessionEnder()
    for _ in range(9):
        assert session(ender) is None
        assert session(ender, LARGE, acknowledged=False) is None
        assert session(ender, Parcel(SMALL)) is None
        assert not ender.suspected
