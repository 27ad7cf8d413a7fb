"""`oido-export convert yamnet`: from Google's weights to a model of the user's, and what is said of it."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from converting_fakes import keras_warnings, needs_litert
from embeddings_fakes import OFFICIAL_YAMNET, ROOT, needs_official_yamnet, write_h5, yamnet_layers
from evaluation_fakes import small_corpus, song, talk, write_corpus
from hearing_fakes import noise
from network_fakes import TINY_MODELS, install_tiny, tiny_document

from device.hearing.classifier import Classifier
from device.hearing.models.loading import PatchModel, load_model
from export.__main__ import main
from export.corpus.streams import Corpus
from export.errors import ExportError
from export.evaluation.scoring import Scores, Verdicts
from export.yamnet import report as yamnet_report
from export.yamnet.report import Alike, Race, race, race_table

pytestmark = [pytest.mark.timeout(900), keras_warnings]  # three networks are converted, each by a fresh TensorFlow


def refusal(capsys: pytest.CaptureFixture[str], *words: object, code: int = 2) -> str:
    """The sentence of a command that is refused."""
    assert main(["convert", *map(str, words)]) == code
    return capsys.readouterr().err


@pytest.mark.parametrize("option", ["--keras", "--representative", "--held-out", "--calibration"])
def test_files_of_a_training_are_wrong_use(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """There is no such training."""
    said = refusal(capsys, "yamnet", option, "file")
    assert f"{option}: yamnet is made of --yamnet FILE and the corpus alone" in said


def test_another_network_has_no_use_for_its_weights(capsys: pytest.CaptureFixture[str]) -> None:
    """Rather than leaving them unread."""
    assert "--yamnet: only yamnet is made of it, not embedder" in refusal(
        capsys, "embedder", "--yamnet", "yamnet.tflite"
    )


@pytest.mark.parametrize("folder", [ROOT / "models", ROOT / "tests" / ".." / "models", ROOT])
def test_googles_weights_stay_out_of_the_repository(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever way leads there."""
    said = refusal(capsys, "yamnet", "--yamnet", "yamnet.tflite", "--to", folder)
    assert "YAMNet's weights are Google's and stay out of" in said


def test_weights_that_are_not_there_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is heard."""
    (tmp_path / "corpus").mkdir()
    corpus = small_corpus(tmp_path / "corpus", music_s=10.0)
    where = ["--corpus", corpus.root, "--cache", tmp_path / "cache", "--to", tmp_path / "models"]
    said = refusal(capsys, "yamnet", "--yamnet", tmp_path / "nobody.tflite", *where, code=1)
    assert "nobody.tflite" in said
    assert not (tmp_path / "models").exists()


def verdicts(*probability: float) -> Verdicts:
    """Of two rows of music, then two of none."""
    return Verdicts(
        np.array(probability, np.float32), np.array([1, 1, 0, 0], np.int8), np.full(4, "p"), np.full(4, "c")
    )


def test_decisions_are_alike_on_the_same_side_of_the_threshold() -> None:
    """However far apart the scores are."""
    found = Alike.of(
        "clean", "segment", verdicts(0.9, 0.39, 0.1, 0.2), verdicts(0.5, 0.41, 0.3, 0.0), threshold=0.4
    )
    assert (found.rows, found.alike) == (4, 0.75)
    assert (round(found.float_f1, 4), found.int8_f1) == (0.6667, 1.0)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Validation and test."""
    return small_corpus(tmp_path_factory.mktemp("corpus"), music_s=11.0)


@needs_litert
class TestCompare:
    """`yamnet_report.compare`, of tiny models."""

    def compared(self, corpus: Corpus, folder: Path, other: dict[str, Any]) -> list[Alike]:
        """The tiny embedder beside itself with another description."""
        paths = [
            install_tiny(folder / name, "embedder", document)
            for name, document in (("int8", tiny_document("embedder")), ("float32", other))
        ]
        scores = Scores(folder / "cache", version="v", seed=1, jobs=1)
        return yamnet_report.compare(paths[0], paths[1], corpus, scores, split="test", seed=1)

    def test_a_model_decides_as_itself(self, corpus: Corpus, tmp_path: Path) -> None:
        """In every variation and in all of them together, in answers and in segments."""
        rows = self.compared(corpus, tmp_path, tiny_document("embedder"))
        assert {row.alike for row in rows} == {1.0}
        names = ["all", "clean", "level", "room", "mixture"]
        assert [(row.granularity, row.variation) for row in rows] == [
            (granularity, name) for granularity in ("answer", "segment") for name in names
        ]
        assert rows[0].rows == sum(row.rows for row in rows[1:5])

    def test_another_decides_otherwise(self, corpus: Corpus, tmp_path: Path) -> None:
        """One that says the opposite in everything is never alike; both go into the sidecar's figures."""
        opposite = tiny_document("embedder")
        opposite["calibration"] = {"method": "platt", "parameters": {"slope": -50.0, "offset": 0.0}}
        rows = self.compared(corpus, tmp_path, opposite)
        assert rows[0].alike < 0.5
        stated = yamnet_report.document(rows, split="test")
        assert stated["segment"]["decided_alike"] == pytest.approx(rows[5].alike, abs=1e-5)
        assert stated["split"] == "test"
        text = yamnet_report.alike_table(rows, split="test")
        assert text.count("\n") == len(rows) + 1
        assert f"| all | segment | {rows[5].rows} |" in text


