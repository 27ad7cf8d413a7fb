"""YAMNet's weights out of Google's files: the official TFLite, or the Keras weights it was made of.

In the TFLite, normalisation is folded into the convolutions and most kernels are int8, one scale a tensor; the
graph has its own spectrogram in front, made with an int8 DFT, which is left behind. In the Keras file every
convolution is followed by a normalisation without scale, epsilon 1e-4, which is folded here.
"""

from pathlib import Path
from typing import Any

import numpy as np

from device.sound import FloatArray
from export.embeddings.weights import Layers, Published, read_layers
from export.errors import ExportError
from export.yamnet.network import HEAD_SHAPE, Convolution, Head, YamnetWeights, shapes

PUBLISHED = (
    Published(
        "yamnet.tflite",
        "https://www.kaggle.com/models/google/yamnet (TFLite, classification)",
        "469be6a3421cbc52cf97e9f2f966cba984198e8e7af9854d68b3e3ebb1e04194",
    ),
    Published(
        "yamnet.h5",
        "https://storage.googleapis.com/audioset/yamnet.h5",
        # As several projects that pin it agree; 15,296,092 bytes.
        "13c3308955bbfaef262f175ac9c40e47b134573a93984f009220dd7cc12a1744",
    ),
)

NORMALISATION_EPSILON = 1e-4
"""Of the reference, params.py: batchnorm_epsilon."""


def read(path: Path) -> YamnetWeights:
    """Read either file, told apart by its ending.

    Raises:
        ExportError: it is neither, is damaged, or holds another network.
    """
    if path.suffix == ".tflite":
        kernels, biases, head = _of_tflite(path)
    elif path.suffix in (".h5", ".hdf5"):
        kernels, biases, head = _of_layers(path, read_layers(path))
    else:
        raise ExportError(f"{path}: YAMNet's weights are in a file that ends in .tflite or .h5")
    convolutions = tuple(
        Convolution(name, kernel, bias) for (name, _), kernel, bias in zip(shapes(), kernels, biases, strict=False)
    )
    found = [kernel.shape for kernel in kernels]
    wanted = [shape for _, shape in shapes()]
    if found != wanted or head.kernel.shape != HEAD_SHAPE or head.bias.shape != HEAD_SHAPE[1:]:
        raise ExportError(f"{path}: holds another network than YAMNet; {PUBLISHED[0]} is the official one")
    return YamnetWeights(convolutions, head)


_Parts = tuple[list[FloatArray], list[FloatArray], Head]
"""Kernels and biases of the convolutions, in order, and the head."""

_CONVOLUTION, _DEPTHWISE, _DENSE, _DEQUANTIZE = 3, 4, 9, 6
"""Operators' codes (tensorflow/lite/schema/schema.fbs, enum BuiltinOperator)."""

_TYPES = {0: np.float32, 9: np.int8}
"""The types that weights have there (enum TensorType)."""


def _of_tflite(path: Path) -> _Parts:
    try:
        model = _Graph(path.read_bytes())
        kernels, biases, heads = [], [], []
        for code, weights, bias in model.weighted():
            if code in (_CONVOLUTION, _DEPTHWISE):  # (out, height, width, in); (1, height, width, channels)
                kernels.append(np.ascontiguousarray(weights.transpose(1, 2, 3, 0)))
                biases.append(bias)
            elif weights.shape == HEAD_SHAPE[::-1]:  # the other dense layers are the spectrogram's
                heads.append(Head(np.ascontiguousarray(weights.T), bias))
        return kernels, biases, heads[0]
    except Exception as error:  # what a damaged or foreign flatbuffer raises can be anything
        raise ExportError(
            f"{path}: not YAMNet's TFLite, or damaged ({type(error).__name__}: {error}); download {PUBLISHED[0]}"
        ) from error


class _Graph:
    """The operators of a TFLite model's first graph."""

    def __init__(self, content: bytes) -> None:
        from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415 - a second to import

        if content[4:8] != b"TFL3":
            raise ValueError("it has no TFLite header")
        self._model = schema.ModelT.InitFromPackedBuf(content, 0)
        self._graph = self._model.subgraphs[0]

    def weighted(self) -> list[tuple[int, FloatArray, FloatArray]]:
        """Code, weights and bias of each convolution and dense layer, in order, as real numbers."""
        # Kernels of depthwise convolutions are stored in int8 and unpacked by an operator of their own.
        packed = {op.outputs[0]: op.inputs[0] for op in self._graph.operators if self._code(op) == _DEQUANTIZE}
        found = []
        for op in self._graph.operators:
            code = self._code(op)
            if code in (_CONVOLUTION, _DEPTHWISE, _DENSE):
                weights = self._real(packed.get(op.inputs[1], op.inputs[1]))
                bias = self._real(op.inputs[2]) if op.inputs[2] >= 0 else np.zeros(len(weights), np.float32)
                found.append((code, weights, bias))
        return found

    def _code(self, operator: Any) -> int:
        code = self._model.operatorCodes[operator.opcodeIndex]
        # Files older than schema version 3a have the code in the other field; the larger one counts.
        return int(max(code.builtinCode, code.deprecatedBuiltinCode))

    def _real(self, index: int) -> FloatArray:
        tensor = self._graph.tensors[index]
        stored = np.asarray(self._model.buffers[tensor.buffer].data, np.uint8).view(_TYPES[tensor.type])
        value: FloatArray = stored.reshape(tensor.shape).astype(np.float32)
        quantisation = tensor.quantization
        if quantisation is None or quantisation.scale is None or not len(quantisation.scale):
            return value
        along = [1] * value.ndim
        along[quantisation.quantizedDimension] = len(quantisation.scale)
        zero = np.asarray(quantisation.zeroPoint, np.float32).reshape(along)
        scale = np.asarray(quantisation.scale, np.float32).reshape(along)
        real: FloatArray = (value - zero) * scale
        return real


def _of_layers(path: Path, layers: Layers) -> _Parts:
    kernels, biases = [], []
    for name, _ in shapes():
        number, _, kind = name.partition("_")
        published = f"{number}/{kind}" if kind == "conv" else f"{number}/{kind}_conv"
        try:
            (kernel,) = layers[published].values()
            kernel, bias = _folded(kernel, layers[f"{published}/bn"])
        except (KeyError, ValueError) as error:
            raise ExportError(
                f"{path}: its layer {published!r} is missing or not YAMNet's; download {PUBLISHED[1]}"
            ) from error
        kernels.append(kernel)
        biases.append(bias)
    for arrays in layers.values():
        if [array.shape for array in arrays.values()] == [HEAD_SHAPE, HEAD_SHAPE[1:]]:
            kernel, bias = (array.astype(np.float32) for array in arrays.values())
            return kernels, biases, Head(kernel, bias)
    raise ExportError(f"{path}: has no layer for the 521 classes; download {PUBLISHED[1]}")


def _folded(kernel: np.ndarray, norm: Any) -> tuple[FloatArray, FloatArray]:
    """Kernel and bias of a convolution that does the work of the normalisation behind it too."""
    factor = norm.get("gamma", 1.0) / np.sqrt(norm["moving_variance"].astype(np.float64) + NORMALISATION_EPSILON)
    bias = norm["beta"] - norm["moving_mean"] * factor
    # Of a depthwise kernel the channels are the last axis but one.
    along = factor[:, None] if kernel.shape[-1] == 1 and factor.size != 1 else factor
    return (kernel * along).astype(np.float32), bias.astype(np.float32)
