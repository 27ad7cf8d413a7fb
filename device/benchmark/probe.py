"""A process that measures: `python -m device.benchmark.probe JOB`, started by `children`.

It answers on standard output, a JSON object a line: {"phase": ..., "part": ...} while it works, and last either
{"result": ...} or {"error": ..., "exit_code": ...}. Whatever else writes there goes to standard error.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from device.benchmark.document import loads
from device.benchmark.job import Job
from device.benchmark.memory import read_memory
from device.daemon.memory import keep_buffers
from device.errors import OidoError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def main(words: list[str]) -> int:
    """Do what the one word, a `Job` in JSON, says."""
    # The runtimes' C++ writes to file descriptor 1 when it likes.
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def say(**line: Any) -> None:
        channel.write(json.dumps(line) + "\n")
        channel.flush()

    keep_buffers()
    try:
        result = work(loads(Job, words[0]), lambda phase, part: say(phase=phase, part=part))
    except OidoError as error:
        say(error=str(error), exit_code=error.exit_code)
        return error.exit_code
    say(result=asdict(result))
    return 0


def work(job: Job, say: Callable[[str, float], None]) -> "DataclassInstance":
    """Do a job, in this process.

    Raises:
        OidoError: what it needs is not there, or cannot be used.
    """
    if job.task == "imports":
        return imports(job)
    if job.task == "prepare":
        from device.benchmark.preparation import prepare  # noqa: PLC0415 - each process imports what it needs

        return prepare(job)
    from device.benchmark.measure import measure  # noqa: PLC0415 - the same

    return measure(job, say)


def imports(job: Job) -> "DataclassInstance":
    """Import what another process had imported, and see what memory that takes."""
    for name in job.modules:
        try:
            importlib.import_module(name)
        except ImportError:  # it goes by a name of its own making, as some extensions do
            continue
    return read_memory()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
