"""Does the int8 file say what the network says, and does it say so in both runtimes?"""

import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device.hearing.models.runtimes import Runtime, open_runtime
from device.hearing.models.sidecar import Calibration
from device.sound import FloatArray
from export.convert.other_python import probe
from export.convert.tflite import Converted, Tensor, as_steps
from export.errors import ExportError
from export.evaluation.metrics import f1
from export.markdown import table

Predict = Callable[[FloatArray], FloatArray]
"""(n, ...) features to (n, outputs) scores in [0, 1]."""

LATENCY_PASSES = 300

WANTED_STEPS = 2
"""Runtimes that round alike differ by no more, as they do with what `export.convert.exact` made. With other files
they do not: XNNPACK, in ai-edge-litert, rounds the sums of each layer otherwise than tflite-runtime, and what a
layer makes of a step the next one makes two of. So this is what the mean may reach; the largest is reported."""


@dataclass(frozen=True, slots=True)
class Decide:
    """From scores, (n, columns), to decisions."""

    threshold: float
    """From which calibrated score it is music."""
    calibration: Calibration = field(default_factory=Calibration)
    column: int = 0
    """Of music in the scores."""

    def music(self, scores: FloatArray) -> FloatArray:
        """(n,) the column, as the model gives it."""
        column: FloatArray = scores.reshape(len(scores), -1)[:, self.column].astype(np.float32)
        return column

    def __call__(self, music: FloatArray) -> npt.NDArray[np.bool_]:
        """(n,) where it is music."""
        decided: npt.NDArray[np.bool_] = self.calibration(music) >= self.threshold
        return decided


@dataclass(frozen=True, slots=True)
class Parity:
    """The int8 file beside the network that it was made of."""

    examples: int
    largest: float
    """Difference in the score of music."""
    mean: float
    threshold: float
    """Of the calibrated score, for the decisions."""
    decided_alike: float
    """Share of the examples, 0 to 1."""
    float_f1: float | None
    """Of the network's decisions; None where nobody says what is true."""
    int8_f1: float | None
    float_bytes: int | None
    """Size of the float32 TFLite file; None where there is none to compare with."""
    int8_bytes: int
    float_ms: float | None
    """Median of one pass on one thread."""
    int8_ms: float

    def document(self) -> dict[str, Any]:
        """For a sidecar: what does not depend on the machine."""
        stated = {
            key: value for key, value in asdict(self).items() if not key.endswith("_ms") and value is not None
        }
        return {key: round(value, 5) if isinstance(value, float) else value for key, value in stated.items()}

    def markdown(self) -> str:
        """A table."""
        rows = (
            ("size, KB", _cell(self.float_bytes, 1 / 1024, "{:.0f}"), f"{self.int8_bytes / 1024:.0f}"),
            ("one pass, ms", _cell(self.float_ms, 1, "{:.3f}"), f"{self.int8_ms:.3f}"),
            (f"F1 at {self.threshold:.3f}", _cell(self.float_f1, 1, "{:.4f}"), _cell(self.int8_f1, 1, "{:.4f}")),
            ("largest difference in score", "", f"{self.largest:.4f}"),
            ("mean difference in score", "", f"{self.mean:.4f}"),
            ("equal decisions", "", f"{self.decided_alike:.2%} of {self.examples}"),
        )
        return table(("", "float32", "int8"), rows)


def compare(
    float_predict: Predict,
    int8: Converted,
    score: Tensor,
    features: FloatArray,
    decide: Decide,
    *,
    truth: npt.NDArray[np.bool_] | None = None,
    float32: Converted | None = None,
) -> Parity:
    """Run both on the same features, the int8 file in the device's own runtime.

    Args:
        float_predict: the network's scores, of all the features at once.
        int8: the network, converted.
        score: its output with the scores.
        features: (n, ...) real ones, best others than those that its ranges were measured on.
        decide: from scores to decisions.
        truth: (n,) where it is music; None if nobody knows.
        float32: the network as a float32 TFLite file with the same outputs, for its size and speed.

    Raises:
        ModelError: the file cannot be run.
    """
    runtime = open_runtime(Path("int8.tflite"), int8.content, score.name)
    said, heard = decide.music(float_predict(features)), decide.music(runtime.run(features))
    difference = np.abs(said - heard)
    decided, kept = decide(said), decide(heard)
    return Parity(
        examples=len(features),
        largest=float(difference.max()),
        mean=float(difference.mean()),
        threshold=decide.threshold,
        decided_alike=float(np.mean(decided == kept)),
        float_f1=None if truth is None else f1(truth, decided),
        int8_f1=None if truth is None else f1(truth, kept),
        float_bytes=len(float32.content) if float32 else None,
        int8_bytes=len(int8.content),
        float_ms=latency_ms(open_runtime(Path("float32.tflite"), float32.content, ""), features)
        if float32
        else None,
        int8_ms=latency_ms(runtime, features),
    )


