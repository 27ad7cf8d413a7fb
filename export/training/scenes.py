"""Scenes to learn from: 9.6 s of somewhere, with what is heard in each patch of it.

A scene is put together from pieces of the corpus (music, speech over music, music that begins after something
else, ...), heard by the teacher while it is still clean, and then recorded as a device would record it: through a
room, a codec, a cheap microphone, at any level. Whatever is done to it is drawn without a look at its label.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from device.hearing.front_end.features import LOG_MEL, PATCH_FRAMES
from device.hearing.models.inputs import HOP_FRAMES
from device.sound import SAMPLE_RATE, FloatArray
from export.corpus.augment import NOISES, Room, at_level, in_a_room, noise, record
from export.corpus.codecs import CODECS, through
from export.corpus.pools import Part, Pool
from export.evaluation.hearing import SEGMENT_PATCHES

FRAMES = SEGMENT_PATCHES * PATCH_FRAMES
"""A scene is one segment long."""

LABELLED = (FRAMES - PATCH_FRAMES) // HOP_FRAMES + 1
"""Patches with a label, overlapping by half."""

SAMPLES = FRAMES * LOG_MEL.hop_samples + LOG_MEL.window_samples - LOG_MEL.hop_samples

_T = TypeVar("_T")

Kind = Literal[
    "music", "other", "speech over music", "noise over music", "speech over noise", "join", "two others"
]

KINDS: Mapping[Kind, float] = {
    "music": 0.22,
    "other": 0.24,
    "speech over music": 0.13,
    "noise over music": 0.08,
    "speech over noise": 0.12,
    "join": 0.16,
    "two others": 0.05,
}
"""How often each is put together."""

_OTHERS: Mapping[Part, float] = {"speech": 0.48, "effects": 0.22, "ambience": 0.2, "synthetic": 0.1}
_BACKGROUNDS: Mapping[Part, float] = {"ambience": 0.5, "effects": 0.25, "synthetic": 0.25}

_SPEECH_OVER_MUSIC_DB = (-10.0, 12.0)
"""Music relative to the speech over it."""
_MUSIC_OVER_NOISE_DB = (0.0, 25.0)
_SPEECH_OVER_NOISE_DB = (-5.0, 20.0)

_ROOM = Room(snr_db=(0.0, 30.0))
_ROOM_CHANCE = 0.5
_CODEC_CHANCE = 0.15
_NOISE_CHANCE = 0.4
_EQUALISER_CHANCE = 0.4

_QUIET_DB = 35.0
"""Sound this far below the loud parts of its own piece counts as inaudible."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One example."""

    kind: Kind
    packages: tuple[str, ...]
    clean: FloatArray
    """(SAMPLES,) float32, before the room: for the teacher."""
    heard: FloatArray
    """(SAMPLES,) float32 in [-1, 1], as recorded."""
    music: FloatArray
    """(LABELLED,) how much of each patch has music, 0 to 1; NaN where it is there but too quiet to tell."""
    speech: FloatArray
    """(LABELLED,) the same of speech."""


@dataclass(slots=True)
class _Mix:
    """A scene that is being put together."""

    sound: FloatArray
    music: npt.NDArray[np.bool_]
    """(FRAMES,) where there is music, whether or not one can hear it."""
    music_audible: npt.NDArray[np.bool_]
    speech: npt.NDArray[np.bool_]
    packages: list[str]

    @classmethod
    def silent(cls) -> "_Mix":
        nothing = np.zeros(FRAMES, bool)
        return cls(np.zeros(SAMPLES, np.float32), nothing, nothing, nothing, [])

    def add(self, part: Part, package: str, sound: FloatArray) -> None:
        self.sound = self.sound + sound
        self.packages.append(package)
        audible = _audible(sound)
        if part == "music":
            self.music = self.music | _present(sound)
            self.music_audible = self.music_audible | audible
        elif part == "speech":
            self.speech = self.speech | audible


