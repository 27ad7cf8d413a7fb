"""Sounds that no recording teaches: silence, hiss, hum and steady tones. All of them are no music.

A device spends its nights with these, and a model that has never met them answers them at random.
"""

import zlib
from dataclasses import dataclass
from typing import Literal

import numpy as np

from device.sound import SAMPLE_RATE, FloatArray
from export.corpus.augment import NOISES, at_level, noise, record

SECONDS = 60.0
"""Of each."""

_PIECE_S = 12.0
"""How long one level or pitch lasts."""


@dataclass(frozen=True, slots=True)
class Synthetic:
    """One kind of sound, made when it is read; the same each time."""

    kind: str
    split: Literal["train"] = "train"
    label: Literal["no_music"] = "no_music"

    @property
    def package(self) -> str:
        """`synthetic/KIND`."""
        return f"synthetic/{self.kind}"

    def read(self) -> FloatArray:
        """(n,) float32, 16 kHz mono, 60 s."""
        generator = np.random.default_rng(zlib.crc32(self.kind.encode()))
        pieces = [self._piece(generator, int(_PIECE_S * SAMPLE_RATE)) for _ in range(int(SECONDS / _PIECE_S))]
        return np.concatenate(pieces)

    def _piece(self, generator: np.random.Generator, samples: int) -> FloatArray:
        level_dbfs = generator.uniform(-75, -6)
        if self.kind in NOISES:
            return record(at_level(noise(generator, self.kind, samples), level_dbfs))
        time_s = np.arange(samples) / SAMPLE_RATE
        pitch_hz = 2 ** generator.uniform(np.log2(50), np.log2(5_000))
        dither = generator.standard_normal(samples) * generator.choice((0.0, 1e-4))
        match self.kind:
            case "silence":
                sound = np.zeros(samples)
            case "offset":
                sound = np.full(samples, generator.uniform(-0.5, 0.5))
            case "tone":
                sound = 10 ** (level_dbfs / 20) * np.sin(2 * np.pi * pitch_hz * time_s) + dither
            case "buzz":
                cycles = np.cumsum(pitch_hz * (1 + 0.02 * np.sin(2 * np.pi * 0.2 * time_s))) / SAMPLE_RATE
                sound = 10 ** (level_dbfs / 20) * (2 * (cycles % 1) - 1) + dither
            case "beeps":
                period_s = generator.uniform(0.4, 3.0)
                on = time_s % period_s < period_s * generator.uniform(0.1, 0.6)
                sound = 10 ** (level_dbfs / 20) * np.sin(2 * np.pi * (500 + pitch_hz / 2) * time_s) * on + dither
            case _:
                raise ValueError(f"no synthetic sound is called {self.kind!r}")
        return record(sound.astype(np.float32))


def synthetic_sounds() -> tuple[Synthetic, ...]:
    """One of every kind."""
    return tuple(Synthetic(kind) for kind in (*NOISES, "silence", "offset", "tone", "buzz", "beeps"))
