"""export.workers: tasks over processes."""

import operator

import numpy as np
import pytest

from export.workers import run_all


def test_results_come_in_the_order_of_the_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    """With a line of progress each."""
    results = run_all(
        operator.neg, [3, 1, 2], jobs=2, unit="number", describe=lambda task, result: f"{task} -> {result}"
    )
    assert results == [-3, -1, -2]
    assert capsys.readouterr().err.splitlines() == ["[1/3] 3 -> -3", "[2/3] 1 -> -1", "[3/3] 2 -> -2"]


_here: list[str] = []


def _left_behind(_: int) -> list[str]:
    return _here


def test_a_process_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this one's state is in it, locks that its threads hold least of all."""
    monkeypatch.setattr(f"{__name__}._here", ["changed"])
    assert run_all(_left_behind, [0], jobs=1, unit="task", describe=lambda *_: "") == [[]]


def _random_weights(seed: int) -> float:
    import keras  # noqa: PLC0415 - where there is TensorFlow, and in another process

    return float(np.std(keras.random.normal((8, 8), seed=seed)))


@pytest.mark.training
def test_tensorflow_works_there_after_it_worked_here() -> None:
    """Its threads do not survive a fork, and what waits for them waits for ever."""
    here = _random_weights(1)
    assert run_all(_random_weights, [1], jobs=1, unit="task", describe=lambda *_: "") == [here]


def test_without_tasks_nothing_happens(capsys: pytest.CaptureFixture[str]) -> None:
    """No process, no progress."""
    assert run_all(operator.neg, [], jobs=2, unit="number", describe=lambda *_: "") == []
    assert capsys.readouterr().err == ""


def test_what_a_task_raises_is_raised() -> None:
    """The first one, in the tasks' order."""
    with pytest.raises(ZeroDivisionError):
        run_all((1).__floordiv__, [0, 1], jobs=1, unit="number", describe=lambda *_: "")
