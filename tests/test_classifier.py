"""device.hearing.classifier: pieces become scores that join, whichever kinds of model hear one after the other."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeSource, blocks_of
from hearing_fakes import fake_model, given, noise
from network_fakes import TINY_MODELS, fake_embedder, fake_segment_model, install_tiny, needs_tflite, tiny_document

from device.errors import ModelError
from device.hearing.classifier import Classifier, try_model
from device.hearing.decision import Decision, Music, Rules, Score
from device.hearing.models.loading import Model, PatchModel, SegmentModel, load_model
from device.hearing.patch_cutter import FIRST_PATCH_SAMPLES, PATCH_SAMPLES, PatchCutter
from device.pipeline import listen
from device.sound import SAMPLE_RATE, FloatArray

HOP = 7_680


def half(_: FloatArray) -> tuple[float, FloatArray]:
    """Undecided about any patch."""
    return 0.5, np.zeros(128, np.float32)


def patch_model(*, recent: int = 3) -> PatchModel:
    """Of kind `patch`."""
    return fake_embedder(half, recent_patches=recent)


def segment_model(*, recent: int = 3) -> SegmentModel:
    """Of kind `segment`."""
    return fake_segment_model(patch_model(), lambda _: 0.5, recent_patches=recent)


def scores(classifier: Classifier, samples: FloatArray) -> list[Score]:
    """All answers of a stream."""
    cutter = PatchCutter(lambda: classifier.next_samples)
    return [classifier.answer(piece) for piece in cutter.feed(samples)]


@pytest.mark.parametrize("window", [1, 2, 5, 10])
def test_scores_speak_for_the_middle_of_their_window(window: int) -> None:
    """They join from 0 on without a gap, and never speak for what was not heard."""
    found = scores(Classifier(fake_model([0.25], window_patches=window)), noise(0.96 * 14 + 0.015))
    assert len(found) == 14
    assert found[0].start == 0
    assert all(before.end == after.start < after.end for before, after in pairwise(found))
    assert all(score.end <= score.heard for score in found)
    last = found[-1]
    assert (last.start + last.end) // 2 == 14 * PATCH_SAMPLES - window * PATCH_SAMPLES // 2
    assert last.heard == FIRST_PATCH_SAMPLES + 13 * PATCH_SAMPLES


@pytest.mark.parametrize("model", [patch_model, segment_model])
@pytest.mark.parametrize("recent", [1, 2, 3, 8])
def test_scores_of_networks_speak_for_the_middle_of_the_recent_patches(
    model: Callable[..., Model], recent: int
) -> None:
    """Every 0.48 s; the segment's long context moves nothing."""
    found = scores(Classifier(model(recent=recent)), noise(12.0))
    assert len(found) == 23
    assert found[0].start == 0
    assert all(before.end == after.start < after.end <= after.heard for before, after in pairwise(found))
    last = found[-1]
    window = PATCH_SAMPLES + (recent - 1) * HOP
    assert (last.start + last.end) // 2 == PATCH_SAMPLES + 22 * HOP - window // 2
    assert last.end - last.start == HOP
    assert [score.heard for score in found] == [FIRST_PATCH_SAMPLES + HOP * number for number in range(23)]


@pytest.mark.parametrize(
    ("model", "hop_s", "window_s", "context_s"),
    [
        (fake_model(window_patches=5), 0.96, 4.8, 4.8),
        (patch_model(recent=1), 0.48, 0.96, 0.96),
        (patch_model(recent=3), 0.48, 1.92, 1.92),
        (segment_model(recent=3), 0.48, 1.92, 9.6),
        (segment_model(recent=21), 0.48, 10.56, 10.56),
    ],
)
def test_hop_window_and_context_in_seconds(model: Model, hop_s: float, window_s: float, context_s: float) -> None:
    """As `check` needs them."""
    classifier = Classifier(model)
    found = (classifier.hop_s, classifier.window_s, classifier.context_s)
    assert found == pytest.approx((hop_s, window_s, context_s))


def test_an_answer_is_the_models() -> None:
    """One call a patch, its probability unchanged."""
    model = fake_model([0.1, 0.9])
    assert [score.probability for score in scores(Classifier(model), noise(2.0))] == pytest.approx([0.1, 0.9])
    assert len(given(model)) == 2


@pytest.mark.parametrize("model", [fake_model(), patch_model(), segment_model()])
def test_no_answer_is_given_of_less_than_a_patch(model: Model) -> None:
    """Nor of more than the next: a piece of another size is a mistake of the caller."""
    classifier = Classifier(model)
    with pytest.raises(ValueError, match=r"a piece of 15360 samples, where 15600 are needed"):
        classifier.answer(np.zeros(PATCH_SAMPLES, np.float32))
    classifier.answer(np.zeros(FIRST_PATCH_SAMPLES, np.float32))
    with pytest.raises(ValueError, match=r"a piece of 15600 samples, where \d+ are needed"):
        classifier.answer(np.zeros(FIRST_PATCH_SAMPLES, np.float32))


