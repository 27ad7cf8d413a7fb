"""export.evaluation.takes: what is heard, in four variations."""

from pathlib import Path

import numpy as np
import pytest
from evaluation_fakes import small_corpus, song, write_corpus
from hearing_fakes import noise

from device.sound import SAMPLE_RATE
from export.corpus.features import SEED, extract, vectors
from export.corpus.mixtures import mixtures
from export.corpus.streams import Corpus
from export.evaluation.takes import Section, Take, takes


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Two splits."""
    return small_corpus(tmp_path_factory.mktemp("corpus"))


def named(found: list[Take], name: str) -> list[Section]:
    """The sections of the take of that name."""
    (take,) = (take for take in found if take.name == name)
    return list(take.sections())


def test_every_stream_comes_in_every_variation(corpus: Corpus) -> None:
    """Of the split alone; mixtures by the stream that labels them."""
    streams = ["asc-music__music", "btanks-data__no_music", "festvox-ru__no_music"]
    expected = [f"{variation}__{stream}" for variation in ("clean", "level", "room") for stream in streams]
    expected += ["mixture__asc-music__music", "mixture__festvox-ru__no_music"]
    assert sorted(take.name for take in takes(corpus, "validation", seed=1)) == sorted(expected)


def test_the_longest_is_first(corpus: Corpus) -> None:
    """No process is left alone with it at the end."""
    lengths = [take.duration_s for take in takes(corpus, "test", seed=1)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > lengths[-1]


@pytest.mark.parametrize("variation", ["clean", "level", "room"])
def test_sections_are_those_of_training(corpus: Corpus, variation: str) -> None:
    """The same rooms, levels and noises for the same seed: the features agree to the last bit."""
    stream = next(stream for stream in corpus.streams if stream.package == "asc-music")
    rows = extract(stream, seed=5)
    sections = named(takes(corpus, "validation", seed=5), f"{variation}__asc-music__music")
    heard = np.concatenate([vectors(section.samples) for section in sections])
    assert np.array_equal(heard, rows.features[rows.variant == variation])


def test_the_test_split_does_not_depend_on_the_seed(corpus: Corpus) -> None:
    """Its rooms and mixtures are the same for everybody."""
    for name in ("room__ardentryst__music", "mixture__ardentryst__music"):
        first, other = (named(takes(corpus, "test", seed=seed), name) for seed in (SEED, 7))
        assert np.array_equal(first[0].samples, other[0].samples)


def test_sections_of_mixtures_are_the_planned_ones(corpus: Corpus) -> None:
    """With the package and the label of what is labelled."""
    planned = [each for each in mixtures(corpus, "test", seed=SEED) if each.package == "ardentryst"]
    sections = named(takes(corpus, "test", seed=SEED), "mixture__ardentryst__music")
    assert [(each.music, each.package, each.category) for each in sections] == [
        (True, "ardentryst", "fantasy")
    ] * 2
    assert np.array_equal(sections[1].samples, planned[1].read())


def test_speech_over_noise_is_speech(corpus: Corpus) -> None:
    """In the table by category."""
    sections = named(takes(corpus, "test", seed=1), "mixture__klettres-data__no_music")
    assert {(each.music, each.category) for each in sections} == {(False, "speech")}


def test_a_section_has_the_category_of_most_of_it(tmp_path: Path) -> None:
    """Section by section, not of the stream."""
    clips = [("ui", noise(30)), ("vehicle", noise(40)), ("ui", noise(8))]
    corpus = write_corpus(tmp_path, [("kolf", "no_music", clips)])
    sections = named(takes(corpus, "test", seed=1), "clean__kolf__no_music")
    assert [(len(each.samples) / SAMPLE_RATE, each.category) for each in sections] == [(48, "ui"), (30, "vehicle")]


def test_mixed_streams_are_left_out(tmp_path: Path) -> None:
    """Nobody knows what is heard when."""
    corpus = write_corpus(
        tmp_path, [("kolf", "no_music", [("ui", noise(2))]), ("bambam", "mixed", [("tv", song(2))])]
    )
    assert {take.name for take in takes(corpus, "test", seed=1)} == {
        f"{variation}__kolf__no_music" for variation in ("clean", "level", "room")
    }


def test_the_synthetic_sounds_belong_to_train(corpus: Corpus) -> None:
    """As in training."""
    names = {take.name for take in takes(corpus, "train", seed=1)}
    assert "clean__synthetic_hum__no_music" in names
    assert not any("synthetic" in take.name for take in takes(corpus, "test", seed=1))
