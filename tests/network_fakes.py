"""Models of kinds `patch` and `segment` for tests: tiny real ones, and stand-ins that say what a test wants."""

import importlib.util
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hearing_fakes import FakeRuntime

from device.hearing.models.inputs import PatchInput, SegmentInput
from device.hearing.models.loading import PatchModel, SegmentModel, StatisticsSegmentModel
from device.hearing.models.sidecar import Calibration, Sidecar
from device.hearing.statistics.statistics import NAMES, VERSION
from device.sound import FloatArray

TINY_MODELS = Path(__file__).parent / "golden" / "models"
"""`embedder` and `attention`: real int8 files with random weights, made by golden/make_tiny_models.py."""

needs_tflite = pytest.mark.skipif(
    not any(importlib.util.find_spec(name) for name in ("ai_edge_litert", "tflite_runtime")),
    reason="no TFLite runtime is installed",
)


def tiny_document(name: str) -> dict[str, Any]:
    """The description of a tiny model."""
    document: dict[str, Any] = json.loads((TINY_MODELS / f"{name}.json").read_text(encoding="utf-8"))
    return document


def install_tiny(folder: Path, name: str, document: Mapping[str, Any] | None = None) -> Path:
    """Copy a tiny model, with this description instead of its own; where the description is."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(TINY_MODELS / f"{name}.tflite", folder)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(tiny_document(name) if document is None else document), encoding="utf-8")
    return path


def tiny_sidecar(name: str, **inputs: Any) -> Sidecar:
    """A tiny model's description, not calibrated; the keywords replace what it says of its input."""
    sidecar = Sidecar.read(TINY_MODELS / f"{name}.json")
    return replace(sidecar, input={**sidecar.input, **inputs}, calibration=Calibration())


def on_statistics(**inputs: Any) -> dict[str, Any]:
    """What a segment model on the statistics says of its input otherwise than one on a network's embeddings."""
    stated = {
        "hop_frames": 96,
        "recent_weight": 0.0,
        "embedder": {"name": "statistics"},
        "window_patches": 5,
        "statistics_version": VERSION,
        "features": list(NAMES),
    }
    return stated | inputs


def fake_embedder(judge: Callable[[FloatArray], tuple[float, FloatArray]], **inputs: Any) -> PatchModel:
    """Of kind `patch`: what it says of a patch, (96, 64), is up to a function.

    Args:
        judge: score of music and embedding, (128,).
        inputs: replace what the description says of the input.
    """
    sidecar = tiny_sidecar("embedder", **inputs)
    return PatchModel(sidecar, FakeRuntime(judge), PatchInput.read(sidecar))


def fake_segment_model(embedder: PatchModel, judge: Callable[[FloatArray], float], **inputs: Any) -> SegmentModel:
    """Of kind `segment`: what it says of a segment, (rows, 128), is up to a function."""
    sidecar = tiny_sidecar("attention", **inputs)
    return SegmentModel(sidecar, FakeRuntime(lambda row: [judge(row)]), SegmentInput.read(sidecar), embedder)


def fake_statistics_segment_model(judge: Callable[[FloatArray], float], **inputs: Any) -> StatisticsSegmentModel:
    """Of kind `segment`, on the statistics: what it says of what it is given is up to a function."""
    sidecar = tiny_sidecar("attention", **on_statistics(**inputs))
    stated = SegmentInput.read(sidecar)
    assert stated.statistics is not None
    return StatisticsSegmentModel(sidecar, FakeRuntime(lambda row: [judge(row)]), stated, stated.statistics)
