"""export.training.attention and estimators.attention: the network over a segment, as the design gives it.

TensorFlow is needed for the network itself, and not for what it is fed; those tests are skipped without it.
"""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from training_fakes import examples_of

from device.sound import FloatArray
from export.errors import ExportError
from export.estimators.attention import build
from export.estimators.embedder import EMBEDDING
from export.evaluation.hearing import SEGMENT_PATCHES
from export.frameworks import tensorflow
from export.training.attention import Best, segments, train
from export.training.scenes import LABELLED

Data = tuple[FloatArray, FloatArray]


@pytest.fixture(scope="module")
def keras() -> Any:
    """Keras on TensorFlow, imported here and not above, so that its warnings are the tests' own."""
    tensorflow("training a network")
    import keras as module  # noqa: PLC0415 - see above

    return module


def embed(patch: FloatArray) -> FloatArray:
    """A stand-in for the embedder: the loudness of each band, twice."""
    assert patch.shape == (96, 64)
    return np.tile(patch.mean(axis=0), 2).astype(np.float32)


def labels(*halves: float) -> np.ndarray:
    """(n, LABELLED) of scenes whose first five patches are all music or none, and the others as given."""
    rows = np.tile(np.array(halves, np.float32)[:, None], (1, LABELLED))
    rows[:, :9] = 1
    return rows


def scenes(share: float) -> FloatArray:
    """(1, LABELLED): the same part of music in every patch."""
    return np.full((1, LABELLED), share, np.float32)


def learnable(count: int, seed: int) -> Data:
    """Segments of noise, brighter where the target is 1."""
    generator = np.random.default_rng(seed)
    targets = (np.arange(count) % 2).astype(np.float32)
    features = generator.standard_normal((count, SEGMENT_PATCHES, EMBEDDING)) + targets[:, None, None]
    return features.astype(np.float32), targets


TRAINING, VALIDATION = learnable(256, 1), learnable(24, 2)
MISLEADING = VALIDATION[0], 1 - VALIDATION[1]
"""The more is learned, the more of it is wrong: the first epoch is the best."""


def taught(folder: Path, *, features: FloatArray = TRAINING[0], seed: int = 1, data: str = "made") -> Any:
    """Three epochs."""
    return train((features, TRAINING[1]), MISLEADING, folder, epochs=3, seed=seed, data=data)


@pytest.fixture(scope="module")
def finished(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A network after three epochs, and its folder."""
    del keras
    folder = tmp_path_factory.mktemp("course")
    return taught(folder), folder


class Unplugged(np.ndarray):
    """Features that are read a few times, and then there is no power any more."""

    readings = 2

    def __getitem__(self, key: Any) -> Any:
        """A selection, as a plain array."""
        if self.readings == 0:
            raise KeyboardInterrupt
        self.readings -= 1
        return np.asarray(self)[key]


def same(first: Any, second: Any) -> bool:
    """Whether two networks have the same weights, to the last bit."""
    return all(
        np.array_equal(one, other) for one, other in zip(first.get_weights(), second.get_weights(), strict=True)
    )


class FakeModel:
    """What is needed of Keras's models, with one weight."""

    def __init__(self, weight: float = 0.0) -> None:
        self.weight = weight

    def get_weights(self) -> list[np.ndarray]:
        """The one."""
        return [np.array([self.weight])]

    def set_weights(self, weights: list[np.ndarray]) -> None:
        """Take it."""
        (weight,) = weights
        self.weight = float(weight[0])


@pytest.mark.training
def test_the_layers_are_those_of_the_design(keras: Any) -> None:
    """Every one, in its order, with its settings."""
    del keras
    wanted: list[tuple[str, dict[str, Any]]] = [
        ("InputLayer", {}),
        ("MultiHeadAttention", {"num_heads": 2, "key_dim": 64, "dropout": 0.2}),
        ("BatchNormalization", {}),
        ("Conv1D", {"filters": 64, "kernel_size": (3,), "activation": "relu", "padding": "same", "l2": 0.01}),
        ("MaxPooling1D", {"pool_size": (2,)}),
        ("Dropout", {"rate": 0.4}),
        ("Conv1D", {"filters": 128, "kernel_size": (3,), "activation": "relu", "padding": "same", "l2": 0.01}),
        ("GlobalAveragePooling1D", {}),
        ("Dense", {"units": 64, "activation": "relu", "l2": 0.01}),
        ("Dropout", {"rate": 0.6}),
        ("Dense", {"units": 1, "activation": "sigmoid"}),
    ]
    layers = build().layers
    assert [type(layer).__name__ for layer in layers] == [name for name, _ in wanted]
    for layer, (_, settings) in zip(layers, wanted, strict=True):
        config = layer.get_config()
        penalty = config.get("kernel_regularizer")
        found = config | {"l2": pytest.approx(penalty["config"]["l2"]) if penalty else None}
        assert {name: found[name] for name in settings} == settings, layer.name
        assert bool(penalty) == ("l2" in settings), layer.name


@pytest.mark.training
def test_a_segment_attends_to_itself(keras: Any) -> None:
    """Query, key and value are the segment; one score comes out."""
    del keras
    model = build()
    (node,) = model.get_layer("attention")._inbound_nodes  # noqa: SLF001 - Keras has no public way to ask
    assert [tensor.name for tensor in node.input_tensors] == ["segment"] * len(node.input_tensors)
    assert (model.input_shape, model.output_shape) == ((None, 10, 128), (None, 1))
    assert build(batch_size=1).input_shape == (1, 10, 128)


@pytest.mark.training
def test_it_is_compiled_as_the_design_says(keras: Any) -> None:
    """Adam at 1e-4, binary cross-entropy, accuracy, PR-AUC, precision and recall."""
    model = build()
    assert type(model.optimizer) is keras.optimizers.Adam
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-4)
    assert model.loss == "binary_crossentropy"
    figures = model.evaluate(*VALIDATION, verbose=0, return_dict=True)
    assert set(figures) == {"loss", "accuracy", "pr_auc", "precision", "recall"}
    assert {type(metric).__name__ for metric in model.metrics[1].metrics} >= {"AUC", "Precision", "Recall"}
    (area,) = (metric for metric in model.metrics[1].metrics if metric.name == "pr_auc")
    assert area.get_config()["curve"] == "PR"


