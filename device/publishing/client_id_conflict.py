"""Finds out whether another device uses the same client id: the broker then ends the session of each in turn."""

import socket

from device.configuration.settings import MqttConfig
from device.errors import PublishError
from device.publishing.refusal import Mute, TakenOver, taken_over

_TURNS = 3
"""So many short sessions in a row, ended by a broker that answers, mean that another device takes them."""

_PROBE_S = 1.0  # how long a broker that has just ended a session may take to accept a TCP connection


class ClientIdConflict:
    """Judges from how sessions end. MQTT 5 says when one was taken over; 3.1.1 only ends it.

    A restarted broker ends sessions too, but then it usually does not answer right afterwards.
    """

    def __init__(self, config: MqttConfig, *, client_id: str, soon_s: float, longest_s: float) -> None:
        """Begin without suspicion.

        Args:
            config: the broker.
            client_id: of this device.
            soon_s: a session that lasted so long was not taken over.
            longest_s: the same once there is a conflict, because the other device too waits before it comes back.
        """
        self._config = config
        self._client_id = client_id
        self._soon_s = soon_s
        self._longest_s = longest_s
        self._turns = 0

    @property
    def suspected(self) -> bool:
        """Whether the latest session ended as if another device had taken it over."""
        return self._turns > 0

    @property
    def certain(self) -> bool:
        """Whether there is a conflict."""
        return self._turns >= _TURNS

    def judged(self, error: PublishError, *, lasted_s: float) -> PublishError:
        """Why the session ended: `TakenOver` if there is a conflict, else `error`.

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
