"""`oido-export onsets`: joins of music and no music, how they are noticed, and starts that were none."""

import math
from pathlib import Path

import numpy as np
import pytest
from evaluation_fakes import album, small_corpus, song, write_corpus
from hearing_fakes import chord, noise

from device.hearing.decision import Event
from device.sound import SAMPLE_RATE, FloatArray
from export.__main__ import main
from export.corpus.excerpts import active_rms
from export.corpus.joins import AFTER_S, BEFORE_S, MUSIC_S, Plan, lead_s, plan
from export.corpus.streams import Corpus
from export.errors import ExportError
from export.evaluation.delays import FalseStart, Noticed, delays_table, edge, false_starts
from export.evaluation.replay import Replay, Told


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Two splits; in `validation` no music is long enough."""
    return small_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def planned(corpus: Corpus) -> Plan:
    """Of the test split."""
    return plan(corpus, "test", count=60, seed=1)


def silence(seconds: float) -> FloatArray:
    """Nothing."""
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


def test_pieces_are_as_long_as_they_should_be(planned: Plan) -> None:
    """At least 10 s before; the start falls anywhere between two answers."""
    before = np.array([join.before.samples for join in planned.joins]) / SAMPLE_RATE
    music = np.array([join.music.samples for join in planned.joins]) / SAMPLE_RATE
    assert BEFORE_S[0] <= before.min() < before.max() <= BEFORE_S[1]
    assert MUSIC_S[0] <= music.min() < music.max() <= MUSIC_S[1]
    assert {join.after.samples for join in planned.joins} == {round(AFTER_S * SAMPLE_RATE)}
    assert np.histogram(before % 0.48, 4, (0, 0.48))[0].min() > 5


def test_joins_are_of_music_and_everything_else(planned: Plan) -> None:
    """Of the split alone: speech, ambience and effects before and after, each about as often."""
    assert {join.music.package for join in planned.joins} == {"ardentryst", "gamine-data"}
    others = [part.material for join in planned.joins for part in (join.before, join.after)]
    spans = [each.spans[0] for each in others]
    counts = [spans.count(span) for span in sorted(set(spans))]
    assert len(counts) == 3
    assert min(counts) > 20


def test_a_package_of_many_files_is_drawn_no_more_often(tmp_path: Path) -> None:
    """Than one of a single file; but every one of its files is."""
    music = [join.music for join in plan(album(tmp_path), "test", count=80, seed=1).joins]
    gig = [piece for piece in music if piece.package == "gig"]
    assert len(gig) / len(music) == pytest.approx(0.5, abs=0.15)
    assert {piece.material.stream.place for piece in gig} == {"a", "b", "c"}
    assert all(piece.start_s + piece.samples / SAMPLE_RATE <= 36 + 1e-3 for piece in music)


def test_music_does_not_pass_the_end_of_its_stream(planned: Plan) -> None:
    """It would begin again, which no music does."""
    for join in planned.joins:
        assert join.music.start_s + join.music.samples / SAMPLE_RATE <= join.music.material.duration_s + 1e-3


def test_music_is_there_from_one_sample_to_the_next(tmp_path: Path) -> None:
    """At full level, and gone at once: here a chord among silence."""
    corpus = write_corpus(
        tmp_path,
        [("bambam", "music", [("rock", chord(31))]), ("kolf", "no_music", [("ui", silence(3))])],
    )
    (join,) = plan(corpus, "test", count=1, seed=1).joins
    heard = join.read()
    assert np.abs(heard[: join.onset]).max() == 0
    assert np.abs(heard[join.offset :]).max() == 0
    first, last = heard[join.onset : join.onset + 800], heard[join.offset - 800 : join.offset]
    assert active_rms(first) == pytest.approx(0.1, rel=0.2)
    assert active_rms(last) == pytest.approx(0.1, rel=0.2)


def test_joins_are_the_same_for_a_seed(corpus: Corpus, planned: Plan) -> None:
    """And others for another."""
    assert plan(corpus, "test", count=60, seed=1) == planned
    assert plan(corpus, "test", count=60, seed=2).joins[0] != planned.joins[0]
    assert np.array_equal(planned.joins[0].read(), planned.joins[0].read())


@pytest.mark.parametrize(
    ("music", "expected_s"),
    [
        (chord(4), 0.0),
        (np.concatenate((silence(0.5), chord(4))), 0.5),
        (np.concatenate((chord(0.4) * np.float32(10 ** (-35 / 20)), chord(4))), 0.4),
        (np.concatenate((chord(0.4) * np.float32(10 ** (-20 / 20)), chord(4))), 0.0),
        (silence(2), 2.0),
    ],
)
def test_near_silence_before_the_music(music: FloatArray, expected_s: float) -> None:
    """What is over 30 dB below the music itself; 20 dB below it is a soft beginning, and counts."""
    assert lead_s(music) == pytest.approx(expected_s, abs=0.011)


def test_music_that_begins_with_silence_is_skipped(tmp_path: Path) -> None:
    """Another place is drawn, and the skipped ones are counted."""
    music = np.concatenate([part for _ in range(10) for part in (silence(3), song(3))])
    corpus = write_corpus(
        tmp_path, [("bambam", "music", [("rock", music)]), ("kolf", "no_music", [("ui", noise(3))])]
    )
    found = plan(corpus, "test", count=20, seed=1)
    assert len(found.joins) == 20
    assert 5 < found.skipped < 60
    assert all(lead_s(join.music.read()) <= 0.3 for join in found.joins)


def test_a_split_without_long_music_is_an_error(corpus: Corpus) -> None:
    """It says what is lacking."""
    with pytest.raises(ExportError, match=r"'validation' of .* lacks music of at least 30 s"):
        plan(corpus, "validation", count=1, seed=1)


def test_silence_called_music_is_an_error(tmp_path: Path) -> None:
    """The search for a join ends."""
    corpus = write_corpus(
        tmp_path, [("bambam", "music", [("rock", silence(40))]), ("kolf", "no_music", [("ui", noise(3))])]
    )
    with pytest.raises(ExportError, match="gave only 0 of 2 joins"):
        plan(corpus, "test", count=2, seed=1)


def start(heard_s: float, *, dated_s: float = 0.0) -> Told:
    """The state turned ON."""
    return Told(Event("music_started", round(dated_s * SAMPLE_RATE), None, 0.9, 0.9), round(heard_s * SAMPLE_RATE))


def stop(heard_s: float, *, started_s: float = 0.0, dated_s: float = 0.0, by_end: bool = False) -> Told:
    """The state turned OFF."""
    event = Event("music_stopped", round(started_s * SAMPLE_RATE), round(dated_s * SAMPLE_RATE), 0.9, 0.9)
    return Told(event, round(heard_s * SAMPLE_RATE), by_end=by_end)


def noticed(told: list[Told], at_s: float, *, is_start: bool, until_s: float = math.inf) -> Noticed:
    """What became of an edge."""
    return edge(told, round(at_s * SAMPLE_RATE), until_s * SAMPLE_RATE, start=is_start)


def test_a_start_is_noticed_when_the_state_turns() -> None:
    """Not where it is dated back to, which is judged apart."""
    assert noticed([start(13.0, dated_s=9.5)], 10.0, is_start=True) == Noticed("noticed", 3.0, -0.5)


def test_a_stop_is_noticed_when_the_state_turns() -> None:
    """By the end that it is given."""
    told = [start(3.0), stop(46.0, dated_s=40.5)]
    assert noticed(told, 40.0, is_start=False) == Noticed("noticed", 6.0, 0.5)


@pytest.mark.parametrize("told", [[], [start(3.0), stop(6.0)], [start(31.0)]])
def test_a_start_that_is_not_noticed_in_time_is_missed(told: list[Told]) -> None:
    """Also where something was noticed before, or only once the music was over."""
    assert noticed(told, 10.0, is_start=True, until_s=30.0).fate == "missed"


def test_what_only_the_end_of_the_stream_closes_was_missed() -> None:
    """The device had not noticed."""
    assert noticed([start(3.0), stop(60.0, by_end=True)], 40.0, is_start=False).fate == "missed"


def test_a_state_that_was_there_before_has_no_delay() -> None:
    """A false start before the music, and music given up before its end."""
    assert noticed([start(9.0)], 10.0, is_start=True).fate == "already"
    assert noticed([start(3.0), stop(35.0)], 40.0, is_start=False).fate == "already"


def test_the_table_leaves_out_what_was_not_noticed() -> None:
    """Counts of all, delays of those noticed."""
    starts = [Noticed("noticed", 2.0, -1.0), Noticed("noticed", 4.0, 0.5), Noticed("missed"), Noticed("already")]
    head, _, first, second = delays_table(starts, [Noticed("missed")]).splitlines()
    assert head.count("|") == first.count("|") == second.count("|")
    assert first == "| starts | 4 | 2 | 1 | 1 | 3.00 | 3.90 | 4.00 | -0.25 | 0.97 |"
    assert second == "| stops | 1 | 0 | 1 | 0 | - | - | - | - | - |"


def test_false_starts_are_placed(corpus: Corpus) -> None:
    """Package, category and recording; how far into it, and for how long."""
    streams = corpus.select(split="test", label="no_music")
    lengths = [stream.read().size for stream in streams]
    told = [
        start(22.0, dated_s=19.0),
        stop(26.0, started_s=19.0, dated_s=21.5),
        start(30.0, dated_s=26.0),
        stop(36.0, started_s=26.0, dated_s=36.0, by_end=True),
    ]
    found = false_starts(told, streams, lengths)
    assert found.starts == (
        FalseStart("klettres-data game_sfx game_sfx/1", 1.0, 2.5),
        FalseStart("plee-the-bear-data ambience ambience/0", 2.0, 10.0),
    )
    assert found.heard_s == 36.0
    assert found.described(listed=False) == (
        "2 false starts in 0.01 h without music: 200.0 an hour; 34.7 % of the time taken for music."
    )
    assert "| klettres-data game_sfx game_sfx/1 | 1.0 | 2.5 |" in found.described(listed=True).splitlines()


def test_a_replay_tells_what_the_device_tells() -> None:
    """Music among noise is one start and one stop, each stream heard afresh, whatever its pieces."""
    samples = np.concatenate((noise(15), song(25), noise(15)))
    whole, pieces = Replay("logistic", "balanced").hear([[samples], [samples[:100_000], samples[100_000:]]])
    assert whole == pieces
    assert [each.is_start for each in whole] == [True, False]
    assert noticed(whole, 15.0, is_start=True).delay_s < 8
    assert noticed(whole, 40.0, is_start=False).delay_s < 12


def test_music_that_lasts_to_the_end_is_closed_by_it() -> None:
    """And not by the device."""
    (told,) = Replay("logistic", "balanced").hear([[np.concatenate((noise(10), song(20)))]])
    assert [(each.is_start, each.by_end) for each in told] == [(True, False), (False, True)]


def test_the_command_prints_delays_and_false_starts(corpus: Corpus, capsys: pytest.CaptureFixture[str]) -> None:
    """Of as many joins as were asked for, then of everything without music."""
    assert main(["onsets", "logistic", "--corpus", str(corpus.root), "--list", "--jobs", "1", "--joins", "3"]) == 0
    output = capsys.readouterr().out
    rows = [line.split(" | ")[:2] for line in output.splitlines() if line.startswith("| st")]
    assert rows == [["| starts", "3"], ["| stops", "3"]]
    assert "joins were skipped" in output
    assert "false starts in 0.01 h without music" in output


def test_no_joins_are_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    """There would be nothing to print."""
    with pytest.raises(SystemExit) as stopped:
        main(["onsets", "logistic", "--joins", "0"])
    assert stopped.value.code == 2
    assert "0 is less than 1" in capsys.readouterr().err


def test_an_unknown_model_is_wrong_use(corpus: Corpus, capsys: pytest.CaptureFixture[str]) -> None:
    """Before any sound is made."""
    assert main(["onsets", "no-such-model", "--corpus", str(corpus.root)]) == 2
    assert "no model is named 'no-such-model'" in capsys.readouterr().err
