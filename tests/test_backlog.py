"""What is sent next, what is said again, and what an acknowledgement frees."""

from device.publishing.backlog import Backlog, Parcel
from device.publishing.message import Message
from device.publishing.outbox import Outbox

ONLINE = Message("o/n/status", "online", qos=1, retain=True, coalesce=True)


def state(topic: str, payload: str) -> Message:
    """A retained state."""
    return Message(topic, payload, qos=1, retain=True, coalesce=True)


def event(payload: str) -> Message:
    """An event."""
    return Message("event", payload, qos=1, retain=False, coalesce=False)


def passing(payload: str) -> Message:
    """Telemetry."""
    return Message("telemetry", payload, qos=0, retain=False, coalesce=False)


def sent(backlog: Backlog) -> list[Parcel]:
    """All that may go now."""
    return list(iter(backlog.next, None))


def payloads(parcels: list[Parcel]) -> list[str]:
    """What the parcels say."""
    return [parcel.message.payload for parcel in parcels]


def begun(limit: int = 100, states_under_way: int = 16) -> Backlog:
    """A backlog in a session."""
    backlog = Backlog(Outbox(limit), states_under_way=states_under_way)
    backlog.begin([])
    return backlog


def test_nothing_goes_out_without_a_session() -> None:
    """Before `begin` there is nobody to send to."""
    backlog = Backlog(Outbox(5))
    backlog.add(state("a", "1"))
    assert sent(backlog) == []


def test_only_the_latest_state_of_a_topic_waits() -> None:
    """States coalesce while nobody listens."""
    backlog = Backlog(Outbox(5))
    for payload in "123":
        backlog.add(state("a", payload))
    backlog.begin([ONLINE])
    assert payloads(sent(backlog)) == ["online", "3"]


def test_every_session_begins_with_all_retained_states() -> None:
    """A restarted broker has forgotten them, acknowledged or not."""
    backlog = begun()
    backlog.add(state("a", "1"))
    for parcel in sent(backlog):
        backlog.acknowledge(parcel)
    backlog.end()
    backlog.begin([ONLINE])
    assert payloads(sent(backlog)) == ["online", "1"]


def test_states_are_said_again_in_the_order_they_were_said_last() -> None:
    """`online` must not overtake the state it stands for."""
    backlog = begun()
    for topic, payload in (("availability", "off"), ("state", "x"), ("availability", "on")):
        backlog.add(state(topic, payload))
    backlog.end()
    backlog.begin([])
    assert payloads(sent(backlog)) == ["x", "on"]


def test_one_event_is_under_way_at_a_time() -> None:
    """Only so do events keep their order over a broken connection."""
    backlog = begun()
    backlog.add(event("1"))
    backlog.add(event("2"))
    first = sent(backlog)
    assert payloads(first) == ["1"]
    backlog.acknowledge(first[0])
    assert payloads(sent(backlog)) == ["2"]


def test_an_unacknowledged_event_is_sent_again_in_the_next_session() -> None:
    """And nothing overtakes it."""
    backlog = begun()
    backlog.add(event("1"))
    backlog.add(event("2"))
    sent(backlog)
    backlog.end()
    backlog.begin([])
    assert payloads(sent(backlog)) == ["1"]


def test_an_event_dropped_while_under_way_does_not_stop_the_next() -> None:
    """The acknowledgement of a message that the outbox gave up frees the line all the same."""
    backlog = begun(limit=1)
    backlog.add(event("1"))
    under_way = sent(backlog)
    backlog.add(event("2"))
    backlog.acknowledge(under_way[0])
    assert payloads(sent(backlog)) == ["2"]
    assert backlog.dropped_events == 1


def test_a_broker_that_acknowledges_nothing_gets_a_bounded_number_of_states() -> None:
    """The rest coalesces here instead of growing inside paho."""
    backlog = begun(states_under_way=2)
    for number in range(100):
        backlog.add(state("a", str(number)))
        sent(backlog)
    backlog.add(state("b", "x"))
    assert sent(backlog) == []


