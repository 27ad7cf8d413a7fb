"""export.corpus.mixtures: speech over music and over noise, the same each time."""

import zlib
from pathlib import Path

import numpy as np
import pytest
from evaluation_fakes import album, small_corpus, song, talk, write_corpus
from hearing_fakes import noise

from device.sound import SAMPLE_RATE
from export.corpus.excerpts import Excerpt, active_rms, materials
from export.corpus.mixtures import OTHER_ABOVE_SPEECH_DB, Mixture, Noise, mixtures
from export.corpus.streams import Corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Two splits."""
    return small_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def planned(corpus: Corpus) -> tuple[Mixture, ...]:
    """Of the test split."""
    return mixtures(corpus, "test", seed=1)


def seconds(chosen: list[Mixture]) -> float:
    """How long they are together."""
    return sum(each.labelled.samples for each in chosen) / SAMPLE_RATE


def test_every_section_of_music_comes_twice(planned: tuple[Mixture, ...]) -> None:
    """Each time with other speech at another ratio."""
    music = [each for each in planned if each.music]
    assert sorted(each.package for each in music) == ["ardentryst"] * 2 + ["gamine-data"] * 2
    assert len({each.above_db for each in music}) == 4
    assert len({each.speech.start_s for each in music}) == 4


def test_there_is_as_much_noise_as_music(planned: tuple[Mixture, ...]) -> None:
    """To within a section; the same 18 s of speech come again with another noise each time."""
    music, other = ([each for each in planned if each.music is label] for label in (True, False))
    assert seconds(music) <= seconds(other) < seconds(music) + 18
    assert len({each.above_db for each in other}) == len(other) > 1


def test_only_the_split_is_used(planned: tuple[Mixture, ...]) -> None:
    """Speech, music and recorded noise alike."""
    stretches = [part for each in planned for part in (each.speech, each.other) if isinstance(part, Excerpt)]
    assert {part.material.stream.split for part in stretches} == {"test"}


def test_speech_is_speech_and_noise_is_not(corpus: Corpus) -> None:
    """Told by the clips' categories, also within one stream; both synthetic and recorded noise occur."""
    planned = mixtures(corpus, "test", seed=1, repeats=20)
    assert {each.speech.material.spans for each in planned} == {((0.0, 18.0),)}
    noises = [each.other for each in planned if not each.music]
    recorded = {each.material.spans for each in noises if isinstance(each, Excerpt)}
    assert recorded == {((18.0, 6.0),), ((0.0, 12.0),)}
    assert len({each.kind for each in noises if isinstance(each, Noise)}) > 1


def test_the_package_is_that_of_the_label(planned: tuple[Mixture, ...]) -> None:
    """The music's, or else the speech's."""
    assert {each.package for each in planned if each.music} == {"ardentryst", "gamine-data"}
    assert {each.package for each in planned if not each.music} == {"klettres-data"}


def test_ratios_fill_their_range(corpus: Corpus) -> None:
    """Of both labels: uniform in dB."""
    planned = mixtures(corpus, "test", seed=1, repeats=50)
    low, high = OTHER_ABOVE_SPEECH_DB
    for label in (True, False):
        ratios = np.array([each.above_db for each in planned if each.music is label])
        assert low <= ratios.min() < low + 2
        assert high - 2 < ratios.max() <= high
        assert ratios.mean() == pytest.approx((low + high) / 2, abs=1.5)


@pytest.mark.parametrize("above_db", [-5.0, 10.0])
def test_a_mixture_has_the_ratio_that_it_says(tmp_path: Path, above_db: float) -> None:
    """Speech alone in the first second, both in the second: the power of the latter tells."""
    silence = np.zeros(SAMPLE_RATE, np.float32)
    corpus = write_corpus(
        tmp_path,
        [
            ("klettres-data", "no_music", [("speech", noise(2, seed=1))]),
            ("kolf", "no_music", [("ui", silence), ("ui", noise(1, seed=2))]),
        ],
    )
    speech, other = (Excerpt(each, 0.0, 2 * SAMPLE_RATE) for each in materials(corpus.streams))
    mixed = Mixture(music=False, speech=speech, other=other, above_db=above_db, labelled=speech).read()
    alone, both = np.mean(mixed[:SAMPLE_RATE] ** 2), np.mean(mixed[SAMPLE_RATE:] ** 2)
    assert 10 * np.log10(both / alone - 1) == pytest.approx(above_db, abs=0.6)


