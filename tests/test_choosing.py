"""export.estimators.choosing: settings are judged on packages not learnt from."""

import numpy as np
import pytest
from segment_fakes import segments

from export.errors import ExportError
from export.estimators.choosing import Fold, Setting, choose, folds, sigmoid
from export.estimators.families import family
from export.evaluation.metrics import FloatVector


def test_a_family_of_packages_stays_together() -> None:
    """Packages that share material would tell of each other."""
    related = ("fillets-ng-data", "fillets-ng-data-cs", "ufoai-sound", "ufoai-music", "wesnoth-1.16-music")
    groups = np.repeat([*related, "a", "b", "c", "d"], 5)
    music = np.isin(groups, [*related[:2], "a", "b", "c"]).astype(np.int8)
    dealt = folds(music, np.ones(len(music)), groups, seed=3)
    assert len(dealt) > 1
    for fold in dealt:
        assert not {family(each) for each in groups[fold.inside]} & {family(each) for each in groups[fold.outside]}
        assert len({name in groups[fold.inside] for name in related[:2]}) == 1


def test_every_row_is_judged_once() -> None:
    """The folds are a partition, if none had to be skipped."""
    made = segments(packages=6, rows=3)
    outside = np.concatenate([fold.outside for fold in folds(made.music, made.weight, made.package, seed=1)])
    assert sorted(outside.tolist()) == list(range(len(made.music)))


def test_the_deal_depends_on_the_seed_alone() -> None:
    """The same seed, the same folds; another, others."""
    made = segments(packages=8, rows=2)
    first, again, other = (
        [fold.outside.tolist() for fold in folds(made.music, made.weight, made.package, seed=seed)]
        for seed in (1, 1, 2)
    )
    assert first == again != other


def test_a_label_from_one_family_alone_is_refused() -> None:
    """Left out, nothing of it would remain to learn from."""
    groups = np.array(["ufoai-sound", "ufoai-music", "talk", "words"])
    with pytest.raises(
        ExportError, match=r"all music comes from packages of one family, 'ufoai'; .* add packages"
    ):
        folds(np.array([1, 1, 0, 0], np.int8), np.ones(4), groups, seed=1)


def test_a_fold_that_would_leave_one_label_alone_is_skipped() -> None:
    """Nine rows of no music, nine of music, and a package of both that is no match for either alone."""
    groups = np.repeat(["a", "b", "c"], [9, 9, 10])
    music = np.repeat([0, 1, 1, 0], [9, 9, 1, 9]).astype(np.int8)
    dealt = folds(music, np.ones(len(music)), groups, seed=1)
    assert len(dealt) == 1
    assert set(music[dealt[0].inside].tolist()) == {0, 1}


def test_both_labels_keep_their_shares_in_every_fold() -> None:
    """Whatever packages are left out, and whatever the shares are: here, uneven ones."""
    made = segments(packages=7, rows=5)
    weight = np.where(made.music == 1, 0.5, 1.0) * np.linspace(1, 3, len(made.music))
    share = weight[made.music == 1].sum() / weight.sum()
    for fold in folds(made.music, weight, made.package, seed=1):
        assert fold.weight.mean() == pytest.approx(1)
        assert fold.weight[made.music[fold.inside] == 1].sum() / fold.weight.sum() == pytest.approx(share)


def test_the_best_setting_is_chosen_and_of_equal_ones_the_first() -> None:
    """Scores that follow the truth beat scores that do not; a scale makes no difference after the sigmoid."""
    made = segments(packages=4, rows=4)
    noise = np.random.default_rng(5).standard_normal(len(made.music))

    def score(setting: Setting, fold: Fold) -> FloatVector:
        truth = setting["truth"] * made.music[fold.outside]
        scores: FloatVector = (truth + noise[fold.outside]) * setting["scale"]
        return scores

    settings = [{"truth": truth, "scale": scale} for truth, scale in ((0, 1.0), (2, 1.0), (2, 4.0))]
    deal = folds(made.music, made.weight, made.package, seed=1)
    choice = choose(settings, score, deal, y=made.music, weight=made.weight)
    assert choice.best.setting == settings[1]
    assert [round(trial.log_loss, 9) for trial in choice.trials][1:] == [round(choice.best.log_loss, 9)] * 2
    assert choice.document["tried"][0]["truth"] == 0


@pytest.mark.parametrize(("patience", "tried"), [(None, [0, 1, 2, 3, 4]), (1, [0, 1, 2]), (2, [0, 1, 2, 3])])
def test_beyond_the_best_nothing_is_tried(patience: int | None, tried: list[int]) -> None:
    """After so many settings that are worse; the one chosen is the same."""
    made = segments(packages=4, rows=4)
    noise = np.random.default_rng(5).standard_normal(len(made.music))

    def score(setting: Setting, fold: Fold) -> FloatVector:
        scores: FloatVector = made.music[fold.outside] - abs(setting["at"] - 1) * noise[fold.outside]
        return scores

    deal = folds(made.music, made.weight, made.package, seed=1)
    settings = [{"at": at} for at in range(5)]
    choice = choose(settings, score, deal, y=made.music, weight=made.weight, patience=patience)
    assert choice.best.setting == {"at": 1}
    assert [trial.setting["at"] for trial in choice.trials] == tried


def test_rows_that_no_fold_left_out_have_no_part_in_the_choice() -> None:
    """A network looks at some of the folds only."""
    made = segments(packages=4, rows=4)
    deal = folds(made.music, made.weight, made.package, seed=1)[:1]
    choice = choose(
        [{}], lambda _setting, fold: 1.0 * made.music[fold.outside], deal, y=made.music, weight=made.weight
    )
    assert np.flatnonzero(~np.isnan(choice.best.scores)).tolist() == sorted(deal[0].outside.tolist())
    assert 0 < choice.best.log_loss < 0.2


def test_the_sigmoid_is_found_again() -> None:
    """Labels drawn with known odds."""
    generator = np.random.default_rng(2)
    scores = generator.uniform(-40, 60, 20_000)
    music = (generator.random(scores.size) < 1 / (1 + np.exp(-(0.1 * scores - 0.5)))).astype(np.int8)
    slope, offset = sigmoid(scores, music, np.ones(scores.size))
    assert slope == pytest.approx(0.1, rel=0.05)
    assert offset == pytest.approx(-0.5, abs=0.08)


def test_the_sigmoid_of_perfect_scores_is_finite() -> None:
    """Platt's targets: a hundred rows told apart do not prove certainty."""
    scores = np.concatenate([np.full(50, -1.0), np.full(50, 1.0)])
    slope, offset = sigmoid(scores, (scores > 0).astype(np.int8), np.ones(100))
    assert 1 / (1 + np.exp(-(slope + offset))) == pytest.approx(51 / 52, abs=1e-4)
