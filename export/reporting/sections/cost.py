"""Time and memory, device by device, as `oido benchmark --json` measured them."""

from collections.abc import Iterator, Mapping

from device.benchmark.results import STAGES, ModelReport, Report
from export.evaluation.metrics import Figure
from export.reporting.chart import Axis, Range, Stack, axis_around, legend, ranges, stacks
from export.reporting.choice import board_of
from export.reporting.figures import NONE, decimals, listed, significant
from export.reporting.html import Markup, join, prose, tag
from export.reporting.material import Benchmark, Material
from export.reporting.sections.answer import BENCHMARK
from export.reporting.sections.parts import Cell, drawing, heads, missing, number, paragraph, table

_STAGE_NAMES: Mapping[str, str] = {
    "resample": "resampling",
    "log_mel": "spectra",
    "features": "features",
    "embedder": "embedder",
    "head": "head",
    "decision": "decision",
    "yamnet": "YAMNet",
    "other": "all else",
}


def cost(material: Material) -> Markup:
    """A part for each device; sizes of the files where none was measured."""
    return join(
        _sizes(material),
        None if material.benchmarks else _nothing(),
        (_device(each, material) for each in material.benchmarks),
    )


def _sizes(material: Material) -> Markup:
    rows = (
        [
            Cell(tag("code", model.name), heading=True),
            number(decimals(model.size_kb, 0)),
            Cell({".tflite": "a TFLite runtime", ".onnx": "onnxruntime"}.get(model.suffix, model.suffix)),
            Cell(NONE if model.needs is None else tag("code", model.needs)),
        ]
        for model in material.models
    )
    return table(
        "What a model is made of; its size is that of all files that it needs, units of 1,000 bytes",
        ["model", Cell("size KB", "number"), "runs on", "stands on"],
        rows,
    )


def _nothing() -> Markup:
    return missing(
        "No benchmark was given, so this page has neither times nor memory. On each device that matters:",
        *BENCHMARK,
    )


def _device(benchmark: Benchmark, material: Material) -> Markup:
    report = benchmark.report
    machine = report.machine
    board = board_of(report)
    title = machine.cpu if board is None else machine.board
    return join(
        tag("h3", title),
        paragraph(" ".join(_conditions(benchmark, is_pi=board is not None)), "note"),
        tag("div", _relative(report), _stages(report), class_="many"),
        _table(report, material),
    )


def _conditions(benchmark: Benchmark, *, is_pi: bool) -> Iterator[str]:
    report = benchmark.report
    machine, after, settings = report.machine, report.after, report.settings
    yield f"{machine.cpu}, {machine.architecture}, {machine.cores} cores, {machine.system};"
    yield f"{decimals(settings.seconds, 0)} s of sound at {settings.rate_hz / 1000:g} kHz, "
    yield f"{settings.threads} thread; measured {report.created} with oido {machine.versions.get('oido', NONE)}"
    yield f"({benchmark.file})."
    if not is_pi:
        yield "Not a Raspberry Pi: compare the rows with each other."
    if after.temperature_c is not None:
        yield f"{after.temperature_c:.0f} °C at the end."
    if after.throttling:
        yield f"The firmware reported {listed(after.throttling)}."
    if report.before.load_average > machine.cores / 2:
        yield f"Other programs were busy (load {report.before.load_average:.1f}): only medians count."


def _relative(report: Report) -> Markup | None:
    rows = [
        Range(
            model.name,
            Figure(model.yamnet.ratio, model.yamnet.ratio_p5, model.yamnet.ratio_p95),
            f"{model.yamnet.ratio:.2f} ({model.yamnet.ratio_p5:.2f} to {model.yamnet.ratio_p95:.2f})",
            colour,
        )
        for colour, model in enumerate(report.models)
        if model.yamnet is not None
    ]
    if not rows:
        return None
    around = axis_around([row.figure for row in rows], "processor time, YAMNet's = 1", top=1.0, places=1)
    axis = Axis(around.label, 0.0, around.high, 1, mark=1.0)
    return drawing(
        "Processor time beside Google's YAMNet",
        ranges("Processor time over that of YAMNet, in turns", rows, axis),
        "From 16 kHz samples to an answer, in turns of a few seconds; the bar spans 90 % of the turns, the dashed "
        "line is YAMNet's official TFLite.",
    )


def _stages(report: Report) -> Markup:
    models = [*report.models, *([report.yamnet] if report.yamnet is not None else [])]
    stages = [stage for stage in STAGES if any(stage in model.stages for model in models)]
    names = [_STAGE_NAMES[stage] for stage in stages]
    rows = [
        Stack(
            model.name,
            f"{significant(sum(spread.p50 for spread in model.stages.values()))} ms",
            tuple(model.stages[stage].p50 if stage in model.stages else 0.0 for stage in stages),
        )
        for model in models
    ]
    widest = max((sum(row.parts) for row in rows), default=1.0) or 1.0
    axis = axis_around([Figure(widest, 0.0, widest)], "milliseconds for each second of sound", places=2)
    return drawing(
        "Where the time goes",
        stacks("Time by stage", rows, axis, names),
        "Medians of each stage, from the microphone's rate to a decision. A stage that most answers do without, "
        "such as the head of `attention`, has a median of 0.",
        above=legend(names),
    )


def _table(report: Report, material: Material) -> Markup:
    known = {model.name: model.sha256 for model in material.models}
    models = [*report.models, *([report.yamnet] if report.yamnet is not None else [])]
    return table(
        "One process that hears. Times are for each second of sound, medians unless said; MB are of 2**20 bytes",
        heads(
            "model",
            "all of it, ms",
            "95 % within ms",
            "processor ms",
            "times faster than sound",
            "live, % of a core",
            "peak MB",
            "above imports MB",
            "first answer s",
        ),
        ([_named(model, known), *_cells(model)] for model in models),
    )


def _named(model: ModelReport, known: Mapping[str, str]) -> Cell:
    other = known.get(model.name, model.sha256) != model.sha256
    note = "another version of the model" if other else model.runtime
    return Cell(join(tag("code", model.name), tag("span", prose(note), class_="between same")), heading=True)


def _cells(model: ModelReport) -> list[Cell]:
    above = model.above_imports
    return [
        number(significant(model.whole.p50)),
        number(significant(model.whole.p95)),
        number(significant(model.processor.p50)),
        number(significant(1 / model.real_time_factor) if model.real_time_factor > 0 else NONE),
        number(decimals(model.live_percent, 2)),
        number(decimals(model.memory.peak_rss_mb, 0)),
        number(decimals(None if above is None else above.rss_mb, 1)),
        number(decimals(model.first_decision_s, 2)),
    ]
