"""device.hearing.decision: scores in; state, segments and paired events out."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.hearing.decision import Decision, Event, Music, Rules, Score, Segment, Step
from device.sound import SAMPLE_RATE

HOP = SAMPLE_RATE
"""A score a second keeps the sums readable."""

RULES = Rules(on=0.5, off=0.35, min_on_s=2, min_off_s=3)

probabilities = st.lists(st.sampled_from([0.0, 0.2, 0.34, 0.35, 0.49, 0.5, 0.7, 1.0]), min_size=1, max_size=60)
rules = st.builds(
    lambda on, ratio, min_on_s, min_off_s: Rules(on=on, off=on * ratio, min_on_s=min_on_s, min_off_s=min_off_s),
    st.sampled_from([0.3, 0.5, 0.9]),
    st.sampled_from([0.0, 0.7, 1.0]),
    st.floats(0, 8),
    st.floats(0, 8),
)


def scores(script: Sequence[float], *, first: int = 0) -> list[Score]:
    """One score a second."""
    return [Score(HOP * i, HOP * (i + 1), HOP * (i + 2), p) for i, p in enumerate(script, first)]


def decide(script: Sequence[float], *, rules: Rules = RULES, end: int | None = None) -> Step:
    """Everything that a whole source changes, the closing included."""
    decision = Decision(rules)
    steps = [decision.update(score) for score in scores(script)] + [decision.lose(end)]
    return Step(
        tuple(event for step in steps for event in step.events),
        tuple(segment for step in steps for segment in step.segments),
    )


def outline(step: Step) -> list[tuple[int, int, str]]:
    """Segments as (start, end, state), in seconds."""
    return [(segment.start // HOP, segment.end // HOP, segment.music.value) for segment in step.segments]


def states(script: Sequence[float], *, rules: Rules = RULES) -> list[str]:
    """The state after each score."""
    decision = Decision(rules)
    found = []
    for score in scores(script):
        decision.update(score)
        found.append(decision.state.value)
    return found


def test_music_is_on_once_it_has_lasted() -> None:
    """One score above `on` changes nothing, the second completes min_on_s."""
    assert states([0, 0.6, 0.6]) == ["OFF", "OFF", "ON"]


def test_music_is_off_once_it_has_been_gone() -> None:
    """Two scores below `off` are a pause, the third completes min_off_s."""
    assert states([0, 1, 1, 0, 0, 0])[-3:] == ["ON", "ON", "OFF"]


def test_between_the_thresholds_the_state_stays() -> None:
    """Scores from `off` to `on` neither start music nor stop it."""
    assert states([0, *[0.49] * 9]) == ["OFF"] * 10
    assert states([0, 1, 1, *[0.35] * 9])[2:] == ["ON"] * 10


def test_an_onset_is_dated_back() -> None:
    """Music begins with the first score above `on`, not with the one that decided it."""
    start, _stop = decide([0, 0, 0.8, 1.0, 1.0]).events
    assert start == Event("music_started", 2 * HOP, None, peak=1.0, mean=0.9)


def test_an_end_is_dated_back() -> None:
    """Music ends with the last score that was music; what came after does not touch its mean."""
    events = decide([0, 1, 0.75, 0.5, 0, 0, 0, 0]).events
    assert events[1] == Event("music_stopped", HOP, 4 * HOP, peak=1.0, mean=0.75)


def test_a_pause_belongs_to_the_music() -> None:
    """A stop that does not last is dropped, and its scores count to the music's mean."""
    step = decide([1, 1, 0, 0, 1, 1])
    assert outline(step) == [(0, 6, "ON")]
    assert step.segments[0].mean == pytest.approx(4 / 6)


def test_a_door_bell_is_no_music() -> None:
    """A start that does not last is dropped."""
    assert decide([0, 1, 0, 0, 1, 0]).events == ()


def test_no_duration_means_at_once() -> None:
    """With both minimums 0 the state follows every score."""
    at_once = Rules(on=0.5, off=0.5, min_on_s=0, min_off_s=0)
    assert states([0, 1, 0, 1], rules=at_once) == ["OFF", "ON", "OFF", "ON"]


