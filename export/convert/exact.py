"""int8 networks that say the same, to the last bit, in every runtime.

XNNPACK (in ai-edge-litert) rounds the sum of a layer once, after multiplying it in float32; TFLite's own kernels
(all that tflite-runtime has for int8) round it twice, in whole numbers. They differ where a sum comes close to a
half: one activation in a few hundred, by one step, of which the next layers make up to sixteen. The mean of six
places they round differently in one case of six.

So no sum ever comes close to a half. Multipliers are powers of two, weights multiples of 4, and biases leave 2
over when divided by 4; padding and zero points add nothing but more multiples of 4. A sum is then 4 a + 2, and
2**-e of it an odd multiple of 2**-(e - 1): at least that far from every half, and the first of two roundings loses
nothing. A mean becomes a convolution, with one weight for all places, that keeps the same rule.

Attention's products of activations have neither weights nor biases. There the oldest runtime and the newest
differ, by a step in one of five hundred; `estimators/deployment.py` says how the scores stay within two steps all
the same.

Weights have six bits then instead of eight. `rounding` chooses them so that the network does what it did.
"""

import importlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device.sound import FloatArray
from export.convert.rounding import Float64, Task, rounded, windows
from export.convert.tflite import Converted, as_steps, describe, open_interpreter
from export.errors import ExportError
from export.frameworks import tensorflow
from export.spread import spread

GRID, REST = 4, 2
"""Weights are multiples of the first; the second is the remainder of biases."""

TOP = 127 // GRID

LEAST_HALVINGS = 3
"""Multipliers are 1/8 at the most: of 1/4, 4 a + 2 would be a half."""

EXAMPLES = 500
"""Real examples on which weights are chosen: 200 lost a third more."""

SCHEME = "int8, exact"
"""What a description calls it."""

ROWS = 40_000
"""At most this many places of all images are used."""

LINEAR = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_MOVES = ("CONCATENATION", "MAX_POOL_2D", "RESHAPE", "TRANSPOSE")
"""What moves values, as long as a step is worth the same before and after."""
_OTHERS = (*_MOVES, "BATCH_MATMUL", "LOGISTIC", "MEAN", "SOFTMAX")
"""What else may be there: it is the same in all runtimes, is replaced, or is explained above."""
_DEPTHWISE = "DEPTHWISE_CONV_2D"
_DEPTHWISE_VERSION = 3
"""That of int8 with a scale for each channel."""


def exact(
    int8: Converted, float32: Converted, features: FloatArray, *, logit_step: float | None = None
) -> Converted:
    """Choose an int8 network's weights anew, so that every runtime rounds alike; equal input gives equal bytes.

    Args:
        int8: as `convert` makes it.
        float32: the same network as `convert_float` makes it: the same layers in the same order.
        features: (n, ...) real features.
        logit_step: what a step of the logits is worth; None leaves it as measured.

    Raises:
        ExportError: the two are not the same network, or it has something that cannot be made exact.
    """
    network, trained = _File(int8.content), _File(float32.content)
    linear, wanted = network.operators(*LINEAR), trained.operators(*LINEAR)
    if [network.shape(op.inputs[1]) for op in linear] != [trained.shape(op.inputs[1]) for op in wanted]:
        raise ExportError("the int8 network and the float32 one have other layers; convert both of the same")
    if odd := network.others(*LINEAR, *_OTHERS):
        raise ExportError(f"{', '.join(odd)} cannot be made exact, as far as is known here")
    for op in network.operators("MEAN"):
        _make_convolution(network, op)
    for op in network.operators(*_MOVES):
        _check_moves(network, op)
    if logit_step is not None:
        for op in network.operators("LOGISTIC"):
            network.set_quantisation(op.inputs[0], logit_step, 0)
    chosen = features[spread(len(features), EXAMPLES)]
    read = trained.activations([op.inputs[0] for op in wanted], chosen)
    for op, like, heard in zip(linear, wanted, read, strict=True):
        weights = trained.floats(like.inputs[1])
        outputs = weights.shape[-1 if network.name(op) == _DEPTHWISE else 0]
        bias = trained.floats(like.inputs[2]) if _has_bias(like) else np.zeros(outputs)
        if not _has_bias(op):
            sums = network.quantisation(op.inputs[0])[0] * network.scales(op.inputs[1])
            op.inputs = [*op.inputs[:2], network.add("bias", np.zeros(outputs, np.int32), sums, axis=0)]
        _choose(network, op, weights, bias, heard, chosen)
    return describe(network.content(), {**int8.quantisation, "scheme": SCHEME})


def _check_moves(network: "_File", op: Any) -> None:
    """Refuse an operator that counts its values in other steps, which would be one more rounding."""
    name = network.name(op)
    sources = op.inputs if name == "CONCATENATION" else op.inputs[:1]
    (place,) = op.outputs
    if any(network.quantisation(source) != network.quantisation(place) for source in sources):
        raise ExportError(f"{name} that changes the steps of its values cannot be made exact")


