"""The two ways to run a model file, each imported only when it is chosen."""

import importlib
import importlib.util
import threading
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import numpy as np

from device.errors import ModelError
from device.sources.base import FloatArray

TfliteName = Literal["auto", "ai-edge-litert", "tflite-runtime"]

_TFLITE_MODULES = {
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
}
"""Best first: on x86-64 and ARM64 ai-edge-litert runs int8 many times faster; 32-bit has only the other."""


class Runtime(Protocol):
    """A loaded model file."""

    description: str
    """Runtime and version, for people."""

    def run(self, features: FloatArray) -> FloatArray:
        """The model's probabilities for a batch of features, shapes as the sidecar says."""
        ...


def open_runtime(path: Path, content: bytes, output: str, tflite: TfliteName = "auto") -> Runtime:
    """Load a model by the ending of its file name.

    Args:
        path: for the ending and for messages.
        content: the file's bytes, whose checksum has been verified: what was checked is what runs.
        output: name of the wanted output tensor; empty takes the only one.
        tflite: which TFLite runtime to use.

    Raises:
        ModelError: no runtime for it is installed, or the file is damaged.
    """
    if path.suffix == ".onnx":
        return OnnxRuntime(path, content, output)
    if path.suffix == ".tflite":
        return TfliteRuntime(path, content, output, tflite)
    raise ModelError(f"{path}: a model file ends in .onnx or .tflite")


class OnnxRuntime:
    """ONNX Runtime on one thread: idle threads of a pool would spin and eat a Pi's core."""

    def __init__(self, path: Path, content: bytes, output: str) -> None:
        try:
            import onnxruntime  # noqa: PLC0415 - 60 MB that a TFLite model does not need
        except ImportError as error:
            raise ModelError(
                f"{path}: onnxruntime is not installed here (it has no 32-bit ARM wheel); choose a TFLite model"
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions share no base but Exception
            raise ModelError(f"{path}: not a usable ONNX model: {_first_line(error)}") from error
        outputs = {tensor.name: tensor.type for tensor in self._session.get_outputs()}
        if output not in outputs:
            raise ModelError(f"{path}: has no output {output!r}; it has {', '.join(outputs)}")
        if not outputs[output].startswith("tensor(") or "string" in outputs[output]:
            raise ModelError(f"{path}: its output {output!r} holds no numbers but {outputs[output]}")
        self._path = path
        self._output = output
        self._input = self._session.get_inputs()[0].name
        self.description = f"onnxruntime {onnxruntime.__version__}"

    def run(self, features: FloatArray) -> FloatArray:
        """Probabilities, first axis as that of the features."""
        try:
            return cast("FloatArray", self._session.run([self._output], {self._input: features})[0])
        except Exception as error:  # as above
            raise ModelError(
                f"{self._path}: cannot take features of shape {features.shape}: {_first_line(error)}"
            ) from error


class TfliteRuntime:
    """TFLite at batch 1 on one thread; integer inputs and outputs are scaled here."""

    def __init__(self, path: Path, content: bytes, output: str, name: TfliteName = "auto") -> None:
        from importlib.metadata import version  # noqa: PLC0415 - 10 ms that an ONNX model does not need

        chosen = _choose_tflite(path, name)
        interpreter_type = importlib.import_module(_TFLITE_MODULES[chosen]).Interpreter
        try:
            self._interpreter: Any = interpreter_type(model_content=content, num_threads=1)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"{path}: not a usable TFLite model: {_first_line(error)}") from error
        self._input = self._interpreter.get_input_details()[0]
        outputs = self._interpreter.get_output_details()
        named = [detail for detail in outputs if detail["name"] == output] if output else outputs[:1]
        if not named:
            names = ", ".join(detail["name"] for detail in outputs)
            raise ModelError(f"{path}: has no output {output!r}; it has {names}")
        self._path = path
        self._output = named[0]
        self._lock = threading.Lock()
        self.description = f"{chosen} {version(chosen)}"

    def run(self, features: FloatArray) -> FloatArray:
        """Outputs for each row of the batch, stacked."""
        with self._lock:
            return np.stack([self._one(row) for row in features])

    def _one(self, row: FloatArray) -> FloatArray:
        try:
            value = _quantise(row.reshape(self._input["shape"]), self._input)
        except ValueError as error:
            raise ModelError(f"{self._path}: cannot take features of shape {row.shape}: {error}") from error
        try:
            self._interpreter.set_tensor(self._input["index"], value)
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:  # some damage shows only now
            raise ModelError(f"{self._path}: the model cannot be run: {_first_line(error)}") from error
        return _dequantise(self._interpreter.get_tensor(self._output["index"]), self._output).reshape(-1)


def _choose_tflite(path: Path, name: TfliteName) -> str:
    wanted = [name] if name != "auto" else list(_TFLITE_MODULES)
    for candidate in wanted:
        if importlib.util.find_spec(_TFLITE_MODULES[candidate].split(".")[0]):
            return candidate
    raise ModelError(f"{path}: needs a TFLite runtime; install {' or '.join(wanted)} with pip")


def _quantise(value: FloatArray, detail: dict[str, Any]) -> np.ndarray:
    scale, zero = detail["quantization"]
    if not scale:
        return value.astype(detail["dtype"])
    limits = np.iinfo(detail["dtype"])
    steps: np.ndarray = np.clip(np.round(value / scale) + zero, limits.min, limits.max)
    return steps.astype(detail["dtype"])


def _dequantise(value: np.ndarray, detail: dict[str, Any]) -> FloatArray:
    scale, zero = detail["quantization"]
    if not scale:
        return value.astype(np.float32)
    real: FloatArray = (value.astype(np.float32) - zero) * np.float32(scale)
    return real


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
