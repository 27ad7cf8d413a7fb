"""Sounds with a pitch that are no music: bells, chimes, bells that ring, horns and sirens.

The corpus has hardly any of them, and a network that has never heard a church bell takes it for music. Each is put
together from what is known of its partials; what varies between two of a kind is drawn anew for every piece.
"""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from device.sources.base import SAMPLE_RATE, FloatArray
from export.corpus.augment import at_level, record

Kind = Literal["bells", "chimes", "door-chimes", "ringing", "horns", "sirens"]

SECONDS = 300.0
"""Of each kind."""

_PIECE_S = 12.0
"""How long one bell, one horn lasts."""

_HIGHEST_HZ = 7_600.0

_BELL = (0.5, 1.0, 1.2, 1.5, 2.0, 2.5, 2.67, 3.0, 4.0, 5.33, 6.67)
"""Hum, prime, tierce, quint, nominal and so on, of a church bell (Fletcher and Rossing 1998, chapter 21)."""

_BAR = (1.0, 2.756, 5.404, 8.933, 13.34)
"""Of a bar or a tube with free ends (the same, chapter 2)."""

_STRING = (1.0, 2.0, 3.0, 4.0)

_PEAL_CHANCE = 0.4
_PEAL_SEMITONES = (0, -2, -4, -5, -7, -9, -12, 3, 5)
_HORN_CHORD = (1.0, 1.19, 1.41, 1.68)
"""A horn of one note, or of several that do not fit each other well."""

_Wave = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tonal:
    """One kind of sound, made when it is read; the same each time."""

    kind: Kind
    seconds: float = SECONDS
    """At least; it comes in pieces of 12 s."""
    split: Literal["train"] = "train"
    label: Literal["no_music"] = "no_music"

    @property
    def package(self) -> str:
        """`tonal/KIND`."""
        return f"tonal/{self.kind}"

    def read(self) -> FloatArray:
        """(n,) float32 in [-1, 1], 16 kHz mono."""
        generator = np.random.default_rng(zlib.crc32(self.kind.encode()))
        pieces = math.ceil(self.seconds / _PIECE_S)
        return np.concatenate([self._piece(generator) for _ in range(pieces)])

    def _piece(self, generator: np.random.Generator) -> FloatArray:
        """(n,) float32, 12 s."""
        match self.kind:
            case "bells":
                sound = _bells(generator)
            case "chimes":
                sound = _chimes(generator)
            case "door-chimes":
                sound = _door_chimes(generator)
            case "ringing":
                sound = _ringing(generator)
            case "horns":
                sound = _horns(generator)
            case "sirens":
                sound = _siren(generator)
        return record(at_level(sound.astype(np.float32), -20.0))


def tonal_sounds() -> tuple[Tonal, ...]:
    """One of every kind."""
    return tuple(Tonal(kind) for kind in get_args(Kind))


def _bells(generator: np.random.Generator) -> _Wave:
    """One bell that tolls, or a peal that goes round."""
    sound = _nothing()
    pitch_hz = _between(generator, 120.0, 900.0)
    peal = generator.random() < _PEAL_CHANCE
    steps = generator.choice(_PEAL_SEMITONES, generator.integers(2, 7)).tolist() if peal else [0]
    partials, decay_s = _tuned(generator, _BELL), generator.uniform(1.0, 6.0)
    period_s = generator.uniform(0.35, 3.0)
    at_s, stroke = generator.uniform(0.0, 1.0), 0
    while at_s < _PIECE_S:
        hz = pitch_hz * 2 ** (steps[stroke % len(steps)] / 12)
        _strike(generator, sound, at_s, hz=hz, partials=partials, decay_s=decay_s)
        at_s, stroke = at_s + period_s * generator.uniform(0.93, 1.07), stroke + 1
    return sound


def _chimes(generator: np.random.Generator) -> _Wave:
    """Tubes in the wind: any of them, at any time."""
    sound = _nothing()
    pitches_hz = [_between(generator, 500.0, 3_500.0) for _ in range(generator.integers(4, 9))]
    decay_s, strokes_a_second = generator.uniform(0.3, 3.0), generator.uniform(1.0, 8.0)
    at_s = generator.exponential(1 / strokes_a_second)
    while at_s < _PIECE_S:
        hz = pitches_hz[int(generator.integers(len(pitches_hz)))]
        _strike(generator, sound, at_s, hz=hz, partials=_BAR, decay_s=decay_s, darker=0.7)
        at_s += generator.exponential(1 / strokes_a_second)
    return sound


def _door_chimes(generator: np.random.Generator) -> _Wave:
    """Ding, or ding dong."""
    sound = _nothing()
    pitch_hz, decay_s = _between(generator, 350.0, 1_500.0), generator.uniform(0.4, 1.5)
    partials = _BAR[:3] if generator.random() < 0.5 else _STRING  # noqa: PLR2004 - a coin
    falls = (0, -int(generator.integers(2, 6)))[: generator.integers(1, 3)]
    at_s = generator.uniform(0.0, 1.0)
    while at_s < _PIECE_S:
        for semitones in falls:
            hz = pitch_hz * 2 ** (semitones / 12)
            _strike(generator, sound, at_s, hz=hz, partials=partials, decay_s=decay_s)
            at_s += generator.uniform(0.4, 0.9)
        at_s += generator.uniform(0.5, 4.0)
    return sound


