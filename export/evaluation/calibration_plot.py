"""What a threshold costs, and how much the probabilities are worth, in one picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from device.sound import FloatArray
from export.evaluation.calibration import Operating

BINS = 10


def draw(
    path: Path,
    truth: npt.NDArray[np.int8],
    probability: FloatArray,
    points: Sequence[Operating],
    thresholds: Mapping[str, float],
) -> Path:
    """Precision, recall and F1 over the threshold on the left, the reliability diagram on the right.

    Args:
        path: of the PNG.
        truth: (n,) 1 for music.
        probability: (n,) calibrated.
        points: what each threshold gives.
        thresholds: those that were chosen, by mode.
    """
    with mpl.rc_context({"font.size": 9}):
        figure = Figure(figsize=(10, 4.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        at = [point.threshold for point in points]
        for name in ("precision", "recall", "f1"):
            left.plot(at, [getattr(point, name) for point in points], label=name)
        for mode, threshold in thresholds.items():
            left.axvline(threshold, color="0.6", linestyle=":")
            left.text(threshold, 0.51, mode, rotation=90, va="bottom", ha="right", color="0.4")
        left.set(xlabel="threshold", ylim=(0.5, 1.0), xlim=(0, 1), title="What a threshold gives (validation)")
        left.legend(loc="lower center")
        bins = np.minimum((probability * BINS).astype(int), BINS - 1)
        counts = np.bincount(bins, minlength=BINS)
        filled = counts > 0
        said = np.bincount(bins, probability, BINS)[filled] / counts[filled]
        was = np.bincount(bins, truth, BINS)[filled] / counts[filled]
        right.plot((0, 1), (0, 1), color="0.7")
        right.plot(said, was, marker="o")
        right.set(xlabel="probability said", ylabel="share that was music", title="Reliability (validation)")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=120)
    return path
