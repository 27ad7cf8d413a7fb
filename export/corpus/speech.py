"""Continuous speech by espeak-ng: voices reading nonsense, in many languages.

The corpus's speech is mostly prompts and single words; somebody who reads on has another rhythm. The words are
made up of syllables, so no text with a licence of its own is needed, and a seed fixes all of it.
"""

import io
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import soundfile
import soxr

from device.sound import SAMPLE_RATE, FloatArray
from export.errors import ExportError

LANGUAGES = ("en-us", "es", "fr", "de", "it", "pt-br", "nl", "pl", "ru", "cs", "sv", "fi", "el", "tr", "hi", "cmn")

VARIANTS = ("m1", "m3", "m5", "m7", "f1", "f2", "f3", "f4", "klatt2", "klatt4", "michael", "steph", "max", "linda")

SECONDS = 75.0
"""Of each language."""

_ONSETS = "b br d dr f fl g gr j k kl l m n p pr r s st t tr v z".split()  # noqa: SIM905 - reads better than a list
_VOWELS = "a a e e i o o u ai au ei".split()  # noqa: SIM905 - the same
_CODAS = ("", "", "", "n", "r", "s", "l", "t", "m")


@dataclass(frozen=True, slots=True)
class SyntheticSpeech:
    """One language, read by several voices; the same each time with the same espeak-ng."""

    language: str
    split: Literal["train"] = "train"
    label: Literal["no_music"] = "no_music"

    @property
    def package(self) -> str:
        """`espeak/LANGUAGE`."""
        return f"espeak/{self.language}"

    def read(self) -> FloatArray:
        """(n,) float32, 16 kHz mono, 75 s.

        Raises:
            ExportError: espeak-ng fails.
        """
        generator = np.random.default_rng(zlib.crc32(self.language.encode()))
        spoken: list[FloatArray] = []
        while sum(piece.size for piece in spoken) < SECONDS * SAMPLE_RATE:
            spoken.append(self._passage(generator))
        return np.concatenate(spoken)[: int(SECONDS * SAMPLE_RATE)]

    def _passage(self, generator: np.random.Generator) -> FloatArray:
        command = [
            "espeak-ng",
            "--stdout",
            *("-v", f"{self.language}+{generator.choice(VARIANTS)}"),
            *("-s", str(generator.integers(120, 220))),
            *("-p", str(generator.integers(20, 80))),
        ]
        text = " ".join(_sentences(generator))
        try:
            result = subprocess.run(command, input=text.encode(), capture_output=True, check=True)  # noqa: S603 - fixed arguments
        except (OSError, subprocess.CalledProcessError) as error:
            raise ExportError(f"espeak-ng cannot speak {self.language}: {error}; apt install espeak-ng") from error
        voice, rate = soundfile.read(io.BytesIO(result.stdout), dtype="float32")
        resampled: FloatArray = soxr.resample(voice, rate, SAMPLE_RATE)
        return resampled


def _sentences(generator: np.random.Generator) -> Iterator[str]:
    for _ in range(int(generator.integers(3, 7))):
        words = []
        for _ in range(int(generator.integers(4, 14))):
            syllables = range(int(generator.integers(1, 4)))
            words.append(
                "".join(
                    f"{generator.choice(_ONSETS)}{generator.choice(_VOWELS)}{generator.choice(_CODAS)}"
                    for _ in syllables
                )
            )
        yield " ".join(words) + str(generator.choice((".", ".", "?", ","))) + " "


def synthetic_speech() -> tuple[SyntheticSpeech, ...]:
    """One of every language; none where espeak-ng is not installed."""
    return tuple(SyntheticSpeech(language) for language in LANGUAGES) if shutil.which("espeak-ng") else ()