def test_nothing_is_known_before_the_first_score() -> None:
    """Unknown is not OFF."""
    assert Decision(RULES).state is Music.UNKNOWN


def test_a_first_start_that_has_not_lasted_is_unknown() -> None:
    """A source that begins with music is not OFF for the first seconds."""
    assert states([1, 1]) == ["UNKNOWN", "ON"]


def test_closing_an_open_state_ends_music() -> None:
    """Music that plays when the source ends stops where the source was heard to."""
    step = decide([0, 1, 1], end=4 * HOP)
    assert outline(step) == [(0, 1, "OFF"), (1, 4, "ON")]
    assert step.events[1].ended == 4 * HOP


def test_closing_drops_a_pending_start() -> None:
    """What began too late to last is no music."""
    step = decide([0, 0, 1], end=3 * HOP)
    assert (outline(step), step.events) == ([(0, 3, "OFF")], ())


def test_closing_believes_a_pending_stop() -> None:
    """Nothing after it speaks for music."""
    step = decide([1, 1, 0], end=4 * HOP)
    assert outline(step) == [(0, 2, "ON"), (2, 4, "OFF")]
    assert step.events[1].ended == 2 * HOP


def test_a_short_clip_of_nothing_but_music_is_music() -> None:
    """A clip shorter than min_on_s has a start and a stop all the same."""
    step = decide([1], end=HOP)
    assert outline(step) == [(0, 1, "ON")]
    assert [event.kind for event in step.events] == ["music_started", "music_stopped"]


def test_a_clip_ends_where_it_ends() -> None:
    """A clip shorter than what its only score speaks for does not last longer than it was heard."""
    assert decide([0], end=1000).segments == (Segment(0, 1000, Music.OFF, 0.0),)
    assert decide([1], end=1000).events[1].ended == 1000


def test_closing_nothing_gives_nothing() -> None:
    """A source that was never heard has no segment; neither has one closed twice."""
    decision = Decision(RULES)
    assert decision.lose(5 * HOP) == Step()
    decision.update(scores([0])[0])
    assert decision.lose(HOP) != Step()
    assert decision.lose(2 * HOP) == Step()


def test_after_a_loss_the_state_is_unknown_then_new() -> None:
    """A lost source starts afresh with the next score."""
    decision = Decision(RULES)
    for score in scores([1, 1]):
        decision.update(score)
    decision.lose(2 * HOP)
    assert decision.state is Music.UNKNOWN
    decision.update(scores([0], first=2)[0])
    assert (decision.state, decision.since) == (Music.OFF, 2 * HOP)


def test_scores_that_speak_for_what_was_closed_are_late() -> None:
    """A score lags behind what was heard; after a loss it must not open what overlaps the past."""
    decision = Decision(RULES)
    for score in scores([1, 1]):
        decision.update(score)
    closed = decision.lose(3 * HOP + 500).segments
    late = [decision.update(score) for score in scores([0, 0], first=2)]
    opened = decision.lose(7 * HOP)
    assert late == [Step(), Step()]
    assert closed[-1].end == 3 * HOP + 500 == opened.segments[0].start


def test_rules_may_change_in_between() -> None:
    """Another mode takes effect with the next score."""
    decision = Decision(RULES)
    for score in scores([0.6, 0.6, 0.6]):
        decision.update(score)
    decision.rules = Rules(on=0.9, off=0.8, min_on_s=0, min_off_s=0)
    decision.update(scores([0.6], first=3)[0])
    assert decision.state is Music.OFF


@given(script=probabilities, rules=rules)
def test_segments_tile_the_source(script: list[float], rules: Rules) -> None:
    """From 0 to the end without gap or overlap, states in turn, whatever the scores."""
    end = HOP * (len(script) + 1)
    segments = decide(script, rules=rules, end=end).segments
    assert (segments[0].start, segments[-1].end) == (0, end)
    for before, after in pairwise(segments):
        assert before.end == after.start
        assert before.music is not after.music
    assert all(segment.start < segment.end for segment in segments)


