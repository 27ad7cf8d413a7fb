"""device.hearing.statistics.pooling: a segment model reads on the device, to the last bit, what it learnt from."""

import numpy as np
import pytest

from device.hearing.statistics.pooling import Pooling, mean_std, preparation
from device.sound import FloatArray
from export.estimators.base import standardisation_of


@pytest.fixture(scope="module")
def segments() -> FloatArray:
    """(20, 10, 60) of columns of very different sizes, one of them steady."""
    generator = np.random.default_rng(3)
    rows = generator.standard_normal((20, 10, 60)) * 10.0 ** generator.uniform(-3, 4, 60)
    rows[:, :, 7] = 0.1
    return rows.astype(np.float32)


def test_a_plain_sequence_needs_nothing() -> None:
    """No call, no copy."""
    assert preparation("sequence", None) is None


def test_pooled_segments_are_those_of_training(segments: FloatArray) -> None:
    """One by one as all together."""
    prepare = preparation("mean_std", None)
    assert prepare is not None
    found = np.concatenate([prepare(segment[None]) for segment in segments])
    assert found.dtype == np.float32
    assert np.array_equal(found, mean_std(segments))


@pytest.mark.parametrize("pooling", ["sequence", "mean_std"])
def test_standardised_segments_are_those_of_training(segments: FloatArray, pooling: Pooling) -> None:
    """Pooled first, then standardised and clipped to the limit."""
    rows = segments if pooling == "sequence" else mean_std(segments)
    standardisation = standardisation_of(rows.reshape(len(rows), -1, rows.shape[-1]), limit=1.5)
    prepare = preparation(pooling, standardisation)
    assert prepare is not None
    found = np.concatenate([prepare(segment[None]) for segment in segments])
    assert found.dtype == np.float32
    assert np.array_equal(found, standardisation(rows))
    assert np.abs(found).max() == np.float32(1.5)
