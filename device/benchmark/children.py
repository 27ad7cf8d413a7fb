"""Starts the processes that measure, one at a time, and hears what they say."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
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
    say: Callable[[str, float], None] = lambda _phase, _part: None,
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
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    # One thread, as device.__main__ has it for `oido run`, whose costs these are.
    environment = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", **os.environ, "PYTHONPATH": path}
    words = [*program, dumps(replace(job, started_s=time.monotonic()))]
    with (
        tempfile.TemporaryFile() as remarks,
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=remarks, env=environment) as process,  # noqa: S603 - no shell; the program is this one
    ):
        assert process.stdout is not None  # noqa: S101 - it is piped
        try:
            for line in process.stdout:
                answer = _parse(line)
                if "phase" in answer:
                    say(answer["phase"], answer["part"])
                elif "error" in answer:
                    raise (UsageError if answer["exit_code"] == UsageError.exit_code else OidoError)(
                        answer["error"]
                    )
                elif "result" in answer:
                    return build(kind, answer["result"])
            end = _end(process.wait())
        finally:
            process.kill()
        raise OidoError(f"{what} could not be measured: the process that did it {end}{_last(remarks)}")


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
    """The last line that it wrote to standard error."""
    remarks.seek(0)
    lines = remarks.read().decode(errors="replace").strip().splitlines()
    return f": {lines[-1][:_LONGEST_REMARK]}" if lines else ""
