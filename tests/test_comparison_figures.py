"""export.comparison.figures and .panels: what is shown of good and of poor rows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure as Picture

from export.comparison.figures import corner, zoom_roc
from export.comparison.panels import panels
from export.comparison.rows import ALL, Judged, Row
from export.estimators.base import ModelFile
from export.evaluation.metrics import report


def judged(right: float, *, feature: str = "net", head: str = "logistic") -> Judged:
    """A row that puts so many of 400 segments on the right side of its threshold, music and no music alike."""
    generator = np.random.default_rng(1)
    truth = np.tile([1, 0], 200).astype(np.int8)
    correct = np.repeat(np.linspace(0, 1, 200, endpoint=False) < right, 2)
    probability = np.where(correct == (truth == 1), 0.75, 0.25) + generator.uniform(-0.2, 0.2, truth.size)
    package = np.repeat([f"p{number}" for number in range(20)], 20)
    reports = {ALL: report(truth, probability, package, threshold=0.5)}
    row = Row(feature, "published", head, "test", 0.5, 0.9, {}, None, reports)
    return Judged(row, ModelFile(b"", ".onnx", "p", ("music",)), truth, probability, package)


@pytest.mark.parametrize(("right", "span"), [(1.0, 0.02), (0.97, 0.1), (0.8, 0.5), (0.5, 1.0)])
def test_the_corner_holds_the_worst_row(right: float, span: float) -> None:
    """Whatever the others are like."""
    assert corner([judged(1.0), judged(right)]) == span


def test_a_picture_says_that_it_is_only_a_corner() -> None:
    """The whole square needs no remark."""
    one, other = Picture().subplots(1, 2)
    zoom_roc(one, 0.1)
    zoom_roc(other, 1.0)
    assert one.get_title(loc="right") == "only the corner of 0.1 x 0.1"
    assert one.get_ylim()[0] == pytest.approx(0.9)
    assert not other.get_title(loc="right")
    assert other.get_ylim()[0] == pytest.approx(0.0)


def test_extractors_need_not_have_every_head(tmp_path: Path) -> None:
    """A panel without a row stays empty."""
    rows = [judged(0.9), judged(0.95, head="gru"), judged(0.8, feature="other")]
    files = panels(rows, tmp_path)
    assert [path.name for path in files] == ["roc.png", "pr.png", "reliability.png", "confusion.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in files)
    assert sorted(tmp_path.iterdir()) == sorted(files)


def test_a_row_that_says_the_same_of_all_can_be_drawn(tmp_path: Path) -> None:
    """Its curves are a diagonal, its reliability one point."""
    row = judged(0.9)
    flat = replace(row, probability=np.full(len(row.truth), 0.5))
    assert corner([flat]) == 1.0
    assert len(panels([flat], tmp_path)) == 4
