"""export.training.batches: what a step of training sees is fixed by the seed and the number of the step."""

import threading
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from training_fakes import examples_of
from waiting import DEADLINE_S

from device.hearing.front_end.features import LOG_MEL
from device.hearing.models.inputs import HOP_FRAMES
from export.corpus.audioset import CLASSES, MUSIC_CLASS
from export.training.batches import Augmentation, Batch, BatchMaker, factors, target
from export.training.scenes import FRAMES, LABELLED
from export.training.shards import Examples

UNTOUCHED = Augmentation(equalised=0.0, gained=0.0, masked=0.0)

HALF = np.tile([[1.0], [0.0]], (4, 1))
"""Labels of eight scenes, every second one music."""


def same(first: Batch, second: Batch) -> bool:
    """To the last bit."""
    return all(one.tobytes() == other.tobytes() for one, other in zip(first, second, strict=True))


def filling() -> list[str]:
    """Threads that make batches."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("batches")]


def ruler() -> Examples:
    """Two scenes whose mel is the number of the frame, and whose teacher's first class is that of the label."""
    examples = examples_of([[0.0], [0.0]])
    mel = np.broadcast_to(np.arange(FRAMES, dtype=np.float16)[None, :, None], examples.mel.shape)
    teacher = np.zeros_like(examples.teacher)
    teacher[:, :, 0] = np.arange(LABELLED)
    return replace(examples, mel=mel, teacher=teacher)


def frames_of(batch: Batch) -> np.ndarray:
    """(n, 96, 64): the frame that each value comes from, if the examples are a ruler's."""
    return np.exp(batch.patches) - LOG_MEL.log_offset


def test_a_batch_has_its_shapes() -> None:
    """A row a patch in every field, float32."""
    batch = BatchMaker(examples_of(HALF), size=5, seed=1).make(0)
    assert batch.patches.shape == (5, 96, 64)
    assert batch.teacher.shape == (5, CLASSES)
    for field in (batch.music, batch.music_weight, batch.speech, batch.speech_weight):
        assert field.shape == (5, 1)
    assert all(array.dtype == np.float32 for array in batch)


def test_seed_and_number_fix_a_batch() -> None:
    """Bit for bit, whatever was made before; another number or seed gives another."""
    maker = BatchMaker(examples_of(HALF), size=16, seed=1)
    wanted = maker.make(7)
    maker.make(3)
    assert same(maker.make(7), wanted)
    assert same(BatchMaker(examples_of(HALF), size=16, seed=1).make(7), wanted)
    assert not same(maker.make(8), wanted)
    assert not same(BatchMaker(examples_of(HALF), size=16, seed=2).make(7), wanted)


@pytest.mark.parametrize("first", [0, 3])
def test_batches_come_in_order_wherever_a_course_resumes(first: int) -> None:
    """As if each were made alone; then the thread is gone."""
    maker = BatchMaker(examples_of(HALF), size=4, seed=1)
    found = list(maker.ahead(first, 9))
    assert len(found) == 9 - first
    assert all(same(batch, maker.make(number)) for number, batch in enumerate(found, first))
    assert not filling()


def test_a_course_that_is_over_has_no_batches() -> None:
    """Nor a thread."""
    assert list(BatchMaker(examples_of(HALF), size=4, seed=1).ahead(5, 5)) == []
    assert not filling()


@pytest.mark.parametrize(("taken", "depth"), [(1, 1), (1, 4), (3, 2)])
def test_whoever_stops_early_stops_the_thread(taken: int, depth: int) -> None:
    """It does not wait for ever for room, whether it has filled what there was or not."""
    batches = BatchMaker(examples_of(HALF), size=4, seed=1).ahead(0, 1_000_000, depth=depth)
    assert len(list(islice(batches, taken))) == taken
    assert filling()
    batches.close()
    assert not filling()


def test_no_more_batches_wait_than_asked_for() -> None:
    """Memory is bounded: while one is used, three more are made, and no fourth."""

    class Counting(BatchMaker):
        made = 0
        third = threading.Event()

        def make(self, number: int) -> Batch:
            batch = super().make(number)
            self.made += 1
            if self.made == 1 + 3:
                self.third.set()
            return batch

    maker = Counting(examples_of(HALF), size=4, seed=1)
    batches = maker.ahead(0, 1_000, depth=3)
    next(batches)
    assert maker.third.wait(DEADLINE_S)
    batches.close()
    assert maker.made == 1 + 3


