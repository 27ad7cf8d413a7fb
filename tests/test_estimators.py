"""export.estimators: each learns, repeatably, becomes a file that says the same, and refuses nonsense."""

import functools
import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from segment_fakes import SIZE, Segments, needs_xgboost, segments

from device.hearing.statistics.pooling import mean_std
from device.sound import FloatArray
from export.errors import ExportError
from export.estimators.base import Estimator, Fitted, standardisation_of
from export.estimators.boosted import BoostedTrees
from export.estimators.catalogue import all_estimators
from export.estimators.forest import RandomForest
from export.estimators.heads import attention_head, dense_head, gru_head
from export.estimators.linear import LinearSvm, PooledLogistic
from export.estimators.network import Schedule
from export.estimators.parity import ONNX_BAR, parity

SHORT = Schedule(every_steps=18, most_looks=8, patience=3, folds=1, batch=8)

QUICK = 3e-3
"""A learning rate for rows as easy as these."""

TRAINING = segments(packages=6, distance=2.5)
NEW = segments(packages=6, distance=2.5, seed=1, prefix="new")

Make = Callable[[], Estimator]

CLASSICAL: dict[str, Make] = {
    "logistic": PooledLogistic,
    "svm": LinearSvm,
    "forest": functools.partial(RandomForest, trees=12, trees_while_choosing=6, leaves=(4, 8)),
    "xgboost": functools.partial(BoostedTrees, most_rounds=30, patience=5),
}

NETWORKS: dict[str, Make] = {
    "dense": functools.partial(dense_head, units=(8, 16), learning_rate=QUICK, schedule=SHORT),
    "gru": functools.partial(gru_head, units=(8,), learning_rate=QUICK, schedule=SHORT),
    "attention": functools.partial(attention_head, schedule=SHORT),
}


def _parameter(name: str) -> object:
    marks = {"xgboost": [needs_xgboost], **{network: [pytest.mark.training] for network in NETWORKS}}
    return pytest.param(name, marks=marks.get(name, []))


every = pytest.mark.parametrize("name", [_parameter(name) for name in (*CLASSICAL, *NETWORKS)])
classical = pytest.mark.parametrize("name", [_parameter(name) for name in CLASSICAL])
networks = pytest.mark.parametrize("name", [_parameter(name) for name in NETWORKS])


def made(name: str) -> Estimator:
    """A small one of that name."""
    return (CLASSICAL | NETWORKS)[name]()


@functools.cache
def fitted(name: str) -> Fitted:
    """Fitted once for all tests."""
    return TRAINING.fit(made(name))


def rows(name: str, of: Segments) -> FloatArray:
    """As that estimator reads them."""
    return of.read_by(made(name))


@every
def test_learns(name: str) -> None:
    """Packages that it has never seen are told apart."""
    probability = fitted(name).probability(rows(name, NEW))
    assert probability.shape == (len(NEW.music),)
    assert probability.min() >= 0
    assert probability.max() <= 1
    assert np.mean((probability >= 0.5) == NEW.music) > 0.95


@every
def test_the_same_seed_gives_the_same_estimator(name: str) -> None:
    """Bit for bit, so that a figure can be made again."""
    again = TRAINING.fit(made(name))
    assert np.array_equal(again.probability(rows(name, NEW)), fitted(name).probability(rows(name, NEW)))
    assert again.parameters == fitted(name).parameters


@every
def test_says_what_was_chosen_and_how_good_it_was(name: str) -> None:
    """Ready for a sidecar or a report."""
    stated = json.loads(json.dumps(fitted(name).parameters))
    assert 0 < stated["cross_validated_log_loss"] < 0.5
    assert stated["cross_validated_log_loss"] == min(trial["log_loss"] for trial in stated["tried"])


@classical
def test_the_onnx_file_says_the_same(name: str) -> None:
    """In the device's runtime, on rows not learnt from."""
    x = rows(name, NEW)
    file = fitted(name).convert(x[:1])
    found = parity(fitted(name), file, x)
    assert (file.suffix, file.quantisation, file.labels) == (".onnx", None, ("no_music", "music"))
    assert found.rows == len(x)
    assert found.largest <= ONNX_BAR
    assert found.beyond == 0


@networks
def test_the_int8_file_decides_alike(name: str) -> None:
    """In the device's runtime, on rows not learnt from; that all of it is int8, the conversion checks."""
    file = fitted(name).convert(rows(name, TRAINING))
    found = parity(fitted(name), file, rows(name, NEW), bar=0.1)
    assert (file.suffix, file.quantisation, file.labels) == (".tflite", "int8", ("music",))
    assert found.beyond == 0
    assert found.other_decisions <= 2


@every
def test_one_label_alone_is_refused(name: str) -> None:
    """There is nothing to tell apart."""
    with pytest.raises(
        ExportError, match=rf"{name}: all 96 training rows are music; there is nothing to tell apart"
    ):
        TRAINING.only(1).fit(made(name))


@every
def test_rows_of_another_width_are_refused(name: str) -> None:
    """Embeddings of another extractor."""
    x = rows(name, NEW)[..., :-1]
    with pytest.raises(ExportError, match=rf"{name} reads \(n, .*{x.shape[-1] + 1} values\), n > 0, but the rows"):
        fitted(name).probability(x)


