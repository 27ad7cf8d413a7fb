"""export.comparison.install: what the comparison judged is what the device hears with."""

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from evaluation_fakes import song, talk
from hearing_fakes import noise, scene
from loudness_fakes import LoudnessFeature
from network_fakes import TINY_MODELS, install_tiny, needs_tflite, tiny_document

from device.cli import main as oido
from device.errors import ModelError
from device.hearing.models.loading import SegmentModel, load_model
from device.hearing.models.sidecar import MODES, Sidecar
from device.hearing.patch_cutter import FIRST_PATCH_SAMPLES, PATCH_SAMPLES
from device.hearing.statistics.pooling import Standardisation
from device.sound import SAMPLE_RATE, FloatArray
from export.__main__ import main
from export.commands import compare as command
from export.comparison.feature import NamedFeature
from export.comparison.fits import Fits
from export.comparison.install import Installable, install
from export.comparison.running import Material, judge
from export.embeddings.base import Extractor
from export.embeddings.feature import Feature, Origin, opened
from export.embeddings.ours import OursExtractor
from export.embeddings.segments import Segments, cut
from export.errors import ExportError
from export.estimators.base import Estimator, ModelFile, standardisation_of
from export.estimators.heads import dense_head
from export.estimators.linear import PooledLogistic
from export.estimators.network import Schedule
from export.evaluation.hearing import answers, segment_ends
from export.evaluation.metrics import f1
from export.evaluation.takes import Section

LOGISTIC = PooledLogistic(strengths=(0.01,))

REACH = FIRST_PATCH_SAMPLES - PATCH_SAMPLES

OURS, CEPSTRAL = NamedFeature("ours"), NamedFeature("cepstral")


@dataclass(frozen=True, slots=True)
class TinyFeature:
    """A tiny embedder, called as a published network is."""

    folder: Path
    name: str = "yamnet"
    origin: Origin = "published"

    def open(self) -> Extractor:
        """From the folder."""
        return OursExtractor(str(self.folder / "yamnet.json"))


def heard(feature: Feature, *, first: int) -> Segments:
    """Three songs and three talks, from that number on: each 19.2 s, once as it is and once quieter."""
    parts = []
    for number in range(first, first + 3):
        for music, sound in ((True, song(19.2, number=number)), (False, talk(19.2, number=number))):
            for variation, level in (("clean", 1.0), ("room", 0.3)):
                section = Section(sound * np.float32(level), music, f"{number}{music}", "any")
                parts.append(Segments.of(section, opened(feature), variation))
    return Segments.join(parts)


def material_of(feature: Feature) -> Material:
    """Training and validation without a corpus."""
    validation = heard(feature, first=10)
    return Material(feature, heard(feature, first=0), validation, validation, "validation")


@pytest.fixture(scope="module")
def cepstral() -> Material:
    """The statistics of some sounds."""
    return material_of(CEPSTRAL)


@pytest.fixture(scope="module")
def ours() -> Material:
    """The bundled embedder's embeddings of the same."""
    return material_of(OURS)


def judged(material: Material, folder: Path, estimator: Estimator = LOGISTIC) -> Installable:
    """A row, fitted and judged."""
    found = judge(estimator, material, Fits(folder=folder / "fits", seed=1), costs=False)
    return Installable(found, material, estimator.reads)


def installed(rows: Sequence[Installable], folder: Path) -> list[str]:
    """What is said of rows that go into the models of a folder."""
    return list(install(rows, folder / "models", corpus="v", seed=1))


def put(row: Installable, folder: Path) -> Path:
    """Install one row; where its description is."""
    (sentence,) = installed([row], folder)
    assert sentence == f"{row.judged.row.feature}: installed in {folder / 'models'}: {row.name}"
    return folder / "models" / f"{row.name}.json"


def from_the_device(path: Path, sound: FloatArray) -> FloatArray:
    """Its answers at the ends of the segments. Patches end 15 ms later: their last frame reaches beyond them."""
    scores = {score.heard - REACH: score.probability for score in answers(sound, load_model(str(path)))}
    return np.array([scores[end] for end in segment_ends(sound.size - REACH)], np.float32)