def test_passing_messages_are_lost_without_a_session() -> None:
    """Old telemetry is worth nothing."""
    backlog = Backlog(Outbox(5))
    backlog.add(passing("old"))
    backlog.begin([])
    assert sent(backlog) == []


def test_a_state_under_way_when_the_session_breaks_is_not_yet_said() -> None:
    """Whoever waits for everything to be said waits on."""
    backlog = begun()
    backlog.add(state("a", "1"))
    sent(backlog)
    backlog.end()
    assert not backlog.all_said


def test_all_is_said_once_everything_is_acknowledged() -> None:
    """Sent is not said."""
    backlog = begun()
    backlog.add(state("a", "1"))
    backlog.add(event("1"))
    under_way = sent(backlog)
    assert not backlog.all_said
    backlog.acknowledge(under_way[0])
    assert backlog.states_said
    assert not backlog.all_said
    backlog.acknowledge(under_way[1])
    assert backlog.all_said


def answer(payload: str) -> Message:
    """What became of a command."""
    return Message("response", payload, qos=1, retain=False, coalesce=False, durable=False)


def test_answers_are_kept_from_the_outbox() -> None:
    """An answer that outlived the process would reach nobody who still waits for it."""
    outbox = Outbox(5)
    backlog = Backlog(outbox)
    backlog.add(answer("a"))
    assert len(outbox) == backlog.queued_events == 0
    assert not backlog.all_said


def test_answers_go_in_order_and_again_after_a_break() -> None:
    """One at a time until acknowledged, as events do."""
    backlog = begun()
    for payload in "ab":
        backlog.add(answer(payload))
    assert payloads(sent(backlog)) == ["a"]
    backlog.end()
    backlog.begin([])
    (first,) = sent(backlog)
    assert first.message.payload == "a"
    backlog.acknowledge(first)
    (second,) = sent(backlog)
    backlog.acknowledge(second)
    assert second.message.payload == "b"
    assert backlog.all_said


def test_too_many_answers_drop_the_oldest() -> None:
    """Nobody waits for them, and they are not counted as events."""
    backlog = Backlog(Outbox(5), answers=2)
    for payload in "abc":
        backlog.add(answer(payload))
    backlog.begin([])
    assert payloads(sent(backlog)) == ["b"]
    assert backlog.dropped_events == 0


def test_everything_retained_can_be_repeated_within_a_session() -> None:
    """What waits comes once, with its latest payload; events do not come again."""
    backlog = begun()
    backlog.add(state("a", "1"))
    backlog.add(state("b", "1"))
    backlog.add(event("e"))
    for parcel in sent(backlog):
        backlog.acknowledge(parcel)
    for parcel in sent(backlog):
        backlog.acknowledge(parcel)
    backlog.add(state("b", "2"))
    backlog.repeat()
    assert [(parcel.message.topic, parcel.message.payload) for parcel in sent(backlog)] == [("a", "1"), ("b", "2")]


def test_an_empty_payload_is_said_once() -> None:
    """It empties a retained topic; there is nothing left to repeat, in this session or the next."""
    backlog = begun()
    backlog.add(state("a", "1"))
    backlog.add(state("a", ""))
    assert payloads(sent(backlog)) == [""]
    backlog.repeat()
    assert sent(backlog) == []
    assert backlog.latest() == ()


def test_a_refused_event_stays_first_until_it_is_released() -> None:
    """States go on meanwhile; then it is sent again, before the others."""
    backlog = begun()
    backlog.add(event("1"))
    backlog.add(event("2"))
    (refused,) = sent(backlog)
    backlog.add(state("a", "x"))
    assert payloads(sent(backlog)) == ["x"]
    backlog.release(refused)
    assert payloads(sent(backlog)) == ["1"]
