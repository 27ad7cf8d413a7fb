"""Rows of the comparison as models of the device, each chosen there by its name: FEATURE-HEAD.

Only rows whose embeddings the device can make: our embedder's, YAMNet's where a `yamnet` is installed, and the
statistics. The device gives the head's probability of the comparison for the same segment, calibrated.
"""

from collections.abc import Iterable, Iterator, Mapping
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
from export.estimators.base import ModelFile, Reads, standardisation_document
from export.evaluation.calibration import mode_thresholds, platt
from export.evaluation.hearing import SEGMENT_PATCHES
from export.evaluation.metrics import FloatVector, Labels, package_weights
from export.evaluation.results import rounded

EMBEDDERS: Mapping[str, str] = {"ours": "embedder", "yamnet": "yamnet"}
"""Which model of the device makes a feature's embeddings."""

CEPSTRAL = "cepstral"
"""The feature that the device computes without any model."""


@dataclass(frozen=True, slots=True)
class Installable:
    """A row, with what its sidecar is made of."""

    judged: Judged
    material: Material
    reads: Reads
    """Pooled segments or sequences, as its estimator."""

    @property
    def name(self) -> str:
        """Of the model."""
        return f"{self.judged.row.feature}-{self.judged.row.head}"


def install(rows: Iterable[Installable], folder: Path, *, corpus: str, seed: int) -> Iterator[str]:
    """Write every row that the device can hear with; for each feature, one sentence says what became of its rows.

    Rows of one feature must stand together. The version of the corpus and the seed go into the sidecars.

    Raises:
        ExportError: the folder holds another embedder than the one that was compared.
        ModelError: the device would refuse a row.
        OSError: the folder cannot be written to.
    """
    for feature, group in groupby(rows, key=lambda row: row.judged.row.feature):
        found = list(group)
        try:
            inputs = _embedder(feature, folder, size=found[0].material.validation.sequences.shape[-1])
        except _NotOnDeviceError as reason:
            yield f"{feature}: not installed, as {reason}"
            continue
        for row in found:
            _write(row, folder, inputs, {"corpus": corpus, "seed": seed})
        yield f"{feature}: installed in {folder}: {', '.join(row.name for row in found)}"


def _embedder(feature: str, folder: Path, *, size: int) -> dict[str, Any]:
    """What a row's sidecar says of where its embeddings, of so many values, come from."""
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
        path = find_model(name, str(folder))
    except UnknownModelError as error:
        reason = f"the device makes its embeddings with a model that is missing: {error}"
        raise _NotOnDeviceError(reason) from error
    sidecar = Sidecar.read(path)
    found = PatchInput.read(sidecar).embedding_size
    # The device has a published network in int8, as it was converted. Ours was compared as the device has it.
    if found != size or (feature == "ours" and sidecar.sha256 != Sidecar.read(find_model(name)).sha256):
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


def _write(row: Installable, folder: Path, inputs: Mapping[str, Any], training: Mapping[str, Any]) -> None:
    """Write a model and its sidecar, and open it as the device does."""
    file, validation = row.judged.file, row.material.validation
    raw = file.probability(validation.read(row.reads))
    calibration = platt(validation.music, _half_a_step_short(raw, file), package_weights(validation))
    probability = calibration(raw.astype(np.float32))
    path = write(
        folder,
        name=row.name,
        kind="segment",
        suffix=file.suffix,
        content=file.content,
        output=file.output,
        inputs={**inputs, **_head_inputs(file, row.reads)},
        labels=file.labels,
        calibration=calibration,
        thresholds=mode_thresholds(_by_variation(validation, probability)),
        training_data={
            "corpus": training["corpus"],
            "variations": np.unique(row.material.training.variation).tolist(),
            "seed": training["seed"],
            "head": row.judged.row.head,
            "embedder": inputs["embedder"].get("sha256"),
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
    """What the sidecar says of the segment, and of how the head reads it."""
    stated: dict[str, Any] = {
        "segment_patches": SEGMENT_PATCHES,
        "segment_every": 1,
        "recent_weight": 0.0,
        "pooling": "mean_std" if reads == "pooled" else "sequence",
    }
    if file.standardisation is not None:
        stated["standardisation"] = standardisation_document(file.standardisation)
    return stated


def _half_a_step_short(raw: FloatVector, file: ModelFile) -> FloatVector:
    """An int8 file gives 0 for all that rounds to it. Taken for log odds of -16, that would bend the fit."""
    return raw if file.quantisation is None else np.clip(raw, 1 - SURE, SURE)


def _by_variation(rows: Segments, probability: FloatVector) -> list[tuple[Labels, FloatVector]]:
    """Truth and probability in each kind of sound that has both music and no music."""
    kinds = [rows.variation == kind for kind in np.unique(rows.variation)]
    return [(rows.music[here], probability[here]) for here in kinds if np.ptp(rows.music[here])]


def _metrics(judged: Judged) -> dict[str, Any]:
    """The row's figures as `oido-export evaluate` writes them; those of validation under its name."""
    row = judged.row
    figures = {sound: {"segment": rounded(asdict(report))} for sound, report in row.reports.items()}
    return figures if row.split == "test" else {row.split: figures}
