"""`MqttPublisher`: keeps a session with the broker, through outages and restarts of it."""

import contextlib
import logging
import random
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from device.configuration.settings import MqttConfig
from device.errors import PublishError
from device.publishing.backlog import Backlog, Parcel
from device.publishing.client_id_conflict import ClientIdConflict
from device.publishing.credentials import read_credentials
from device.publishing.discovery import separate_components
from device.publishing.event_refusals import EventRefusals
from device.publishing.ledger import Ledger
from device.publishing.message import Message, Topics, clearing_message, goodbye_messages, status_message
from device.publishing.outbox import Outbox
from device.publishing.publisher import Publisher
from device.publishing.refusal import Mute, Refused, TakenOver
from device.publishing.retry import Retry
from device.publishing.session import Happened, Session
from device.publishing.session_ender import SessionEnder, packet_bytes

_log = logging.getLogger(__name__)

_IDLE_S = 1.0  # how often an idle session checks its keep-alive
_CLOSING_S = 0.05  # how often a closing session checks the clock
_LAST_EVENTS_S = 1.0  # closing: how long events may still be sent
_LAST_STATES_S = 1.5  # closing: until when, from its start, `offline` must be acknowledged
_TOO_LARGE = "packet too large"  # the name of MQTT 5's reason code
_CLOSE_S = 1.9  # closing: how long the thread may take to end


@dataclass(frozen=True, slots=True, kw_only=True)
class Birth:
    """Home Assistant's start, after which every retained message is published again."""

    topic: str
    """Where Home Assistant publishes `online`."""
    longest_delay_s: float
    """The delay is a random part of this, so that not all devices of a house answer at once."""