def test_a_mixture_is_recorded_at_its_level(planned: tuple[Mixture, ...]) -> None:
    """-20 dBFS RMS but for clipped peaks, as long as what is labelled, in 16 bit."""
    mixed = planned[0].read()
    assert mixed.shape == (planned[0].labelled.samples,)
    assert np.sqrt(np.mean(mixed**2)) == pytest.approx(0.1, rel=0.02)
    assert np.array_equal(mixed * 32768, np.round(mixed * 32768))


def test_mixtures_are_the_same_for_a_seed(corpus: Corpus) -> None:
    """And others for another."""
    first, again, other = (mixtures(corpus, "test", seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert np.array_equal(first[-1].read(), again[-1].read())
    assert {each.above_db for each in first}.isdisjoint({each.above_db for each in other})


def test_one_mixture_does_not_depend_on_how_many_there_are(corpus: Corpus) -> None:
    """The first of each section is the same, whether or not there is a second."""
    once, twice = (mixtures(corpus, "test", seed=1, repeats=repeats) for repeats in (1, 2))
    assert {each for each in once if each.music} <= {each for each in twice if each.music}


def test_files_of_one_package_are_mixed_each_in_its_own_way(tmp_path: Path) -> None:
    """None is left out, and none is another's copy."""
    planned = mixtures(album(tmp_path, long_s=6.0), "test", seed=1)
    music = [each for each in planned if each.music]
    assert sorted(each.stream.name for each in music) == sorted(
        ["gig__music__a", "gig__music__b", "gig__music__c", "radio__music"] * 2
    )
    assert len({each.above_db for each in music}) == len(music)
    other = [each for each in planned if not each.music]
    assert {each.stream.place for each in other} == {"a", "b"}
    assert len({each.above_db for each in other}) == len(other)


def test_a_stream_that_is_alone_is_mixed_by_its_package_and_label(corpus: Corpus, tmp_path: Path) -> None:
    """Its choices hang on nothing else: those of the open corpus stay as they are."""
    for of, package in ((corpus, "ardentryst"), (album(tmp_path), "radio")):
        first = next(each for each in mixtures(of, "test", seed=1) if each.package == package)
        generator = np.random.default_rng((1, zlib.crc32(f"{package}/music".encode()), 0, 0))
        assert first.above_db == generator.uniform(*OTHER_ABOVE_SPEECH_DB)


def test_long_music_is_cut_into_sections(tmp_path: Path) -> None:
    """Of 48 s, as everywhere; a rest under a second is left out."""
    corpus = write_corpus(
        tmp_path,
        [("bambam", "music", [("electronic", song(96.5))]), ("kolf", "no_music", [("speech", talk(5))])],
    )
    music = [each for each in mixtures(corpus, "test", seed=1, repeats=1) if each.music]
    assert [(each.labelled.start_s, each.labelled.samples / SAMPLE_RATE) for each in music] == [(0, 48), (48, 48)]


@pytest.mark.parametrize("category", ["ui", "ambience"])
def test_without_speech_there_are_no_mixtures(tmp_path: Path, category: str) -> None:
    """Nothing to lay over the music."""
    corpus = write_corpus(
        tmp_path, [("bambam", "music", [("electronic", song(5))]), ("kolf", "no_music", [(category, noise(5))])]
    )
    assert mixtures(corpus, "test", seed=1) == ()


def test_without_recorded_noise_all_of_it_is_synthetic(tmp_path: Path) -> None:
    """A split of speech and music alone still has mixtures of both labels."""
    corpus = write_corpus(
        tmp_path, [("bambam", "music", [("electronic", song(30))]), ("kolf", "no_music", [("speech", talk(5))])]
    )
    noises = [each.other for each in mixtures(corpus, "test", seed=1) if not each.music]
    assert len(noises) >= 12
    assert all(isinstance(each, Noise) for each in noises)
    assert all(active_rms(each.read()) > 0 for each in noises)
