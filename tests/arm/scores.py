"""What every installed model says of recordings, and what every network was given and gave.

Runs with the installed wheel, the same on both machines. Writes scores.json, for `compare.py`, and networks.npz:
MODEL/input and MODEL/output0, output1... of the model's own network, over all recordings. With `--inputs` they are
also given what they were given elsewhere (MODEL/same0...): what differs then is the kernels' doing.
"""

import argparse
import importlib.metadata
import json
import math
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from device.configuration.settings import DecisionConfig
from device.hearing.classifier import Classifier
from device.hearing.decision import Decision
from device.hearing.front_end.transforms import fastest
from device.hearing.models.loading import Model, installed_models, load_model
from device.hearing.models.runtimes import Runtime
from device.hearing.models.sidecar import Sidecar
from device.hearing.rules import rules
from device.pipeline import listen
from device.sound import FloatArray
from device.sources.recording import Recording


@dataclass(slots=True)
class Recorder(Runtime):
    """A runtime that keeps what passes through it."""

    runtime: Runtime
    description: str
    inputs: list[FloatArray] = field(default_factory=list)
    outputs: list[Sequence[FloatArray]] = field(default_factory=list)

    def run_all(self, features: FloatArray) -> Sequence[FloatArray]:
        """As `Runtime.run_all`."""
        outputs = self.runtime.run_all(features)
        self.inputs.append(features.copy())
        self.outputs.append([output.copy() for output in outputs])
        return outputs

    def heard(self, name: str) -> dict[str, np.ndarray]:
        """Everything, by the names of networks.npz."""
        given = {f"{name}/input": np.concatenate(self.inputs)}
        columns = zip(*self.outputs, strict=True)
        return given | {f"{name}/output{place}": np.concatenate(column) for place, column in enumerate(columns)}


def hear(model: Model, recording: Path) -> dict[str, Any]:
    """Every answer, and the segments they are decided into."""
    rule = rules(DecisionConfig(), model, "balanced")
    answers, segments = [], []
    source = Recording(recording, name="file", block_s=2.0)
    for observation in listen(source, Classifier(model), Decision(rule), flat_line_limit_s=math.inf):
        if observation.score is not None:
            answers.append(observation.score.probability)
        segments += [[segment.start, segment.end, segment.music.name] for segment in observation.step.segments]
    return {"recording": recording.name, "answers": answers, "segments": segments}


def steps(path: Path, model: Model) -> list[float]:
    """What a step of each wanted output is worth; 0 where it is not quantised."""
    if not path.with_suffix(".tflite").is_file():
        return [0.0]
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - only where there are networks

    details = Interpreter(model_path=str(path.with_suffix(".tflite"))).get_output_details()
    scales = {detail["name"]: float(detail["quantization"][0]) for detail in details}
    embedding = model.sidecar.input.get("embedding", {}) if model.sidecar.kind == "patch" else {}
    return [scales[name] for name in (model.sidecar.output, embedding.get("name")) if name]


def describe(sidecar: Sidecar) -> dict[str, Any]:
    """What the comparison must know of a model."""
    return {
        "name": sidecar.name,
        "file": sidecar.file,
        "sha256": sidecar.sha256,
        "thresholds": dict(sidecar.thresholds),
    }


def main() -> None:
    """Hear them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--inputs", type=Path)
    parser.add_argument("recordings", type=Path, nargs="+")
    arguments = parser.parse_args()
    networks: dict[str, np.ndarray] = {}
    models = []
    for path in installed_models():
        loaded = load_model(str(path))
        recorder = Recorder(loaded.runtime, loaded.runtime.description)
        model = replace(loaded, runtime=recorder)
        heard = [hear(model, recording) for recording in arguments.recordings]
        name = model.sidecar.name
        networks |= recorder.heard(name)
        if arguments.inputs:
            with np.load(arguments.inputs) as elsewhere:
                again = [loaded.runtime.run_all(row[None]) for row in elsewhere[f"{name}/input"]]
            columns = zip(*again, strict=True)
            networks |= {f"{name}/same{place}": np.concatenate(column) for place, column in enumerate(columns)}
        models.append(
            {
                **describe(model.sidecar),
                "runtime": recorder.description,
                "steps": steps(path, model),
                "heard": heard,
            }
        )
    np.savez_compressed(arguments.out / "networks.npz", **networks)  # type: ignore[arg-type]
    installed = sorted((found.metadata["Name"], found.version) for found in importlib.metadata.distributions())
    document = {
        "machine": platform.machine(),
        "python": platform.python_version(),
        "libc": " ".join(platform.libc_ver()),
        "packages": dict(installed),
        "front_end": fastest().name,
        "models": models,
    }
    (arguments.out / "scores.json").write_text(json.dumps(document, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
