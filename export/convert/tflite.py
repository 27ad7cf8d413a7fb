"""Keras to TFLite in whole numbers: int8 in, int8 out, nothing but what the oldest runtime of the device knows.

Post-training quantisation (Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference"): the weights of a convolution have a scale for each filter, every activation
has one that was measured on real features. Batch normalisation is folded into the convolution before it, relu6
into its output. relu6 loses less than relu (mean difference in score 0.008 against 0.012): its range is known.
"""

import contextlib
import importlib
import io
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from device.sound import FloatArray
from export.errors import ExportError
from export.frameworks import tensorflow
from export.spread import spread

EXAMPLES = 200
"""Real examples from which ranges are measured: 20 gave the same loss as 1000."""

FEWEST_EXAMPLES = 8

_SIGNATURE = "serve"

_WHOLE = ("int8", "int32", "int64")
"""What a tensor may hold: activations and weights, biases, shapes."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output of a converted model."""

    name: str
    """In the file: what a sidecar calls it by."""
    shape: tuple[int, ...]
    """With the batch of 1."""
    scale: float
    """What a step is worth; 0 where values are stored as float32."""
    zero_point: int
    """The step that stands for 0."""

    @property
    def size(self) -> int:
        """Values in it."""
        return int(np.prod(self.shape))


@dataclass(frozen=True, slots=True)
class Converted:
    """A TFLite file and what a sidecar says of it."""

    content: bytes
    inputs: Mapping[str, Tensor]
    """By the name that the network gives it."""
    outputs: Mapping[str, Tensor]
    """The same: the keys of the network's dictionary of outputs, or the names of its output layers."""
    quantisation: Mapping[str, Any]
    """How it was made, for people."""

    def output_of_size(self, size: int) -> Tensor:
        """The output with so many values.

        Raises:
            ExportError: there is none, or more than one.
        """
        found = [tensor for tensor in self.outputs.values() if tensor.size == size]
        if len(found) != 1:
            sizes = ", ".join(f"{name} ({tensor.size})" for name, tensor in self.outputs.items())
            raise ExportError(f"the network must have one output of {size} values; its outputs are {sizes}")
        return found[0]


def convert(
    model: Any, representative: FloatArray, *, outputs: Sequence[str] | None = None, examples: int = EXAMPLES
) -> Converted:
    """A Keras network as a TFLite file that calculates in whole numbers alone; equal input gives equal bytes.

    Args:
        model: a built Keras 3 network with one input; its batch becomes 1.
        representative: (n, ...) float32, real features: ranges measured on noise may ruin the network.
        outputs: the outputs to keep, None for all; the file leaves out what only the others need.
        examples: how many of the features to measure on, spread over all of them.

    Raises:
        ExportError: TensorFlow is missing, the features do not fit the network, or TensorFlow cannot convert it.
    """
    features = _checked(model, representative)
    chosen = features[spread(len(features), examples)]

    content = _convert(model, outputs, chosen)
    _check_whole(content)
    version = str(tensorflow("converting a network").__version__)
    return describe(content, {"scheme": "int8", "examples": len(chosen), "tensorflow": version})


def convert_float(model: Any, *, outputs: Sequence[str] | None = None) -> Converted:
    """The same network in float32, to compare with.

    Raises:
        ExportError: TensorFlow is missing or cannot convert it.
    """
    return describe(_convert(model, outputs, None), {"scheme": "float32"})


def describe(content: bytes, quantisation: Mapping[str, Any]) -> Converted:
    """A TFLite file with its inputs and outputs, and with how it was quantised.

    Raises:
        ExportError: ai-edge-litert is missing, or the file does not name its inputs and outputs.
    """
    interpreter = open_interpreter(content)
    signatures = list(interpreter.get_signature_list())
    if len(signatures) != 1:
        raise ExportError(
            f"a TFLite file must have one signature that names its outputs; it has {len(signatures)}"
        )
    runner = interpreter.get_signature_runner(signatures[0])
    return Converted(
        content=content,
        inputs=dict(_tensors(runner.get_input_details())),
        outputs=dict(_tensors(runner.get_output_details())),
        quantisation=quantisation,
    )


def as_steps(features: FloatArray, *, scale: float, zero_point: int) -> npt.NDArray[np.int8]:
    """Features as an int8 network stores them; what is beyond its range is the nearest that it has."""
    limits = np.iinfo(np.int8)
    rounded = np.rint(features / np.float32(scale)) + zero_point
    steps: npt.NDArray[np.int8] = np.clip(rounded, limits.min, limits.max).astype(np.int8)
    return steps