def _has_bias(op: Any) -> bool:
    """A bias of nothing but zeros is left out of files."""
    return len(op.inputs) > len(("input", "weights")) and op.inputs[2] >= 0


def _choose(
    network: "_File", op: Any, weights: Float64, bias: Float64, heard: Float64, features: FloatArray
) -> None:
    place, weight_place, bias_place = op.inputs
    scale, zero = network.quantisation(place)
    out_scale, _ = network.quantisation(op.outputs[0])
    (steps,) = network.activations([place], features)
    given = (steps - zero) * scale
    depthwise = network.name(op) == _DEPTHWISE
    each = network.scales(weight_place).size > 1
    tasks = _tasks(network, op, weights, bias, heard, given)
    # The multiplier, scale * weight scale / out_scale, is 2**exponent.
    unit = GRID * out_scale / scale
    found = [rounded(task, unit=unit, top=TOP, each=each) for task in tasks]
    exponents = np.concatenate([part.exponents for part in found])
    if exponents.max() > -LEAST_HALVINGS:
        raise ExportError("a layer's weights are too large for its output: it cannot be made exact")
    integers = np.concatenate([part.integers for part in found])
    weight_scales = out_scale / scale * 2.0**exponents
    sums = np.concatenate([part.bias for part in found]) / (scale * weight_scales)
    network.write(bias_place, (GRID * np.round((sums - REST) / GRID) + REST).astype(np.int32))
    shape = network.shape(weight_place)
    laid_out = integers.T.reshape(shape) if depthwise else integers.reshape(shape)
    network.write(weight_place, (GRID * laid_out).astype(np.int8))
    kept = weight_scales if each else weight_scales[:1]
    network.set_scales(weight_place, kept)
    network.set_scales(bias_place, scale * kept)


def _tasks(
    network: "_File", op: Any, weights: Float64, bias: Float64, heard: Float64, given: Float64
) -> Iterator[Task]:
    """What a layer does, as one product of matrices, or as one for each channel."""
    if network.name(op) == "FULLY_CONNECTED":
        inputs = weights.shape[-1]
        yield Task(weights, bias, *(_some(each.reshape(-1, inputs)) for each in (heard, given)))
        return
    options = op.builtinOptions
    if (options.dilationHFactor, options.dilationWFactor) != (1, 1):
        raise ExportError("a convolution that skips places cannot be made exact")
    wide = {
        "kernel": weights.shape[1:3],
        "strides": (options.strideH, options.strideW),
        "same": options.padding == network.schema.Padding.SAME,
    }
    both = [windows(images, **wide) for images in (heard, given)]
    if network.name(op) == _DEPTHWISE:
        size = weights[0, :, :, 0].size
        for channel in range(weights.shape[-1]):
            rows = (_some(each[:, :, :, channel].reshape(-1, size)) for each in both)
            yield Task(weights[..., channel].reshape(1, size), bias[channel : channel + 1], *rows)
    else:
        flat = weights.reshape(len(weights), -1)
        yield Task(
            flat, bias, *(_some(each.transpose(0, 1, 2, 4, 5, 3).reshape(-1, flat.shape[1])) for each in both)
        )


def _some(rows: Float64) -> Float64:
    kept: Float64 = rows[spread(len(rows), ROWS)]
    return kept


def _make_convolution(network: "_File", op: Any) -> None:
    """A mean over all places of an image: one weight for all of them, in each channel."""
    place = op.inputs[0]
    if len(network.shape(place)) == 3:  # noqa: PLR2004 - (1, places, channels): a row of an image before
        before = next((each for each in network.operators("RESHAPE") if place in each.outputs), None)
        if before is None:
            raise ExportError("a mean over a sequence that was no image before cannot be made exact")
        network.remove(before)
        place = before.inputs[0]
    _, height, width, channels = network.shape(place)
    out = network.tensor(op.outputs[0])
    if out.shape is None or tuple(out.shape) != (1, channels):
        raise ExportError("a mean over anything but all places of an image cannot be made exact")
    scale, out_scale, places = (
        network.quantisation(place)[0],
        network.quantisation(op.outputs[0])[0],
        height * width,
    )
    # At most 5 % of the range that was measured is cut off.
    exponent = max(LEAST_HALVINGS, np.ceil(np.log2(0.95 * out_scale * GRID * places / scale)))
    out.shape = [1, 1, 1, channels]
    network.set_scales(op.outputs[0], np.array([scale * 2.0**exponent / (GRID * places)]))
    weight_scales = np.full(channels, 1 / (GRID * places))
    weights = network.add(
        "mean/weights", np.full((1, height, width, channels), GRID, np.int8), weight_scales, axis=3
    )
    bias = network.add("mean/bias", np.full(channels, REST, np.int32), scale * weight_scales, axis=0)
    schema = network.schema
    options = schema.DepthwiseConv2DOptionsT()
    options.padding, options.strideH, options.strideW, options.depthMultiplier = schema.Padding.VALID, 1, 1, 1
    options.dilationHFactor = options.dilationWFactor = 1
    op.inputs = [place, weights, bias]
    op.opcodeIndex = network.code(_DEPTHWISE, _DEPTHWISE_VERSION)
    op.builtinOptionsType, op.builtinOptions = schema.BuiltinOptions.DepthwiseConv2DOptions, options


