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
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from device.configuration.settings import MqttConfig, MqttProtocol
from device.errors import ConfigurationError, PublishError
from device.publishing import refusal
from device.publishing.credentials import Credentials, TlsSocket, read_credentials
from device.publishing.message import Message
from device.publishing.refusal import Mute

_LOOK_UP_S = 0.1  # how often a connection attempt looks whether it is still wanted

_PROTOCOLS: dict[MqttProtocol, MQTTProtocolVersion] = {"3.1.1": paho.MQTTv311, "5": paho.MQTTv5}

_MOST_UNDER_WAY = 65_535  # MQTT 5, section 3.2.2.3.3: what holds where the broker names no Receive Maximum

_LARGEST_PACKET = 268_435_460  # section 2.1.4: the most that a packet's length can say, and its header


@dataclass(slots=True)
class Happened:
    """What came from the broker in one step."""

    acknowledged: list[int] = field(default_factory=list)
    """Packet ids that `Session.send` returned."""
    refused: list[tuple[int, str]] = field(default_factory=list)
    """Packet ids that the broker will not take, and its reason; MQTT 5 only."""
    received: list[tuple[str, bytes, bool]] = field(default_factory=list)
    """Topic, payload, and whether it was retained by the broker."""
    denied: list[str] = field(default_factory=list)
    """Subscriptions that the broker does not allow."""


