"""device.daemon.listener, listeners and liveness: who hangs is noticed, and nothing sticks."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from fakes import FakeSource, blocks_of
from hearing_fakes import RecordingPublisher, fake_model, noise
from network_fakes import TINY_MODELS, needs_tflite
from supervised import Hang, HangingPublisher, HangingSource, hanging_model
from waiting import DEADLINE_S

from device.configuration.settings import Config, DecisionConfig, MqttConfig, SourceConfig, SourceKind
from device.daemon.listener import Listener
from device.daemon.listeners import Listeners
from device.daemon.liveness import MARGIN_S
from device.errors import SourceLost
from device.hearing.decision import Music
from device.hearing.models.loading import Model, load_model
from device.sources.backoff import Backoff
from device.sources.base import Source

SOUND = blocks_of(noise(4.0))
LATER_S = 1_000.0
"""Longer than anything may take."""


def listener_of(
    open_source: Callable[[], Source],
    publisher: RecordingPublisher,
    *,
    kind: SourceKind = "microphone",
    model: Model | None = None,
    backoff: Backoff | None = None,
) -> Listener:
    """One that hears music in everything."""
    return Listener(
        SourceConfig(name="mic", kind=kind, path="x", url="x"),
        config=Config(decision=DecisionConfig(min_on_s=0), mqtt=MqttConfig(state_interval_s=0.5)),
        open_source=open_source,
        model=model or fake_model([0.8]),
        publisher=publisher,
        origin=0.0,
        backoff=backoff or Backoff(first_s=3600, longest_s=3600),
    )


@contextmanager
def at_work(listener: Listener, *hangs: Hang) -> Iterator[Listener]:
    """Start it; at the end let it go on and stop it."""
    listener.start()
    try:
        yield listener
    finally:
        for hang in hangs:
            hang.release()
        listener.stop()
        assert listener.join(DEADLINE_S)


def kinds(publisher: RecordingPublisher) -> list[str]:
    """Of all events, in order."""
    return [json.loads(payload)["event_type"] for payload in publisher.payloads("event")]


def later() -> float:
    """A time at which everything is overdue."""
    return time.monotonic() + LATER_S


def test_a_read_that_hangs_is_not_heard_and_says_so() -> None:
    """ON does not stick: the guard publishes `offline` in its place, once."""
    hang, publisher = Hang(), RecordingPublisher()
    with at_work(listener_of(lambda: HangingSource(SOUND, hang), publisher), hang) as listener:
        assert publisher.wait_for("music", "ON")
        assert hang.reached.wait(DEADLINE_S)
        for _ in range(3):
            listener.guard(later())
        assert publisher.payloads("availability")[-1] == "offline"
        assert json.loads(publisher.payloads("state")[-1])["reason"] == "no audio"
        assert publisher.payloads("availability").count("offline") == 2  # the other at the start
        assert listener.said == (Music.UNKNOWN, "no audio")


def test_a_listener_in_time_is_left_alone() -> None:
    """The guard publishes nothing, and nobody is overdue."""
    hang, publisher = Hang(), RecordingPublisher()
    with at_work(listener_of(lambda: HangingSource(SOUND, hang), publisher), hang) as listener:
        assert publisher.wait_for("music", "ON")
        assert hang.reached.wait(DEADLINE_S)
        said = len(publisher.messages)
        now = time.monotonic()
        listener.guard(now)
        assert not listener.liveness.overdue(now)
        assert len(publisher.messages) == said


@needs_tflite
def test_who_answers_every_half_second_is_soon_missed() -> None:
    """After the source's own limit, a hop of the model and a margin; a hop of 0.48 s is not taken for 0.96 s."""
    hang, publisher = Hang(), RecordingPublisher()
    model = load_model(str(TINY_MODELS / "embedder.json"))
    listener = listener_of(lambda: HangingSource(SOUND, hang), publisher, model=model)
    began = time.monotonic()
    with at_work(listener, hang):
        assert hang.reached.wait(DEADLINE_S)
        heard = time.monotonic()
        assert began + 2.0 + 0.48 + MARGIN_S < listener.liveness.due < heard + 2.0 + 0.48 + MARGIN_S


def test_what_was_only_late_goes_on() -> None:
    """After the hang it is heard again: the same music, without a second start."""
    hang, publisher = Hang(), RecordingPublisher()
    with at_work(listener_of(lambda: HangingSource(SOUND, hang, SOUND), publisher), hang) as listener:
        assert hang.reached.wait(DEADLINE_S)
        listener.guard(later())
        hang.release()
        assert publisher.wait_for("availability", "online", times=2)
    assert kinds(publisher) == ["music_started", "music_stopped"]
    assert publisher.payloads("music")[-1] == "ON"


def test_a_recording_is_not_guarded() -> None:
    """A slow disk must not change what a replay says."""
    hang, publisher = Hang(), RecordingPublisher()
    with at_work(listener_of(lambda: HangingSource(SOUND, hang), publisher, kind="file"), hang) as listener:
        assert hang.reached.wait(DEADLINE_S)
        said = len(publisher.messages)
        listener.guard(later())
        assert len(publisher.messages) == said


def hang_in_open(hang: Hang, publisher: RecordingPublisher) -> Listener:
    """It never comes back from opening the source."""

    def open_source() -> Source:
        hang()
        return FakeSource(stays_open=True)

    return listener_of(open_source, publisher)


def hang_in_read(hang: Hang, publisher: RecordingPublisher) -> Listener:
    """It never comes back from reading."""
    return listener_of(lambda: HangingSource(SOUND, hang), publisher)


