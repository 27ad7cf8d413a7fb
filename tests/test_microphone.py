"""device.sources.microphone and port_audio: the logic, against a fake sounddevice."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from fakes import FakeSoundDevice, FakeStream
from waiting import DEADLINE_S, eventually

from device.errors import SourceError, SourceLost
from device.sound import Block, FloatArray
from device.sources.microphone import Microphone
from device.sources.port_audio import InputDevice, PortAudio

USB = "USB PnP Sound Device: Audio (hw:1,0)"


def frames(seconds: float, *, rate_hz: int = 16_000, channels: int = 1, value: float = 0.25) -> FloatArray:
    """(n, channels) of one value."""
    return np.full((round(seconds * rate_hz), channels), value, np.float32)


def microphone(
    library: FakeSoundDevice, device: str | None = "usb", *, stall_s: float = 10, queue_s: float = 5
) -> Microphone:
    """A microphone on the fake."""
    return Microphone(
        device,
        name="mic",
        stall_s=stall_s,
        start_s=stall_s,
        queue_s=queue_s,
        audio=PortAudio(library),
        clock=lambda: 1_000.0,
    )


def feed_once_open(library: FakeSoundDevice, captured: FloatArray) -> threading.Thread:
    """Wait, in a thread, for the device to be opened, then let it capture."""

    def feed() -> None:
        assert library.opened.wait(DEADLINE_S)
        library.streams[-1].give(captured)

    feeder = threading.Thread(target=feed)
    feeder.start()
    return feeder


@contextmanager
def listening(mic: Microphone, library: FakeSoundDevice) -> Iterator[tuple[Iterator[Block], FakeStream]]:
    """An opened microphone's blocks, one of them taken already, and the fake stream that feeds it."""
    feeder = feed_once_open(library, frames(0.1))
    blocks = mic.blocks()
    next(blocks)
    feeder.join()
    yield blocks, library.streams[-1]
    mic.close()


def test_what_the_device_captures_is_heard() -> None:
    """Blocks of equal length, with consecutive starts and the time of their first sample."""
    library = FakeSoundDevice()
    with listening(microphone(library), library) as (blocks, stream):
        stream.give(frames(0.1, value=0.5))
        block = next(blocks)
    assert block.samples.tolist() == [0.5] * 1_600
    assert block.start == 1_600
    assert block.wall_time == pytest.approx(999.9)


def test_the_device_is_opened_as_it_is() -> None:
    """At its own rate, by its place in the current list, with at most two channels; mixed down here."""
    library = FakeSoundDevice(channels=6, sample_rate_hz=48_000.0)
    mic = microphone(library)
    feeder = feed_once_open(library, frames(0.5, rate_hz=48_000, channels=2))
    block = next(iter(mic.blocks()))
    feeder.join()
    mic.close()
    asked = library.streams[0].arguments
    assert (asked["device"], asked["channels"], asked["samplerate"]) == (2, 2, 48_000)
    assert block.samples[800] == pytest.approx(0.25, abs=1e-3)


def test_lost_samples_are_told_by_the_next_block() -> None:
    """An overflow of the device's buffer is counted once."""
    library = FakeSoundDevice()
    with listening(microphone(library), library) as (blocks, stream):
        stream.give(frames(0.1), overflowed=True)
        assert next(blocks).overruns == 1
        stream.give(frames(0.1))
        assert next(blocks).overruns == 0


def test_a_device_that_goes_away_is_lost() -> None:
    """What it gave before is heard; then the loss names it and PortAudio's reason."""
    library = FakeSoundDevice()
    with listening(microphone(library), library) as (blocks, stream):
        stream.give(frames(0.1))
        stream.unplug("Device unavailable")
        assert next(blocks).start == 1_600
        with pytest.raises(SourceLost, match=r"USB PnP .* went away: Device unavailable"):
            next(blocks)
        assert stream.closed


def test_a_device_that_falls_silent_is_lost() -> None:
    """Not digital silence but no samples at all, for as long as the stall may last."""
    library = FakeSoundDevice()
    with listening(microphone(library, stall_s=0.2), library) as (blocks, stream):
        with pytest.raises(SourceLost, match=r"microphone 'usb' gave no sample for 0\.2 s"):
            next(blocks)
        assert stream.closed


def test_a_device_that_never_begins_is_lost() -> None:
    """Opened, but without a first sample."""
    library = FakeSoundDevice()
    with pytest.raises(SourceLost, match="gave no sample"):
        next(microphone(library, stall_s=0.2).blocks())


