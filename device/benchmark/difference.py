"""A report against an earlier one. Pure."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from device.benchmark.document import loads
from device.benchmark.results import SCHEMA_VERSION, Comparison, ModelReport, Report
from device.errors import UsageError


def read_report(path: Path) -> Report:
    """An earlier report, as `--json` printed it.

    Raises:
        UsageError: the file cannot be read, or is something else.
    """
    try:
        report = loads(Report, path.read_bytes())
    except OSError as error:
        raise UsageError(f"--compare {path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--compare {path}: no report of oido benchmark --json: {error}") from error
    if report.schema_version != SCHEMA_VERSION:
        raise UsageError(
            f"--compare {path}: schema version {report.schema_version}, but this program writes {SCHEMA_VERSION}; "
            "measure again with one program"
        )
    return report


def compare(now: Report, before: Report, *, file: str) -> Comparison:
    """What changed: ratios for every model that is in both, and whatever else is not the same."""
    earlier = {name: measures(model) for name, model in _all(before).items()}
    ratios = {
        name: {
            measure: value / earlier[name][measure]
            for measure, value in measures(model).items()
            if earlier[name].get(measure, 0.0) > 0
        }
        for name, model in _all(now).items()
        if name in earlier
    }
    return Comparison(file=file, warnings=tuple(_differences(now, before)), ratios=ratios)


def measures(model: ModelReport) -> Mapping[str, float]:
    """What is compared of a model: less is better, all of it."""
    found = {
        "load_ms": model.load_ms,
        "load_again_ms": model.load_again_ms,
        "first_decision_s": model.first_decision_s,
        **{f"stages.{stage}.p50": spread.p50 for stage, spread in model.stages.items()},
        "whole.p50": model.whole.p50,
        "whole.p95": model.whole.p95,
        "whole.min": model.whole.min,
        "processor.p50": model.processor.p50,
        "real_time_factor": model.real_time_factor,
        "live_percent": model.live_percent,
        "memory.peak_rss_mb": model.memory.peak_rss_mb,
        "memory.rss_mb": model.memory.rss_mb,
        "memory.pss_mb": model.memory.pss_mb,
        "yamnet.ratio": None if model.yamnet is None else model.yamnet.ratio,
    }
    return {measure: value for measure, value in found.items() if value is not None}


def _all(report: Report) -> Mapping[str, ModelReport]:
    """By name. The reference is told from a model of our own that is called `yamnet` as well."""
    found = {model.name: model for model in report.models}
    if report.yamnet is not None:
        found[f"{report.yamnet.name} (reference)"] = report.yamnet
    return found


def _differences(now: Report, before: Report) -> Iterator[str]:
    """A sentence for each thing that may explain a difference."""
    yield from _changed(now.machine, before.machine, "cpu", "board", "cores", "architecture", "system")
    ours, theirs = now.machine.versions, before.machine.versions
    for library in sorted({*ours, *theirs}):
        yield from _sentence(f"version of {library}", ours.get(library), theirs.get(library))
    yield from _changed(now.settings, before.settings, "threads", "seconds", "live_s", "rate_hz")
    yield from _changed(now.after, before.after, "governor", "throttling")
    models, earlier = _all(now), _all(before)
    for name in sorted({*models, *earlier}):
        if name in models and name in earlier:
            keys = ("kind", "runtime", "front_end", "sha256", "embedder_sha256")
            yield from _changed(models[name], earlier[name], *keys, of=f" of {name}")
        else:
            yield f"{name} is in {'this report' if name in models else 'the earlier report'} alone"


def _changed(now: object, before: object, *keys: str, of: str = "") -> Iterator[str]:
    for key in keys:
        yield from _sentence(key + of, getattr(now, key), getattr(before, key))


def _sentence(what: str, now: object, before: object) -> Iterator[str]:
    if now != before:
        yield f"{what} is {_shown(now)} and was {_shown(before)}"


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "unknown" if value is None else str(value)
