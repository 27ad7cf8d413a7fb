"""Finds the message that makes a broker end each session. Pure.

MQTT 3.1.1 knows no refusal: a broker that takes no message of such a size, or of such a topic, ends the
connection. The message would be sent again in the next session, and so on for ever.
"""

from collections.abc import Iterable

from device.publishing.backlog import Parcel
from device.publishing.message import Message

_LARGE_BYTES = 1_024
_TURNS_LARGE, _TURNS_EVENT = 2, 5
"""So many sessions in a row must end over one message. A large one is likely to be the reason, an event is not."""


def packet_bytes(message: Message) -> int:
    """How long the packet is with which a message is published, at most."""
    # MQTT 5, section 3.3: fixed header, length of the topic, packet id, properties.
    return 5 + 2 + len(message.topic.encode()) + 2 + 1 + len(message.payload.encode())


class SessionEnder:
    """Watches what is acknowledged, and what is not when a session ends."""

    def __init__(self) -> None:
        """Suspect nothing."""
        self._largest = 0
        """Bytes of the largest packet that was acknowledged in this session; 0: none was."""
        self._suspect: Message | None = None
        self._turns = 0

    @property
    def suspected(self) -> bool:
        """Whether the latest session may have ended over a message."""
        return self._suspect is not None

    def begin(self) -> None:
        """A session began."""
        self._largest = 0

    def acknowledged(self, message: Message) -> None:
        """The broker took this one."""
        self._largest = max(self._largest, packet_bytes(message))

    def ended(self, under_way: Iterable[Parcel]) -> Parcel | None:
        """The broker ended the session; the message that makes it do so, once that is clear.

        Args:
            under_way: what it had not acknowledged, in the order in which that was sent.
        """
        # A broker reads in order: what ended the session is the first that it did not acknowledge.
        parcel = next(iter(under_way), None)
        large = parcel is not None and packet_bytes(parcel.message) > max(self._largest, _LARGE_BYTES)
        if parcel is None or not self._largest or not (large or parcel.event_key is not None):
            self._suspect, self._turns = None, 0
            return None
        self._turns = self._turns + 1 if parcel.message == self._suspect else 1
        self._suspect = parcel.message
        return parcel if self._turns >= (_TURNS_LARGE if large else _TURNS_EVENT) else None