def latency_ms(runtime: Runtime, features: FloatArray) -> float:
    """The median of single passes, after one that does not count."""
    runtime.run(features[:1])
    durations_s = []
    for index in range(LATENCY_PASSES):
        row = features[index % len(features)][None]
        began = time.perf_counter()
        runtime.run(row)
        durations_s.append(time.perf_counter() - began)
    return 1000 * float(np.median(durations_s))


@dataclass(frozen=True, slots=True)
class RuntimeParity:
    """One int8 file in two runtimes."""

    examples: int
    runtimes: tuple[str, str]
    """Name and version."""
    latency_ms: tuple[float, float]
    largest_steps: int
    """Difference in any value of the scores, in quantisation steps."""
    mean_steps: float
    within: float
    """Share of the scores that differ by `WANTED_STEPS` or less."""
    decided_alike: float
    """Share of the examples at the threshold."""

    def document(self) -> dict[str, Any]:
        """For a sidecar: what does not depend on the machine's speed."""
        return {
            "runtimes": list(self.runtimes),
            "largest_steps": self.largest_steps,
            "mean_steps": round(self.mean_steps, 4),
            "decided_alike": round(self.decided_alike, 5),
        }

    def markdown(self) -> str:
        """A table."""
        rows = (
            ("one pass, ms", *(f"{value:.3f}" for value in self.latency_ms)),
            ("largest difference, steps", "", str(self.largest_steps)),
            ("mean difference, steps", "", f"{self.mean_steps:.3f}"),
            (f"within {WANTED_STEPS} steps", "", f"{self.within:.2%}"),
            ("equal decisions", "", f"{self.decided_alike:.2%} of {self.examples}"),
        )
        return table(("", *self.runtimes), rows)


def compare_runtimes(
    int8: Converted,
    score: Tensor,
    features: FloatArray,
    decide: Decide,
    pythons: tuple[Path, Path],
) -> RuntimeParity:
    """Run the file in the TFLite runtimes of two Pythons, each with numpy; otherwise as `compare`.

    Raises:
        ExportError: a Python cannot run it; or the runtimes differ by more than `WANTED_STEPS` in the mean. That
            is no
            rounding: the file holds an operation that one of them gets wrong.
    """
    (given,) = int8.inputs.values()
    steps = as_steps(features, scale=given.scale, zero_point=given.zero_point)
    with tempfile.TemporaryDirectory(prefix="oido-parity-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(int8.content)
        np.save(folder / "steps.npy", steps)
        first, second = (_answers(python, folder) for python in pythons)
    differences = np.abs(first[score.name].astype(int) - second[score.name].astype(int))
    one, other = (
        decide(decide.music((answer[score.name].astype(np.float32) - score.zero_point) * np.float32(score.scale)))
        for answer in (first, second)
    )
    found = RuntimeParity(
        examples=len(features),
        runtimes=(str(first["runtime"]), str(second["runtime"])),
        latency_ms=(float(first["latency_ms"]), float(second["latency_ms"])),
        largest_steps=int(differences.max()),
        mean_steps=float(differences.mean()),
        within=float(np.mean(differences <= WANTED_STEPS)),
        decided_alike=float(np.mean(one == other)),
    )
    if found.mean_steps > WANTED_STEPS:
        raise ExportError(
            f"{found.runtimes[0]} and {found.runtimes[1]} differ by {found.mean_steps:.1f} steps in the mean: "
            "the file holds an operation that one of them gets wrong"
        )
    return found


def _answers(python: Path, folder: Path) -> dict[str, Any]:
    probe(python, "answers", *(folder / name for name in ("model.tflite", "steps.npy", "answers.npz")))
    with np.load(folder / "answers.npz") as arrays:
        return dict(arrays)


def _cell(value: float | None, factor: float, form: str) -> str:
    return "" if value is None or math.isnan(value) else form.format(value * factor)
