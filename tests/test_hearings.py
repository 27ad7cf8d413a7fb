"""device.hearing.hearings: what each kind of model makes of a stream, against the same made in one go."""

import math
from dataclasses import asdict, replace
from typing import TypeVar

import hypothesis
import numpy as np
import pytest
from hearing_fakes import given, noise, scene
from hypothesis import strategies as st
from network_fakes import (
    TINY_MODELS,
    fake_embedder,
    fake_segment_model,
    fake_statistics_segment_model,
    needs_tflite,
)

from device.hearing.classifier import Classifier
from device.hearing.front_end.features import LOG_MEL, Spectra
from device.hearing.front_end.stream import FrontEnd
from device.hearing.hearings import Hearing, hearing_of, joined_score, segment_places
from device.hearing.models.loading import LoadedModel, PatchModel, SegmentModel, load_model
from device.hearing.models.sidecar import Calibration
from device.hearing.patch_cutter import PatchCutter
from device.hearing.statistics.statistics import NAMES, WindowStatistics
from device.sound import FloatArray

FIRST = 15_600

Calibrated = TypeVar("Calibrated", bound=LoadedModel)


class Numbered:
    """Says of the first patch 0.00, of the next 0.01, and so on; the embedding is that number."""

    def __init__(self) -> None:
        self.number = -1

    def __call__(self, _: FloatArray) -> tuple[float, FloatArray]:
        """Of the next patch."""
        self.number += 1
        return self.number / 100, np.full(128, self.number, np.float32)


class CountingFrontEnd(FrontEnd):
    """Counts the frames that it computes."""

    def __init__(self) -> None:
        super().__init__()
        self.frames = 0

    def feed(self, samples: FloatArray) -> Spectra:
        """As the real one."""
        spectra = super().feed(samples)
        self.frames += len(spectra.mel)
        return spectra


def answers(hearing: Hearing, samples: FloatArray) -> list[float]:
    """All answers of a stream."""
    hop = hearing.hop_samples
    ends = range(FIRST, len(samples) + 1, hop)
    return [hearing.answer(samples[0 if end == FIRST else end - hop : end]) for end in ends]


def patches_of(samples: FloatArray) -> FloatArray:
    """(n, 96, 64): the patches of a whole recording, of frames that were computed in one go."""
    frames = FrontEnd().feed(samples).log_mel()
    return np.stack([frames[start : start + 96] for start in range(0, len(frames) - 95, 48)])


def calibrated(model: Calibrated) -> Calibrated:
    """The model, whose odds are squared."""
    return replace(model, sidecar=replace(model.sidecar, calibration=Calibration("platt", slope=2.0)))


@pytest.mark.parametrize(
    ("patches", "places"),
    [
        (1, [0] * 10),
        (2, [1] * 10),
        (3, [0, 2] * 5),
        (6, [1, 3, 5, 1, 3, 5, 1, 3, 5, 1]),
        (18, [1, 3, 5, 7, 9, 11, 13, 15, 17, 1]),
        (19, [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]),
        (20, [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]),
        (101, [82, 84, 86, 88, 90, 92, 94, 96, 98, 100]),
    ],
)
def test_a_segment_is_every_second_patch(patches: int, places: list[int]) -> None:
    """The newest last; where there are too few, those that are there again, in their order."""
    assert segment_places(patches, 10) == places


@pytest.mark.parametrize(
    ("recent", "segment", "weight", "joined"),
    [
        (0.3, 0.8, 1.0, 0.3),
        (0.3, 0.8, 0.0, 0.8),
        (0.7, 0.7, 0.4, 0.7),
        (0.2, 0.8, 0.5, 0.5),
        (0.9, 0.5, 0.5, 0.75),
        (1.0, 0.0, 0.5, 0.5),
        (1.0, 1.0, 0.5, 511 / 512),
        (0.0, 0.0, 0.5, 1 / 512),
    ],
)
def test_scores_are_joined_in_log_odds(recent: float, segment: float, weight: float, joined: float) -> None:
    """Weighted; neither counts as surer than 511 to 1."""
    assert joined_score(recent, segment, weight) == pytest.approx(joined)


@hypothesis.given(st.lists(st.floats(0, 1), min_size=2, max_size=2), st.floats(0, 1), st.floats(0, 1))
def test_more_of_either_score_is_never_less(recent: list[float], segment: float, weight: float) -> None:
    """And the joined score lies between the two, as a probability."""
    low, high = (joined_score(each, segment, weight) for each in sorted(recent))
    assert 0 < low <= high < 1


def test_patches_are_cut_from_the_stream_every_half_second() -> None:
    """Each one is what the same stretch of the whole recording gives."""
    model = fake_embedder(Numbered())
    answers(hearing_of(model), scene(6.0))
    assert np.allclose(given(model), patches_of(scene(6.0)), atol=1e-4)
    assert len(given(model)) == 11