class _File:
    """A TFLite file that can be changed: the objects of its schema, by TensorFlow's own reader."""

    def __init__(self, content: bytes) -> None:
        tensorflow("converting a network")
        self._files = importlib.import_module("tensorflow.lite.tools.flatbuffer_utils")
        self.schema: Any = importlib.import_module("tensorflow.lite.python.schema_py_generated")
        self._model = self._files.read_model_from_bytearray(bytearray(content))
        (self._graph,) = self._model.subgraphs
        codes = vars(self.schema.BuiltinOperator)
        self._names = {number: name for name, number in codes.items() if isinstance(number, int)}

    def content(self) -> bytes:
        with tempfile.TemporaryDirectory(prefix="oido-convert-") as folder:
            path = Path(folder) / "network.tflite"
            self._files.write_model(self._model, str(path))
            return path.read_bytes()

    def name(self, op: Any) -> str:
        return self._named(self._model.operatorCodes[op.opcodeIndex])

    def operators(self, *names: str) -> list[Any]:
        return [op for op in self._graph.operators if self.name(op) in names]

    def others(self, *names: str) -> list[str]:
        return sorted({self.name(op) for op in self._graph.operators} - {*names})

    def remove(self, op: Any) -> None:
        self._graph.operators.remove(op)

    def code(self, name: str, version: int) -> int:
        """The place of an operator's code, which is written if it is not there."""
        for place, code in enumerate(self._model.operatorCodes):
            if self._named(code) == name and code.version >= version:
                return place
        code = self.schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(self.schema.BuiltinOperator, name)
        code.version = version
        self._model.operatorCodes.append(code)
        return len(self._model.operatorCodes) - 1

    def tensor(self, place: int) -> Any:
        return self._graph.tensors[place]

    def shape(self, place: int) -> tuple[int, ...]:
        return tuple(int(axis) for axis in self.tensor(place).shape)

    def quantisation(self, place: int) -> tuple[float, int]:
        found = self.tensor(place).quantization
        return float(np.float32(found.scale[0])), int(found.zeroPoint[0])

    def floats(self, place: int) -> Float64:
        """A constant of a float32 network."""
        values = np.frombuffer(bytes(self._buffer(place).data), np.float32)
        constant: Float64 = values.reshape(self.shape(place)).astype(np.float64)
        return constant

    def write(self, place: int, values: npt.NDArray[np.integer[Any]]) -> None:
        self._buffer(place).data = np.frombuffer(values.tobytes(), np.uint8)

    def scales(self, place: int) -> Float64:
        """Of a tensor: one, or one for each channel."""
        found: Float64 = np.array(self.tensor(place).quantization.scale, np.float64)
        return found

    def set_scales(self, place: int, scales: Float64) -> None:
        """Say what steps of a tensor are worth."""
        self.tensor(place).quantization.scale = [float(scale) for scale in scales.astype(np.float32)]

    def set_quantisation(self, place: int, scale: float, zero: int) -> None:
        """Say what steps of activations are worth, and which of them is zero."""
        self.set_scales(place, np.array([scale]))
        self.tensor(place).quantization.zeroPoint = [zero]

    def add(self, name: str, values: npt.NDArray[np.integer[Any]], scales: Float64, *, axis: int) -> int:
        buffer, tensor = self.schema.BufferT(), self.schema.TensorT()
        self._model.buffers.append(buffer)
        tensor.name, tensor.shape, tensor.buffer = name.encode(), list(values.shape), len(self._model.buffers) - 1
        tensor.type = self.schema.TensorType.INT8 if values.dtype == np.int8 else self.schema.TensorType.INT32
        tensor.quantization = self.schema.QuantizationParametersT()
        tensor.quantization.zeroPoint, tensor.quantization.quantizedDimension = [0] * len(scales), axis
        self._graph.tensors.append(tensor)
        place = len(self._graph.tensors) - 1
        self.write(place, values)
        self.set_scales(place, scales)
        return place

    def activations(self, places: Sequence[int], features: FloatArray) -> list[Float64]:
        """What these tensors hold for each of the features, in steps if it is an int8 network: (n, ...) each."""
        interpreter = open_interpreter(self.content(), keep_all=True)
        (given,) = interpreter.get_input_details()
        scale, zero = given["quantization"]
        held: list[list[npt.NDArray[Any]]] = [[] for _ in places]
        for each in as_steps(features, scale=scale, zero_point=zero) if scale else features:
            interpreter.set_tensor(given["index"], each[None])
            interpreter.invoke()
            for kept, place in zip(held, places, strict=True):
                kept.append(interpreter.get_tensor(place))
        return [np.concatenate(kept).astype(np.float64) for kept in held]

    def _named(self, code: Any) -> str:
        return str(self._names[max(code.builtinCode, code.deprecatedBuiltinCode)])

    def _buffer(self, place: int) -> Any:
        return self._model.buffers[self.tensor(place).buffer]
