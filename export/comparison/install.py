"""Rows of the comparison as models of the device, each chosen there by its name: FEATURE-HEAD.

Only rows whose embeddings the device can make: our embedder's, YAMNet's where a `yamnet` is installed, and the
statistics. Only the head speaks: the device says what the comparison said of the same segment, calibrated.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from device.errors import UnknownModelError
from device.hearing.classifier import Classifier
from device.hearing.front_end.features import PATCH_FRAMES
from device.hearing.hearings import STRIDE, SURE
from device.hearing.models.inputs import HOP_FRAMES, STATISTICS, PatchInput
from device.hearing.models.loading import find_model, load_model
from device.hearing.models.sidecar import Sidecar
from device.hearing.statistics.statistics import NAMES, VERSION, WINDOW_PATCHES
from export.comparison.rows import Judged
from export.comparison.running import Material
from export.convert.sidecar import write
from export.embeddings.segments import Segments
from export.errors import ExportError
from export.estimators.base import Estimator, Labels, ModelFile, Reads
from export.estimators.parity import said
from export.evaluation.calibration import mode_thresholds
from export.evaluation.hearing import SEGMENT_PATCHES
from export.evaluation.metrics import FloatVector, package_weights, platt
from export.evaluation.results import rounded

EMBEDDERS: Mapping[str, str] = {"ours": "embedder", "yamnet": "yamnet"}
"""Which model of the device makes a feature's embeddings."""

CEPSTRAL = "cepstral"
"""The feature that the device computes without any model."""


@dataclass(frozen=True, slots=True)
class Installable:
    """A row, with what its description is made of."""

    judged: Judged
    material: Material
    reads: Reads
    """Pooled segments or sequences, as its estimator."""

    @property
    def name(self) -> str:
        """Of the model."""
        return f"{self.judged.row.feature}-{self.judged.row.head}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """A folder of models, and what all of these have in common."""

    folder: Path
    corpus: str
    """Version of the corpus that they learnt from."""
    seed: int
    """With which they learnt."""

    def install(self, rows: Iterable[Installable]) -> Iterator[str]:
        """Write every row that the device can hear with; of each feature, one sentence on what became of its rows.

        Args:
            rows: those of a feature one after the other.

        Raises:
            ExportError: the folder holds another embedder than the one that was compared.
            ModelError: the device would refuse a row.
            OSError: the folder cannot be written to.
        """
        for feature, group in groupby(rows, key=lambda row: row.judged.row.feature):
            found = list(group)
            try:
                stated = self._embedder(feature, size=found[0].material.validation.sequences.shape[-1])
            except _NotOnDeviceError as reason:
                yield f"{feature}: not installed, as {reason}"
                continue
            for row in found:
                self._put(row, stated)
            yield f"{feature}: installed in {self.folder}: {', '.join(row.name for row in found)}"

    def _embedder(self, feature: str, *, size: int) -> dict[str, Any]:
        """What the description of a row says of where the embeddings come from."""
        if feature == CEPSTRAL:
            return {
                "patch_frames": PATCH_FRAMES,
                "hop_frames": PATCH_FRAMES,
                "recent_patches": SEGMENT_PATCHES,
                "embedder": {"name": STATISTICS},
                "window_patches": WINDOW_PATCHES,
                "statistics_version": VERSION,
                "features": list(NAMES),
            }
        if feature not in EMBEDDERS:
            raise _NotOnDeviceError(f"the device does not compute {feature} embeddings")
        name = EMBEDDERS[feature]
        try:
            path = find_model(name, str(self.folder))
        except UnknownModelError as error:
            raise _NotOnDeviceError(
                f"the device makes its embeddings with a model that is missing: {error}"
            ) from error
        sidecar = Sidecar.read(path)
        there = PatchInput.read(sidecar).embedding_size
        # Of a published network, the device has what became of it in int8. Ours was compared as the device has it.
        if there != size or (feature == "ours" and sidecar.sha256 != Sidecar.read(find_model(name)).sha256):
            raise ExportError(
                f"{path}: is another {name!r} than the one whose embeddings were compared; "
                "replace it, or install the rows in another folder"
            )
        return {
            "patch_frames": PATCH_FRAMES,
            "hop_frames": HOP_FRAMES,
            "recent_patches": (SEGMENT_PATCHES - 1) * STRIDE + 1,
            "embedder": {"name": name, "sha256": sidecar.sha256},
            "quick_patches": 0,
            "quick_discount": 0.0,
        }

    def _put(self, row: Installable, stated: Mapping[str, Any]) -> None:
        """Write a model and its description, and open it as the device does."""
        file, validation = row.judged.file, row.material.validation
        raw = said(file, validation.read(row.reads))
        calibration = platt(validation.music, _half_a_step_short(raw, file), package_weights(validation))
        probability = calibration(raw.astype(np.float32))
        path = write(
            self.folder,
            name=row.name,
            kind="segment",
            suffix=file.suffix,
            content=file.content,
            output=file.output,
            inputs={**stated, **_head_inputs(file, row.reads)},
            labels=file.labels,
            calibration=calibration,
            thresholds=mode_thresholds(_by_variation(validation, probability)),
            training_data={
                "corpus": self.corpus,
                "variations": np.unique(row.material.training.variation).tolist(),
                "seed": self.seed,
                "head": row.judged.row.head,
                "embedder": stated["embedder"].get("sha256"),
                "parameters": dict(row.judged.row.parameters),
            },
            metrics=_metrics(row.judged),
            quantisation=None if file.quantisation is None else {"scheme": file.quantisation},
        )
        classifier = Classifier(load_model(str(path)))
        classifier.answer(np.zeros(classifier.next_samples, np.float32))  # refuses what the device would refuse


class _NotOnDeviceError(ExportError):
    """The device has nothing that makes a feature's embeddings."""


def _head_inputs(file: ModelFile, reads: Reads) -> dict[str, Any]:
    """What the description says of the segment, and of what the head is given of it."""
    stated: dict[str, Any] = {
        "segment_patches": SEGMENT_PATCHES,
        "segment_every": 1,
        "recent_weight": 0.0,
        "pooling": "mean_std" if reads == "pooled" else "sequence",
    }
    if file.standardisation is not None:
        stated["standardisation"] = {
            "mean": file.standardisation.mean.tolist(),
            "scale": file.standardisation.scale.tolist(),
            "limit": file.standardisation.limit,
        }
    return stated


def _half_a_step_short(raw: FloatVector, file: ModelFile) -> FloatVector:
    """Int8 says 0 of all that rounds to it: at the log odds of -16 that this stands for, it would bend the fit."""
    return raw if file.quantisation is None else np.clip(raw, 1 - SURE, SURE)


def _by_variation(rows: Segments, probability: FloatVector) -> list[tuple[Labels, FloatVector]]:
    """Truth and probability in each kind of sound that has both music and no music."""
    kinds = [rows.variation == kind for kind in np.unique(rows.variation)]
    return [(rows.music[here], probability[here]) for here in kinds if np.ptp(rows.music[here])]


def _metrics(judged: Judged) -> dict[str, Any]:
    """The row's figures as `oido-export evaluate` writes them; apart if they are not of the test split."""
    row = judged.row
    figures = {sound: {"segment": rounded(asdict(report))} for sound, report in row.reports.items()}
    return figures if row.split == "test" else {row.split: figures}


def installable(judged: Sequence[Judged], tasks: Sequence[tuple[Material, Estimator]]) -> list[Installable]:
    """Rows with what they were made of, in the same order."""
    return [
        Installable(each, material, estimator.reads)
        for each, (material, estimator) in zip(judged, tasks, strict=True)
    ]
