"""`MqttPublisher`: keeps a session with the broker, whatever happens to it."""

import contextlib
import logging
import random
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from device.configuration.settings import MqttConfig
from device.errors import PublishError
from device.publishing.backlog import Backlog, Parcel
from device.publishing.client_id_conflict import ClientIdConflict
from device.publishing.credentials import read_credentials
from device.publishing.message import Message, Topics, goodbye_messages, status_message
from device.publishing.outbox import Outbox
from device.publishing.refusal import Refused, TakenOver
from device.publishing.retry import Retry
from device.publishing.session import Happened, Session

_log = logging.getLogger(__name__)

_IDLE_S = 1.0  # how often an idle session looks at its keep-alive
_CLOSING_S = 0.05  # how often a closing session looks at the clock
_LAST_EVENTS_S = 1.0  # closing: for the events still under way
_LAST_STATES_S = 1.5  # closing: since the start, until `offline` is acknowledged
_CLOSE_S = 1.9  # closing: for the thread to end


@dataclass(frozen=True, slots=True, kw_only=True)
class Birth:
    """Somebody whose arrival is a reason to say every retained state again: Home Assistant."""

    topic: str
    """Where it says `online`."""
    longest_delay_s: float
    """Everything is said again after a random part of this: a house full of devices must not answer at once."""


