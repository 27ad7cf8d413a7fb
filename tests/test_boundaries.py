"""`oido-export boundaries`: programmes whose boundaries are known, and how near segments come to them."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from evaluation_fakes import small_corpus

from device.hearing.decision import Music, Segment
from device.sound import SAMPLE_RATE
from export.__main__ import main
from export.corpus.programmes import PIECE_S, PIECES, Programme, programmes
from export.corpus.streams import Corpus
from export.errors import ExportError
from export.evaluation.boundaries import Cut


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """In `validation` no music is long enough."""
    return small_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def drawn(corpus: Corpus) -> list[Programme]:
    """A few of the test split."""
    return programmes(corpus, "test", count=12, seed=1)


def exact(programme: Programme) -> list[Segment]:
    """Segments without any error."""
    edges = (0, *programme.boundaries, programme.samples)
    return [
        Segment(start, end, Music.ON if (number % 2 == 0) == programme.begins_with_music else Music.OFF, 0.5)
        for number, (start, end) in enumerate(pairwise(edges))
    ]


def later(segments: list[Segment], seconds: float) -> list[Segment]:
    """The same with every inner boundary moved."""
    moved = round(seconds * SAMPLE_RATE)
    starts = [0, *(each.start + moved for each in segments[1:])]
    ends = [*starts[1:], segments[-1].end]
    return [Segment(a, b, each.music, 0.5) for a, b, each in zip(starts, ends, segments, strict=True)]


def test_pieces_are_of_music_and_everything_else_in_turn(drawn: list[Programme]) -> None:
    """Of the lengths that were asked for, and beginning with either."""
    assert {programme.begins_with_music for programme in drawn} == {True, False}
    for programme in drawn:
        assert PIECES[0] <= len(programme.pieces) < PIECES[1]
        labels = [piece.material.stream.label for piece in programme.pieces]
        music = [(number % 2 == 0) == programme.begins_with_music for number in range(len(labels))]
        assert labels == ["music" if each else "no_music" for each in music]
        assert all(PIECE_S[0] <= piece.samples / SAMPLE_RATE <= PIECE_S[1] for piece in programme.pieces)


def test_a_seed_fixes_them(corpus: Corpus, drawn: list[Programme]) -> None:
    """To the last sample; another seed draws others."""
    again = programmes(corpus, "test", count=12, seed=1)
    assert np.array_equal(again[3].read(), drawn[3].read())
    assert programmes(corpus, "test", count=12, seed=2) != again


def test_exact_segments_have_no_error(drawn: list[Programme]) -> None:
    """F1 is 1, every boundary is found at its place, and nothing is taken for music where there is none."""
    silence = [[Segment(0, 60 * SAMPLE_RATE, Music.OFF, 0.1)]]
    count = sum(len(programme.boundaries) for programme in drawn)
    row = Cut([exact(programme) for programme in drawn], silence).row("exact", drawn)
    assert row == [
        "exact",
        "1.0000",
        "0.00 (+0.00)",
        "0.00 (+0.00)",
        f"{count} of {count}",
        str(count),
        "0.0",
        "0.00 %",
    ]


def test_late_segments_are_late(drawn: list[Programme]) -> None:
    """By as much as they are, and F1 falls; a start in a minute of no music is sixty an hour."""
    wrong = [
        Segment(0, 30 * SAMPLE_RATE, Music.OFF, 0.1),
        Segment(30 * SAMPLE_RATE, 60 * SAMPLE_RATE, Music.ON, 0.9),
    ]
    row = Cut([later(exact(programme), 0.5) for programme in drawn], [wrong]).row("late", drawn)
    assert 0.9 < float(row[1]) < 1
    assert row[2:4] == ["0.50 (+0.50)", "0.50 (+0.50)"]
    assert row[6:] == ["60.0", "50.00 %"]


def test_one_command_reports_both_ways(corpus: Corpus, capsys: pytest.CaptureFixture[str]) -> None:
    """With hindsight and as live, in one table."""
    where = ["--corpus", str(corpus.root), "--jobs", "1", "--programmes", "2"]
    assert main(["boundaries", "logistic", *where]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| with hindsight", "| as live"]


def test_a_split_without_long_music_is_refused(corpus: Corpus) -> None:
    """In a sentence that names the split."""
    with pytest.raises(ExportError, match=r"the split 'validation' of .* lacks music"):
        programmes(corpus, "validation", count=1, seed=1)


def test_no_corpus_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And exit code 1 or 2, as for the other commands."""
    assert main(["boundaries", "logistic", "--corpus", str(tmp_path)]) in (1, 2)
    assert "holds no" in capsys.readouterr().err