def load_keras(path: Any) -> Any:
    """A network from a `.keras` file, without what only its training needed.

    Raises:
        ExportError: TensorFlow is missing, or it cannot be read.
    """
    tensorflow("converting a network")
    import keras  # noqa: PLC0415 - seconds to import

    try:
        return keras.saving.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ExportError(f"{path}: cannot read it as a Keras network: {_first_line(error)}") from error


def _checked(model: Any, representative: FloatArray) -> FloatArray:
    """Features that the network reads, and enough of them."""
    features = np.asarray(representative, np.float32)
    shape = _input_shape(model)
    if features.shape[1:] != shape:
        raise ExportError(
            f"the network reads features of shape {shape}, but the examples are {features.shape[1:]}"
        )
    if len(features) < FEWEST_EXAMPLES:
        raise ExportError(
            f"{len(features)} examples are too few to measure ranges on; give at least {FEWEST_EXAMPLES}"
        )
    if not np.isfinite(features).all():
        raise ExportError("some of the examples hold numbers that are not finite; make them anew")
    return features


def _input_shape(model: Any) -> tuple[int, ...]:
    if len(model.inputs) != 1:
        raise ExportError(f"the network has {len(model.inputs)} inputs; the device feeds one")
    return tuple(model.inputs[0].shape[1:])


def _convert(model: Any, outputs: Sequence[str] | None, examples: FloatArray | None) -> bytes:
    """Through a saved model with one signature, whose batch is 1.

    That gives tensors fixed shapes, without which attention needs operations that the oldest runtime lacks, and
    keeps the names of the outputs. Without examples the file is float32.
    """
    tf = tensorflow("converting a network")
    import keras  # noqa: PLC0415 - seconds to import

    specification = tf.TensorSpec((1, *_input_shape(model)), tf.float32, name=model.inputs[0].name)
    with tempfile.TemporaryDirectory(prefix="oido-convert-") as folder, contextlib.redirect_stdout(io.StringIO()):
        archive = keras.export.ExportArchive()
        archive.track(model)
        archive.add_endpoint(
            _SIGNATURE, lambda features: _named(model, features, outputs), input_signature=[specification]
        )
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[_SIGNATURE])
        if examples is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([example[None]] for example in examples)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.int8
            # Otherwise FULLY_CONNECTED is written in a version that tflite-runtime 2.14 refuses or gets wrong.
            converter._experimental_disable_per_channel_quantization_for_dense_layers = True  # noqa: SLF001 - no other way
        try:
            content = converter.convert()
        except (RuntimeError, ValueError) as error:  # its ConverterError has no public name
            raise ExportError(f"TensorFlow cannot convert {model.name!r}: {_first_line(error)}") from error
    return bytes(content)


def _named(model: Any, features: Any, outputs: Sequence[str] | None) -> dict[str, Any]:
    """The network's outputs by name, those that are wanted."""
    said = model(features, training=False)
    if isinstance(said, Mapping):
        named = dict(said)
    else:
        listed = said if isinstance(said, (list, tuple)) else [said]
        named = dict(zip(model.output_names, listed, strict=True))
    if missing := [name for name in outputs or () if name not in named]:
        raise ExportError(f"the network has no output {missing[0]!r}; it has {', '.join(named)}")
    return {name: named[name] for name in outputs or named}


def open_interpreter(content: bytes, *, keep_all: bool = False) -> Any:
    """The file in the device's runtime, without delegates; `keep_all` keeps inner tensors readable after a pass.

    Raises:
        ExportError: ai-edge-litert is missing.
    """
    try:
        module = importlib.import_module("ai_edge_litert.interpreter")
    except ImportError as error:  # not tflite-runtime: it cannot be imported after TensorFlow
        raise ExportError(
            f"converting a network needs ai-edge-litert: pip install ai-edge-litert ({error})"
        ) from error
    interpreter = module.Interpreter(
        model_content=content,
        num_threads=1,
        experimental_op_resolver_type=module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=keep_all,
    )
    interpreter.allocate_tensors()
    return interpreter


def _check_whole(content: bytes) -> None:
    """Refuse a file that still calculates in floating point."""
    kinds = {
        detail["name"]: np.dtype(detail["dtype"]).name for detail in open_interpreter(content).get_tensor_details()
    }
    odd = [f"{name} ({kind})" for name, kind in kinds.items() if kind not in _WHOLE]
    if odd:
        raise ExportError(f"the converted network does not calculate in whole numbers alone: {', '.join(odd[:3])}")


def _tensors(details: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
    for name, detail in details.items():
        scale, zero_point = detail["quantization"]
        shape = tuple(int(axis) for axis in detail["shape"])
        yield name, Tensor(str(detail["name"]), shape, float(scale), int(zero_point))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
