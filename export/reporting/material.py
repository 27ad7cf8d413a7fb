"""What there is to report on: models, benchmarks, a comparison, pictures; read strictly, none of them needed."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device.benchmark.document import build, loads
from device.benchmark.results import SCHEMA_VERSION, Report
from device.errors import UnknownModelError
from device.hearing.models.loading import find_model, model_directories
from device.hearing.models.sidecar import Sidecar
from export.errors import ExportError
from export.evaluation import metrics
from export.evaluation.metrics import COLUMNS, FIGURES, Figure
from export.reporting.pictures import Picture
from export.reporting.rows import Comparison

SOUNDS = ("clean", "level", "room", "mixture")
"""In the order in which they grow harder, more or less."""

PLOTS = ("reliability", "roc", "pr", "confusion")
"""What `oido-export evaluate --plots` draws."""


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
class FalseStarts:
    """Music reported where there was none."""

    count: int
    heard_s: float
    """Sound without music, seconds; more than 0."""
    taken_for_music_s: float
    """How much of it was taken for music."""

    @property
    def per_hour(self) -> float:
        """For each hour without music."""
        return 3600 * self.count / self.heard_s

    @property
    def percent(self) -> float:
        """Of the time without music, what was taken for music."""
        return 100 * self.taken_for_music_s / self.heard_s


@dataclass(frozen=True, slots=True)
class Onsets:
    """What `oido-export onsets --write` found."""

    split: str
    joins: int
    starts: Delays
    stops: Delays
    false_starts: FalseStarts


@dataclass(frozen=True, slots=True)
class Model:
    """A model, as its NAME.json describes it."""

    name: str
    suffix: str
    """Of its file, which says what runs it: `.onnx` or `.tflite`."""
    sha256: str
    size_kb: float | None
    """Of all files that it needs; units of 1,000 bytes. None: one is not there."""
    needs: str | None
    """The embedder that it stands on."""
    answers: Mapping[str, metrics.Report]
    """By sound, each answer counted."""
    segments: Mapping[str, metrics.Report]
    """By sound, each 9.6 s counted."""
    onsets: Onsets | None
    is_bundled: bool
    """It came with the program: `tests/arm/run` has heard it."""

    def f1(self, sounds: Iterable[str]) -> float:
        """Mean over sounds, all of which it must have heard."""
        values = [self.answers[sound].f1.value for sound in sounds]
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

    @property
    def most_packages(self) -> int:
        """Of test sound that a model has heard; 0: none has."""
        return max((report.packages for model in self.models for report in model.answers.values()), default=0)

    def heard(self, sound: str) -> dict[str, metrics.Report]:
        """Each answer counted, by the names of the models that have heard this sound."""
        return {model.name: model.answers[sound] for model in self.models if sound in model.answers}


def best(reports: Collection[metrics.Report]) -> dict[str, float]:
    """The highest value of each figure of which more is better."""
    return {name: max(getattr(report, name).value for report in reports) for name in FIGURES}


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
        document = sidecar.document.get("metrics") or {}
        found = {sound: document[sound] for sound in SOUNDS if sound in document}
        answers = {sound: _report(each) for sound, each in found.items()}
        segments = {sound: _report(each["segment"]) for sound, each in found.items() if "segment" in each}
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
        suffix=Path(sidecar.file).suffix,
        sha256=sidecar.sha256,
        size_kb=_size_kb(path, sidecar, needs),
        needs=needs,
        answers=answers,
        segments=segments,
        onsets=onsets,
        is_bundled=path.resolve().parent == model_directories()[-1].resolve(),
    )


def _report(document: Mapping[str, Any]) -> metrics.Report:
    figures = {name: Figure(*(float(document[name][end]) for end in ("value", "low", "high"))) for name in COLUMNS}
    return metrics.Report(rows=int(document["rows"]), packages=int(document["packages"]), **figures)


def _onsets(document: Mapping[str, Any]) -> Onsets:
    onsets = build(Onsets, document)
    if not onsets.false_starts.heard_s > 0:
        raise ValueError("nothing was heard without music")
    return onsets


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