def test_after_a_loss_it_finds_the_device_that_was_plugged_in_again() -> None:
    """PortAudio is initialised anew, because its list of devices is frozen."""
    library = FakeSoundDevice()
    mic = microphone(library)
    with listening(mic, library) as (blocks, stream):
        stream.unplug()
        with pytest.raises(SourceLost):
            next(blocks)
        library.plugged = ["Built-in", "Webcam", "USB PnP Sound Device: Audio (hw:3,0)"]
        library.opened.clear()
        with listening(mic, library) as (_, again):
            assert again.arguments["device"] == 3


def test_a_device_that_was_missing_is_found_once_plugged_in() -> None:
    """A failure to find it also renews the list before the next try."""
    library = FakeSoundDevice(names=["Built-in"])
    mic = microphone(library)
    with pytest.raises(SourceError, match="no microphone has 'usb' in its name; there is: 'Built-in'"):
        next(mic.blocks())
    library.plugged.append(USB)
    with listening(mic, library) as (_, stream):
        assert stream.started


def test_a_working_device_list_is_left_alone() -> None:
    """Opening again after an ordinary close does not start PortAudio anew."""
    library = FakeSoundDevice()
    audio = PortAudio(library)
    opened = audio.open("usb", latency_s=0.4)
    audio.close(opened, lost=False)
    audio.close(audio.open("usb", latency_s=0.4), lost=False)
    assert library.initialisations == 1


def test_the_list_is_not_renewed_under_an_open_microphone() -> None:
    """Terminating PortAudio would pull the stream from under its reader; a failed neighbour has to wait."""
    library = FakeSoundDevice()
    audio = PortAudio(library)
    opened = audio.open("built-in", latency_s=0.4)
    with pytest.raises(SourceError):
        audio.open("webcam", latency_s=0.4)
    with pytest.raises(SourceError):
        audio.open("webcam", latency_s=0.4)
    assert library.initialisations == 1
    audio.close(opened, lost=False)
    with pytest.raises(SourceError):
        audio.open("webcam", latency_s=0.4)
    assert library.initialisations == 2


def inputs_of(library: FakeSoundDevice) -> Callable[[], list[InputDevice]]:
    """What a new list would have."""
    return lambda: PortAudio(FakeSoundDevice(library.plugged)).input_devices()


def test_a_device_that_appears_beside_an_open_one_is_found() -> None:
    """The open one is let go for the moment of the renewal, is heard on, and its gap is counted."""
    library = FakeSoundDevice(["Built-in"])
    audio = PortAudio(library, look=inputs_of(library), look_every_s=0)
    mic = Microphone("built-in", name="mic", stall_s=DEADLINE_S, audio=audio)
    with listening(mic, library) as (blocks, stream):
        with pytest.raises(SourceError, match="no microphone has 'usb'"):
            audio.open("usb", latency_s=0.4)
        assert (stream.closed, library.initialisations) == (False, 1)
        library.plugged.append(USB)
        usb = audio.open("usb", latency_s=0.4)
        assert (usb.device.name, stream.closed, library.initialisations) == (USB, True, 2)
        assert eventually(lambda: len(library.streams) == 3)
        for again in library.streams[1:]:  # one of them is the microphone's
            again.give(frames(0.1, value=0.5))
        block = next(blocks)
        assert (block.samples[0], block.start, block.overruns) == (0.5, 1_600, 1)
        audio.close(usb, lost=False)


def test_a_reader_that_does_not_let_go_puts_the_renewal_off() -> None:
    """The missing microphone stays missing, and the open one stays open."""
    library = FakeSoundDevice(["Built-in"])
    audio = PortAudio(library, look=inputs_of(library), look_every_s=0)
    opened = audio.open("built-in", latency_s=0.4)  # whoever reads it hangs
    library.plugged.append(USB)
    with pytest.raises(SourceError, match="no microphone has 'usb'"):
        audio.open("usb", latency_s=0.4)
    assert (library.streams[0].closed, library.initialisations, audio.renewing) == (False, 1, False)
    audio.close(opened, lost=False)
    assert audio.open("usb", latency_s=0.4).device.name == USB


def test_a_missing_device_is_not_looked_for_all_the_time() -> None:
    """Each look is a process."""
    looks: list[str] = []
    library = FakeSoundDevice(["Built-in"])

    def look() -> list[InputDevice]:
        looks.append("looked")
        return []

    audio = PortAudio(library, look=look)
    opened = audio.open("built-in", latency_s=0.4)
    for _ in range(5):
        with pytest.raises(SourceError):
            audio.open("usb", latency_s=0.4)
    assert len(looks) == 1
    audio.close(opened, lost=False)


def test_the_default_device_is_taken_without_a_name() -> None:
    """The system's, not the first."""
    library = FakeSoundDevice(default=USB)
    with listening(microphone(library, None), library) as (_, stream):
        assert stream.arguments["device"] == 2