def hear_two(first: Model, second: Model, samples: FloatArray, *, after: int) -> list[Score]:
    """Let a second model take over after so many answers."""
    classifier = Classifier(first)
    cutter = PatchCutter(lambda: classifier.next_samples)
    found: list[Score] = []
    for piece in cutter.feed(samples):
        found.append(classifier.answer(piece))
        if len(found) == after:
            classifier.replace(second)
    return found


def test_a_model_that_takes_over_hears_what_one_alone_would() -> None:
    """With a window of one patch: the same features, frames that reach over the change included."""
    alone, successor = fake_model(window_patches=1), fake_model(window_patches=1)
    scores(Classifier(alone), noise(5.0))
    hear_two(fake_model(window_patches=1), successor, noise(5.0), after=2)
    # The tracker of tones alone looks further back than one patch.
    expected, found = np.array(given(alone)[2:]), np.array(given(successor))
    assert found.shape == expected.shape
    assert np.mean(np.isclose(found, expected, atol=1e-4)) > 0.9


@pytest.mark.parametrize("first", [fake_model(), patch_model(), segment_model()])
def test_a_network_that_takes_over_hears_whole_patches(first: Model) -> None:
    """Its first patch begins where the last one of the model before it ended; then it hears every half second."""
    successor, alone = patch_model(), patch_model()
    found = hear_two(first, successor, noise(8.0), after=3)
    end = found[2].heard - 240
    scores(Classifier(alone), noise(8.0)[end:])
    assert np.allclose(given(successor), given(alone), atol=1e-4)
    assert found[3].heard - found[2].heard == PATCH_SAMPLES
    assert {two.heard - one.heard for one, two in pairwise(found[3:])} == {HOP}


MODELS: dict[str, Callable[[], Model]] = {
    "statistics 1": lambda: fake_model(window_patches=1),
    "statistics 5": lambda: fake_model(window_patches=5),
    "patch 1": lambda: patch_model(recent=1),
    "patch 8": lambda: patch_model(recent=8),
    "segment 3": segment_model,
}


@pytest.mark.parametrize("before", MODELS)
@pytest.mark.parametrize("after", MODELS)
@pytest.mark.parametrize("answers", [1, 6])
def test_times_go_on_when_a_model_takes_over(before: str, after: str, answers: int) -> None:
    """Every sample is spoken for once, in order, and never before it was heard."""
    found = hear_two(MODELS[before](), MODELS[after](), noise(16.0), after=answers)
    assert len(found) > answers + 8
    assert found[0].start == 0
    assert all(one.end == two.start < two.end <= two.heard for one, two in pairwise(found))


def test_a_model_may_take_over_before_the_first_answer() -> None:
    """Then it hears from the beginning."""
    classifier = Classifier(fake_model())
    classifier.replace(patch_model())
    found = scores(classifier, noise(3.0))
    assert (found[0].start, found[0].heard, len(found)) == (0, FIRST_PATCH_SAMPLES, 5)


@needs_tflite
@pytest.mark.parametrize("name", ["embedder", "attention"])
def test_a_model_that_works_passes_its_trial(name: str) -> None:
    """A segment model with its embedder."""
    try_model(load_model(name, directory=str(TINY_MODELS)))


@needs_tflite
def test_a_network_that_reads_something_else_fails_its_trial(tmp_path: Path) -> None:
    """Its file takes no segments of nine patches."""
    document = tiny_document("attention")
    document["input"]["segment_patches"] = 9
    path = install_tiny(tmp_path, "attention", document)
    install_tiny(tmp_path, "embedder")
    with pytest.raises(ModelError, match=r"attention\.tflite: cannot take features of shape \(9, 128\)"):
        try_model(load_model(str(path)))


@pytest.mark.parametrize("change", [192_000, 192_001, 195_839, 199_000, 199_679])
@pytest.mark.parametrize("onset", [True, False])
def test_the_worst_case_of_a_segment_model_is_its_context(change: int, *, onset: bool) -> None:
    """A network that wants all ten patches to agree answers as late as `context_s` implies, and no later."""

    def loud(patch: FloatArray) -> tuple[float, FloatArray]:
        score = float(patch.min() > -5.0 if onset else patch.max() > -5.0)
        return score, np.full(128, score, np.float32)

    slow = min if onset else max
    model = fake_segment_model(
        fake_embedder(loud), lambda segment: slow(segment[:, 0].tolist()), recent_weight=0.5
    )
    quiet, noisy = np.zeros(change, np.float32), np.sign(noise(20.0)).astype(np.float32)
    samples = np.concatenate((quiet, noisy) if onset else (noisy[:change], np.zeros(320_000, np.float32)))
    rules = Rules(on=0.9, off=0.1, min_on_s=1.0, min_off_s=1.0)
    classifier = Classifier(model)
    wanted = Music.ON if onset else Music.OFF
    found = listen(FakeSource(blocks_of(samples)), classifier, Decision(rules))
    shown = [each.heard for each in found if each.heard > change and each.state is wanted]
    worst_s = rules.worst_case_delay_s(window_s=classifier.context_s, hop_s=classifier.hop_s)[0]
    late_s = (shown[0] - change) / SAMPLE_RATE
    assert worst_s - 2 * classifier.hop_s < late_s <= worst_s + 0.1  # a block's length