@every
def test_rows_of_another_shape_are_refused(name: str) -> None:
    """Sequences for those who read pooled segments, and the other way round."""
    estimator = made(name)
    x = mean_std(TRAINING.sequences) if estimator.reads == "sequence" else TRAINING.sequences
    with pytest.raises(ExportError, match=rf"{name} reads \(n, .*any number of values\), n > 0, but the rows"):
        estimator.fit(x, TRAINING.music, weight=TRAINING.weight, groups=TRAINING.package, seed=1)


def _with_nan(x: FloatArray) -> FloatArray:
    x = x.copy()
    x[20, 3] = np.nan
    return x


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"x": _with_nan(mean_std(TRAINING.sequences))},
            "1 of 192 rows hold numbers that are not finite, .* song0",
        ),
        ({"y": TRAINING.music * 2}, r"labels must be 1 for music and 0 for no music, not \[0, 2\]"),
        ({"y": TRAINING.music[1:]}, r"there are 192 rows, but the labels have the shape \(191,\)"),
        ({"weight": TRAINING.weight[1:]}, r"there are 192 rows, but the weights have the shape \(191,\)"),
        ({"weight": 0 * TRAINING.weight}, "every weight must be a positive number"),
        ({"groups": TRAINING.package[1:]}, r"there are 192 rows, but the packages have the shape \(191,\)"),
        ({"groups": np.full(192, "all")}, "all music comes from packages of one family, 'all'"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(change: dict[str, Any], sentence: str) -> None:
    """With one sentence that says what is wrong."""
    given: dict[str, Any] = {
        "x": mean_std(TRAINING.sequences),
        "y": TRAINING.music,
        "weight": TRAINING.weight,
        "groups": TRAINING.package,
    } | change
    with pytest.raises(ExportError, match=sentence):
        PooledLogistic().fit(given["x"], given["y"], weight=given["weight"], groups=given["groups"], seed=1)


def test_pooled_is_mean_and_deviation_over_the_patches() -> None:
    """In this order, which the device keeps too."""
    sequence = np.array([[[1, 10], [3, 10], [5, 10], [7, 10]]], np.float32)
    assert mean_std(sequence).tolist() == [[4, 10, pytest.approx(np.sqrt(5)), 0]]


def test_standardised_columns_have_one_size() -> None:
    """Whatever their unit; a column that never changes stays finite, and nothing goes beyond the limit."""
    sequences = np.random.default_rng(3).standard_normal((200, 10, 3)).astype(np.float32)
    sequences *= np.array([1000, 0.001, 0], np.float32)
    sequences += np.array([-80, 0, 0.1], np.float32)
    standardised = standardisation_of(sequences, limit=3.0)(sequences)
    assert standardised[..., :2].std(axis=(0, 1)) == pytest.approx([1, 1], abs=0.02)
    assert np.abs(standardised[..., 2]).max() < 1e-4
    assert np.abs(standardised).max() == pytest.approx(3.0)


@pytest.mark.training
def test_a_standardised_network_reads_columns_of_any_unit() -> None:
    """Without it, one int8 step for all columns would be coarser than the small ones."""
    units = np.geomspace(1e-3, 1e3, SIZE).astype(np.float32)
    scaled, new = (replace(of, sequences=of.sequences * units) for of in (TRAINING, NEW))
    head = scaled.fit(dense_head(units=(8,), learning_rate=QUICK, schedule=SHORT, standardise=True))
    file = head.convert(scaled.sequences)
    assert np.mean((head.probability(new.sequences) >= 0.5) == new.music) > 0.95
    assert parity(head, file, new.sequences, bar=0.1).beyond == 0


@pytest.mark.training
def test_a_network_that_comes_to_nothing_says_so() -> None:
    """Features so large that sums overflow."""
    huge = replace(TRAINING, sequences=TRAINING.sequences * np.float32(1e37))
    with pytest.raises(
        ExportError, match=r"dense 8 units.*: the network's answers are not finite numbers; .* standardise"
    ):
        huge.fit(dense_head(units=(8,), learning_rate=QUICK, schedule=SHORT))


@pytest.mark.skipif(needs_xgboost.args[0] is False, reason="XGBoost is installed")
def test_boosted_trees_without_xgboost_say_what_to_install() -> None:
    """It is not part of what training our own models needs."""
    with pytest.raises(ExportError, match=r"boosted trees need XGBoost: pip install xgboost-cpu"):
        TRAINING.fit(BoostedTrees())


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is not None, reason="TensorFlow is installed")
def test_networks_without_tensorflow_say_what_to_install() -> None:
    """The same of the networks."""
    with pytest.raises(ExportError, match=r"needs TensorFlow: pip install 'oido\[train\]'"):
        TRAINING.fit(dense_head())


def test_seven_are_compared() -> None:
    """Four read pooled segments, three sequences."""
    assert {estimator.name: estimator.reads for estimator in all_estimators()} == {
        **dict.fromkeys(CLASSICAL, "pooled"),
        **dict.fromkeys(NETWORKS, "sequence"),
    }
