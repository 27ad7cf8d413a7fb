"""Whether another device uses the same client id, so that the two throw each other out in turn."""

import socket

from device.configuration.settings import MqttConfig
from device.errors import PublishError
from device.publishing.refusal import Mute, TakenOver, taken_over

_TURNS = 3
"""So many sessions running, ended soon by a broker that is there: somebody must be taking them."""

_PROBE_S = 1.0  # for a TCP connection to a broker that has just ended a session


class ClientIdConflict:
    """Judges how sessions end. MQTT 5 says when one was taken over; 3.1.1 only ends it.

    A broker that is restarted ends sessions too, but mostly nobody listens there right afterwards.
    """

    def __init__(self, config: MqttConfig, *, client_id: str, soon_s: float, longest_s: float) -> None:
        """Nothing is suspected yet.

        Args:
            config: the broker.
            client_id: that this device uses.
            soon_s: a session that lasted so long is not one that was taken at once.
            longest_s: the same once another device is known, which waits between its turns.
        """
        self._config = config
        self._client_id = client_id
        self._soon_s = soon_s
        self._longest_s = longest_s
        self._turns = 0

    @property
    def suspected(self) -> bool:
        """Whether the last session ended as if it had been taken over."""
        return self._turns > 0

    @property
    def certain(self) -> bool:
        """Whether there must be another device."""
        return self._turns >= _TURNS

    def judged(self, error: PublishError, *, lasted_s: float) -> PublishError:
        """Why the session ended; a `TakenOver` where `error` is, or looks like, the work of another device.

        Args:
            error: what ended a session that the broker had accepted.
            lasted_s: how long it lasted.
        """
        if isinstance(error, TakenOver):
            self._turns = _TURNS
            return error
        enough_s = self._longest_s if self.certain else self._soon_s
        if isinstance(error, Mute) or lasted_s >= enough_s or not self._broker_is_there():
            self._turns = 0
            return error
        self._turns += 1
        if not self.certain:
            return error
        broker = f"the MQTT broker at {self._config.host}:{self._config.port}"
        return taken_over(broker=broker, client_id=self._client_id, certain=False)

    def _broker_is_there(self) -> bool:
        try:
            socket.create_connection((self._config.host or "", self._config.port), timeout=_PROBE_S).close()
        except (OSError, UnicodeError):
            return False
        return True
