"""What a process that measures is told, and what it answers; JSON both ways."""

from dataclasses import dataclass
from typing import Literal

from device.benchmark.results import ModelReport
from device.configuration.settings import Runtime


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work for `probe`."""

    task: Literal["prepare", "model", "yamnet", "imports"]
    started_s: float = 0.0
    """time.monotonic() just before the process was started."""
    models: tuple[str, ...] = ()
    """prepare: which are wanted, all where empty; model: the one."""
    directory: str | None = None
    """`[model] directory`."""
    runtime: Runtime = "auto"
    """`[model] runtime`."""
    threads: int = 1
    seconds: float = 0.0
    live_s: float = 0.0
    rate_hz: int = 0
    tape: str = ""
    """The prepared sound: written by prepare, read by the others."""
    yamnet: str | None = None
    """Its file; prepare: the one asked for, None to look for it."""
    modules: tuple[str, ...] = ()
    """imports: what to import, in this order."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What `prepare` found."""

    models: tuple[str, ...]
    """Sidecars."""
    yamnet: str | None


@dataclass(frozen=True, slots=True)
class Measured:
    """What `model` or `yamnet` found."""

    modules: tuple[str, ...]
    """Everything that was imported when the memory was read."""
    report: ModelReport
