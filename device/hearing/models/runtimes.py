"""The two ways to run a model file, each imported only when it is chosen."""

import importlib
import importlib.util
import math
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from device.errors import ModelError
from device.hearing.models.missing_runtime import Interpreter, missing_runtime
from device.hearing.models.quiet_stderr import quiet_stderr
from device.sound import FloatArray

TfliteName = Literal["auto", "ai-edge-litert", "tflite-runtime"]

_TFLITE_MODULES = {
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
}
"""Best first: on x86-64 and ARM64 ai-edge-litert runs int8 many times faster; 32-bit has only the other."""


_SCALES = (1e-15, 1e15)
"""What a step of a quantised tensor may be worth: far beyond any real model's, and nothing overflows within."""


class Runtime(Protocol):
    """A loaded model file: `run_all` is what each runtime does in its own way."""

    description: str
    """Runtime and version, for people."""

    def run_all(self, features: FloatArray) -> Sequence[FloatArray]:
        """Every wanted output for a batch of features, in the order of their names, from one pass.

        Args:
            features: (n, ...) float32 with n > 0, rows of the shape that the sidecar says.

        Returns:
            (n, ...) float32 each.

        Raises:
            ModelError: the model does not take these features, or cannot be run.
        """
        ...

    def run(self, features: FloatArray) -> FloatArray:
        """As `run_all`, but the first wanted output alone."""
        return self.run_all(features)[0]


def open_runtime(
    path: Path, content: bytes, outputs: str | Sequence[str], tflite: TfliteName = "auto", threads: int = 1
) -> Runtime:
    """Load a model by the ending of its file name.

    Args:
        path: for the ending and for messages.
        content: the file's bytes, whose checksum has been verified: what was checked is what runs.
        outputs: name or names of the wanted output tensors; of a TFLite model, an empty name takes the first.
        tflite: which TFLite runtime to use.
        threads: that share the work; more than one helps only networks far larger than ours.

    Raises:
        ModelError: no runtime for it is installed, the file is damaged, or it has no such output.
    """
    if path.suffix == ".onnx":
        return OnnxRuntime(path, content, outputs, threads)
    if path.suffix == ".tflite":
        return TfliteRuntime(path, content, outputs, tflite, threads)
    raise ModelError(f"{path}: a model file ends in .onnx or .tflite")


class OnnxRuntime(Runtime):
    """ONNX Runtime, whose idle threads must not spin: they would eat a Pi's cores."""

    def __init__(self, path: Path, content: bytes, outputs: str | Sequence[str], threads: int = 1) -> None:
        try:
            import onnxruntime  # noqa: PLC0415 - 60 MB that a TFLite model does not need
        except ImportError as error:
            raise ModelError(missing_runtime(path, ["onnxruntime"], Interpreter.here())) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
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
        there = {tensor.name: tensor.type for tensor in self._session.get_outputs()}
        self._outputs = _names(outputs)
        for output in self._outputs:
            if output not in there:
                raise ModelError(f"{path}: has no output {output!r}; it has {', '.join(there)}")
            if not there[output].startswith("tensor(") or "string" in there[output]:
                raise ModelError(f"{path}: its output {output!r} holds no numbers but {there[output]}")
        self._path = path
        self._input = self._session.get_inputs()[0].name
        self.description = f"onnxruntime {onnxruntime.__version__}"

    def run_all(self, features: FloatArray) -> Sequence[FloatArray]:
        """As `Runtime.run_all`."""
        try:
            found: list[FloatArray] = self._session.run(self._outputs, {self._input: features})
        except Exception as error:  # as above
            raise ModelError(
                f"{self._path}: cannot take features of shape {features.shape}: {_first_line(error)}"
            ) from error
        return found


