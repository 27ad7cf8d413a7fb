"""`oido check`: each line ok or what to do, and the exit code that follows."""

import io
import re
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeSource, blocks_of
from hearing_fakes import noise
from network_fakes import TINY_MODELS, needs_tflite

from device.commands.check import Finding, findings, front_end, print_findings
from device.configuration.settings import Config, DecisionConfig, ModelConfig, MqttConfig, NodeConfig, SourceConfig
from device.errors import SourceError
from device.sound import FloatArray
from device.sources.base import Source
from device.storage.ledger import FileLedger
from device.storage.state import LEDGER_FILE

MICROPHONE = SourceConfig(name="room", kind="microphone")


def check(
    config: Config,
    *,
    sound: FloatArray | SourceError | None = None,
    refusal: str | None = None,
    retained: Collection[str] = (),
) -> dict[str, Finding]:
    """All findings by what they are about; the microphone gives this sound, the broker this answer."""

    def open_source(section: SourceConfig) -> Source:
        if isinstance(sound, SourceError):
            return FakeSource(name=section.name, failures=[sound])
        return FakeSource(blocks_of(noise(3.0) if sound is None else sound), name=section.name)

    found = findings(
        config, open_source=open_source, try_broker=lambda _: refusal, find_retained=lambda _: retained
    )
    return {finding.what: finding for finding in found}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """One microphone, no broker, a state directory of the test's own."""
    return Config(node=NodeConfig(state_dir=str(tmp_path)), source=(MICROPHONE,))


def test_a_device_that_is_well(config: Config) -> None:
    """Every line but the machine's clock is ok, and the delays that the settings imply are shown."""
    found = check(config)
    assert all(finding.ok for what, finding in found.items() if what != "clock")
    assert "a start shows after at most 10.1 s, a stop after at most 12.0 s" in found["model"].text
    assert "messages go to standard output" in found["broker"].text
    assert "dBFS" in found["source 'room'"].text


@pytest.mark.parametrize(("transform", "said"), [("compiled", "^compiled$"), ("numpy", "apt install gcc")])
def test_how_spectra_are_computed_is_said(transform: str, said: str) -> None:
    """Nothing is wrong without a compiler; it is slower, and the line says how to change that."""
    found = front_end(transform)
    assert found.ok
    assert re.search(said, found.text)


@pytest.mark.parametrize(
    ("make", "advice"),
    [
        (lambda: np.zeros(48_000, np.float32), "unmute it"),
        (lambda: np.full(48_000, 0.2, np.float32), "unmute it"),
        (lambda: (noise(3.0) * 1e-4).astype(np.float32), "raise its capture volume"),
        (lambda: np.clip(noise(3.0) * 20, -1, 1).astype(np.float32), "lower its capture volume"),
    ],
)
def test_a_microphone_that_hears_badly(config: Config, make: Callable[[], FloatArray], advice: str) -> None:
    """Dead, muted, too quiet or too loud: it fails, and the line says what to do."""
    finding = check(config, sound=make())["source 'room'"]
    assert not finding.ok
    assert advice in finding.text


def test_a_microphone_that_is_not_there(config: Config) -> None:
    """The source's own sentence."""
    finding = check(config, sound=SourceError("there is no microphone: plug one in"))["source 'room'"]
    assert (finding.ok, finding.text) == (False, "there is no microphone: plug one in")


STREAM = SourceConfig(name="radio", kind="stream", url="http://radio/live")


@pytest.mark.parametrize(
    ("sound", "ok", "text"),
    [
        (noise(3.0), True, "it opens; level up to"),
        (np.zeros(48_000, np.float32), False, "it opens, but gives only silence"),
        (SourceError("http://radio/live: Server returned 404 Not Found"), False, "404 Not Found"),
    ],
)
def test_a_stream_is_opened(config: Config, sound: FloatArray | SourceError, ok: bool, text: str) -> None:  # noqa: FBT001
    """For two seconds; what is wrong with it is said."""
    finding = check(Config(node=config.node, source=(STREAM,)), sound=sound)["source 'radio'"]
    assert finding.ok is ok
    assert text in finding.text


def test_a_recording_that_is_not_there(config: Config) -> None:
    """The file is looked at without playing it."""
    section = SourceConfig(name="tape", kind="file", path="/nowhere/tape.wav")
    finding = check(Config(node=config.node, source=(section,)))["source 'tape'"]
    assert not finding.ok
    assert "/nowhere/tape.wav" in finding.text


def test_a_model_that_is_not_installed(config: Config) -> None:
    """The other lines are still checked."""
    found = check(Config(node=config.node, source=(MICROPHONE,), model=ModelConfig(name="absent")))
    assert not found["model"].ok
    assert found["source 'room'"].ok


@needs_tflite
@pytest.mark.parametrize(
    ("decision", "shown"),
    [
        (DecisionConfig(), "on from 0.50 for 1 s, off below 0.35 for 3 s"),
        (DecisionConfig(min_off_s=6), "on from 0.50 for 1 s, off below 0.35 for 6 s"),
    ],
)
def test_a_segment_model(config: Config, decision: DecisionConfig, shown: str) -> None:
    """With its embedder, the rules that hold, and a delay in which its context is over."""
    model = ModelConfig(name="attention", directory=str(TINY_MODELS))
    found = check(Config(node=config.node, source=(MICROPHONE,), model=model, decision=decision))["model"]
    assert found.ok
    assert found.text.startswith("attention (")
    assert ") with embedder (" in found.text
    assert shown in found.text
    assert "a start shows after at most 11.0 s" in found.text


@pytest.mark.parametrize("refusal", [None, "the MQTT broker at den:1883 refuses the user 'ear'"])
def test_the_broker(config: Config, refusal: str | None) -> None:
    """Ok with its address, or its sentence."""
    finding = check(Config(node=config.node, source=(MICROPHONE,), mqtt=MqttConfig(host="den")), refusal=refusal)
    assert finding["broker"].ok is (refusal is None)
    assert finding["broker"].text == (refusal or "den:1883 takes and gives messages")


def test_what_other_names_left_at_the_broker_is_named(config: Config) -> None:
    """What the ledger knows is cleared by itself; nobody but a person clears the rest."""
    config = replace(config, mqtt=MqttConfig(host="den"))
    mine = "oido/oido/room/state"
    assert check(config, retained=[mine])["retained topics"].text == "only those of this configuration"
    stray = check(config, retained=[mine, "oido/oido/old/music"])["retained topics"]
    assert not stray.ok
    assert stray.text == "left behind: oido/oido/old/music; `oido check --forget` clears them"
    FileLedger(Path(config.node.state_dir or "") / LEDGER_FILE).note(["oido/oido/old/music"])
    known = check(config, retained=[mine, "oido/oido/old/music"])["retained topics"]
    assert known.ok
    assert known.text == "left behind, and cleared when oido starts again: oido/oido/old/music"


def test_one_line_that_fails_is_exit_code_1() -> None:
    """And every line is printed."""
    stream = io.StringIO()
    found = [
        Finding("a", ok=True, text="well"),
        Finding("b", ok=False, text="ill"),
        Finding("c", ok=True, text="well"),
    ]
    assert print_findings(iter(found), stream) == 1
    assert stream.getvalue() == "ok   a: well\nFAIL b: ill\nok   c: well\n"
