"""export.training.embedder and estimators.embedder: the small network learns, can be stopped, and is cut to size.

TensorFlow is needed for these; where it is not installed they are skipped.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_fakes import examples_of

from device.sound import FloatArray
from export.corpus.audioset import CLASSES
from export.errors import ExportError
from export.estimators.embedder import DEFAULT_SIZE, EMBEDDING, SIZES, Size, Trunk, build, deployable
from export.frameworks import tensorflow
from export.training.course import Course
from export.training.embedder import held_out, representative, train, train_trunk
from export.training.shards import Examples

TINY = SIZES["tiny"]

COURSE = Course(steps=20, batch=16, peak_rate=1e-2, warm_up=4, average=0.8, save_every=10, seed=3)


@pytest.fixture(scope="module")
def keras() -> Any:
    """Keras on TensorFlow, imported here and not above, so that its warnings are the tests' own."""
    tensorflow("training a network")
    import keras as module  # noqa: PLC0415 - see above

    return module


def half_music(seed: int = 0) -> Examples:
    """Twelve scenes, every second one music."""
    return examples_of(np.tile([[1.0], [0.0]], (6, 1)), seed=seed)


def trained_in(folder: Path, *, data: str = "made", course: Course = COURSE) -> Any:
    """The smallest network, trained."""
    return train_trunk(
        TINY,
        0,
        training=half_music(),
        validation=half_music(1),
        course=course,
        folder=folder,
        data=data,
    )


def patches(count: int) -> FloatArray:
    """Real ones."""
    return representative(half_music(), seed=1, count=count)


