"""YAMNet as a teacher: its 521 class scores tell our own network what else there is in a sound.

The weights are Google's (Apache-2.0) and never part of this repository: `--yamnet` says where they are.
"""

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from device.errors import ModelError
from device.hearing.models.runtimes import TfliteRuntime
from device.sound import FloatArray
from export.corpus.audioset import CLASSES
from export.corpus.augment import at_level
from export.errors import ExportError
from export.yamnet.official import HOP_SAMPLES, WINDOW_SAMPLES

LEVEL_DBFS = -20.0
"""YAMNet depends on the level (its spectrogram is quantised, and music at -50 dBFS scores 0); ours must not, so
it is taught by what YAMNet hears at a comfortable one."""


class Teacher(Protocol):
    """Anything that knows YAMNet's 521 classes."""

    def scores(self, samples: FloatArray) -> npt.NDArray[np.float16]:
        """Scores of windows that begin every 0.48 s.

        Args:
            samples: (n,) float32, 16 kHz mono.

        Returns:
            (windows, 521) float16 in [0, 1]; one window, padded with silence, if the sound is shorter.
        """
        ...


class YamnetTeacher:
    """The official YAMNet TFLite, on one thread; a sound is brought to -20 dBFS first.

    Args:
        path: of yamnet.tflite.

    Raises:
        ExportError: the file is missing or is not YAMNet.
    """

    def __init__(self, path: Path) -> None:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ExportError(
                f"{path}: cannot read YAMNet's weights: {error.strerror}; download the official yamnet.tflite "
                "(Kaggle Models: google/yamnet, TFLite) and say where it is with --yamnet"
            ) from error
        try:
            self._runtime = TfliteRuntime(path, content, "")
            found = self._runtime.run(np.zeros((1, WINDOW_SAMPLES), np.float32))[0].size
        except ModelError as error:
            raise ExportError(f"{error}; --yamnet must name the official yamnet.tflite") from error
        if found != CLASSES:
            raise ExportError(
                f"{path}: gives {found} scores instead of YAMNet's {CLASSES}; "
                "--yamnet must name the official yamnet.tflite"
            )

    def scores(self, samples: FloatArray) -> npt.NDArray[np.float16]:
        """As `Teacher` says."""
        loud = np.clip(at_level(samples, LEVEL_DBFS), -1.0, 1.0)
        if loud.size < WINDOW_SAMPLES:
            loud = np.pad(loud, (0, WINDOW_SAMPLES - loud.size))
        starts = range(0, loud.size - WINDOW_SAMPLES + 1, HOP_SAMPLES)
        scores = [self._runtime.run(loud[None, start : start + WINDOW_SAMPLES])[0] for start in starts]
        return np.stack(scores).astype(np.float16)