class TfliteRuntime(Runtime):
    """TFLite at batch 1; integer inputs and outputs are scaled here. Thread-safe."""

    def __init__(
        self,
        path: Path,
        content: bytes,
        outputs: str | Sequence[str],
        name: TfliteName = "auto",
        threads: int = 1,
    ) -> None:
        chosen = _choose_tflite(path, name)
        interpreter_type = importlib.import_module(_TFLITE_MODULES[chosen]).Interpreter
        # importlib.metadata would take 15 ms to import.
        package = importlib.import_module(_TFLITE_MODULES[chosen].partition(".")[0])
        try:
            with quiet_stderr():
                self._interpreter: Any = interpreter_type(model_content=content, num_threads=threads)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"{path}: not a usable TFLite model: {_first_line(error)}") from error
        inputs, there = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        if not inputs or not there:
            raise ModelError(
                f"{path}: not a usable TFLite model: it has {len(inputs)} inputs, {len(there)} outputs"
            )
        names = [detail["name"] for detail in there]
        wanted = _names(outputs)
        for output in wanted:
            if output and output not in names:
                raise ModelError(f"{path}: has no output {output!r}; it has {', '.join(names)}")
        self._path = path
        self._input = _Input(inputs[0], path)
        self._outputs = [_Tensor(there[names.index(output) if output else 0], path) for output in wanted]
        self._lock = threading.Lock()  # of the interpreter, and of the input's memory
        self.description = f"{chosen} {package.__version__}"

    def run_all(self, features: FloatArray) -> Sequence[FloatArray]:
        """As `Runtime.run_all`, each flattened: (n, size). The rows are run one after the other."""
        with self._lock:
            if len(features) == 1:
                return self._one(features[0])
            rows = [self._one(row) for row in features]
        return [np.concatenate(found) for found in zip(*rows, strict=True)]

    def _one(self, row: FloatArray) -> list[FloatArray]:
        stored = self._input
        if row.size != stored.size:
            raise ModelError(f"{self._path}: cannot take features of shape {row.shape}: it reads {stored.shape}")
        try:
            self._interpreter.set_tensor(stored.index, stored.filled(row))
            self._interpreter.invoke()
            return [tensor.real(self._interpreter.get_tensor(tensor.index)) for tensor in self._outputs]
        except (ValueError, RuntimeError) as error:  # some damage shows only now
            raise ModelError(f"{self._path}: the model cannot be run: {_first_line(error)}") from error


class _Tensor:
    """An input or output of a TFLite model, as it is stored there: as numbers, or in steps of a scale.

    Raises:
        ModelError: it holds no numbers, or its quantisation cannot be.
    """

    def __init__(self, detail: dict[str, Any], path: Path) -> None:
        self.index = int(detail["index"])
        self.shape = tuple(int(axis) for axis in detail["shape"])
        self.size = math.prod(self.shape)
        self._dtype: np.dtype[Any] = np.dtype(detail["dtype"])
        if self._dtype.kind not in "fiub":
            raise ModelError(f"{path}: its tensor {detail['name']!r} holds no numbers but {self._dtype}")
        scale, zero = detail["quantization"] if self._dtype.kind in "iu" else (0.0, 0)
        # The lowest and the highest step that there are.
        self._limits = (np.iinfo(self._dtype).min, np.iinfo(self._dtype).max) if scale else (0, 0)
        if scale and not (_SCALES[0] <= scale <= _SCALES[1] and self._limits[0] <= zero <= self._limits[1]):
            raise ModelError(
                f"{path}: its tensor {detail['name']!r} is quantised in steps of {scale} from {zero}, "
                "which cannot be: the file is damaged; install it again"
            )
        self._scale = np.float32(scale)  # what a step is worth; 0: values are stored as they are
        self._zero = np.float32(zero)  # the step that stands for 0
        self._worth: FloatArray | None = None  # of each step of 8 bits, by its byte: faster than to compute it
        if scale and self._dtype.itemsize == 1:
            self._worth = self._scaled(np.arange(256, dtype=np.uint8).view(self._dtype))

    def real(self, stored: np.ndarray) -> FloatArray:
        """(1, size) float32: what the steps are worth."""
        flat = stored.reshape(1, -1)
        if self._worth is not None:
            return self._worth.take(flat.view(np.uint8))
        return self._scaled(flat) if self._scale else flat.astype(np.float32)

    def _scaled(self, steps: np.ndarray) -> FloatArray:
        value: FloatArray = steps.astype(np.float32)
        value -= self._zero
        value *= self._scale
        return value


class _Input(_Tensor):
    """An input, filled from the same memory at every call."""

    _memory: tuple[FloatArray, FloatArray, FloatArray] | None = None
    """Steps, and their bounds in the same shape: comparing with one number takes numpy three times as long.

    Not made before features fit, as a damaged file may state any size.
    """

    def filled(self, row: FloatArray) -> np.ndarray:
        """The row as the tensor stores it: rounded to steps, and those beyond the ends taken to the ends."""
        row = row.reshape(self.shape)
        if not self._scale:
            return row.astype(self._dtype, copy=False)
        if self._memory is None:
            lowest, highest = (np.full(self.shape, limit, np.float32) for limit in self._limits)
            self._memory = (np.empty(self.shape, np.float32), lowest, highest)
        memory, lowest, highest = self._memory
        steps = np.divide(row, self._scale, out=memory)
        np.rint(steps, out=steps)
        steps += self._zero
        np.maximum(steps, lowest, out=steps)
        np.minimum(steps, highest, out=steps)
        return steps.astype(self._dtype)


def _names(outputs: str | Sequence[str]) -> list[str]:
    return [outputs] if isinstance(outputs, str) else list(outputs)


def _choose_tflite(path: Path, name: TfliteName) -> str:
    wanted = [name] if name != "auto" else list(_TFLITE_MODULES)
    for candidate in wanted:
        if importlib.util.find_spec(_TFLITE_MODULES[candidate].split(".")[0]):
            return candidate
    raise ModelError(missing_runtime(path, wanted, Interpreter.here()))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
