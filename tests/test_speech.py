"""export.corpus.speech: espeak-ng reads nonsense, the same each time."""

import io
import shutil
import subprocess

import numpy as np
import pytest
import soundfile

from device.sound import SAMPLE_RATE, FloatArray
from export.corpus.speech import LANGUAGES, SECONDS, SyntheticSpeech, synthetic_speech
from export.errors import ExportError

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


@pytest.fixture(scope="module")
def spoken() -> FloatArray:
    """Finnish, once for all tests: it takes a second."""
    return SyntheticSpeech("fi").read()


@needs_espeak
def test_speech_is_sound_in_range(spoken: FloatArray) -> None:
    """75 s, float32, within [-1, 1] but for what resampling adds."""
    assert spoken.shape == (int(SECONDS * SAMPLE_RATE),)
    assert spoken.dtype == np.float32
    assert 0.1 < np.abs(spoken).max() < 1.1


@needs_espeak
def test_speech_goes_on(spoken: FloatArray) -> None:
    """Most tenths of a second of every five seconds are within 30 dB of the loudest: this is not a prompt."""
    power = np.mean(spoken.reshape(15, 50, -1) ** 2, axis=2)
    assert np.all(np.mean(power > power.max() * 1e-3, axis=1) > 0.6)


@needs_espeak
def test_speech_is_the_same_each_time(spoken: FloatArray) -> None:
    """Bit for bit."""
    assert np.array_equal(SyntheticSpeech("fi").read(), spoken)


@needs_espeak
def test_there_is_one_of_every_language() -> None:
    """All of them no music, to train with, each a package of its own."""
    sounds = synthetic_speech()
    assert [sound.package for sound in sounds] == [f"espeak/{language}" for language in LANGUAGES]
    assert {(sound.label, sound.split) for sound in sounds} == {("no_music", "train")}


@needs_espeak
@pytest.mark.parametrize("language", LANGUAGES)
def test_espeak_speaks_the_language(language: str) -> None:
    """More than half a second of three words."""
    command = ["espeak-ng", "--stdout", "-v", language, "tila molo grai"]
    wave = io.BytesIO(subprocess.run(command, capture_output=True, check=True).stdout)
    voice, rate = soundfile.read(wave, dtype="float32")
    assert np.count_nonzero(np.abs(voice) > 1e-3) > rate / 2


@needs_espeak
def test_a_language_that_espeak_does_not_know_is_named() -> None:
    """In one sentence."""
    with pytest.raises(ExportError, match="cannot speak klingonese"):
        SyntheticSpeech("klingonese").read()


def test_without_espeak_there_is_no_speech(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training goes on without."""
    monkeypatch.setenv("PATH", "/nonexistent")
    assert synthetic_speech() == ()


def test_whoever_lacks_espeak_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """If it goes missing between the list and the reading."""
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ExportError, match="apt install espeak-ng"):
        SyntheticSpeech("fi").read()
