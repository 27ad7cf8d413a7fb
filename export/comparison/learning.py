"""How much better a row gets with more training packages."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from export.comparison.fits import Fits
from export.comparison.running import Material, tuned
from export.embeddings.segments import Segments
from export.errors import ExportError
from export.estimators.base import Estimator
from export.estimators.families import families_of
from export.evaluation.metrics import f1
from export.progress import Progress

PARTS = (0.125, 0.25, 0.5, 1.0)
"""Of the families of training packages."""

DRAWS = 3
"""Choices of packages for each part; of all there is one."""

_FEWEST = 2
"""Families of each label that cross-validation needs."""


@dataclass(frozen=True, slots=True)
class Point:
    """One fit."""

    packages: int
    f1: float
    """On the evaluated split, all sounds together, at a threshold tuned on validation."""


def curve(
    estimator: Estimator, material: Material, fits: Fits, *, seed: int, parts: Sequence[float] = PARTS
) -> list[Point]:
    """Fit with few packages, with more, with all; hyperparameters are chosen anew each time.

    The seed is that of the choice of packages; `parts` are shares of their families.
    """
    tasks = [(part, draw) for part in parts for draw in range(DRAWS if part < 1 else 1)]
    found = []
    with Progress(total=len(tasks), unit="fit") as progress:
        for part, draw in tasks:
            training = some(material.training, part, np.random.default_rng([seed, draw]))
            fit = fits.fit(estimator, training, feature=material.feature.name, checked=material.evaluated)
            threshold, _ = tuned(fit, estimator, material.validation)
            decided = fit.file.probability(material.evaluated.read(estimator.reads)) >= threshold
            packages = len(np.unique(training.package))
            found.append(Point(packages, f1(material.evaluated.music, decided)))
            progress.step(f"{material.feature.name} + {estimator.name} from {packages} packages")
    return found


def some(training: Segments, part: float, generator: np.random.Generator) -> Segments:
    """The rows of a part of the families, drawn by chance; two of each label at least.

    Raises:
        ExportError: there are no two families of a label.
    """
    if part >= 1:
        return training
    families = families_of(training.package)
    order = [str(name) for name in generator.permutation(np.unique(families))]
    chosen = order[: round(part * len(order))]
    for label in (0, 1):
        holders = {str(name) for name in families[training.music == label]}
        if len(holders) < _FEWEST:
            raise ExportError("a learning curve needs two families of packages of music, and two of no music")
        lacking = _FEWEST - len(holders.intersection(chosen))
        chosen += [name for name in order if name in holders and name not in chosen][: max(0, lacking)]
    return training.where(np.isin(families, chosen))
