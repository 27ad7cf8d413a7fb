"""One connection to the broker, from CONNECT to its end; never reused.

paho-mqtt keeps unacknowledged messages over a reconnect and sends them again by itself. Here the outbox does
that, so that events survive what paho's memory does not; with both, each event would arrive twice. So a
session has its own paho client, thrown away with it, and only the thread that owns the session ever touches
it: paho's callbacks merely note what happened, and cannot raise.
"""

import contextlib
import secrets
import select
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from device.config import MqttConfig
from device.errors import ConfigurationError, PublishError
from device.publishing.credentials import Credentials, read_credentials
from device.publishing.message import Message

CONNECT_TIMEOUT_S = 5.0
"""For each of TCP connection, TLS handshake and CONNACK."""

_LOOK_UP_S = 0.1  # how often a connection attempt looks whether it is still wanted

# CONNACK return codes (MQTT 3.1.1, table 3.1) as paho 2 names them.
_WRONG_LOGIN = ("Bad user name or password", "Not authorized")
_WRONG_CLIENT = ("Client identifier not valid",)


class Refused(PublishError):  # noqa: N818 - "refused" is what happened, like SourceLost
    """The broker answered and will not have this device; trying again soon is pointless."""


@dataclass(slots=True)
class Happened:
    """What came from the broker in one step."""

    acknowledged: list[int] = field(default_factory=list)
    """Packet ids that `Session.send` returned."""
    received: list[tuple[str, bytes, bool]] = field(default_factory=list)
    """Topic, payload, and whether it was retained by the broker."""
    subscriptions_denied: int = 0


