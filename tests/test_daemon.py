"""device.daemon.daemon: every source has its listener, and the end is orderly."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeSource, blocks_of
from hearing_fakes import RecordingPublisher, chord, noise

from device.configuration.settings import Config, DecisionConfig, ModelConfig, SourceConfig
from device.daemon.daemon import run
from device.errors import ModelError, SourceError
from device.sound import Block
from device.sources.base import Source

SONG = blocks_of(np.concatenate((noise(6.0, level_dbfs=-50), chord(12.0), noise(12.0, level_dbfs=-50))))


def config_of(*sources: SourceConfig) -> Config:
    """Everything else as it comes, but decided at once."""
    return Config(source=sources, decision=DecisionConfig(on=0.5, min_on_s=0, min_off_s=0))


TAPE = SourceConfig(name="tape", kind="file", path="tape.wav")
MICROPHONE = SourceConfig(name="mic")


def open_blocks(blocks: list[Block], _: SourceConfig) -> Source:
    """A source of these blocks, whatever is configured."""
    return FakeSource(blocks)


class SignallingSource:
    """Plays the song for ever, and after the first time sends this process a signal, as systemd would."""

    def __init__(self, number: signal.Signals) -> None:
        self.name = "endless"
        self._number = number
        self._closed = threading.Event()

    def blocks(self) -> Iterator[Block]:
        """The song, the signal, the song without end."""
        yield from SONG[:150]
        os.kill(os.getpid(), self._number)
        while not self._closed.is_set():
            yield from SONG[100:150]

    def close(self) -> None:
        """End."""
        self._closed.set()


def test_recordings_run_to_their_end() -> None:
    """Exit code 0, everything drained, `info` first."""
    publisher = RecordingPublisher()
    code = run(config_of(TAPE), open_source=lambda _: FakeSource(SONG), origin=0.0, publisher=publisher)
    assert code == 0
    assert publisher.messages[0].topic == "oido/oido/info"
    assert json.loads(publisher.messages[0].payload)["model"] == "attention"
    assert publisher.drained
    events = [json.loads(payload)["event_type"] for payload in publisher.payloads("event")]
    assert events[:2] == ["music_started", "music_stopped"]


@pytest.mark.parametrize("block", [160, 1600, 50_000])
def test_a_replay_says_the_same_bytes(block: int) -> None:
    """Events do not depend on how the recording is fed, nor on when."""
    samples = np.concatenate([each.samples for each in SONG])
    said = []
    for size in (block, 7777):
        publisher = RecordingPublisher()
        blocks = blocks_of(samples, block=size)
        assert run(config_of(TAPE), open_source=partial(open_blocks, blocks), origin=0.0, publisher=publisher) == 0
        said.append([m for m in publisher.messages if m.topic.rpartition("/")[2] in ("event", "state", "music")])
    assert said[0] == said[1]
    assert any(message.topic.endswith("/event") for message in said[0])


def test_a_recording_that_fails_is_exit_code_1(caplog: pytest.LogCaptureFixture) -> None:
    """And its sentence is logged."""
    source = FakeSource(SONG[:20], failures=[SourceError("tape.wav: breaks off")])
    code = run(config_of(TAPE), open_source=lambda _: source, publisher=RecordingPublisher())
    assert code == 1
    assert "tape.wav: breaks off" in caplog.text


def test_an_unforeseen_error_ends_the_daemon() -> None:
    """Also while another source goes on for ever: half a daemon that looks whole would never be restarted."""
    deaf = FakeSource(SONG[:20], failures=[RuntimeError("bug")])
    live = FakeSource(SONG[:20], stays_open=True)

    def open_source(source: SourceConfig) -> Source:
        return deaf if source.name == "tape" else live

    publisher = RecordingPublisher()
    assert run(config_of(TAPE, MICROPHONE), open_source=open_source, publisher=publisher) == 1
    assert live.closed.is_set()


def test_one_failed_recording_does_not_stop_the_others() -> None:
    """The other source is heard to its end; the exit code still says 1."""
    other = SourceConfig(name="other", kind="file", path="other.wav")
    sources = {
        "tape": FakeSource(failures=[SourceError("no such file")]),
        "other": FakeSource(SONG),
    }
    publisher = RecordingPublisher()
    code = run(
        config_of(TAPE, other), open_source=lambda each: sources[each.name], origin=0.0, publisher=publisher
    )
    assert code == 1
    heard = [json.loads(payload)["source"] for payload in publisher.payloads("event")]
    assert set(heard) == {"other"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_an_endless_source(number: signal.Signals) -> None:
    """Exit code 0, music that was on is closed, and the signal's old handler is back."""
    before = signal.getsignal(number)
    publisher = RecordingPublisher()
    code = run(config_of(MICROPHONE), open_source=lambda _: SignallingSource(number), publisher=publisher)
    assert code == 0
    assert signal.getsignal(number) is before
    events = [json.loads(payload)["event_type"] for payload in publisher.payloads("event")]
    assert events
    assert events == ["music_started", "music_stopped"] * (len(events) // 2)
    assert publisher.payloads("availability")[-1] == "offline"
    assert publisher.drained == []


def test_no_reader_any_more_ends_the_daemon() -> None:
    """`oido run | head`: nobody will ever read what is said."""
    publisher = RecordingPublisher()
    publisher.ended = True
    live = FakeSource(SONG[:20], stays_open=True)
    assert run(config_of(MICROPHONE), open_source=lambda _: live, publisher=publisher) == 0
    assert live.closed.is_set()


def test_without_a_broker_messages_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON lines on standard output."""
    assert run(config_of(TAPE), open_source=lambda _: FakeSource(SONG), origin=0.0) == 0
    topics = [json.loads(line)["topic"] for line in capsys.readouterr().out.splitlines()]
    assert topics[0] == "oido/oido/info"
    assert "oido/oido/tape/event" in topics


def test_an_unusable_model_is_an_error_before_anything_is_said(tmp_path: Path) -> None:
    """Nothing is published, no source is opened."""
    source, publisher = FakeSource(SONG), RecordingPublisher()
    config = Config(source=(TAPE,), model=ModelConfig(name="absent", directory=str(tmp_path)))
    with pytest.raises(ModelError, match="absent"):
        run(config, open_source=lambda _: source, publisher=publisher)
    assert (publisher.messages, source.opened) == ([], 0)
