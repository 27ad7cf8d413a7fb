"""A process that measures: `python -m device.benchmark.probe JOB`, started by `children`.

It answers on standard output, a JSON object a line: {"phase": ..., "part": ...} while it works, and last either
{"result": ...} or {"error": ..., "exit_code": ...}. Whatever else writes there goes to standard error.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from device.benchmark.document import loads
from device.benchmark.job import Job
from device.daemon.memory import keep_buffers
from device.errors import OidoError
from device.monitoring.host import read_memory

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
    """Do a job, in this process, which imports only what this job needs.

    Raises:
        OidoError: what it needs is not there, or cannot be used.
    """
    if job.task == "imports":
        for name in job.modules:
            with suppress(ImportError):  # some extensions go by names of their own making
                importlib.import_module(name)
        return read_memory()
    if job.task == "prepare":
        from device.benchmark.subjects import prepare  # noqa: PLC0415 - see above

        return prepare(job)
    from device.benchmark.measure import measure  # noqa: PLC0415 - see above

    return measure(job, say)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
