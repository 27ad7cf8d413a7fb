"""export.workers: tasks over processes."""

import operator

import pytest

from export.workers import run_all


def test_results_come_in_the_order_of_the_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    """With a line of progress each."""
    results = run_all(
        operator.neg, [3, 1, 2], jobs=2, unit="number", describe=lambda task, result: f"{task} -> {result}"
    )
    assert results == [-3, -1, -2]
    assert capsys.readouterr().err.splitlines() == ["[1/3] 3 -> -3", "[2/3] 1 -> -1", "[3/3] 2 -> -2"]


def test_without_tasks_nothing_happens(capsys: pytest.CaptureFixture[str]) -> None:
    """No process, no progress."""
    assert run_all(operator.neg, [], jobs=2, unit="number", describe=lambda *_: "") == []
    assert capsys.readouterr().err == ""


def test_what_a_task_raises_is_raised() -> None:
    """The first one, in the tasks' order."""
    with pytest.raises(ZeroDivisionError):
        run_all((1).__floordiv__, [0, 1], jobs=1, unit="number", describe=lambda *_: "")
