"""device.hearing.models.replacement: a model asked for from afar is tried, or refused with a sentence."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from network_fakes import TINY_MODELS, install_tiny, needs_tflite

from device.configuration.settings import ModelConfig
from device.errors import ModelError
from device.hearing.models.replacement import load_replacement

MODELS = Path(__file__).parents[1] / "models"


def install(folder: Path, name: str, **changes: Any) -> ModelConfig:
    """The bundled model under another name, with changes to its sidecar."""
    document = json.loads((MODELS / "logistic.json").read_text(encoding="utf-8"))
    shutil.copy(MODELS / document["file"], folder)
    (folder / f"{name}.json").write_text(json.dumps(document | {"name": name} | changes), encoding="utf-8")
    return ModelConfig(directory=str(folder))


def test_an_installed_model_is_loaded(tmp_path: Path) -> None:
    """From the configured directory, or among the bundled ones."""
    config = install(tmp_path, "other")
    assert load_replacement("other", config).sidecar.name == "other"
    assert load_replacement("logistic", config).sidecar.name == "logistic"


@pytest.mark.parametrize("name", ["absent", "other.json", "../other", "/etc/passwd", ""])
def test_only_the_name_of_an_installed_model_will_do(tmp_path: Path, name: str) -> None:
    """Who may send commands must not be able to have any file read; the sentence says what is installed."""
    config = install(tmp_path, "other")
    with pytest.raises(ModelError, match=r"no model is named .*installed: .*other"):
        load_replacement(name, config)


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    """Its file is not the one that its sidecar vouches for."""
    with pytest.raises(ModelError, match="vouches for"):
        load_replacement("other", install(tmp_path, "other", sha256="0" * 64))


def test_a_model_that_reads_something_else_is_refused(tmp_path: Path) -> None:
    """Before it replaces the one that hears, not after."""
    document = json.loads((MODELS / "logistic.json").read_text(encoding="utf-8"))
    wrong = document["input"] | {"features": document["input"]["features"][:-1]}
    with pytest.raises(ModelError):
        load_replacement("other", install(tmp_path, "other", input=wrong))


@needs_tflite
@pytest.mark.parametrize("name", ["embedder", "attention"])
def test_a_network_is_loaded_and_tried(name: str) -> None:
    """A segment model with its embedder."""
    assert load_replacement(name, ModelConfig(directory=str(TINY_MODELS))).sidecar.name == name


@needs_tflite
def test_a_network_that_reads_something_else_is_refused(tmp_path: Path) -> None:
    """Its file takes no segments of nine patches: that shows when it is tried."""
    document = json.loads((TINY_MODELS / "attention.json").read_text(encoding="utf-8"))
    document["input"]["segment_patches"] = 9
    install_tiny(tmp_path, "attention", document)
    install_tiny(tmp_path, "embedder")
    with pytest.raises(ModelError, match=r"attention\.tflite: cannot take features of shape \(9, 128\)"):
        load_replacement("attention", ModelConfig(directory=str(tmp_path)))
