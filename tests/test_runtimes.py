"""device.hearing.models.runtimes: what opens a model file, and what it says of one that cannot be opened."""

import importlib.util
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from network_fakes import TINY_MODELS, needs_tflite, tiny_document

from device.errors import ModelError
from device.hearing.models.runtimes import Runtime, open_runtime
from device.hearing.statistics.statistics import NAMES
from device.sound import FloatArray

ROOT = Path(__file__).parents[1]
LOGISTIC = ROOT / "models" / "logistic.onnx"
YAMNET = ROOT.parent / "shared" / "weights" / "yamnet.tflite"

_TFLITE = [name for name in ("ai_edge_litert", "tflite_runtime") if importlib.util.find_spec(name)]
needs_yamnet = pytest.mark.skipif(not YAMNET.is_file(), reason="YAMNet's weights are not beside the checkout")


def test_onnx_gives_a_row_for_each_row() -> None:
    """Probabilities of both classes, which add up to 1."""
    runtime = open_runtime(LOGISTIC, LOGISTIC.read_bytes(), "probabilities")
    found = runtime.run(np.zeros((3, len(NAMES)), np.float32))
    assert found.shape == (3, 2)
    assert np.allclose(found.sum(axis=1), 1, atol=1e-6)
    assert runtime.description.startswith("onnxruntime ")


@pytest.mark.parametrize("content", [b"", b"no model", LOGISTIC.read_bytes()[:500]])
def test_a_damaged_onnx_file_is_named(content: bytes) -> None:
    """A file can be damaged before its checksum was taken."""
    with pytest.raises(ModelError, match=r"broken\.onnx: not a usable ONNX model: \S") as caught:
        open_runtime(Path("broken.onnx"), content, "probabilities")
    assert "\n" not in str(caught.value)


def test_an_unknown_output_lists_the_outputs() -> None:
    """So that the sidecar can be corrected."""
    with pytest.raises(ModelError, match=r"logistic\.onnx: has no output 'scores'; it has .*probabilities"):
        open_runtime(LOGISTIC, LOGISTIC.read_bytes(), "scores")


def test_an_unknown_ending_is_refused() -> None:
    """The ending chooses the runtime."""
    with pytest.raises(ModelError, match=r"model\.pt: a model file ends in \.onnx or \.tflite"):
        open_runtime(Path("model.pt"), b"", "")


def test_features_of_another_shape_are_refused() -> None:
    """A model that reads something else than its sidecar says."""
    runtime = open_runtime(LOGISTIC, LOGISTIC.read_bytes(), "probabilities")
    with pytest.raises(ModelError, match=r"logistic\.onnx: cannot take features of shape \(1, 3\)"):
        runtime.run(np.zeros((1, 3), np.float32))


def test_onnx_gives_every_wanted_output() -> None:
    """In the order in which they were named."""
    runtime = open_runtime(LOGISTIC, LOGISTIC.read_bytes(), ["label", "probabilities"])
    labels, probabilities = runtime.run_all(np.zeros((2, len(NAMES)), np.float32))
    assert labels.shape == (2,)
    assert probabilities.shape == (2, 2)


@needs_tflite
@pytest.mark.parametrize("content", [b"", b"no model at all", b"\x1c\0\0\0TFL3" + b"\xff" * 64])
def test_a_damaged_tflite_file_is_named(content: bytes) -> None:
    """Both runtimes check the file's structure."""
    with pytest.raises(ModelError, match=r"broken\.tflite: not a usable TFLite model: \S"):
        open_runtime(Path("broken.tflite"), content, "")


@needs_tflite
@needs_yamnet
def test_tflite_takes_the_first_output() -> None:
    """Without a name for the output the first is meant; rows are run one after the other."""
    runtime = open_runtime(YAMNET, YAMNET.read_bytes(), "")
    tone = np.sin(2 * np.pi * 440 / 16_000 * np.arange(15_600)).astype(np.float32)
    both = runtime.run(np.stack([tone, np.zeros_like(tone)]))
    assert both.shape == (2, 521)
    assert np.array_equal(runtime.run(tone[None])[0], both[0])


@needs_tflite
@needs_yamnet
def test_tflite_lists_the_outputs() -> None:
    """An output that is not there."""
    with pytest.raises(ModelError, match=r"yamnet\.tflite: has no output 'music'; it has \S"):
        open_runtime(YAMNET, YAMNET.read_bytes(), "music")


@needs_tflite
@needs_yamnet
def test_tflite_refuses_features_of_another_shape() -> None:
    """A waveform of another length."""
    runtime = open_runtime(YAMNET, YAMNET.read_bytes(), "")
    with pytest.raises(ModelError, match=r"yamnet\.tflite: cannot take features of shape"):
        runtime.run(np.zeros((1, 77), np.float32))


