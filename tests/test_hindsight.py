"""device.hearing.hindsight: the most likely states of a whole recording, against every sequence there is."""

import itertools
import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.configuration.settings import DecisionConfig
from device.hearing.decision import Music, Score
from device.hearing.hindsight import Answers, Hindsight
from device.sound import SAMPLE_RATE

probabilities = st.lists(st.floats(0.01, 0.99), min_size=1, max_size=9)


def scores(script: Sequence[float]) -> list[Score]:
    """One answer a second."""
    return [
        Score(SAMPLE_RATE * at, SAMPLE_RATE * (at + 1), SAMPLE_RATE * (at + 2), p) for at, p in enumerate(script)
    ]


def states(hindsight: Hindsight, script: Sequence[float]) -> list[bool]:
    """The state of each second."""
    step = hindsight.decide(Answers.of(scores(script)), len(script) * SAMPLE_RATE)
    found: list[bool] = []
    for segment in step.segments:
        found += [segment.music is Music.ON] * round((segment.end - segment.start) / SAMPLE_RATE)
    return found


def worth(hindsight: Hindsight, script: Sequence[float], sequence: Sequence[bool]) -> float:
    """By definition: evidence less the cost of the changes; nothing if a state is too short."""
    inner = [(state, len(list(run))) for state, run in itertools.groupby(sequence)][1:-1]
    if any(length < (hindsight.min_on_s if state else hindsight.min_off_s) for state, length in inner):
        return -math.inf
    evidence = [(score.evidence + hindsight.bias_nats) / 2 for score in scores(script)]
    changes = sum(one != other for one, other in itertools.pairwise(sequence))
    gained = sum(each if state else -each for each, state in zip(evidence, sequence, strict=True))
    return gained - hindsight.change_nats * changes


@given(probabilities, st.floats(0, 8), st.floats(-2, 2), st.integers(0, 4), st.integers(0, 4))
def test_no_sequence_is_worth_more(
    script: list[float], change: float, bias: float, min_on_s: int, min_off_s: int
) -> None:
    """Of all sequences of a few answers, which can be counted out."""
    hindsight = Hindsight(bias_nats=bias, change_nats=change, min_on_s=min_on_s, min_off_s=min_off_s)
    best = max(
        worth(hindsight, script, sequence) for sequence in itertools.product((False, True), repeat=len(script))
    )
    assert worth(hindsight, script, states(hindsight, script)) == pytest.approx(best)


@given(probabilities)
def test_segments_tile_the_recording(script: list[float]) -> None:
    """They begin at 0, join, alternate, and end where the recording does."""
    end = len(script) * SAMPLE_RATE + 123
    segments = Hindsight().decide(Answers.of(scores(script)), end).segments
    assert (segments[0].start, segments[-1].end) == (0, end)
    for one, other in itertools.pairwise(segments):
        assert one.end == other.start
        assert one.music is not other.music


def test_a_clatter_is_no_music() -> None:
    """One sure answer is not worth two changes."""
    assert states(Hindsight(change_nats=12), [0.01] * 5 + [0.99] + [0.01] * 5) == [False] * 11


def test_music_begins_and_ends_where_the_sound_does() -> None:
    """Unlike the live decision, which waits."""
    assert states(Hindsight(change_nats=12), [0.01] * 5 + [0.99] * 7 + [0.01] * 5) == (
        [False] * 5 + [True] * 7 + [False] * 5
    )


def test_what_the_stretch_alone_says_decides() -> None:
    """An answer that follows its context for too long does not move the end."""
    answers = [
        Score(SAMPLE_RATE * at, SAMPLE_RATE * (at + 1), 0, 0.9, recent=0.99 if at < 5 else 0.01)
        for at in range(10)
    ]
    first, second = Hindsight().decide(Answers.of(answers), 10 * SAMPLE_RATE).segments
    assert (first.music, first.end) == (Music.ON, 5 * SAMPLE_RATE)
    assert second.mean == pytest.approx(0.9)


def test_events_come_in_pairs() -> None:
    """A start and a stop for each stretch of music, with its peak and mean."""
    start, stop = Hindsight().decide(Answers.of(scores([0.01] * 9 + [0.99] * 9)), 18 * SAMPLE_RATE).events
    assert (start.started, start.ended, stop.started, stop.ended) == (
        9 * SAMPLE_RATE,
        None,
        9 * SAMPLE_RATE,
        18 * SAMPLE_RATE,
    )
    assert stop.peak == pytest.approx(0.99)
    assert stop.mean == pytest.approx(0.99)


def test_the_configuration_sets_threshold_and_durations() -> None:
    """`on` takes the place of the mode's bias."""
    found = Hindsight.of(DecisionConfig(on=0.9, min_on_s=3), "recall")
    assert found.bias_nats == pytest.approx(-math.log(9))
    assert (found.min_on_s, found.min_off_s) == (3, 0)
    assert Hindsight.of(DecisionConfig(), "recall").bias_nats > 0


def test_nothing_heard_is_nothing_decided() -> None:
    """A file without audio."""
    assert not Hindsight().decide(Answers(), 0).segments


def test_a_recording_that_ends_within_its_last_stretch() -> None:
    """No segment ends before it begins."""
    segments = Hindsight().decide(Answers.of(scores([0.01] * 9 + [0.99] * 9)), 9 * SAMPLE_RATE - 100).segments
    assert [(each.start, each.end) for each in segments] == [(0, 9 * SAMPLE_RATE - 100)]
