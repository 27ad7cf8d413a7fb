"""device.daemon.daemon: SIGHUP, systemd and sources that hang, through the whole daemon in this process."""

import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import blocks_of
from hearing_fakes import RecordingPublisher, chord, noise
from supervised import Hang, HangingSource

from device.configuration.settings import Config, DecisionConfig, ModelConfig, SourceConfig
from device.daemon.daemon import run
from device.daemon.systemd import Notifier
from device.errors import ConfigurationError
from device.publishing.message import Message
from device.sound import Block
from device.sources.base import Source

MUSIC = blocks_of(np.concatenate((noise(6.0, level_dbfs=-50), chord(12.0))))
ROOM, HALL = SourceConfig(name="room"), SourceConfig(name="hall")
CONFIG = Config(source=(ROOM, HALL), decision=DecisionConfig(on=0.5, min_on_s=0, min_off_s=0))


class PacedSource:
    """Music, then the same again each time the test allows it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.closed = threading.Event()

    def blocks(self) -> Iterator[Block]:
        """Music once, then a second of it ten times a second."""
        yield from MUSIC
        while not self.closed.wait(0.1):
            yield from MUSIC[-10:]

    def close(self) -> None:
        """End."""
        self.closed.set()


class House:
    """Opens sources and remembers how often."""

    def __init__(self) -> None:
        self.opened: list[str] = []

    def __call__(self, source: SourceConfig) -> Source:
        """Another one."""
        self.opened.append(source.name)
        return PacedSource(source.name)


class Script(RecordingPublisher):
    """Does something in a thread of its own once a message satisfies each condition, in turn.

    Args:
        steps: what to wait for, and then to do.
    """

    def __init__(self, *steps: tuple[Callable[[Message], bool], Callable[[], None]]) -> None:
        super().__init__()
        self._steps = list(steps)

    def publish(self, message: Message) -> None:
        """Keep it, and see whether it is time for the next step."""
        super().publish(message)
        if self._steps and self._steps[0][0](message):
            _, act = self._steps.pop(0)
            act()


def send(number: signal.Signals) -> Callable[[], None]:
    """What sends this process a signal."""
    return lambda: os.kill(os.getpid(), number)


def said(topic: str, part: str = "") -> Callable[[Message], bool]:
    """Whether a message of this topic's end holds the part."""
    return lambda message: message.topic.endswith(topic) and part in message.payload


class Reread:
    """What SIGHUP reads: the next of these; exceptions are raised. Then, a signal ends the daemon."""

    def __init__(self, *configs: Config | Exception) -> None:
        self._configs = list(configs)

    def __call__(self) -> Config:
        """The next."""
        config = self._configs.pop(0)
        if isinstance(config, Exception):
            raise config
        return config


def kinds(publisher: RecordingPublisher, source: str) -> list[str]:
    """Of a source's events, in order."""
    events = map(json.loads, publisher.payloads(f"{source}/event"))
    return [event["event_type"] for event in events]


def test_only_the_changed_source_is_restarted() -> None:
    """Its music is closed and started anew; the other is not touched."""
    house = House()
    new = replace(CONFIG, source=(replace(ROOM, stall_s=3.0), HALL))
    publisher = Script(
        (said("room/music", "ON"), send(signal.SIGHUP)),
        (said("room/event", "music_stopped"), lambda: None),
        (said("room/music", "ON"), send(signal.SIGTERM)),
    )
    assert run(CONFIG, open_source=house, reread=Reread(new), publisher=publisher) == 0
    assert sorted(house.opened) == ["hall", "room", "room"]
    assert kinds(publisher, "room") == ["music_started", "music_stopped"] * 2
    assert kinds(publisher, "hall") == ["music_started", "music_stopped"]


def test_a_source_may_come_and_another_go() -> None:
    """The one that left is offline; commands for it are refused."""
    house = House()
    new = replace(CONFIG, source=(ROOM, SourceConfig(name="attic")))
    publisher = Script(
        (said("hall/music", "ON"), send(signal.SIGHUP)), (said("attic/music", "ON"), send(signal.SIGTERM))
    )
    assert run(CONFIG, open_source=house, reread=Reread(new), publisher=publisher) == 0
    assert sorted(house.opened) == ["attic", "hall", "room"]
    assert publisher.payloads("hall/availability")[-1] == "offline"
    assert kinds(publisher, "hall") == ["music_started", "music_stopped"]


