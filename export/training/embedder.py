"""`oido-export train embedder`: the small network, from scenes, taught by their labels and by YAMNet."""

import argparse
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from device.hearing.front_end.features import LOG_MEL, PATCH_FRAMES
from device.hearing.models.inputs import HOP_FRAMES
from device.sound import FloatArray
from export.corpus.dataset import networks_directory
from export.embeddings.base import in_batches
from export.estimators.embedder import DEFAULT_SIZE, SIZES, Size, build, deployable
from export.evaluation.metrics import f1
from export.frameworks import tensorflow
from export.spread import spread
from export.training.batches import BatchMaker, target
from export.training.course import Course, Record
from export.training.data import scenes
from export.training.scenes import FRAMES
from export.training.shards import Examples
from export.whole_file import write_arrays, write_json

TEACHER_CLASSES_PER_NAT = 25.0
"""The sum of the 521 cross-entropies is divided by this, so that it counts about as much as the label of music."""

SPEECH_SHARE = 0.3
SMOOTHING = 0.02
"""Labels end this far from 0 and 1, because some of them are wrong."""

_Patches = tuple[FloatArray, np.ndarray, np.ndarray]
"""(n, 96, 64) log-mel, (n,) truth, (n,) kind of scene."""


@dataclass(frozen=True, slots=True)
class Check:
    """How a network does on validation scenes."""

    roc_auc: float
    f1: float
    worst_kind: str
    worst_accuracy: float

    def __str__(self) -> str:
        """For the log."""
        return (
            f"validation AUC {self.roc_auc:.4f}, F1 {self.f1:.4f}, "
            f"worst: {self.worst_kind} {self.worst_accuracy:.3f} right"
        )


def train_trunk(
    size: Size,
    trunk: int,
    *,
    training: Examples,
    validation: Examples,
    course: Course,
    folder: Path,
    data: str,
) -> Any:
    """Train one trunk (of that number, from 0) to the end of the course, or go on where it was saved last.

    Args:
        size: of the network.
        trunk: which of its trunks.
        training: scenes to learn from.
        validation: scenes to check on.
        course: how long and how fast.
        folder: where everything is saved.
        data: version of the scenes: others need another course.

    Returns:
        The model, with averaged weights.
    """
    tensorflow("training a network")
    import keras  # noqa: PLC0415 - seconds to import

    keras.utils.set_random_seed(course.seed)
    model = build(size.trunks[trunk], embedding=size.embedding)
    optimizer = keras.optimizers.AdamW(
        learning_rate=course.peak_rate,
        weight_decay=course.weight_decay,
        use_ema=True,
        ema_momentum=course.average,
    )
    optimizer.build(model.trainable_variables)
    record = Record(folder, {**asdict(course), "size": size.name, "trunk": trunk, "data": data})
    if done := record.resume(model, optimizer):
        print(f"going on from step {done}", flush=True)
    learn, began = _step(model, optimizer), time.monotonic()
    patches = _checked_patches(validation)

    def checked() -> Check:
        return _check(patches, lambda some: model(some, training=False)["music"])

    recent: deque[float] = deque(maxlen=100)
    maker = BatchMaker(training, size=course.batch, seed=course.seed)
    with closing(maker.ahead(done, course.steps)) as batches:
        for step, batch in enumerate(batches, done + 1):
            optimizer.learning_rate = course.rate(step - 1)
            recent.append(float(learn(*batch)))
            loss = sum(recent) / len(recent)
            if step % 100 == 0:
                left = (time.monotonic() - began) / (step - done) * (course.steps - step) / 60
                print(f"step {step}/{course.steps}: loss {loss:.4f}, {left:.0f} min left", flush=True)
            if step % course.save_every == 0 and step < course.steps:
                check = checked()
                print(f"step {step}: {check}", flush=True)
                record.save(step, model, optimizer, {"loss": loss, "auc": check.roc_auc, "f1": check.f1})
    optimizer.finalize_variable_values(model.trainable_variables)
    print(f"end: {checked()}", flush=True)
    return model


def _step(model: Any, optimizer: Any) -> Any:
    """One step of learning, compiled: a `Batch` to its loss."""
    tf = tensorflow("training a network")
    entropy = tf.nn.sigmoid_cross_entropy_with_logits

    def learn(patches: Any, music: Any, music_weight: Any, speech: Any, speech_weight: Any, teacher: Any) -> Any:
        with tf.GradientTape() as tape:
            heads = model(patches, training=True)
            smooth = music * (1 - 2 * SMOOTHING) + SMOOTHING
            loss = tf.reduce_mean(music_weight * entropy(smooth, heads["music"]))
            loss += SPEECH_SHARE * tf.reduce_mean(speech_weight * entropy(speech, heads["speech"]))
            taught = tf.reduce_sum(entropy(teacher, heads["teacher"]), axis=1)
            loss += tf.reduce_mean(taught) / TEACHER_CLASSES_PER_NAT
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    return tf.function(learn, reduce_retracing=True)