class Stage:
    """Puts scenes together from pools of one split."""

    def __init__(self, pools: Mapping[Part, Pool]) -> None:
        self._pools = pools

    def scene(self, generator: np.random.Generator) -> Scene:
        """One scene; the generator's state fixes all of it."""
        kind = _choose(generator, KINDS)
        mix = _Mix.silent()
        match kind:
            case "music":
                mix.add("music", *self._pools["music"].draw(generator, SAMPLES))
            case "other":
                part = self._one_of(generator, _OTHERS)
                mix.add(part, *self._pools[part].draw(generator, SAMPLES))
            case "speech over music":
                self._add_over(mix, generator, "music", "speech", _SPEECH_OVER_MUSIC_DB)
            case "noise over music":
                background = self._one_of(generator, _BACKGROUNDS)
                self._add_over(mix, generator, "music", background, _MUSIC_OVER_NOISE_DB)
            case "speech over noise":
                background = self._one_of(generator, _BACKGROUNDS)
                self._add_over(mix, generator, "speech", background, _SPEECH_OVER_NOISE_DB)
            case "two others":
                first, second = self._one_of(generator, _OTHERS), self._one_of(generator, _BACKGROUNDS)
                self._add_over(mix, generator, first, second, _SPEECH_OVER_NOISE_DB)
            case "join":
                self._join(mix, generator)
        return Scene(
            kind=kind,
            packages=tuple(mix.packages),
            clean=mix.sound,
            heard=as_recorded(mix.sound, generator),
            music=_labels(mix.music, mix.music_audible),
            speech=_labels(mix.speech, mix.speech),
        )

    def _one_of(self, generator: np.random.Generator, parts: Mapping[Part, float]) -> Part:
        return _choose(generator, {part: chance for part, chance in parts.items() if part in self._pools})

    def _add_over(
        self, mix: _Mix, generator: np.random.Generator, first: Part, second: Part, ratio_db: tuple[float, float]
    ) -> None:
        """Two at once, the first above the second by a ratio."""
        package, sound = self._pools[first].draw(generator, SAMPLES)
        mix.add(first, package, sound)
        other_package, other = self._pools[second].draw(generator, SAMPLES)
        mix.add(second, other_package, below(other, sound, generator.uniform(*ratio_db)))

    def _join(self, mix: _Mix, generator: np.random.Generator) -> None:
        """Music after something else, or the reverse, at a random moment; perhaps in a noise that goes on."""
        music_package, music = self._pools["music"].draw(generator, SAMPLES)
        other_part = self._one_of(generator, _OTHERS)
        other_package, other = self._pools[other_part].draw(generator, SAMPLES)
        other = below(other, music, generator.uniform(-10.0, 10.0))
        at = int(generator.uniform(0.1, 0.9) * SAMPLES)
        overlap = int(generator.choice((0.0, 0.0, 0.05, 0.5)) * SAMPLE_RATE)
        fade = np.clip((np.arange(SAMPLES) - at) / max(1, overlap), 0.0, 1.0).astype(np.float32)
        music_first = generator.random() < 0.5  # noqa: PLR2004 - a coin
        mix.add("music", music_package, music * (1 - fade if music_first else fade))
        mix.add(other_part, other_package, other * (fade if music_first else 1 - fade))
        if generator.random() < 0.3:  # noqa: PLR2004 - sometimes
            package, background = self._pools[self._one_of(generator, _BACKGROUNDS)].draw(generator, SAMPLES)
            mix.add("ambience", package, below(background, music, generator.uniform(10.0, 30.0)))


def _choose(generator: np.random.Generator, chances: Mapping[_T, float]) -> _T:
    edges = np.cumsum(list(chances.values()))
    return list(chances)[int(np.searchsorted(edges, generator.random() * edges[-1]))]


