"""Figures in Prometheus' text format, version 0.0.4. Pure.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from device.monitoring.tally import LATENCY_BOUNDS_S, Tally

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Kind = Literal["counter", "gauge", "histogram"]
Sample = tuple[str, Mapping[str, str], float]
"""What follows the family's name, the labels, the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFigures:
    """One source now."""

    name: str
    tally: Tally
    music: Literal["ON", "OFF"] | None
    """None: it cannot hear."""


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
    sources: Sequence[SourceFigures]


def render(figures: Figures) -> str:
    """Everything, as one page."""
    build = {
        "version": figures.version,
        "python": figures.python,
        "model": figures.model,
        "model_sha256": figures.model_sha256,
    }
    lines = [
        *_family("oido_build_info", "gauge", "What runs here; always 1.", [("", build, 1)]),
        *_family(
            "process_start_time_seconds",
            "gauge",
            "When the process started, seconds since the epoch.",
            [("", {}, figures.started)],
        ),
        *_family("process_resident_memory_bytes", "gauge", "Resident memory.", [("", {}, figures.resident_bytes)]),
        *_family(
            "oido_outbox_events",
            "gauge",
            "Events that the broker has not acknowledged yet.",
            [("", {}, figures.queued_events)],
        ),
        *_family(
            "oido_events_dropped_total",
            "counter",
            "Events given up because too many waited.",
            [("", {}, figures.dropped_events)],
        ),
        *_of_sources(figures.sources),
    ]
    return "\n".join(lines) + "\n"


def _of_sources(sources: Sequence[SourceFigures]) -> Iterator[str]:
    counters: dict[str, tuple[str, Callable[[Tally], int]]] = {
        "oido_patches_total": ("Patches of 0.96 s that arrived.", lambda t: t.patches),
        "oido_decisions_total": ("Patches that led to a decision.", lambda t: t.decisions),
        "oido_overruns_total": ("Times the audio device lost samples.", lambda t: t.overruns),
        "oido_source_opens_total": ("Times the source was opened, the first included.", lambda t: t.opens),
        "oido_source_losses_total": ("Times it was lost or could not be opened.", lambda t: t.losses),
    }
    for name, (text, value) in counters.items():
        yield from _family(name, "counter", text, [("", {"source": s.name}, value(s.tally)) for s in sources])
    yield from _family(
        "oido_inference_seconds",
        "histogram",
        "Time from a patch to its decision.",
        [sample for source in sources for sample in _histogram(source)],
    )
    yield from _family(
        "oido_level_dbfs",
        "gauge",
        "RMS level of the latest patch relative to full scale; -Inf for digital silence.",
        [("", {"source": s.name}, s.tally.level_dbfs) for s in sources],
    )
    yield from _family(
        "oido_available",
        "gauge",
        "1 while the source can hear.",
        [("", {"source": s.name}, s.music is not None) for s in sources],
    )
    yield from _family(
        "oido_music",
        "gauge",
        "1 for music, 0 for no music; absent while the source cannot hear.",
        [("", {"source": s.name}, s.music == "ON") for s in sources if s.music is not None],
    )


def _histogram(source: SourceFigures) -> Iterator[Sample]:
    labels = {"source": source.name}
    counts, total = tuple(source.tally.inference.counts), 0
    for bound, count in zip((*LATENCY_BOUNDS_S, math.inf), counts, strict=True):
        total += count
        yield "_bucket", {**labels, "le": _number(bound)}, total
    yield "_sum", labels, source.tally.inference.total_s
    yield "_count", labels, total


def _family(name: str, kind: Kind, text: str, samples: Iterable[Sample]) -> Iterator[str]:
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
