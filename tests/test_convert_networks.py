"""export.estimators.deployment and `oido-export convert`: from a training's files to a model for the device."""

import hashlib
import importlib
import json
import shutil
from pathlib import Path
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
from network_fakes import TINY_MODELS, install_tiny

from device.hearing.classifier import Classifier
from device.hearing.models.loading import load_model
from device.hearing.models.sidecar import Calibration
from export.cli import main
from export.errors import ExportError
from export.estimators.deployment import ATTENTION, EMBEDDER, FittedParameters

pytestmark = keras_warnings

CALIBRATION: dict[str, Any] = {
    "calibration": {"method": "platt", "parameters": {"slope": 1.5, "offset": -0.25}},
    "thresholds": {"balanced": 0.4, "precision": 0.8, "recall": 0.1},
    "input": {"recent_patches": 4, "recent_weight": 0.25},
    "decision": {"min_on_s": 1.0, "min_off_s": 3.0},
    "training_data": {"scenes": 12},
}


def write(folder: Path, document: object, name: str = "calibration.json") -> Path:
    """A JSON file."""
    path = folder / name
    path.write_text(json.dumps(document))
    return path


def words(folder: Path, model: str = "embedder") -> list[str]:
    """Convert what a training left in the folder."""
    return ["convert", model, "--cache", str(folder / "cache"), "--out", str(folder / "out")]