class Session:
    """A clean session: the broker remembers nothing of this device but what it retained.

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
        self._config = config
        self._host, self._port = config.host, config.port
        self._client_id = client_id
        self._has_certificate = config.cert_file is not None
        self._username = credentials.username
        self._connack: ReasonCode | None = None
        self._happened = Happened()
        self._unanswered: dict[int, float] = {}  # packet id -> when it was sent, monotonic; the oldest first
        self._filters: dict[int, str] = {}
        self._ended_by: PublishError | None = None
        self.largest_packet = _LARGEST_PACKET
        """How many bytes of a packet the broker takes, as far as it says so; MQTT 5 only."""
        self.most_under_way = _MOST_UNDER_WAY
        """How many messages with QoS 1 the broker takes before it has acknowledged the first."""
        protocol = _PROTOCOLS[config.protocol]
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if protocol == paho.MQTTv5 else True,  # MQTT 5: paho's clean start at first
            protocol=protocol,
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
        client.on_disconnect = self._on_disconnect
        self._client = client

    @property
    def alive(self) -> bool:
        """Whether the connection stands."""
        return self._client.socket() is not None

    @property
    def ending(self) -> PublishError:
        """Why the connection no longer stands."""
        if self._ended_by is not None:
            return self._ended_by
        return PublishError(f"{self._broker} ended the connection; trying again")

    def connect(self, *, wanted: Callable[[], bool] = lambda: True) -> None:
        """Connect and wait until the broker has accepted.

        The TCP connection, the TLS handshake and the broker's answer may each take the settings' `timeout_s`.

        Args:
            wanted: asked while waiting; once it says no, the attempt fails.

        Raises:
            Refused: the broker does not accept the credentials or the client.
            PublishError: the broker cannot be reached, or does not speak MQTT.
        """
        timeout_s = self._client.connect_timeout = self._config.timeout_s
        try:
            self._client.connect(self._host, self._port, self._config.keepalive_s)
        except (OSError, UnicodeError) as error:  # UnicodeError: a host name that IDNA cannot encode
            raise PublishError(self._sentence(error)) from error
        deadline = time.monotonic() + timeout_s
        while self.alive and self._connack is None and wanted() and time.monotonic() < deadline:
            self.step(timeout_s=_LOOK_UP_S)
        reason, alive = self._connack, self.alive
        if reason is None or reason.is_failure:
            self.abort()
        if reason is None and self._ended_by is not None:
            raise self._ended_by
        if reason is None:
            what = "does not answer" if alive else "closes the connection instead of answering"
            hint = ", and whether it wants a certificate of this device (cert_file)"
            wanting = self._config.tls and not self._has_certificate
            raise PublishError(f"{self._broker} {what}; check [mqtt] port and tls{hint if wanting else ''}")
        if reason.is_failure:
            raise refusal.of_session(
                reason.getName(), broker=self._broker, username=self._username, protocol=self._config.protocol
            )

    def subscribe(self, topic_filter: str) -> None:
        """Ask for messages, QoS 1."""
        _, packet_id = self._client.subscribe(topic_filter, qos=1)
        if packet_id is not None:  # None: the connection has just gone
            self._filters[packet_id] = topic_filter
            self._unanswered[packet_id] = time.monotonic()

    def send(self, message: Message) -> int:
        """Hand a message over; return the packet id by which `step` reports its acknowledgement."""
        sent = self._client.publish(message.topic, message.payload, qos=message.qos, retain=message.retain)
        if message.qos:
            self._unanswered[sent.mid] = time.monotonic()
        return sent.mid

    def step(self, *, timeout_s: float, wake: socket.socket | None = None) -> Happened:
        """Read and write what is due; wait for that at most `timeout_s`, or until `wake` can be read.

        A broker that has owed an acknowledgement for longer than the settings' `timeout_s` hangs: the connection
        is dropped then.
        """
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
        if isinstance(connection, TlsSocket) and connection.alert is not None:
            self._ended_by = refusal.of_alert(
                connection.alert, broker=self._broker, has_certificate=self._has_certificate
            )
        if self.alive and self._overdue():
            self._give_up()
        return self._take()

    def _overdue(self) -> bool:
        oldest = next(iter(self._unanswered.values()), None)
        return oldest is not None and time.monotonic() - oldest > self._config.timeout_s

    def _give_up(self) -> None:
        self._ended_by = Mute(
            f"{self._broker} holds the connection but no longer answers (it may hang, or the network is down); "
            "trying again"
        )
        self.abort()

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

    def _on_connect(
        self, _client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self._connack = reason
        self.most_under_way = getattr(properties, "ReceiveMaximum", _MOST_UNDER_WAY)
        self.largest_packet = getattr(properties, "MaximumPacketSize", _LARGEST_PACKET)

    def _on_disconnect(self, _client: paho.Client, _data: Any, flags: Any, reason: ReasonCode, _more: Any) -> None:
        if self._ended_by is not None or self._connack is None:
            return
        if flags.is_disconnect_packet_from_server:
            self._ended_by = refusal.of_ending(reason.getName(), broker=self._broker, client_id=self._client_id)
        elif reason == ReasonCode(PacketTypes.DISCONNECT, "Keep alive timeout"):
            self._give_up()  # paho's own, after a ping without an answer

    def _on_publish(
        self, _client: paho.Client, _data: Any, packet_id: int, reason: ReasonCode, _more: Any
    ) -> None:
        self._unanswered.pop(packet_id, None)
        if reason.is_failure:
            self._happened.refused.append((packet_id, reason.getName().lower()))
        else:
            self._happened.acknowledged.append(packet_id)

    def _on_subscribe(
        self, _client: paho.Client, _data: Any, packet_id: int, reasons: list[ReasonCode], _more: Any
    ) -> None:
        self._unanswered.pop(packet_id, None)
        topic_filter = self._filters.pop(packet_id, "")
        if any(reason.is_failure for reason in reasons):
            self._happened.denied.append(topic_filter)

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:  # no topic of ours
            return
        self._happened.received.append((topic, bytes(message.payload), message.retain))

    @property
    def _broker(self) -> str:
        return f"the MQTT broker at {self._host}:{self._port}"

    def _sentence(self, error: OSError | UnicodeError) -> str:
        match error:
            case ssl.SSLCertVerificationError():
                why = error.verify_message.rstrip(".")
                said = f"{self._broker} cannot be trusted: {why}; check [mqtt] host and ca_file"
            case ssl.SSLError():
                alert = refusal.of_alert(
                    error.reason or "", broker=self._broker, has_certificate=self._has_certificate
                )
                said = str(alert)
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


def connected(config: MqttConfig) -> Session:
    """A session of its own, for `oido check`.

    It has a random client id and no last will: a daemon that runs beside is not thrown out.

    Raises:
        ConfigurationError: the settings are unusable.
        PublishError: the broker cannot be reached, or does not accept this device.
    """
    client_id = f"oido-check-{secrets.token_hex(4)}"
    session = Session(config, read_credentials(config), client_id=client_id, will=None)
    session.connect()
    return session
