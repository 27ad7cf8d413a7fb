"""device.daemon.listener: hears a source, opens it again when it was lost, obeys commands."""

import itertools
import json
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import FakeSource, blocks_of
from hearing_fakes import RecordingPublisher, fake_model, given, noise
from network_fakes import fake_embedder, fake_segment_model
from supervised import Hang, HangingSource
from waiting import DEADLINE_S

from device.configuration.settings import (
    Config,
    DecisionConfig,
    MqttConfig,
    NodeConfig,
    SourceConfig,
    SourceKind,
)
from device.daemon.listener import Listener
from device.errors import ModelError, SourceError, SourceLost
from device.hearing.models.loading import Model
from device.hearing.rules import rules
from device.sources.backoff import Backoff
from device.sources.base import Source
from device.storage.commanded import Commanded

SOUND = blocks_of(noise(4.0))


class ListedSources:
    """Opens the given sources one after the other, then the last again and again."""

    def __init__(self, *sources: Source) -> None:
        self._sources = list(sources)
        self.opened = 0

    def __call__(self) -> Source:
        """The next source."""
        self.opened += 1
        return self._sources.pop(0) if len(self._sources) > 1 else self._sources[0]


class EndlessSource:
    """Noise without end, a block whenever the test has let one through, until it is closed."""

    def __init__(self) -> None:
        self.name = "endless"
        self.closed = threading.Event()

    def blocks(self) -> Iterator[Any]:
        """The same blocks for ever."""
        while not self.closed.is_set():
            yield from SOUND

    def close(self) -> None:
        """End."""
        self.closed.set()


@contextmanager
def listening(
    open_source: Callable[[], Source],
    *,
    kind: SourceKind = "microphone",
    model: Model | None = None,
    origin: float | None = 0.0,
    change_model: Callable[[str], Model] | None = None,
    commanded: Commanded | None = None,
) -> Iterator[tuple[Listener, RecordingPublisher]]:
    """A listener at work, stopped at the end."""
    publisher = RecordingPublisher()
    listener = Listener(
        SourceConfig(name="mic", kind=kind, path="x", url="x"),
        config=Config(node=NodeConfig(name="attic"), mqtt=MqttConfig(telemetry_interval_s=1.0)),
        open_source=open_source,
        model=model or fake_model([0.8]),
        publisher=publisher,
        origin=origin,
        backoff=Backoff(first_s=0.001, longest_s=0.001),
        change_model=change_model,
        commanded=commanded,
    )
    listener.start()
    try:
        yield listener, publisher
    finally:
        listener.stop()
        assert listener.join(DEADLINE_S)


def reasons(publisher: RecordingPublisher) -> list[str]:
    """Of all states, in order, repetitions left out."""
    found: list[str] = []
    for payload in publisher.payloads("state"):
        reason = json.loads(payload)["reason"]
        if found[-1:] != [reason]:
            found.append(reason)
    return found


def kinds(publisher: RecordingPublisher) -> list[str]:
    """Of all events, in order."""
    return [json.loads(payload)["event_type"] for payload in publisher.payloads("event")]


def response(publisher: RecordingPublisher, transaction: str) -> dict[str, Any]:
    """The answer to one command."""
    assert publisher.wait_for("response", f'"{transaction}"')
    (found,) = (
        each for each in map(json.loads, publisher.payloads("response")) if each["transaction"] == transaction
    )
    assert isinstance(found, dict)
    return found


def run_to_end(source: Source, *, kind: SourceKind = "file") -> tuple[Listener, RecordingPublisher]:
    """Let a source that ends by itself be heard."""
    with listening(lambda: source, kind=kind) as (listener, publisher):
        assert listener.join(DEADLINE_S)
    return listener, publisher


def test_a_recording_is_heard_to_its_end() -> None:
    """From starting to ended, with a pair of events, and no error."""
    listener, publisher = run_to_end(FakeSource(SOUND))
    assert reasons(publisher) == ["starting", "music", "ended"]
    assert kinds(publisher) == ["music_started", "music_stopped"]
    assert publisher.payloads("availability")[-1] == "offline"
    assert listener.error is None
    assert not listener.alive