class Session:
    """A clean session (MQTT 3.1.1): the broker remembers nothing of this device but what it retained.

    What must not be lost waits in the outbox, so the broker may lose its memory too; and a command sent while
    the device was away would surprise whoever meets its effect hours later.
    """

    def __init__(
        self, config: MqttConfig, credentials: Credentials, *, client_id: str, will: Message | None
    ) -> None:
        """Prepare; nothing is opened yet.

        Raises:
            ConfigurationError: no host is configured.
        """
        if config.host is None:
            raise ConfigurationError("[mqtt] host is not set")
        self._host, self._port, self._keepalive_s = config.host, config.port, config.keepalive_s
        self._username = credentials.username
        self._connack: ReasonCode | None = None
        self._happened = Happened()
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=True,
            protocol=paho.MQTTv311,
            reconnect_on_failure=False,
        )
        client.max_inflight_messages = 0  # no limit of paho's: the backlog has its own
        if credentials.username is not None:
            client.username_pw_set(credentials.username, credentials.password)
        if credentials.tls is not None:
            client.tls_set_context(credentials.tls)
        if will is not None:
            client.will_set(will.topic, will.payload, qos=will.qos, retain=will.retain)
        client.on_connect = self._on_connect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        self._client = client

    @property
    def alive(self) -> bool:
        """Whether the connection stands."""
        return self._client.socket() is not None

    def connect(self, *, timeout_s: float = CONNECT_TIMEOUT_S, wanted: Callable[[], bool] = lambda: True) -> None:
        """Connect and wait until the broker has accepted.

        Args:
            timeout_s: for the TCP connection, the TLS handshake and the broker's answer, each.
            wanted: asked while waiting; once it says no, the attempt fails.

        Raises:
            Refused: the broker does not accept the credentials or the client.
            PublishError: the broker cannot be reached, or does not speak MQTT.
        """
        self._client.connect_timeout = timeout_s
        try:
            self._client.connect(self._host, self._port, self._keepalive_s)
        except (OSError, UnicodeError) as error:  # UnicodeError: a host name that IDNA cannot encode
            raise PublishError(self._sentence(error)) from error
        deadline = time.monotonic() + timeout_s
        while self.alive and self._connack is None and wanted() and time.monotonic() < deadline:
            self.step(timeout_s=_LOOK_UP_S)
        reason, alive = self._connack, self.alive
        if reason is None or reason.is_failure:
            self.abort()
        if reason is None:
            what = "does not answer" if alive else "closes the connection instead of answering"
            raise PublishError(f"{self._broker} {what}; check [mqtt] port and tls")
        if reason.is_failure:
            raise self._refusal(reason.getName())

    def subscribe(self, topic_filter: str) -> None:
        """Ask for messages, QoS 1."""
        self._client.subscribe(topic_filter, qos=1)

    def send(self, message: Message) -> int:
        """Hand a message over; return the packet id by which `step` reports its acknowledgement."""
        return self._client.publish(message.topic, message.payload, qos=message.qos, retain=message.retain).mid

    def step(self, *, timeout_s: float, wake: socket.socket | None = None) -> Happened:
        """Read and write what is due; wait for that at most `timeout_s`, or until `wake` can be read."""
        connection: Any = self._client.socket()
        if connection is None:
            return self._take()
        # Decrypted bytes wait inside the TLS layer, where select does not see them.
        buffered = isinstance(connection, ssl.SSLSocket) and connection.pending() > 0
        readable, writable, _ = select.select(
            [connection] if wake is None else [connection, wake],
            [connection] if self._client.want_write() else [],
            [],
            0.0 if buffered else timeout_s,
        )
        result = MQTTErrorCode.MQTT_ERR_SUCCESS
        if buffered or connection in readable:
            result = self._client.loop_read()
        if not result and connection in writable:
            result = self._client.loop_write()
        if not result:
            self._client.loop_misc()
        return self._take()

    def disconnect(self) -> None:
        """Part in order: the broker does not publish the last will. The connection is gone afterwards."""
        if self.alive:
            self._client.disconnect()  # paho writes it at once, unless the socket is full
        self.abort()

    def abort(self) -> None:
        """Drop the connection; the broker publishes the last will."""
        connection: Any = self._client.socket()
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()
            self._client.loop_read()  # lets paho notice

    def _take(self) -> Happened:
        happened, self._happened = self._happened, Happened()
        return happened

    def _on_connect(self, _client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _more: Any) -> None:
        self._connack = reason

    def _on_publish(self, _client: paho.Client, _data: Any, packet_id: int, _reason: Any, _more: Any) -> None:
        self._happened.acknowledged.append(packet_id)

    def _on_subscribe(
        self, _client: paho.Client, _data: Any, _packet_id: int, reasons: list[ReasonCode], _more: Any
    ) -> None:
        self._happened.subscriptions_denied += sum(reason.is_failure for reason in reasons)

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:  # no topic of ours
            return
        self._happened.received.append((topic, bytes(message.payload), message.retain))

    @property
    def _broker(self) -> str:
        return f"the MQTT broker at {self._host}:{self._port}"

    def _refusal(self, name: str) -> PublishError:
        if name in _WRONG_LOGIN and self._username is None:
            return Refused(f"{self._broker} wants a user name; set [mqtt] username and password_file")
        if name in _WRONG_LOGIN:
            return Refused(
                f"{self._broker} refuses the user {self._username!r}; check [mqtt] username and password_file"
            )
        if name in _WRONG_CLIENT:
            return Refused(f"{self._broker} refuses the client id; set another [mqtt] client_id")
        return PublishError(f"{self._broker} accepts no connection now: {name.lower()}")

    def _sentence(self, error: OSError | UnicodeError) -> str:
        match error:
            case ssl.SSLCertVerificationError():
                why = error.verify_message.rstrip(".")
                said = f"{self._broker} cannot be trusted: {why}; check [mqtt] host and ca_file"
            case ssl.SSLError():
                said = f"{self._broker} does not speak TLS ({error.reason}); check [mqtt] port and tls"
            case socket.gaierror() | UnicodeError():
                said = f"there is no host {self._host!r} on this network; check [mqtt] host"
            case ConnectionRefusedError():
                said = f"nothing listens at {self._host}:{self._port}; check [mqtt] port and the broker"
            case ConnectionResetError():
                said = f"{self._broker} breaks the connection off; check [mqtt] port and tls"
            case TimeoutError():
                said = f"{self._broker} does not answer; check [mqtt] host and the network"
            case _:
                said = f"{self._broker} cannot be reached: {error.strerror or error}; check the network"
        return said


def connect_once(config: MqttConfig, *, timeout_s: float = CONNECT_TIMEOUT_S) -> str | None:
    """Try the broker, as `oido check` does: None if it accepts this device, else one sentence why not.

    The client id is a random one and there is no last will: a daemon that runs beside is not thrown out.
    """
    try:
        client_id = f"oido-check-{secrets.token_hex(4)}"
        session = Session(config, read_credentials(config), client_id=client_id, will=None)
        session.connect(timeout_s=timeout_s)
    except (ConfigurationError, PublishError) as error:
        return str(error)
    session.disconnect()
    return None
