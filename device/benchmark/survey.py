"""Every model that is wanted, each in processes of its own, made into one report."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from device.benchmark.children import run
from device.benchmark.job import Job, Measured, Prepared
from device.benchmark.machine import read_conditions, read_machine
from device.benchmark.results import REFERENCE, SCHEMA_VERSION, Above, ModelReport, Report
from device.errors import OidoError, UsageError
from device.monitoring.host import Memory

Show = Callable[[str, float], None]
"""Told what is being done, and which part of it is done, 0 to 1."""


def survey(wanted: Job, *, show: Show, failed: Callable[[OidoError], None]) -> Report:
    """Measure everything.

    Args:
        wanted: of the task `prepare`: which models, and how.
        show: told how far it is.
        failed: told of each model that cannot be measured; the others are all the same.

    Raises:
        UsageError: a model that was asked for is not installed.
        OidoError: nothing can be measured here.
    """
    machine, before = read_machine(), read_conditions()
    reports: list[ModelReport] = []
    imports: dict[frozenset[str], Memory] = {}
    with tempfile.TemporaryDirectory(prefix="oido-benchmark-") as folder:
        job = replace(wanted, tape=str(Path(folder) / "tape"))
        prepared = run(job, Prepared, what="the sound")
        job = replace(job, yamnet=prepared.yamnet)
        subjects = [replace(job, task="model", models=(path,)) for path in prepared.models]
        if prepared.yamnet:
            subjects.append(replace(job, task="yamnet", models=()))
        for subject in subjects:
            try:
                reports.append(_measure(subject, imports, show))
            except UsageError:
                raise
            except OidoError as error:
                failed(error)
    return Report(
        schema_version=SCHEMA_VERSION,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=machine,
        before=before,
        after=read_conditions(),
        settings=wanted.settings,
        models=tuple(report for report in reports if report.kind != REFERENCE),
        yamnet=next((report for report in reports if report.kind == REFERENCE), None),
    )


def _measure(job: Job, imports: dict[frozenset[str], Memory], show: Show) -> ModelReport:
    """One model, or YAMNet; `imports` is what processes that only import have come to so far."""
    name = Path(job.models[0]).stem if job.models else "YAMNet"
    measured = run(job, Measured, what=f"model {name!r}", say=lambda phase, part: show(f"{name}: {phase}", part))
    modules = frozenset(measured.modules)
    if modules not in imports:
        show(f"{name}: imports", 0.0)
        imports[modules] = run(replace(job, task="imports", modules=measured.modules), Memory, what="the imports")
    alone, memory = imports[modules], measured.report.memory
    pss = None if memory.pss_mb is None or alone.pss_mb is None else memory.pss_mb - alone.pss_mb
    return replace(measured.report, above_imports=Above(memory.rss_mb - alone.rss_mb, pss))
