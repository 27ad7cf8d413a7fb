"""The official YAMNet TFLite as it is published: windows of sound in, 521 scores out.

It hears the sound as it is, at the official hop. Our networks learn from it (`export.training.teacher`) and stand
beside it in tables, where its class `Music` counts. Its weights are Google's (Apache-2.0) and never part of this
repository: `--yamnet` says where they are.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device.errors import ModelError
from device.hearing.models.runtimes import Runtime, open_runtime
from device.sound import SAMPLE_RATE, FloatArray
from export.corpus.audioset import CLASSES, MUSIC_CLASS
from export.corpus.dataset import prepared_directory
from export.errors import ExportError
from export.evaluation.hearing import SEGMENT_SAMPLES, Heard, segment_ends

WINDOW_SAMPLES = 15_600
"""0.975 s, what the official model reads."""

HOP_SAMPLES = SAMPLE_RATE * 48 // 100
"""0.48 s, the official hop."""

RECENT_WINDOWS = 3
"""An answer is the mean of this many: 1.9 s, about as long as a person waits."""

_WANTED = "--yamnet must name the official yamnet.tflite"


def prepared_weights() -> Path:
    """Where weights lie that were prepared for everyone on a machine: beside the checkout."""
    return prepared_directory().with_name("weights") / "yamnet.tflite"


@dataclass(frozen=True, slots=True)
class OfficialYamnet:
    """The loaded model, on one thread.

    Args:
        path: of its file, for messages.
        runtime: (n, 15600) float32 -> (n, 521).
    """

    path: Path
    runtime: Runtime

    @classmethod
    def load(cls, path: Path) -> "OfficialYamnet":
        """Read the file and try it once.

        Raises:
            ExportError: it cannot be read, or is not YAMNet.
        """
        try:
            yamnet = cls(path, open_runtime(path, _content(path), ""))
        except ModelError as error:
            raise ExportError(f"{error}; {_WANTED}") from error
        yamnet.window_scores(np.zeros((1, WINDOW_SAMPLES), np.float32))
        return yamnet

    def window_scores(self, windows: FloatArray) -> FloatArray:
        """(n, 15600) samples -> (n, 521) scores in [0, 1].

        Raises:
            ExportError: this is not YAMNet.
        """
        try:
            scores = self.runtime.run(windows)
        except ModelError as error:
            raise ExportError(f"{error}; {_WANTED}") from error
        if scores.shape[1:] != (CLASSES,):
            raise ExportError(
                f"{self.path}: gives {scores[0].size} scores instead of YAMNet's {CLASSES}; {_WANTED}"
            )
        return scores

    def scores(self, samples: FloatArray) -> FloatArray:
        """(n,) at 16 kHz -> (windows, 521), a window every 0.48 s; a shorter sound is padded with silence."""
        padded = np.pad(samples, (0, max(0, WINDOW_SAMPLES - samples.size)))
        return self.window_scores(np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[::HOP_SAMPLES])

    def hear(self, samples: FloatArray) -> Heard:
        """A segment is the mean over the windows whose middle lies in it; without any, the nearest window."""
        music = self.scores(samples)[:, MUSIC_CLASS]
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


@dataclass(frozen=True, slots=True)
class YamnetScorer:
    """A description of the file, to be sent to the processes that score."""

    path: Path
    digest: str
    name: str = "yamnet"

    @classmethod
    def at(cls, path: Path) -> "YamnetScorer":
        """Describe the file.

        Raises:
            ExportError: it cannot be read, or is not YAMNet.
        """
        OfficialYamnet.load(path)
        return cls(path, hashlib.sha256(_content(path)).hexdigest())

    def open(self) -> OfficialYamnet:
        """Load it."""
        return OfficialYamnet.load(self.path)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ExportError(
            f"{path}: cannot read YAMNet's weights: {error.strerror}; download the official yamnet.tflite "
            "(Kaggle Models: google/yamnet, TFLite) and say where it is with --yamnet"
        ) from error
