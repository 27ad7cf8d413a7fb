"""How the process and the machine are doing, read from /proc and /sys; None where they cannot tell."""

import importlib.metadata
import platform
import re
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

_KIB = 1024
_PROCESS = Path("/proc/self")


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one process, in units of 2**20 bytes; None where the kernel does not tell."""

    peak_rss_mb: float
    """The most that was ever resident."""
    rss_mb: float
    """Resident now."""
    pss_mb: float | None
    """The same, but a page that n processes share counts as 1/n."""


def read_memory(process: Path = _PROCESS) -> Memory:
    """All that the kernel says of this process's memory; takes milliseconds, as every page is looked at.

    The peak is not getrusage's where /proc has one: Linux lets a child begin with the peak of the program that
    started it (exec_mmap in fs/exec.c keeps the old one's), which may be several times the child's own.
    """
    status, rollup = _kib(process / "status"), _kib(process / "smaps_rollup")
    peak = status.get("VmHWM") or _peak_kib()
    return Memory(
        peak_rss_mb=peak / _KIB,
        rss_mb=(rollup.get("Rss") or status.get("VmRSS") or peak) / _KIB,
        pss_mb=rollup["Pss"] / _KIB if "Pss" in rollup else None,
    )


def resident_mb() -> float:
    """Resident memory of this process now, in units of 2**20 bytes."""
    return (_kib(_PROCESS / "status").get("VmRSS") or _peak_kib()) / _KIB


def cpu_temperature_c(root: Path = Path("/")) -> float | None:
    """The processor's temperature, where the kernel shows one (every Raspberry Pi)."""
    millidegrees = read_number(root / "sys/class/thermal/thermal_zone0/temp")
    return None if millidegrees is None else millidegrees / 1000


def hardware() -> str:
    """The board's name where it has one, for example `Raspberry Pi 4 Model B Rev 1.4`, otherwise the machine's."""
    return read_text(Path("/proc/device-tree/model")) or platform.machine()


def installed_version(library: str) -> str | None:
    """Which version of a library is installed; None: none."""
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None


def read_text(path: Path) -> str | None:
    """What the kernel says in a file, without the end of its line; None where it has no such file."""
    try:
        return path.read_text(encoding="utf-8").strip("\0 \n")
    except (OSError, UnicodeDecodeError):
        return None


def read_number(path: Path) -> int | None:
    """A whole number that the kernel says in a file; None where it says none."""
    try:
        return int(read_text(path) or "")
    except ValueError:
        return None


def _peak_kib() -> float:
    """The most memory that this process has ever had, where there is no /proc."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / _KIB if sys.platform == "darwin" else peak


def _kib(path: Path) -> dict[str, int]:
    """The fields in kB of one of proc(5)'s files; none where there is no such file."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux, or a kernel before 4.14
        return {}
    return {name: int(kib) for name, kib in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)}
