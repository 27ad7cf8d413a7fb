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
    """What no contract has any more, and the backlog still knows."""
    return Message("passing", payload, qos=0, retain=False, coalesce=False)


def sent(backlog: Backlog) -> list[Parcel]:
    """All that may go now."""
    return list(iter(backlog.next, None))


def payloads(parcels: list[Parcel]) -> list[str]:
    """What the parcels say."""
    return [parcel.message.payload for parcel in parcels]


def begun(limit: int = 100, states_under_way: int = 16) -> Backlog:
    """A backlog in a session that has said `online`."""
    backlog = Backlog(Outbox(limit), states_under_way=states_under_way)
    begin(backlog)
    return backlog


def begin(backlog: Backlog) -> list[str]:
    """Begin a session; what is said up to `online`, each acknowledged at once."""
    backlog.begin(ONLINE)
    said: list[str] = []
    while "online" not in said:
        parcel = backlog.next()
        assert parcel is not None
        said.append(parcel.message.payload)
        if parcel.message.qos:
            backlog.acknowledge(parcel)
    return said


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
    assert begin(backlog) == ["3", "online"]


def test_every_session_begins_with_all_retained_states() -> None:
    """A restarted broker has forgotten them, acknowledged or not."""
    backlog = begun()
    backlog.add(state("a", "1"))
    for parcel in sent(backlog):
        backlog.acknowledge(parcel)
    backlog.end()
    assert begin(backlog) == ["1", "online"]


def test_states_are_said_again_in_the_order_they_were_said_last() -> None:
    """`online` must not overtake the state it stands for."""
    backlog = begun()
    for topic, payload in (("availability", "off"), ("state", "x"), ("availability", "on")):
        backlog.add(state(topic, payload))
    backlog.end()
    assert begin(backlog) == ["x", "on", "online"]


def test_online_waits_until_every_state_is_acknowledged() -> None:
    """Sent is not retained: until the broker has them all, old states of a killed process would count."""
    backlog = Backlog(Outbox(5))
    for topic in "ab":
        backlog.add(state(topic, "1"))
    backlog.add(event("e"))
    backlog.begin(ONLINE)
    first, second = sent(backlog)
    backlog.acknowledge(first)
    assert sent(backlog) == []
    backlog.acknowledge(second)
    assert payloads(sent(backlog)) == ["online", "e"]


def test_states_that_change_without_end_do_not_hold_online_back() -> None:
    """Once the first of a topic has arrived; the newer ones go before `online`, over the same line."""
    backlog = Backlog(Outbox(5))
    backlog.add(state("a", "1"))
    backlog.begin(ONLINE)
    (first,) = sent(backlog)
    backlog.add(state("a", "2"))
    assert payloads(sent(backlog)) == ["2"]
    backlog.acknowledge(first)
    backlog.add(state("a", "3"))
    assert payloads(sent(backlog)) == ["3", "online"]


def test_an_unacknowledged_online_is_the_last_word_of_the_next_session_too() -> None:
    """It is not taken for a state that waits."""
    backlog = Backlog(Outbox(5))
    backlog.add(state("a", "1"))
    backlog.begin(ONLINE)
    (first,) = sent(backlog)
    backlog.acknowledge(first)
    assert payloads(sent(backlog)) == ["online"]
    backlog.end()
    assert begin(backlog) == ["1", "online"]


def test_a_goodbye_takes_the_place_of_online() -> None:
    """A device that is ended before its session has said everything never comes online."""
    backlog = Backlog(Outbox(5))
    backlog.add(state("a", "1"))
    backlog.begin(ONLINE)
    (first,) = sent(backlog)
    backlog.add(state(ONLINE.topic, "offline"))
    backlog.acknowledge(first)
    assert payloads(sent(backlog)) == ["offline"]


def test_a_passing_state_is_not_waited_for() -> None:
    """QoS 0 is never acknowledged; it is said again in each session."""
    backlog = Backlog(Outbox(5))
    backlog.add(Message("telemetry", "{}", qos=0, retain=True, coalesce=True))
    assert begin(backlog) == ["{}", "online"]
    backlog.end()
    assert begin(backlog) == ["{}", "online"]


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
    begin(backlog)
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
    begin(backlog)
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
    begin(backlog)
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
    begin(backlog)
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
    again = sent(backlog)
    assert [(parcel.message.topic, parcel.message.payload) for parcel in again] == [("a", "1"), ("b", "2")]
    for parcel in again:
        backlog.acknowledge(parcel)
    assert payloads(sent(backlog)) == ["online"]


def test_an_empty_payload_is_said_once() -> None:
    """It empties a retained topic; there is nothing left to repeat, in this session or the next."""
    backlog = begun()
    backlog.add(state("a", "1"))
    backlog.add(state("a", ""))
    (emptied,) = sent(backlog)
    assert emptied.message.payload == ""
    backlog.acknowledge(emptied)
    assert not backlog.holds("a")
    backlog.end()
    assert begin(backlog) == ["online"]


def test_a_refused_event_stays_first_until_it_is_released() -> None:
    """States go on meanwhile; then it is sent again, before the others of its topic."""
    backlog = begun()
    backlog.add(event("1"))
    backlog.add(event("2"))
    (refused,) = sent(backlog)
    backlog.hold(refused)
    backlog.add(state("a", "x"))
    assert payloads(sent(backlog)) == ["x"]
    backlog.release([refused.message.topic])
    assert payloads(sent(backlog)) == ["1"]


def test_a_refused_event_holds_up_no_other_topic() -> None:
    """And one that is set aside no other at all."""
    backlog = begun()
    backlog.add(Message("other", "1", qos=1, retain=False, coalesce=False))
    backlog.add(event("2"))
    (refused,) = sent(backlog)
    backlog.hold(refused)
    (other,) = sent(backlog)
    assert other.message.payload == "2"
    backlog.acknowledge(other)
    backlog.set_aside(refused, "not authorized")
    assert (backlog.refused_events, backlog.queued_events) == (1, 0)
