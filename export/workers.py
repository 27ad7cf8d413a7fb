"""Many independent tasks over a few processes, with a progress bar."""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from export.progress import Progress

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


def run_all(
    work: Callable[[_Task], _Result],
    tasks: Sequence[_Task],
    *,
    jobs: int,
    unit: str,
    describe: Callable[[_Task, _Result], str],
    start: Callable[[], None] | None = None,
) -> list[_Result]:
    """Do every task and give the results in the tasks' order; without tasks nothing is started.

    Processes are spawned: one forked from a process in which TensorFlow has run waits for ever for threads that it
    does not have.

    Args:
        work: a function of a module, which other processes can import.
        tasks: its arguments, the longest first: at the end one process would be left alone with it.
        jobs: processes.
        unit: the name of a task in the progress bar.
        describe: the line that says what a task gave.
        start: called first in every process. Processes are then forked, so that what it holds is shared, not
            copied.

    Raises:
        Exception: the first that a task raised. Tasks that have not begun by then are dropped.
    """
    results: list[_Result] = []
    if not tasks:
        return results
    context = multiprocessing.get_context("spawn" if start is None else "fork")
    with (
        ProcessPoolExecutor(min(jobs, len(tasks)), mp_context=context, initializer=start) as pool,
        Progress(total=len(tasks), unit=unit) as progress,
    ):
        waiting = [pool.submit(work, task) for task in tasks]
        try:
            for task, job in zip(tasks, waiting, strict=True):
                results.append(job.result())
                progress.step(describe(task, results[-1]))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return results
