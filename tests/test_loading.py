"""device.hearing.models.loading: a model by its name, and the checks before it is trusted."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hearing_fakes import fake_model, scene, sidecar_document
from network_fakes import fake_embedder, install_tiny, needs_tflite, on_statistics, tiny_document

from device.configuration.settings import ModelConfig
from device.errors import ModelError, UnknownModelError
from device.hearing.classifier import Classifier
from device.hearing.models.loading import (
    Model,
    PatchModel,
    SegmentModel,
    find_model,
    installed_model,
    installed_models,
    load_model,
    model_directories,
)
from device.hearing.patch_cutter import PatchCutter
from device.hearing.statistics.statistics import NAMES
from device.sound import FloatArray

BUNDLED = Path(__file__).parents[1] / "models"


def install(folder: Path, *, name: str = "fake", content: bytes | None = None, **changes: Any) -> Path:
    """Write a sidecar with the right checksum and the bundled model's bytes, or others."""
    folder.mkdir(parents=True, exist_ok=True)
    if content is None:
        content = (BUNDLED / "logistic.onnx").read_bytes()
    (folder / f"{name}.onnx").write_bytes(content)
    stated = {"name": name, "file": f"{name}.onnx", "sha256": hashlib.sha256(content).hexdigest(), **changes}
    path = folder / f"{name}.json"
    path.write_text(json.dumps(sidecar_document(**stated)), encoding="utf-8")
    return path


def test_the_bundled_model_answers() -> None:
    """`logistic` loads and gives calibrated probabilities."""
    classifier = Classifier(load_model("logistic"))
    answers = [classifier.answer(patch).probability for patch in PatchCutter().feed(scene(6.0))]
    assert len(answers) == 6
    assert all(0 <= answer <= 1 for answer in answers)


