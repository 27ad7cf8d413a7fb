"""Writes scene.wav beside the bundled recordings: speech, music, both at once, speech again, loud and then faint.

The recordings alone are plain cases; where one becomes the other, and where both sound, scores lie between.
"""

import sys
from pathlib import Path

import numpy as np
import soundfile

from device.sound import SAMPLE_RATE, FloatArray
from device.sources.recording import Recording


def heard(path: Path) -> FloatArray:
    """A recording as the device hears it: (n,) at 16 kHz."""
    return np.concatenate([block.samples for block in Recording(path, name="file", block_s=2.0).blocks()])


def main(folder: Path) -> None:
    """Join what lies in the folder as music.ogg and speech.ogg."""
    music, speech = heard(folder / "music.ogg"), heard(folder / "speech.ogg")
    size = min(len(music), len(speech))
    loud = np.concatenate((speech, music, speech[:size] + 0.2 * music[:size], speech))
    scene = np.clip(np.concatenate((loud, 0.01 * loud)), -1, 1)
    soundfile.write(folder / "scene.wav", scene, SAMPLE_RATE, "PCM_16")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