def _ringing(generator: np.random.Generator) -> _Wave:
    """A hammer on a small bell, three to thirty times a second: telephones, bicycles, alarm clocks, crossings."""
    sound = _nothing()
    hz, partials = _between(generator, 600.0, 3_500.0), _tuned(generator, _BELL[1:])
    blows_a_second, decay_s = _between(generator, 3.0, 30.0), generator.uniform(0.1, 0.8)
    rings_s, pauses_s = generator.uniform(0.3, 6.0), generator.choice((0.0, generator.uniform(0.3, 4.0)))
    at_s = generator.uniform(0.0, 1.0)
    while at_s < _PIECE_S:
        for blow in range(int(rings_s * blows_a_second) + 1):
            _strike(generator, sound, at_s + blow / blows_a_second, hz=hz, partials=partials, decay_s=decay_s)
        at_s += rings_s + max(pauses_s, 1 / blows_a_second)
    return sound


def _horns(generator: np.random.Generator) -> _Wave:
    """A car, a train or a ship."""
    sound = _nothing()
    lowest_hz = _between(generator, 90.0, 600.0)
    notes_hz = [lowest_hz * ratio for ratio in _HORN_CHORD[: generator.integers(1, 5)]]
    darker = generator.uniform(0.3, 1.2)
    at_s = generator.uniform(0.0, 1.0)
    while at_s < _PIECE_S:
        long_s = generator.uniform(0.2, 4.0)
        begin, end = int(at_s * SAMPLE_RATE), min(sound.size, int((at_s + long_s) * SAMPLE_RATE))
        time_s = np.arange(end - begin) / SAMPLE_RATE
        for note_hz in notes_hz:
            sound[begin:end] += _voice(generator, 2 * np.pi * note_hz * time_s, note_hz, darker=darker)
        edge = np.minimum(np.arange(end - begin), np.arange(end - begin)[::-1]) / (0.04 * SAMPLE_RATE)
        sound[begin:end] *= np.minimum(1.0, edge)
        at_s += long_s + generator.uniform(0.2, 3.0)
    return sound


def _siren(generator: np.random.Generator) -> _Wave:
    """Two tones in turn, up and down, or up again and again."""
    low_hz = generator.uniform(300.0, 800.0)
    high_hz = low_hz * generator.uniform(1.2, 2.5)
    turn = np.arange(int(_PIECE_S * SAMPLE_RATE)) / SAMPLE_RATE / _between(generator, 0.25, 8.0) % 1
    shapes = ((turn < 0.5).astype(np.float64), 0.5 - 0.5 * np.cos(2 * np.pi * turn), turn)  # noqa: PLR2004 - half way
    hz = low_hz + (high_hz - low_hz) * shapes[int(generator.integers(len(shapes)))]
    phase = 2 * np.pi * np.cumsum(hz) / SAMPLE_RATE
    return _voice(generator, phase, high_hz, darker=generator.uniform(0.7, 2.0))


def _nothing() -> _Wave:
    return np.zeros(int(_PIECE_S * SAMPLE_RATE))


def _between(generator: np.random.Generator, low: float, high: float) -> float:
    """Any octave as likely as any other."""
    return float(np.exp(generator.uniform(np.log(low), np.log(high))))


def _tuned(generator: np.random.Generator, ratios: Sequence[float]) -> tuple[float, ...]:
    """No two bells are cast alike."""
    return tuple(ratio * (1 + generator.normal(0.0, 0.006)) for ratio in ratios)


def _strike(
    generator: np.random.Generator,
    sound: _Wave,
    at_s: float,
    *,
    hz: float,
    partials: Sequence[float],
    decay_s: float,
    darker: float = 1.0,
) -> None:
    """Add one blow: partials that die away, the higher the faster, each beating with itself, and the hammer."""
    begin = int(at_s * SAMPLE_RATE)
    if begin >= sound.size:
        return
    loudness = generator.uniform(0.3, 1.0)
    for ratio in partials:
        if hz * ratio > _HIGHEST_HZ:
            continue
        fades_s = decay_s * generator.uniform(0.6, 1.4) / max(0.5, ratio) ** 0.7
        time_s = np.arange(min(sound.size - begin, int(6 * fades_s * SAMPLE_RATE))) / SAMPLE_RATE
        beating = 1 + generator.uniform(0.0, 0.4) * np.sin(2 * np.pi * generator.uniform(0.2, 4.0) * time_s)
        tone = np.sin(2 * np.pi * hz * ratio * time_s + generator.uniform(0.0, 2 * np.pi))
        amplitude = loudness * generator.uniform(0.2, 1.0) / max(0.5, ratio) ** darker
        sound[begin : begin + time_s.size] += amplitude * np.exp(-time_s / fades_s) * beating * tone
    hammer = min(sound.size - begin, SAMPLE_RATE // 100)
    sound[begin : begin + hammer] += 0.1 * loudness * generator.standard_normal(hammer) * np.linspace(1, 0, hammer)


def _voice(generator: np.random.Generator, phase: _Wave, highest_hz: float, *, darker: float) -> _Wave:
    """A tone with its harmonics, each with a phase of its own."""
    harmonics = range(1, max(2, int(_HIGHEST_HZ / highest_hz)))
    parts = [np.sin(h * phase + generator.uniform(0.0, 2 * np.pi)) / h**darker for h in harmonics]
    voice: _Wave = np.sum(parts, axis=0)
    return voice
