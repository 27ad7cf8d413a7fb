"""Starts the processes that measure, one at a time, and hears what they say."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, TypeVar

from device.benchmark.document import build, dumps
from device.benchmark.job import Job
from device.errors import OidoError, UsageError

Result = TypeVar("Result")

ROOT = Path(__file__).resolve().parents[2]
"""Where `device` is: a child finds the same one, wherever it was started."""

PROGRAM = (sys.executable, "-m", "device.benchmark.probe")

_LONGEST_REMARK = 200


def run(
    job: Job,
    kind: type[Result],
    *,
    what: str,
    say: Callable[[str, float], None],
    program: tuple[str, ...] = PROGRAM,
) -> Result:
    """Have a job done in a fresh process.

    Args:
        job: what to do.
        kind: of the answer.
        what: is measured, for messages.
        say: told the phase and which part of it is done, 0 to 1.
        program: is started, with the job as its last word.

    Raises:
        UsageError: the process says that it was asked for what cannot be.
        OidoError: it says that the work failed, or it ends without saying anything.
    """
    with tempfile.TemporaryFile() as remarks, _started(job, program, remarks) as process:
        assert process.stdout is not None  # noqa: S101 - _started pipes it
        for line in process.stdout:
            answer = _parse(line)
            if "phase" in answer:
                say(answer["phase"], answer["part"])
            elif "error" in answer:
                raise (UsageError if answer["exit_code"] == UsageError.exit_code else OidoError)(answer["error"])
            elif "result" in answer:
                return build(kind, answer["result"])
        code = process.wait()
        remarks.seek(0)
        raise OidoError(f"{what} could not be measured: the process that did it {_end(code)}{_last(remarks)}")


@contextmanager
def _started(job: Job, program: tuple[str, ...], remarks: IO[bytes]) -> Iterator["subprocess.Popen[bytes]"]:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    # As device.__main__ does for `oido run`, whose costs these are.
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    word = dumps(replace(job, started_s=time.monotonic()))
    process = subprocess.Popen(  # noqa: S603 - no shell; the program is this one
        [*program, word], stdout=subprocess.PIPE, stderr=remarks, env={**threads, **os.environ, "PYTHONPATH": path}
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _parse(line: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(line)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _end(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name if -code in list(signal.Signals) else str(-code)
    return f"was ended by signal {name}" + (" (out of memory?)" if name == "SIGKILL" else "")


def _last(remarks: IO[bytes]) -> str:
    """The last thing that it said on standard error."""
    lines = remarks.read().decode(errors="replace").strip().splitlines()
    return f": {lines[-1][:_LONGEST_REMARK]}" if lines else ""