@given(script=probabilities, rules=rules)
def test_events_come_in_pairs(script: list[float], rules: Rules) -> None:
    """Start, stop, start, stop: a pair has one `started`, lasts, and lies where a segment is ON."""
    step = decide(script, rules=rules)
    starts, stops = step.events[::2], step.events[1::2]
    assert len(starts) == len(stops)
    spans = []
    for start, stop in zip(starts, stops, strict=True):
        assert (start.kind, stop.kind) == ("music_started", "music_stopped")
        assert start.started == stop.started
        assert stop.ended is not None
        assert stop.ended > stop.started
        assert start.peak <= stop.peak
        spans.append((stop.started, stop.ended))
    assert spans == [(part.start, part.end) for part in step.segments if part.music is Music.ON]


@given(script=probabilities, cuts=st.sets(st.integers(0, 59)), lag=st.integers(0, 3 * HOP), rules=rules)
def test_losses_never_let_segments_overlap(script: list[float], cuts: set[int], lag: int, rules: Rules) -> None:
    """However often the source goes deaf, segments follow each other, and starts and stops alternate."""
    decision = Decision(rules)
    steps = []
    for number, score in enumerate(scores(script)):
        steps.append(decision.lose(score.end + lag) if number in cuts else decision.update(score))
    steps.append(decision.lose(HOP * len(script) + lag))
    segments = [segment for step in steps for segment in step.segments]
    assert all(segment.start < segment.end for segment in segments)
    assert all(before.end <= after.start for before, after in pairwise(segments))
    kinds = [event.kind for step in steps for event in step.events]
    assert kinds == ["music_started", "music_stopped"] * (len(kinds) // 2)


@given(
    patches=st.integers(1, 10),
    change=st.integers(20 * 15_360, 22 * 15_360),
    onset=st.booleans(),
    minimum_s=st.one_of(st.floats(0, 12), st.integers(0, 12).map(lambda hops: hops * 0.96)),
)
def test_the_worst_case_delay_is_never_exceeded(
    patches: int, change: int, minimum_s: float, *, onset: bool
) -> None:
    """A step from one answer to the other shows in time even if a window is certain only when it is all new."""
    hop = 15_360
    rules = Rules(on=0.5, off=0.5, min_on_s=minimum_s, min_off_s=minimum_s)
    decision = Decision(rules)
    wanted = Music.ON if onset else Music.OFF
    for number in range(1, 60):
        heard = number * hop
        middle = heard - patches * hop // 2
        before = heard - patches * hop < change
        decision.update(
            Score(middle - hop // 2, middle + hop // 2, heard, float(onset) if not before else float(not onset))
        )
        if not before and decision.state is wanted:
            break
    late_s = (heard - change) / SAMPLE_RATE
    start_s, stop_s = rules.worst_case_delay_s(window_s=patches * 0.96, hop_s=0.96)
    assert late_s <= (start_s if onset else stop_s) + 1e-6


def test_an_end_is_dated_where_the_stretches_turn() -> None:
    """Answers that follow their context for three seconds more do not move the end."""
    decision = Decision(RULES)
    steps = [
        decision.update(Score(HOP * at, HOP * (at + 1), HOP * (at + 2), p, recent))
        for at, (p, recent) in enumerate(
            [(0.0, 0.0), *[(1.0, 1.0)] * 5, *[(0.9, 0.1)] * 3, *[(0.0, 0.0)] * 3], start=0
        )
    ]
    stop = next(event for step in steps for event in step.events if event.kind == "music_stopped")
    assert (stop.started, stop.ended) == (HOP, 6 * HOP)


def test_a_pause_is_not_dated_back_over() -> None:
    """The stretches before the last that spoke for music belong to it, however little they did."""
    decision = Decision(RULES)
    script = [(0.0, 0.0), *[(1.0, 1.0)] * 3, *[(0.6, 0.1)] * 2, (1.0, 0.9), *[(0.0, 0.1)] * 3]
    steps = [
        decision.update(Score(HOP * at, HOP * (at + 1), 0, p, recent)) for at, (p, recent) in enumerate(script)
    ]
    stop = next(event for step in steps for event in step.events if event.kind == "music_stopped")
    assert stop.ended == 7 * HOP
