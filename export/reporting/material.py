"""What there is to report on: models, benchmarks, a comparison, pictures; read strictly, none of them needed."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device.benchmark.document import loads
from device.benchmark.results import SCHEMA_VERSION, Report
from device.errors import UnknownModelError
from device.hearing.models.loading import find_model, model_directories
from device.hearing.models.sidecar import Sidecar
from export.errors import ExportError
from export.evaluation.metrics import Figure
from export.reporting.pictures import Picture
from export.reporting.rows import Comparison

SOUNDS = ("clean", "level", "room", "mixture")
"""In the order in which they grow harder, more or less."""

PLOTS = ("reliability", "roc", "pr", "confusion")
"""What `oido-export evaluate --plots` draws."""

FIGURES = ("accuracy", "f1", "precision", "recall", "roc_auc", "pr_auc", "calibration_error")


@dataclass(frozen=True, slots=True)
class Heard:
    """How good a model is in one kind of sound."""

    rows: int
    packages: int
    figures: Mapping[str, Figure]
    """By the names of FIGURES."""


@dataclass(frozen=True, slots=True)
class Delays:
    """How music's starts, or its stops, were noticed."""

    noticed: int
    missed: int
    already: int
    """Joins before which the state was there already."""
    median_s: float | None
    p95_s: float | None
    """None: none was noticed."""


@dataclass(frozen=True, slots=True)
class Onsets:
    """What `oido-export onsets --write` found."""

    split: str
    joins: int
    starts: Delays
    stops: Delays
    false_starts: int
    heard_s: float
    """Sound without music, seconds."""
    taken_s: float
    """How much of it was taken for music."""

    @property
    def false_an_hour(self) -> float:
        """False starts for each hour without music."""
        return 3600 * self.false_starts / self.heard_s


@dataclass(frozen=True, slots=True)
class Model:
    """A model, as its NAME.json describes it."""

    name: str
    kind: str
    suffix: str
    """Of its file, which says what runs it: `.onnx` or `.tflite`."""
    sha256: str
    size_kb: float | None
    """Of all files that it needs; units of 1,000 bytes. None: one is not there."""
    needs: str | None
    """The embedder that it stands on."""
    answers: Mapping[str, Heard]
    """By sound, each answer counted."""
    segments: Mapping[str, Heard]
    """By sound, each 9.6 s counted."""
    onsets: Onsets | None
    is_bundled: bool
    """It came with the program: `tests/arm/run` has heard it."""

    def f1(self, sounds: Iterable[str]) -> float:
        """Mean over sounds, all of which it must have heard."""
        values = [self.answers[sound].figures["f1"].value for sound in sounds]
        return sum(values) / len(values)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What `oido benchmark --json` found on one device."""

    file: str
    report: Report


@dataclass(frozen=True, slots=True)
class Material:
    """Everything that the page may speak of."""

    models: Sequence[Model]
    benchmarks: Sequence[Benchmark]
    comparison: Comparison | None
    pictures: Sequence[Picture]
    """Of the comparison."""
    plots: Sequence[Picture]
    """Of the models: those of PLOTS that were drawn."""
    folder: str
    """Where the comparison was looked for, for sentences."""

    @property
    def sounds(self) -> tuple[str, ...]:
        """Those that every model with figures has heard."""
        having = [model for model in self.models if model.answers]
        return tuple(sound for sound in SOUNDS if having and all(sound in model.answers for model in having))


def bundled() -> list[str]:
    """Paths of the sidecars that came with the program."""
    return [str(path) for path in sorted(model_directories()[-1].glob("*.json"))]


def read_model(name: str) -> Model:
    """A model by its name, or by the path of its NAME.json; its file is not opened.

    Raises:
        ModelError: there is none, or its description cannot be used.
        ExportError: its figures cannot be.
    """
    path = find_model(name)
    sidecar = Sidecar.read(path)
    try:
        metrics = sidecar.document.get("metrics") or {}
        there = [sound for sound in SOUNDS if sound in metrics]
        answers = {sound: _heard(metrics[sound]) for sound in there}
        segments = {sound: _heard(metrics[sound]["segment"]) for sound in there if "segment" in metrics[sound]}
        onsets = _onsets(sidecar.document["onsets"]) if "onsets" in sidecar.document else None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ExportError(
            f"{path}: figures that this program does not understand ({type(error).__name__}: {error}); "
            f"write them anew: oido-export evaluate {sidecar.name} --write, "
            f"oido-export onsets {sidecar.name} --write"
        ) from error
    embedder = sidecar.input.get("embedder")
    needs = str(embedder["name"]) if isinstance(embedder, Mapping) and "name" in embedder else None
    return Model(
        name=sidecar.name,
        kind=sidecar.kind,
        suffix=Path(sidecar.file).suffix,
        sha256=sidecar.sha256,
        size_kb=_size_kb(path, sidecar, needs),
        needs=needs,
        answers=answers,
        segments=segments,
        onsets=onsets,
        is_bundled=path.resolve().parent == model_directories()[-1].resolve(),
    )


def _heard(document: Mapping[str, Any]) -> Heard:
    figures = {name: _figure(document[name]) for name in FIGURES if name in document}
    if "f1" not in figures:
        raise KeyError("f1")
    return Heard(rows=int(document["rows"]), packages=int(document["packages"]), figures=figures)


def _figure(document: Mapping[str, Any]) -> Figure:
    return Figure(*(float(document[end]) for end in ("value", "low", "high")))


def _onsets(document: Mapping[str, Any]) -> Onsets:
    false = document["false_starts"]
    heard_s = float(false["heard_s"])
    if not heard_s > 0:
        raise ValueError("nothing was heard without music")
    return Onsets(
        split=str(document["split"]),
        joins=int(document["joins"]),
        starts=_delays(document["starts"]),
        stops=_delays(document["stops"]),
        false_starts=int(false["count"]),
        heard_s=heard_s,
        taken_s=float(false["taken_for_music_s"]),
    )


def _delays(document: Mapping[str, Any]) -> Delays:
    counts = (int(document[fate]) for fate in ("noticed", "missed", "already"))
    median, p95 = (document[key] for key in ("median_s", "p95_s"))
    return Delays(*counts, *(None if value is None else float(value) for value in (median, p95)))


def _size_kb(path: Path, sidecar: Sidecar, needs: str | None) -> float | None:
    """Of the file and of the embedder's, which lies beside it or where any model may."""
    files = [path.with_name(sidecar.file)]
    try:
        if needs is not None and needs != "statistics":  # those are computed by the program itself
            beside = path.with_name(f"{needs}.json")
            files.append((beside if beside.is_file() else find_model(needs)).with_suffix(".tflite"))
        return sum(file.stat().st_size for file in files) / 1000
    except (OSError, UnknownModelError):
        return None


def read_benchmark(path: Path) -> Benchmark:
    """What `oido benchmark --json` printed on a device.

    Raises:
        ExportError: the file cannot be read, or is something else.
    """
    try:
        text = path.read_bytes()
        version = json.loads(text).get("schema_version", SCHEMA_VERSION)
        if version != SCHEMA_VERSION:
            raise ExportError(
                f"--benchmark {path}: schema version {version!r}, but this program reads {SCHEMA_VERSION}; "
                "measure again with a program of this release"
            )
        return Benchmark(path.name, loads(Report, text))
    except OSError as error:
        raise ExportError(f"--benchmark {path}: cannot be read: {error.strerror}") from error
    except (ValueError, AttributeError, RecursionError) as error:
        raise ExportError(f"--benchmark {path}: not what `oido benchmark --json` prints: {error}") from error