def test_telemetry_follows_sample_time() -> None:
    """Once a second of sound at most: of four patches of 0.96 s, after the second and the fourth."""
    _, publisher = run_to_end(FakeSource(SOUND))
    telemetry = [json.loads(payload) for payload in publisher.payloads("telemetry")]
    assert len(telemetry) == 2
    assert telemetry[0]["level_dbfs"] == pytest.approx(-20, abs=0.2)
    assert telemetry[0]["inference_p50_ms"] > 0


def test_a_recording_that_fails_ends_with_its_error() -> None:
    """Opening it again would change nothing; what was open is closed."""
    error = SourceError("tape.wav: breaks off")
    listener, publisher = run_to_end(FakeSource(SOUND, failures=[error]))
    assert listener.error is error
    assert not listener.crashed
    assert kinds(publisher) == ["music_started", "music_stopped"]
    assert reasons(publisher)[-1] == "no audio"


@pytest.mark.parametrize("kind", ["microphone", "stream"])
def test_a_live_source_is_opened_again(kind: SourceKind) -> None:
    """Offline when it was lost, online when it is heard again; music that was on has stopped in between."""
    opened = ListedSources(FakeSource(SOUND, failures=[SourceLost("unplugged")]), EndlessSource())
    with listening(opened, kind=kind) as (_, publisher):
        assert publisher.wait_for("availability", "online", times=2)
        assert publisher.wait_for("event", "music_started", times=2)
    assert reasons(publisher)[:5] == ["starting", "music", "no audio", "starting", "music"]
    turns = [word for word, _ in itertools.groupby(publisher.payloads("availability"))]
    assert turns[:4] == ["offline", "online", "offline", "online"]
    assert kinds(publisher)[:3] == ["music_started", "music_stopped", "music_started"]


def test_attempts_that_fail_are_not_told_each_time() -> None:
    """A microphone that is away for a week is one message."""
    absent = FakeSource(failures=[SourceError("no such device")] * 5)
    opened = ListedSources(absent, absent, absent, absent, absent, EndlessSource())
    with listening(opened) as (_, publisher):
        assert publisher.wait_for("availability", "online")
    assert opened.opened >= 6
    assert reasons(publisher)[:2] == ["starting", "no audio"]
    assert sum('"no audio"' in payload for payload in publisher.payloads("state")) <= 2


def test_attempts_that_fail_are_not_logged_each_time(caplog: pytest.LogCaptureFixture) -> None:
    """A service without a microphone says so once, and once more where the reason is another."""
    absent = FakeSource(failures=[SourceError("no such device")] * 3)
    busy = FakeSource(failures=[SourceError("in use")] * 2)
    with listening(ListedSources(absent, absent, absent, busy, busy, EndlessSource())) as (_, publisher):
        assert publisher.wait_for("availability", "online")
    logged = [record.getMessage().partition(";")[0] for record in caplog.records if "again" in record.message]
    assert logged == ["no such device", "in use"]


def test_a_live_source_that_ends_is_opened_again() -> None:
    """A radio that closes the connection in good order has been lost all the same."""
    with listening(ListedSources(FakeSource(SOUND), EndlessSource()), kind="stream") as (_, publisher):
        assert publisher.wait_for("event", "music_started", times=2)
    assert "no audio" in reasons(publisher)


def test_stopping_closes_what_is_open() -> None:
    """An endless source ends, and its music has stopped."""
    with listening(EndlessSource) as (_, publisher):
        assert publisher.wait_for("event", "music_started")
    assert kinds(publisher) == ["music_started", "music_stopped"]
    assert publisher.payloads("availability")[-1] == "offline"


def test_stopping_ends_the_wait_for_a_lost_source() -> None:
    """Nobody waits for a backoff of a minute."""
    listener = Listener(
        SourceConfig(),
        config=Config(),
        open_source=lambda: FakeSource(failures=[SourceLost("gone")]),
        model=fake_model(),
        publisher=(publisher := RecordingPublisher()),
        backoff=Backoff(first_s=3600, longest_s=3600),
    )
    listener.start()
    assert publisher.wait_for("state", "no audio")
    listener.stop()
    assert listener.join(DEADLINE_S)


