"""A report for people. Its words are the keys of the JSON, so that one explains the other. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from device.benchmark.results import Comparison, ModelReport, Report, Spread

_LABEL = 18
_NUMBER = 10

NOTE = (
    "Spreads are milliseconds for each second of sound, memory is MB of 2**20 bytes. The ratio to Google's\n"
    "YAMNet is that of the processor times, taken in turns. device/benchmark/results.py explains every key."
)


def table(report: Report) -> Iterator[str]:
    """The lines of a report."""
    yield from _section("machine", report.machine)
    yield from _section("settings", report.settings)
    yield from _section("before", report.before)
    yield from _section("after", report.after)
    for model in report.models:
        yield from _model(model)
    if report.yamnet is not None:
        yield from _model(report.yamnet)
    yield ""
    yield NOTE
    if report.comparison is not None:
        yield from _comparison(report.comparison)


def _section(title: str, value: Any) -> Iterator[str]:
    """A dataclass of plain values, on one line, a dash for what is not known."""
    parts = (f"{entry.name} {_shown(getattr(value, entry.name))}" for entry in fields(value))
    yield f"{title}: {', '.join(parts)}"


def _model(model: ModelReport) -> Iterator[str]:
    yield ""
    yield model.name
    stages = ((f"  {stage}", spread) for stage, spread in model.stages.items())
    spreads = [*stages, ("whole", model.whole), ("processor", model.processor)]
    for entry in fields(model):
        value = getattr(model, entry.name)
        if entry.name == "stages":
            yield _row("stages", [each.name for each in fields(Spread)])
            for label, spread in spreads:
                yield _row(label, [_number(getattr(spread, each.name)) for each in fields(Spread)])
        elif entry.name in ("name", "whole", "processor"):
            continue
        elif is_dataclass(value):
            parts = (f"{each.name} {_shown(getattr(value, each.name))}" for each in fields(value))
            yield f"  {entry.name:<{_LABEL}}{', '.join(parts)}"
        else:
            yield f"  {entry.name:<{_LABEL}}{_shown(value)}"


def _comparison(comparison: Comparison) -> Iterator[str]:
    yield ""
    yield f"over {comparison.file}: now / before"
    for name, ratios in comparison.ratios.items():
        yield name
        for measure, ratio in ratios.items():
            yield f"  {measure:<{_LABEL + 4}}{ratio:6.2f}"


def _row(label: str, cells: list[str]) -> str:
    return f"  {label:<{_LABEL}}" + "".join(f"{cell:>{_NUMBER}}" for cell in cells)


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {each}" for key, each in value.items())
    if isinstance(value, tuple):
        return " and ".join(value) or "none"
    return str(value)


def _number(value: float) -> str:
    """Three figures that count, and at least those before the point."""
    if abs(value) >= 100:  # noqa: PLR2004 - three figures
        return f"{value:.0f}"
    return f"{value:.3g}"