@pytest.mark.parametrize("kind", ["patch", "segment"])
def test_each_frame_is_computed_once(kind: str) -> None:
    """Although patches overlap by half, and segments by nine tenths."""
    front_end = CountingFrontEnd()
    embedder = fake_embedder(Numbered())
    model = embedder if kind == "patch" else fake_segment_model(embedder, lambda _: 0.5)
    answers(hearing_of(model, lambda: front_end), noise(12.0))
    assert front_end.frames == 96 + 48 * (len(given(embedder)) - 1) == 1_200 - 48


def test_the_logarithms_offset_is_the_models() -> None:
    """VGGish's is another than YAMNet's."""
    model = fake_embedder(Numbered(), front_end=asdict(LOG_MEL) | {"log_offset": 0.01})
    hearing_of(model).answer(np.zeros(FIRST, np.float32))
    assert np.allclose(given(model), np.log(0.01))


def test_a_patch_models_answer_is_the_mean_of_the_recent_scores() -> None:
    """Of as many as its description says, and of fewer at the start."""
    found = answers(hearing_of(fake_embedder(Numbered(), recent_patches=3)), noise(4.0))
    assert found == pytest.approx([0.0, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05])


def test_an_answer_is_calibrated() -> None:
    """After the mean was taken."""
    model = calibrated(fake_embedder(lambda _: (0.4, np.zeros(128, np.float32))))
    assert hearing_of(model).answer(noise(0.975)) == pytest.approx(0.16 / (0.16 + 0.36))


def test_a_segment_holds_the_embeddings_of_its_patches() -> None:
    """In order, each of them made once."""
    embedder = fake_embedder(Numbered())
    model = fake_segment_model(embedder, lambda _: 0.5)
    answers(hearing_of(model), noise(12.0))
    assert len(given(embedder)) == len(given(model)) == 23
    for number, segment in enumerate(given(model), start=1):
        assert segment.shape == (10, 128)
        assert segment[:, 0].tolist() == segment_places(number, 10)


def test_a_segment_models_answer_joins_recent_patches_and_segment() -> None:
    """By the weight that its description states."""
    model = fake_segment_model(fake_embedder(Numbered()), lambda _: 0.6, recent_patches=2, recent_weight=0.25)
    found = answers(hearing_of(model), noise(12.0))
    recent = [0.0, *(number - 0.005 for number in np.arange(1, 23) / 100)]
    assert found == pytest.approx([joined_score(score, 0.6, 0.25) for score in recent], abs=1e-6)


def test_the_segment_is_judged_every_so_often() -> None:
    """At the first patch and after every fourth; in between its last judgement holds."""
    judgements = iter((0.2, 0.4, 0.6, 0.8))
    model = fake_segment_model(
        fake_embedder(lambda _: (0.5, np.zeros(128, np.float32))),
        lambda _: next(judgements),
        recent_weight=0.0,
        segment_every=4,
    )
    found = answers(hearing_of(model), noise(0.975 + 9 * 0.48))
    assert found == pytest.approx([0.2] * 4 + [0.4] * 4 + [0.6] * 2, abs=1e-6)
    assert [segment[:, 0].size for segment in given(model)] == [10, 10, 10]


def test_a_segment_of_music_is_judged_at_once_where_music_seems_over() -> None:
    """At each patch that says so, until the judgement agrees; where it begins, a judgement holds as ever."""
    scores = iter((0.9, 0.9, 0.2, 0.2, 0.2, 0.9, 0.9, 0.9, 0.9))
    judgements = iter((0.8, 0.7, 0.3, 0.4, 0.6))
    model = fake_segment_model(
        fake_embedder(lambda _: (next(scores), np.zeros(128, np.float32))),
        lambda _: next(judgements),
        recent_patches=1,
        recent_weight=0.0,
        segment_every=4,
    )
    found = answers(hearing_of(model), noise(0.975 + 8 * 0.48))
    assert found == pytest.approx([0.8, 0.8, 0.7, 0.3, 0.4, 0.4, 0.4, 0.4, 0.6], abs=1e-6)


def test_sure_patches_in_a_row_are_music_without_waiting() -> None:
    """The least sure of them decides, so much lower in log odds; one patch alone is not enough."""
    scores = iter((0.1, 0.95, 0.1, 0.95, 0.9, 0.1))
    model = fake_segment_model(
        fake_embedder(lambda _: (next(scores), np.zeros(128, np.float32))),
        lambda _: 0.01,
        recent_patches=1,
        recent_weight=0.0,
        quick_patches=2,
        quick_discount=1.0,
    )
    found = answers(hearing_of(model), noise(0.975 + 5 * 0.48))
    quick = 0.9 / (0.9 + 0.1 * math.e)
    low = 0.1 / (0.1 + 0.9 * math.e)
    assert found == pytest.approx([0.01, low, low, low, quick, low], abs=1e-6)