@pytest.mark.parametrize(
    "wrong",
    [
        ConfigurationError("config.toml: [model] nam: unknown key"),
        replace(CONFIG, model=ModelConfig(name="absent")),
    ],
    ids=["unreadable", "unusable"],
)
def test_a_bad_configuration_keeps_the_old_one(
    wrong: Config | Exception, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is restarted; the log and the status say why, in one sentence."""
    house = House()
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name)
        manager.settimeout(20)
        publisher = Script((said("room/music", "ON"), send(signal.SIGHUP)))
        told: list[str] = []

        def read() -> None:
            while "not taken" not in (told[-1] if told else ""):
                told.append(manager.recv(4096).decode())
            os.kill(os.getpid(), signal.SIGTERM)

        reader = threading.Thread(target=read)
        reader.start()
        notifier = Notifier({"NOTIFY_SOCKET": name})
        assert run(CONFIG, open_source=house, reread=Reread(wrong), publisher=publisher, notifier=notifier) == 0
        reader.join()
    assert sorted(house.opened) == ["hall", "room"]
    assert "the old one stays in force" in caplog.text
    assert told[0] == "READY=1"
    assert [line for line in told if "READY" in line] == ["READY=1", "READY=1"]
    assert any(line.startswith("RELOADING=1\nMONOTONIC_USEC=") for line in told)


def test_systemd_is_told_from_beginning_to_end(tmp_path: Path) -> None:
    """READY, a status that people can read, the watchdog fed, STOPPING."""
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name)
        manager.settimeout(20)
        told: list[str] = []

        def read() -> None:
            while not {"STATUS=room: music", "WATCHDOG=1"} <= set(told):
                told.append(manager.recv(4096).decode())
            os.kill(os.getpid(), signal.SIGTERM)
            while told[-1] != "STOPPING=1":
                told.append(manager.recv(4096).decode())

        reader = threading.Thread(target=read)
        reader.start()
        notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "400000"})
        config = replace(CONFIG, source=(ROOM,))
        assert run(config, open_source=House(), publisher=RecordingPublisher(), notifier=notifier) == 0
        reader.join()
    assert told[0] == "READY=1"
    assert told[-1] == "STOPPING=1"


def test_ready_does_not_wait_for_a_microphone(tmp_path: Path) -> None:
    """One that hangs while it is opened, or is absent, is no reason for systemd to give up."""
    name = str(tmp_path / "notify")
    hang = Hang()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name)
        manager.settimeout(20)

        def read() -> None:
            assert manager.recv(4096) == b"READY=1"
            os.kill(os.getpid(), signal.SIGTERM)

        reader = threading.Thread(target=read)
        reader.start()
        run(
            replace(CONFIG, source=(ROOM,)),
            open_source=lambda _: HangingSource((), hang),
            publisher=RecordingPublisher(),
            notifier=Notifier({"NOTIFY_SOCKET": name}),
        )
        reader.join()
    hang.release()


def test_a_source_that_hangs_goes_offline_and_starves_the_watchdog(tmp_path: Path) -> None:
    """By the wall clock, while the process is otherwise well; its music is closed at the end."""
    name = str(tmp_path / "notify")
    hang = Hang()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name)
        manager.settimeout(20)
        publisher = RecordingPublisher()
        told: list[str] = []

        def read() -> None:
            try:
                while "STATUS=room: no audio" not in told:
                    told.append(manager.recv(4096).decode())
                manager.settimeout(1.0)  # five rounds of the main loop
                try:
                    told.append(manager.recv(4096).decode())
                except TimeoutError:
                    told.append("nothing more")
            finally:
                os.kill(os.getpid(), signal.SIGTERM)

        reader = threading.Thread(target=read)
        reader.start()
        code = run(
            replace(CONFIG, source=(replace(ROOM, stall_s=0.5),)),
            open_source=lambda _: HangingSource(MUSIC, hang),
            publisher=publisher,
            notifier=Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "4000"}),
        )
        reader.join()
    hang.release()
    assert code == 0
    assert "WATCHDOG=1" in told
    assert told[-1] == "nothing more"
    assert kinds(publisher, "room") == ["music_started", "music_stopped"]
    assert publisher.payloads("availability")[-1] == "offline"