def test_without_a_default_device_the_others_are_listed() -> None:
    """One can be chosen by name."""
    with pytest.raises(SourceError, match="no default microphone; set device to part of one of: 'Built-in"):
        next(microphone(FakeSoundDevice(), None).blocks())


def test_without_any_device_it_says_so() -> None:
    """An output is not a microphone."""
    with pytest.raises(SourceError, match="there is no microphone"):
        next(microphone(FakeSoundDevice(names=[]), None).blocks())


def test_a_name_that_fits_several_lists_them() -> None:
    """Guessing would listen to the wrong room."""
    with pytest.raises(SourceError, match="'USB' fits several microphones: 'USB one', 'USB two'"):
        next(microphone(FakeSoundDevice(names=["USB one", "USB two"]), "USB").blocks())


def test_an_exact_name_wins_over_those_that_contain_it() -> None:
    """`default` is also a part of `sysdefault`."""
    library = FakeSoundDevice(names=["sysdefault", "default"])
    with listening(microphone(library, "Default"), library) as (_, stream):
        assert stream.arguments["device"] == 2


def test_a_number_is_not_a_device() -> None:
    """Numbers change when a device is plugged in again: `1` is looked for in the names."""
    with pytest.raises(SourceError, match="no microphone has '1' in its name"):
        next(microphone(FakeSoundDevice(names=["Webcam", "Built-in"]), "1").blocks())


def test_a_device_in_use_says_so() -> None:
    """With PortAudio's reason."""
    library = FakeSoundDevice()
    library.refuses_to_open = "Device unavailable"
    with pytest.raises(SourceError, match="cannot be opened: Device unavailable; is another program"):
        next(microphone(library).blocks())


def test_a_sound_system_that_hangs_is_told_and_not_piled_upon() -> None:
    """The loss is told although closing hangs; no second thread follows until the first is through."""
    library = FakeSoundDevice()
    mic = microphone(library, stall_s=0.2)
    with listening(mic, library) as (blocks, stream):
        stream.answers.clear()
        with pytest.raises(SourceLost, match="gave no sample"):
            next(blocks)
        with pytest.raises(SourceLost, match="does not answer"):
            next(mic.blocks())
        assert len(library.streams) == 1
        stream.answers.set()


def test_close_frees_the_device_and_joins_the_thread() -> None:
    """Even while the consumer holds a block; a second close does no harm."""
    library = FakeSoundDevice()
    mic = microphone(library)
    with listening(mic, library) as (blocks, stream):
        assert "oido-microphone-mic" in {thread.name for thread in threading.enumerate()}
        mic.close()
        mic.close()
        assert stream.closed
        assert "oido-microphone-mic" not in {thread.name for thread in threading.enumerate()}
        assert list(blocks) == []


def test_close_ends_a_wait_for_samples() -> None:
    """A device that gives nothing does not hold anyone."""
    library = FakeSoundDevice()
    mic = microphone(library, stall_s=60)
    consumer = threading.Thread(target=lambda: list(mic.blocks()))
    consumer.start()
    library.opened.wait(DEADLINE_S)
    mic.close()
    consumer.join(DEADLINE_S)
    assert not consumer.is_alive()
    assert library.streams[0].closed


def test_an_abandoned_microphone_frees_its_device() -> None:
    """Whoever stops iterating need not close."""
    library = FakeSoundDevice()
    feeder = feed_once_open(library, frames(0.1))
    for _ in microphone(library).blocks():
        break
    feeder.join()
    assert library.streams[0].closed


def test_a_late_consumer_loses_the_newest_and_is_told() -> None:
    """The queue is bounded; what it holds has no gaps, and the loss is counted after it."""
    library = FakeSoundDevice()
    with listening(microphone(library, queue_s=0.4), library) as (blocks, stream):
        for tenth in range(7):  # one read each: three more than the queue takes
            stream.give(frames(0.1, value=tenth / 10))
            while stream.read_available:
                threading.Event().wait(0.001)
        kept = [next(blocks) for _ in range(4)]
        stream.give(frames(0.1, value=0.9))
        after = next(blocks)
    assert [block.samples[0] for block in kept] == pytest.approx([0, 0.1, 0.2, 0.3])
    assert {block.overruns for block in kept} == {0}
    assert after.overruns == 3
    assert after.samples[0] == pytest.approx(0.9)


def test_devices_are_listed_for_people() -> None:
    """Inputs only, with what is needed to choose one."""
    devices = PortAudio(FakeSoundDevice(default=USB, channels=2, sample_rate_hz=44_100.0)).input_devices()
    assert [device.is_default for device in devices] == [False, True]
    usb = devices[1]
    assert (usb.name, usb.channels, usb.sample_rate_hz, usb.host_api) == (USB, 2, 44_100, "ALSA")