def test_the_music_column_is_the_one_labelled_music(tmp_path: Path) -> None:
    """Columns are told apart by the sidecar's labels, not by their place."""
    features = np.random.default_rng(0).standard_normal((4, len(NAMES))).astype(np.float32)
    right = load_model(str(install(tmp_path / "a")))
    swapped = {"name": "probabilities", "labels": ["music", "no_music"]}
    wrong = load_model(str(install(tmp_path / "b", output=swapped)))
    assert np.allclose(right.probability(features) + wrong.probability(features), 1, atol=1e-6)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    """A file that the checksum does not vouch for never reaches a runtime."""
    path = install(tmp_path)
    damaged = bytearray((tmp_path / "fake.onnx").read_bytes())
    damaged[100] ^= 1
    (tmp_path / "fake.onnx").write_bytes(damaged)
    with pytest.raises(ModelError, match=r"fake\.onnx: SHA-256 is .* but fake\.json vouches for"):
        load_model(str(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A sidecar without its model."""
    path = install(tmp_path)
    (tmp_path / "fake.onnx").unlink()
    with pytest.raises(ModelError, match=r"fake\.onnx: cannot read the model: No such file"):
        load_model(str(path))


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    """A lone surrogate is text in JSON and no name on disk."""
    with pytest.raises(ModelError, match=r"fake\.json: 'file' names no file"):
        load_model(str(install(tmp_path, file="\ud800.onnx")))


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    """Those of the user's directory and those that came with the program."""
    install(tmp_path, name="mine")
    with pytest.raises(ModelError, match=r"no model is named 'yours'; installed: .*mine.*logistic"):
        load_model("yours", directory=str(tmp_path))


def test_the_users_directory_comes_first(tmp_path: Path) -> None:
    """A model of the same name there replaces the bundled one."""
    install(tmp_path, name="logistic", licence="mine")
    assert load_model("logistic", directory=str(tmp_path)).sidecar.document["licence"] == "mine"


def test_directories_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The configured one, the user's data, then what came with the program."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    first, second, third = model_directories("/somewhere")
    assert (first, second) == (Path("/somewhere"), tmp_path / "oido" / "models")
    assert (third / "logistic.json").is_file()
    assert model_directories() == (second, third)


def test_each_name_is_listed_once(tmp_path: Path) -> None:
    """What is hidden by the user's own model is not listed again."""
    own = install(tmp_path, name="logistic")
    found = [path for path in installed_models(str(tmp_path)) if path.stem == "logistic"]
    assert found == [own]


def test_a_model_that_is_asked_for_by_command_is_loaded(tmp_path: Path) -> None:
    """From the configured directory, or among the bundled ones."""
    install(tmp_path, name="other")
    config = ModelConfig(directory=str(tmp_path))
    assert installed_model("other", config).sidecar.name == "other"
    assert installed_model("logistic", config).sidecar.name == "logistic"


@pytest.mark.parametrize("name", ["absent", "other.json", "../other", "/etc/passwd", ""])
def test_a_command_cannot_name_a_path(tmp_path: Path, name: str) -> None:
    """Who may send commands must not be able to have any file read; the sentence says what is installed."""
    install(tmp_path, name="other")
    with pytest.raises(ModelError, match=r"no model is named .*installed: .*other"):
        installed_model(name, ModelConfig(directory=str(tmp_path)))


@pytest.mark.parametrize(
    ("key", "value", "part"),
    [
        ("statistics_version", 99, "version 99"),
        ("features", ["zcr_mean"], "a different list of the statistics"),
        ("features", None, "a different list of the statistics"),
        ("window_patches", 0, "window_patches = 0"),
        ("window_patches", 1000, "window_patches = 1000"),
        ("window_patches", "5", "window_patches = '5'"),
        ("window_patches", None, "window_patches = None"),
    ],
)
def test_other_statistics_are_refused(tmp_path: Path, key: str, value: object, part: str) -> None:
    """A model of statistics that are not computed here must not be heard."""
    inputs = sidecar_document()["input"] | {key: value}
    with pytest.raises(ModelError, match=f"model 'fake' .*{part}"):
        load_model(str(install(tmp_path, input=inputs)))


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    """The sentence says which kinds there are."""
    with pytest.raises(ModelError, match=r"kind 'telepathy'; this program knows .*statistics"):
        load_model(str(install(tmp_path, kind="telepathy")))


def test_labels_that_are_not_the_columns_are_refused(tmp_path: Path) -> None:
    """Labels for more columns than the model has make no answer."""
    output = {"name": "probabilities", "labels": ["no_music", "speech", "music"]}
    model = load_model(str(install(tmp_path, output=output)))
    with pytest.raises(ModelError, match="answers with what is no probability of music"):
        model.probability(np.zeros((1, len(NAMES)), np.float32))


@pytest.mark.parametrize("answer", [np.nan, np.inf, -0.5, 1.5])
def test_what_is_no_probability_is_refused(answer: float) -> None:
    """A model whose weights are damaged, checksum and all, is not heard."""
    model = fake_model([answer])
    with pytest.raises(ModelError, match="answers with what is no probability of music"):
        model.probability(np.zeros((1, len(NAMES)), np.float32))


def test_a_rounding_error_is_a_probability() -> None:
    """A runtime's arithmetic may end a hair beyond 1."""
    model = fake_model([1 + 2e-7])
    assert model.probability(np.zeros((1, len(NAMES)), np.float32)) == [1.0]


def test_a_name_too_long_for_a_file_is_no_model() -> None:
    """The operating system's refusal is the same error as an unknown name."""
    with pytest.raises(UnknownModelError, match="no model can be named 'xxx"):
        load_model("x" * 300)


def test_a_directory_of_nobody_is_searched_in_vain() -> None:
    """A home directory of a user who does not exist holds no models."""
    with pytest.raises(UnknownModelError, match="no model is named 'absent'"):
        load_model("absent", directory="~nobody-of-that-name/models")


PATCH = np.random.default_rng(0).standard_normal((96, 64)).astype(np.float32)


def load_tiny(folder: Path, name: str) -> Model:
    """A tiny model that is installed in this folder."""
    return load_model(str(folder / f"{name}.json"))


@needs_tflite
def test_a_patch_model_embeds(tmp_path: Path) -> None:
    """The score that it embeds with is the one that it gives alone, music's and not speech's."""
    install_tiny(tmp_path, "embedder")
    document = tiny_document("embedder")
    document["output"]["labels"] = ["speech", "music"]
    install_tiny(tmp_path / "swapped", "embedder", document)
    model, swapped = load_tiny(tmp_path, "embedder"), load_tiny(tmp_path / "swapped", "embedder")
    assert isinstance(model, PatchModel)
    assert isinstance(swapped, PatchModel)
    score, embedding = model.embed(PATCH)
    assert embedding.shape == (128,)
    assert model.raw(PATCH[None]) == pytest.approx([score])
    assert model.probability(PATCH[None]) == model.sidecar.calibration(np.array([score], np.float32))
    assert swapped.embed(PATCH)[0] != score


@needs_tflite
def test_a_segment_model_brings_its_embedder(tmp_path: Path) -> None:
    """From beside it, although the configured directory has one too, of another version."""
    install_tiny(tmp_path, "attention")
    install_tiny(tmp_path, "embedder")
    install_tiny(tmp_path / "own", "embedder", tiny_document("embedder") | {"sha256": "0" * 64})
    model = load_model(str(tmp_path / "attention.json"), directory=str(tmp_path / "own"))
    assert isinstance(model, SegmentModel)
    assert model.embedder.sidecar.name == "embedder"


@needs_tflite
def test_an_embedder_may_lie_where_any_model_may(tmp_path: Path) -> None:
    """In the configured directory, as here."""
    install_tiny(tmp_path / "a", "attention")
    install_tiny(tmp_path / "b", "embedder")
    model = load_model(str(tmp_path / "a" / "attention.json"), directory=str(tmp_path / "b"))
    assert isinstance(model, SegmentModel)


@needs_tflite
def test_a_model_is_chosen_by_its_name(tmp_path: Path) -> None:
    """As `[model] name = "attention"` does."""
    install_tiny(tmp_path, "attention")
    install_tiny(tmp_path, "embedder")
    classifier = Classifier(load_model("attention", directory=str(tmp_path)))
    assert (classifier.hop_s, classifier.context_s) == pytest.approx((0.48, 9.6))
    assert find_model("attention", str(tmp_path)) == tmp_path / "attention.json"


def embedder_document(**changes: Any) -> dict[str, Any]:
    """The tiny segment model's description, which wants another embedder."""
    document = tiny_document("attention")
    document["input"]["embedder"] |= changes
    return document


@needs_tflite
def test_a_segment_model_on_statistics_has_no_embedder(tmp_path: Path) -> None:
    """It is opened alone, whatever lies beside it; a file that reads other segments is refused when it hears."""
    document = tiny_document("attention")
    document["input"] |= on_statistics()
    model = load_model(str(install_tiny(tmp_path, "attention", document)))
    assert not isinstance(model, SegmentModel)
    classifier = Classifier(model)
    with pytest.raises(ModelError, match=r"attention\.tflite: cannot take features of shape \(10, 60\)"):
        classifier.answer(scene(0.975))


def standardised(size: int, **inputs: Any) -> dict[str, Any]:
    """The tiny segment model's description, with a standardisation of so many numbers."""
    document = tiny_document("attention")
    scaling = {"mean": [0.0] * size, "scale": [1.0] * size, "limit": 5.0}
    document["input"] |= {"standardisation": scaling, **inputs}
    return document


@needs_tflite
def test_a_standardisation_of_other_embeddings_is_refused(tmp_path: Path) -> None:
    """As many numbers as the model reads, pooled or not."""
    path = install_tiny(tmp_path, "attention", standardised(128, pooling="mean_std"))
    install_tiny(tmp_path, "embedder")
    said = r"'attention' states a standardisation of 128 numbers, but it is given 256 of 'embedder'"
    with pytest.raises(ModelError, match=said):
        load_model(str(path))


def test_a_standardisation_of_other_statistics_is_refused(tmp_path: Path) -> None:
    """There are 60."""
    path = install_tiny(tmp_path, "attention", standardised(128, **on_statistics()))
    with pytest.raises(ModelError, match="standardisation of 128 numbers, but it is given 60 of 'statistics'"):
        load_model(str(path))


def test_an_embedder_that_is_not_installed_is_named(tmp_path: Path) -> None:
    """With where to put it."""
    path = install_tiny(tmp_path, "attention", embedder_document(name="nowhere"))
    with pytest.raises(ModelError, match=r"'attention' needs the model 'nowhere'.* beside .*attention\.json"):
        load_model(str(path))


def test_an_embedder_of_another_version_is_refused(tmp_path: Path) -> None:
    """Both checksums are said, and which file is the wrong one."""
    path = install_tiny(tmp_path, "attention", embedder_document(sha256="ab" * 32))
    install_tiny(tmp_path, "embedder")
    ours = tiny_document("embedder")["sha256"][:12]
    with pytest.raises(ModelError, match=rf"'attention' .* abababababab\.\.\., but .*embedder\.json is of {ours}"):
        load_model(str(path))


def test_a_damaged_embedder_is_refused(tmp_path: Path) -> None:
    """Its description is the right one, its file is not."""
    path = install_tiny(tmp_path, "attention")
    install_tiny(tmp_path, "embedder")
    with (tmp_path / "embedder.tflite").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ModelError, match=r"embedder\.tflite: SHA-256 is .* but embedder\.json vouches for"):
        load_model(str(path))


@pytest.mark.parametrize("kind", ["segment", "statistics"])
def test_an_embedder_of_another_kind_is_refused(tmp_path: Path, kind: str) -> None:
    """A segment model that names itself, too."""
    path = install_tiny(tmp_path, "attention")
    install_tiny(tmp_path, "embedder", tiny_document("embedder") | {"kind": kind})
    with pytest.raises(ModelError, match=rf"'attention' needs an embedder, .*embedder\.json is of kind '{kind}'"):
        load_model(str(path))


@needs_tflite
def test_an_embedding_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The file has no output of that name."""
    document = tiny_document("embedder")
    document["input"]["embedding"]["name"] = "odd"
    with pytest.raises(ModelError, match=r"embedder\.tflite: has no output 'odd'"):
        load_model(str(install_tiny(tmp_path, "embedder", document)))


@pytest.mark.parametrize("embedding", [np.zeros(64), np.full(128, np.nan), np.full(128, np.inf)])
def test_what_is_no_embedding_is_refused(embedding: FloatArray) -> None:
    """Too short, or no numbers."""
    model = fake_embedder(lambda _: (0.5, embedding))
    with pytest.raises(ModelError, match="'embedder' answers with what is no embedding of 128 numbers"):
        model.embed(PATCH)