def test_what_goes_wrong_is_raised_where_the_batch_is_wanted() -> None:
    """Not lost in the thread; the batches before it arrive."""

    class Failing(BatchMaker):
        def make(self, number: int) -> Batch:
            if number == 2:
                raise OverflowError("no batch 2")
            return super().make(number)

    batches = Failing(examples_of(HALF), size=4, seed=1).ahead(0, 9)
    assert len(list(islice(batches, 2))) == 2
    with pytest.raises(OverflowError, match="no batch 2"):
        next(batches)
    assert not filling()


def test_a_patch_is_cut_where_its_label_is() -> None:
    """Up to 8 frames beside it, in one piece, and within the scene."""
    batch = BatchMaker(ruler(), size=300, seed=1, augmentation=UNTOUCHED).make(0)
    frames = frames_of(batch)
    first = np.round(frames[:, 0, 0])
    assert np.abs(frames - (first[:, None] + np.arange(96))[:, :, None]).max() < 0.01
    place = np.round(batch.teacher[:, 0] * 255)
    assert set(place.tolist()) == set(range(LABELLED))
    beside = first - place * HOP_FRAMES
    inner = (place > 0) & (place < LABELLED - 1)
    assert set(beside[inner].tolist()) == set(range(-8, 9))
    assert first.min() == 0
    assert first.max() == FRAMES - 96


@pytest.mark.parametrize(
    ("part", "wanted"), [(0.0, 0.0), (0.2, 0.0), (0.3, 0.25), (0.4, 0.5), (0.6, 1.0), (1.0, 1.0)]
)
def test_targets_ramp(part: float, wanted: float) -> None:
    """A patch with a little music is none, one with much is all music."""
    music, weight = target(np.array([[part]], np.float32))
    assert music[0, 0] == pytest.approx(wanted, abs=1e-6)
    assert weight[0, 0] == 1


def test_what_nobody_knows_has_no_weight() -> None:
    """Its target is a number all the same, so that its loss is none."""
    music, weight = target(np.array([np.nan, 1.0], np.float32))
    assert weight.tolist() == [0, 1]
    assert np.isfinite(music).all()
    batch = BatchMaker(examples_of([[np.nan]]), size=8, seed=1).make(0)
    assert not batch.music_weight.any()
    assert np.isfinite(batch.music).all()
    assert batch.speech_weight.all()


def test_the_teacher_has_a_share_in_the_target() -> None:
    """Of 15 %, towards what it heard."""
    examples = examples_of([[1.0]])
    examples.teacher[:] = 0
    examples.teacher[:, :, MUSIC_CLASS] = 51
    batch = BatchMaker(examples, size=4, seed=1, teacher_share=0.15).make(0)
    assert batch.music == pytest.approx(0.85 + 0.15 * 51 / 255)
    assert BatchMaker(examples, size=4, seed=1, teacher_share=0.0).make(0).music == pytest.approx(1)


def test_masks_silence_bands_and_frames() -> None:
    """Up to ten neighbouring bands, up to twelve neighbouring frames, of every patch if that is asked for."""
    how = Augmentation(equalised=0.0, gained=0.0, masked=1.0)
    silent = np.abs(frames_of(BatchMaker(examples_of(HALF), size=100, seed=1, augmentation=how).make(0))) < 1e-6
    for bands, frames in ((patch.all(axis=0), patch.all(axis=1)) for patch in silent):
        for masked, most in ((bands, 10), (frames, 12)):
            where = np.flatnonzero(masked)
            assert 1 <= len(where) <= most
            assert where[-1] - where[0] == len(where) - 1


def test_factors_are_a_curve_and_a_gain() -> None:
    """The same in every frame, smooth over the bands, and 1 where nothing is asked for."""
    found = factors(np.random.default_rng(1), 200, Augmentation())
    assert found.shape == (200, 1, 64)
    assert found.dtype == np.float32
    assert np.abs(np.diff(20 * np.log10(found), axis=2)).max() < 6
    assert np.all(factors(np.random.default_rng(1), 200, UNTOUCHED) == 1)


def test_gains_are_in_their_range() -> None:
    """Half of the patches get one."""
    how = Augmentation(equalised=0.0, gained=0.5, gain_db=(-12.0, 6.0))
    gain_db = 20 * np.log10(factors(np.random.default_rng(1), 400, how)[:, 0, 0])
    changed = gain_db[gain_db != 0]
    assert 160 < len(changed) < 240
    assert -12.01 < changed.min() < -10
    assert 4 < changed.max() < 6.01
