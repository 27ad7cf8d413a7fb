"""export.comparison.tracking: what is kept in MLflow comes out again."""

import importlib.util
import math
from pathlib import Path

import pytest

from export.comparison.costs import Costs
from export.comparison.rows import Row
from export.comparison.tracking import Tracking
from export.errors import ExportError
from export.estimators.base import ModelFile
from export.evaluation.metrics import Figure, Report

HAS_MLFLOW = importlib.util.find_spec("mlflow") is not None

needs_mlflow = pytest.mark.skipif(not HAS_MLFLOW, reason="MLflow is not installed: no runs are kept here")

FILE = ModelFile(b"model", ".onnx", "probabilities", ("no_music", "music"))


@pytest.fixture(autouse=True)
def _own_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the store of whoever runs the tests."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)


def report_of(value: float) -> Report:
    """Every figure is the same; one has no interval."""
    figure = Figure(value, value - 0.1, value + 0.05)
    return Report(
        rows=40,
        packages=4,
        accuracy=figure,
        f1=figure,
        precision=figure,
        recall=figure,
        roc_auc=figure,
        pr_auc=Figure(value, math.nan, math.nan),
        calibration_error=figure,
    )


def row_of(head: str, *, costs: Costs | None = None) -> Row:
    """A row that was made up."""
    return Row(
        feature="yamnet",
        origin="published",
        head=head,
        split="validation",
        threshold=0.4,
        validation_f1=0.75,
        parameters={"c": 0.1, "tried": [{"c": 0.1}] * 2},
        costs=costs,
        reports={"all": report_of(0.7), "room": report_of(0.6)},
    )


@needs_mlflow
@pytest.mark.filterwarnings("default")  # MLflow's own, at import
def test_rows_come_out_as_they_went_in(tmp_path: Path) -> None:
    """In their order, of the latest comparison alone."""
    tracking = Tracking(tmp_path)
    tracking.row("old", 0, row_of("forest"), FILE)
    tracking.finish("old", sentences=["Old."], settings={}, files=[])
    wanted = [row_of("svm", costs=Costs(1.5, 0.25, 80.0, 3.5)), row_of("logistic")]
    for number, row in enumerate(wanted):
        tracking.row("new", number, row, FILE)
    tracking.finish("new", sentences=["It helps.", "It does not."], settings={"split": "validation"}, files=[])
    rows, sentences = Tracking(tmp_path).latest()
    assert sentences == ["It helps.", "It does not."]
    assert [(row.name, row.split, row.origin, row.costs) for row in rows] == [
        (row.name, row.split, row.origin, row.costs) for row in wanted
    ]
    assert rows[0].reports["room"].f1 == wanted[0].reports["room"].f1
    assert math.isnan(rows[0].reports["all"].pr_auc.low)
    assert rows[0].parameters == wanted[0].parameters


@needs_mlflow
@pytest.mark.filterwarnings("default")  # as above
def test_a_run_that_lost_its_row_is_named(tmp_path: Path) -> None:
    """As runs of an older release have none."""
    tracking = Tracking(tmp_path)
    tracking.row("old", 0, row_of("svm"), FILE)
    tracking.finish("old", sentences=[], settings={}, files=[])
    (kept,) = tmp_path.rglob("row.json")
    kept.unlink()
    with pytest.raises(ExportError, match=r"comparison old lacks .* was it made by another release"):
        tracking.latest()


@needs_mlflow
@pytest.mark.filterwarnings("default")  # as above
def test_files_are_kept_with_the_runs(tmp_path: Path) -> None:
    """Model and pictures."""
    picture = tmp_path / "f1.png"
    picture.write_bytes(b"picture")
    tracking = Tracking(tmp_path / "store")
    tracking.row("one", 0, row_of("svm"), FILE)
    tracking.finish("one", sentences=[], settings={}, files=[picture])
    kept = {path.name for path in (tmp_path / "store").rglob("artifacts/*")}
    assert kept == {"yamnet-svm.onnx", "row.json", "f1.png"}


@needs_mlflow
@pytest.mark.filterwarnings("default")  # as above
def test_a_comparison_that_was_not_finished_is_not_the_latest(tmp_path: Path) -> None:
    """A table with half of the rows would be taken for the whole."""
    tracking = Tracking(tmp_path)
    tracking.row("one", 0, row_of("svm"), FILE)
    with pytest.raises(ExportError, match="no comparison is kept there; `oido-export compare` makes one"):
        tracking.latest()


@needs_mlflow
@pytest.mark.filterwarnings("default")  # as above
def test_mlflows_own_settings_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Store and experiment."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "elsewhere").as_uri())
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    tracking = Tracking(tmp_path / "here")
    assert tracking.uri.endswith("/elsewhere")
    assert not (tmp_path / "here").exists()
    assert any("name: mine" in path.read_text() for path in (tmp_path / "elsewhere").rglob("meta.yaml"))


@pytest.mark.skipif(HAS_MLFLOW, reason="MLflow is installed")
def test_without_mlflow_it_says_what_to_install(tmp_path: Path) -> None:
    """And how to do without."""
    with pytest.raises(ExportError, match=r"needs MLflow: pip install 'oido\[compare\]', or use --no-tracking"):
        Tracking(tmp_path)
