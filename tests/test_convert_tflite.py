"""export.convert.tflite: a Keras network becomes an int8 file that says the same."""

import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from converting_fakes import (
    keras_warnings,
    needs_litert,
    recorded_patches,
    tiny_embedder,
    tiny_file,
)

from device.hearing.models.runtimes import open_runtime
from device.sound import FloatArray
from export.convert.tflite import Converted, Tensor, convert, convert_float, describe, load_keras
from export.errors import ExportError

pytestmark = keras_warnings

PATCH_NETWORK = SimpleNamespace(inputs=[SimpleNamespace(shape=(None, 96, 64), name="patch")], name="untrained")
"""What is looked at of a network before TensorFlow is needed."""


@dataclass(frozen=True)
class Conversion:
    """A tiny embedder, before and after."""

    network: Any
    representative: FloatArray
    held_out: FloatArray
    int8: Converted


@pytest.fixture(scope="module")
def conversion() -> Conversion:
    """Ranges measured on every second patch of both recordings; the others are held out."""
    patches = np.concatenate([recorded_patches("music"), recorded_patches("speech")])
    network = tiny_embedder(patches[::2])
    int8 = convert(network, patches[::2], outputs=["embedding", "scores"])
    return Conversion(network, patches[::2], patches[1::2], int8)


def scores(converted: Converted, features: FloatArray) -> FloatArray:
    """As the device hears them, (n, 2)."""
    return open_runtime(Path("x.tflite"), converted.content, converted.outputs["scores"].name).run(features)


@pytest.mark.training
def test_int8_goes_in_and_comes_out_one_patch_at_a_time(conversion: Conversion) -> None:
    """Whatever the batch of the Keras network was."""
    interpreter = importlib.import_module("ai_edge_litert.interpreter").Interpreter(
        model_content=conversion.int8.content
    )
    details = [*interpreter.get_input_details(), *interpreter.get_output_details()]
    assert {np.dtype(detail["dtype"]).name for detail in details} == {"int8"}
    assert sorted(tuple(detail["shape"]) for detail in details) == [(1, 2), (1, 96, 64), (1, 128)]


@pytest.mark.training
def test_outputs_are_found_by_the_name_that_the_network_gives_them(conversion: Conversion) -> None:
    """The tensors' own names say nothing; the device opens them by those."""
    outputs = conversion.int8.outputs
    assert {name: tensor.shape for name, tensor in outputs.items()} == {"embedding": (1, 128), "scores": (1, 2)}
    names = [outputs["scores"].name, outputs["embedding"].name]
    found = open_runtime(Path("x.tflite"), conversion.int8.content, names).run_all(conversion.held_out[:3])
    assert [each.shape for each in found] == [(3, 2), (3, 128)]


@pytest.mark.training
def test_the_head_that_only_training_needed_is_left_out(conversion: Conversion) -> None:
    """Its 38,400 weights are not in the file."""
    kept = conversion.int8
    everything = convert(conversion.network, conversion.representative)
    assert set(everything.outputs) == {"embedding", "scores", "teacher"}
    assert len(everything.content) - len(kept.content) > 38_000


@pytest.mark.training
def test_the_file_says_what_the_network_says(conversion: Conversion) -> None:
    """On patches that the ranges were not measured on, and over the whole range of scores."""
    said = np.asarray(conversion.network(conversion.held_out)["scores"])
    heard = scores(conversion.int8, conversion.held_out)
    assert said.min() < 0.2
    assert said.max() > 0.8
    assert np.abs(said - heard).max() <= 0.1
    assert np.abs(said - heard).mean() <= 0.02


@pytest.mark.training
def test_float32_is_the_network_itself(conversion: Conversion) -> None:
    """No quantisation, no difference."""
    float32 = convert_float(conversion.network, outputs=["scores"])
    said = np.asarray(conversion.network(conversion.held_out)["scores"])
    assert np.abs(said - scores(float32, conversion.held_out)).max() <= 1e-5
    assert float32.outputs["scores"].scale == 0


@pytest.mark.training
def test_the_same_network_gives_the_same_bytes(conversion: Conversion) -> None:
    """So that a calibration of one is a calibration of the other."""
    again = convert(conversion.network, conversion.representative, outputs=["embedding", "scores"])
    assert again.content == conversion.int8.content