class MqttPublisher(Publisher):
    """Publishes to a broker through outages, from one thread named `mqtt` that it owns.

    Each session begins with the subscription to commands and every retained state. When the broker has
    acknowledged them all, `online` follows, and then the events of the outbox, one by one. The last will is
    `offline`.
    """

    def __init__(
        self,
        config: MqttConfig,
        *,
        topics: Topics,
        on_command: Callable[[str, bytes], None] | None = None,
        birth: Birth | None = None,
        outbox: Outbox | None = None,
        ledger: Ledger | None = None,
        before_states: Callable[[], object] | None = None,
        retry: Retry | None = None,
    ) -> None:
        """Read the credentials; `start` connects.

        Args:
            config: the broker.
            topics: of this device.
            on_command: called in the `mqtt` thread with the source's name and the payload of each command.
            birth: after which all retained states are repeated.
            outbox: where events wait; None keeps at most `config.max_queued_events` of them in memory.
            ledger: knows which topics are retained at the broker; None: until the process ends.
            before_states: called in the `mqtt` thread when a session begins. It corrects states that are no longer
                true, as when the whole process was stopped for a while.
            retry: how long to wait between attempts.

        Raises:
            ConfigurationError: no host is set, or a password or certificate file cannot be used.
        """
        self._config = config
        self._topics = topics
        self._on_command = on_command
        self._birth = birth
        self._ledger = ledger or Ledger()
        self._before_states = before_states
        self._retry = retry or Retry()
        self._credentials = read_credentials(config)
        self._new_session()  # raises now if the settings are wrong
        self._backlog = Backlog(Outbox(config.max_queued_events) if outbox is None else outbox)
        self._changed = threading.Condition()  # guards the backlog and `_closing_since`
        self._closing_since: float | None = None  # monotonic
        # The rest belongs to the thread; times are monotonic.
        self._said_goodbye = False
        self._warned: str | None = None
        """The latest warning; it is not logged again at every attempt."""
        self._accepted_at: float | None = None
        """When the broker accepted the present session, or the latest one."""
        self._repeat_at: float | None = None
        self._conflict = ClientIdConflict(
            config, client_id=self._client_id, soon_s=self._retry.short_s, longest_s=self._retry.conflict_s
        )
        self._refusals = EventRefusals(apart_s=self._retry.refused_s)
        self._ender = SessionEnder()
        self._largest_packet: int | None = None
        """Bytes; what a broker takes that does not say so, once that showed."""
        self._parts: dict[str, tuple[str, ...]] = {}
        """Topics of discovery messages that are too large, and those of the messages in their place."""
        self._complaints: set[str] = set()
        """Warnings that are logged only once."""
        self._thread: threading.Thread | None = None
        self._wake_out, self._wake_in = socket.socketpair()
        self._wake_out.setblocking(False)
        self._wake_in.setblocking(False)

    @property
    def queued_events(self) -> int:
        """Events that the broker has not acknowledged; no lock is held up for it, as in the next two."""
        return self._backlog.queued_events

    @property
    def dropped_events(self) -> int:
        """Events dropped because too many waited."""
        return self._backlog.dropped_events

    @property
    def refused_events(self) -> int:
        """Events set aside because the broker refuses them."""
        return self._backlog.refused_events

    def start(self) -> None:
        """Begin to connect, in the background; the broker may be away. Once only."""
        with self._changed:
            if self._thread is not None or self._closing_since is not None:
                raise RuntimeError("an MqttPublisher is started once")
            # A daemon thread: waiting for a name server cannot be interrupted, and must not delay the exit.
            self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
            self._thread.start()

    def publish(self, message: Message) -> None:
        """Take a message, from any thread; after `close` it is ignored."""
        with self._changed:
            if self._closing_since is not None:
                return
            dropped = self._backlog.dropped_events
            if message.retain and message.payload:
                self._ledger.note([message.topic])
            self._backlog.add(message)
            if message.retain and not message.payload:
                for topic in self._parts.pop(message.topic, ()):
                    self._backlog.add(clearing_message(topic))
            first_drop = not dropped and self._backlog.dropped_events
        if first_drop:
            _log.warning(
                "more than %d events wait for the MQTT broker; the oldest are dropped from now on",
                self._config.max_queued_events,
            )
        self._wake()

    def drain(self, timeout_s: float) -> bool:
        """Wait until the broker has acknowledged everything; False if that took longer than `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: self._backlog.all_said, timeout_s)

    def close(self) -> None:
        """Publish `offline` for device and sources, if there is a session, and end within 2 s. Idempotent."""
        with self._changed:
            if self._closing_since is None:
                self._closing_since = time.monotonic()
                self._changed.notify_all()
        self._wake()
        if self._thread is not None:
            self._thread.join(_CLOSE_S)  # it closes the sockets, a little later if the network holds it up
        else:
            self._wake_in.close()
            self._wake_out.close()
        left = self.queued_events
        if left:
            fate = "; they go with the next start" if self._backlog.lasting else ""
            _log.warning("events not delivered to the MQTT broker: %d%s", left, fate)

    def _run(self) -> None:
        """The thread: one session after another."""
        backoff = self._retry.backoff()
        while self._wanted():
            self._accepted_at = None
            pointless = False
            try:
                self._one_session()
            except PublishError as error:
                why = error
                if self._accepted_at is not None and self._wanted() and not self._ender.suspected:
                    why = self._conflict.judged(error, lasted_s=self._lasted_s())
                pointless = isinstance(why, Refused | TakenOver)
                self._warn(str(why))
            except Exception:  # noqa: BLE001 - without this thread nothing would be published any more
                _log.exception("the MQTT session failed in an unforeseen way; trying again")
            if self._lasted_s() >= self._retry.settled_s:
                backoff.reset()
            wait_s = backoff.next_s() + (self._retry.refused_s if pointless else 0.0)
            with self._changed:
                self._changed.wait_for(lambda: self._closing_since is not None, wait_s)
        self._wake_in.close()
        self._wake_out.close()

    def _one_session(self) -> None:
        """Connect, and serve the session until it ends.

        Raises:
            PublishError: it could not begin, or broke.
        """
        session = self._new_session()
        session.connect(wanted=self._wanted)
        try:
            session.subscribe(self._topics.set("+"))
            if self._birth is not None:
                session.subscribe(self._birth.topic)
            self._repeat_at = None
            self._ender.begin()
            self._accepted_at = time.monotonic()
            if not self._conflict.suspected:  # otherwise each turn would repeat the warning
                self._warned = None
            if self._before_states is not None:
                self._before_states()
            with self._changed:
                self._backlog.begin(status_message(self._topics, online=True))
            level = logging.DEBUG if self._conflict.certain else logging.INFO
            broker = f"{self._config.host}:{self._config.port}"
            _log.log(level, "connected to the MQTT broker at %s as %s", broker, self._client_id)
            self._serve(session)
        finally:
            with self._changed:
                self._backlog.end()
                self._changed.notify_all()
            session.abort()

    def _serve(self, session: Session) -> None:
        """Send what waits and handle what arrives, until the end.

        Raises:
            PublishError: the connection broke.
        """
        under_way: dict[int, Parcel] = {}
        while session.alive:
            self._do_postponed()
            self._send_due(session, under_way)
            happened = session.step(timeout_s=_IDLE_S if self._wanted() else _CLOSING_S, wake=self._wake_out)
            self._sleep_again()
            self._take_in(happened, under_way)
            if not self._wanted() and self._parted():
                session.disconnect()
                return
        if not isinstance(session.ending, Mute | TakenOver):
            self._look_for_ender(under_way)
        raise session.ending

    def _look_for_ender(self, under_way: dict[int, Parcel]) -> None:
        """The broker has ended the session: perhaps over a message, which then must not end the next ones too."""
        culprit = self._ender.ended(under_way.values())
        if culprit is None:
            return
        if culprit.event_key is None:
            self._largest_packet = packet_bytes(culprit.message) - 1
        else:
            with self._changed:
                self._set_aside(culprit, "it ends the connection each time")

    def _do_postponed(self) -> None:
        """Repeat the states after a birth, or try refused events again, when it is time."""
        now = time.monotonic()
        if self._repeat_at is not None and now >= self._repeat_at:
            self._repeat_at = None
            with self._changed:
                self._backlog.repeat()
        due = self._refusals.due(now)
        if due:
            with self._changed:
                self._backlog.release(due)

    def _send_due(self, session: Session, under_way: dict[int, Parcel]) -> None:
        largest = min(session.largest_packet, self._largest_packet or session.largest_packet)
        while len(under_way) < session.most_under_way:
            with self._changed:
                parcel = self._backlog.next()
                if parcel is not None and packet_bytes(parcel.message) > largest:
                    self._too_large(parcel, f"more than {largest} bytes")
                    continue
            if parcel is None:
                return
            packet_id = session.send(parcel.message)
            if parcel.message.qos:
                under_way[packet_id] = parcel

    def _take_in(self, happened: Happened, under_way: dict[int, Parcel]) -> None:
        with self._changed:
            for packet_id in happened.acknowledged:
                if packet_id in under_way:  # paho reports QoS 0 too, once it is written
                    self._acknowledged(under_way.pop(packet_id))
            for packet_id, reason in happened.refused:
                if packet_id in under_way:
                    self._refusal(under_way.pop(packet_id), reason)
            self._changed.notify_all()
        self._ledger.save()
        for topic_filter in happened.denied:
            self._complain(f"the MQTT broker does not let this device read {topic_filter}; check its access list")
        for topic, payload, retained in happened.received:
            if self._birth is not None and topic == self._birth.topic:
                self._welcome(self._birth, payload, retained=retained)
            else:
                self._obey(topic, payload, retained=retained)

    def _acknowledged(self, parcel: Parcel) -> None:
        self._backlog.acknowledge(parcel)
        message = parcel.message
        self._ender.acknowledged(message)
        if parcel.event_key is not None:
            self._refusals.taken(message.topic)
        if message.retain and not message.payload and not self._backlog.holds(message.topic):
            self._ledger.drop(message.topic)

    def _refusal(self, parcel: Parcel, reason: str) -> None:
        """The broker refuses a message. An event is tried again and then set aside; any other is dropped."""
        topic = parcel.message.topic
        if reason == _TOO_LARGE:
            self._too_large(parcel, f"{packet_bytes(parcel.message)} bytes")
            return
        self._complain(f"the MQTT broker does not take {topic} ({reason}); check its access list and limits")
        if parcel.event_key is None:
            self._backlog.acknowledge(parcel)
        elif self._refusals.refused(topic, time.monotonic()):
            self._set_aside(parcel, reason)
        else:
            self._backlog.hold(parcel)

    def _set_aside(self, parcel: Parcel, reason: str) -> None:
        self._backlog.set_aside(parcel, reason)
        kept = "; they are kept: `oido check --resend` sends them once that is mended" * self._backlog.lasting
        topic = parcel.message.topic
        self._complain(f"events for {topic} are set aside, because the MQTT broker refuses them ({reason}){kept}")

    def _too_large(self, parcel: Parcel, size: str) -> None:
        """The broker takes no such message: say it in parts, or leave it out."""
        message = parcel.message
        limit = f"the MQTT broker takes no message of {size}"
        parts = separate_components(message)
        if parcel.event_key is not None:
            self._set_aside(parcel, _TOO_LARGE)
            return
        self._backlog.give_up(parcel)
        if not parts:
            self._complain(f"{limit}: {message.topic} is left out; raise the broker's limit")
            return
        self._complain(
            f"{limit}: Home Assistant is told of each entity by itself; raise the broker's limit to spare it that"
        )
        self._parts[message.topic] = topics = tuple(part.topic for part in parts)
        self._ledger.note(topics)
        for each in (clearing_message(message.topic), *parts):
            self._backlog.add(each)

    def _complain(self, sentence: str) -> None:
        """Log a warning, each only once."""
        if sentence not in self._complaints:
            self._complaints.add(sentence)
            _log.warning("%s", sentence)

    def _welcome(self, birth: Birth, payload: bytes, *, retained: bool) -> None:
        """React to a birth. A retained one is older than this session, which began with every state."""
        if payload == b"online" and not retained:
            self._repeat_at = time.monotonic() + random.uniform(0, birth.longest_delay_s)  # noqa: S311 - no secret

    def _lasted_s(self) -> float:
        """How long the latest session has lasted; 0 if the latest attempt began none."""
        return 0.0 if self._accepted_at is None else time.monotonic() - self._accepted_at

    def _parted(self) -> bool:
        """While closing: say goodbye when all else is said or its time is over; True when that has arrived."""
        with self._changed:
            spent_s = time.monotonic() - (self._closing_since or 0.0)
            if self._said_goodbye:
                return self._backlog.states_said or spent_s >= _LAST_STATES_S
            if self._backlog.all_said or spent_s >= _LAST_EVENTS_S:
                self._said_goodbye = True
                for message in goodbye_messages(self._topics, self._backlog.latest()):
                    self._backlog.add(message)
            return False

    def _wanted(self) -> bool:
        return self._closing_since is None

    def _new_session(self) -> Session:
        will = status_message(self._topics, online=False)
        return Session(self._config, self._credentials, client_id=self._client_id, will=will)

    @property
    def _client_id(self) -> str:
        return self._config.client_id or f"{self._topics.base}-{self._topics.node}"

    def _warn(self, sentence: str) -> None:
        """Log why there is no session, unless that was the latest warning."""
        if not self._wanted():
            return
        if sentence != self._warned or self._lasted_s() >= self._retry.conflict_s:
            _log.warning("%s", sentence)
        self._warned = sentence

    def _obey(self, topic: str, payload: bytes, *, retained: bool) -> None:
        source = self._topics.source_of(topic, "set")
        if source is None or self._on_command is None:
            return
        if retained:
            _log.warning("ignored a retained command on %s: it would be obeyed again at each connection", topic)
            return
        try:
            self._on_command(source, payload)
        except Exception:  # noqa: BLE001 - a command must not end the session
            _log.exception("a command for %s failed", source)

    def _wake(self) -> None:
        # A full socket wakes the thread all the same; a closed one means that there is no thread any more.
        with contextlib.suppress(BlockingIOError, OSError):
            self._wake_in.send(b"\0")

    def _sleep_again(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_out.recv(4096)
