"""Figures in Prometheus' text format, version 0.0.4. Pure.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from device.monitoring.vitals import LATENCY_BOUNDS_S, Counts

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Kind = Literal["counter", "gauge", "histogram"]
Sample = tuple[str, Mapping[str, str], float]
"""What follows the family's name, the labels, the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFigures:
    """One source now."""

    name: str
    counts: Counts
    music: Literal["ON", "OFF"] | None
    """None: it cannot hear."""

    def sample(self, value: float) -> Sample:
        """A value of this source."""
        return "", {"source": self.name}, value


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The process now."""

    version: str
    python: str
    model: str
    model_sha256: str
    started: float
    """Seconds since the Unix epoch."""
    resident_bytes: float
    queued_events: int
    dropped_events: int
    refused_events: int = 0
    sources: Sequence[SourceFigures]


def render(figures: Figures) -> str:
    """Everything, as one page."""
    return "".join(f"{line}\n" for family in _families(figures) for line in _lines(*family))


def _families(figures: Figures) -> Iterator[tuple[str, Kind, str, Sequence[Sample]]]:
    """The name of each family, its kind, its help and its samples."""
    build = {key: getattr(figures, key) for key in ("version", "python", "model", "model_sha256")}
    yield "oido_build_info", "gauge", "What runs here; always 1.", [("", build, 1)]
    process: tuple[tuple[str, Kind, str, float], ...] = (
        ("process_start_time_seconds", "gauge", "When the process started, seconds since 1970.", figures.started),
        ("process_resident_memory_bytes", "gauge", "Resident memory.", figures.resident_bytes),
        ("oido_outbox_events", "gauge", "Events that the broker has not acknowledged yet.", figures.queued_events),
        ("oido_events_dropped_total", "counter", "Events given up: too many waited.", figures.dropped_events),
        ("oido_refused_events", "gauge", "Events set aside: the broker refuses them.", figures.refused_events),
    )
    for name, kind, text, value in process:
        yield name, kind, text, [("", {}, value)]
    sources = figures.sources
    for name, text, count in _COUNTERS:
        yield name, "counter", text, [source.sample(getattr(source.counts, count)) for source in sources]
    latencies = [sample for source in sources for sample in _histogram(source)]
    yield "oido_inference_seconds", "histogram", "Time from the sound of an answer to its decision.", latencies
    level = "RMS level of the sound of the latest answer, relative to full scale; -Inf for digital silence."
    yield "oido_level_dbfs", "gauge", level, [source.sample(source.counts.level_dbfs) for source in sources]
    hears = [source.sample(source.music is not None) for source in sources]
    yield "oido_available", "gauge", "1 while the source can hear.", hears
    music = [source.sample(source.music == "ON") for source in sources if source.music is not None]
    yield "oido_music", "gauge", "1 for music, 0 for no music; absent while the source cannot hear.", music


_COUNTERS = (
    ("oido_answers_total", "Answers to the sound of the source, one every hop.", "answers"),
    ("oido_decisions_total", "Answers that led to a decision: all but those during a flat line.", "decisions"),
    ("oido_overruns_total", "Times the audio device lost samples.", "overruns"),
    ("oido_source_opens_total", "Times the source was opened, the first included.", "opens"),
    ("oido_source_losses_total", "Times it was lost or could not be opened.", "losses"),
)
"""Name, help, and which of the counts."""


def _histogram(source: SourceFigures) -> Iterator[Sample]:
    labels = {"source": source.name}
    counts, total = tuple(source.counts.inference.counts), 0
    for bound, count in zip((*LATENCY_BOUNDS_S, math.inf), counts, strict=True):
        total += count
        yield "_bucket", {**labels, "le": _number(bound)}, total
    yield "_sum", labels, source.counts.inference.total_s
    yield "_count", labels, total


def _lines(name: str, kind: Kind, text: str, samples: Sequence[Sample]) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"
    for suffix, labels, value in samples:
        shown = ",".join(f'{key}="{_escape(label)}"' for key, label in labels.items())
        yield f"{name}{suffix}{f'{{{shown}}}' if shown else ''} {_number(value)}"


def _escape(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    """As Go's ParseFloat reads it."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(int(value)) if float(value).is_integer() else repr(float(value))
