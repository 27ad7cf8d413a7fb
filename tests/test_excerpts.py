"""export.corpus.excerpts: pieces of streams by what is in them, and how loud they are."""

from pathlib import Path

import numpy as np
import pytest
from evaluation_fakes import write_corpus
from hearing_fakes import noise

from device.sound import SAMPLE_RATE, FloatArray
from export.corpus.excerpts import Material, active_rms, at_active_level, draw, is_speech, materials


def level(seconds: float, height: float) -> FloatArray:
    """One and the same value, that tells which clip it is."""
    return np.full(round(seconds * SAMPLE_RATE), height, np.float32)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """The speech of a stream: 1 s at 0.25, then after an effect 2 s at 0.5."""
    clips = [("speech", level(1, 0.25)), ("ui", level(3, -0.5)), ("speech", level(2, 0.5))]
    corpus = write_corpus(tmp_path_factory.mktemp("corpus"), [("kolf", "no_music", clips)])
    (found,) = materials(corpus.streams, is_speech)
    return found


def test_a_material_is_what_is_wanted_of_a_stream(material: Material) -> None:
    """Other clips are left out."""
    assert material.spans == ((0.0, 1.0), (4.0, 2.0))
    assert (material.package, material.duration_s) == ("kolf", 3.0)


def test_clips_end_to_end_are_one_span(tmp_path: Path) -> None:
    """They are read in one go."""
    corpus = write_corpus(tmp_path, [("kolf", "no_music", [("ui", level(1, 0.1)), ("ui", level(2, 0.2))])])
    assert [each.spans for each in materials(corpus.streams)] == [((0.0, 3.0),)]


def test_streams_without_what_is_wanted_are_left_out(tmp_path: Path) -> None:
    """No empty material."""
    corpus = write_corpus(tmp_path, [("kolf", "no_music", [("ui", level(1, 0.1))])])
    assert materials(corpus.streams, is_speech) == []


@pytest.mark.parametrize(
    ("start_s", "seconds", "expected"),
    [
        (0.0, 3.0, [0.25] * 2 + [0.5] * 4),
        (0.5, 1.0, [0.25, 0.5]),
        (2.0, 3.0, [0.5] * 2 + [0.25] * 2 + [0.5] * 2),
        (2.5, 7.0, [0.5] + [0.25] * 2 + [0.5] * 4 + [0.25] * 2 + [0.5] * 4 + [0.25]),
        (3.0, 0.5, [0.25]),
    ],
)
def test_a_material_is_heard_end_to_end_and_again(
    material: Material, start_s: float, seconds: float, expected: list[float]
) -> None:
    """From any place, past its end from the beginning; each number is half a second."""
    heard = material.read(start_s, round(seconds * SAMPLE_RATE))
    assert heard.tolist() == np.repeat(np.array(expected, np.float32), SAMPLE_RATE // 2).tolist()


def test_every_second_is_as_likely(material: Material) -> None:
    """Of a material of 3 s, a third of the draws begins in the first second."""
    generator = np.random.default_rng(1)
    starts = [draw(generator, [material], 100).start_s for _ in range(600)]
    assert np.mean(np.array(starts) < 1.0) == pytest.approx(1 / 3, abs=0.05)
    assert max(starts) < 3.0


def test_longer_materials_are_drawn_more_often(tmp_path: Path) -> None:
    """In proportion to their length."""
    corpus = write_corpus(
        tmp_path,
        [("kolf", "no_music", [("ui", level(1, 0.1))]), ("klettres-data", "no_music", [("ui", level(4, 0.2))])],
    )
    generator = np.random.default_rng(1)
    packages = [draw(generator, materials(corpus.streams), 10).package for _ in range(600)]
    assert packages.count("kolf") / 600 == pytest.approx(1 / 5, abs=0.05)


def test_pauses_do_not_count_for_the_level() -> None:
    """Half a second of sound and half a second of silence are as loud as the sound."""
    sound = noise(0.5, level_dbfs=-20)
    assert active_rms(np.concatenate((sound, 0 * sound))) == pytest.approx(active_rms(sound), rel=1e-6)


def test_what_is_30_db_down_does_not_count() -> None:
    """A hiss 40 dB below the sound is a pause; one 20 dB below it is not."""
    sound = noise(0.5, level_dbfs=-10)
    loud = active_rms(sound)
    assert active_rms(np.concatenate((sound, sound * 0.01))) == pytest.approx(loud, rel=1e-3)
    assert active_rms(np.concatenate((sound, sound * 0.1))) < 0.75 * loud


@pytest.mark.parametrize("seconds", [0.05, 2.0])
def test_scaling_to_a_level(seconds: float) -> None:
    """The active parts have it then, also of a very short sound."""
    assert active_rms(at_active_level(noise(seconds), -26.0)) == pytest.approx(10 ** (-26 / 20), rel=1e-3)


@pytest.mark.parametrize("samples", [0, 8000])
def test_silence_has_no_level_and_stays(samples: int) -> None:
    """Nothing is divided by nothing."""
    silence = np.zeros(samples, np.float32)
    assert active_rms(silence) == 0.0
    assert not at_active_level(silence, -20.0).any()