def from_the_comparison(row: Installable, path: Path, sound: FloatArray) -> FloatArray:
    """What the file says of the comparison's own segments of the sound, with the description's calibration."""
    sequences = cut(opened(row.material.feature).embed(sound), sound.size - REACH)
    labels = np.full(len(sequences), "any")
    rows = Segments(sequences, np.ones(len(sequences), np.int8), labels, labels)
    raw = row.judged.file.probability(rows.read(row.reads))
    return Sidecar.read(path).calibration(raw.astype(np.float32))


def assert_the_same(row: Installable, path: Path) -> None:
    """At the end of every full segment of a minute, and after 3 s of one, where patches are repeated.

    One by one and in a batch, sums differ in their last bit: 1e-6 is no step of any int8 tensor.
    """
    minute = scene(57.6 + REACH / SAMPLE_RATE)
    for sound in (minute, minute[20 * SAMPLE_RATE :][: 3 * PATCH_SAMPLES + REACH]):
        expected = from_the_comparison(row, path, sound)
        assert from_the_device(path, sound) == pytest.approx(expected, abs=1e-6)
    assert np.ptp(from_the_comparison(row, path, minute)) > 0.01


def tiny_head(row: Installable, standardisation: Standardisation | None = None) -> Installable:
    """The row, with an int8 network of random weights that reads sequences instead of its file."""
    file = ModelFile(
        content=(TINY_MODELS / "attention.tflite").read_bytes(),
        suffix=".tflite",
        output=tiny_document("attention")["output"]["name"],
        labels=("music",),
        quantisation="int8",
        standardisation=standardisation,
    )
    judged = replace(row.judged, row=replace(row.judged.row, head="tiny"), file=file)
    return Installable(judged, row.material, "sequence")


def test_a_pooled_row_on_the_statistics_is_heard_as_it_was_judged(cepstral: Material, tmp_path: Path) -> None:
    """ONNX, and no other file."""
    row = judged(cepstral, tmp_path)
    assert_the_same(row, put(row, tmp_path))
    assert not isinstance(load_model(str(tmp_path / "models" / "cepstral-logistic.json")), SegmentModel)


@needs_tflite
def test_a_pooled_row_on_our_embedder_is_heard_as_it_was_judged(ours: Material, tmp_path: Path) -> None:
    """ONNX on TFLite, with the bundled embedder's checksum."""
    row = judged(ours, tmp_path)
    path = put(row, tmp_path)
    assert_the_same(row, path)
    assert Sidecar.read(path).input["embedder"]["sha256"] == load_model("embedder").sidecar.sha256


@needs_tflite
@pytest.mark.parametrize("standardised", [False, True])
def test_a_sequence_row_is_heard_as_it_was_judged(ours: Material, tmp_path: Path, *, standardised: bool) -> None:
    """An int8 head, its rows as they are or brought to one size."""
    standardisation = standardisation_of(ours.training.sequences, limit=2.0) if standardised else None
    row = tiny_head(judged(ours, tmp_path), standardisation)
    assert_the_same(row, put(row, tmp_path))


@pytest.mark.training
@pytest.mark.parametrize("feature", ["ours", "cepstral"])
def test_a_network_that_learnt_is_heard_as_it_was_judged(
    request: pytest.FixtureRequest, tmp_path: Path, feature: str
) -> None:
    """On embeddings as they are, on statistics standardised."""
    schedule = Schedule(every_steps=6, most_looks=4, patience=3, folds=1, batch=8)
    head = dense_head(units=(8,), learning_rate=3e-3, schedule=schedule, standardise=feature == "cepstral")
    row = judged(request.getfixturevalue(feature), tmp_path, head)
    assert_the_same(row, put(row, tmp_path))


@needs_tflite
def test_rows_on_yamnet_wait_for_it(tmp_path: Path) -> None:
    """Not before a model of that name is there; then on that one, with its checksum."""
    document = tiny_document("embedder") | {"name": "yamnet"}
    install_tiny(tmp_path / "own", "embedder", document).rename(tmp_path / "own" / "yamnet.json")
    row = judged(material_of(TinyFeature(tmp_path / "own")), tmp_path)
    (sentence,) = installed([row], tmp_path)
    assert sentence.startswith("yamnet: not installed, as the device makes its embeddings with a model that is")
    assert "no model is named 'yamnet'" in sentence
    shutil.copytree(tmp_path / "own", tmp_path / "models")
    path = put(row, tmp_path)
    assert_the_same(row, path)
    assert Sidecar.read(path).input["embedder"] == {"name": "yamnet", "sha256": document["sha256"]}


