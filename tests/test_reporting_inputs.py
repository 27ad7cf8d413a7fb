"""export.reporting: what the page is made of, and how wrong files are refused."""

from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Drawing
from reporting_fakes import (
    ROWS,
    comparison,
    figure,
    material,
    model,
    table_csv,
    taken,
    write_sidecar,
)

from export.comparison.costs import Costs
from export.comparison.listing import comma_separated, markdown
from export.comparison.rows import Row
from export.errors import ExportError
from export.evaluation.metrics import Report
from export.reporting.material import PLOTS, read_benchmark, read_model
from export.reporting.pictures import LARGEST_BYTES, read_pictures
from export.reporting.rows import read_comparison

ROOT = Path(__file__).parents[1]
ATTENTION = ROOT / "models" / "attention.json"


def row(f1: float, costs: Costs | None) -> Row:
    """As the comparison makes it."""
    names = ("accuracy", "f1", "precision", "recall", "roc_auc", "pr_auc", "calibration_error")
    found = Report(rows=10, packages=3, **dict.fromkeys(names, figure(f1)))
    reports = {"all": found, "clean": found}
    return Row("ours", "own", "gru", "test", 0.5, f1, {}, costs, reports)


def test_what_compare_writes_is_read(tmp_path: Path) -> None:
    """Table, sentences, and costs where they were measured."""
    rows = [row(0.98, Costs(0.5, 0.25, 200.0, 30.0)), replace(row(0.9, None), head="svm")]
    (tmp_path / "table.csv").write_text(comma_separated(rows))
    (tmp_path / "table.md").write_text(markdown(rows, ["It helps.", "It does not."]))
    found = read_comparison(tmp_path)
    assert found is not None
    assert found.sentences == ["It helps.", "It does not."]
    assert [each.head for each in found.rows] == ["gru", "svm"]
    assert found.rows[0].reports["all"].f1 == figure(0.98)
    assert [each.costs for each in found.rows] == [Costs(0.5, 0.25, 200.0, 30.0), None]


def test_no_folder_is_no_comparison(tmp_path: Path) -> None:
    """And no error."""
    assert read_comparison(tmp_path / "not there") is None


@pytest.mark.parametrize(
    "text",
    ["", "a,b\n1,2\n", table_csv(ROWS).replace("0.9123", "nan"), table_csv(ROWS).replace(",all,", ",every,")],
    ids=["empty", "another table", "no number", "not all"],
)
def test_a_wrong_table_is_one_sentence(tmp_path: Path, text: str) -> None:
    """It names the file."""
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(ExportError, match=r"table\.csv: .*make it anew"):
        read_comparison(tmp_path)


def test_the_tracking_store_serves_as_well(tmp_path: Path) -> None:
    """Where there is no table."""
    pytest.importorskip("mlflow", reason="needs MLflow")
    from export.comparison.tracking import Tracking  # noqa: PLC0415
    from export.estimators.base import ModelFile  # noqa: PLC0415 - only here

    tracking = Tracking(tmp_path)
    tracking.row("now", 0, row(0.98, None), ModelFile(b"x", ".onnx", "probabilities", ("no_music", "music")))
    tracking.finish("now", sentences=["It helps."], settings={}, files=[])
    found = read_comparison(tmp_path)
    assert found is not None
    assert (found.rows[0].reports["all"].f1.value, found.sentences) == (0.98, ["It helps."])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": 99}', "\x00"])
def test_a_wrong_benchmark_is_one_sentence(tmp_path: Path, text: str) -> None:
    """It names the option and the file."""
    path = tmp_path / "pi.json"
    path.write_text(text)
    with pytest.raises(ExportError, match=r"--benchmark .*pi\.json"):
        read_benchmark(path)


def test_a_missing_benchmark_is_one_sentence(tmp_path: Path) -> None:
    """It was asked for."""
    with pytest.raises(ExportError, match="cannot be read: No such file"):
        read_benchmark(tmp_path / "pi.json")


@pytest.mark.parametrize(
    "changes",
    [
        {"metrics": {"clean": {}}},
        {"metrics": {"clean": {"rows": 1, "packages": 1, "f1": {"value": "x"}}}},
        {"metrics": [], "onsets": {}},
        {"onsets": {"split": "test", "joins": 1, "false_starts": {"heard_s": 0}}},
    ],
)
def test_wrong_figures_are_one_sentence(tmp_path: Path, changes: dict[str, object]) -> None:
    """It says how to make them anew."""
    path = write_sidecar(tmp_path, ATTENTION, **changes)
    with pytest.raises(ExportError, match=r"attention\.json: figures .* --write"):
        read_model(str(path))


def draw(path: Path) -> None:
    """A small picture."""
    drawing = Drawing(figsize=(2, 1))
    FigureCanvasAgg(drawing)
    drawing.savefig(path, dpi=50)


def test_pictures_are_taken_in(tmp_path: Path) -> None:
    """With their size; what the page draws itself is left out, and what is far too large."""
    for name in ("curves", "f1", "learning_curve"):
        draw(tmp_path / f"{name}.png")
    (tmp_path / "huge.png").write_bytes(bytes(LARGEST_BYTES + 1))
    found = {each.name: each for each in read_pictures(tmp_path)}
    assert {name: each.kind for name, each in found.items()} == {"curves": "curves", "learning_curve": "learning"}
    assert (found["curves"].width, found["curves"].height) == (100, 50)
    images = taken(replace(material(comparison=comparison(ROWS)), pictures=list(found.values()))).of("img")
    assert sorted(each["src"][:26] for each in images) == ["data:image/png;base64,iVBO"] * 2


def test_plots_of_the_models_stand_with_the_models(tmp_path: Path) -> None:
    """Whatever pictures of that name the comparison has; others in that folder are none of the page's business."""
    for name in ("reliability", "confusion", "hour"):
        draw(tmp_path / f"{name}.png")
    plots = read_pictures(tmp_path, *PLOTS)
    assert [each.name for each in plots] == ["confusion", "reliability"]
    found = taken(replace(material(model("good", 0.9)), plots=plots))
    assert [each["alt"].split()[0] for each in found.of("img")] == ["Confusion", "Reliability"]
    assert "There is no reliability diagram" not in found.said


def test_a_picture_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    """It names the file."""
    (tmp_path / "curves.png").write_text("no picture")
    with pytest.raises(ExportError, match=r"curves\.png: not a PNG"):
        read_pictures(tmp_path)
