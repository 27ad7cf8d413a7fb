"""Writes NAME.json beside NAME.onnx or NAME.tflite; `device.hearing.models.sidecar` reads it."""

import hashlib
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from device.hearing.front_end.features import LOG_MEL
from device.hearing.models.sidecar import SCHEMA_VERSION, Calibration
from export.whole_file import write_bytes, write_json

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
    labels: Sequence[str] = LABELS,
    decision: Mapping[str, float] | None = None,
    licence: str = "Apache-2.0",
    quantisation: Mapping[str, Any] | None = None,
) -> Path:
    """Write a model and its sidecar, the model first: a sidecar never vouches for a file that is not there.

    Most arguments are keys of the sidecar. `suffix` is `.onnx` or `.tflite`; `output` names the tensor with the
    scores, whose columns are `labels`; `inputs` is what `device.hearing.models.inputs` reads. Without a
    `decision`, its durations are left to the program; without `quantisation` the model calculates in float.

    Returns:
        The path of the sidecar.
    """
    document = {
        "schema_version": SCHEMA_VERSION,
        "name": name,
        "kind": kind,
        "file": f"{name}{suffix}",
        "sha256": hashlib.sha256(content).hexdigest(),
        "input": {"front_end": asdict(LOG_MEL), **inputs},
        "output": {"name": output, "labels": list(labels)},
        "calibration": calibration_document(calibration),
        "thresholds": dict(thresholds),
        **({"decision": dict(decision)} if decision else {}),
        "quantisation": dict(quantisation) if quantisation else None,
        "training_data": dict(training_data),
        "metrics": dict(metrics),
        "licence": licence,
        "commit": commit(),
    }
    write_bytes(folder / f"{name}{suffix}", content)
    path = folder / f"{name}.json"
    write_json(path, document)
    return path


def calibration_document(calibration: Calibration) -> dict[str, Any]:
    """The `calibration` part of a sidecar."""
    parameters = {key: value for key, value in asdict(calibration).items() if key != "method"}
    used = {"none": (), "isotonic": ("raw", "calibrated")}.get(calibration.method, ("slope", "offset"))
    return {"method": calibration.method, "parameters": {key: parameters[key] for key in used}}


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
