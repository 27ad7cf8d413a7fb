"""A seeded course of training steps, which can be stopped at any time and continued."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.errors import ExportError
from export.whole_file import whole_file, write_arrays


@dataclass(frozen=True, slots=True)
class Course:
    """How long and how fast to learn."""

    steps: int
    batch: int
    peak_rate: float
    warm_up: int = 300
    """Steps."""
    average: float = 0.998
    """Momentum of the moving average of the weights, which is kept: it has less noise than the last step."""
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
        settings: whatever must be the same to go on, ready for JSON.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self._folder = folder
        self._settings = json.loads(json.dumps(dict(settings)))
        self._state = folder / "state.json"
        folder.mkdir(parents=True, exist_ok=True)

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
        write_arrays(path, arrays)
        with whole_file(self._state) as part:
            part.write_text(json.dumps({"course": self._settings, "step": step}))
        for other in self._folder.glob("step-*.npz"):
            if other != path:
                other.unlink()
        with (self._folder / "figures.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps({"step": step, **figures}) + "\n")
