"""Writes NAME.json beside NAME.onnx or NAME.tflite; `device.hearing.sidecar` reads it."""

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from device.hearing.sidecar import SCHEMA_VERSION, Calibration, front_end_document

LABELS = ("no_music", "music")


def write(
    folder: Path,
    *,
    name: str,
    kind: str,
    suffix: str,
    content: bytes,
    output: str,
    inputs: Mapping[str, Any],
    calibration: Calibration,
    thresholds: Mapping[str, float],
    training_data: Mapping[str, Any],
    metrics: Mapping[str, Any],
    licence: str = "Apache-2.0",
    quantisation: str | None = None,
) -> Path:
    """Write a model and its sidecar, the model first: a sidecar never vouches for a file that is not there.

    Args:
        folder: where both go.
        name: of the model.
        kind: what it reads.
        suffix: `.onnx` or `.tflite`.
        content: the model file.
        output: name of its output tensor.
        inputs: window and features of this kind.
        calibration: as fitted on validation.
        thresholds: for each mode.
        training_data: version, seconds, what else is needed to know it again.
        metrics: on the test split.
        licence: of the model.
        quantisation: None for float.

    Returns:
        The path of the sidecar.
    """
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "schema_version": SCHEMA_VERSION,
        "name": name,
        "kind": kind,
        "file": f"{name}{suffix}",
        "sha256": hashlib.sha256(content).hexdigest(),
        "input": {"front_end": front_end_document(), **inputs},
        "output": {"name": output, "labels": list(LABELS)},
        "calibration": _calibration_document(calibration),
        "thresholds": dict(thresholds),
        "quantisation": quantisation,
        "training_data": dict(training_data),
        "metrics": dict(metrics),
        "licence": licence,
        "commit": commit(),
    }
    _replace(folder / f"{name}{suffix}", content)
    path = folder / f"{name}.json"
    _replace(path, (json.dumps(document, indent=2) + "\n").encode())
    return path


def _calibration_document(calibration: Calibration) -> dict[str, Any]:
    parameters = {key: value for key, value in asdict(calibration).items() if key != "method"}
    used = {"none": (), "isotonic": ("raw", "calibrated")}.get(calibration.method, ("slope", "offset"))
    return {"method": calibration.method, "parameters": {key: parameters[key] for key in used}}


def _replace(path: Path, content: bytes) -> None:
    half_written = path.with_name(path.name + ".part")
    half_written.write_bytes(content)
    half_written.replace(path)


def commit() -> str | None:
    """The commit of this checkout, marked if there are changes beside it; None outside one."""
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        result = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],  # noqa: S607 - the user's git
            cwd=Path(__file__).parent,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return result.stdout.strip() or None
