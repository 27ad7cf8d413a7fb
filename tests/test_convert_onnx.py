"""export.convert.onnx and parity: files for the device's ONNX Runtime that say what the estimators say."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pytest
from segment_fakes import needs_xgboost, segments

from device.hearing.statistics.pooling import mean_std
from device.sound import FloatArray
from export.convert.onnx import OPSETS, OUTPUT
from export.estimators.base import Fitted, ModelFile
from export.estimators.boosted import BoostedTrees
from export.estimators.forest import RandomForest
from export.estimators.linear import LinearSvm, PooledLogistic
from export.estimators.parity import parity
from export.evaluation.metrics import FloatVector

TRAINING = segments(packages=5, rows=20, distance=0.6)
X = mean_std(TRAINING.sequences)

BOOSTED = BoostedTrees(depths=(4,), most_rounds=40, patience=10)
FOREST = RandomForest(trees=30, trees_while_choosing=5, leaves=(32,))


def thresholds_of_forest(fitted: Any) -> dict[int, list[float]]:
    """What each column is compared with, by column."""
    found: dict[int, list[float]] = {}
    for tree in fitted.classifier.estimators_:
        for column, threshold in zip(tree.tree_.feature, tree.tree_.threshold, strict=True):
            if column >= 0:
                found.setdefault(int(column), []).append(float(threshold))
    return found


def thresholds_of_boosted(fitted: Any) -> dict[int, list[float]]:
    """The same of XGBoost's trees."""
    found: dict[int, list[float]] = {}
    waiting = [json.loads(tree) for tree in fitted.classifier.get_booster().get_dump(dump_format="json")]
    while waiting:
        node = waiting.pop()
        waiting += node.get("children", [])
        if "split" in node:
            found.setdefault(int(node["split"][1:]), []).append(float(node["split_condition"]))
    return found


def on_the_edge(thresholds: dict[int, list[float]]) -> FloatArray:
    """Rows whose every value is the threshold of some split, rounded, or the next float32 below or above it."""
    generator = np.random.default_rng(8)
    x = X[generator.integers(0, len(X), 1_000)].copy()
    for column, values in thresholds.items():
        drawn = np.asarray(generator.choice(values, len(x)), np.float32)
        beside = generator.choice(np.array([-np.inf, 0, np.inf], np.float32), len(x))
        x[:, column] = np.where(beside == 0, drawn, np.nextafter(drawn, beside))
    return x


def test_a_forest_keeps_to_its_leaves_on_every_threshold() -> None:
    """Float64 thresholds became float32; float32 rows that lie on them still go the same way."""
    fitted = TRAINING.fit(FOREST)
    found = parity(fitted, fitted.convert(X), on_the_edge(thresholds_of_forest(fitted)), bar=1e-6)
    assert found.beyond == 0


@needs_xgboost
def test_boosted_trees_keep_to_their_leaves_on_every_threshold() -> None:
    """The same of XGBoost, which compares with `<`."""
    fitted = TRAINING.fit(BOOSTED)
    found = parity(fitted, fitted.convert(X), on_the_edge(thresholds_of_boosted(fitted)), bar=1e-6)
    assert found.beyond == 0


@needs_xgboost
def test_boosted_trees_give_only_as_many_rounds_as_were_needed() -> None:
    """The file holds the trees of the final fit, no more."""
    fitted = TRAINING.fit(BOOSTED)
    graph = onnx.load_from_string(fitted.convert(X).content).graph
    trees = next(node for node in graph.node if node.op_type.startswith("TreeEnsemble"))
    roots = next(attribute.ints for attribute in trees.attribute if attribute.name == "nodes_treeids")
    assert len(set(roots)) == fitted.parameters["rounds"]


@pytest.mark.parametrize(
    "estimator", [PooledLogistic(), LinearSvm(), FOREST, pytest.param(BOOSTED, marks=needs_xgboost)]
)
def test_files_keep_to_old_operations(estimator: Any) -> None:
    """A device's onnxruntime may be years older than the workstation's."""
    model = onnx.load_from_string(TRAINING.fit(estimator).convert(X).content)
    opsets = {opset.domain: opset.version for opset in model.opset_import}
    assert set(opsets) <= set(OPSETS)
    assert all(version <= OPSETS[domain] for domain, version in opsets.items())
    assert OUTPUT in [output.name for output in model.graph.output]


def test_an_svm_with_its_sigmoid_is_two_operations() -> None:
    """Scaling and a logistic regression; no calibrated classifier of a dozen."""
    model = onnx.load_from_string(TRAINING.fit(LinearSvm()).convert(X).content)
    assert {"Scaler", "LinearClassifier"} <= {node.op_type for node in model.graph.node}
    assert len(model.graph.node) <= 4


def test_a_big_forest_stays_small() -> None:
    """As large as settings allow, on rows that it cannot tell apart: under 4 MB."""
    generator = np.random.default_rng(4)
    noise = segments(packages=4, rows=500, distance=0.0)
    music = generator.integers(0, 2, len(noise.music)).astype(np.int8)
    fitted = RandomForest(trees_while_choosing=2, leaves=(128,)).fit(
        mean_std(noise.sequences), music, weight=np.ones(len(music)), groups=noise.package, seed=1
    )
    assert len(fitted.convert(mean_std(noise.sequences)).content) < 4_000_000


@dataclass(frozen=True)
class Shifted:
    """Says a little more than another, but never more than 1: what parity must notice."""

    fitted: Fitted
    by: float

    @property
    def parameters(self) -> dict[str, Any]:
        """None of its own."""
        return {}

    def probability(self, x: FloatArray) -> FloatVector:
        """As the other, and more."""
        more: FloatVector = np.minimum(self.fitted.probability(x) + self.by, 1.0)
        return more

    def convert(self, example: FloatArray) -> ModelFile:
        """The other's."""
        return self.fitted.convert(example)


def test_parity_counts_what_differs() -> None:
    """A file of something else is found out: by how much, on how many rows, with how many other decisions."""
    fitted = TRAINING.fit(PooledLogistic())
    file = fitted.convert(X)
    found = parity(Shifted(fitted, 0.1), file, X, bar=0.05)
    ours = fitted.probability(X)
    assert found.largest == pytest.approx(0.1, abs=1e-5)
    assert found.beyond == np.count_nonzero(ours < 0.95) > 0
    assert found.other_decisions == np.count_nonzero((ours >= 0.4) & (ours < 0.5)) > 0
    assert 0 < found.mean <= found.largest


def test_a_file_says_a_probability_a_row() -> None:
    """Of music, not of no music."""
    fitted = TRAINING.fit(PooledLogistic())
    probability = fitted.convert(X).probability(X)
    assert probability.shape == (len(X),)
    assert probability[TRAINING.music == 1].mean() > probability[TRAINING.music == 0].mean()
