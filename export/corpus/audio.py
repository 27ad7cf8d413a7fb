"""From an audio file to the part of it that goes into the corpus: decode, trim, crop."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt

from device.sound import SAMPLE_RATE
from export.corpus.recipe import Settings
from export.errors import CorpusError

Pcm = npt.NDArray[np.int16]
"""(n,) samples, mono, 16 kHz, as they are stored."""

_FRAME = SAMPLE_RATE // 100
"""Level is judged in frames of 10 ms."""
_MARGIN = SAMPLE_RATE // 20
"""50 ms: attacks and decays lie under the threshold."""


def find_ffmpeg() -> str:
    """Where ffmpeg is.

    Raises:
        CorpusError: it is not installed.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise CorpusError("ffmpeg is not on this machine; install the package ffmpeg")
    return program


def decode(path: Path, *, ffmpeg: str, limit_s: float) -> Pcm | None:
    """The first audio track at 16 kHz mono, up to a limit; None if ffmpeg cannot decode the file."""
    command = [ffmpeg, "-nostdin", "-v", "error", "-threads", "1", "-i", f"file:{path}", "-map", "0:a:0"]
    command += ["-t", f"{limit_s:g}", "-ac", "1", "-ar", str(SAMPLE_RATE), "-f", "s16le", "-"]
    # In a process group of its own, so that Ctrl-C reaches only the builder, which then stops between two
    # files; otherwise the child's death would look like a file that cannot be decoded.
    done = subprocess.run(  # noqa: S603 - program and path are ours
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False, process_group=0
    )
    if done.returncode != 0 and not done.stdout:
        return None
    whole = len(done.stdout) // 2
    return np.frombuffer(done.stdout, dtype="<i2", count=whole).astype(np.int16, copy=False)


def trim(samples: Pcm, threshold_dbfs: float) -> Pcm:
    """Cut off the quiet ends, except for a margin of 50 ms. A file that is quiet throughout becomes empty.

    Args:
        samples: (n,) at 16 kHz; less than 50 ms is returned as it is.
        threshold_dbfs: RMS level of a 10 ms frame, full scale 0.
    """
    if len(samples) < _MARGIN:
        return samples
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME).astype(np.float32) / 32_768
    loud = np.flatnonzero(np.mean(np.square(frames), axis=1) > 10 ** (threshold_dbfs / 10))
    if not loud.size:
        return samples[:0]
    start = max(0, int(loud[0]) * _FRAME - _MARGIN)
    return samples[start : (int(loud[-1]) + 1) * _FRAME + _MARGIN]


def middle(samples: Pcm, seconds: float) -> Pcm:
    """The middle part of a recording; all of it where it is shorter."""
    length = round(seconds * SAMPLE_RATE)
    start = max(0, (len(samples) - length) // 2)
    return samples[start : start + length]


def is_long_enough(samples: Pcm, label: str, category: str, settings: Settings) -> bool:
    """Whether a decoded file is more than a click, and music more than a stinger."""
    seconds = len(samples) / SAMPLE_RATE
    if label == "music" and category not in settings.short_music_categories:
        return seconds >= settings.min_music_s
    return seconds >= settings.min_file_s
