"""`oido-export train attention`: the network over a segment, from the embeddings that the device will give it.

It learns from the int8 embedder's output in the device's own runtime, so that it knows what quantisation does to
an embedding.
"""

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from device.hearing.front_end.features import LOG_MEL, PATCH_FRAMES
from device.hearing.models.inputs import HOP_FRAMES
from device.hearing.models.loading import PatchModel, load_model
from device.sound import FloatArray
from export.corpus.dataset import networks_directory
from export.errors import ExportError
from export.estimators.attention import build
from export.estimators.embedder import EMBEDDING
from export.evaluation.hearing import SEGMENT_PATCHES
from export.frameworks import tensorflow
from export.progress import Progress
from export.training.batches import Augmentation, factors
from export.training.course import Record
from export.training.data import scenes
from export.training.shards import Examples
from export.whole_file import write_arrays, write_json

PASSES = 3
"""How often each scene is embedded, each time through another microphone; the first time as it is."""

SHORTENED = 0.25
"""Part of the segments that are cut short, as they are at the beginning of a stream."""

BATCH = 64

_FLAT, _FULL = 0.2, 0.8
"""A segment with less music than the first is none, one with more than the second is all music."""

Embed = Callable[[FloatArray], FloatArray]
"""(96, 64) log-mel to (128,)."""