@pytest.mark.parametrize("said", [0.0, 1e-4, 0.3, 1.0])
def test_a_head_that_speaks_alone_is_taken_at_its_word(said: float) -> None:
    """Where recent patches weigh nothing, its score is the answer, however sure it is."""
    model = fake_segment_model(fake_embedder(Numbered()), lambda _: said, recent_weight=0.0)
    assert hearing_of(model).answer(noise(0.975)) == np.float32(said)


def test_a_head_may_be_given_the_pooled_segment() -> None:
    """Mean and deviation of each value of the embeddings, standardised within the limit."""
    scaling = {"mean": [1.0] * 256, "scale": [2.0] * 256, "limit": 3.0}
    model = fake_segment_model(
        fake_embedder(Numbered()), lambda _: 0.5, recent_weight=0.0, pooling="mean_std", standardisation=scaling
    )
    answers(hearing_of(model), noise(12.0))
    for number, pooled in enumerate(given(model), start=1):
        places = segment_places(number, 10)
        expected = np.repeat([np.mean(places), np.std(places)], 128)
        assert pooled == pytest.approx(np.clip((expected - 1) / 2, -3, 3))
    assert max(pooled.max() for pooled in given(model)) == 3.0


def test_a_segment_of_statistics_holds_those_of_its_patches() -> None:
    """Each is what the patch and the four before it are like; an answer every 0.96 s."""
    model = fake_statistics_segment_model(lambda _: 0.5)
    answers(hearing_of(model), scene(15.0))
    front_end, window = FrontEnd(), WindowStatistics()
    patches = [window.push(piece, front_end.feed(piece)) for piece in PatchCutter().feed(scene(15.0))]
    assert len(given(model)) == len(patches) == 15
    for number, segment in enumerate(given(model), start=1):
        assert segment.shape == (10, len(NAMES))
        assert np.array_equal(segment, np.stack([patches[place] for place in segment_places(number, 10, 1)]))


def test_an_answer_on_statistics_is_calibrated() -> None:
    """What the head says, as it is."""
    model = calibrated(fake_statistics_segment_model(lambda _: 0.4))
    assert hearing_of(model).answer(noise(0.975)) == pytest.approx(0.16 / (0.16 + 0.36))


def test_an_answer_on_statistics_speaks_for_its_segment() -> None:
    """9.6 s; the oldest patch looks back on 3.84 s more."""
    classifier = Classifier(fake_statistics_segment_model(lambda _: 0.5, recent_patches=None))
    assert (classifier.hop_s, classifier.window_s, classifier.context_s) == pytest.approx((0.96, 9.6, 13.44))


@pytest.mark.parametrize("block", [999, 15_360, 64_000])
def test_a_segment_of_statistics_does_not_depend_on_blocks(block: int) -> None:
    """To the last bit: live is as offline."""
    sound = scene(15.0)

    def heard(size: int) -> list[float]:
        classifier = Classifier(
            fake_statistics_segment_model(lambda given: float(np.abs(given).mean() % 1), pooling="mean_std")
        )
        cutter = PatchCutter(lambda: classifier.next_samples)
        blocks = (sound[begin : begin + size] for begin in range(0, sound.size, size))
        return [classifier.answer(piece).probability for each in blocks for piece in cutter.feed(each)]

    assert heard(block) == heard(sound.size)
    assert len(set(heard(block))) == 15


@needs_tflite
def test_a_patch_model_hears_what_its_file_says() -> None:
    """A real file, in a stream and in one go; what computes a frame alone or with others differs by rounding."""
    model = load_model("embedder", directory=str(TINY_MODELS))
    assert isinstance(model, PatchModel)
    scores = [model.embed(patch)[0] for patch in patches_of(scene(12.0))]
    means = [np.mean(scores[max(0, end - 3) : end]) for end in range(1, len(scores) + 1)]
    expected = model.sidecar.calibration(np.array(means, np.float32))
    found = answers(hearing_of(model), scene(12.0))
    assert found == pytest.approx(expected.tolist(), abs=0.02)
    assert np.ptp(found) > 0.3


@needs_tflite
def test_a_segment_model_hears_what_its_files_say() -> None:
    """The same, of both networks."""
    model = load_model("attention", directory=str(TINY_MODELS))
    assert isinstance(model, SegmentModel)
    heard = [model.embedder.embed(patch) for patch in patches_of(scene(24.0))]
    expected = []
    for end in range(1, len(heard) + 1):
        segment = np.stack([heard[place][1] for place in segment_places(end, 10)])
        recent = float(np.mean([score for score, _ in heard[max(0, end - 3) : end]]))
        expected.append(joined_score(recent, float(model.raw(segment[None])[0]), 0.6))
    found = answers(hearing_of(model), scene(24.0))
    expected = model.sidecar.calibration(np.array(expected, np.float32)).tolist()
    assert found == pytest.approx(expected, abs=0.03)
    assert np.ptp(found) > 0.3
