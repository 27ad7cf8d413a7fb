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
from device.publishing.message import Message, Topics, goodbye_messages, status_message
from device.publishing.outbox import Outbox
from device.publishing.publisher import Publisher
from device.publishing.refusal import Refused, TakenOver
from device.publishing.retry import Retry
from device.publishing.session import Happened, Session

_log = logging.getLogger(__name__)

_IDLE_S = 1.0  # how often an idle session checks its keep-alive
_CLOSING_S = 0.05  # how often a closing session checks the clock
_LAST_EVENTS_S = 1.0  # closing: how long events may still be sent
_LAST_STATES_S = 1.5  # closing: until when, from its start, `offline` must be acknowledged
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

    Each session begins with the subscription to commands, `online` and every retained state. The events of the
    outbox follow, one by one. The last will is `offline`.
    """

    def __init__(
        self,
        config: MqttConfig,
        *,
        topics: Topics,
        on_command: Callable[[str, bytes], None] | None = None,
        birth: Birth | None = None,
        outbox: Outbox | None = None,
        retry: Retry | None = None,
    ) -> None:
        """Read the credentials; `start` connects.

        Args:
            config: the broker.
            topics: of this device.
            on_command: called in the `mqtt` thread with the source's name and the payload of each command.
            birth: after which all retained states are repeated.
            outbox: where events wait; None keeps at most `config.max_queued_events` of them in memory.
            retry: how long to wait between attempts.

        Raises:
            ConfigurationError: no host is set, or a password or certificate file cannot be used.
        """
        self._config = config
        self._topics = topics
        self._on_command = on_command
        self._birth = birth
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
        self._refused_event: tuple[Parcel, float] | None = None
        """An event that the broker refused, and when to send it again."""
        self._complaints: set[str] = set()
        """Warnings that are logged only once."""
        self._thread: threading.Thread | None = None
        self._wake_out, self._wake_in = socket.socketpair()
        self._wake_out.setblocking(False)
        self._wake_in.setblocking(False)

    @property
    def queued_events(self) -> int:
        """Events that the broker has not acknowledged."""
        with self._changed:
            return self._backlog.queued_events

    @property
    def dropped_events(self) -> int:
        """Events dropped because too many waited."""
        with self._changed:
            return self._backlog.dropped_events

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
            self._backlog.add(message)
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
                if self._accepted_at is not None and self._wanted():
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
            self._repeat_at, self._refused_event = None, None
            self._accepted_at = time.monotonic()
            if not self._conflict.suspected:  # otherwise each turn would repeat the warning
                self._warned = None
            with self._changed:
                self._backlog.begin([status_message(self._topics, online=True)])
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
        raise session.ending

    def _do_postponed(self) -> None:
        """Repeat the states after a birth, or release a refused event, when it is time."""
        now = time.monotonic()
        if self._repeat_at is not None and now >= self._repeat_at:
            self._repeat_at = None
            with self._changed:
                self._backlog.add(status_message(self._topics, online=True))
                self._backlog.repeat()
        if self._refused_event is not None and now >= self._refused_event[1]:
            parcel, self._refused_event = self._refused_event[0], None
            with self._changed:
                self._backlog.release(parcel)

    def _send_due(self, session: Session, under_way: dict[int, Parcel]) -> None:
        while len(under_way) < session.most_under_way:
            with self._changed:
                parcel = self._backlog.next()
            if parcel is None:
                return
            packet_id = session.send(parcel.message)
            if parcel.message.qos:
                under_way[packet_id] = parcel

    def _take_in(self, happened: Happened, under_way: dict[int, Parcel]) -> None:
        with self._changed:
            for packet_id in happened.acknowledged:
                if packet_id in under_way:  # paho reports QoS 0 too, once it is written
                    self._backlog.acknowledge(under_way.pop(packet_id))
            for packet_id, reason in happened.refused:
                if packet_id in under_way:
                    self._refusal(under_way.pop(packet_id), reason)
            self._changed.notify_all()
        for topic_filter in happened.denied:
            self._complain(f"the MQTT broker does not let this device read {topic_filter}; check its access list")
        for topic, payload, retained in happened.received:
            if self._birth is not None and topic == self._birth.topic:
                self._welcome(self._birth, payload, retained=retained)
            else:
                self._obey(topic, payload, retained=retained)

    def _refusal(self, parcel: Parcel, reason: str) -> None:
        """The broker refuses a message. An event keeps its place and waits; any other message is dropped."""
        topic = parcel.message.topic
        self._complain(f"the MQTT broker does not take {topic} ({reason}); check its access list and limits")
        if parcel.event_key is None:
            self._backlog.acknowledge(parcel)
        else:
            self._refused_event = (parcel, time.monotonic() + self._retry.refused_s)

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