def test_what_the_device_does_not_compute_is_said_once(cepstral: Material, tmp_path: Path) -> None:
    """One sentence for all rows of a feature, and no file; other features go on."""
    row = judged(cepstral, tmp_path)
    foreign = replace(row, judged=replace(row.judged, row=replace(row.judged.row, feature="vggish")))
    sentences = installed([foreign, foreign, row], tmp_path)
    assert sentences[0] == "vggish: not installed, as the device does not compute vggish embeddings"
    assert len(sentences) == 2
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == [
        "cepstral-logistic.json",
        "cepstral-logistic.onnx",
    ]


@needs_tflite
def test_a_folder_with_another_embedder_is_refused(ours: Material, tmp_path: Path) -> None:
    """The device would find that one first; nothing is written."""
    install_tiny(tmp_path / "models", "embedder")
    with pytest.raises(ExportError, match=r"embedder\.json: is another 'embedder' than the one whose embeddings"):
        installed([judged(ours, tmp_path)], tmp_path)
    assert not list((tmp_path / "models").glob("ours-*"))


def test_a_description_says_where_the_row_comes_from(cepstral: Material, tmp_path: Path) -> None:
    """Corpus, seed, hyperparameters, figures and the split that they are of, licence, commit."""
    row = judged(cepstral, tmp_path)
    document: dict[str, Any] = json.loads(put(row, tmp_path).read_text())
    assert document["training_data"]["corpus"] == "v"
    assert document["training_data"]["parameters"] == dict(row.judged.row.parameters)
    value = row.judged.row.reports["clean"].f1.value
    assert document["metrics"]["validation"]["clean"]["segment"]["f1"]["value"] == pytest.approx(value, abs=1e-4)
    assert document["licence"] == "Apache-2.0"
    assert "commit" in document
    tested = replace(row, judged=replace(row.judged, row=replace(row.judged.row, split="test")))
    assert "clean" in json.loads(put(tested, tmp_path).read_text())["metrics"]


def test_thresholds_are_of_calibrated_answers_to_validation(cepstral: Material, tmp_path: Path) -> None:
    """They ascend from `recall` to `precision`, and decide validation as well as the row's own does."""
    row = judged(cepstral, tmp_path)
    sidecar = Sidecar.read(put(row, tmp_path))
    assert sidecar.calibration.method == "platt"
    recall, balanced, precision = (sidecar.thresholds[mode] for mode in ("recall", "balanced", "precision"))
    assert set(sidecar.thresholds) == set(MODES)
    assert recall <= balanced <= precision
    validation = cepstral.validation
    probability = sidecar.calibration(row.judged.file.probability(validation.read("pooled")).astype(np.float32))
    assert f1(validation.music, probability >= balanced) >= row.judged.row.validation_f1 - 0.02


def options(*words: str) -> argparse.Namespace:
    """Of `oido-export compare`."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(list(words))


def test_an_installed_row_is_chosen_by_its_name(
    cepstral: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--install` without a folder puts it where `oido classify --model` looks."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    folder: Path = options("--install").install
    assert folder == tmp_path / "data" / "oido" / "models"
    list(install([judged(cepstral, tmp_path)], folder, corpus="v", seed=1))
    soundfile.write(tmp_path / "noise.wav", noise(15.0, level_dbfs=-25, seed=5), SAMPLE_RATE)
    assert oido(["classify", "--model", "cepstral-logistic", str(tmp_path / "noise.wav")]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [lines[0]["onset"], lines[-1]["offset"]] == [0.0, 15.0]
    assert {line["label"] for line in lines} == {"no_music"}


def test_a_row_that_the_device_would_refuse_is_an_error(tmp_path: Path) -> None:
    """It is heard once: a head that learnt from other embeddings does not wait for its user to find out."""
    row = judged(material_of(LoudnessFeature()), tmp_path)
    foreign = replace(row, judged=replace(row.judged, row=replace(row.judged.row, feature="cepstral")))
    with pytest.raises(ModelError, match=r"cepstral-logistic\.onnx: cannot take features of shape \(1, 120\)"):
        installed([foreign], tmp_path)


def test_kept_rows_cannot_be_installed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was kept are figures; the sentence says so."""
    assert main(["compare", "--from-tracking", "--install", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "--from-tracking and --install: choose one" in capsys.readouterr().err
