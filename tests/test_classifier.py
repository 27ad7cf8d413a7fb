"""device.hearing.classifier: blocks of any size become the same patches and the same scores."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hearing_fakes import FakeModel, noise, sidecar_of

from device.errors import ModelError
from device.hearing.classifier import FIRST_PATCH_SAMPLES, PATCH_SAMPLES, Classifier, PatchCutter
from device.sources.base import FloatArray


def cut(samples: FloatArray, block: int) -> list[FloatArray]:
    """Every patch of a stream that comes in blocks, its end included."""
    cutter = PatchCutter()
    patches = [patch for at in range(0, len(samples), block) for patch in cutter.feed(samples[at : at + block])]
    return [*patches, *cutter.finish()]


def test_the_first_patch_is_longer() -> None:
    """Its last frame reaches 15 ms further; then every patch is 0.96 s."""
    assert [len(patch) for patch in cut(noise(4.0), 1600)] == [15_600, 15_360, 15_360, 15_360]


@pytest.mark.parametrize("block", [1, 999, 15_360, 15_600, 64_000])
def test_patches_do_not_depend_on_blocks(block: int) -> None:
    """The same samples at the same places."""
    samples = noise(3.0)
    patches = np.concatenate(cut(samples, block))
    assert np.array_equal(patches, samples[: len(patches)])
    assert len(patches) == FIRST_PATCH_SAMPLES + 2 * PATCH_SAMPLES


def test_a_stream_shorter_than_a_patch_is_padded() -> None:
    """It is heard as if silence followed."""
    (patch,) = cut(noise(0.5), 1600)
    assert np.array_equal(patch[:8000], noise(0.5))
    assert not patch[8000:].any()
    assert len(patch) == FIRST_PATCH_SAMPLES


def test_a_rest_after_a_patch_is_dropped() -> None:
    """Padding it would invent silence at the end of every recording."""
    assert len(cut(noise(1.5), 1600)) == 1


def test_nothing_gives_nothing() -> None:
    """No sample, no patch."""
    assert cut(noise(0.0), 1600) == []


def test_heard_counts_samples() -> None:
    """Those in patches and those that wait for one."""
    cutter = PatchCutter()
    list(cutter.feed(noise(1.5)))
    assert cutter.heard == 24_000


def test_a_patch_is_the_receivers() -> None:
    """The next samples do not show in a patch that was given out."""
    cutter = PatchCutter()
    (patch,) = cutter.feed(np.ones(FIRST_PATCH_SAMPLES, np.float32))
    list(cutter.feed(np.zeros(PATCH_SAMPLES, np.float32)))
    assert patch.all()


@pytest.mark.parametrize("window", [1, 2, 5, 10])
def test_scores_speak_for_the_middle_of_their_window(window: int) -> None:
    """They join from 0 on without a gap, and never speak for what was not heard."""
    classifier = Classifier(FakeModel([0.25], window_patches=window))
    found = [classifier.answer(patch) for patch in PatchCutter().feed(noise(0.96 * 14 + 0.015))]
    assert len(found) == 14
    assert found[0].start == 0
    assert all(before.end == after.start < after.end for before, after in pairwise(found))
    assert all(score.end <= score.heard for score in found)
    last = found[-1]
    assert (last.start + last.end) // 2 == 14 * PATCH_SAMPLES - window * PATCH_SAMPLES // 2
    assert last.heard == FIRST_PATCH_SAMPLES + 13 * PATCH_SAMPLES


def test_hop_and_window_in_seconds() -> None:
    """As `check` shows them."""
    classifier = Classifier(FakeModel(window_patches=5))
    assert classifier.hop_s == pytest.approx(0.96)
    assert classifier.window_s == pytest.approx(4.8)


def test_an_answer_is_the_models() -> None:
    """One call a patch, its probability unchanged."""
    model = FakeModel([0.1, 0.9])
    classifier = Classifier(model)
    answers = [classifier.answer(patch).probability for patch in PatchCutter().feed(noise(2.0))]
    assert answers == [pytest.approx(0.1), pytest.approx(0.9)]
    assert model.calls == 2


class Listening:
    """A model that keeps what it was given, and answers 0.5."""

    def __init__(self, *, window_patches: int) -> None:
        self.sidecar = sidecar_of(window_patches=window_patches)
        self.heard: list[FloatArray] = []

    def probability(self, features: FloatArray) -> FloatArray:
        """Keep them."""
        self.heard.append(features)
        return np.array([0.5], np.float32)


def test_a_model_that_takes_over_hears_what_one_alone_would() -> None:
    """With a window of one patch: the same features, frames that reach over the change included."""
    patches = cut(noise(5.0), 1600)
    alone, successor = Listening(window_patches=1), Listening(window_patches=1)
    undisturbed = Classifier(alone)
    changed = Classifier(Listening(window_patches=1))
    for number, patch in enumerate(patches):
        undisturbed.answer(patch)
        if number == 2:
            changed.replace(successor)
        changed.answer(patch)
    # The tracker of tones alone looks further back than one patch.
    expected, found = np.concatenate(alone.heard[2:]), np.concatenate(successor.heard)
    assert found.shape == expected.shape
    assert np.mean(np.isclose(found, expected, atol=1e-4)) > 0.9


@pytest.mark.parametrize("windows", [(1, 5), (5, 1), (3, 3)])
def test_times_go_on_when_a_model_takes_over(windows: tuple[int, int]) -> None:
    """Every sample is spoken for once, in order, and `heard` counts on."""
    before, after = windows
    classifier = Classifier(Listening(window_patches=before))
    scores = []
    for number, patch in enumerate(cut(noise(12.0), 1600)):
        if number == 6:
            classifier.replace(Listening(window_patches=after))
        scores.append(classifier.answer(patch))
    assert all(one.end == two.start < two.end <= two.heard for one, two in pairwise(scores))
    assert [score.heard for score in scores] == [15_600 + 15_360 * number for number in range(len(scores))]


def test_a_model_that_cannot_be_used_does_not_take_over() -> None:
    """The old one answers on."""
    model = FakeModel([0.25])
    classifier = Classifier(model)
    unknown = FakeModel()
    unknown.sidecar = replace(unknown.sidecar, kind="telepathy")
    with pytest.raises(ModelError, match="telepathy"):
        classifier.replace(unknown)
    assert classifier.answer(cut(noise(1.0), 1600)[0]).probability == 0.25
