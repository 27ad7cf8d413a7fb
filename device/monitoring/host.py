"""How the process and the machine are doing, read from /proc and /sys; None where they cannot tell."""

import platform
import resource
import sys
from pathlib import Path

_KIB = 1024


def resident_mb() -> float:
    """Resident memory of this process now, in units of 2**20 bytes."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return peak_resident_mb()
    return pages * resource.getpagesize() / _KIB**2


def peak_resident_mb() -> float:
    """The most memory this process has ever had resident, in units of 2**20 bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / _KIB**2 if sys.platform == "darwin" else peak / _KIB


def cpu_temperature_c() -> float | None:
    """The processor's temperature, where the kernel shows one (every Raspberry Pi)."""
    try:
        return int(Path("/sys/class/thermal/thermal_zone0/temp").read_text(encoding="ascii")) / 1000
    except (OSError, ValueError):
        return None


def hardware() -> str:
    """The board's name where it has one, for example `Raspberry Pi 4 Model B Rev 1.4`, otherwise the machine's."""
    try:
        name = Path("/proc/device-tree/model").read_text(encoding="utf-8").strip("\0 \n")
    except (OSError, UnicodeDecodeError):
        name = ""
    return name or platform.machine()
