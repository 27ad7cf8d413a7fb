"""`oido-export compare`: the command from sound to table."""

import argparse
from pathlib import Path

import pytest
from comparison_fakes import QUICK, three_splits
from evaluation_fakes import small_corpus
from loudness_fakes import LoudnessFeature
from test_tracking import needs_mlflow

from export.__main__ import main
from export.commands import compare as command
from export.comparison.tracking import Tracking
from export.corpus.streams import Corpus

FEATURES = (LoudnessFeature(), LoudnessFeature(name="net", origin="published", version="net-1"))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Three splits."""
    return three_splits(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Only the first test embeds and fits."""
    return tmp_path_factory.mktemp("cache")


def words(cache: Path, out: Path, *more: str) -> argparse.Namespace:
    """Options as the command line gives them."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    where = ["--cache", str(cache), "--out", str(out), "--split", "validation", "--no-costs", "--jobs", "1"]
    return parser.parse_args([*where, *more])


def test_tables_and_pictures_are_written(
    corpus: Corpus, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row for each extractor and estimator: all sounds, each of three, parity; a learning curve if asked for."""
    arguments = words(cache, tmp_path)
    assert command.compare(FEATURES, arguments, corpus=corpus, wanted=("net", "logistic"), estimators=QUICK) == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        *("table.md", "table.csv", "f1.png", "curves.png", "learning_curve.png"),
        *("roc.png", "pr.png", "reliability.png", "confusion.png"),
    }
    text = (tmp_path / "table.md").read_text()
    assert text in capsys.readouterr().out
    for feature in ("loudness", "net"):
        for model in ("logistic regression", "random forest"):
            assert text.count(f"| {feature} | {model} |") == 5
    assert "transfer from a published network: net + " in text


def test_a_second_run_says_the_same(
    corpus: Corpus, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """To the last digit, and nothing is fitted anew."""
    for folder in ("one", "other"):
        assert command.compare(FEATURES, words(cache, tmp_path / folder), corpus=corpus, estimators=QUICK) == 0
        kept = {path: path.stat().st_mtime_ns for path in (cache / "fits").iterdir()}
    assert (tmp_path / "one" / "table.csv").read_bytes() == (tmp_path / "other" / "table.csv").read_bytes()
    assert {path: path.stat().st_mtime_ns for path in (cache / "fits").iterdir()} == kept
    assert capsys.readouterr().err


def test_what_became_of_every_feature_is_said(
    corpus: Corpus, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With `--install`, also of those that the device cannot compute."""
    arguments = words(cache, tmp_path / "out", "--install", str(tmp_path / "models"))
    assert command.compare(FEATURES, arguments, corpus=corpus, estimators=QUICK) == 0
    out = capsys.readouterr().out
    for feature in FEATURES:
        sentence = f"{feature.name}: not installed, as the device does not compute {feature.name} embeddings\n"
        assert out.count(sentence) == 1


@needs_mlflow
@pytest.mark.filterwarnings("default")  # MLflow's own, at import
def test_the_table_comes_out_of_the_store_again(
    corpus: Corpus,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The same, without corpus or cache."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    arguments = words(cache, tmp_path)
    tracking = Tracking(tmp_path)
    assert command.compare(FEATURES, arguments, corpus=corpus, tracking=tracking, estimators=QUICK) == 0
    first = {name: (tmp_path / name).read_text() for name in ("table.md", "table.csv")}
    for name in first:
        (tmp_path / name).unlink()
    assert main(["compare", "--from-tracking", "--out", str(tmp_path)]) == 0
    assert {name: (tmp_path / name).read_text() for name in first} == first
    assert first["table.md"] in capsys.readouterr().out


def test_weights_that_are_not_there_are_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says which option brings them."""
    assert main(["compare", "--features", "vggish", "--out", str(tmp_path)]) == 2
    assert "--features vggish needs its weights: --vggish PATH" in capsys.readouterr().err


def test_a_learning_curve_of_no_row_is_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is embedded."""
    choice = ["--features", "cepstral", "--rows", "logistic", "--learning-curve", "ours+logistic"]
    assert main(["compare", *choice, "--out", str(tmp_path)]) == 2
    assert "--learning-curve ours+logistic: there is no such row" in capsys.readouterr().err


def test_a_corpus_without_training_packages_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence, before anything is embedded."""
    (tmp_path / "corpus").mkdir()
    corpus = small_corpus(tmp_path / "corpus", music_s=10.0)
    choice = ["--features", "cepstral", "--rows", "logistic", "--no-tracking", "--split", "validation"]
    where = ["--corpus", str(corpus.root), "--cache", str(tmp_path / "cache"), "--out", str(tmp_path)]
    assert main(["compare", *choice, *where, "--jobs", "1"]) == 1
    assert "split 'train' of the corpus has no sound of music" in capsys.readouterr().err
