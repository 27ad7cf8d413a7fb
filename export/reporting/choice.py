"""Which model on which Raspberry Pi, and why. Pure: figures in, a verdict out.

A board that was measured is judged by its measurement. One that was not gets the model that hears best among those
that some runtime is published for, with what its cost on another machine says, and a word that nobody measured it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from device.benchmark.results import ModelReport, Report
from export.reporting.material import Benchmark, Model

BUSIEST = 0.5
"""Seconds of work for a second of sound that a model may take: half of one core stays free."""

LARGEST_PART = 0.25
"""Of a board's memory that the process may take."""

Evidence = Literal["measured", "relative", "none"]

Architecture = Literal["aarch64", "armv7l", "armv6l"]

RUNTIMES: Mapping[Architecture, Mapping[str, str]] = {
    "aarch64": {".tflite": "ai-edge-litert", ".onnx": "onnxruntime"},
    "armv7l": {".tflite": "tflite-runtime"},
    "armv6l": {},
}
"""What runs a model's file where a plain install is all there is: as the markers in pyproject.toml say."""


@dataclass(frozen=True, slots=True)
class Board:
    """One kind of Raspberry Pi (raspberrypi.com/documentation/computers/raspberry-pi.html)."""

    name: str
    processor: str
    memory_mb: int
    """Of the smallest that is sold; units of 2**20 bytes."""
    systems: tuple[Architecture, ...]
    """That Raspberry Pi OS is there for, the better first."""
    says: tuple[str, ...]
    """Beginnings of what its firmware calls itself, in /proc/device-tree/model."""

    @property
    def runtimes(self) -> Mapping[Architecture, Mapping[str, str]]:
        """Of its systems."""
        return {system: RUNTIMES[system] for system in self.systems}


_PI = "Raspberry Pi "

BOARDS = (
    Board("Pi Zero and Pi 1", "ARM1176", 512, ("armv6l",), (f"{_PI}Zero W", f"{_PI}Zero Rev", f"{_PI}Model")),
    Board("Pi Zero 2 W", "Cortex-A53", 512, ("aarch64", "armv7l"), (f"{_PI}Zero 2",)),
    Board("Pi 3", "Cortex-A53", 512, ("aarch64", "armv7l"), (f"{_PI}3", f"{_PI}Compute Module 3")),
    Board("Pi 4", "Cortex-A72", 1024, ("aarch64", "armv7l"), (f"{_PI}4", f"{_PI}Compute Module 4")),
    Board("Pi 5", "Cortex-A76", 1024, ("aarch64", "armv7l"), (f"{_PI}5", f"{_PI}Compute Module 5")),
)

EMULATED = ("Cortex-A53", "Cortex-A72", "Cortex-A76")
"""Processors as which `bash tests/arm/run` has the program hear, and compares with x86."""


def board_of(report: Report) -> Board | None:
    """Which of BOARDS a benchmark was made on; None: another machine."""
    return next((board for board in BOARDS if report.machine.board.startswith(board.says)), None)


def measured_boards(benchmarks: Iterable[Benchmark]) -> list[str]:
    """The names of the boards among them, sorted."""
    return sorted({board.name for each in benchmarks if (board := board_of(each.report)) is not None})


@dataclass(frozen=True, slots=True)
class Measured:
    """A model on a machine."""

    benchmark: Benchmark
    model: ModelReport

    @property
    def machine(self) -> str:
        """What a person would call it."""
        machine = self.benchmark.report.machine
        return machine.cpu if board_of(self.benchmark.report) is None else machine.board

    @property
    def headroom(self) -> float:
        """By which factor a core may be slower than this one and still have half of its time left."""
        return BUSIEST / self.model.real_time_factor

    @property
    def slowed(self) -> tuple[str, ...]:
        """What the firmware says went wrong meanwhile."""
        return self.benchmark.report.after.throttling or ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """For one board."""

    board: Board
    model: Model | None
    """None: none can be recommended."""
    evidence: Evidence
    measured: Measured | None = None
    """On this board."""
    passed_over: tuple[Measured, ...] = ()
    """Models that hear better but cost this board too much."""
    unmeasured: tuple[Model, ...] = ()
    """Models that hear better and were not measured there."""


def ranked(models: Sequence[Model], sounds: Sequence[str]) -> list[Model]:
    """Those with figures, the one that hears best first: by F1, the mean over sounds that all have heard."""
    having = [model for model in models if model.answers]
    return sorted(having, key=lambda model: model.f1(sounds), reverse=True) if sounds else []


def choose(
    board: Board, models: Sequence[Model], sounds: Sequence[str], benchmarks: Sequence[Benchmark]
) -> Verdict:
    """The verdict on a board.

    Args:
        board: which.
        models: that may be chosen.
        sounds: by which they are ranked.
        benchmarks: of any machines.
    """
    order = ranked(models, sounds)
    here = {
        model.name: found
        for model in order
        if (found := slowest(model, [each for each in benchmarks if board_of(each.report) is board]))
    }
    if here:
        return _by_measurement(board, order, here)
    runnable = [model for model in order if any(model.suffix in there for there in board.runtimes.values())]
    if not runnable:
        return Verdict(board, None, "none")
    return Verdict(board, runnable[0], "relative")


def _by_measurement(board: Board, order: Sequence[Model], here: Mapping[str, Measured]) -> Verdict:
    too_much: list[Measured] = []
    unmeasured: list[Model] = []
    for model in order:
        found = here.get(model.name)
        if found is None:
            unmeasured.append(model)
        elif fits(board, found.model):
            return Verdict(board, model, "measured", found, tuple(too_much), tuple(unmeasured))
        else:
            too_much.append(found)
    return Verdict(board, None, "measured", None, tuple(too_much), tuple(unmeasured))


def fits(board: Board, model: ModelReport) -> bool:
    """Whether a board can carry a model beside all else."""
    return model.real_time_factor <= BUSIEST and model.memory.peak_rss_mb <= LARGEST_PART * board.memory_mb


def slowest(model: Model, benchmarks: Sequence[Benchmark]) -> Measured | None:
    """The worst that was measured of this very file; None: nothing was."""
    found = [
        Measured(benchmark, each)
        for benchmark in benchmarks
        for each in benchmark.report.models
        if (each.name, each.sha256) == (model.name, model.sha256)
    ]
    return max(found, key=lambda each: each.model.real_time_factor, default=None)


def reference(model: Model, benchmarks: Sequence[Benchmark]) -> Measured | None:
    """Where a model was measured, a Raspberry Pi before anything else; None: nowhere."""
    on_a_pi = [each for each in benchmarks if board_of(each.report) is not None]
    return slowest(model, on_a_pi) or slowest(model, benchmarks)