def _check(validation: _Patches, hear: Callable[[FloatArray], Any]) -> Check:
    """How it does on patches; `hear` gives (n, 1) of some of them, above 0 for music."""
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - an extra

    patches, truth, kind = validation
    said = in_batches(hear, patches, size=256)[:, 0]
    right = (said > 0) == truth
    by_kind = {str(each): float(right[kind == each].mean()) for each in np.unique(kind)}
    worst = min(by_kind, key=by_kind.__getitem__)
    return Check(float(roc_auc_score(truth, said)), f1(truth, said > 0), worst, by_kind[worst])


def _checked_patches(examples: Examples, every: int = 5) -> _Patches:
    """Patches of which it is known whether there is music: (n, 96, 64) log-mel, (n,) truth, (n,) kind."""
    patches, truths, kinds = [], [], []
    for place in range(0, examples.music.shape[1], every):
        music, known = target(examples.music[:, place])
        sure = (known > 0) & ((music == 0) | (music == 1))
        start = place * HOP_FRAMES
        mel = examples.mel[sure, start : start + PATCH_FRAMES].astype(np.float32)
        patches.append(np.log(mel + np.float32(LOG_MEL.log_offset)))
        truths.append(music[sure] > 0)
        kinds.append(examples.kind[sure])
    return np.concatenate(patches), np.concatenate(truths), np.concatenate(kinds)


def train(size: Size, *, training: Examples, validation: Examples, course: Course, folder: Path, data: str) -> Any:
    """Train every trunk, one after the other, and join them; an interrupted training goes on where it was.

    Each trunk has the seed after that of the one before, and the folder `course-N`. The other arguments are those
    of `train_trunk`.

    Returns:
        The network as the device has it.
    """
    trained = []
    for trunk in range(len(size.trunks)):
        if len(size.trunks) > 1:
            print(f"trunk {trunk + 1} of {len(size.trunks)}", flush=True)
        one = train_trunk(
            size,
            trunk,
            training=training,
            validation=validation,
            course=replace(course, seed=course.seed + trunk),
            folder=folder / f"course-{trunk + 1}",
            data=data,
        )
        trained.append(one)
    whole = deployable(trained, size)
    if len(trained) > 1:
        together = _check(_checked_patches(validation), lambda patches: whole(patches)["scores"][:, :1] - 0.5)
        print(f"together: {together}", flush=True)
    return whole


def run(arguments: argparse.Namespace) -> int:
    """From the corpus to CACHE/embedder/model.keras; `oido-export convert embedder` goes on from there."""
    training, validation, version = scenes(arguments)
    size = SIZES[arguments.size]
    folder = networks_directory(arguments.cache) / (
        "embedder" if size.name == DEFAULT_SIZE else f"embedder-{size.name}"
    )
    whole = train(
        size,
        training=training,
        validation=validation,
        course=Course(steps=arguments.steps, batch=128, peak_rate=3e-3, seed=arguments.seed),
        folder=folder,
        data=version,
    )
    whole.save(folder / "model.keras")
    write_arrays(folder / "representative.npz", {"patches": representative(training, seed=arguments.seed)})
    patches, music = held_out(validation)
    write_arrays(folder / "held_out.npz", {"patches": patches, "music": music})
    about = {
        "corpus": version,
        "scenes": len(training),
        "steps": arguments.steps,
        "size": size.name,
        "seed": arguments.seed,
    }
    write_json(folder / "training_data.json", about)
    print(f"wrote {folder / 'model.keras'}; next: oido-export convert embedder")
    return 0


def held_out(examples: Examples, *, count: int = 3_000) -> tuple[FloatArray, np.ndarray]:
    """(n, 96, 64) patches, spread over all, and (n,) whether there is music, which is known of each."""
    patches, music, _ = _checked_patches(examples)
    chosen = spread(len(patches), count)
    return patches[chosen], music[chosen]


def representative(examples: Examples, *, seed: int, count: int = 500) -> FloatArray:
    """(n, 96, 64) real patches from which conversion learns the range of every tensor."""
    generator = np.random.default_rng(seed)
    scene = generator.integers(0, len(examples), count)
    start = generator.integers(0, FRAMES - PATCH_FRAMES + 1, count)
    mel = examples.mel[scene[:, None], start[:, None] + np.arange(PATCH_FRAMES)].astype(np.float32)
    patches: FloatArray = np.log(mel + np.float32(LOG_MEL.log_offset))
    return patches