def test_a_scene_is_ten_patches_one_after_the_other() -> None:
    """As it is in the first pass, each patch embedded once."""
    examples = examples_of(labels(0.0))
    features, targets = segments(examples, embed, seed=1, passes=1)
    assert features.shape == (1, SEGMENT_PATCHES, EMBEDDING)
    log_mel = np.log(examples.mel[0].astype(np.float32) + np.float32(0.001))
    for number in range(SEGMENT_PATCHES):
        assert np.array_equal(features[0, number], embed(log_mel[96 * number : 96 * (number + 1)]))
    assert targets.shape == (1,)


@pytest.mark.parametrize(
    ("share", "wanted"), [(0.0, 0.0), (0.2, 0.0), (0.35, 0.25), (0.5, 0.5), (0.8, 1.0), (1.0, 1.0)]
)
def test_the_target_is_how_much_of_the_segment_is_music(share: float, wanted: float) -> None:
    """A little is none, much is all."""
    _, targets = segments(examples_of(scenes(share)), embed, seed=1, passes=1)
    assert targets.tolist() == pytest.approx([wanted], abs=1e-6)


def test_half_a_segment_of_music_is_half_of_one() -> None:
    """Five patches of ten."""
    _, targets = segments(examples_of(labels(0.0)), embed, seed=1, passes=1)
    assert targets.tolist() == pytest.approx([0.5])


def test_other_passes_are_through_other_microphones() -> None:
    """The same for a seed, another for another."""
    examples = examples_of(np.tile(scenes(1.0), (6, 1)))
    first, again, other = (segments(examples, embed, seed=seed, passes=3)[0] for seed in (1, 1, 2))
    assert first.shape == (18, SEGMENT_PATCHES, EMBEDDING)
    assert np.array_equal(first, again)
    assert np.array_equal(first[:6], other[:6])
    assert not np.array_equal(first[6:], other[6:])
    assert not np.array_equal(first[:6], first[6:12])


def test_some_segments_are_short_as_at_the_start_of_a_stream() -> None:
    """About a quarter; then those patches that are there are repeated, oldest first, in a circle."""
    features, targets = segments(examples_of(np.tile(labels(0.0), (60, 1))), embed, seed=1, passes=2)
    assert len({row.tobytes() for row in features[0]}) == SEGMENT_PATCHES
    different = [len({row.tobytes() for row in segment}) for segment in features[60:]]
    short = [number for number, length in enumerate(different) if length < SEGMENT_PATCHES]
    assert 8 < len(short) < 24
    for number in short:
        length, segment = different[number], features[60 + number]
        assert np.array_equal(segment, segment[np.arange(SEGMENT_PATCHES) % length])
        heard = min(1.0, 5 / length)  # the first five patches are music
        assert targets[60 + number] == pytest.approx(min(1.0, (heard - 0.2) / 0.6), abs=1e-5)


