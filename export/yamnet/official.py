"""YAMNet as published, to stand beside our models in the same table.

The official TFLite hears the sound as it is, at the official hop; what counts is its class 132, `Music`.
Its weights are Google's (Apache-2.0) and never part of this repository: `--yamnet` says where they are.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device.errors import ModelError
from device.hearing.models.runtimes import Runtime, open_runtime
from device.sound import SAMPLE_RATE, FloatArray
from export.corpus.audioset import CLASSES, MUSIC_CLASS
from export.errors import ExportError
from export.evaluation.hearing import SEGMENT_SAMPLES, Ear, Heard, segment_ends

WINDOW_SAMPLES = 15_600
"""0.975 s, what the official model reads."""

HOP_SAMPLES = SAMPLE_RATE * 48 // 100
"""0.48 s, the official hop."""

RECENT_WINDOWS = 3
"""An answer is the mean of so many: 1.9 s, about as far back as a person waits."""

_CHECKOUT = Path(__file__).resolve().parents[2]


def prepared_weights() -> Path:
    """Where the weights lie if they were prepared for everyone on a machine: beside the checkout."""
    return _CHECKOUT.parent / "shared" / "weights" / "yamnet.tflite"


@dataclass(frozen=True, slots=True)
class Yamnet:
    """The official YAMNet TFLite."""

    path: Path
    digest: str
    name: str = "yamnet"

    @classmethod
    def at(cls, path: Path) -> "Yamnet":
        """Describe the file.

        Raises:
            ExportError: it cannot be read, or is not YAMNet.
        """
        digest = hashlib.sha256(_content(path)).hexdigest()
        yamnet = cls(path, digest)
        yamnet.open().hear(np.zeros(WINDOW_SAMPLES, np.float32))
        return yamnet

    def open(self) -> Ear:
        """Load the weights.

        Raises:
            ExportError: as `at`.
        """
        try:
            return YamnetEar(self.path, open_runtime(self.path, _content(self.path), ""))
        except ModelError as error:
            raise ExportError(f"{error}; --yamnet must name the official yamnet.tflite") from error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ExportError(f"{path}: cannot read YAMNet's weights: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class YamnetEar:
    """Hears with a loaded model.

    Args:
        path: of its file, for messages.
        runtime: (1, 15600) float32 -> (1, 521).
    """

    path: Path
    runtime: Runtime

    def hear(self, samples: FloatArray) -> Heard:
        """A segment is the mean over the windows whose middle lies in it; without any, the nearest window."""
        music = self._music(samples)
        summed = np.concatenate(([0.0], np.cumsum(music, dtype=np.float64)))
        until = np.arange(1, music.size + 1)
        since = np.maximum(0, until - RECENT_WINDOWS)
        answers = (summed[until] - summed[since]) / (until - since)
        middles = np.arange(music.size) * HOP_SAMPLES + WINDOW_SAMPLES // 2
        segments = []
        for number, end in enumerate(segment_ends(samples.size)):
            inside = (middles >= number * SEGMENT_SAMPLES) & (middles < end)
            segments.append(music[inside].mean() if inside.any() else music[np.argmin(np.abs(middles - end))])
        return Heard(answers.astype(np.float32), np.array(segments, np.float32))

    def _music(self, samples: FloatArray) -> FloatArray:
        """(windows,) score of `Music`, windows of 0.975 s every 0.48 s; a shorter sound is padded with silence."""
        if samples.size < WINDOW_SAMPLES:
            samples = np.pad(samples, (0, WINDOW_SAMPLES - samples.size))
        starts = range(0, samples.size - WINDOW_SAMPLES + 1, HOP_SAMPLES)
        try:
            scores = [self.runtime.run(samples[None, start : start + WINDOW_SAMPLES])[0] for start in starts]
        except ModelError as error:
            raise ExportError(f"{error}; --yamnet must name the official yamnet.tflite") from error
        if scores[0].shape != (CLASSES,):
            raise ExportError(
                f"{self.path}: gives {scores[0].shape[0]} scores instead of YAMNet's {CLASSES}; "
                "--yamnet must name the official yamnet.tflite"
            )
        return np.array([window[MUSIC_CLASS] for window in scores], np.float32)