def test_pausing_lets_the_microphone_go() -> None:
    """The source is closed, the state unknown, and the answer says so."""
    source = EndlessSource()
    with listening(lambda: source) as (listener, publisher):
        assert publisher.wait_for("event", "music_started")
        listener.command(b'{"paused": true, "transaction": "p"}')
        assert publisher.wait_for("state", '"paused":true')
        assert source.closed.is_set()
        assert response(publisher, "p") | {"paused": True} == response(publisher, "p")
    assert kinds(publisher) == ["music_started", "music_stopped"]
    assert reasons(publisher)[-1] == "paused"


def test_resuming_opens_it_again() -> None:
    """Heard again after a pause."""
    with listening(EndlessSource) as (listener, publisher):
        listener.command(b'{"paused": true}')
        assert publisher.wait_for("state", '"paused":true')
        listener.command(b'{"paused": false, "transaction": "r"}')
        assert response(publisher, "r")["paused"] is False
        assert publisher.wait_for("event", "music_started")


def test_a_pause_taken_back_at_once_is_no_loss() -> None:
    """Both commands are obeyed between two patches: the source is opened again without a wait."""
    opened = ListedSources(EndlessSource(), EndlessSource())
    with listening(opened) as (listener, publisher):
        listener.command(b'{"paused": true}')
        listener.command(b'{"paused": false, "transaction": "r"}')
        assert response(publisher, "r")["paused"] is False
        assert publisher.wait_for("event", "music_started", times=2)
    assert "no audio" not in reasons(publisher)


def test_a_mode_takes_effect() -> None:
    """0.8 is music for `balanced` (0.5) and not for `precision` (0.9)."""
    with listening(EndlessSource) as (listener, publisher):
        assert publisher.wait_for("music", "ON")
        listener.command(b'{"mode": "precision", "transaction": "m"}')
        assert response(publisher, "m") == {
            "transaction": "m",
            "ok": True,
            "error": None,
            "warning": None,
            "paused": False,
            "mode": "precision",
            "model": "fake",
            "log_level": "warning",
        }
        listener.command(b'{"paused": true}')
        assert publisher.wait_for("state", '"paused":true')
        listener.command(b'{"paused": false}')
        assert publisher.wait_for("music", "OFF")


def model_named(name: str, *script: float) -> Model:
    """A model of another name."""
    model = fake_model(script)
    return replace(model, sidecar=replace(model.sidecar, name=name))


def test_another_model_goes_on_in_the_same_sound() -> None:
    """Loaded by name, it hears from the next patch on; the source is not opened again, and the answer names it."""
    loaded = {"other": model_named("other", 0.0)}
    opened = ListedSources(EndlessSource())
    with listening(opened, change_model=loaded.__getitem__) as (listener, publisher):
        assert publisher.wait_for("music", "ON")
        listener.command(b'{"model": "other", "transaction": "m"}')
        answer = response(publisher, "m")
        assert (answer["ok"], answer["model"]) == (True, "other")
        assert publisher.wait_for("state", '"model":"other"')
        assert publisher.wait_for("event", "music_stopped")
    assert opened.opened == 1
    assert given(loaded["other"])


def test_a_network_takes_over_in_the_same_sound() -> None:
    """It wants pieces of another size, and its answers go on where those of the model before it ended."""
    network = fake_segment_model(fake_embedder(lambda _: (0.01, np.zeros(128, np.float32))), lambda _: 0.01)
    opened = ListedSources(EndlessSource())
    with listening(opened, change_model=lambda _: network) as (listener, publisher):
        assert publisher.wait_for("music", "ON")
        listener.command(b'{"model": "attention"}')
        assert publisher.wait_for("state", '"model":"attention"')
        assert publisher.wait_for("event", "music_stopped")
        assert listener.alive
    assert opened.opened == 1
    assert len(given(network)) == len(given(network.embedder)) > 1


