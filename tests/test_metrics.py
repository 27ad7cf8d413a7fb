"""export.evaluation.metrics and export.estimators.logistic: figures checked by hand."""

from collections.abc import Sequence

import numpy as np
import pytest
from export_fakes import rows_of
from sklearn.metrics import average_precision_score, roc_auc_score

from device.hearing.models.sidecar import Calibration
from export.errors import ExportError
from export.estimators.families import family
from export.estimators.logistic import cross_validate, fit, probability
from export.evaluation.calibration import platt, thresholds
from export.evaluation.metrics import (
    Bin,
    Report,
    calibration_error,
    f1,
    log_loss,
    log_odds,
    package_weights,
    reliability,
    report,
)


def coded(text: str) -> np.ndarray:
    """1 for every `m`."""
    return np.array([letter == "m" for letter in text], np.int8)


def test_weights_have_mean_1_and_give_both_labels_half() -> None:
    """However many rows each label has."""
    rows = rows_of(music="mmmmmmnn", packages="aaaabbcc")
    weights = package_weights(rows)
    assert weights.mean() == pytest.approx(1)
    assert weights[rows.music == 1].sum() == pytest.approx(weights[rows.music == 0].sum())


def test_a_package_weighs_the_root_of_its_size() -> None:
    """Four rows weigh twice as much as one."""
    weights = package_weights(rows_of(music="mmmmmn", packages="aaaabc"))
    assert weights[:4].sum() == pytest.approx(2 * weights[4])
    assert np.ptp(weights[:4]) == 0


def test_one_label_alone_has_all_the_weight() -> None:
    """A fold without music is still weighed."""
    assert package_weights(rows_of(music="nn", packages="ab")).tolist() == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize(
    ("truth", "said", "expected"), [("mmnn", "mnmn", 0.5), ("mm", "mm", 1.0), ("mm", "nn", 0.0), ("nn", "nn", 0.0)]
)
def test_f1(truth: str, said: str, expected: float) -> None:
    """Harmonic mean of precision and recall."""
    assert f1(coded(truth), coded(said)) == expected


def test_calibration_error_by_hand() -> None:
    """Two bins: 0.85 said where 1/2 is true, 0.15 said where 0 is; each half of the weight."""
    truth = np.array([1, 0, 0, 0], np.int8)
    said = np.array([0.85, 0.85, 0.15, 0.15])
    assert calibration_error(truth, said, np.ones(4)) == pytest.approx(0.5 * 0.35 + 0.5 * 0.15)


def test_calibration_error_is_weighted() -> None:
    """Rows that were not drawn do not count; a probability of 1 falls in the last bin."""
    truth = np.array([1, 0], np.int8)
    assert calibration_error(truth, np.array([1.0, 0.95]), np.array([2.0, 0.0])) == pytest.approx(0.0)


def test_reliability_by_hand() -> None:
    """Two bins have rows: of each, what was said in the mean, and what part was music."""
    truth = np.array([1, 0, 1, 0], np.int8)
    bins = reliability(truth, np.array([0.82, 0.88, 1.0, 0.11]))
    assert [each.rows for each in bins] == [1, 2, 1]
    assert [each.predicted for each in bins] == pytest.approx([0.11, 0.85, 1.0])
    assert [each.observed for each in bins] == [0.0, 0.5, 1.0]
    assert isinstance(bins[0], Bin)


def test_reliability_adds_up_to_the_calibration_error() -> None:
    """The distance of the diagram from its diagonal, each bin by its rows."""
    truth, said, _ = made()
    bins = reliability(truth, said)
    distance = sum(each.rows * abs(each.predicted - each.observed) for each in bins) / sum(
        each.rows for each in bins
    )
    assert distance == pytest.approx(calibration_error(truth, said, np.ones(len(truth))))


