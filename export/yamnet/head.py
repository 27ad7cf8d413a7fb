"""Our head on YAMNet: one weighted sum over a patch's 1024 values, and a sigmoid.

It learns from the training packages in every variation: as they are, at other levels, in rooms, mixed with speech.
The columns are not standardised: on the device all of them share one int8 step, so a column that hardly moves
carries hardly any information. The penalty keeps the head from relying on such columns.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from device.sound import FloatArray
from export.embeddings.segments import Segments
from export.estimators.choosing import Fold, Setting, choose, folds
from export.evaluation.metrics import FloatVector, Groups, Labels, package_weights
from export.whole_file import write_arrays

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression
from export.yamnet.network import Head

PENALTIES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
"""L2, beside the mean loss of a patch: what is chosen from."""

THINNED = 3
"""While the penalty is chosen, only every n-th patch of a segment is used: its neighbours say nearly the same."""

MOST_STEPS = 300


@dataclass(frozen=True, slots=True)
class Patches:
    """What it learns from, a row a patch."""

    embeddings: FloatArray
    """(n, size)."""
    music: Labels
    package: Groups

    @classmethod
    def of(cls, segments: Segments, *, every: int = 1) -> Self:
        """Every patch of segments, or every n-th; each has the label of its segment."""
        chosen = segments.sequences[:, ::every]
        count = chosen.shape[1]
        return cls(
            chosen.reshape(-1, chosen.shape[-1]),
            np.repeat(segments.music, count),
            np.repeat(segments.package, count),
        )


@dataclass(frozen=True, slots=True)
class FittedHead:
    """A head, and how it came about."""

    head: Head
    """One column: music."""
    parameters: dict[str, Any]
    """For the sidecar."""

    def save(self, path: Path) -> None:
        """Write it whole or not at all."""
        text = np.array(json.dumps(self.parameters))
        write_arrays(path, {"kernel": self.head.kernel, "bias": self.head.bias, "parameters": text})

    @classmethod
    def load(cls, path: Path) -> Self:
        """What `save` wrote."""
        with np.load(path) as stored:
            return cls(Head(stored["kernel"], stored["bias"]), json.loads(str(stored["parameters"])))


def fit(segments: Segments, *, seed: int, penalties: Sequence[float] = PENALTIES) -> FittedHead:
    """Choose the penalty by leaving packages out, then learn from all patches of the training segments.

    Raises:
        ExportError: music, or no music, is of a single family of packages.
    """
    few = Patches.of(segments, every=THINNED)
    weight = package_weights(few)

    def score(setting: Setting, fold: Fold) -> FloatVector:
        inside = few.embeddings[fold.inside]
        model = _learnt(inside, few.music[fold.inside], fold.weight, penalty=setting["penalty"])
        odds: FloatVector = model.decision_function(few.embeddings[fold.outside])
        return odds

    # The strongest first: of equally good ones it is the simplest. The loss falls at first, then rises.
    settings = [{"penalty": penalty} for penalty in sorted(penalties, reverse=True)]
    deal = folds(few.music, weight, few.package, seed=seed)
    choice = choose(settings, score, deal, y=few.music, weight=weight, patience=1)
    everything = Patches.of(segments)
    model = _learnt(
        everything.embeddings,
        everything.music,
        package_weights(everything),
        penalty=choice.best.setting["penalty"],
    )
    head = Head(model.coef_.T.astype(np.float32), model.intercept_.astype(np.float32))
    return FittedHead(head, {**choice.document, "patches": len(everything.music)})


def _learnt(x: FloatArray, y: Labels, weight: FloatVector, *, penalty: float) -> "LogisticRegression":
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - an extra

    # scikit-learn sums the losses; our penalty stands beside their mean.
    c = 1 / (penalty * float(weight.sum()))
    return LogisticRegression(C=c, max_iter=MOST_STEPS).fit(x, y, sample_weight=weight)