@pytest.fixture(scope="module")
def trained(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A network after twenty steps, and the folder where it was saved after ten of them."""
    del keras
    folder = tmp_path_factory.mktemp("course")
    return trained_in(folder), folder


@pytest.mark.training
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_every_size_has_the_same_outputs(keras: Any, size: Any) -> None:
    """Each trunk has its part of the embedding, and three heads of logits; together they are one network."""
    del keras
    trunks = [build(trunk, embedding=size.embedding) for trunk in size.trunks]
    for trunk in trunks:
        assert {name: tuple(output.shape) for name, output in trunk.output.items()} == {
            "embedding": (None, EMBEDDING // len(trunks)),
            "music": (None, 1),
            "speech": (None, 1),
            "teacher": (None, CLASSES),
        }
        assert trunk.input_shape == (None, 96, 64)
    whole = deployable(trunks, size)
    assert {name: tuple(output.shape) for name, output in whole.output.items()} == {
        "embedding": (None, EMBEDDING),
        "scores": (None, 2),
    }


def test_the_default_size_is_one_of_them() -> None:
    """By its name."""
    assert SIZES[DEFAULT_SIZE].name == DEFAULT_SIZE
    assert all(size.name == name for name, size in SIZES.items())


@pytest.mark.training
def test_it_learns(trained: tuple[Any, Path]) -> None:
    """Scenes that it has not seen, told apart after twenty steps; with the averaged weights, which are kept."""
    model, _ = trained
    examples = half_music(2)
    mel = examples.mel[:, :96].astype(np.float32)
    logits = model(np.log(mel + np.float32(0.001)), training=False)["music"].numpy()[:, 0]
    assert logits[examples.music[:, 0] == 1].min() > logits[examples.music[:, 0] == 0].max()


@pytest.mark.training
def test_a_course_that_goes_on_ends_as_if_it_had_not_stopped(
    trained: tuple[Any, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Ten steps, and ten more from what was saved: the same weights, averages and random numbers."""
    model, folder = trained
    again = trained_in(folder)
    assert "going on from step 10" in capsys.readouterr().out
    for wanted, found in zip(model.variables, again.variables, strict=True):
        assert np.array_equal(wanted.numpy(), found.numpy()), wanted.path


@pytest.mark.training
@pytest.mark.parametrize("other", ["data", "seed"])
def test_a_course_of_something_else_is_refused(trained: tuple[Any, Path], other: str) -> None:
    """Other scenes or another seed would go on with what the first ones taught."""
    _, folder = trained
    changed = Course(steps=20, batch=16, peak_rate=1e-2, warm_up=4, average=0.8, save_every=10, seed=4)
    wrong: dict[str, Any] = {"data": "else"} if other == "data" else {"course": changed}
    with pytest.raises(ExportError, match=rf"other settings \({other}\)"):
        trained_in(folder, **wrong)


@pytest.mark.training
def test_the_device_gets_the_same_embedding_and_scores(trained: tuple[Any, Path]) -> None:
    """Scores are sigmoids of the logits, music first; the teacher's head is gone."""
    model, _ = trained
    some = patches(6)
    heads = model(some, training=False)
    cut = deployable([model], TINY)
    found = cut(some, training=False)
    logits = np.concatenate([heads["music"].numpy(), heads["speech"].numpy()], axis=1)
    assert set(found) == {"embedding", "scores"}
    assert found["embedding"].numpy() == pytest.approx(heads["embedding"].numpy(), abs=1e-6)
    assert found["scores"].numpy() == pytest.approx(1 / (1 + np.exp(-logits)), abs=1e-6)
    assert cut.count_params() < model.count_params() - CLASSES * EMBEDDING


@pytest.mark.training
def test_two_trunks_say_the_mean_of_what_each_says(keras: Any) -> None:
    """Of their logits; and the embedding is that of the first and then that of the second."""
    keras.utils.set_random_seed(5)
    pair = Size("two", (TINY.trunks[0], Trunk(4, ((8, 1),))))
    trunks = [build(trunk, embedding=pair.embedding) for trunk in pair.trunks]
    some = patches(6)
    for trunk in trunks:
        trunk(some, training=True)  # batch normalisation of its own
    heads = [trunk(some, training=False) for trunk in trunks]
    found = deployable(trunks, pair)(some, training=False)
    embeddings = [each["embedding"].numpy() for each in heads]
    assert found["embedding"].numpy() == pytest.approx(np.concatenate(embeddings, axis=1), abs=1e-6)
    logits = np.mean([np.concatenate([each["music"], each["speech"]], axis=1) for each in heads], axis=0)
    assert found["scores"].numpy() == pytest.approx(1 / (1 + np.exp(-logits)), abs=1e-6)
    assert np.ptp(logits[:, 0]) > 0


@pytest.mark.training
def test_trunks_learn_one_after_the_other(keras: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with a seed and a folder of its own; both together are checked, and can be gone on with."""
    del keras
    pair = Size("two", (TINY.trunks[0], TINY.trunks[0]))

    def trained_pair() -> Any:
        return train(
            pair, training=half_music(), validation=half_music(1), course=COURSE, folder=tmp_path, data="made"
        )

    whole = trained_pair()
    said = capsys.readouterr().out
    assert [line for line in said.splitlines() if line.startswith("trunk")] == ["trunk 1 of 2", "trunk 2 of 2"]
    assert "together: validation AUC 1.0000" in said
    assert not np.array_equal(*(whole.get_layer(f"trunk{number}_stem").get_weights()[0] for number in (1, 2))), (
        "two of the same seed would say the same"
    )
    again = trained_pair()
    assert capsys.readouterr().out.count("going on from step 10") == 2
    for wanted, found in zip(whole.get_weights(), again.get_weights(), strict=True):
        assert np.array_equal(wanted, found)


@pytest.mark.training
def test_for_conversion_there_is_one_patch_at_a_time(trained: tuple[Any, Path]) -> None:
    """A fixed batch of 1."""
    model, _ = trained
    assert deployable([model], TINY, batch_size=1).input_shape == (1, 96, 64)


# Keras 3.15 saves its variables to numpy 2 in numpy 1's way (keras/src/backend/tensorflow/core.py).
@pytest.mark.training
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_the_device_gets_what_was_saved(keras: Any, trained: tuple[Any, Path], tmp_path: Path) -> None:
    """The file that conversion reads holds the same network."""
    model, _ = trained
    cut = deployable([model], TINY)
    cut.save(tmp_path / "model.keras")
    read = keras.models.load_model(tmp_path / "model.keras")
    some = patches(3)
    assert np.array_equal(read(some)["scores"].numpy(), cut(some)["scores"].numpy())


def test_patches_for_conversion_are_real_ones() -> None:
    """So many log-mel patches out of the scenes, the same for a seed."""
    examples = half_music()
    first, again, other = (representative(examples, seed=seed, count=7) for seed in (1, 1, 2))
    assert first.shape == (7, 96, 64)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    known = set(np.log(examples.mel.astype(np.float32) + np.float32(0.001)).reshape(-1, 64)[:, 0].tolist())
    assert set(first[:, :, 0].reshape(-1).tolist()) <= known


def test_patches_to_report_on_are_of_all_scenes() -> None:
    """With what is known of each, which conversion counts F1 by."""
    features, music = held_out(half_music(), count=24)
    assert features.shape == (24, 96, 64)
    assert 0 < music.mean() < 1
    few, _ = held_out(half_music(), count=5)
    assert few.shape == (5, 96, 64)