def made(count: int = 400, *, seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, probabilities that mean what they say, and 20 packages."""
    generator = np.random.default_rng(seed)
    said = generator.uniform(0, 1, count)
    truth = (generator.uniform(0, 1, count) < said).astype(np.int8)
    return truth, said, np.array([f"p{i % 20}" for i in range(count)])


@pytest.fixture(scope="module")
def found() -> Report:
    """On the rows of `made`, at 0.5."""
    return report(*made(), threshold=0.5)


def test_every_interval_holds_its_figure(found: Report) -> None:
    """Figures of all rows lie within the bootstrap's 95 %."""
    for name in ("accuracy", "f1", "precision", "recall", "roc_auc", "pr_auc"):
        figure = getattr(found, name)
        assert 0 <= figure.low < figure.value < figure.high <= 1
    assert (found.rows, found.packages) == (400, 20)


def test_figures_are_those_of_the_definitions(found: Report) -> None:
    """Counted here."""
    truth, said, _ = made()
    hits = int(((said >= 0.5) & (truth == 1)).sum())
    assert found.precision.value == pytest.approx(hits / (said >= 0.5).sum())
    assert found.recall.value == pytest.approx(hits / truth.sum())
    assert found.f1.value == pytest.approx(f1(truth, said >= 0.5))
    assert found.accuracy.value == pytest.approx(((said >= 0.5) == truth).mean())


def test_areas_are_those_of_scikit_learn() -> None:
    """Also where many probabilities are equal, as those of an 8-bit model are."""
    truth, said, packages = made()
    coarse = np.round(said, 1)
    rounded = report(truth, coarse, packages, threshold=0.5)
    assert rounded.roc_auc.value == pytest.approx(roc_auc_score(truth, coarse))
    assert rounded.pr_auc.value == pytest.approx(average_precision_score(truth, coarse))
    assert rounded.calibration_error.value == pytest.approx(calibration_error(truth, coarse, np.ones(len(truth))))


def test_intervals_are_those_of_drawn_packages() -> None:
    """Two packages, one always right and one always wrong: draws of one of them alone span from 0 to 1."""
    truth, said = coded("mnmn"), np.array([0.9, 0.1, 0.1, 0.9])
    drawn = report(truth, said, np.array(["right", "right", "wrong", "wrong"]), threshold=0.5)
    assert (drawn.accuracy.low, drawn.accuracy.value, drawn.accuracy.high) == (0.0, 0.5, 1.0)
    assert (drawn.roc_auc.low, drawn.roc_auc.value, drawn.roc_auc.high) == (0.0, 0.5, 1.0)


def test_draws_of_one_label_alone_do_not_count() -> None:
    """A package of music and one of none: only draws of both tell anything."""
    drawn = report(coded("mmnn"), np.array([0.9, 0.8, 0.2, 0.1]), np.array(list("aabb")), threshold=0.5)
    assert (drawn.recall.low, drawn.recall.high, drawn.roc_auc.low) == (1.0, 1.0, 1.0)


def test_a_report_is_the_same_each_time(found: Report) -> None:
    """The bootstrap is seeded."""
    assert report(*made(), threshold=0.5) == found


def test_perfect_answers_have_perfect_figures() -> None:
    """With an interval of nothing."""
    truth = coded("mnmnmn")
    perfect = report(truth, truth.astype(float), np.array(list("abcdef")), threshold=0.5)
    assert (perfect.f1.value, perfect.f1.low, perfect.f1.high) == (1, 1, 1)
    assert str(perfect.f1) == "1.0000 [1.0000, 1.0000]"


def test_thresholds_by_mode() -> None:
    """Precision at its threshold is at least 0.99 and not below it; recall likewise."""
    truth, said, _ = made(5000)
    found = thresholds(truth, said)

    def precision(at: float) -> float:
        return float(truth[said >= at].mean())

    def recall(at: float) -> float:
        return float((said >= at)[truth == 1].mean())

    assert found["recall"] < found["balanced"] < found["precision"]
    assert precision(found["precision"]) >= 0.99 > precision(found["precision"] - 0.005)
    assert recall(found["recall"]) >= 0.99 > recall(found["recall"] + 0.005)
    best = max(f1(truth, said >= at) for at in np.linspace(0.01, 0.99, 197))
    assert f1(truth, said >= found["balanced"]) >= best - 0.005


def test_precision_is_never_the_laxer_mode() -> None:
    """Also where every threshold between two distant classes would do for all three."""
    found = thresholds(coded("mmnn"), np.array([0.9, 0.8, 0.2, 0.1]))
    assert found["recall"] <= found["balanced"] <= found["precision"]


@pytest.mark.parametrize("said", [[0.2, 0.2, 0.2, 0.2], [0.9, 0.1, 0.9, 0.1]])
def test_thresholds_lie_between_0_and_1_whatever_is_said(said: Sequence[float]) -> None:
    """A sidecar takes no others, also where 0.99 is out of reach."""
    found = thresholds(coded("mnnm"), np.array(said))
    assert set(found) == {"balanced", "precision", "recall"}
    assert all(0 < value < 1 for value in found.values())


def test_platt_finds_the_sigmoid_that_bent_the_probabilities() -> None:
    """Overconfident scores, logit times three, are put right with a slope of a third."""
    truth, said, _ = made(20_000)
    logit = 3 * np.log(said / (1 - said))
    found = platt(truth, 1 / (1 + np.exp(-logit)), np.ones(len(truth)))
    assert found.method == "platt"
    assert found.slope == pytest.approx(1 / 3, rel=0.05)
    assert found.offset == pytest.approx(0, abs=0.05)
    assert isinstance(found, Calibration)


def test_log_loss_of_no_opinion() -> None:
    """Even odds cost ln 2, whatever the truth and the weights."""
    weight = np.array([3.0, 1.0])
    assert log_loss(np.zeros(2), np.array([0, 1], np.int8), weight) == pytest.approx(np.log(2))


def test_log_odds_are_bounded() -> None:
    """A tree's 0 or 1 is not infinitely sure."""
    odds = log_odds(np.array([0.0, 0.5, 1.0]), least=1 / 512)
    assert odds == pytest.approx([np.log(1 / 511), 0, np.log(511)])


def test_fit_tells_the_classes_apart() -> None:
    """A pipeline that is right on what it was fitted to, and gives probabilities."""
    rows = rows_of(music="mn" * 30, packages="ab" * 30)
    said = probability(fit(rows, c=1.0), rows.features)
    assert said.shape == (60,)
    assert f1(rows.music, said >= 0.5) > 0.9


def test_fit_can_leave_statistics_out() -> None:
    """The pipeline then reads only the others."""
    rows = rows_of(music="mn" * 30, packages="ab" * 30)
    pipeline = fit(rows, c=1.0, columns=[0, 1])
    assert probability(pipeline, rows.features[:, :2]).shape == (60,)


def test_cross_validation_keeps_packages_apart() -> None:
    """What tells only the package apart, not the label, is worth nothing on packages not seen."""
    rows = rows_of(music="mn" * 100, packages=[f"p{i % 20}" for i in range(200)], shift=0.0)
    own = rows.features.copy()
    for number in range(20):
        own[np.arange(200) % 20 == number, number] += 50
    learnt = type(rows)(own, rows.music, rows.mixed, rows.variant, rows.package, rows.split)
    trial = cross_validate(learnt, c=1.0)
    assert trial.by_variant["clean"] < 0.75
    assert trial.mean == pytest.approx(np.mean(list(trial.by_variant.values())))


def test_families_share_the_beginning_of_their_name() -> None:
    """They may share recordings."""
    assert family("fillets-ng-data-cs") == family("fillets-ng-data") != family("kolf")
    assert family("ambience/rain-on-tent") == family("ambience/rain-on-roof")


def test_a_users_packages_are_no_families() -> None:
    """What their names have in common says nothing."""
    assert len({family(package) for package in ("gig-1", "gig-2", "music/gig-1.wav", "music/gig-2.wav")}) == 4


def test_all_music_is_never_in_one_fold() -> None:
    """Two sources of it, whatever else there is: some deals of the folds would leave none to learn from."""
    for others in range(4, 24):
        rows = rows_of(music="mm" + "n" * others, packages=["m-1", "m-2", *(f"n-{n}" for n in range(others))])
        assert set(cross_validate(rows, c=1.0).by_variant) == {"clean"}


def test_music_of_one_package_is_refused() -> None:
    """With what to do; left out, nothing of it would remain to learn from."""
    rows = rows_of(music="mmnnnn", packages=["a", "a", "b", "c", "d", "e"])
    with pytest.raises(
        ExportError, match=r"^1 source packages of music to train on, and 2 are needed .*; add some"
    ):
        cross_validate(rows, c=1.0)
