"""export.evaluation.calibration: probabilities that mean what they say, thresholds to order."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from device.sound import FloatArray
from export.errors import ExportError
from export.evaluation.calibration import (
    METHODS,
    Method,
    cross_validated,
    for_precision,
    for_recall,
    isotonic,
    mode_thresholds,
    operating_points,
    temperature,
)
from export.evaluation.metrics import log_loss, log_odds
from export.evaluation.plots import draw_calibration

Truth = npt.NDArray[np.int8]


def overconfident(factor: float, rows: int = 20_000) -> tuple[Truth, FloatArray, npt.NDArray[np.float64]]:
    """Truths drawn from honest probabilities, and raw scores whose log odds are so many times too large."""
    generator = np.random.default_rng(3)
    logit = generator.normal(0, 1.5, rows)
    truth = (generator.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.int8)
    raw = (1 / (1 + np.exp(-factor * logit))).astype(np.float32)
    return truth, raw, np.ones(rows)


def test_temperature_finds_by_how_much_scores_are_too_sure() -> None:
    """Log odds that are three times too large are divided by three."""
    assert temperature(*overconfident(3.0)).slope == pytest.approx(1 / 3, rel=0.05)


def test_isotonic_ascends_and_fits_a_sidecar() -> None:
    """The points ascend within 0 to 1, and they are few."""
    curve = isotonic(*overconfident(3.0))
    assert np.all(np.diff(curve.raw) > 0)
    assert np.all(np.diff(curve.calibrated) >= 0)
    assert 0 < curve.calibrated[0] < curve.calibrated[-1] < 1
    assert len(curve.raw) <= 64


@pytest.mark.parametrize("method", METHODS)
def test_every_method_lowers_the_loss_of_overconfident_scores(method: Method) -> None:
    """Also on packages that it was not fitted on."""
    truth, raw, weight = overconfident(3.0)
    package = np.array([f"package{i % 7}" for i in range(len(raw))])
    held_out = cross_validated(method, truth, raw, package, weight)
    assert log_loss(log_odds(held_out), truth, weight) < log_loss(log_odds(raw), truth, weight) - 0.1


def test_cross_validation_keeps_packages_apart() -> None:
    """A package whose labels are all wrong is judged by what the others say."""
    raw = np.tile(np.array([0.1, 0.9], np.float32), 300)
    truth = np.tile(np.array([0, 1], np.int8), 300)
    package = np.repeat([f"package{i}" for i in range(6)], 100)
    truth[package == "package5"] = 1 - truth[package == "package5"]
    held_out = cross_validated("isotonic", truth, raw, package, np.ones(600))
    assert np.all(held_out[(package == "package5") & (raw > 0.5)] > 0.9)


def test_one_package_of_a_label_is_too_few() -> None:
    """It could be learnt from or asked, not both."""
    truth = np.array([1, 1, 0, 0, 0, 0], np.int8)
    package = np.array(["gig", "gig", "talk", "rain", "talk", "rain"])
    with pytest.raises(ExportError, match=r"two of no music.*there are 1 and 2: add recordings"):
        cross_validated("platt", truth, np.full(6, 0.5), package, np.ones(6))


def test_the_threshold_for_a_precision_is_the_lowest_that_keeps_it() -> None:
    """Below it something wrong comes in; above it music is lost for nothing."""
    truth = np.array([0, 0, 1, 0, 1, 1], np.int8)
    probability = np.array([0.1, 0.3, 0.4, 0.5, 0.6, 0.9], np.float32)
    points = operating_points(truth, probability)
    found = for_precision(points, 1.0)
    assert found is not None
    assert 0.5 < found.threshold <= 0.505
    assert found.recall == pytest.approx(2 / 3)


def test_the_threshold_for_a_recall_is_the_highest_that_keeps_it() -> None:
    """Up to the lowest score of music nothing is lost."""
    truth = np.array([0, 0, 1, 0, 1, 1], np.int8)
    probability = np.array([0.1, 0.3, 0.42, 0.5, 0.6, 0.9], np.float32)
    found = for_recall(operating_points(truth, probability), 1.0)
    assert found is not None
    assert 0.41 < found.threshold <= 0.42
    assert found.precision == pytest.approx(3 / 4)


def test_no_threshold_reaches_a_precision_that_scores_do_not_give() -> None:
    """None, and not the nearest."""
    truth = np.array([1, 0], np.int8)
    assert for_precision(operating_points(truth, np.array([0.4, 0.9], np.float32)), 0.9) is None


def test_modes_hold_in_the_worst_variation() -> None:
    """Clean sound alone would allow a lower threshold than rooms do for precision, and a higher one for recall."""
    clean = np.array([0, 0, 1, 1], np.int8), np.array([0.1, 0.2, 0.6, 0.9], np.float32)
    room = np.array([0, 1, 1, 0], np.int8), np.array([0.1, 0.3, 0.9, 0.712], np.float32)
    at = mode_thresholds([clean, room])
    assert 0.712 < at["precision"] <= 0.715
    assert at["recall"] <= 0.3
    assert at["recall"] <= at["balanced"] <= at["precision"]


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    """A PNG, in a folder that did not exist."""
    truth, raw, _ = overconfident(1.0, rows=500)
    path = draw_calibration(
        tmp_path / "plots" / "calibration.png", truth, raw, operating_points(truth, raw), {"balanced": 0.5}
    )
    assert path.read_bytes().startswith(b"\x89PNG")
