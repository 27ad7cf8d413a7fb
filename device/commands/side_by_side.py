"""Work on several things at the same time, in processes of their own that end when they are told to, at once.

`ProcessPoolExecutor` waits for what is running, for minutes if need be, and hangs if it is interrupted while it
waits. Here a worker does one thing at a time and is killed at the end, whatever it is doing: nothing that it has
begun is needed any more.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from device.errors import OidoError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Thing = TypeVar("Thing")
Result = TypeVar("Result")


@contextmanager
def side_by_side(
    things: Sequence[Thing], work: Callable[[Thing], Result], jobs: int
) -> Iterator[Iterator[Result]]:
    """The results in the order of the things, whatever order they are finished in, while the context is open.

    Args:
        things: what to work on; each is sent to a process and must be picklable.
        work: a function of a module, or a partial of one; what it raises is not handed on.
        jobs: how many processes.

    Raises:
        OidoError: a process has died; raised where its result would be.
    """
    # Imported here: 12 ms that one file does not need.
    import multiprocessing  # noqa: PLC0415
    from multiprocessing.resource_tracker import ensure_running  # noqa: PLC0415

    # Spawned, not forked: a fork would copy the runtime's locks in whatever state they are.
    context = multiprocessing.get_context("spawn")
    ensure_running()  # it lets interrupts in again when it starts
    workers = {}
    try:
        with _interrupts_wait():
            for _ in range(min(jobs, len(things))):
                channel, theirs = context.Pipe()
                process = context.Process(target=_serve, args=(theirs, work), daemon=True)
                process.start()
                theirs.close()
                workers[channel] = process
        yield _results(things, list(workers))
    finally:
        for process in workers.values():
            process.kill()
        for process in workers.values():
            process.join()


def _results(things: Sequence[Any], channels: Sequence[Any]) -> Iterator[Any]:
    from multiprocessing.connection import wait  # noqa: PLC0415 - as above

    left = iter(enumerate(things))
    idle = list(channels)
    busy: dict[Any, int] = {}
    results: dict[int, Any] = {}
    for wanted, thing in enumerate(things):
        while wanted not in results:
            for channel, (index, each) in zip(tuple(idle), left, strict=False):
                idle.remove(channel)
                channel.send(each)
                busy[channel] = index
            ready: list[Any] = wait(list(busy))
            for channel in ready:
                try:
                    results[busy.pop(channel)] = channel.recv()
                except EOFError as error:
                    raise OidoError(f"{thing}: a process that --jobs has started is gone") from error
                idle.append(channel)
        yield results.pop(wanted)


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Processes that are started inside are never interrupted by Ctrl-C: whoever started them ends them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(channel: "Connection", work: Callable[[Any], Any]) -> None:
    """Work on what comes until nothing comes any more; runs in a process of its own."""
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    while True:
        try:
            thing = channel.recv()
        except EOFError:
            return
        channel.send(work(thing))


def _end_with_parent() -> None:
    """A parent that is killed cannot end its children."""
    import multiprocessing  # noqa: PLC0415 - as above

    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
