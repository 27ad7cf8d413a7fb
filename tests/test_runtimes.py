"""device.hearing.runtimes: what opens a model file, and what it says of one that cannot be opened."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from device.errors import ModelError
from device.hearing.runtimes import open_runtime
from device.hearing.statistics import NAMES

ROOT = Path(__file__).parents[1]
LOGISTIC = ROOT / "models" / "logistic.onnx"
YAMNET = ROOT.parent / "shared" / "weights" / "yamnet.tflite"

_TFLITE = [name for name in ("ai_edge_litert", "tflite_runtime") if importlib.util.find_spec(name)]
needs_tflite = pytest.mark.skipif(not _TFLITE, reason="no TFLite runtime is installed")
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
