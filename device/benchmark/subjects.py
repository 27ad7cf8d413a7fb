"""What is measured: a model in the pipeline that runs live, and YAMNet as its authors publish it."""

import hashlib
from pathlib import Path
from typing import Protocol

import numpy as np

from device.benchmark.stages import Stopwatch, TimedClassifier, TimedDecision
from device.benchmark.tape import Tape
from device.configuration.settings import DecisionConfig
from device.errors import ModelError
from device.hearing.front_end.transforms import fastest
from device.hearing.models.loading import SegmentModel, load_model
from device.hearing.models.runtimes import TfliteName, open_runtime
from device.hearing.rules import rules
from device.pipeline import listen
from device.sound import SAMPLE_RATE

WINDOW_SAMPLES = 15_600
HOP_SAMPLES = 7_680
"""0.48 s, half of what YAMNet calls a patch: as often as Google's own code asks it."""

CLASSES = 521
"""github.com/tensorflow/models, research/audioset/yamnet."""


class Subject(Protocol):
    """Something that hears a tape and answers."""

    name: str
    kind: str
    sha256: str
    embedder_sha256: str | None
    runtime: str
    front_end: str | None
    hop_s: float
    context_s: float
    """How far back the sound goes that has a part in an answer."""

    def fetch(self) -> None:
        """Have the sound for the next answer at hand."""
        ...

    def answer(self) -> None:
        """Give it."""
        ...


class PipelineSubject:
    """An installed model, in the pipeline of `oido run`.

    Raises:
        ModelError: it cannot be loaded, or reads what this program does not compute.
    """

    def __init__(
        self, name: str, tape: Tape, watch: Stopwatch, *, directory: str | None, runtime: TfliteName, threads: int
    ) -> None:
        model = load_model(name, directory=directory, runtime=runtime, threads=threads)
        self.name = model.sidecar.name
        self.kind = model.sidecar.kind
        self.sha256 = model.sidecar.sha256
        self.embedder_sha256 = model.embedder.sidecar.sha256 if isinstance(model, SegmentModel) else None
        self.runtime = model.runtime.description
        self.front_end: str | None = fastest().name
        classifier = TimedClassifier(model, watch)
        self.hop_s, self.context_s = classifier.hop_s, classifier.context_s
        decision = TimedDecision(rules(DecisionConfig(), model, "balanced"), watch)
        self._observations = listen(tape, classifier, decision)
        self._tape = tape

    def fetch(self) -> None:
        """As `Subject.fetch`."""
        self._tape.fetch(self.hop_s)

    def answer(self) -> None:
        """As `Subject.answer`."""
        next(self._observations)


class YamnetSubject:
    """Google's YAMNet: a waveform of 0.975 s in, the scores of 521 classes out.

    Raises:
        ModelError: its file cannot be read, or is another model's.
    """

    name = "yamnet"
    kind = "reference"
    embedder_sha256: str | None = None
    front_end: str | None = None
    hop_s = HOP_SAMPLES / SAMPLE_RATE
    context_s = WINDOW_SAMPLES / SAMPLE_RATE

    def __init__(self, path: Path, tape: Tape, watch: Stopwatch, *, runtime: TfliteName, threads: int) -> None:
        content = _read(path)
        self.sha256 = hashlib.sha256(content).hexdigest()
        self._runtime = open_runtime(path, content, "", runtime, threads)
        self.runtime = self._runtime.description
        self._blocks = tape.blocks()
        self._watch = watch
        self._waiting = np.empty(0, np.float32)

    def fetch(self) -> None:
        """As `Subject.fetch`."""
        heard = [self._waiting[HOP_SAMPLES:]]
        while sum(each.size for each in heard) < WINDOW_SAMPLES:
            heard.append(next(self._blocks).samples)
        self._waiting = np.concatenate(heard)

    def answer(self) -> None:
        """As `Subject.answer`."""
        self._watch.time("yamnet", self._runtime.run, self._waiting[None, :WINDOW_SAMPLES])


def check_yamnet(path: Path, *, runtime: TfliteName) -> None:
    """See whether this is YAMNet.

    Raises:
        ModelError: it cannot be read, or is another model's.
    """
    content = _read(path)
    if path.suffix != ".tflite":
        raise ModelError(f"{path}: not YAMNet's TFLite file, whose name ends in .tflite")
    opened = open_runtime(path, content, "", runtime)
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
