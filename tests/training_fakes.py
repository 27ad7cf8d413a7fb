"""Small stand-ins for what networks are trained with: tracks, pools, a teacher, examples."""

import numpy as np
import numpy.typing as npt
from hearing_fakes import chord, noise, time_axis

from device.hearing.front_end.features import LOG_MEL
from device.sound import FloatArray
from export.corpus.audioset import CLASSES, MUSIC_CLASS, SPEECH_CLASS
from export.corpus.pools import Part, Pool, Track
from export.training.scenes import FRAMES, LABELLED
from export.training.shards import Examples
from export.yamnet.official import HOP_SAMPLES, WINDOW_SAMPLES

TONAL_BANDS = (10, 20, 30)
"""The mel bands that sound where there is music in `examples_of`."""


def track(package: str, samples: FloatArray) -> Track:
    """A package's sound, 16 bit."""
    return Track(package, np.round(np.clip(samples, -1, 32767 / 32768) * 32768).astype(np.int16))


def babble(seconds: float) -> FloatArray:
    """Noise that syllables shape."""
    loudness = 0.5 + 0.5 * np.sin(2 * np.pi * 4 * time_axis(seconds))
    sound: FloatArray = (noise(seconds, seed=3) * loudness).astype(np.float32)
    return sound


def small_pools() -> dict[Part, Pool]:
    """Every part, 12 s of each."""
    return {
        "music": Pool("music", [track("band", chord(12.0))]),
        "speech": Pool("speech", [track("reader", babble(12.0))]),
        "ambience": Pool("ambience", [track("rain", noise(12.0, seed=4))]),
        "effects": Pool("effects", [track("game", noise(1.5, seed=5))]),
        "synthetic": Pool("synthetic", [track("synthetic/hiss", noise(12.0, level_dbfs=-50, seed=6))]),
    }


class FakeTeacher:
    """Hears music in what has clear peaks in its spectrum, speech in whatever else is loud."""

    def __call__(self, samples: FloatArray) -> npt.NDArray[np.float16]:
        """(windows, 521): only two classes are ever heard."""
        starts = range(0, samples.size - WINDOW_SAMPLES + 1, HOP_SAMPLES)
        scores = np.zeros((len(starts), CLASSES), np.float16)
        for window, start in zip(scores, starts, strict=True):
            spectrum = np.abs(np.fft.rfft(samples[start : start + WINDOW_SAMPLES]))
            loud = spectrum.max() > 1
            tonal = spectrum.max() > 30 * spectrum.mean()
            window[MUSIC_CLASS], window[SPEECH_CLASS] = loud and tonal, loud and not tonal
        return scores


def examples_of(music: npt.ArrayLike, *, seed: int = 0) -> Examples:
    """Scenes of noise, over which some bands sound where there is music.

    Args:
        music: (n, LABELLED) or (n, 1) what the label is to be; NaN sounds, but softly.
        seed: of the noise.
    """
    generator = np.random.default_rng(seed)
    labels = np.array(np.broadcast_to(np.asarray(music, np.float32), (len(np.asarray(music)), LABELLED)))
    count = len(labels)
    mel = generator.uniform(0.05, 0.15, (count, FRAMES, LOG_MEL.mel_bands))
    sounding = np.repeat(np.nan_to_num(labels, nan=0.1)[:, ::2], FRAMES // 10, axis=1)
    mel[:, :, TONAL_BANDS] += 2 * sounding[:, :, None]
    teacher = np.zeros((count, LABELLED, CLASSES), np.uint8)
    teacher[:, :, MUSIC_CLASS] = np.round(255 * np.nan_to_num(labels))
    return Examples(
        mel=mel.astype(np.float16),
        music=labels,
        speech=np.where(labels > 0, np.float32(0), np.float32(1)),
        teacher=teacher,
        kind=np.where(np.nan_to_num(labels[:, 0]) > 0, "music", "other"),
        package=np.array([f"package{number}" for number in range(count)]),
    )
