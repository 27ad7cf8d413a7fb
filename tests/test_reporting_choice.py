"""export.reporting.choice and answer: which model on which Raspberry Pi."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from reporting_fakes import PI_4, benchmark, material, model

from export.reporting.answer import grounds, headline, reason, verdicts
from export.reporting.choice import BOARDS, BUSIEST, RUNTIMES, Architecture, Board, board_of, choose, reference

ROOT = Path(__file__).parents[1]

GOOD, FAIR, SMALL = model("good", 0.99), model("fair", 0.97), model("small", 0.95, suffix=".onnx")
ALL = (FAIR, GOOD, SMALL)

SUFFIXES = {"ai-edge-litert": ".tflite", "tflite-runtime": ".tflite", "onnxruntime": ".onnx"}


def board(name: str) -> Board:
    """By the end of its name."""
    return next(each for each in BOARDS if each.name.endswith(name))


@pytest.mark.parametrize("architecture", RUNTIMES)
def test_runtimes_are_those_that_a_plain_install_brings(architecture: Architecture) -> None:
    """The markers of pyproject.toml, asked for each kind of Raspberry Pi OS."""
    lines = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    machine = {"platform_machine": architecture, "sys_platform": "linux", "python_version": "3.11"}
    wanted = [Requirement(line) for line in lines]
    names = {each.name for each in wanted if each.marker is None or each.marker.evaluate(machine)}
    brought = {SUFFIXES[name]: name for name in names & set(SUFFIXES)}
    assert RUNTIMES[architecture] == brought


@pytest.mark.parametrize("name", ["Zero 2 W", "3", "4", "5"])
def test_what_nobody_measured_gets_what_hears_best(name: str) -> None:
    """And is said to be unmeasured."""
    verdict = choose(board(name), ALL, ["clean"], [])
    assert (verdict.model, verdict.evidence) == (GOOD, "relative")
    assert "measured" not in reason(verdict, material(*ALL))


def test_the_first_pi_has_no_runtime() -> None:
    """However well a model hears."""
    verdict = choose(BOARDS[0], ALL, ["clean"], [])
    assert (verdict.model, verdict.evidence) == (None, "none")
    assert "ARMv6" in reason(verdict, material(*ALL))


def test_only_bundled_models_were_heard_on_emulated_arm() -> None:
    """Of others it is not claimed."""
    own = replace(GOOD, is_bundled=False)
    verdict = choose(board("4"), [own], ["clean"], [])
    assert "emulated Cortex-A72" in reason(choose(board("4"), [GOOD], ["clean"], []), material(GOOD))
    assert "emulated" not in reason(verdict, material(own))
    assert not [each for each in grounds(material(own), [verdict]) if "emulation" in each]


def test_a_model_without_figures_is_not_recommended() -> None:
    """Nobody knows how it hears."""
    verdict = choose(board("4"), [model("new", None), FAIR], ["clean"], [])
    assert verdict.model is FAIR


def test_nothing_is_recommended_without_figures() -> None:
    """Of any model."""
    assert choose(board("4"), [model("new", None)], [], []).model is None


def test_a_measured_board_keeps_what_fits() -> None:
    """The reason is the measurement, with its board."""
    found = benchmark(PI_4, models={"good": 0.012, "fair": 0.01})
    verdict = choose(board("4"), ALL, ["clean"], [found])
    assert (verdict.model, verdict.evidence) == (GOOD, "measured")
    said = reason(verdict, material(*ALL, benchmarks=[found]))
    assert f"Measured on a {PI_4}: 0.012 s of work for a second of sound (1.2 % of a core), 50 MB" in said


def test_what_is_too_slow_gives_way() -> None:
    """To the next that fits; both figures are named."""
    found = benchmark(PI_4, models={"good": BUSIEST + 0.01, "fair": 0.1})
    verdict = choose(board("4"), ALL, ["clean"], [found])
    assert verdict.model is FAIR
    assert "`good` hears better but asks too much: 0.51 s" in reason(verdict, material(*ALL))


def test_what_is_too_large_gives_way() -> None:
    """A quarter of a Zero 2 W are 128 MB."""
    zero = "Raspberry Pi Zero 2 W Rev 1.0"
    found = [
        benchmark(zero, models={"good": 0.1}, peak_mb=129),
        benchmark(zero, models={"fair": 0.1}, peak_mb=127),
    ]
    assert choose(board("Zero 2 W"), ALL, ["clean"], found).model is FAIR


def test_nothing_fits() -> None:
    """Then nothing is recommended, though it was measured."""
    verdict = choose(board("4"), ALL, ["clean"], [benchmark(PI_4, models={"good": 0.9})])
    assert (verdict.model, verdict.evidence) == (None, "measured")
    assert "asks too much" in headline([verdict])


def test_what_was_not_measured_is_named() -> None:
    """Where others were, on that board."""
    found = benchmark(PI_4, models={"fair": 0.1})
    verdict = choose(board("4"), ALL, ["clean"], [found])
    assert verdict.model is FAIR
    assert "Not measured here: `good`." in reason(verdict, material(*ALL))


def test_another_version_of_a_model_does_not_count() -> None:
    """Its checksum is another."""
    found = benchmark(PI_4, models={"good": 0.9}, version="-older")
    assert choose(board("4"), ALL, ["clean"], [found]).evidence == "relative"


def test_of_several_measurements_the_slowest_counts() -> None:
    """Whatever their order."""
    found = [benchmark(PI_4, models={"good": factor}) for factor in (0.1, 0.9, 0.2)]
    assert choose(board("4"), [GOOD], ["clean"], found).model is None


def test_one_board_says_nothing_of_another() -> None:
    """It is only what others are set beside."""
    found = [benchmark(models={"good": 0.001}), benchmark(PI_4, models={"good": 0.02})]
    verdict = choose(board("5"), ALL, ["clean"], found)
    assert verdict.evidence == "relative"
    beside = reference(GOOD, found)
    assert beside is not None
    assert beside.machine == PI_4
    assert f"on {PI_4}" in reason(verdict, material(*ALL, benchmarks=found))


@pytest.mark.parametrize(
    ("says", "name"),
    [
        ("Raspberry Pi Zero W Rev 1.1", "Pi Zero and Pi 1"),
        ("Raspberry Pi Model B Rev 2", "Pi Zero and Pi 1"),
        ("Raspberry Pi Zero 2 W Rev 1.0", "Pi Zero 2 W"),
        ("Raspberry Pi 3 Model A Plus Rev 1.0", "Pi 3"),
        ("Raspberry Pi 400 Rev 1.0", "Pi 4"),
        ("Raspberry Pi Compute Module 5 Rev 1.0", "Pi 5"),
        ("Raspberry Pi 2 Model B Rev 1.1", None),
        ("x86_64", None),
    ],
)
def test_boards_are_known_by_what_they_say(says: str, name: str | None) -> None:
    """In /proc/device-tree/model."""
    found = board_of(benchmark(says, models={}).report)
    assert (None if found is None else found.name) == name


def test_the_headline_names_every_board_once() -> None:
    """Those with a model, and those without."""
    said = headline(verdicts(material(*ALL)))
    assert said == "Run `good` on Pi Zero 2 W, Pi 3, Pi 4 and Pi 5. No model runs on Pi Zero and Pi 1."


def test_the_grounds_are_the_figures() -> None:
    """Of hearing, cost and memory, and whose they are."""
    found = material(*ALL, benchmarks=[benchmark(models={"good": 0.001, "small": 0.002})])
    said = " ".join(grounds(found, verdicts(found)))
    assert "`good` hears best: F1 0.990" in said
    assert "against 0.970 (`fair`) and 0.950 (`small`)" in said
    assert "50 MB on AMD EPYC; it takes 0.46 of the processor time of Google's YAMNet" in said
    assert "`small` takes 2.0 times as much" in said
    assert "a core 500 times slower would still have 50 % of its time left" in said
    assert "not a measurement of a Pi" in said