def loudness(sound: FloatArray) -> float:
    """RMS of the parts of a sound that are within 30 dB of its loudest tenth of a second: pauses do not count."""
    step = SAMPLE_RATE // 10
    power = np.mean(np.square(sound[: sound.size // step * step].reshape(-1, step)), axis=1)
    if not power.size or power.max() <= 0:
        return 0.0
    return float(np.sqrt(power[power >= power.max() * 1e-3].mean()))


def below(sound: FloatArray, reference: FloatArray, ratio_db: float) -> FloatArray:
    """The sound scaled to lie this far below another in loudness; silence stays as it is."""
    ours, theirs = loudness(sound), loudness(reference)
    if ours <= 0 or theirs <= 0:
        return sound
    return sound * np.float32(theirs / ours * 10 ** (-ratio_db / 20))


def as_recorded(clean: FloatArray, generator: np.random.Generator) -> FloatArray:
    """The sound, (n,), as a device records it: through a codec, a microphone, noise or a room, at a level."""
    import scipy.signal  # noqa: PLC0415 - an extra

    sound: FloatArray = clean
    if generator.random() < _CODEC_CHANCE:
        codec = CODECS[int(generator.choice(len(CODECS), p=(0.3, 0.2, 0.25, 0.05, 0.2)))]
        sound = through(at_level(sound, -20.0), codec, compression=float(generator.uniform(0.5, 1.0)))
    if generator.random() < _ROOM_CHANCE:
        return in_a_room(sound, generator, _ROOM)
    if generator.random() < _EQUALISER_CHANCE:
        cutoff_hz, shelf_db = 2 ** generator.uniform(8.0, 12.0), generator.uniform(-12.0, 12.0)
        low = scipy.signal.sosfilt(scipy.signal.butter(1, cutoff_hz, fs=SAMPLE_RATE, output="sos"), sound)
        sound = (sound + (10 ** (shelf_db / 20) - 1) * low).astype(np.float32)
    if generator.random() < _NOISE_CHANCE:
        floor = noise(generator, str(generator.choice(NOISES)), sound.size)
        sound = sound + floor * np.float32(loudness(sound) * 10 ** (-generator.uniform(5, 45) / 20))
    return record(at_level(sound, generator.uniform(-50.0, -6.0)))


def _frame_power(sound: FloatArray) -> npt.NDArray[np.float32]:
    frames = sound[: FRAMES * LOG_MEL.hop_samples].reshape(FRAMES, LOG_MEL.hop_samples)
    power: npt.NDArray[np.float32] = np.mean(np.square(frames), axis=1, dtype=np.float32)
    return power


def _present(sound: FloatArray) -> npt.NDArray[np.bool_]:
    """(FRAMES,) between the first and the last sound of the piece."""
    there = np.flatnonzero(_frame_power(sound) > 0)
    present = np.zeros(FRAMES, bool)
    if there.size:
        present[there[0] : there[-1] + 1] = True
    return present


def _audible(sound: FloatArray) -> npt.NDArray[np.bool_]:
    """(FRAMES,) where the piece, smoothed over 0.3 s, is not far below its own loudness."""
    power = np.convolve(_frame_power(sound), np.full(31, 1 / 31, np.float32), "same")
    floor = loudness(sound) ** 2 * 10 ** (-_QUIET_DB / 10)
    audible: npt.NDArray[np.bool_] = power > max(floor, 1e-12)
    return audible


def _labels(present: npt.NDArray[np.bool_], audible: npt.NDArray[np.bool_]) -> FloatArray:
    """(LABELLED,) how much of each patch; NaN where most of what is there cannot be heard."""
    starts = np.arange(LABELLED) * HOP_FRAMES
    there = np.array([present[start : start + PATCH_FRAMES].mean() for start in starts], np.float32)
    heard = np.array([(present & audible)[start : start + PATCH_FRAMES].mean() for start in starts], np.float32)
    return np.where((there > 0) & (heard < there / 2), np.float32(np.nan), there).astype(np.float32)