def test_a_bad_model_changes_nothing() -> None:
    """The sentence is answered, the old one goes on, and the rest of the command is not carried out either."""

    def refuse(name: str) -> Model:
        raise ModelError(f"no model is named {name!r}; installed: fake")

    with listening(EndlessSource, change_model=refuse) as (listener, publisher):
        listener.command(b'{"model": "yamnet", "mode": "recall", "paused": true, "transaction": "m"}')
        assert response(publisher, "m") == {
            "transaction": "m",
            "ok": False,
            "error": "no model is named 'yamnet'; installed: fake",
            "warning": None,
            "paused": False,
            "mode": "balanced",
            "model": "fake",
            "log_level": "warning",
        }
        assert publisher.wait_for("music", "ON")
        assert listener.alive


def test_a_model_that_another_source_was_given_is_adopted() -> None:
    """A device has one model."""
    with listening(EndlessSource) as (listener, publisher):
        assert publisher.wait_for("music", "ON")
        listener.adopt(model_named("other", 0.0))
        assert publisher.wait_for("music", "OFF")
        assert publisher.wait_for("state", '"model":"other"')


def test_a_model_can_be_changed_during_a_pause() -> None:
    """It shows at once, and hears afterwards."""
    with listening(EndlessSource, change_model=lambda name: model_named(name, 0.0)) as (listener, publisher):
        listener.command(b'{"paused": true}')
        assert publisher.wait_for("state", '"paused":true')
        listener.command(b'{"model": "other"}')
        assert publisher.wait_for("state", '"model":"other"')
        listener.command(b'{"paused": false}')
        assert publisher.wait_for("music", "OFF")


def test_a_mode_shows_at_once() -> None:
    """In the state too, also while nothing is heard: whoever chose it is waiting."""
    opened = ListedSources(EndlessSource(), FakeSource(stays_open=True))
    with listening(opened) as (listener, publisher):
        listener.command(b'{"paused": true}')
        assert publisher.wait_for("state", '"paused":true')
        listener.command(b'{"mode": "recall"}')
        assert publisher.wait_for("state", '"mode":"recall"')
        assert '"paused":true' in publisher.payloads("state")[-1]


