"""What the charts show, as numbers; templates/charts.html makes SVG of them. Pure."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from device.benchmark.results import STAGES, Report
from export.comparison.listing import HEAD_NAMES
from export.comparison.rows import ALL, Row
from export.evaluation.metrics import Figure
from export.reporting.axis import Axis, axis_around
from export.reporting.figures import shown, significant
from export.reporting.material import SOUNDS, Model
from export.reporting.rows import Comparison

_STAGE_NAMES = {
    "resample": "resampling",
    "log_mel": "spectra",
    "features": "features",
    "embedder": "embedder",
    "head": "head",
    "decision": "decision",
    "yamnet": "YAMNet",
    "other": "all else",
}

EXTRACTORS = {
    "cepstral": "cepstral statistics: nothing learnt",
    "ours": "our embedder",
    "yamnet": "YAMNet",
    "vggish": "VGGish",
    "openl3": "OpenL3",
}


@dataclass(frozen=True, slots=True)
class Range:
    """A value with its interval."""

    label: str
    figure: Figure
    colour: int = 0


@dataclass(frozen=True, slots=True)
class Ranges:
    """Values with their intervals, one a row."""

    rows: Sequence[Range]
    axis: Axis
    places: int = 3
    """Decimals of the values that stand beside the labels."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A whole and its parts."""

    label: str
    parts: Mapping[str, float]
    """By name, in the order of the legend; 0 where one is missing."""

    @property
    def whole(self) -> float:
        """All parts together."""
        return sum(self.parts.values())

    @property
    def spans(self) -> list[tuple[float, float]]:
        """Where each part begins, and how long it is."""
        begins = itertools.accumulate(self.parts.values(), initial=0.0)
        return list(zip(begins, self.parts.values(), strict=False))


@dataclass(frozen=True, slots=True)
class Stacks:
    """Bars made of parts, one a row."""

    rows: Sequence[Stack]
    axis: Axis
    """From 0."""
    names: Sequence[str]
    """Of the parts, for the legend."""


@dataclass(frozen=True, slots=True)
class Point:
    """A value over another one."""

    label: str
    x: float
    y: Figure
    colour: int


@dataclass(frozen=True, slots=True)
class Cloud:
    """Points with vertical intervals."""

    points: Sequence[Point]
    x: Axis
    y: Axis
    names: Sequence[str]
    """Of the colours."""


def by_sound(models: Sequence[Model], figure: str, label: str, *, top: float | None = None) -> dict[str, Ranges]:
    """A figure of every model, on one scale: a chart for each sound that one has heard.

    Args:
        models: each keeps its colour.
        figure: a field of `metrics.Report`.
        label: of the axis.
        top: where the axis ends at the earliest.
    """
    found = {
        sound: [
            Range(model.name, getattr(model.answers[sound], figure), colour)
            for colour, model in enumerate(models)
            if sound in model.answers
        ]
        for sound in SOUNDS
    }
    axis = axis_around([row.figure for rows in found.values() for row in rows], label, top=top)
    return {sound: Ranges(rows, axis) for sound, rows in found.items() if rows}


def yamnet_ratios(report: Report) -> Ranges | None:
    """Processor time over YAMNet's, with 90 % of the turns; None: it was not measured beside any model."""
    rows = [
        Range(model.name, Figure(model.yamnet.ratio, model.yamnet.ratio_p5, model.yamnet.ratio_p95), colour)
        for colour, model in enumerate(report.models)
        if model.yamnet is not None
    ]
    if not rows:
        return None
    axis = axis_around([row.figure for row in rows], "processor time, YAMNet's = 1", top=1.0, places=1)
    return Ranges(rows, replace(axis, low=0.0, mark=1.0), places=2)


def stages(report: Report) -> Stacks:
    """The median time of each stage, YAMNet's last."""
    models = [*report.models, *([report.yamnet] if report.yamnet is not None else [])]
    having = [stage for stage in STAGES if any(stage in model.stages for model in models)]
    rows = [
        Stack(
            model.name,
            {_STAGE_NAMES[each]: model.stages[each].p50 if each in model.stages else 0.0 for each in having},
        )
        for model in models
    ]
    widest = max((row.whole for row in rows), default=0.0) or 1.0
    axis = axis_around([Figure(widest, 0.0, widest)], "milliseconds for each second of sound")
    return Stacks(rows, axis, [_STAGE_NAMES[each] for each in having])


def f1_by_extractor(found: Comparison) -> dict[str, Ranges]:
    """F1 over all sounds, on one scale: a chart for each extractor, a colour each."""
    axis = axis_around([row.reports[ALL].f1 for row in found.rows], "F1", top=1.0)
    return {
        EXTRACTORS.get(extractor, extractor): Ranges(
            [
                Range(HEAD_NAMES.get(row.head, row.head), row.reports[ALL].f1, colour)
                for row in found.rows
                if row.feature == extractor
            ],
            axis,
        )
        for colour, extractor in enumerate(found.extractors)
    }


def f1_over_cost(found: Comparison) -> Cloud | None:
    """Each extractor's best row on validation: rows of one extractor cost nearly the same. None: no costs."""
    best = found.best("feature")
    costs = {each: ms for each in found.extractors if (ms := _ms_per_s(best[each]))}
    if not costs:
        return None
    x = Axis(
        "milliseconds for each second of sound, logarithmic",
        min(costs.values()) / 1.5,
        max(costs.values()) * 1.5,
        logarithmic=True,
    )
    y = axis_around([best[each].reports[ALL].f1 for each in costs], "F1, all sounds together", top=1.0)
    heads = {each: HEAD_NAMES.get(best[each].head, best[each].head) for each in found.extractors}
    points = []
    for extractor, ms in costs.items():
        f1 = best[extractor].reports[ALL].f1
        label = f"{extractor} + {heads[extractor]}: F1 {shown(f1)}, {significant(ms)} ms"
        points.append(Point(label, ms, f1, found.extractors.index(extractor)))
    return Cloud(
        points, x, y, [f"{head} on {EXTRACTORS.get(each, each).partition(':')[0]}" for each, head in heads.items()]
    )


def _ms_per_s(row: Row) -> float:
    """Extractor and head; 0 where nobody measured them."""
    return 0.0 if row.costs is None else row.costs.extractor_ms + row.costs.head_ms
