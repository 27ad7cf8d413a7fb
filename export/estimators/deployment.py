"""The networks that become TFLite files: what the sidecar of each says, and where that is known from."""

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
    """One kind of network."""

    name: str
    kind: str
    """As `device.hearing.models.inputs` has them."""
    examples: str
    """Name of the array in `representative.npz`."""
    labels: tuple[str, ...]
    """Columns of its scores, music first."""
    embedding: int = EMBEDDING
    """Values in its embedding, if it is of kind `patch`."""
    temperature: float = 1.0
    """What the logits of its scores are divided by; calibration makes up for it."""
    logit_step: float | None = None
    """What a step of these is worth; None: as measured."""

    def score(self, converted: Converted) -> Tensor:
        """The output with its scores.

        Raises:
            ExportError: there is none.
        """
        return converted.output_of_size(len(self.labels))

    def predict(self, trained: Any, features: FloatArray) -> FloatArray:
        """The scores of the Keras network, (n, labels)."""
        said = trained.predict(features, verbose=0)
        outputs = said.values() if isinstance(said, Mapping) else said if isinstance(said, list) else [said]
        scores: FloatArray = next(each for each in outputs if each.shape[1:] == (len(self.labels),))
        return scores

    def softened(self, trained: Any) -> Any:
        """The Keras network, its logits divided by `temperature`: changed in place.

        Raises:
            ExportError: its scores do not come from a layer of that name.
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
        """Read it as the device does.

        Raises:
            ModelError: the device would refuse it.
        """
        (PatchInput if self.kind == "patch" else SegmentInput).read(sidecar)

    def inputs(self, converted: Converted, folder: Path, *, trained_on: str | None = None) -> dict[str, Any]:
        """What the sidecar's `input` says as long as nothing is fitted: the newest patch or segment is the answer.

        Args:
            converted: the network.
            folder: where the sidecar goes, and where that of the embedder is.
            trained_on: SHA-256 of the embedder whose embeddings it learned from, where that is known.

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
"""Runtimes round its products of activations each in its own way. In the end that is a step of the logit at most:
of 1/32, it is at most two of the score, whose slope is 1/4 and whose steps are 1/256. 1/32 reaches from -4 to 4,
and with the temperature as far as from -8 to 8."""

NETWORKS = {network.name: network for network in (EMBEDDER, ATTENTION)}


def _embedder_checksum(folder: Path, trained_on: str | None) -> str:
    """Of the embedder in a folder, which must be the one that made the segments."""
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
    """What is known only of a converted network's own answers; until then, nothing is calibrated."""

    calibration: Calibration = field(default_factory=Calibration)
    thresholds: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(MODES, 0.5))
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """Those of `device.hearing.models.inputs` that say how scores become an answer."""
    decision: Mapping[str, float] | None = None
    training_data: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)

    @property
    def calibrated(self) -> bool:
        """Whether anything was fitted yet."""
        return self.calibration.method != "none"

    @classmethod
    def read(cls, path: Path, *, sha256: str) -> Self:
        """From a JSON object with parts of a sidecar.

        `calibration` and `thresholds`; where there is more to say, `input`, `decision`, `training_data` and
        `metrics`; and `sha256` of the file it was all fitted on.

        Args:
            path: the file.
            sha256: of the converted network.

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
        """From such an object, or a whole sidecar."""
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
        """What a sidecar already says of the same file; None if it speaks of another, or is not there."""
        try:
            there = Sidecar.read(sidecar)
        except ModelError:
            return None
        return cls.of(there.document) if there.sha256 == sha256 else None