class MqttPublisher:
    """Publishes to a broker through outages, from one thread named `mqtt` that it owns.

    Each session begins, once the broker has accepted, with the subscription to commands, `online` and every
    retained state; then events go, one by one, from the outbox. The last will is `offline`.
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
        """Read the credentials; nothing is opened before `start`.

        Args:
            config: the broker.
            topics: of this device.
            on_command: called in the `mqtt` thread with the source's name and the payload of each command.
            birth: at whose arrival all retained states are repeated.
            outbox: where events wait; None keeps `config.max_queued_events` of them in memory.
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
        self._new_session()  # so that what is wrong with the settings is said here
        self._backlog = Backlog(Outbox(config.max_queued_events) if outbox is None else outbox)
        self._changed = threading.Condition()  # guards all below, and the backlog
        self._connected = False
        self._closing_since: float | None = None  # monotonic
        self._said_goodbye = False
        self._last_error: str | None = None
        self._warned: str | None = None
        """What was logged last; it is not logged again at every attempt."""
        self._refused = False
        # The thread's own; times are monotonic.
        self._accepted_at: float | None = None
        """When the broker accepted the present session, or the last attempt's."""
        self._repeat_at: float | None = None
        self._conflict = ClientIdConflict(
            config, client_id=self._client_id, soon_s=self._retry.rival_s, longest_s=self._retry.contest_s
        )
        self._refused_event: tuple[Parcel, float] | None = None
        """An event that the broker would not take, and when to try again."""
        self._complaints: set[str] = set()
        """What was said of messages that the broker does not take."""
        self._thread: threading.Thread | None = None
        self._wake_out, self._wake_in = socket.socketpair()
        self._wake_out.setblocking(False)
        self._wake_in.setblocking(False)

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the present session."""
        return self._connected

    @property
    def refused(self) -> bool:
        """Whether the broker refused this device's credentials at the last attempt."""
        return self._refused

    @property
    def last_error(self) -> str | None:
        """One sentence why there is no session; None while there is one, or before the first attempt."""
        return self._last_error

    @property
    def queued_events(self) -> int:
        """Events that the broker has not acknowledged yet."""
        with self._changed:
            return self._backlog.queued_events

    @property
    def dropped_events(self) -> int:
        """Events given up because too many waited."""
        with self._changed:
            return self._backlog.dropped_events

    @property
    def ended(self) -> bool:
        """Never: a broker may always come back."""
        return False

    def start(self) -> None:
        """Begin to connect, in the background; the broker need not be there. Once only."""
        with self._changed:
            if self._thread is not None or self._closing_since is not None:
                raise RuntimeError("an MqttPublisher is started once")
            # A daemon thread: a wait for a mute name server cannot be interrupted and must not hold the exit.
            self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
            self._thread.start()

    def publish(self, message: Message) -> None:
        """Take a message; from any thread. After `close` it is ignored."""
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
        """Wait until the broker has acknowledged all that was said; False if that took longer."""
        with self._changed:
            return self._changed.wait_for(lambda: self._backlog.all_said, timeout_s)

    def close(self) -> None:
        """Say `offline` for device and sources, if there is a session, and end within 2 s. Idempotent."""
        with self._changed:
            if self._closing_since is None:
                self._closing_since = time.monotonic()
                self._changed.notify_all()
        self._wake()
        if self._thread is not None:
            self._thread.join(_CLOSE_S)  # and it closes the sockets; if the network holds it up, a little later
        else:
            self._wake_in.close()
            self._wake_out.close()
        left = self.queued_events
        if left:
            fate = "; they go with the next start" if self._backlog.lasting else ""
            _log.warning("events not delivered to the MQTT broker: %d%s", left, fate)

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _run(self) -> None:
        """Body of the thread: one session after another."""
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
                self._note(why)
            except Exception:  # noqa: BLE001 - the one thread that speaks must outlive any surprise
                _log.exception("the MQTT session failed in an unforeseen way; trying again")
            if self._lasted_s() >= self._retry.settled_s:
                backoff.reset()
            wait_s = backoff.next_s() + (self._retry.refused_s if pointless else 0.0)
            with self._changed:
                self._changed.wait_for(lambda: self._closing_since is not None, wait_s)
        self._wake_in.close()
        self._wake_out.close()

    def _one_session(self) -> None:
        """Connect and serve until the session ends.

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
            with self._changed:
                self._accepted_at = time.monotonic()
                self._connected, self._refused, self._last_error = True, False, None
                if not self._conflict.suspected:  # or the same would be said at each turn
                    self._warned = None
                self._backlog.begin([status_message(self._topics, online=True)])
                self._changed.notify_all()
            level = logging.DEBUG if self._conflict.certain else logging.INFO
            _log.log(level, "connected to the MQTT broker at %s:%d", self._config.host, self._config.port)
            self._serve(session)
        finally:
            with self._changed:
                self._connected = False
                self._backlog.end()
                self._changed.notify_all()
            session.abort()

    def _serve(self, session: Session) -> None:
        """Pass on what is said, and take in what comes back, until the end.

        Raises:
            PublishError: the connection broke.
        """
        under_way: dict[int, Parcel] = {}
        while session.alive:
            self._take_up_again()
            self._send_due(session, under_way)
            happened = session.step(timeout_s=_IDLE_S if self._wanted() else _CLOSING_S, wake=self._wake_out)
            self._sleep_again()
            self._take_in(happened, under_way)
            if not self._wanted() and self._parted():
                session.disconnect()
                return
        raise session.ending

    def _take_up_again(self) -> None:
        """Do what was put off and is now due."""
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
        """The broker will not take a message. An event waits on, in its place; anything else is given up."""
        topic = parcel.message.topic
        self._complain(f"the MQTT broker does not take {topic} ({reason}); check its access list and limits")
        if parcel.event_key is None:
            self._backlog.acknowledge(parcel)
        else:
            self._refused_event = (parcel, time.monotonic() + self._retry.refused_s)

    def _complain(self, sentence: str) -> None:
        """Warn, but only once of each."""
        if sentence not in self._complaints:
            self._complaints.add(sentence)
            _log.warning("%s", sentence)

    def _welcome(self, birth: Birth, payload: bytes, *, retained: bool) -> None:
        """Somebody has said `online`. What is retained was said before this session, which began with all."""
        if payload == b"online" and not retained:
            self._repeat_at = time.monotonic() + random.uniform(0, birth.longest_delay_s)  # noqa: S311 - no secret

    def _lasted_s(self) -> float:
        """How long the session lasted that has just ended; 0 if none had begun."""
        return 0.0 if self._accepted_at is None else time.monotonic() - self._accepted_at

    def _parted(self) -> bool:
        """Closing: say goodbye once all else is said or the time for it is over; True when that arrived."""
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

    def _note(self, error: PublishError) -> None:
        """Keep why there is no session, and log it unless that was just said."""
        if not self._wanted():
            return
        sentence = str(error)
        if sentence != self._warned or self._lasted_s() >= self._retry.contest_s:
            _log.warning("%s", sentence)
        self._refused, self._last_error, self._warned = isinstance(error, Refused), sentence, sentence

    def _obey(self, topic: str, payload: bytes, *, retained: bool) -> None:
        source = self._topics.source_of(topic, "set")
        if source is None or self._on_command is None:
            return
        if retained:
            _log.warning("ignored a retained command on %s, which would be obeyed again at each connection", topic)
            return
        try:
            self._on_command(source, payload)
        except Exception:  # noqa: BLE001 - a command must not cost the session
            _log.exception("a command for %s failed", source)

    def _wake(self) -> None:
        # Full: the thread will wake anyway. Closed: there is no thread any more.
        with contextlib.suppress(BlockingIOError, OSError):
            self._wake_in.send(b"\0")

    def _sleep_again(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_out.recv(4096)
