"""How a network is trained here: a seeded course of steps that can be stopped at any time and gone on with."""

import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.errors import ExportError


@dataclass(frozen=True, slots=True)
class Course:
    """How long and how fast to learn."""

    steps: int
    batch: int
    peak_rate: float
    warm_up: int = 300
    """Steps."""
    average: float = 0.998
    """The weights that are kept are a moving average with this momentum: less noise than the last step's."""
    weight_decay: float = 1e-4
    save_every: int = 500
    """Steps."""
    seed: int = 1

    def rate(self, step: int) -> float:
        """Learning rate: a straight warm-up, then a cosine to nothing (Loshchilov and Hutter 2017)."""
        if step < self.warm_up:
            return self.peak_rate * (step + 1) / self.warm_up
        done = (step - self.warm_up) / max(1, self.steps - self.warm_up)
        return 0.5 * self.peak_rate * (1 + math.cos(math.pi * min(1.0, done)))


class Record:
    """What is saved of a course: weights, optimiser, step, and a line of figures each time.

    Args:
        folder: of this course alone; made where it is missing.
        settings: whatever must be the same to go on; as JSON has it.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self._folder = folder
        self._settings = json.loads(json.dumps(dict(settings)))
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def _state(self) -> Path:
        return self._folder / "state.json"

    def resume(self, model: Any, optimizer: Any) -> int:
        """Load what was saved last.

        Returns:
            The step to go on from; 0 at the beginning.

        Raises:
            ExportError: the folder holds a course with other settings.
        """
        if not self._state.exists():
            return 0
        state = json.loads(self._state.read_text())
        saved = state["course"]
        if saved != self._settings:
            keys = self._settings.keys() | saved.keys()
            different = sorted(key for key in keys if saved.get(key) != self._settings.get(key))
            raise ExportError(
                f"{self._folder} holds a training with other settings ({', '.join(different)}); "
                "delete it, or choose another --cache"
            )
        step = int(state["step"])
        with np.load(self._folder / f"step-{step}.npz") as arrays:
            for i, variable in enumerate(model.variables):
                variable.assign(arrays[f"model_{i}"])
            for i, variable in enumerate(optimizer.variables):
                variable.assign(arrays[f"optimizer_{i}"])
        return step

    def save(self, step: int, model: Any, optimizer: Any, figures: dict[str, float]) -> None:
        """Everything needed to go on, the pointer to it last; what was saved before goes."""
        arrays = {f"model_{i}": variable.numpy() for i, variable in enumerate(model.variables)}
        arrays |= {f"optimizer_{i}": variable.numpy() for i, variable in enumerate(optimizer.variables)}
        path = self._folder / f"step-{step}.npz"
        np.savez(path, allow_pickle=False, **arrays)
        half_written = self._state.with_suffix(".part")
        half_written.write_text(json.dumps({"course": self._settings, "step": step}))
        half_written.replace(self._state)
        for other in self._folder.glob("step-*.npz"):
            if other != path:
                other.unlink()
        with (self._folder / "figures.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps({"step": step, **figures}) + "\n")


@dataclass(slots=True)
class Pace:
    """How long it will still take."""

    began: float
    since: int

    @classmethod
    def start(cls, step: int) -> "Pace":
        """Begin to measure."""
        return cls(time.monotonic(), step)

    def minutes_left(self, step: int, steps: int) -> float:
        """At the pace so far."""
        return (time.monotonic() - self.began) / max(1, step - self.since) * (steps - step) / 60


def in_batches(features: np.ndarray, size: int = 256) -> Iterator[np.ndarray]:
    """Pieces of at most so many rows."""
    for begin in range(0, len(features), size):
        yield features[begin : begin + size]