def hang_in_inference(hang: Hang, publisher: RecordingPublisher) -> Listener:
    """It never comes back from the model."""
    source = FakeSource(SOUND, stays_open=True)
    return listener_of(lambda: source, publisher, model=hanging_model(hang, after=2))


@pytest.mark.parametrize("make", [hang_in_open, hang_in_read, hang_in_inference])
def test_a_hang_starves_the_watchdog(make: Callable[[Hang, RecordingPublisher], Listener]) -> None:
    """Whatever hangs, the listeners are not well any more."""
    hang, publisher, listeners = Hang(), RecordingPublisher(), Listeners()
    listener = make(hang, publisher)
    listeners.start([listener])
    assert hang.reached.wait(DEADLINE_S)
    assert listeners.guard(time.monotonic())
    assert not listeners.guard(later())
    assert "online" not in publisher.payloads("availability")[-1:]
    hang.release()
    listeners.stop()
    assert listener.join(DEADLINE_S)


def test_a_publisher_that_hangs_starves_it_too() -> None:
    """And the guard, which would publish as well, does not hang with it."""
    hang, listeners = Hang(), Listeners()
    publisher = HangingPublisher(hang, "music_started")
    listener = listener_of(lambda: FakeSource(SOUND, stays_open=True), publisher)
    listeners.start([listener])
    assert hang.reached.wait(DEADLINE_S)
    assert not listeners.guard(later())
    hang.release()
    listeners.stop()


def test_a_published_absence_feeds_it() -> None:
    """While it waits to look for a lost source, and only that long."""
    publisher, listeners = RecordingPublisher(), Listeners()
    listener = listener_of(lambda: FakeSource(failures=[SourceLost("gone")]), publisher)
    listeners.start([listener])
    assert publisher.wait_for("state", "no audio")
    until = time.monotonic() + DEADLINE_S
    while listener.liveness.doing != "waiting" and time.monotonic() < until:
        time.sleep(0.001)
    assert listeners.guard(time.monotonic() + LATER_S)  # the wait is between half an hour and an hour
    assert not listeners.guard(time.monotonic() + 3_700)
    listeners.stop()
    assert listener.counts.losses == 1


def test_a_pause_feeds_it() -> None:
    """Nobody hears, by command, and the thread shows itself."""
    publisher, listeners = RecordingPublisher(), Listeners()
    listener = listener_of(lambda: FakeSource(SOUND, stays_open=True), publisher)
    listener.command(b'{"paused": true}')
    listeners.start([listener])
    assert publisher.wait_for("state", '"paused":true')
    assert listeners.guard(time.monotonic())
    listeners.stop()
    assert listener.join(DEADLINE_S)


def test_who_hangs_is_left_behind_and_its_music_closed() -> None:
    """A stop event and `offline`; what the thread says after that is not published."""
    hang, publisher, listeners = Hang(), RecordingPublisher(), Listeners()
    listener = listener_of(lambda: HangingSource(SOUND, hang, SOUND), publisher)
    listeners.start([listener])
    assert hang.reached.wait(DEADLINE_S)
    listeners.stop()
    assert kinds(publisher) == ["music_started", "music_stopped"]
    assert publisher.payloads("availability")[-1] == "offline"
    said = len(publisher.messages)
    hang.release()
    assert listener.join(DEADLINE_S)
    assert len(publisher.messages) == said


def test_counts_outlive_the_source() -> None:
    """Overruns add up over losses; none is hidden by opening it again."""
    lossy = [replace(SOUND[0], overruns=3), *SOUND[1:]]
    publisher = RecordingPublisher()
    sources = [FakeSource(lossy, failures=[SourceLost("gone")]), FakeSource(lossy, stays_open=True)]
    backoff = Backoff(first_s=0.001, longest_s=0.001)
    listener = listener_of(lambda: sources.pop(0), publisher, backoff=backoff)
    with at_work(listener):
        assert publisher.wait_for("availability", "online", times=2)
        assert publisher.wait_for("state", "music", times=2)
    assert (listener.counts.opens, listener.counts.losses) == (2, 1)
    assert listener.counts.overruns == 6
    assert listener.counts.decisions == listener.counts.answers
    assert sum(listener.counts.inference.counts) == listener.counts.decisions


def test_the_listeners_say_what_they_hear() -> None:
    """One line for people, and figures for machines."""
    publisher, listeners = RecordingPublisher(), Listeners()
    listener = listener_of(lambda: FakeSource(SOUND, stays_open=True), publisher)
    listeners.start([listener])
    assert publisher.wait_for("music", "ON")
    assert listeners.words() == "mic: music"
    (figures,) = listeners.figures()
    assert (figures.name, figures.music) == ("mic", "ON")
    assert not listeners.command("hall", b"{}")
    listeners.stop()
    assert not listeners.alive
    assert "listen mic" not in [thread.name for thread in threading.enumerate()]


def test_a_stream_that_always_breaks_off_is_asked_for_ever_more_rarely() -> None:
    """A second of sound is no success: the waits grow to the longest."""
    backoff = Backoff(first_s=0.001, longest_s=0.032, jitter=0)
    sources = [FakeSource(SOUND, failures=[SourceLost("cut")]) for _ in range(6)]
    sources.append(FakeSource(stays_open=True))
    publisher = RecordingPublisher()
    listener = listener_of(lambda: sources.pop(0), publisher, kind="stream", backoff=backoff)
    with at_work(listener):
        assert publisher.wait_for("availability", "offline", times=7)
        listener.stop()
        assert listener.join(DEADLINE_S)
    assert backoff.next_s() == 0.032
