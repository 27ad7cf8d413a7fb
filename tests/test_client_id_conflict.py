"""device.publishing.client_id_conflict: whether another device uses the same client id."""

import socket
from collections.abc import Iterator

import pytest

from device.configuration.settings import MqttConfig
from device.errors import PublishError
from device.publishing.client_id_conflict import ClientIdConflict
from device.publishing.refusal import Mute, TakenOver

ENDED = PublishError("the broker ended the connection")


@pytest.fixture
def conflict() -> Iterator[ClientIdConflict]:
    """Of a broker that is there, with the limits of the real device."""
    with socket.create_server(("127.0.0.1", 0)) as broker:
        config = MqttConfig(host="127.0.0.1", port=broker.getsockname()[1])
        yield ClientIdConflict(config, client_id="oido-attic", soon_s=30, longest_s=300)


def test_three_sessions_that_end_at_once_are_another_device(conflict: ClientIdConflict) -> None:
    """The third says so."""
    ends = [conflict.judged(ENDED, lasted_s=lasted_s) for lasted_s in (1, 2, 4)]
    assert [isinstance(end, TakenOver) for end in ends] == [False, False, True]


def test_restarts_every_minute_are_no_conflict(conflict: ClientIdConflict) -> None:
    """A cluster whose nodes are restarted one after the other, behind an address that always answers."""
    ends = [conflict.judged(ENDED, lasted_s=60) for _ in range(10)]
    assert ends == [ENDED] * 10


def test_one_long_session_clears_a_suspicion(conflict: ClientIdConflict) -> None:
    """Short, short, long, short, short: nobody need be there."""
    ends = [conflict.judged(ENDED, lasted_s=lasted_s) for lasted_s in (1, 2, 60, 1, 2)]
    assert ends == [ENDED] * 5
    assert conflict.suspected


def test_another_device_that_waits_is_still_there(conflict: ClientIdConflict) -> None:
    """Both wait a minute between turns, once both know."""
    for _ in range(3):
        conflict.judged(ENDED, lasted_s=1)
    assert isinstance(conflict.judged(ENDED, lasted_s=66), TakenOver)
    assert conflict.judged(ENDED, lasted_s=300) is ENDED
    assert not conflict.suspected


def test_a_broker_that_has_gone_was_restarted() -> None:
    """Nobody listens: however short the sessions, none was taken."""
    with socket.create_server(("127.0.0.1", 0)) as broker:
        config = MqttConfig(host="127.0.0.1", port=broker.getsockname()[1])
    conflict = ClientIdConflict(config, client_id="oido-attic", soon_s=30, longest_s=300)
    assert [conflict.judged(ENDED, lasted_s=1) for _ in range(5)] == [ENDED] * 5


def test_silence_is_no_conflict(conflict: ClientIdConflict) -> None:
    """A broker that hangs has given nothing to anybody."""
    mute = Mute("no answer")
    assert [conflict.judged(mute, lasted_s=1) for _ in range(5)] == [mute] * 5
