"""Real, small stand-ins for models and publishers, and sounds to hear; see fakes.py for sources."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np

from device.hearing.models.sidecar import Calibration, Sidecar, front_end_document
from device.hearing.statistics.statistics import NAMES, VERSION
from device.publishing.message import Message
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
            "front_end": front_end_document(),
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


class FakeModel:
    """Answers from a script, one probability a call; the last one for ever after.

    Args:
        script: probabilities of music.
        window_patches: what an answer looks back on.
    """

    def __init__(self, script: Sequence[float] = (0.0,), *, window_patches: int = 1) -> None:
        self.sidecar = sidecar_of(window_patches=window_patches)
        self.calls = 0
        self._script = tuple(script)

    def probability(self, features: FloatArray) -> FloatArray:
        """The script's next line, whatever the features, (1, n), are."""
        assert features.shape == (1, len(NAMES))
        answer = self._script[min(self.calls, len(self._script) - 1)]
        self.calls += 1
        return np.array([answer], np.float32)


class RecordingPublisher:
    """Keeps every message in order, and lets a test wait for one."""

    queued_events = 0
    dropped_events = 0
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
                lambda: sum(part in payload for payload in self.payloads(leaf)) >= times, timeout=20
            )

    def drain(self, timeout_s: float) -> bool:
        """Nothing ever waits."""
        self.drained.append(timeout_s)
        return True

    def close(self) -> None:
        """Nothing to close."""

    def __enter__(self) -> Self:
        """Nothing to start."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close."""


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
