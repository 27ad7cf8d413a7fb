"""`oido-export evaluate`: tables, pictures and figures of models on a small corpus."""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation_fakes import SteadyScorer, small_corpus, song, write_corpus
from hearing_fakes import noise

from export.__main__ import main
from export.corpus.streams import Corpus
from export.errors import ExportError
from export.evaluation.calibration import thresholds
from export.evaluation.plots import draw_results
from export.evaluation.questions import Candidate, Question, questions
from export.evaluation.results import Result, by_category, by_variation, metrics_document
from export.evaluation.scoring import Scores, Verdicts
from export.yamnet.official import prepared_weights

ROOT = Path(__file__).parents[1]
VARIATIONS = ["clean", "level", "room", "mixture"]


@dataclass(frozen=True)
class Workplace:
    """A corpus, a cache and a copy of the bundled model."""

    corpus: Corpus
    cache: Path
    model: Path

    def words(self, *more: str) -> list[str]:
        """A command that evaluates the copy."""
        where = ["--corpus", str(self.corpus.root), "--cache", str(self.cache), "--jobs", "1"]
        return ["evaluate", str(self.model), *where, *more]

    @property
    def document(self) -> dict[str, Any]:
        """The copy's sidecar."""
        document = json.loads(self.model.read_text())
        assert isinstance(document, dict)
        return document


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """One cache for all tests: only the first one hears."""
    folder = tmp_path_factory.mktemp("evaluate")
    (folder / "corpus").mkdir()
    for name in ("logistic.json", "logistic.onnx"):
        shutil.copy(ROOT / "models" / name, folder)
    return Workplace(small_corpus(folder / "corpus", music_s=11.0), folder / "cache", folder / "logistic.json")


def table(text: str) -> list[list[str]]:
    """The cells of every line of a table that is no head."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if not line.startswith("| model ")
    ]


def test_the_table_has_every_sound_at_both_granularities(
    place: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row each; answers first, since they are what the device says."""
    assert main(place.words("--no-yamnet")) == 0
    output = capsys.readouterr().out
    rows = table(output)
    assert [row[:3] for row in rows] == [
        ["logistic", sound, each] for each in ("answer", "segment") for sound in VARIATIONS
    ]
    assert all(
        re.fullmatch(r"[01]\.\d{4} \[(\d\.\d{4}|nan), (\d\.\d{4}|nan)\]", cell) for row in rows for cell in row[5:]
    )
    assert "Thresholds: logistic 0.410." in output


