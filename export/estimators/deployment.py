"""The networks that are deployed as TFLite files: what the sidecar of each says, and where that comes from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, get_args

from device.errors import ModelError
from device.hearing.front_end.features import PATCH_FRAMES
from device.hearing.models.inputs import HOP_FRAMES, PatchInput, SegmentInput
from device.hearing.models.sidecar import MODES, Calibration, CalibrationMethod, Sidecar
from device.sound import FloatArray
from export.convert.tflite import Converted, Tensor
from export.errors import ExportError
from export.estimators.embedder import EMBEDDING
from export.evaluation.hearing import SEGMENT_PATCHES

_FITTED_INPUTS = ("recent_patches", "recent_weight", "segment_every", "quick_patches", "quick_discount")


@dataclass(frozen=True, slots=True)
class Deployment:
    """How one of our networks is deployed."""

    name: str
    kind: str
    """Of the model: `patch` or `segment`."""
    examples: str
    """Name of its array in `representative.npz`."""
    labels: tuple[str, ...]
    """Columns of its scores, music first."""
    embedding: int = EMBEDDING
    """Values in its embedding, if its kind is `patch`."""
    temperature: float = 1.0
    """The logits of its scores are divided by it; calibration makes up for that."""
    logit_step: float | None = None
    """Size of an int8 step of these logits; None: as measured."""

    def score(self, converted: Converted) -> Tensor:
        """The output with its scores. Raises an ExportError if there is none."""
        return converted.output_of_size(len(self.labels))

    def predict(self, trained: Any, features: FloatArray) -> FloatArray:
        """The scores of the Keras network, (n, labels)."""
        found = trained.predict(features, verbose=0)
        outputs = found.values() if isinstance(found, Mapping) else found if isinstance(found, list) else [found]
        scores: FloatArray = next(each for each in outputs if each.shape[1:] == (len(self.labels),))
        return scores

    def softened(self, trained: Any) -> Any:
        """The Keras network, with logits divided by `temperature` in place.

        Raises:
            ExportError: no layer is called as its label.
        """
        if self.temperature != 1:
            (name,) = self.labels
            try:
                layer = trained.get_layer(name)
            except ValueError as error:
                raise ExportError(f"the network has no layer {name!r} that gives its scores") from error
            layer.set_weights([weights / self.temperature for weights in layer.get_weights()])
        return trained

    def check(self, sidecar: Sidecar) -> None:
        """Read it as the device does. Raises a ModelError if the device would refuse it."""
        (PatchInput if self.kind == "patch" else SegmentInput).read(sidecar)

    def inputs(self, converted: Converted, folder: Path, *, trained_on: str | None = None) -> dict[str, Any]:
        """The sidecar's `input` before anything is fitted: the newest patch or segment is the answer.

        The embedder is looked for in the folder, and must have the SHA-256 `trained_on` where that is known.

        Raises:
            ExportError: an output or the embedder is missing, or the embedder is another.
        """
        stated: dict[str, Any] = {"patch_frames": PATCH_FRAMES, "hop_frames": HOP_FRAMES, "recent_patches": 1}
        if self.kind == "patch":
            embedding = converted.output_of_size(self.embedding)
            return stated | {"embedding": {"name": embedding.name, "size": self.embedding}}
        return stated | {
            "segment_patches": SEGMENT_PATCHES,
            "recent_weight": 0.0,
            "segment_every": 1,
            "quick_patches": 0,
            "quick_discount": 0.0,
            "embedder": {"name": EMBEDDER.name, "sha256": _embedder_checksum(folder, trained_on)},
        }


EMBEDDER = Deployment("embedder", "patch", "patches", ("music", "speech"))
ATTENTION = Deployment("attention", "segment", "segments", ("music",), temperature=2.0, logit_step=1 / 32)
"""Each runtime rounds products of activations in its own way, which changes the logit by one step at most. A step
of 1/32 changes the score by two steps at most: its slope is 1/4, and its steps are 1/256. Steps of 1/32 reach from
-4 to 4, and with the temperature from -8 to 8."""

NETWORKS = {network.name: network for network in (EMBEDDER, ATTENTION)}


def _embedder_checksum(folder: Path, trained_on: str | None) -> str:
    """SHA-256 of the embedder in a folder, which must be the one that made the segments."""
    path = folder / f"{EMBEDDER.name}.json"
    try:
        there = Sidecar.read(path).sha256
    except ModelError as error:
        raise ExportError(f"{error}; run oido-export convert {EMBEDDER.name} first") from error
    if trained_on not in (None, there):
        raise ExportError(
            f"{path}: its model has SHA-256 {there[:12]}..., but this network learned from the embeddings of "
            f"{trained_on[:12]}...; oido-export train attention again"
        )
    return there


@dataclass(frozen=True, slots=True)
class FittedParameters:
    """What is fitted on the answers of a converted network; the default is uncalibrated."""

    calibration: Calibration = field(default_factory=Calibration)
    thresholds: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(MODES, 0.5))
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """Those of the sidecar's `input` that say how scores become an answer."""
    decision: Mapping[str, float] | None = None
    training_data: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)

    @property
    def calibrated(self) -> bool:
        """Whether there is a calibration."""
        return self.calibration.method != "none"

    @classmethod
    def read(cls, path: Path, *, sha256: str) -> Self:
        """From a JSON file with parts of a sidecar, fitted on the network with this SHA-256.

        It has `calibration` and `thresholds`, and may have `input`, `decision`, `training_data`, `metrics`, and
        `sha256` of the network.

        Raises:
            ExportError: it cannot be read, or was fitted on another file.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            fitted = cls.of(document)
        except OSError as error:
            raise ExportError(f"{path}: cannot read the calibration: {error.strerror}") from error
        except KeyError as error:
            raise ExportError(f"{path}: the calibration lacks {error}") from error
        except (ValueError, TypeError, AttributeError) as error:
            raise ExportError(f"{path}: the calibration is malformed: {error}") from error
        if document.get("sha256", sha256) != sha256:
            raise ExportError(
                f"{path}: fitted on the file with SHA-256 {document['sha256'][:12]}..., but converting gives "
                f"{sha256[:12]}...: delete it, and calibrate again"
            )
        return fitted

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """From the content of such a file, or from a whole sidecar."""
        stated = document["calibration"]
        if stated["method"] not in get_args(CalibrationMethod):
            raise ValueError(f"its method is {stated['method']!r}")
        parameters: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else float(value)
            for key, value in stated.get("parameters", {}).items()
        }
        inputs = document.get("input", {})
        return cls(
            calibration=Calibration(method=stated["method"], **parameters),
            thresholds={mode: float(document["thresholds"][mode]) for mode in MODES},
            inputs={key: inputs[key] for key in _FITTED_INPUTS if key in inputs},
            decision=document.get("decision"),
            training_data=dict(document.get("training_data", {})),
            metrics=dict(document.get("metrics", {})),
        )

    @classmethod
    def kept(cls, sidecar: Path, *, sha256: str) -> Self | None:
        """What a sidecar says of the network with this SHA-256; None if it describes another, or is missing."""
        try:
            there = Sidecar.read(sidecar)
        except ModelError:
            return None
        return cls.of(there.document) if there.sha256 == sha256 else None