@pytest.mark.training
def test_ranges_are_measured_on_examples_spread_over_all(conversion: Conversion) -> None:
    """Music and speech both count, however few are taken."""
    int8 = convert(conversion.network, conversion.representative, examples=8)
    lowest, highest = conversion.representative.min(), conversion.representative.max()
    reach = 255 * int8.inputs["patch"].scale
    assert int8.quantisation["examples"] == 8
    assert 0.7 * (highest - lowest) <= reach <= highest - lowest + 0.1


@pytest.mark.training
def test_attention_converts_with_operations_of_the_oldest_runtime(conversion: Conversion) -> None:
    """A dense layer has one scale, not one for each of its outputs, which tflite-runtime 2.14 refuses."""
    build = importlib.import_module("export.estimators.attention").build
    embeddings = np.asarray(conversion.network(conversion.representative)["embedding"])
    segments = np.stack([embeddings[start : start + 10] for start in range(len(embeddings) - 10)])
    network = build()
    int8 = convert(network, segments)
    interpreter = importlib.import_module("ai_edge_litert.interpreter").Interpreter(model_content=int8.content)
    scales = {
        detail["name"]: len(detail["quantization_parameters"]["scales"])
        for detail in interpreter.get_tensor_details()
        if len(detail["shape"]) == 2  # of dense layers; those of convolutions have four axes
    }
    assert set(scales.values()) == {1}
    heard = open_runtime(Path("x.tflite"), int8.content, int8.output_of_size(1).name).run(segments)
    assert np.abs(np.asarray(network(segments)) - heard).max() <= 0.05


@pytest.mark.training
def test_an_output_that_is_not_there_is_named(conversion: Conversion) -> None:
    """With those that are."""
    with pytest.raises(ExportError, match="no output 'speech'; it has embedding, scores, teacher"):
        convert(conversion.network, conversion.representative, outputs=["speech"])


@pytest.mark.training
def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    """One sentence with the path."""
    path = tmp_path / "model.keras"
    path.write_bytes(b"no network")
    with pytest.raises(ExportError, match=r"model\.keras: cannot read it as a Keras network"):
        load_keras(path)


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is not None, reason="TensorFlow is installed here")
def test_without_tensorflow_the_sentence_says_what_to_install() -> None:
    """Not a traceback."""
    with pytest.raises(ExportError, match=r"converting a network needs TensorFlow: pip install 'oido\[train\]'"):
        convert(PATCH_NETWORK, np.zeros((8, 96, 64), np.float32))


@pytest.mark.parametrize(
    ("features", "sentence"),
    [
        (
            np.zeros((9, 96, 32), np.float32),
            r"reads features of shape \(96, 64\), but the examples are \(96, 32\)",
        ),
        (np.zeros((7, 96, 64), np.float32), "7 examples are too few"),
        (np.full((9, 96, 64), np.nan, np.float32), "hold numbers that are not finite"),
    ],
)
def test_features_that_cannot_be_measured_on_are_refused(features: FloatArray, sentence: str) -> None:
    """Before anything is converted."""
    with pytest.raises(ExportError, match=sentence):
        convert(PATCH_NETWORK, features)


def test_a_network_with_two_inputs_is_refused() -> None:
    """The device feeds one."""
    network = SimpleNamespace(inputs=PATCH_NETWORK.inputs * 2, name="two")
    with pytest.raises(ExportError, match="has 2 inputs; the device feeds one"):
        convert(network, np.zeros((9, 96, 64), np.float32))


def test_an_output_is_found_by_its_size() -> None:
    """One of that size, neither none nor two."""
    outputs = {name: Tensor(name, (1, size), 1.0, 0) for name, size in (("a", 128), ("b", 2), ("c", 2))}
    converted = Converted(content=b"", inputs={}, outputs=outputs, quantisation={})
    assert converted.output_of_size(128).name == "a"
    for size in (1, 2):
        with pytest.raises(ExportError, match=rf"one output of {size} values; its outputs are a \(128\), b \(2\)"):
            converted.output_of_size(size)


@needs_litert
def test_a_file_is_described_without_tensorflow() -> None:
    """Shapes and scales, as they stand in it."""
    described = tiny_file("embedder")
    scores_tensor = described.output_of_size(2)
    assert (scores_tensor.scale, scores_tensor.zero_point) == (1 / 256, -128)
    assert [tensor.shape for tensor in described.inputs.values()] == [(1, 96, 64)]
    assert describe(described.content, {}).outputs == described.outputs