def test_patches_of_which_nobody_knows_do_not_count() -> None:
    """The target is that of the others; a scene with more than three is left out."""
    three, four = scenes(1.0), scenes(1.0)
    three[0, :6], four[0, :8] = np.nan, np.nan
    features, targets = segments(examples_of(np.concatenate([three, four])), embed, seed=1, passes=1)
    assert targets.tolist() == [1.0]
    assert features.shape == (1, SEGMENT_PATCHES, EMBEDDING)


def test_short_segments_of_which_nobody_knows_are_left_out() -> None:
    """Their first patches are all unknown: without a warning, and without a target."""
    unknown = np.tile(scenes(1.0), (60, 1))
    unknown[:, :6] = np.nan
    features, targets = segments(examples_of(unknown), embed, seed=1, passes=2)
    assert 100 < len(targets) < 120
    assert len(features) == len(targets)
    assert np.all(targets == 1)


def test_the_best_weights_are_kept(tmp_path: Path) -> None:
    """Those with the smallest loss, whether the process was another or not."""
    path, model = tmp_path / "best.npz", FakeModel()
    best = Best(path)
    for loss, weight in ((0.5, 1.0), (0.3, 2.0), (0.3, 3.0), (0.4, 4.0)):
        best.offer(loss, FakeModel(weight))
    best.restore(model)
    assert model.weight == 2
    again = Best(path)
    again.recall()
    again.offer(0.35, FakeModel(5.0))
    again.restore(model)
    assert model.weight == 2
    again.offer(0.2, FakeModel(6.0))
    again.restore(model)
    assert model.weight == 6
    assert [file.name for file in tmp_path.iterdir()] == ["best.npz"]
    with np.load(path) as stored:
        assert stored.files == ["loss", "weights_0"]


def test_a_new_training_does_not_ask_what_was_best_before(tmp_path: Path) -> None:
    """Its first epoch replaces what another left behind."""
    Best(tmp_path / "best.npz").offer(0.1, FakeModel(1.0))
    best, model = Best(tmp_path / "best.npz"), FakeModel()
    best.offer(0.9, FakeModel(2.0))
    best.restore(model)
    assert model.weight == 2


@pytest.mark.training
def test_it_learns(finished: tuple[Any, Path]) -> None:
    """The loss falls and the figures rise, epoch by epoch."""
    _, folder = finished
    figures = [json.loads(line) for line in (folder / "figures.jsonl").read_text().splitlines()]
    assert [figure["step"] for figure in figures] == [1, 2, 3]
    for before, after in pairwise(figures):
        assert after["loss"] < before["loss"]
        assert after["pr_auc"] > before["pr_auc"]


@pytest.mark.training
def test_the_best_epoch_comes_back(finished: tuple[Any, Path]) -> None:
    """Not the last: here it is the first, after which all goes wrong on validation."""
    model, folder = finished
    losses = [json.loads(line)["val_loss"] for line in (folder / "figures.jsonl").read_text().splitlines()]
    assert losses == sorted(losses)
    assert model.evaluate(*MISLEADING, verbose=0, return_dict=True)["loss"] == pytest.approx(losses[0], abs=1e-4)


@pytest.mark.training
def test_a_training_that_goes_on_ends_as_if_it_had_not_stopped(
    finished: tuple[Any, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Interrupted in the third of three epochs: the same weights, the best and the last."""
    model, folder = finished
    with pytest.raises(KeyboardInterrupt):
        taught(tmp_path, features=cast("FloatArray", TRAINING[0].view(Unplugged)))
    again = taught(tmp_path)
    assert "going on after epoch 2" in capsys.readouterr().out
    assert same(again, model)
    with np.load(folder / "step-3.npz") as wanted, np.load(tmp_path / "step-3.npz") as found:
        assert wanted.files == found.files
        assert all(np.array_equal(wanted[name], found[name]) for name in wanted.files)


@pytest.mark.training
def test_a_finished_training_is_not_begun_again(
    finished: tuple[Any, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """The network is read and given back."""
    model, folder = finished
    assert same(taught(folder), model)
    assert capsys.readouterr().out == "going on after epoch 3\n"


@pytest.mark.training
@pytest.mark.parametrize("other", ["data", "seed"])
def test_a_training_of_something_else_is_refused(finished: tuple[Any, Path], other: str) -> None:
    """Another embedder gives other features: what was learned from the first would be of no use."""
    _, folder = finished
    with pytest.raises(ExportError, match=rf"other settings \({other}\)"):
        taught(folder, seed=2 if other == "seed" else 1, data="else" if other == "data" else "made")
