"""What is still to be said to the broker, in which order, and what it has acknowledged. Pure.

Four kinds of message, four rules:

- states (`coalesce`): only the latest of a topic waits; the retained ones are said again in each session, and the
  session's last word (`online`) only when the broker has acknowledged them all;
- events (QoS 1 otherwise): wait in the outbox, in order, until acknowledged;
- answers to commands (QoS 1, not `durable`): the same, but never on a disk, and not for ever;
- the passing rest (QoS 0): said now or never.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from device.publishing.message import Message
from device.publishing.outbox import Outbox


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message to send, and which it is once the broker acknowledges it."""

    message: Message
    event_key: int | None = None
    """The outbox's key; None for what is no event."""
    answer_key: int | None = None
    """The same for an answer."""


class Backlog:
    """Decides what is sent next. One session at a time: `begin`, then `next` and `acknowledge`, then `end`.

    At most one event is under way, because MQTT 3.1.1 (4.6) only then keeps their order when a connection
    breaks: with two, the first could arrive again after the second. States may overtake one another's
    acknowledgements; a few of them under way keep a slow broker from making the queue inside paho grow.
    """

    def __init__(
        self, outbox: Outbox, *, states_under_way: int = 16, passing: int = 16, answers: int = 64
    ) -> None:
        """Say what the outbox holds, then what is added."""
        self._outbox = outbox
        self._states_limit = states_under_way
        self._latest: dict[str, Message] = {}
        self._waiting: dict[str, Message] = {}
        self._passing: deque[Message] = deque(maxlen=passing)
        self._answers = Outbox(answers)
        self._answer_under_way: int | None = None
        self._event_under_way: int | None = None
        self._states_under_way: list[Message] = []
        self._owed: set[str] = set()
        """Topics whose state must be acknowledged before the last word."""
        self._last_word: Message | None = None
        """Of this session."""
        self._last_word_due = False
        self._in_session = False
        self._held: set[str] = set()
        """Topics whose events wait until `release`, because the broker refused one."""

    @property
    def refused_events(self) -> int:
        """Events set aside because the broker refuses them."""
        return self._outbox.refused

    @property
    def queued_events(self) -> int:
        """Events not yet acknowledged."""
        return len(self._outbox)

    @property
    def dropped_events(self) -> int:
        """Events given up because the outbox was full."""
        return self._outbox.dropped

    @property
    def lasting(self) -> bool:
        """Whether queued events outlive the process."""
        return self._outbox.lasting

    @property
    def states_said(self) -> bool:
        """Whether every state was acknowledged."""
        return not (self._waiting or self._states_under_way or self._last_word_due)

    @property
    def all_said(self) -> bool:
        """Whether nothing is left to send or to be acknowledged."""
        return self.states_said and not self._passing and not self._answers and not self._outbox

    def add(self, message: Message) -> None:
        """Take a message in."""
        if message.coalesce:
            if self._last_word is not None and message.topic == self._last_word.topic:
                self._last_word_due = False  # the goodbye came first
            self._say_last(self._waiting, message)
            if message.retain and message.payload:
                self._say_last(self._latest, message)
            elif message.retain:  # it empties the topic: to be said once, and not again in each session
                self._latest.pop(message.topic, None)
        elif message.qos and message.durable:
            self._outbox.add(message)
        elif message.qos:
            self._answers.add(message)
        elif self._in_session:
            self._passing.append(message)

    def holds(self, topic: str) -> bool:
        """Whether a retained state of this topic is said again in each session."""
        return topic in self._latest

    def latest(self) -> tuple[Message, ...]:
        """The latest retained message of each topic, the oldest first."""
        return tuple(self._latest.values())

    def begin(self, last_word: Message) -> None:
        """A session began: say every retained state again, then `last_word`, then the rest.

        Until `last_word`, others see the device as its last session left it: offline. So nobody takes a state that
        an earlier process retained for one of this process.
        """
        self._last_word = last_word
        self._in_session = True
        self.repeat()

    def end(self) -> None:
        """The session broke: what was under way may not have arrived."""
        self._in_session = False
        self._passing.clear()
        self._event_under_way = self._answer_under_way = None
        self._held.clear()
        unsaid: dict[str, Message] = {}
        for message in (*self._states_under_way, *self._waiting.values()):
            self._say_last(unsaid, message)
        if self._last_word is not None and unsaid.get(self._last_word.topic) == self._last_word:
            del unsaid[self._last_word.topic]  # the next session has its own
        self._last_word, self._last_word_due = None, False
        self._waiting = unsaid
        self._states_under_way.clear()

    def next(self) -> Parcel | None:
        """What to send now; it counts as under way from here on. None: nothing, or wait for the broker."""
        if not self._in_session:
            return None
        state = self._next_state()
        if state is not None or self._last_word_due:
            return None if state is None else Parcel(state)
        if self._passing:
            return Parcel(self._passing.popleft())
        if self._answer_under_way is None:
            for key, message in self._answers.pending():
                self._answer_under_way = key
                return Parcel(message, answer_key=key)
        if self._event_under_way is None:
            found = self._outbox.first(self._held)
            if found is not None:
                self._event_under_way = found[0]
                return Parcel(found[1], event_key=found[0])
        return None

    def _next_state(self) -> Message | None:
        """The state to send now, in the end the last word."""
        if self._waiting and len(self._states_under_way) < self._states_limit:
            message = self._waiting.pop(next(iter(self._waiting)))
        elif self._last_word is not None and self._last_word_due and not (self._waiting or self._owed):
            message, self._last_word_due = self._last_word, False
        else:
            return None
        if message.qos:
            self._states_under_way.append(message)
        else:
            self._owed.discard(message.topic)
        return message

    def repeat(self) -> None:
        """Say every retained state again, then the last word; somebody who was not there has come."""
        again = dict(self._latest)
        for message in self._waiting.values():
            self._say_last(again, message)
        self._waiting, self._owed = again, set(again)
        self._last_word_due = True

    def hold(self, parcel: Parcel) -> None:
        """The broker has refused the event: it waits, and so do others of its topic, until `release`."""
        self._held.add(parcel.message.topic)
        self._event_under_way = None

    def release(self, topics: Iterable[str]) -> None:
        """Events of these topics may be sent again."""
        self._held.difference_update(topics)

    def set_aside(self, parcel: Parcel, reason: str) -> None:
        """The broker refuses the event for good: it no longer waits."""
        if parcel.event_key is not None:
            self._outbox.set_aside(parcel.event_key, reason)
        self._event_under_way = None

    def give_up(self, parcel: Parcel) -> None:
        """The broker does not take this message, which is no event: it is not said again."""
        self.acknowledge(parcel)
        if self._latest.get(parcel.message.topic) == parcel.message:
            del self._latest[parcel.message.topic]

    def acknowledge(self, parcel: Parcel) -> None:
        """The broker has it."""
        if parcel.event_key is not None:
            self._outbox.acknowledge(parcel.event_key)
            self._event_under_way = None
        elif parcel.answer_key is not None:
            self._answers.acknowledge(parcel.answer_key)
            self._answer_under_way = None
        else:
            self._states_under_way.remove(parcel.message)
            self._owed.discard(parcel.message.topic)

    @staticmethod
    def _say_last(messages: dict[str, Message], message: Message) -> None:
        """Put the message behind all others: what was said last is also said last the next time."""
        messages.pop(message.topic, None)
        messages[message.topic] = message
