"""export.training.course: a course can be stopped at any time and gone on with. No network is needed for that."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from export.errors import ExportError
from export.training.course import Course, Record

COURSE = Course(steps=1000, batch=8, peak_rate=3e-3, warm_up=100)


class FakeVariable:
    """What is needed of Keras's variables."""

    def __init__(self, value: npt.ArrayLike) -> None:
        self.value = np.array(value)

    def numpy(self) -> np.ndarray:
        """What it holds."""
        return self.value

    def assign(self, value: np.ndarray) -> None:
        """Hold this instead; of the same shape and type, as Keras demands it."""
        assert (value.shape, value.dtype) == (self.value.shape, self.value.dtype)
        self.value = value


class FakeHolder:
    """A model, or an optimiser."""

    def __init__(self, *values: npt.ArrayLike) -> None:
        self.variables = [FakeVariable(value) for value in values]

    @property
    def values(self) -> list[list[float]]:
        """For comparison."""
        return [variable.value.tolist() for variable in self.variables]


def model_and_optimiser(*, trained: bool) -> tuple[FakeHolder, FakeHolder]:
    """Weights, a random seed in 32 bits, a step in 64."""
    if trained:
        weights = np.array([[0.1, 0.2], [1e-30, -3.0]], np.float32)
        return FakeHolder(weights, np.array([7, 4_000_000_000], np.uint32)), FakeHolder(np.int64(9), weights + 1)
    weights = np.zeros((2, 2), np.float32)
    return FakeHolder(weights, np.zeros(2, np.uint32)), FakeHolder(np.int64(0), weights)


def saved(folder: Path, steps: Sequence[int] = (10,), **settings: object) -> Path:
    """A folder in which a course was saved at these steps."""
    record = Record(folder, {**asdict(COURSE), **settings})
    for step in steps:
        record.save(step, *model_and_optimiser(trained=True), {"loss": 1 / step})
    return folder


def names(folder: Path) -> list[str]:
    """Its files."""
    return sorted(path.name for path in folder.iterdir())


def test_the_rate_warms_up_in_a_straight_line() -> None:
    """From one part of it to the peak."""
    assert [COURSE.rate(step) for step in (0, 49, 99, 100)] == pytest.approx([3e-5, 1.5e-3, 3e-3, 3e-3])


def test_the_rate_falls_to_nothing() -> None:
    """Half of the peak in the middle of what is left, and never more than the step before."""
    rates = [COURSE.rate(step) for step in range(100, 1000)]
    assert rates[450] == pytest.approx(1.5e-3)
    assert all(later <= earlier for earlier, later in pairwise(rates))
    assert 0 < rates[-1] < 1e-7
    assert COURSE.rate(1000) == COURSE.rate(2000) == 0


def test_a_course_shorter_than_its_warm_up_only_warms_up() -> None:
    """Nothing is divided by zero."""
    course = Course(steps=3, batch=8, peak_rate=1.0, warm_up=4)
    assert [course.rate(step) for step in range(3)] == [0.25, 0.5, 0.75]
    assert Course(steps=4, batch=8, peak_rate=1.0, warm_up=4).rate(4) == 1


def test_a_new_course_begins_at_the_beginning(tmp_path: Path) -> None:
    """With the weights that it has."""
    model, optimiser = model_and_optimiser(trained=False)
    assert Record(tmp_path / "new" / "course", asdict(COURSE)).resume(model, optimiser) == 0
    assert model.values == model_and_optimiser(trained=False)[0].values


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    """The step, and every weight of model and optimiser to the last bit."""
    model, optimiser = model_and_optimiser(trained=False)
    assert Record(saved(tmp_path), asdict(COURSE)).resume(model, optimiser) == 10
    for found, wanted in zip((model, optimiser), model_and_optimiser(trained=True), strict=True):
        assert found.values == wanted.values


def test_only_the_last_state_is_kept(tmp_path: Path) -> None:
    """And a line of figures for each."""
    saved(tmp_path, (10, 20))
    assert names(tmp_path) == ["figures.jsonl", "state.json", "step-20.npz"]
    lines = [json.loads(line) for line in (tmp_path / "figures.jsonl").read_text().splitlines()]
    assert lines == [{"step": 10, "loss": 0.1}, {"step": 20, "loss": 0.05}]


def test_a_state_that_was_half_written_is_not_taken(tmp_path: Path) -> None:
    """The course goes on from the one before, and writes that one again."""
    saved(tmp_path)
    (tmp_path / "step-20.npz").write_bytes(b"PK half")
    record = Record(tmp_path, asdict(COURSE))
    assert record.resume(*model_and_optimiser(trained=False)) == 10
    record.save(20, *model_and_optimiser(trained=True), {})
    assert record.resume(*model_and_optimiser(trained=False)) == 20


@pytest.mark.parametrize(
    ("settings", "named"),
    [({"seed": 2}, "(seed)"), ({"size": "tiny", "batch": 9}, "(batch, size)"), ({"data": "w"}, "(data)")],
)
def test_a_course_with_other_settings_is_refused(tmp_path: Path, settings: dict[str, object], named: str) -> None:
    """They are named, and what can be done."""
    saved(tmp_path, data="v")
    other = Record(tmp_path, {**asdict(COURSE), "data": "v", **settings})
    with pytest.raises(ExportError) as caught:
        other.resume(*model_and_optimiser(trained=False))
    assert f"holds a training with other settings {named}; delete it" in str(caught.value)


def test_a_setting_that_is_gone_is_another_too(tmp_path: Path) -> None:
    """And named."""
    saved(tmp_path, size="tiny")
    with pytest.raises(ExportError, match=r"other settings \(size\)"):
        Record(tmp_path, asdict(COURSE)).resume(*model_and_optimiser(trained=False))


def test_settings_are_compared_as_they_are_written(tmp_path: Path) -> None:
    """JSON has lists and no tuples: that is no difference."""
    saved(tmp_path, bands=(1, 2))
    record = Record(tmp_path, {**asdict(COURSE), "bands": (1, 2)})
    assert record.resume(*model_and_optimiser(trained=False)) == 10
