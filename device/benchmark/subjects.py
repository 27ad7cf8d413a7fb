"""What is measured: a model in the pipeline that runs live, and YAMNet as its authors publish it."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from device.benchmark import tape
from device.benchmark.job import Job, Prepared
from device.benchmark.results import REFERENCE, ModelReport
from device.benchmark.stages import Stopwatch, TimedClassifier, TimedDecision
from device.benchmark.tape import Tape
from device.configuration.settings import DecisionConfig
from device.errors import ModelError
from device.hearing.front_end.transforms import fastest
from device.hearing.models.loading import (
    SegmentModel,
    find_model,
    installed_models,
    load_model,
    model_directories,
)
from device.hearing.models.runtimes import open_runtime
from device.hearing.rules import rules
from device.pipeline import listen
from device.sound import SAMPLE_RATE

YAMNET = "yamnet.tflite"
WINDOW_SAMPLES = 15_600
HOP_SAMPLES = 7_680
"""0.48 s, half of what YAMNet calls a patch: as often as Google's own code asks it."""

CLASSES = 521
"""github.com/tensorflow/models, research/audioset/yamnet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Something that hears a tape and answers."""

    report: Callable[..., ModelReport]
    """Takes what was measured; knows what identifies the subject."""
    hop_s: float
    context_s: float
    """How far back the sound goes that has a part in an answer."""
    fetch: Callable[[], None]
    """Has the sound for the next answer at hand."""
    answer: Callable[[], object]
    """Gives the next answer."""


def prepare(job: Job) -> Prepared:
    """Find what is to be measured, and write the sound for it.

    Raises:
        UnknownModelError: a model that was asked for is not installed.
        ModelError: there is none at all, or what should be YAMNet is not.
        SourceError: the bundled sound is damaged.
    """
    paths = [find_model(name, job.directory) for name in job.models] or [*installed_models(job.directory)]
    folders = model_directories(job.directory)
    if not paths:
        raise ModelError(f"no model is installed; looked in {', '.join(map(str, folders))}")
    # With a description beside it, it is a model of our own, on patches.
    # os.path: False, too, for a folder that nobody may look into
    found = (
        str(path)
        for path in (folder / YAMNET for folder in folders)
        if os.path.isfile(path) and not os.path.exists(path.with_suffix(".json"))  # noqa: PTH110, PTH113 - as said
    )
    yamnet = job.yamnet or next(found, None)
    if yamnet is not None:
        _check_yamnet(Path(yamnet), job)  # here, once, and not in every process that will stand it beside a model
    tape.prepare(Path(job.tape), job.settings.rate_hz)
    return Prepared(models=tuple(dict.fromkeys(map(str, paths))), yamnet=yamnet)


def model_subject(job: Job, sound: Tape, watch: Stopwatch) -> Subject:
    """The job's model, in the pipeline of `oido run`.

    Raises:
        ModelError: it cannot be loaded, or reads what this program does not compute.
    """
    (name,) = job.models
    model = load_model(name, directory=job.directory, runtime=job.runtime, threads=job.settings.threads)
    classifier = TimedClassifier(model, watch)
    decision = TimedDecision(rules(DecisionConfig(), model, "balanced"), watch)
    observations = listen(sound, classifier, decision)
    report = partial(
        ModelReport,
        name=model.sidecar.name,
        kind=model.sidecar.kind,
        sha256=model.sidecar.sha256,
        embedder_sha256=model.embedder.sidecar.sha256 if isinstance(model, SegmentModel) else None,
        runtime=model.runtime.description,
        front_end=fastest().name,
        hop_s=classifier.hop_s,
    )
    return Subject(
        report=report,
        hop_s=classifier.hop_s,
        context_s=classifier.context_s,
        fetch=lambda: sound.fetch(classifier.hop_s),
        answer=lambda: next(observations),
    )


def yamnet_subject(job: Job, sound: Tape, watch: Stopwatch) -> Subject:
    """Google's YAMNet: a waveform of 0.975 s in, the scores of 521 classes out.

    Raises:
        ModelError: its file cannot be read, or is another model's.
    """
    path = Path(job.yamnet or "")
    content = _read(path)
    runtime = open_runtime(path, content, "", job.runtime, job.settings.threads)
    blocks = sound.blocks()
    waiting = np.empty(0, np.float32)

    def fetch() -> None:
        nonlocal waiting
        heard = [waiting[HOP_SAMPLES:]]
        while sum(each.size for each in heard) < WINDOW_SAMPLES:
            heard.append(next(blocks).samples)
        waiting = np.concatenate(heard)

    hop_s = HOP_SAMPLES / SAMPLE_RATE
    report = partial(
        ModelReport,
        name="yamnet",
        kind=REFERENCE,
        sha256=hashlib.sha256(content).hexdigest(),
        embedder_sha256=None,
        runtime=runtime.description,
        front_end=None,
        hop_s=hop_s,
    )
    return Subject(
        report=report,
        hop_s=hop_s,
        context_s=WINDOW_SAMPLES / SAMPLE_RATE,
        fetch=fetch,
        answer=lambda: watch.time("yamnet", runtime.run, waiting[None, :WINDOW_SAMPLES]),
    )


def _check_yamnet(path: Path, job: Job) -> None:
    """See whether this is YAMNet.

    Raises:
        ModelError: it cannot be read, or is another model's.
    """
    content = _read(path)
    if path.suffix != ".tflite":
        raise ModelError(f"{path}: not YAMNet's TFLite file, whose name ends in .tflite")
    opened = open_runtime(path, content, "", job.runtime)
    try:
        scores = opened.run(np.zeros((1, WINDOW_SAMPLES), np.float32))
    except ModelError as error:
        raise ModelError(f"not Google's YAMNet, which reads {WINDOW_SAMPLES} samples: {error}") from error
    if scores.shape != (1, CLASSES):
        raise ModelError(f"{path}: not Google's YAMNet, which scores {CLASSES} classes, not {scores.shape[1]}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot read YAMNet: {error.strerror}") from error
