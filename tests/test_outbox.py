"""The outbox: order, bound, acknowledgement."""

import pytest

from device.publishing.message import Message
from device.publishing.outbox import Outbox


def event(payload: str) -> Message:
    """An event."""
    return Message("oido/n/s/event", payload, qos=1, retain=False, coalesce=False)


def payloads(outbox: Outbox) -> list[str]:
    """What waits, in order."""
    return [message.payload for _, message in outbox.pending()]


def test_messages_come_out_in_the_order_they_went_in() -> None:
    """First in, first out."""
    outbox = Outbox(5)
    for payload in "abc":
        outbox.add(event(payload))
    assert payloads(outbox) == ["a", "b", "c"]


def test_a_message_stays_until_it_is_acknowledged() -> None:
    """Looking at what waits takes nothing away."""
    outbox = Outbox(5)
    outbox.add(event("a"))
    assert payloads(outbox) == payloads(outbox) == ["a"]


def test_acknowledging_removes_that_message_only() -> None:
    """The others keep waiting, in order."""
    outbox = Outbox(5)
    keys = [outbox.add(event(payload)) for payload in "abc"]
    outbox.acknowledge(keys[1])
    assert payloads(outbox) == ["a", "c"]
    assert len(outbox) == 2


def test_a_full_outbox_drops_the_oldest_and_counts_it() -> None:
    """The newest are the ones worth keeping."""
    outbox = Outbox(2)
    for payload in "abcd":
        outbox.add(event(payload))
    assert payloads(outbox) == ["c", "d"]
    assert outbox.dropped == 2


def test_acknowledging_a_dropped_message_changes_nothing() -> None:
    """It may have been on its way when the outbox ran over."""
    outbox = Outbox(1)
    dropped = outbox.add(event("a"))
    outbox.add(event("b"))
    outbox.acknowledge(dropped)
    assert payloads(outbox) == ["b"]


def test_keys_are_never_used_twice() -> None:
    """A late acknowledgement must not hit a younger message."""
    outbox = Outbox(1)
    first = outbox.add(event("a"))
    outbox.acknowledge(first)
    assert outbox.add(event("b")) != first


def test_an_outbox_for_nothing_is_refused() -> None:
    """A limit of 0 would lose every event."""
    with pytest.raises(ValueError, match="keeps nothing"):
        Outbox(0)