def test_a_flood_of_commands_is_dropped_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Those that find room are obeyed, none of them holds more than can be refused, and sound goes on."""
    hang = Hang()
    with listening(lambda: HangingSource(SOUND[:20], hang, SOUND)) as (listener, publisher):
        assert hang.reached.wait(DEADLINE_S)
        for number in range(1_000):
            listener.command(b'{"mode": "recall", "transaction": "%d"}' % number + b" " * 1_000_000)
        hang.release()
        assert publisher.wait_for("response", "too long")
        assert publisher.wait_for("music", "ON")
    assert [record.levelname for record in caplog.records if "dropped" in record.message] == ["WARNING"]
    assert 0 < len(publisher.payloads("response")) < 100


def test_commands_without_end_do_not_keep_it_from_hearing() -> None:
    """While they keep coming, sound is heard between them."""
    done = threading.Event()
    with listening(EndlessSource) as (listener, publisher):

        def flood() -> None:
            while not done.is_set():
                listener.command(b'{"mode": "recall"}')

        sender = threading.Thread(target=flood)
        sender.start()
        try:
            assert publisher.wait_for("response", "recall", times=100)
            assert publisher.wait_for("telemetry", "level", times=10)
        finally:
            done.set()
            sender.join()


def test_what_a_command_set_holds_for_the_next_listener(tmp_path: Path) -> None:
    """A pause is stored before it is confirmed; the next process does not even open the source."""
    store = tmp_path / "made" / "commanded.json"
    with listening(EndlessSource, commanded=Commanded(store)) as (listener, publisher):
        listener.command(b'{"paused": true, "mode": "recall", "transaction": "p"}')
        assert response(publisher, "p")["warning"] is None
        kept = store.read_text()
    store.write_text(kept)
    opened = ListedSources(EndlessSource())
    with listening(opened, commanded=Commanded(store)) as (listener, publisher):
        assert publisher.wait_for("state", '"paused":true')
        listener.command(b'{"transaction": "q"}')
        answer = response(publisher, "q")
        assert (answer["paused"], answer["mode"], opened.opened) == (True, "recall", 0)
        listener.command(b'{"paused": false, "mode": null, "transaction": "r"}')
        assert response(publisher, "r")["mode"] == "balanced"
        assert publisher.wait_for("music", "ON")
    assert not Commanded(store).paused("mic")


def test_what_cannot_be_stored_is_obeyed_and_said(tmp_path: Path) -> None:
    """The microphone is closed all the same; the answer warns that this will not outlive the process."""
    (tmp_path / "file").touch()
    with listening(EndlessSource, commanded=Commanded(tmp_path / "file" / "commanded.json")) as (
        listener,
        publisher,
    ):
        listener.command(b'{"paused": true, "transaction": "p"}')
        answer = response(publisher, "p")
        assert (answer["ok"], answer["error"], answer["paused"]) == (True, None, True)
        assert "only until oido ends" in answer["warning"]
        assert publisher.wait_for("state", '"paused":true')


def test_the_end_of_a_pause_shows_at_once() -> None:
    """Before the source gives its first sample, which may take a while."""
    opened = ListedSources(EndlessSource(), FakeSource(stays_open=True))
    with listening(opened) as (listener, publisher):
        listener.command(b'{"paused": true}')
        assert publisher.wait_for("state", '"paused":true')
        listener.command(b'{"paused": false, "transaction": "r"}')
        assert response(publisher, "r")["paused"] is False
        assert publisher.wait_for("state", '"starting"', times=2)
        assert '"paused":false' in publisher.payloads("state")[-1]


def test_the_log_level_is_changed(caplog: pytest.LogCaptureFixture) -> None:
    """Of the whole program; the answer names it."""
    caplog.set_level(logging.WARNING)  # and restores it at the end
    with listening(EndlessSource) as (listener, publisher):
        listener.command(b'{"log_level": "debug", "transaction": "l"}')
        assert response(publisher, "l")["log_level"] == "debug"
        assert logging.getLogger().level == logging.DEBUG


@pytest.mark.parametrize(
    ("payload", "transaction"),
    [(b"\xff", None), (b"{}", None), (b'{"mode": "best", "transaction": "b"}', "b"), (b"[" * 4000, None)],
)
def test_garbage_is_answered(payload: bytes, transaction: str | None) -> None:
    """With ok false and a sentence; the listener goes on."""
    with listening(EndlessSource) as (listener, publisher):
        listener.command(payload)
        assert publisher.wait_for("response", '"ok":false')
        (answer,) = map(json.loads, publisher.payloads("response"))
        assert (answer["transaction"], bool(answer["error"]), answer["mode"]) == (transaction, True, "balanced")
        assert listener.alive


def test_a_command_while_waiting_is_answered() -> None:
    """A source that cannot be opened is no reason to be deaf to commands too."""
    with listening(lambda: FakeSource(failures=[SourceLost("gone")])) as (listener, publisher):
        listener.command(b'{"transaction": "t", "paused": false}')
        assert response(publisher, "t")["ok"] is True


@pytest.mark.parametrize("failure", [RuntimeError("bug"), MemoryError(), ZeroDivisionError("x")])
def test_an_unforeseen_error_ends_the_listener(failure: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged with its traceback and kept; music that was on is closed."""
    source = FakeSource(SOUND, failures=[failure])
    with listening(lambda: source) as (listener, publisher):
        assert listener.join(DEADLINE_S)
    assert listener.crashed
    assert repr(failure) in str(listener.error)
    assert "unforeseen" in caplog.text
    assert kinds(publisher) == ["music_started", "music_stopped"]
    assert publisher.payloads("availability")[-1] == "offline"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (DecisionConfig(), (0.9, 0.63)),
        (DecisionConfig(on=0.4), (0.4, 0.28)),
        (DecisionConfig(off=0.2), (0.9, 0.2)),
        (DecisionConfig(off=0.95), (0.9, 0.9)),
    ],
)
def test_rules_come_from_the_model_unless_configured(config: DecisionConfig, expected: Sequence[float]) -> None:
    """`off` is never above `on`."""
    found = rules(config, fake_model(), "precision")
    assert (found.on, found.off) == pytest.approx(tuple(expected))
    assert (found.min_on_s, found.min_off_s) == (1.5, 4.0)
