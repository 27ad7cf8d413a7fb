"""A broker that does as it is told: refuses, keeps acknowledgements back, cuts the line (MQTT 3.1.1 and 5).

A real broker does none of that on demand, and what a publisher does then is what must be tested.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import waiting

from device.configuration.settings import MqttConfig
from device.errors import ConfigurationError, PublishError
from device.publishing.session import connected

DEADLINE_S = 20.0
"""How long a test waits for something that must happen; only reached when it fails."""


def eventually(condition: Callable[[], bool]) -> bool:
    """As `waiting.eventually`, within the deadline above."""
    return waiting.eventually(condition, deadline_s=DEADLINE_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A PUBLISH that arrived."""

    connection: int
    """Counted from 1."""
    topic: str
    payload: str
    qos: int
    retain: bool
    duplicate: bool


class ScriptedBroker:
    """Takes one connection at a time; what arrived stands in `published`, `subscribed` and so on."""

    def __init__(self) -> None:
        """Listen on a free port of the loopback interface."""
        self.connack = 0
        """The return code of the next CONNACK."""
        self.acknowledge: Callable[[Published], bool] = lambda _: True
        """Whether to acknowledge a message."""
        self.puback: Callable[[Published], int] = lambda _: 0
        """MQTT 5: the reason code of an acknowledgement."""
        self.receive_maximum: int | None = None
        """MQTT 5: how many messages it takes unacknowledged, if it says so."""
        self.mute = False
        """Whether to take everything and answer nothing, from now on."""
        self.suback = 1
        self.connections = 0
        self.client_ids: list[str] = []
        self.clean_sessions: list[bool] = []
        self.published: list[Published] = []
        self.subscribed: list[str] = []
        self.order: list[str] = []
        """`subscribe` and the topics published to, as they came."""
        self.disconnects = 0
        """Orderly ends."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._line: socket.socket | None = None
        self._no_properties = b""  # MQTT 5 wants a length of zero, 3.1.1 nothing
        self._stopping = False
        self._thread = threading.Thread(target=self._serve, name="scripted-broker", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        """Already listening."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def stop(self) -> None:
        """Stop listening and cut the line."""
        self._stopping = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self._thread.join(DEADLINE_S)

    def cut(self) -> None:
        """Cut the line without a word."""
        line = self._line
        if line is not None:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def disconnect(self, reason: int) -> None:
        """MQTT 5: end the session, with a reason code."""
        self._write(bytes([0xE0, 2, reason, 0]))
        self.cut()

    def send(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Deliver a message to the client, QoS 0."""
        name = topic.encode()
        body = struct.pack("!H", len(name)) + name + self._no_properties + payload
        self._write(bytes([0x30 | retain]) + self._length(len(body)) + body)

    def payloads(self, topic: str) -> list[str]:
        """All that was published to a topic, in order."""
        return [message.payload for message in list(self.published) if message.topic == topic]

    def _serve(self) -> None:
        while not self._stopping:
            try:
                self._line, _ = self._listener.accept()
            except OSError:
                return
            with self._line as line, contextlib.suppress(OSError):
                self._converse(line)

    def _converse(self, line: socket.socket) -> None:
        stream = line.makefile("rb")
        with stream:
            while head := stream.read(1):
                length, shift = 0, 0
                while True:
                    digit = stream.read(1)[0]
                    length |= (digit & 127) << shift
                    shift += 7
                    if digit < 128:
                        break
                if not self._answer(head[0], stream.read(length)):
                    return

    def _answer(self, head: int, body: bytes) -> bool:
        """React to one packet; False ends the connection."""
        match head >> 4:
            case 1:  # CONNECT
                self.connections += 1
                five = body[6] == 5
                self._no_properties = b"\0" if five else b""
                at = 11 + body[10] if five else 10
                size = struct.unpack_from("!H", body, at)[0]
                self.client_ids.append(body[at + 2 : at + 2 + size].decode())
                self.clean_sessions.append(bool(body[7] & 2))
                properties = self._no_properties
                if five and self.receive_maximum is not None:
                    properties = b"\x03\x21" + struct.pack("!H", self.receive_maximum)
                self._write(bytes([0x20, 2 + len(properties), 0, self.connack]) + properties)
                return self.connack == 0
            case 3:  # PUBLISH
                self._take(head, body)
            case 8:  # SUBSCRIBE
                rest = body[2 + len(self._no_properties) :]
                size = struct.unpack_from("!H", rest)[0]
                self.subscribed.append(rest[2 : 2 + size].decode())
                self.order.append("subscribe")
                answer = body[:2] + self._no_properties + bytes([self.suback])
                self._write(bytes([0x90, len(answer)]) + answer)
            case 12:  # PINGREQ
                self._write(bytes([0xD0, 0]))
            case 14:  # DISCONNECT
                self.disconnects += 1
                return False
        return True

    def _take(self, head: int, body: bytes) -> None:
        size = struct.unpack_from("!H", body)[0]
        topic, rest = body[2 : 2 + size].decode(), body[2 + size :]
        qos = head >> 1 & 3
        packet_id, payload = (rest[:2], rest[2:]) if qos else (b"", rest)
        payload = payload[len(self._no_properties) :]
        message = Published(
            connection=self.connections,
            topic=topic,
            payload=payload.decode(),
            qos=qos,
            retain=bool(head & 1),
            duplicate=bool(head & 8),
        )
        self.order.append(topic)
        self.published.append(message)
        if qos and self.acknowledge(message):
            reason = self.puback(message)
            self._write(bytes([0x40, 3]) + packet_id + bytes([reason]) if reason else b"\x40\x02" + packet_id)

    def _write(self, packet: bytes) -> None:
        line = self._line
        assert line is not None, "nobody is connected"
        if not self.mute:
            line.sendall(packet)

    @staticmethod
    def _length(size: int) -> bytes:
        digits = bytearray()
        while True:
            size, digit = divmod(size, 128)
            digits.append(digit | (128 if size else 0))
            if not size:
                return bytes(digits)


def connect_once(config: MqttConfig) -> str | None:
    """None if a broker accepts this device, else the sentence why not."""
    try:
        connected(config).disconnect()
    except (ConfigurationError, PublishError) as error:
        return str(error)
    return None