@needs_tflite
@needs_yamnet
def test_damage_that_shows_only_when_a_tflite_model_runs_is_named() -> None:
    """The file opens, but a buffer's offset is gone."""
    content = bytearray(YAMNET.read_bytes())
    content[252:256] = bytes(4)
    with pytest.raises(
        ModelError, match=r"damaged\.tflite: (the model cannot be run|not a usable TFLite model): \S"
    ):
        open_runtime(Path("damaged.tflite"), bytes(content), "").run(np.zeros((1, 15_600), np.float32))


@pytest.mark.skipif("tflite_runtime" in _TFLITE, reason="tflite-runtime is installed here")
def test_a_runtime_that_is_missing_is_named() -> None:
    """What to install, where a setting forces one that is not there."""
    with pytest.raises(ModelError, match=r"m\.tflite: needs a TFLite runtime; install tflite-runtime with pip"):
        open_runtime(Path("m.tflite"), b"", "", "tflite-runtime")


EMBEDDER = TINY_MODELS / "embedder.tflite"
SCORES = tiny_document("embedder")["output"]["name"]
EMBEDDING = tiny_document("embedder")["input"]["embedding"]["name"]


def tiny_embedder(*outputs: str) -> Runtime:
    """The tiny int8 model, with these outputs."""
    return open_runtime(EMBEDDER, EMBEDDER.read_bytes(), outputs)


def some_patches(count: int) -> FloatArray:
    """(count, 96, 64), as wide as log-mel patches."""
    return (np.random.default_rng(0).standard_normal((count, 96, 64)) * 3 - 2).astype(np.float32)


def interpreter_of(content: bytes) -> Any:
    """Whichever interpreter is installed, without anything of ours."""
    interpreter = importlib.import_module(f"{_TFLITE[0]}.interpreter").Interpreter(model_content=content)
    interpreter.allocate_tensors()
    return interpreter


@needs_tflite
def test_tflite_finds_outputs_by_name() -> None:
    """Each alone, or both of one pass, in the order in which they were named."""
    patches = some_patches(1)
    scores, embedding = tiny_embedder(SCORES, EMBEDDING).run_all(patches)
    assert (scores.shape, embedding.shape) == ((1, 2), (1, 128))
    assert np.array_equal(tiny_embedder(SCORES).run(patches), scores)
    assert np.array_equal(tiny_embedder(EMBEDDING).run(patches), embedding)
    assert np.array_equal(tiny_embedder(EMBEDDING, SCORES).run_all(patches)[1], scores)


@needs_tflite
def test_int8_is_scaled_as_the_file_says() -> None:
    """Rounded to the nearest step, what lies beyond the ends taken to the ends; outputs in real units."""
    interpreter = interpreter_of(EMBEDDER.read_bytes())
    (into,) = interpreter.get_input_details()
    scale, zero = into["quantization"]
    patch = some_patches(1)
    patch[0, 0, :4] = 1e6, -1e6, (127 - zero) * scale, (-128 - zero) * scale
    steps = np.clip(np.round(patch / np.float32(scale)) + zero, -128, 127).astype(np.int8)
    interpreter.set_tensor(into["index"], steps)
    interpreter.invoke()
    for name, found in zip((SCORES, EMBEDDING), tiny_embedder(SCORES, EMBEDDING).run_all(patch), strict=True):
        (detail,) = (each for each in interpreter.get_output_details() if each["name"] == name)
        scale, zero = detail["quantization"]
        expected = (interpreter.get_tensor(detail["index"]).astype(np.float32) - zero) * scale
        assert np.allclose(found, expected, atol=1e-6)
    assert steps[0, 0, :4].tolist() == [127, -128, 127, -128]


@needs_tflite
def test_rows_do_not_touch_each_other() -> None:
    """What was given out stays as it is while the next rows are run."""
    runtime = tiny_embedder(SCORES, EMBEDDING)
    patches = some_patches(3)
    singly = [runtime.run_all(patch[None]) for patch in patches]
    scores, embeddings = runtime.run_all(patches)
    assert np.array_equal(scores, np.concatenate([each[0] for each in singly]))
    assert np.array_equal(embeddings, np.concatenate([each[1] for each in singly]))
    assert len(np.unique(embeddings, axis=0)) == 3


@needs_tflite
def test_an_output_that_is_not_there_is_named() -> None:
    """Whichever of the names it is."""
    with pytest.raises(ModelError, match=r"embedder\.tflite: has no output 'odd'; it has .*, "):
        tiny_embedder(SCORES, "odd")


@needs_tflite
@pytest.mark.parametrize("scale", [float("nan"), float("inf"), -1.0, 1e-30, 1e30])
def test_a_quantisation_that_cannot_be_is_refused(scale: float) -> None:
    """Before a number that is none reaches the network."""
    content = EMBEDDER.read_bytes()
    stated = struct.pack("<f", interpreter_of(content).get_input_details()[0]["quantization"][0])
    assert stated in content
    with pytest.raises(ModelError, match=r"m\.tflite: (its tensor .* is quantised in steps of|not a usable)"):
        open_runtime(Path("m.tflite"), content.replace(stated, struct.pack("<f", scale)), "")
