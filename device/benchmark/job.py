"""What a process that measures is told, and what it answers; JSON both ways."""

from dataclasses import dataclass
from typing import Literal

from device.benchmark.results import ModelReport, Settings
from device.configuration.settings import Runtime


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work for `probe`."""

    task: Literal["prepare", "model", "yamnet", "imports"]
    settings: Settings
    models: tuple[str, ...] = ()
    """Names, or paths of sidecars. prepare: those that are wanted, all where empty; model: the one."""
    directory: str | None = None
    """`[model] directory`."""
    runtime: Runtime = "auto"
    """`[model] runtime`."""
    yamnet: str | None = None
    """Its file; prepare: None to look for it where models are."""
    tape: str = ""
    """The prepared sound: written by prepare, read by model and yamnet."""
    modules: tuple[str, ...] = ()
    """imports: what to import, in this order."""
    started_s: float = 0.0
    """time.monotonic() just before the process was started."""


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
