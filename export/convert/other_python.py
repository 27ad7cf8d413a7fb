"""Runs `tflite_probe` in another Python: one process cannot hold two TFLite runtimes, or one and TensorFlow."""

import subprocess
from pathlib import Path

from export.convert import tflite_probe
from export.errors import ExportError

_TIMEOUT_S = 600


def probe(python: Path, *words: str | Path) -> str:
    """What the program prints when a Python with numpy and a TFLite runtime runs it with these words.

    Raises:
        ExportError: it cannot run the model.
    """
    # Isolated (-I): no PYTHONPATH, and the folder of the program, which has an onnx.py, is not searched.
    command = [str(python), "-I", str(tflite_probe.__file__), *map(str, words)]
    try:
        result = subprocess.run(  # noqa: S603 - the user's own Python and our own program
            command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ExportError(f"{python}: cannot run the model there: {error}") from error
    if result.returncode:
        said = result.stderr.strip().splitlines() or [f"exit code {result.returncode}"]
        raise ExportError(f"{python}: cannot run the model there: {said[-1]}")
    return result.stdout