def refusal(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    """The sentence of a command that fails."""
    assert main(arguments) == 1
    return capsys.readouterr().err


@needs_litert
def test_an_embedder_states_its_embedding() -> None:
    """By the tensor's own name; an answer is the newest patch's until that is fitted."""
    found = EMBEDDER.inputs(tiny_file("embedder"), TINY_MODELS)
    assert found["embedding"] == json.loads((TINY_MODELS / "embedder.json").read_text())["input"]["embedding"]
    assert (found["patch_frames"], found["hop_frames"], found["recent_patches"]) == (96, 48, 1)


@needs_litert
def test_an_attention_network_states_its_embedder() -> None:
    """By the checksum of the one in the folder."""
    checksum = hashlib.sha256((TINY_MODELS / "embedder.tflite").read_bytes()).hexdigest()
    found = ATTENTION.inputs(tiny_file("attention"), TINY_MODELS, trained_on=checksum)
    assert found["embedder"] == {"name": "embedder", "sha256": checksum}
    assert (found["segment_patches"], found["recent_patches"], found["recent_weight"]) == (10, 1, 0.0)


@needs_litert
def test_an_attention_network_of_another_embedder_is_refused(tmp_path: Path) -> None:
    """Its embeddings would mean something else; and without an embedder there is nothing to state."""
    with pytest.raises(ExportError, match=r"learned from the embeddings of 0000.*train attention again"):
        ATTENTION.inputs(tiny_file("attention"), TINY_MODELS, trained_on="0" * 64)
    with pytest.raises(ExportError, match=r"embedder\.json: .*oido-export convert embedder first"):
        ATTENTION.inputs(tiny_file("attention"), tmp_path)


def test_what_was_fitted_is_read(tmp_path: Path) -> None:
    """Every part of it."""
    found = FittedParameters.read(write(tmp_path, CALIBRATION), sha256="0" * 64)
    assert found.calibration == Calibration("platt", slope=1.5, offset=-0.25)
    assert found.thresholds == CALIBRATION["thresholds"]
    assert found.inputs == CALIBRATION["input"]
    assert (found.decision, found.training_data) == (CALIBRATION["decision"], CALIBRATION["training_data"])
    assert found.calibrated


def test_isotonic_points_are_read(tmp_path: Path) -> None:
    """Lists become the tuples that a calibration has."""
    stated = {"method": "isotonic", "parameters": {"raw": [0.0, 1.0], "calibrated": [0.25, 0.75]}}
    found = FittedParameters.read(write(tmp_path, CALIBRATION | {"calibration": stated}), sha256="0" * 64)
    assert found.calibration == Calibration("isotonic", raw=(0.0, 1.0), calibrated=(0.25, 0.75))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"calibration": {"method": "magic"}}, "malformed: its method is 'magic'"),
        ({"calibration": {"method": "platt", "parameters": {"tilt": 1}}}, "malformed: .*tilt"),
        ({"thresholds": {"balanced": 0.5}}, "lacks 'precision'"),
        ({"sha256": "1" * 64}, "fitted on the file with SHA-256 111111111111.* calibrate again"),
    ],
)
def test_a_calibration_that_does_not_fit_is_refused(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    """With the file's name."""
    with pytest.raises(ExportError, match=rf"calibration\.json: .*{sentence}"):
        FittedParameters.read(write(tmp_path, CALIBRATION | changes), sha256="0" * 64)


def test_what_a_sidecar_says_of_the_same_file_is_kept(tmp_path: Path) -> None:
    """Of another it says nothing."""
    path = install_tiny(tmp_path, "attention")
    document = json.loads(path.read_text())
    kept = FittedParameters.kept(path, sha256=document["sha256"])
    assert kept is not None
    assert kept.calibration == Calibration("platt", slope=0.9, offset=0.1)
    assert kept.inputs == {"recent_patches": 3, "recent_weight": 0.6}
    assert kept.decision == document["decision"]
    assert FittedParameters.kept(path, sha256="0" * 64) is None
    assert FittedParameters.kept(tmp_path / "nobody.json", sha256="0" * 64) is None


def test_without_a_training_the_command_says_what_makes_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence, exit code 1."""
    said = refusal(capsys, words(tmp_path))
    assert "embedder/model.keras: there is no such network; oido-export train embedder makes it" in said


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        (None, "cannot read the features: No such file"),
        (b"no arrays", "is no file of arrays (.npz)"),
        ({"segments": np.zeros((9, 10, 128))}, "holds no array 'patches'"),
        ({"patches": np.zeros((9, 96, 64)), "music": np.zeros(8)}, "'music' has 8 entries for 9 examples"),
    ],
)
def test_features_that_cannot_be_read_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arrays: Any, sentence: str
) -> None:
    """Before TensorFlow is loaded, which takes its time."""
    folder = tmp_path / "cache" / "embedder"
    folder.mkdir(parents=True)
    (folder / "model.keras").write_bytes(b"")
    path = folder / "representative.npz"
    if isinstance(arrays, bytes):
        path.write_bytes(arrays)
    elif arrays is not None:
        np.savez(path, **arrays)
    assert f"{path}: {sentence}" in refusal(capsys, words(tmp_path))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What trainings of two tiny networks leave in their folders, and the models made of it."""
    root = tmp_path_factory.mktemp("trained")
    for name in ("embedder", "attention"):
        (root / "cache" / name).mkdir(parents=True)
    patches = np.concatenate([recorded_patches("music"), recorded_patches("speech")])
    keras = importlib.import_module("keras")
    whole = tiny_embedder(patches[::2])
    network = keras.Model(whole.input, {name: whole.get_layer(name).output for name in ("embedding", "scores")})
    network.save(root / "cache/embedder/model.keras")
    np.savez(root / "cache/embedder/representative.npz", patches=patches[::2])
    write(root / "cache/embedder", {"scenes": 7}, "training_data.json")
    assert main(words(root)) == 0
    embedded = np.asarray(network(patches)["embedding"])
    segments = np.stack([embedded[start : start + 10] for start in range(len(embedded) - 10)])
    importlib.import_module("export.estimators.attention").build().save(root / "cache/attention/model.keras")
    np.savez(root / "cache/attention/representative.npz", segments=segments)
    assert main(words(root, "attention")) == 0
    return root


def document_of(root: Path, name: str = "embedder") -> dict[str, Any]:
    """A sidecar that was written."""
    document: dict[str, Any] = json.loads((root / "out" / f"{name}.json").read_text())
    return document


@pytest.mark.training
def test_the_device_hears_with_what_was_converted(trained: Path) -> None:
    """Both models, the second through the first."""
    embedder = load_model(str(trained / "out" / "embedder.json"))
    assert embedder.sidecar.labels == ("music", "speech")
    Classifier(load_model(str(trained / "out" / "attention.json")))  # refuses what it cannot feed


@pytest.mark.training
def test_the_sidecar_says_how_it_was_quantised(trained: Path) -> None:
    """What int8 costs, beside what is not known before calibration."""
    document = document_of(trained)
    quantisation = document["quantisation"]
    assert quantisation["scheme"] == "int8, exact"
    assert 0 < quantisation["parity"]["mean"] <= 0.02
    assert quantisation["parity"]["int8_bytes"] == (trained / "out" / "embedder.tflite").stat().st_size
    assert document["calibration"]["method"] == "none"
    assert set(document["thresholds"].values()) == {0.5}
    assert document["training_data"] == {"scenes": 7}


@pytest.mark.training
def test_converting_again_fills_in_the_calibration_and_keeps_it(trained: Path, tmp_path: Path) -> None:
    """First from a file, then, without the file, from the sidecar of the same model."""
    before = document_of(trained)
    file = write(tmp_path, CALIBRATION | {"sha256": before["sha256"]})
    assert main([*words(trained), "--calibration", str(file)]) == 0
    filled = document_of(trained)
    assert filled["sha256"] == before["sha256"]
    assert filled["calibration"] == CALIBRATION["calibration"]
    assert filled["thresholds"] == CALIBRATION["thresholds"]
    assert filled["input"]["recent_patches"] == 4
    assert filled["decision"] == CALIBRATION["decision"]
    assert filled["training_data"] == {"scenes": 12}
    assert main(words(trained)) == 0
    again = document_of(trained)
    assert {key: again[key] for key in CALIBRATION} == {key: filled[key] for key in CALIBRATION}


@pytest.mark.training
def test_figures_of_held_out_features_are_reported(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With F1, where it is said what is music."""
    patches = np.concatenate([recorded_patches("music")[1::40], recorded_patches("speech")[1::40]])
    music = np.arange(len(patches)) < len(patches) // 2
    np.savez(tmp_path / "held_out.npz", patches=patches, music=music)
    assert main([*words(trained), "--held-out", str(tmp_path / "held_out.npz")]) == 0
    rows = [line.split(" | ")[0] for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert "| equal decisions" in rows
    assert set(document_of(trained)["quantisation"]["parity"]) >= {"float_f1", "int8_f1"}


@pytest.mark.training
def test_what_training_held_out_is_reported_on_unasked(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `train embedder` leaves it beside the network."""
    cache = tmp_path / "cache"
    shutil.copytree(trained / "cache", cache)
    patches = recorded_patches("music")[1::40]
    np.savez(cache / "embedder/held_out.npz", patches=patches, music=np.ones(len(patches), bool))
    assert main(["convert", "embedder", "--cache", str(cache), "--out", str(tmp_path / "out")]) == 0
    assert f"of {len(patches)} |" in capsys.readouterr().out


@pytest.mark.training
def test_what_the_device_would_refuse_is_not_written(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sentence names the file that is wrong, and the old model stays."""
    before = document_of(trained)
    file = write(tmp_path, CALIBRATION | {"input": {"recent_patches": 0}})
    said = refusal(capsys, [*words(trained), "--calibration", str(file)])
    assert f"{file}: the device would refuse it: model 'embedder' states recent_patches = 0" in said
    assert document_of(trained) == before
