"""device.pipeline: a source becomes observations, the same ones however its blocks are cut."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from fakes import FakeSource, blocks_of
from hearing_fakes import fake_model, noise, scene
from network_fakes import TINY_MODELS, needs_tflite

from device.errors import SourceLost
from device.hearing.classifier import Classifier
from device.hearing.decision import Decision, Event, Music, Rules, Score, Segment
from device.hearing.models.loading import Model, load_model
from device.pipeline import Observation, listen
from device.sound import SAMPLE_RATE, Block, FloatArray

RULES = Rules(on=0.5, off=0.35, min_on_s=1.5, min_off_s=2.5)

Outcome = list[tuple[Score | None, Music, int, int, tuple[Event, ...], tuple[Segment, ...]]]


def observations(
    blocks: Sequence[Block], model: Model, *, flat_line_limit_s: float = math.inf, origin: float = 0.0
) -> list[Observation]:
    """Everything that is observed of a source."""
    heard = listen(
        FakeSource(blocks),
        Classifier(model),
        Decision(RULES),
        flat_line_limit_s=flat_line_limit_s,
        origin=origin,
    )
    return list(heard)


def outcome(samples: FloatArray, model: Model, *, block: int) -> Outcome:
    """All of it that must not depend on the blocks or the clock."""
    return comparable(observations(blocks_of(samples, block=block), model))


def comparable(found: Iterable[Observation]) -> Outcome:
    """What must be equal of observations."""
    return [
        (
            each.score,
            each.state,
            each.since,
            each.heard if each.condition == "ended" else 0,
            each.step.events,
            each.step.segments,
        )
        for each in found
    ]


SCENE = scene(36.0)


@pytest.fixture(scope="module")
def logistic() -> Model:
    """The bundled model."""
    return load_model("logistic")


@pytest.fixture(scope="module")
def expected(logistic: Model) -> Outcome:
    """What the scene gives in blocks of 0.1 s."""
    return outcome(SCENE, logistic, block=1600)


@pytest.mark.parametrize("block", [160, 1000, 4096, 15_360, 50_000, len(SCENE)])
def test_blocks_of_any_size_give_identical_observations(block: int, logistic: Model, expected: Outcome) -> None:
    """Scores, states, events and segments are equal to the last bit."""
    assert outcome(SCENE, logistic, block=block) == expected


def test_single_samples_give_identical_observations(logistic: Model) -> None:
    """The smallest blocks there are."""
    assert outcome(SCENE[:50_000], logistic, block=1) == outcome(SCENE[:50_000], logistic, block=1600)


@needs_tflite
@pytest.mark.parametrize("name", ["embedder", "attention"])
def test_networks_give_identical_observations(name: str) -> None:
    """Real int8 files, blocks of any size: equal to the last bit, and not all the same."""
    model = load_model(name, directory=str(TINY_MODELS))
    first, *others = (outcome(SCENE, model, block=block) for block in (1600, 160, 1000, 7_680, 50_000, len(SCENE)))
    assert all(other == first for other in others)
    assert len({score.probability for score, *_ in first if score}) > 20
    assert len([segment for *_, segments in first for segment in segments]) >= 2


def swapped(samples: FloatArray, models: Sequence[Model], *, block: int) -> Outcome:
    """The outcome when another model takes over after every fifth answer."""
    classifier, decision = Classifier(models[0]), Decision(RULES)
    found: list[Observation] = []
    for each in listen(FakeSource(blocks_of(samples, block=block)), classifier, decision):
        found.append(each)
        if len(found) % 5 == 0:
            classifier.replace(models[len(found) // 5 % len(models)])
    return comparable(found)


@needs_tflite
def test_models_that_take_over_give_identical_observations(logistic: Model) -> None:
    """Of every kind, one after the other, in the middle of a block or at its end."""
    models = [logistic, *(load_model(name, directory=str(TINY_MODELS)) for name in ("attention", "embedder"))]
    first, *others = (swapped(SCENE, models, block=block) for block in (1600, 7_680, 15_360, 50_000, len(SCENE)))
    assert all(other == first for other in others)
    heard = [score.heard for score, *_ in first if score]
    assert [later - before for before, later in pairwise(heard)][:14] == [15_360] * 5 + [7_680] * 4 + [15_360] + [
        7_680
    ] * 4


def test_the_scene_has_music_in_its_middle(expected: Outcome) -> None:
    """The bundled model hears the chords: the comparisons above compare something."""
    segments = [segment for *_, found in expected for segment in found]
    music = [segment for segment in segments if segment.music is Music.ON]
    assert any(segment.start < 18 * SAMPLE_RATE < segment.end for segment in music)
    assert (segments[0].start, segments[-1].end) == (0, len(SCENE))


def test_less_than_a_patch_gives_one_answer() -> None:
    """And it ends where the recording does."""
    found = observations(blocks_of(noise(0.3)), fake_model([0.75]))
    assert [each.condition for each in found] == ["hearing", "ended"]
    assert [segment for each in found for segment in each.step.segments] == [Segment(0, 4800, Music.ON, 0.75)]


def test_an_empty_source_gives_none() -> None:
    """Only the end is observed."""
    (end,) = observations([], fake_model())
    assert (end.condition, end.state, end.heard, end.score, end.step.events) == (
        "ended",
        Music.UNKNOWN,
        0,
        None,
        (),
    )


def test_a_flat_line_is_deaf_until_it_ends() -> None:
    """Music ends with it, the state is unknown, and sound brings a state again."""
    samples = np.concatenate((noise(5.0), np.zeros(6 * SAMPLE_RATE, np.float32), noise(6.0)))
    found = observations(blocks_of(samples), fake_model([0.9]), flat_line_limit_s=3.0)
    conditions = [each.condition for each in found]
    first, last = conditions.index("flat line"), len(conditions) - 1 - conditions[::-1].index("flat line")
    assert set(conditions[first : last + 1]) == {"flat line"}
    assert {each.state for each in found[first : last + 1]} == {Music.UNKNOWN}
    assert {each.score for each in found[first : last + 1]} == {None}
    assert found[-2].state is Music.ON
    kinds = [event.kind for each in found for event in each.step.events]
    assert kinds == ["music_started", "music_stopped"] * 2


def test_after_a_flat_line_nothing_is_dated_into_it() -> None:
    """A score lags by half its window; what begins after a flat line does not begin before its end was closed."""
    samples = np.concatenate((noise(8.0), np.zeros(4 * SAMPLE_RATE, np.float32), noise(12.0)))
    found = observations(blocks_of(samples), fake_model([0.9], window_patches=5), flat_line_limit_s=3.0)
    first, second = (segment for each in found for segment in each.step.segments)
    assert first.end <= second.start


def test_silence_is_no_flat_line_where_it_is_legitimate() -> None:
    """Without a limit a recording may be silent for as long as it likes."""
    found = observations(blocks_of(np.zeros(20 * SAMPLE_RATE, np.float32)), fake_model())
    assert {each.condition for each in found} == {"hearing", "ended"}


def test_small_differences_of_the_clock_change_nothing() -> None:
    """Sample time counts; jitter of the wall clock up to 0.5 s is not the source's."""
    blocks = [
        Block(each.samples, each.start, wall_time=1000 + each.start / SAMPLE_RATE + jitter)
        for each, jitter in zip(blocks_of(noise(4.0)), np.linspace(-0.45, 0.45, 40), strict=True)
    ]
    assert {each.origin for each in observations(blocks, fake_model(), origin=1000.0)} == {1000.0}


