"""Which model on which Raspberry Pi, and why."""

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
from export.reporting.html import Markup, join, prose, tag
from export.reporting.material import Material, Model
from export.reporting.sections.parts import Cell, bullets, missing, table

_BADGES = {
    "measured": ("measured on this board", "badge"),
    "relative": ("by relative cost, not measured", "badge doubt"),
    "none": ("no runtime", "badge doubt"),
}

BENCHMARK = (
    "oido benchmark --json > my-pi.json                 # on the Pi",
    "oido-export report --benchmark my-pi.json          # here, with that file",
)


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


def answer(material: Material) -> Markup:
    """The table of boards, and the grounds under it."""
    found = verdicts(material)
    if not material.sounds:
        return missing(
            "No model has figures in its description, so none can be recommended. This writes them:",
            "oido-export evaluate attention embedder logistic --write",
        )
    rows = ([_board(verdict), _model(verdict), Cell(prose(reason(verdict, material)))] for verdict in found)
    return join(
        tag("p", prose(headline(found)), class_="lead"),
        table("Which model on which Raspberry Pi", ["board", "run", "why"], rows, class_="answer"),
        tag("h3", "Why"),
        bullets(grounds(material, found)),
        None if _any_pi(material) else _measure_it(),
    )


def _board(verdict: Verdict) -> Cell:
    small = tag("span", verdict.board.processor, class_="between")
    return Cell(join(verdict.board.name, small), heading=True)


def _model(verdict: Verdict) -> Cell:
    says, class_ = _BADGES[verdict.evidence]
    named = "none" if verdict.model is None else tag("code", verdict.model.name)
    return Cell(join(tag("div", named, class_="model"), tag("span", says, class_=class_)))


def reason(verdict: Verdict, material: Material) -> str:
    """Why this model on this board."""
    return " ".join(_reasons(verdict, material))


def _reasons(verdict: Verdict, material: Material) -> Iterator[str]:
    if verdict.evidence == "none":
        yield (
            f"An install brings no runtime to its {verdict.board.processor} (ARMv6): neither ai-edge-litert nor "
            "tflite-runtime nor onnxruntime. A Pi Zero 2 W has the same size and runs every model."
        )
        return
    for each in verdict.passed_over:
        yield (
            f"`{each.model.name}` hears better but asks too much: {_time(each)}, "
            f"{each.model.memory.peak_rss_mb:.0f} MB at the peak."
        )
    if verdict.unmeasured:
        yield f"Not measured here: {listed([f'`{model.name}`' for model in verdict.unmeasured])}."
    if verdict.measured is not None:
        yield from _on_this_board(verdict.measured)
    elif verdict.model is not None:
        yield from _elsewhere(verdict, verdict.model, material)
    yield from _runtimes(verdict)


def _elsewhere(verdict: Verdict, model: Model, material: Material) -> Iterator[str]:
    """What speaks for a model on a board that nobody measured."""
    board = verdict.board
    best = f"Of what runs on it, it hears best: F1 {decimals(model.f1(material.sounds), 3)}"
    following = [each for each in ranked(material.models, material.sounds) if each is not model]
    after = [f", then `{each.name}` with {decimals(each.f1(material.sounds), 3)}" for each in following[:1]]
    yield f"{best}{''.join(after)}."
    if found := reference(model, material.benchmarks):
        peak = found.model.memory.peak_rss_mb
        yield (
            f"The {peak:.0f} MB that it takes on {found.machine} are {100 * peak / board.memory_mb:.0f} % of "
            f"{board.memory_mb} MB, the least that this board comes with."
        )
        if board_of(found.benchmark.report) is not None:
            yield f"There it takes {_time(found)}."
    if model.is_bundled and board.processor in EMULATED:
        yield f"On an emulated {board.processor} it decides as on x86."


def _on_this_board(found: Measured) -> Iterator[str]:
    yield (
        f"Measured on a {found.machine}: {_time(found)}, {found.model.memory.peak_rss_mb:.0f} MB at the peak, "
        f"first answer after {decimals(found.model.first_decision_s, 1)} s."
    )
    if found.slowed:
        yield f"Its firmware reported {listed(found.slowed)}: a better power supply or cooling makes it quicker."


def _time(found: Measured) -> str:
    factor = found.model.real_time_factor
    return f"{significant(factor)} s of work for a second of sound ({significant(100 * factor)} % of a core)"


def _runtimes(verdict: Verdict) -> Iterator[str]:
    if verdict.model is None:
        return
    of_file = {system: there.get(verdict.model.suffix) for system, there in verdict.board.runtimes.items()}
    said = []
    if of_file.get("aarch64"):
        said.append(f"{of_file['aarch64']} on the 64-bit system")
    if of_file.get("armv7l"):
        said.append(f"{of_file['armv7l']} on a 32-bit one (up to Python 3.11)")
    if said:
        yield f"Runs on {listed(said)}."


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
    if model.onsets is None:
        return
    others = [each for each in material.models if each.onsets is not None and each is not model]
    rates = listed(
        [f"{decimals(each.onsets.false_an_hour, 1)} (`{each.name}`)" for each in others if each.onsets is not None]
    )
    yield (
        f"It notices music after {decimals(model.onsets.starts.median_s, 1)} s (median) and was fooled "
        f"{decimals(model.onsets.false_an_hour, 1)} times an hour by sound without music"
        f"{f', against {rates}' if rates else ''}."
    )


def _cost(model: Model, material: Material) -> Iterator[str]:
    found = reference(model, material.benchmarks)
    if found is None:
        yield "What it costs was not measured for this page; `oido benchmark --json` does that, on any machine."
        return
    yield _relative(found, model, material)
    if board_of(found.benchmark.report) is None:
        yield (
            f"There, it takes {_time(found)}: a core {significant(found.headroom)} times slower would still have "
            f"{100 * (1 - BUSIEST):.0f} % of its time left. That is arithmetic, not a measurement of a Pi."
        )


def _relative(found: Measured, model: Model, material: Material) -> str:
    """Against its neighbours in the same run."""
    ratio = found.model.yamnet
    said = [f"Its process peaks at {found.model.memory.peak_rss_mb:.0f} MB on {found.machine}"]
    if ratio is not None:
        said.append(
            f"it takes {decimals(ratio.ratio, 2)} of the processor time of Google's YAMNet in the same run"
        )
    same_run = [found.benchmark]
    for other in material.models:
        beside = slowest(other, same_run)
        if other is not model and beside is not None:
            share = beside.model.processor.p50 / found.model.processor.p50
            said.append(f"`{other.name}` takes {significant(share)} times as much")
    return "; ".join(said) + "."


def _any_pi(material: Material) -> bool:
    return any(board_of(each.report) is not None for each in material.benchmarks)


def _measure_it() -> Markup:
    return missing(
        "No Raspberry Pi was measured for this page: the answer rests on how the models hear, and on what they "
        "cost beside each other elsewhere. Ten minutes on yours replace that by a measurement:",
        *BENCHMARK,
    )
