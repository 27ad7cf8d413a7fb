"""export.convert.exact: networks that say the same in XNNPACK and in TFLite's own kernels, to the last bit."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from converting_fakes import keras_warnings, needs_litert, recorded_patches, tiny_embedder

from device.sound import FloatArray
from export.convert.exact import exact
from export.convert.tflite import Converted, convert, convert_float
from export.errors import ExportError

pytestmark = keras_warnings

ROOT = Path(__file__).parents[1]

Answers = list[npt.NDArray[np.int8]]


def answers(content: bytes, features: FloatArray, *, xnnpack: bool) -> Answers:
    """Every output for each of the features, in steps: of XNNPACK, or of the kernels that every runtime has."""
    module = importlib.import_module("ai_edge_litert.interpreter")
    kind = module.OpResolverType
    resolver = kind.AUTO if xnnpack else kind.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = module.Interpreter(model_content=content, num_threads=1, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    scale, zero = given["quantization"]
    said: list[list[npt.NDArray[np.int8]]] = [[] for _ in interpreter.get_output_details()]
    for each in features:
        steps = np.clip(np.round(each / scale) + zero, -128, 127).astype(np.int8)
        interpreter.set_tensor(given["index"], steps[None])
        interpreter.invoke()
        for kept, detail in zip(said, interpreter.get_output_details(), strict=True):
            kept.append(interpreter.get_tensor(detail["index"]))
    return [np.concatenate(kept) for kept in said]


def apart(content: bytes, features: FloatArray) -> int:
    """The largest difference between the two, in steps."""
    both = (answers(content, features, xnnpack=xnnpack) for xnnpack in (True, False))
    return max(int(np.abs(one.astype(int) - other.astype(int)).max()) for one, other in zip(*both, strict=True))


def untrained_attention() -> Any:
    """Attention, convolutions over time, and a mean of a sequence that was an image before."""
    importlib.import_module("keras").utils.set_random_seed(3)
    return importlib.import_module("export.estimators.attention").build()


def two_trunks(*, apart: bool) -> Any:
    """Two small convolutions of the same patch, whose embeddings are put one after the other.

    Args:
        apart: whether each has an embedding of its own first, which has the range of both.
    """
    keras = importlib.import_module("keras")
    keras.utils.set_random_seed(11)
    layers = keras.layers
    patch = keras.Input((96, 64), name="patch")
    parts = []
    for filters in (4, 6):
        x = layers.Reshape((96, 64, 1))(patch)
        x = layers.Conv2D(filters, 3, strides=4, padding="same", activation="relu6")(x)
        x = layers.GlobalAveragePooling2D()(x)
        parts.append(layers.Dense(8, activation="relu6")(x) if apart else x)
    joined = layers.Concatenate()(parts)
    return keras.Model(patch, {"embedding": joined, "scores": layers.Dense(2, activation="sigmoid")(joined)})


@dataclass(frozen=True)
class Both:
    """A network before and after."""

    features: FloatArray
    int8: Converted
    float32: Converted
    exact: Converted

    @classmethod
    def of(cls, network: Any, features: FloatArray) -> "Both":
        """Convert it both ways, and then make it exact."""
        int8, float32 = convert(network, features), convert_float(network)
        return cls(features, int8, float32, exact(int8, float32, features))


@pytest.fixture(scope="module", params=["embedder", "two trunks", "attention"])
def both(request: pytest.FixtureRequest) -> Both:
    """Every kind."""
    if request.param != "attention":
        patches = np.concatenate([recorded_patches("music"), recorded_patches("speech")])
        return Both.of(tiny_embedder(patches) if request.param == "embedder" else two_trunks(apart=True), patches)
    generator = np.random.default_rng(5)
    return Both.of(untrained_attention(), np.abs(generator.normal(size=(400, 10, 128))).astype(np.float32))


@pytest.mark.training
def test_both_kinds_of_kernel_say_the_same(both: Both) -> None:
    """In every output, for every example; as converted, they do not."""
    assert apart(both.int8.content, both.features) > 0
    assert apart(both.exact.content, both.features) == 0


@pytest.mark.training
def test_it_still_says_what_the_network_says(both: Both) -> None:
    """Little is lost with the two bits."""
    runner = importlib.import_module("ai_edge_litert.interpreter").Interpreter(model_content=both.float32.content)
    runner.allocate_tensors()
    (given,), wanted = runner.get_input_details(), runner.get_output_details()
    steps = answers(both.exact.content, both.features, xnnpack=True)
    for place, tensor in enumerate(both.exact.outputs.values()):
        detail = next(each for each in wanted if np.prod(each["shape"]) == tensor.size)
        found = next(each for each in steps if each[0].size == tensor.size)
        said = []
        for each in both.features:
            runner.set_tensor(given["index"], each[None])
            runner.invoke()
            said.append(runner.get_tensor(detail["index"]).ravel())
        heard = (found.reshape(len(found), -1) - np.float32(tensor.zero_point)) * np.float32(tensor.scale)
        error = np.sqrt(np.mean((np.array(said) - heard) ** 2))
        assert error < 0.1 * np.std(said), place


@pytest.mark.training
def test_names_and_shapes_stay(both: Both) -> None:
    """The sidecar finds what it found before."""
    assert both.exact.inputs == both.int8.inputs
    assert {name: tensor.shape for name, tensor in both.exact.outputs.items()} == {
        name: tensor.shape for name, tensor in both.int8.outputs.items()
    }
    assert both.exact.quantisation == {**both.int8.quantisation, "scheme": "int8, exact"}


@pytest.mark.training
def test_the_same_network_gives_the_same_bytes(both: Both) -> None:
    """So that a calibration of one is a calibration of the other."""
    assert exact(both.int8, both.float32, both.features).content == both.exact.content


@pytest.mark.training
def test_files_of_two_networks_are_told_apart(both: Both) -> None:
    """Weights would go to layers that they were not trained for."""
    keras = importlib.import_module("keras")
    given = keras.Input(both.features.shape[1:])
    other = keras.Model(given, keras.layers.Dense(2)(keras.layers.Flatten()(given)))
    with pytest.raises(ExportError, match="have other layers"):
        exact(both.int8, convert_float(other), both.features)


@pytest.mark.training
@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        (lambda layers: layers.Add(), "ADD cannot be made exact"),
        (lambda layers: layers.Multiply(), "MUL cannot be made exact"),
    ],
)
def test_what_runtimes_may_round_differently_is_refused(layer: Callable[[Any], Any], sentence: str) -> None:
    """Nobody has looked at how; the sentence names it."""
    keras = importlib.import_module("keras")
    given = keras.Input((8,))
    network = keras.Model(given, keras.layers.Dense(2)(layer(keras.layers)([given, keras.layers.Dense(8)(given)])))
    features = np.random.default_rng(1).normal(size=(50, 8)).astype(np.float32)
    with pytest.raises(ExportError, match=sentence):
        exact(convert(network, features), convert_float(network), features)


@pytest.mark.training
def test_a_mean_that_is_none_of_an_image_is_refused() -> None:
    """Rather than left as it is: the promise would not hold."""
    keras = importlib.import_module("keras")
    given = keras.Input((6, 8))
    network = keras.Model(given, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling1D()(given)))
    features = np.random.default_rng(1).normal(size=(50, 6, 8)).astype(np.float32)
    with pytest.raises(ExportError, match="a mean over a sequence that was no image before cannot be made exact"):
        exact(convert(network, features), convert_float(network), features)


@pytest.mark.training
def test_a_join_that_counts_in_other_steps_is_refused() -> None:
    """Two means have each the steps that suit them: to bring both to one is to round once more."""
    network = two_trunks(apart=False)
    patches = recorded_patches("music")
    with pytest.raises(
        ExportError, match="CONCATENATION that changes the steps of its values cannot be made exact"
    ):
        exact(convert(network, patches), convert_float(network), patches)


@needs_litert
@pytest.mark.parametrize("name", ["embedder", "attention"])
def test_the_bundled_networks_are_exact(name: str) -> None:
    """On real sound, and on what comes near nothing that they learned from."""
    content = (ROOT / "models" / f"{name}.tflite").read_bytes()
    generator = np.random.default_rng(7)
    if name == "embedder":
        odd = generator.uniform(-7, 6, (20, 96, 64))
        features = np.concatenate([recorded_patches("music")[::4], recorded_patches("speech")[::4], odd])
    else:
        features = generator.uniform(0, 6, (60, 10, 128)) * (generator.uniform(size=(60, 1, 128)) < 0.3)
    assert apart(content, features.astype(np.float32)) == 0
