"""Real, small stand-ins for models and publishers, and sounds to hear; see fakes.py for sources."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from waiting import DEADLINE_S

from device.hearing.front_end.features import LOG_MEL
from device.hearing.models.inputs import StatisticsInput
from device.hearing.models.loading import Model, StatisticsModel
from device.hearing.models.runtimes import Runtime
from device.hearing.models.sidecar import Calibration, Sidecar
from device.hearing.statistics.statistics import NAMES, VERSION
from device.publishing.message import Message
from device.publishing.publisher import Publisher
from device.sound import SAMPLE_RATE, FloatArray

THRESHOLDS = {"balanced": 0.5, "precision": 0.9, "recall": 0.1}


def sidecar_document(**changes: Any) -> dict[str, Any]:
    """A complete sidecar; the keywords replace whole keys."""
    document: dict[str, Any] = {
        "schema_version": 1,
        "name": "fake",
        "kind": "statistics",
        "file": "fake.onnx",
        "sha256": "0" * 64,
        "input": {
            "front_end": asdict(LOG_MEL),
            "window_patches": 1,
            "statistics_version": VERSION,
            "features": list(NAMES),
        },
        "output": {"name": "probabilities", "labels": ["no_music", "music"]},
        "calibration": {"method": "none"},
        "thresholds": dict(THRESHOLDS),
    }
    return document | changes


def sidecar_of(*, window_patches: int = 1, thresholds: Mapping[str, float] | None = None) -> Sidecar:
    """The description of a model that is nowhere on disk."""
    document = sidecar_document()
    document["input"]["window_patches"] = window_patches
    return Sidecar(
        name="fake",
        kind="statistics",
        file="fake.onnx",
        sha256="0" * 64,
        input=document["input"],
        output="probabilities",
        labels=("no_music", "music"),
        calibration=Calibration(),
        thresholds=dict(thresholds or THRESHOLDS),
        document=document,
    )


class FakeRuntime(Runtime):
    """Keeps the rows that it is given, and answers each as a function says.

    Args:
        judge: a row's outputs.
    """

    description = "fake"

    def __init__(self, judge: Callable[[FloatArray], Sequence[float | FloatArray]]) -> None:
        self.given: list[FloatArray] = []
        self._judge = judge

    def run_all(self, features: FloatArray) -> Sequence[FloatArray]:
        """Each output, (n, size)."""
        self.given.extend(features.copy())
        rows = [self._judge(row) for row in features]
        return [np.array(output, np.float32).reshape(len(rows), -1) for output in zip(*rows, strict=True)]


def given(model: Model) -> list[FloatArray]:
    """The rows that a model with a `FakeRuntime` was given."""
    assert isinstance(model.runtime, FakeRuntime)
    return model.runtime.given


def fake_model(script: Iterable[float] = (0.0,), *, window_patches: int = 1) -> StatisticsModel:
    """A model that answers from a script, one probability a call; the last one for ever after.

    Args:
        script: probabilities of music.
        window_patches: what an answer looks back on.
    """
    answers = iter(script)
    latest = 0.0

    def judge(row: FloatArray) -> list[float]:
        nonlocal latest
        assert row.shape == (len(NAMES),)
        latest = next(answers, latest)
        return [latest]

    sidecar = sidecar_of(window_patches=window_patches)
    return StatisticsModel(sidecar, FakeRuntime(judge), StatisticsInput(window_patches))


class RecordingPublisher(Publisher):
    """Keeps every message in order, and lets a test wait for one."""

    ended = False

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.drained: list[float] = []
        self._changed = threading.Condition()

    def publish(self, message: Message) -> None:
        """Keep it."""
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()

    def payloads(self, leaf: str) -> list[str]:
        """Payloads of the topics that end in `/leaf`, in order."""
        return [message.payload for message in tuple(self.messages) if message.topic.endswith(f"/{leaf}")]

    def wait_for(self, leaf: str, part: str, *, times: int = 1) -> bool:
        """Wait until payloads of `/leaf` have held `part` so often; False if that never came."""
        with self._changed:
            return self._changed.wait_for(
                lambda: sum(part in payload for payload in self.payloads(leaf)) >= times, timeout=DEADLINE_S
            )

    def drain(self, timeout_s: float) -> bool:
        """Nothing ever waits."""
        self.drained.append(timeout_s)
        return True


def time_axis(seconds: float) -> FloatArray:
    """(n,) seconds of every sample."""
    return (np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE).astype(np.float32)


def noise(seconds: float, *, level_dbfs: float = -20.0, seed: int = 0) -> FloatArray:
    """White noise at an RMS level."""
    sound = np.random.default_rng(seed).standard_normal(round(seconds * SAMPLE_RATE)) * 10 ** (level_dbfs / 20)
    return np.clip(sound, -1, 1).astype(np.float32)


def chord(seconds: float, *, frequencies_hz: Iterable[float] = (261.63, 329.63, 392.0, 523.25)) -> FloatArray:
    """A held chord with a few harmonics each, at about -15 dBFS."""
    time_s = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    sound = np.zeros_like(time_s)
    for frequency_hz in frequencies_hz:
        for harmonic in range(1, 5):
            sound += np.sin(2 * np.pi * frequency_hz * harmonic * time_s) / harmonic
    return (sound * (0.25 / np.std(sound)) * 0.7).astype(np.float32)


def clicks(seconds: float, times_s: Iterable[float], *, seed: int = 0) -> FloatArray:
    """Short bursts of noise at the given times, over a faint hiss."""
    generator = np.random.default_rng(seed)
    sound = 1e-3 * generator.standard_normal(round(seconds * SAMPLE_RATE))
    burst = np.exp(-np.arange(800) / 150)
    for at_s in times_s:
        at = round(at_s * SAMPLE_RATE)
        stretch = sound[at : at + len(burst)]
        stretch += 0.5 * (generator.standard_normal(len(burst)) * burst)[: len(stretch)]
    return np.clip(sound, -1, 1).astype(np.float32)


def scene(seconds: float) -> FloatArray:
    """A third of noise, a third of chords in rhythm, a third of noise that syllables shape."""
    third = seconds / 3
    time_s = time_axis(third)
    changes = [
        chord(0.5, frequencies_hz=[step * 261.63 for step in steps])
        for steps in ((1, 1.26, 1.5), (1.12, 1.33, 1.68), (1.5, 1.89, 2.24), (1, 1.26, 1.5))
    ]
    rhythm = np.concatenate(changes * (1 + round(third / 2)))[: len(time_s)] * np.exp(-3 * (time_s % 0.5))
    babble = noise(third, seed=2) * (0.5 + 0.5 * np.sin(2 * np.pi * 4 * time_s))
    parts = (noise(third, level_dbfs=-40, seed=1), rhythm, babble)
    return np.concatenate(parts).astype(np.float32)