def test_one_granularity_can_be_asked_for(place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    """And another split and mode."""
    words = place.words("--no-yamnet", "--granularity", "segment", "--split", "validation", "--mode", "precision")
    assert main(words) == 0
    output = capsys.readouterr().out
    assert [row[1:3] for row in table(output)] == [[sound, "segment"] for sound in VARIATIONS]
    assert "Thresholds: logistic 0.980." in output


def test_categories_have_a_table_of_their_own(place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    """What part of each kind of sound is told right, by variation; mixtures of noise count as speech."""
    assert main(place.words("--no-yamnet", "--by", "category", "--granularity", "answer")) == 0
    rows = table(capsys.readouterr().out)[len(VARIATIONS) :]
    assert [row[2:4] for row in rows] == [
        ["music", "classical"],
        ["music", "fantasy"],
        ["no music", "ambience"],
        ["no music", "speech"],
    ]
    ambience, speech = rows[2], rows[3]
    assert ambience[-1] == ""
    assert all(re.fullmatch(r"[01]\.\d{4}", cell) for cell in speech[4:])


def test_figures_can_be_written_into_the_sidecar(place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    """Answers under each variation, as the READMEs' table reads them, segments within; nothing else changes."""
    before = place.document
    assert main(place.words("--no-yamnet", "--write")) == 0
    after = place.document
    assert {key: value for key, value in after.items() if key != "metrics"} == {
        key: value for key, value in before.items() if key != "metrics"
    }
    assert list(after["metrics"]) == VARIATIONS
    shown = table(capsys.readouterr().out)
    for number, sound in enumerate(VARIATIONS):
        figures = after["metrics"][sound]
        assert shown[number][3] == str(figures["rows"])
        assert shown[number][5].startswith(f"{figures['accuracy']['value']:.4f}")
        assert shown[number + 4][5].startswith(f"{figures['segment']['accuracy']['value']:.4f}")


@pytest.mark.parametrize("other", [["--split", "validation"], ["--mode", "recall"], ["--granularity", "answer"]])
def test_only_the_test_figures_are_written(
    place: Workplace, capsys: pytest.CaptureFixture[str], other: list[str]
) -> None:
    """Anything else would be taken for them: wrong use, before anything is heard."""
    assert main(place.words("--no-yamnet", "--write", *other)) == 2
    assert "--write keeps what --split test" in capsys.readouterr().err


def test_pictures_are_drawn(place: Workplace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Four of them, in a folder that is made."""
    assert main(place.words("--no-yamnet", "--plots", str(tmp_path / "plots"))) == 0
    names = ["confusion.png", "pr.png", "reliability.png", "roc.png"]
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == names
    assert all((tmp_path / "plots" / name).read_bytes().startswith(b"\x89PNG") for name in names)
    assert "drew" in capsys.readouterr().out


def test_two_versions_of_a_model_are_told_apart(
    place: Workplace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By their paths, where their name is the same."""
    for name in ("logistic.json", "logistic.onnx"):
        shutil.copy(place.model.with_name(name), tmp_path)
    other = str(tmp_path / "logistic.json")
    command, first, *options = place.words("--no-yamnet", "--granularity", "segment")
    assert main([command, first, other, *options]) == 0
    assert [row[0] for row in table(capsys.readouterr().out)] == [first, other] * 4


def test_the_same_model_twice_is_wrong_use(place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence, exit code 2."""
    command, first, *options = place.words("--no-yamnet")
    assert main([command, first, first, *options]) == 2
    assert "stands 2 times among the models" in capsys.readouterr().err


def test_an_unknown_model_is_wrong_use(place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    """As for the device."""
    command, _, *options = place.words("--no-yamnet")
    assert main([command, "no-such-model", *options]) == 2
    assert "no model is named 'no-such-model'" in capsys.readouterr().err


def test_a_model_of_other_statistics_is_not_evaluated(
    place: Workplace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence, exit code 1."""
    shutil.copy(place.model.with_name("logistic.onnx"), tmp_path)
    document = place.document
    document["input"]["statistics_version"] = 0
    (tmp_path / "logistic.json").write_text(json.dumps(document))
    command, _, *options = place.words("--no-yamnet")
    assert main([command, str(tmp_path / "logistic.json"), *options]) == 1
    assert "was trained on version 0 of the statistics" in capsys.readouterr().err


def test_a_corpus_without_speech_has_no_mixtures(
    place: Workplace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The other rows are there, and it is said why these are not."""
    write_corpus(tmp_path, [("bambam", "music", [("rock", song(6))]), ("kolf", "no_music", [("ui", noise(6))])])
    command, model, *_ = place.words()
    assert (
        main([command, model, "--corpus", str(tmp_path), "--cache", str(tmp_path), "--no-yamnet", "--jobs", "1"])
        == 0
    )
    output = capsys.readouterr()
    assert [row[1] for row in table(output.out)] == VARIATIONS[:3] * 2
    assert "no mixtures" in output.err


@pytest.mark.skipif(not prepared_weights().is_file(), reason=f"YAMNet's weights are not in {prepared_weights()}")
def test_yamnet_stands_beside(place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    """In the same table, at thresholds that were tuned on validation."""
    assert main(place.words("--granularity", "segment", "--yamnet", str(prepared_weights()))) == 0
    output = capsys.readouterr().out
    assert [row[:2] for row in table(output)] == [
        [name, sound] for sound in VARIATIONS for name in ("logistic", "yamnet")
    ]
    assert re.search(r"; yamnet 0\.\d{3}\.", output)


@pytest.mark.skipif(not prepared_weights().is_file(), reason=f"YAMNet's weights are not in {prepared_weights()}")
def test_our_own_yamnet_stands_beside_googles(
    place: Workplace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Google's has another name then, so that both can be told apart."""
    own = tmp_path / "yamnet.json"
    own.write_text(json.dumps({**place.document, "name": "yamnet"}))
    shutil.copy(place.model.with_name("logistic.onnx"), tmp_path)
    words = ["evaluate", str(own), *place.words("--granularity", "segment")[2:]]
    assert main([*words, "--yamnet", str(prepared_weights())]) == 0
    assert [row[:2] for row in table(capsys.readouterr().out)] == [
        [name, sound] for sound in VARIATIONS for name in ("yamnet", "yamnet-official")
    ]


def scores_in(cache: Path) -> Scores:
    """Kept there."""
    return Scores(cache, version="v", seed=1, jobs=1)


def test_a_threshold_is_tuned_on_validation_over_all_variations(place: Workplace, tmp_path: Path) -> None:
    """Never on the split that is reported; for each granularity by itself."""
    tuned, own = (
        Candidate(SteadyScorer("tuned"), None),
        Candidate(SteadyScorer("own"), {"answer": 0.3, "segment": 0.4}),
    )
    found = {
        split: questions([own, tuned], place.corpus, scores_in(tmp_path), split=split, mode="balanced", seed=1)
        for split in ("validation", "test")
    }
    for granularity in ("answer", "segment"):
        on_validation = Verdicts.join(
            [
                asked.verdicts
                for asked in found["validation"]
                if (asked.model, asked.granularity) == ("tuned", granularity)
            ]
        )
        best = thresholds(on_validation.music, on_validation.probability)["balanced"]
        here = [asked for asked in found["test"] if asked.granularity == granularity]
        assert {asked.threshold for asked in here if asked.model == "tuned"} == {best}
        assert {asked.threshold for asked in here if asked.model == "own"} == {
            0.3 if granularity == "answer" else 0.4
        }


def test_an_empty_split_is_an_error(tmp_path: Path) -> None:
    """It says which."""
    corpus = write_corpus(tmp_path, [("kolf", "no_music", [("ui", noise(2))])])
    with pytest.raises(ExportError, match="nothing in split 'validation'"):
        questions(
            [Candidate(SteadyScorer(), None)], corpus, scores_in(tmp_path), split="test", mode="balanced", seed=1
        )


def asked_of(model: str, probability: list[float], music: str, *, threshold: float = 0.5) -> Question:
    """A row that was made up; every verdict is of a package of its own."""
    count = len(probability)
    verdicts = Verdicts(
        np.array(probability, np.float32),
        np.array([letter == "m" for letter in music], np.int8),
        np.array([f"p{number}" for number in range(count)]),
        np.array(["song" if letter == "m" else "talk" for letter in music]),
    )
    return Question(model, "clean", "answer", verdicts, threshold)


def test_a_row_has_the_figures_of_its_model() -> None:
    """At its own threshold."""
    strict, lax = (
        asked_of(name, [0.6, 0.8, 0.3, 0.1], "mmnn", threshold=at) for name, at in (("a", 0.7), ("b", 0.5))
    )
    first, second = table(by_variation([Result.of(strict), Result.of(lax)]))
    assert (first[0], second[0]) == ("a", "b")
    assert (first[5][:6], second[5][:6]) == ("0.7500", "1.0000")


def test_the_part_told_right_by_category() -> None:
    """Music found, and no music left alone."""
    assert table(by_category([asked_of("a", [0.6, 0.4, 0.3, 0.9, 0.1], "mmnnn")])) == [
        ["a", "answer", "music", "song", "0.5000"],
        ["a", "answer", "no music", "talk", "0.6667"],
    ]


def test_a_sidecars_figures_are_rounded() -> None:
    """Four decimals say all there is to say."""
    document = metrics_document([Result.of(asked_of("a", [0.6, 0.4, 0.7, 0.1], "mmmn"))])
    assert document["clean"]["recall"]["value"] == 0.6667
    assert document["clean"]["rows"] == 4


def test_one_picture_shows_several_models(tmp_path: Path) -> None:
    """Also where one of them never says anything between 0 and 1."""
    results = [
        Result.of(asked_of(name, said, "mmnn"))
        for name, said in (("a", [0.6, 0.8, 0.3, 0.1]), ("b", [1.0, 1.0, 0.0, 0.0]))
    ]
    sizes = [path.stat().st_size for path in draw_results(results, tmp_path)]
    assert min(sizes) > 1000