def test_a_jump_of_the_clock_dates_sample_zero_anew() -> None:
    """After lost samples, or when the clock was set."""
    blocks = [
        Block(
            each.samples, each.start, wall_time=(1000 if each.start < 32_000 else 1003) + each.start / SAMPLE_RATE
        )
        for each in blocks_of(noise(4.0))
    ]
    origins = [each.origin for each in observations(blocks, fake_model(), origin=1000.0)]
    assert origins == [1000.0, 1000.0, 1003.0, 1003.0, 1003.0]


def test_what_blocks_report_adds_up() -> None:
    """Overruns and invalid samples reach the observation's health."""
    blocks = [Block(each.samples, each.start, overruns=1, invalid=3) for each in blocks_of(noise(2.0))]
    last = observations(blocks, fake_model())[-1]
    assert (last.health.overruns, last.health.invalid) == (20, 60)


def test_a_lost_source_leaves_the_decision_to_be_closed() -> None:
    """The error passes, after the observations that came before it."""
    source = FakeSource(blocks_of(noise(4.0)), failures=[SourceLost("gone")])
    decision = Decision(RULES)
    found: list[Observation] = []
    with pytest.raises(SourceLost, match="gone"):
        found.extend(listen(source, Classifier(fake_model([0.9])), decision))
    assert found[-1].state is Music.ON
    assert [event.kind for event in decision.lose().events] == ["music_stopped"]
