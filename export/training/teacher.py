"""YAMNet as a teacher: its 521 class scores tell our own network what else there is in a sound."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from device.sound import FloatArray
from export.corpus.augment import at_level
from export.yamnet.official import OfficialYamnet

LEVEL_DBFS = -20.0
"""YAMNet depends on the level (its spectrogram is quantised, and music at -50 dBFS scores 0). Our networks must
not, so they learn what YAMNet hears at a comfortable level."""

Teacher = Callable[[FloatArray], npt.NDArray[np.float16]]
"""(n,) float32, 16 kHz mono -> (windows, 521) scores in [0, 1] of windows that begin every 0.48 s."""


def yamnet_teacher(path: Path) -> Teacher:
    """The official YAMNet TFLite, on one thread; a sound is brought to -20 dBFS first.

    Raises:
        ExportError: the file is missing or is not YAMNet.
    """
    yamnet = OfficialYamnet.load(path)

    def scores(samples: FloatArray) -> npt.NDArray[np.float16]:
        return yamnet.scores(np.clip(at_level(samples, LEVEL_DBFS), -1.0, 1.0)).astype(np.float16)

    return scores
