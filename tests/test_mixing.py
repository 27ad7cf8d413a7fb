"""device.sources.mixing: channels to mono, where they add up and where they cancel each other."""

import numpy as np
import pytest
from hearing_fakes import noise

from device.sound import FloatArray
from device.sources.mixing import Mixer, mix_down

RATE_HZ = 16_000


def mixed(frames: FloatArray, *, piece: int = 1_000) -> FloatArray:
    """All that a mixer gives, fed in pieces."""
    mixer = Mixer(RATE_HZ)
    found = [mixer.feed(frames[at : at + piece])[0] for at in range(0, len(frames), piece)]
    return np.concatenate([*found, mixer.flush()])


def stereo(left: FloatArray, right: FloatArray) -> FloatArray:
    """(n, 2)."""
    return np.stack((left, right), axis=1)


def test_channels_that_add_up_are_averaged() -> None:
    """The same bits as their mean, also of two that have nothing to do with each other."""
    frames = stereo(noise(3.0), noise(3.0)[::-1])
    assert np.array_equal(mixed(frames), mix_down(frames)[0])


def test_antiphase_is_heard_from_its_first_sample() -> None:
    """Its mean is silence; the louder channel is taken."""
    sound = noise(3.0)
    assert np.array_equal(mixed(stereo(-0.8 * sound, sound)), sound)


def test_one_channel_that_plays_is_averaged() -> None:
    """A mean that is quieter because others are silent has lost nothing."""
    frames = np.zeros((48_000, 6), np.float32)
    frames[:, 2] = noise(3.0)
    assert np.array_equal(mixed(frames), mix_down(frames)[0])


def test_the_change_makes_no_click() -> None:
    """A tone that turns to antiphase and back: no step is larger than the tone's own."""
    tone = (0.5 * np.sin(2 * np.pi * 100 * np.arange(6 * RATE_HZ) / RATE_HZ)).astype(np.float32)
    right = tone.copy()
    right[2 * RATE_HZ : 4 * RATE_HZ] *= -1  # where the tone is 0
    found = mixed(stereo(tone, right))
    assert np.abs(np.diff(found)).max() < 1.2 * np.abs(np.diff(tone)).max()
    level = [float(np.abs(found[at : at + 1_600]).max()) for at in range(0, len(found), 1_600)]
    assert min(level[26:38]) > 0.49
    assert min(level[:20]) > 0.49
    assert min(level[45:]) > 0.49


@pytest.mark.parametrize("piece", [1, 37, 4_000, 4_001, 100_000])
def test_how_it_is_cut_changes_nothing(piece: int) -> None:
    """Windows are counted in samples, not in pieces."""
    sound, other = noise(1.0), noise(1.0)[::-1]
    frames = stereo(np.concatenate((sound, sound, other)), np.concatenate((other, -sound, sound)))
    assert np.array_equal(mixed(frames, piece=piece), mixed(frames))


@pytest.mark.parametrize("count", [0, 1, 3_999])
def test_a_clip_shorter_than_a_window_is_whole(count: int) -> None:
    """What was held back comes at the end."""
    frames = stereo(noise(1.0)[:count], -noise(1.0)[:count])
    assert np.array_equal(mixed(frames), frames[:, 0])