@needs_litert
class TestRace:
    """Files in turn."""

    def test_the_first_is_what_the_others_are_compared_with(self) -> None:
        """In the runtime that the Python has."""
        files = [TINY_MODELS / f"{name}.tflite" for name in ("embedder", "attention")]
        found = race(Path(sys.executable), files, rounds=5)
        assert found.runtime.startswith("ai-edge-litert ")
        assert len(found.ms) == len(found.ratio) == 2
        assert found.ratio[0] == 1.0
        assert min(found.ms) > 0

    def test_a_file_that_is_no_model_is_an_error(self, tmp_path: Path) -> None:
        """It says where."""
        (tmp_path / "model.tflite").write_bytes(b"nothing")
        with pytest.raises(ExportError, match="cannot run the model there"):
            race(Path(sys.executable), [tmp_path / "model.tflite"], rounds=1)

    def test_a_python_that_is_not_there_is_an_error(self, tmp_path: Path) -> None:
        """The same."""
        with pytest.raises(ExportError, match="nobody: cannot run the model there"):
            race(tmp_path / "nobody", [TINY_MODELS / "embedder.tflite"], rounds=1)


def test_races_are_lines_of_a_table() -> None:
    """A column a file."""
    text = race_table(["a", "b"], [Race("fast 1.0", (0.5, 1.0), (1.0, 2.1))])
    assert text.splitlines()[0] == "| one pass, ms | a | b |"
    assert text.splitlines()[-1] == "| fast 1.0 | 0.500 (1.00 x) | 1.000 (2.10 x) |"


class Made:
    """What the command leaves of weights that have learnt nothing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.models = root / "models"
        (root / "corpus").mkdir()
        pieces = [
            (package, label, [(category, sound)])
            for number, (package, label, category) in enumerate(
                [
                    ("hyperrogue-music", "music", "pop"),
                    ("ufoai-music", "music", "pop"),
                    ("freedink-data", "no_music", "speech"),
                    ("supertux-data", "no_music", "speech"),
                    ("asc-music", "music", "orchestral"),
                    ("lincity-ng-data", "music", "pop"),
                    ("festvox-ru", "no_music", "speech"),
                ]
            )
            for sound in [song(6, number=number) if label == "music" else talk(6, number=number)]
        ]
        noises = [("btanks-data", "no_music", [("weapon", noise(4, seed=2))])]
        self.corpus = write_corpus(root / "corpus", [*pieces, *noises])
        self.weights = write_h5(root / "yamnet.h5", yamnet_layers())

    def run(self) -> int:
        """The command."""
        where = ["--corpus", self.corpus.root, "--cache", self.root / "cache", "--to", self.models]
        words = ["convert", "yamnet", "--yamnet", self.weights, *where, "--split", "validation", "--jobs", "1"]
        return main(list(map(str, words)))

    @property
    def document(self) -> dict[str, Any]:
        """The sidecar."""
        document: dict[str, Any] = json.loads((self.models / "yamnet.json").read_text())
        return document


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Once for all."""
    found = Made(tmp_path_factory.mktemp("made"))
    assert found.run() == 0
    return found


@pytest.mark.training
@needs_litert
class TestCommand:
    """All of it, of random weights and a corpus of half a minute."""

    def test_the_device_hears_with_it(self, made: Made) -> None:
        """An embedder of 1024 values, whose only label is music."""
        model = load_model(str(made.models / "yamnet.json"))
        assert isinstance(model, PatchModel)
        assert (model.sidecar.name, model.sidecar.kind) == ("yamnet", "patch")
        assert (model.sidecar.labels, model.input.embedding_size) == (("music",), 1024)
        assert 0 <= Classifier(model).answer(noise(0.975)).probability <= 1

    def test_it_is_calibrated_and_compared(self, made: Made) -> None:
        """And says what it learnt from."""
        document = made.document
        assert document["calibration"]["method"] != "none"
        parity = document["quantisation"]["parity"]
        assert parity["split"] == "validation"
        assert 0 <= parity["segment"]["decided_alike"] <= 1
        assert document["training_data"]["head"]["penalty"] > 0
        assert sorted(path.name for path in made.models.iterdir()) == ["yamnet.json", "yamnet.tflite"]

    def test_a_second_time_nothing_is_made_anew(self, made: Made) -> None:
        """The same model, and the figures that were written into its sidecar stay."""
        path = made.models / "yamnet.json"
        document = made.document
        path.write_text(json.dumps({**document, "metrics": {"clean": 1}}))
        steps = {each: each.stat().st_mtime_ns for each in made.root.glob("cache/yamnet-*/**/*.tflite")}
        assert len(steps) == 3
        assert made.run() == 0
        assert {each: each.stat().st_mtime_ns for each in steps} == steps
        assert made.document == {**document, "metrics": {"clean": 1}}


@needs_official_yamnet
def test_the_official_file_takes_part_in_a_race() -> None:
    """It reads a waveform; any input is filled."""
    pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")
    found = race(Path(sys.executable), [TINY_MODELS / "embedder.tflite", OFFICIAL_YAMNET], rounds=3)
    assert found.ratio[1] > 0
