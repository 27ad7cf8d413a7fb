"""Which model on which Raspberry Pi, and why, in words. Pure; `backticks` mark code."""

from collections.abc import Iterator, Sequence

from export.reporting.choice import (
    BOARDS,
    BUSIEST,
    EMULATED,
    Measured,
    Verdict,
    board_of,
    choose,
    ranked,
    reference,
    slowest,
)
from export.reporting.figures import decimals, listed, significant
from export.reporting.material import Material, Model


def verdicts(material: Material) -> list[Verdict]:
    """One for each board."""
    return [choose(board, material.models, material.sounds, material.benchmarks) for board in BOARDS]


def headline(found: Sequence[Verdict]) -> str:
    """The answer in a few sentences."""
    boards: dict[str, list[str]] = {}
    for verdict in found:
        if verdict.model is not None:
            boards.setdefault(verdict.model.name, []).append(verdict.board.name)
    said = [f"Run `{model}` on {listed(names)}." for model, names in boards.items()]
    for verdict in found:
        if verdict.evidence == "none":
            said.append(f"No model runs on {verdict.board.name}.")
        elif verdict.model is None:
            said.append(f"On {verdict.board.name} every model that was measured asks too much.")
    return " ".join(said)


def reason(verdict: Verdict, material: Material) -> str:
    """Why this model on this board."""
    return " ".join(_reasons(verdict, material))


def _reasons(verdict: Verdict, material: Material) -> Iterator[str]:
    if verdict.evidence == "none":
        yield (
            f"No runtime can be installed for its {verdict.board.processor} (ARMv6): neither ai-edge-litert nor "
            "tflite-runtime nor onnxruntime. A Pi Zero 2 W has the same size and runs every model."
        )
        return
    for each in verdict.passed_over:
        yield f"`{each.model.name}` hears better but asks too much: {_time(each)}, {_peak(each)} at the peak."
    if verdict.unmeasured:
        yield f"Not measured here: {listed([f'`{model.name}`' for model in verdict.unmeasured])}."
    if verdict.measured is not None:
        yield from _on_this_board(verdict.measured)
    elif verdict.model is not None:
        yield from _elsewhere(verdict, verdict.model, material)
    if verdict.model is not None:
        yield from _runtimes(verdict, verdict.model)


def _on_this_board(found: Measured) -> Iterator[str]:
    yield (
        f"Measured on a {found.machine}: {_time(found)}, {_peak(found)} at the peak, "
        f"first answer after {decimals(found.model.first_decision_s, 1)} s."
    )
    if found.slowed:
        yield f"Its firmware reported {listed(found.slowed)}: a better power supply or cooling makes it faster."


def _elsewhere(verdict: Verdict, model: Model, material: Material) -> Iterator[str]:
    """What speaks for a model on a board that nobody measured."""
    board, sounds = verdict.board, material.sounds
    following = [each for each in ranked(material.models, sounds) if each is not model]
    after = [f", then `{each.name}` with {decimals(each.f1(sounds), 3)}" for each in following[:1]]
    best = f"It hears best of the models that run on this board: F1 {decimals(model.f1(sounds), 3)}"
    yield f"{best}{''.join(after)}."
    if found := reference(model, material.benchmarks):
        share = 100 * found.model.memory.peak_rss_mb / board.memory_mb
        yield (
            f"The {_peak(found)} that it takes on {found.machine} are {share:.0f} % of {board.memory_mb} MB, the "
            "least that this board comes with."
        )
        if board_of(found.benchmark.report) is not None:
            yield f"There it takes {_time(found)}."
    if model.is_bundled and board.processor in EMULATED:
        yield f"On an emulated {board.processor} it decides as on x86."


def _runtimes(verdict: Verdict, model: Model) -> Iterator[str]:
    systems = {"aarch64": "the 64-bit system", "armv7l": "a 32-bit one (up to Python 3.11)"}
    said = [
        f"{there[model.suffix]} on {systems[system]}"
        for system, there in verdict.board.runtimes.items()
        if model.suffix in there
    ]
    if said:
        yield f"Runs on {listed(said)}."


def _time(found: Measured) -> str:
    factor = found.model.real_time_factor
    return f"{significant(factor)} s of work for a second of sound ({significant(100 * factor)} % of a core)"


def _peak(found: Measured) -> str:
    return f"{found.model.memory.peak_rss_mb:.0f} MB"


def grounds(material: Material, found: Sequence[Verdict]) -> Iterator[str]:
    """What speaks for each recommended model, from the figures at hand."""
    for name in dict.fromkeys(verdict.model.name for verdict in found if verdict.model is not None):
        model = next(each for each in material.models if each.name == name)
        yield _hearing(model, material)
        yield from _in_use(model, material)
        yield from _cost(model, material)
    if any(verdict.evidence == "relative" and verdict.model and verdict.model.is_bundled for verdict in found):
        yield (
            "Same answers on 64-bit ARM: under emulation of a Cortex-A53, A72 and A76 every decision was that of "
            "x86 (`bash tests/arm/run`). Emulation says nothing of time, and no 32-bit system was emulated."
        )


def _hearing(model: Model, material: Material) -> str:
    order, sounds = ranked(material.models, material.sounds), material.sounds
    others = [f"{decimals(each.f1(sounds), 3)} (`{each.name}`)" for each in order if each is not model]
    hears = "hears best" if model is order[0] else "hears well enough"
    own = f"`{model.name}` {hears}: F1 {decimals(model.f1(sounds), 3)}, the mean over {listed(sounds)} sound"
    return f"{own}, against {listed(others)}." if others else f"{own}."


def _in_use(model: Model, material: Material) -> Iterator[str]:
    rates = {
        each.name: decimals(each.onsets.false_starts.per_hour, 1)
        for each in material.models
        if each.onsets is not None
    }
    if model.onsets is not None:
        others = listed([f"{rate} (`{name}`)" for name, rate in rates.items() if name != model.name])
        yield (
            f"It notices music after {decimals(model.onsets.starts.median_s, 1)} s (median) and was fooled "
            f"{rates[model.name]} times an hour by sound without music{f', against {others}' if others else ''}."
        )


def _cost(model: Model, material: Material) -> Iterator[str]:
    found = reference(model, material.benchmarks)
    if found is None:
        yield "Its cost was not measured for this page; `oido benchmark --json` measures it on any machine."
        return
    yield "; ".join(_relative(found, model, material)) + "."
    if board_of(found.benchmark.report) is None:
        yield (
            f"There, it takes {_time(found)}: a core {significant(found.headroom)} times slower would still have "
            f"{100 * (1 - BUSIEST):.0f} % of its time left. That is arithmetic, not a measurement of a Pi."
        )


def _relative(found: Measured, model: Model, material: Material) -> Iterator[str]:
    """Against its neighbours in the same run."""
    yield f"Its process peaks at {_peak(found)} on {found.machine}"
    if (ratio := found.model.yamnet) is not None:
        yield f"it takes {decimals(ratio.ratio, 2)} of the processor time of Google's YAMNet in the same run"
    for other in material.models:
        beside = slowest(other, [found.benchmark])
        if other is not model and beside is not None:
            share = beside.model.processor.p50 / found.model.processor.p50
            yield f"`{other.name}` takes {significant(share)} times as much"
