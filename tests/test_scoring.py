"""export.evaluation.scoring: takes are heard once, by whoever has not heard them yet."""

from pathlib import Path

import numpy as np
import pytest
from evaluation_fakes import SteadyScorer, album, small_corpus, write_corpus
from hearing_fakes import noise

from export.corpus.streams import Corpus, assemble
from export.errors import ExportError
from export.evaluation.hearing import DeviceModel
from export.evaluation.scoring import Scored, Scores, Verdicts
from export.evaluation.takes import VARIATIONS, Take, takes


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Two splits."""
    return small_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def heard(corpus: Corpus) -> list[Take]:
    """The validation split, clean."""
    return [take for take in takes(corpus, "validation", seed=1) if take.variation == "clean"]


def scores_in(cache: Path, *, version: str = "v", seed: int = 1, jobs: int = 1) -> Scores:
    """Kept there."""
    return Scores(cache, version=version, seed=seed, jobs=jobs)


def files(cache: Path) -> list[Path]:
    """What is kept."""
    return sorted(cache.glob("*/*.npz"))


def same(first: Scored, second: Scored) -> bool:
    """Whether all is equal."""
    return all(
        np.array_equal(getattr(first[granularity], column), getattr(second[granularity], column))
        for granularity in first
        for column in ("probability", "music", "package", "category")
    )


def test_rows_say_what_they_are(heard: list[Take], tmp_path: Path) -> None:
    """An answer a second and a segment of 9.6 s, each with label, package and category."""
    said = scores_in(tmp_path).score([(take, [SteadyScorer()]) for take in heard])
    music = said["steady", "clean__asc-music__music"]
    assert {name: len(rows.probability) for name, rows in music.items()} == {"answer": 20, "segment": 3}
    for rows in music.values():
        assert set(zip(rows.music, rows.package, rows.category, strict=True)) == {(1, "asc-music", "orchestral")}
    speech = said["steady", "clean__festvox-ru__no_music"]["answer"]
    assert (set(speech.music), set(speech.category)) == ({0}, {"speech"})


def test_what_was_heard_is_kept(heard: list[Take], tmp_path: Path) -> None:
    """A second run hears nothing: the model is opened once, to see whether it is still the same."""
    notes, cache = tmp_path / "notes", tmp_path / "cache"
    notes.mkdir()
    wanted = [(take, [SteadyScorer(notes=notes)]) for take in heard]
    first = scores_in(cache).score(wanted)
    opened = len(list(notes.iterdir()))
    again = scores_in(cache).score(wanted)
    assert opened == 1 + len(heard)
    assert len(list(notes.iterdir())) == opened + 1
    assert all(same(first[key], again[key]) for key in first)


def test_an_interrupted_run_goes_on(heard: list[Take], tmp_path: Path) -> None:
    """A file that was half written is heard again; what is whole stays."""
    wanted = [(take, [SteadyScorer()]) for take in heard]
    whole = scores_in(tmp_path).score(wanted)
    first, *rest = files(tmp_path)
    before = first.stat().st_mtime_ns
    for path in rest:
        path.with_suffix(".npz.part").write_bytes(path.read_bytes()[:100])
        path.unlink()
    again = scores_in(tmp_path).score(wanted)
    assert all(same(whole[key], again[key]) for key in whole)
    assert first.stat().st_mtime_ns == before
    assert files(tmp_path) == [first, *rest]


def test_a_model_that_comes_later_does_not_disturb(heard: list[Take], tmp_path: Path) -> None:
    """Only the new one hears."""
    old, new = SteadyScorer("old"), SteadyScorer("new", digest="2", bias=0.1)
    scores_in(tmp_path).score([(take, [old]) for take in heard])
    times = {path: path.stat().st_mtime_ns for path in files(tmp_path)}
    said = scores_in(tmp_path).score([(take, [old, new]) for take in heard])
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert set(said) == {(name, take.name) for name in ("old", "new") for take in heard}
    assert not same(said["old", heard[0].name], said["new", heard[0].name])


def test_only_those_who_are_to_hear_a_take_do(heard: list[Take], tmp_path: Path) -> None:
    """Others hear others."""
    one, two = SteadyScorer("one"), SteadyScorer("two")
    said = scores_in(tmp_path).score([(heard[0], [one]), (heard[1], [two])])
    assert set(said) == {("one", heard[0].name), ("two", heard[1].name)}


@pytest.mark.parametrize("changed", ["version", "seed", "digest", "code"])
def test_other_data_or_models_have_other_files(heard: list[Take], tmp_path: Path, changed: str) -> None:
    """Scores of one are never taken for those of the other; what the model says of known sounds tells its code."""
    scores_in(tmp_path).score([(heard[0], [SteadyScorer()])])
    other = scores_in(tmp_path, version="w" if changed == "version" else "v", seed=2 if changed == "seed" else 1)
    scorer = SteadyScorer(digest="2" if changed == "digest" else "1", bias=0.2 if changed == "code" else 0.0)
    other.score([(heard[0], [scorer])])
    assert len({path.parent for path in files(tmp_path)}) == 2


def test_several_processes_hear_the_same(heard: list[Take], tmp_path: Path) -> None:
    """A real model in two processes as in one."""
    wanted = [(take, [DeviceModel.of("logistic")]) for take in heard]
    one = scores_in(tmp_path / "one").score(wanted)
    two = scores_in(tmp_path / "two", jobs=2).score(wanted)
    assert all(same(one[key], two[key]) for key in one)


def test_files_of_one_package_are_heard_each_in_each_variation(tmp_path: Path) -> None:
    """What is said of one is kept beside what is said of the others, and never read in its place."""
    found = takes(album(tmp_path, long_s=6.0), "test", seed=1)
    wanted = [(take, [SteadyScorer()]) for take in found]
    said = scores_in(tmp_path / "cache").score(wanted)
    names = ["gig__music__a", "gig__music__b", "gig__music__c", "radio__music", "desk__no_music__a"]
    expected = {f"{variation}__{name}" for variation in VARIATIONS for name in [*names, "desk__no_music__b"]}
    assert {name for _, name in said} == {path.stem for path in files(tmp_path / "cache")} == expected
    rooms = [said["steady", f"room__gig__music__{file}"]["answer"].probability for file in "abc"]
    assert not np.array_equal(rooms[0], rooms[1])
    assert not np.array_equal(rooms[1], rooms[2])
    again = scores_in(tmp_path / "cache").score(wanted)
    assert all(same(said[key], again[key]) for key in said)


def test_two_streams_of_one_name_are_refused(tmp_path: Path) -> None:
    """The second would be taken for the first."""
    corpus = write_corpus(tmp_path, [("kolf", "no_music", [("ui", noise(2))])])
    twice = assemble(tmp_path, corpus.streams * 2)
    with pytest.raises(ExportError, match=r"2 streams are called [a-z]+__kolf__no_music"):
        scores_in(tmp_path).score([(take, [SteadyScorer()]) for take in takes(twice, "test", seed=1)])


def test_rows_can_be_chosen() -> None:
    """All columns together."""
    rows = Verdicts(
        np.array([0.1, 0.9], np.float32), np.array([0, 1], np.int8), np.array(["a", "b"]), np.array(["x", "y"])
    )
    music = rows.where(rows.music == 1)
    assert (music.probability.tolist(), music.package.tolist(), music.category.tolist()) == (
        [pytest.approx(0.9)],
        ["b"],
        ["y"],
    )
