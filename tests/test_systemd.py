"""device.daemon.systemd: what systemd is told, and that nothing is where nobody listens."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from device.daemon.systemd import Notifier, watchdog_interval_s


@contextmanager
def manager(path: str) -> Iterator[socket.socket]:
    """A service manager's socket, at a path or an abstract name."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(path)
        end.setblocking(False)
        yield end


def told(end: socket.socket) -> list[str]:
    """What has arrived, in order."""
    found = []
    while True:
        try:
            found.append(end.recv(4096).decode())
        except BlockingIOError:
            return found


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "often"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "x"}, None),
    ],
)
def test_who_feeds_the_watchdog(environment: dict[str, str], expected: float | None) -> None:
    """Only the process that is meant, and only if it is asked to."""
    assert watchdog_interval_s(environment, pid=7) == expected


@pytest.mark.parametrize("abstract", [False, True])
def test_everything_arrives(tmp_path: Path, *, abstract: bool) -> None:
    """Through a path or an abstract name; a line break in a status begins no field of its own."""
    name = f"@oido-test-{tmp_path}" if abstract else str(tmp_path / "notify")
    with manager(f"\0{name[1:]}" if abstract else name) as end:
        notifier = Notifier({"NOTIFY_SOCKET": name}, clock=lambda: 2.5)
        notifier.ready()
        notifier.status("room:\r\n music\nREADY=1")
        notifier.status("room: music READY=1")
        notifier.reloading()
        notifier.stopping()
        notifier.close()
        assert told(end) == [
            "READY=1",
            "STATUS=room: music READY=1",
            "RELOADING=1\nMONOTONIC_USEC=2500000",
            "STOPPING=1",
        ]


def test_the_watchdog_is_fed_four_times_an_interval(tmp_path: Path) -> None:
    """However often there is reason to."""
    name = str(tmp_path / "notify")
    now = iter(range(100))
    with manager(name) as end:
        notifier = Notifier(
            {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "40000000"}, pid=1, clock=lambda: float(next(now))
        )
        for _ in range(40):
            notifier.alive()
        notifier.close()
        assert told(end) == ["WATCHDOG=1"] * 4


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234"}])
def test_nobody_listens(environment: dict[str, str]) -> None:
    """Nothing is sent and nothing fails without a socket that is understood."""
    notifier = Notifier({**environment, "WATCHDOG_USEC": "1"})
    notifier.ready()
    notifier.alive()
    notifier.close()


def test_a_manager_that_went_away_is_no_failure(tmp_path: Path) -> None:
    """The daemon hears on."""
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    notifier.ready()
    notifier.status("room: music")
    notifier.close()


def test_a_status_that_could_not_be_said_is_said_again(tmp_path: Path) -> None:
    """A manager that was not there yet hears it the next time."""
    name = str(tmp_path / "notify")
    notifier = Notifier({"NOTIFY_SOCKET": name})
    notifier.status("room: music")
    with manager(name) as end:
        notifier.status("room: music")
        notifier.status("room: music")
        notifier.close()
        assert told(end) == ["STATUS=room: music"]
