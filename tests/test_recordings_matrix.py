"""Recordings of all kinds, whole and damaged: heard as ffmpeg decodes them, or a sentence names the fault."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from recordings_matrix import OTHER_S, Case, Matrix, cases, decoded_by_ffmpeg, likeness

from device.errors import SourceError
from device.sound import SAMPLE_RATE, FloatArray
from device.sources.decoding import AudioFile
from device.sources.recording import Recording

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")

TOLERANCE_S = 0.12
"""Decoders differ in what they do with the encoder's priming and with a frame that is cut in two."""
JOINED_S = 0.12
"""And ffmpeg takes the tags of a second MP3 for sound."""
LIKENESS = 0.6
"""Of eight half seconds, those in which damage was inserted may differ; ADPCM needs some more to recover."""
EVERY = 11
"""Of all recordings, so many are left to the soak for each that is always tried."""


def some() -> Iterator[object]:
    """All cases; most of them only in the soak."""
    for number, case in enumerate(cases()):
        marks = [pytest.mark.soak] if number % EVERY else []
        yield pytest.param(case, id=str(case), marks=marks)


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    """Where the recordings are made."""
    return Matrix(tmp_path_factory.mktemp("matrix"))


def heard(path: Path, program: str) -> tuple[FloatArray, str]:
    """Samples, and the sentence of the error if there was one."""
    pieces: list[FloatArray] = [np.empty(0, np.float32)]
    sentence = ""
    try:
        for block in Recording(AudioFile(path, program=program), name="test").blocks():
            pieces.append(block.samples)  # noqa: PERF401 - what came before an error is kept
    except SourceError as error:
        sentence = str(error)
    return np.concatenate(pieces), sentence


def judge(case: Case, samples: FloatArray, sentence: str, truth: FloatArray, good: FloatArray) -> str:
    """What is wrong: a loss that is not named, damage that is none, other sound; or nothing.

    Args:
        case: the recording.
        samples: what was heard of it.
        sentence: what was said to be wrong with it.
        truth: what ffmpeg decodes of it.
        good: what ffmpeg decodes of it as it was before it was damaged.
    """
    tolerance_s = TOLERANCE_S + JOINED_S * (case.damage in {"twice", "another-after"})
    seconds, true_s, good_s = (len(sound) / SAMPLE_RATE for sound in (samples, truth, good))
    if sentence:
        is_whole = not case.damage or case.wrong_header or "after" in case.damage
        return f"false fault: {sentence}" if is_whole and abs(seconds - true_s) < tolerance_s < true_s else ""
    if seconds < true_s - tolerance_s:
        return f"silent loss: {seconds:.2f} of {true_s:.2f} s"
    # ffmpeg believes the sizes in these headers, and gives up more sound after damage than has to be.
    whole_s = max(true_s, good_s + {"twice": good_s, "another-after": OTHER_S}.get(case.damage, 0.0))
    if seconds > whole_s + tolerance_s and case.encoding.suffix not in {"wav", "w64"}:
        return f"too much: {seconds:.2f} of {true_s:.2f} s"
    if true_s < TOLERANCE_S:
        return ""
    alike = max(likeness(samples, truth), likeness(samples, good))
    return f"other sound: {alike:.2f}" if alike < LIKENESS else ""


@pytest.mark.parametrize("case", list(some()))
def test_a_recording_is_heard_as_ffmpeg_decodes_it(matrix: Matrix, case: Case) -> None:
    """No loss is silent, nothing intact is called damaged; with ffmpeg's help and without."""
    path = matrix.make(case)
    good = decoded_by_ffmpeg(matrix.good(case))
    truth = good if case.wrong_header or not case.damage else decoded_by_ffmpeg(path)
    wrong = judge(case, *heard(path, "ffmpeg"), truth, good)
    samples, sentence = heard(path, "/nonexistent/ffmpeg")
    if case.encoding.needs_ffmpeg:
        assert "sudo apt install ffmpeg" in sentence
        assert not samples.size
    else:
        without = judge(case, samples, sentence, truth, good)
        wrong += f" and without ffmpeg: {without}" if without != wrong else ""
    assert not wrong
