"""YAMNet with a head, as the files that the device runs: each step in a process of its own, and kept.

TensorFlow stays in those processes: sound is heard by processes forked from the main one, which is safe only as
long as that has no threads.
"""

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from device.hearing.models.sidecar import MODES, Calibration
from export.convert import sidecar
from export.convert.tflite import Converted, convert, convert_float
from export.corpus.audioset import MUSIC_CLASS
from export.corpus.dataset import load_corpus
from export.embeddings.base import Extractor
from export.embeddings.feature import Origin
from export.embeddings.ours import OursExtractor
from export.embeddings.windows import sample
from export.estimators.deployment import Deployment
from export.workers import run_all
from export.yamnet.extractor import YamnetExtractor
from export.yamnet.network import EMBEDDING, Head

YAMNET = Deployment("yamnet", "patch", "patches", ("music",), embedding=EMBEDDING)

WINDOWS = 250
"""Of each label, of the training packages, each at a level of its own: for the int8 ranges."""

RECENT_PATCHES = 3
"""An answer is the mean of this many, as with YAMNet as published (official.py): 1.9 s."""

OUTPUTS = ("embedding", "scores")

Precision = Literal["int8", "float32"]


@dataclass(frozen=True, slots=True)
class YamnetRecipe:
    """What determines a network; it can be sent to another process."""

    yamnet: Path
    """Google's file."""
    corpus: Path
    """The corpus's folder, for real features."""
    seed: int
    """Of the choice of those."""
    head: Head | None = None
    """None: Google's own, for `Music`."""

    def make(self, precision: Precision) -> Converted:
        """Convert; needs TensorFlow.

        Args:
            precision: `float32` is the network as published, to compare with; `int8` is scaled first so that
                little is lost,
                see `export.yamnet.int8`.

        Raises:
            ExportError: TensorFlow is not installed, the weights are another network's, or the corpus lacks
                training packages.
        """
        yamnet = YamnetExtractor(self.yamnet)
        head = self.head or yamnet.head.only([MUSIC_CLASS])
        if precision == "float32":
            return convert_float(yamnet.network(head), outputs=OUTPUTS)
        windows = sample(load_corpus(self.corpus), split="train", count=WINDOWS, seed=self.seed)
        patches = windows.patches(seed=self.seed)
        return convert(yamnet.network(head, representative=patches), patches, outputs=OUTPUTS)


@dataclass(frozen=True, slots=True)
class DeployedYamnet:
    """The extractor of a converted network: embeddings as the device will have them, int8's noise included."""

    model: Path
    """Its sidecar."""
    name: str = "yamnet-int8"
    origin: Origin = "published"

    def open(self) -> Extractor:
        """Load it."""
        return OursExtractor(str(self.model))


def made(recipe: YamnetRecipe, precision: Precision, folder: Path, *, training_data: dict[str, Any]) -> Path:
    """The sidecar of the network in a folder of its own, not calibrated; converted unless it is there."""
    path = folder / f"{YAMNET.name}.json"
    if not path.exists():
        convert_it = partial(_convert, precision=precision, folder=folder, training_data=training_data)
        head = "Google's head" if recipe.head is None else "our head"
        run_all(
            convert_it,
            [recipe],
            jobs=1,
            unit="network",
            describe=lambda _, size: f"converted YAMNet with {head} to {precision}: {size // 1024} KB",
        )
    return path


def _convert(recipe: YamnetRecipe, precision: Precision, folder: Path, training_data: dict[str, Any]) -> int:
    """Write the model; its size in bytes."""
    converted = recipe.make(precision)
    inputs = YAMNET.inputs(converted, folder) | {"recent_patches": RECENT_PATCHES}
    sidecar.write(
        folder,
        name=YAMNET.name,
        kind=YAMNET.kind,
        suffix=".tflite",
        content=converted.content,
        output=YAMNET.score(converted).name,
        inputs=inputs,
        labels=YAMNET.labels,
        calibration=Calibration(),
        thresholds=dict.fromkeys(MODES, 0.5),
        training_data=training_data,
        metrics={},
        quantisation=converted.quantisation,
    )
    return len(converted.content)


def fingerprint(recipe: YamnetRecipe, *further: object) -> str:
    """Twelve digits that change with the weights and whatever else is given.

    Raises:
        ExportError: the weights are missing, damaged or another network's.
    """
    stated = (YamnetExtractor(recipe.yamnet).version, recipe.seed, WINDOWS, RECENT_PATCHES, *further)
    return hashlib.sha256(repr(stated).encode()).hexdigest()[:12]