def segments(
    examples: Examples, embed: Embed, *, seed: int, passes: int = PASSES
) -> tuple[FloatArray, FloatArray]:
    """Every scene as a sequence of embeddings, with its target.

    Args:
        examples: scenes of one split.
        embed: the converted embedder.
        seed: of microphones, and of which segments are cut short.
        passes: 1 leaves all sound as it is.

    Returns:
        (n, 10, 128) and (n,) targets in [0, 1]: how much of the segment is music. Scenes of which too little is
        known are left out.
    """
    generator = np.random.default_rng(seed)
    share = examples.music[:, :: PATCH_FRAMES // HOP_FRAMES]  # (n, 10) how much of each patch is music
    known = np.flatnonzero(np.isnan(share).sum(axis=1) <= SEGMENT_PATCHES // 3)
    share = share[known]
    features = np.empty((passes, len(known), SEGMENT_PATCHES, EMBEDDING), np.float32)
    targets = np.empty((passes, len(known)), np.float32)
    with Progress(total=passes * len(known) // 500 + 1, unit="500 scenes") as progress:
        for index in range(passes):
            how = Augmentation() if index else Augmentation(equalised=0.0, gained=0.0)
            through = factors(generator, len(known), how)
            for i, scene in enumerate(known):
                length = SEGMENT_PATCHES
                if index and generator.random() < SHORTENED:
                    length = int(generator.integers(1, SEGMENT_PATCHES))
                mel = examples.mel[scene].astype(np.float32) * through[i]
                log_mel = np.log(mel + np.float32(LOG_MEL.log_offset)).reshape(SEGMENT_PATCHES, PATCH_FRAMES, -1)
                embedded = np.stack([embed(patch) for patch in log_mel[:length]])
                features[index, i] = embedded[np.arange(SEGMENT_PATCHES) % length]
                targets[index, i] = _mean(share[i, :length])
                if (index * len(known) + i + 1) % 500 == 0:
                    progress.step(f"pass {index + 1}")
    flat = targets.reshape(-1)
    sure = ~np.isnan(flat)
    wanted = np.clip((flat[sure] - _FLAT) / (_FULL - _FLAT), 0.0, 1.0)
    return features.reshape(-1, SEGMENT_PATCHES, EMBEDDING)[sure], wanted.astype(np.float32)


def _mean(share: FloatArray) -> np.float32:
    """Of those patches of which it is known; NaN if it is known of none."""
    known = share[~np.isnan(share)]
    return known.mean() if known.size else np.float32(np.nan)


def train(
    training: tuple[FloatArray, FloatArray],
    validation: tuple[FloatArray, FloatArray],
    folder: Path,
    *,
    epochs: int,
    seed: int,
    data: str,
) -> Any:
    """Train, or go on; the network of the epoch with the smallest loss on validation.

    Args:
        training: features and targets as `segments` gives them.
        validation: the same of the other split.
        folder: where it is saved after every epoch.
        epochs: how many.
        seed: of weights, order and dropout.
        data: version of the features: others need another training.

    Raises:
        ExportError: the folder holds a training with other settings.
    """
    tensorflow("training a network")
    import keras  # noqa: PLC0415 - seconds to import

    keras.utils.set_random_seed(seed)
    model = build()
    model.optimizer.build(model.trainable_variables)
    record = Record(folder, {"epochs": epochs, "batch": BATCH, "seed": seed, "data": data})
    done, best = record.resume(model, model.optimizer), Best(folder / "best.npz")
    if done:
        print(f"going on after epoch {done}", flush=True)
        best.recall()
    features, targets = training
    for epoch in range(done + 1, epochs + 1):
        # The order is that of the epoch, wherever a training goes on.
        order = np.random.default_rng([seed, epoch]).permutation(len(targets))
        history = model.fit(
            features[order],
            targets[order],
            validation_data=validation,
            batch_size=BATCH,
            shuffle=False,
            verbose=0,
        ).history
        figures = {name: float(values[-1]) for name, values in history.items()}
        print(
            f"epoch {epoch}/{epochs}: " + ", ".join(f"{n} {value:.4f}" for n, value in figures.items()), flush=True
        )
        best.offer(figures["val_loss"], model)
        record.save(epoch, model, model.optimizer, figures)
    best.restore(model)
    return model


class Best:
    """The weights with the smallest loss so far, in an .npz file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loss = math.inf

    def recall(self) -> None:
        """Go on with what the file holds; without this it is replaced by the first offer."""
        with np.load(self._path) as stored:
            self._loss = float(stored["loss"])

    def offer(self, loss: float, model: Any) -> None:
        """Keep the model's weights if there have been none better."""
        if loss >= self._loss:
            return
        self._loss = loss
        weights = {f"weights_{i}": value for i, value in enumerate(model.get_weights())}
        write_arrays(self._path, {"loss": np.float64(loss), **weights})

    def restore(self, model: Any) -> None:
        """Give the weights back to the model."""
        with np.load(self._path) as stored:
            model.set_weights([stored[name] for name in stored.files if name.startswith("weights_")])


def run(arguments: argparse.Namespace) -> int:
    """From the converted embedder in --out to CACHE/attention/model.keras."""
    embedder = load_model(str(arguments.out / "embedder.json"))
    if not isinstance(embedder, PatchModel):
        raise ExportError(f"{arguments.out / 'embedder.json'} is no embedder; run oido-export convert embedder")
    training, validation, version = scenes(arguments)
    folder = networks_directory(arguments.cache) / "attention"
    data = f"{embedder.sidecar.sha256[:12]}-{version}-{arguments.seed}"
    stored = folder / f"embedded-{data}.npz"
    if not stored.exists():

        def embed(patch: FloatArray) -> FloatArray:
            return embedder.embed(patch)[1]

        learned = segments(training, embed, seed=arguments.seed)
        checked = segments(validation, embed, seed=1, passes=1)
        arrays = {"x": learned[0], "y": learned[1], "validation_x": checked[0], "validation_y": checked[1]}
        write_arrays(stored, arrays)
    with np.load(stored) as archive:
        features = dict(archive)
    model = train(
        (features["x"], features["y"]),
        (features["validation_x"], features["validation_y"]),
        folder / "course",
        epochs=arguments.epochs,
        seed=arguments.seed,
        data=data,
    )
    model.save(folder / "model.keras")
    generator = np.random.default_rng(arguments.seed)
    some = generator.choice(len(features["x"]), min(500, len(features["x"])), replace=False)
    write_arrays(folder / "representative.npz", {"segments": features["x"][some]})
    about = {"corpus": version, "epochs": arguments.epochs, "seed": arguments.seed}
    write_json(folder / "training_data.json", {**about, "embedder": embedder.sidecar.sha256})
    print(f"wrote {folder / 'model.keras'}; next: oido-export convert attention")
    return 0
