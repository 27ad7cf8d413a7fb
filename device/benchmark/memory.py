"""What the kernel says of this process's memory."""

from pathlib import Path

from device.benchmark.results import Memory
from device.monitoring.host import peak_resident_mb, resident_mb

_KIB = 1024


def read_memory(process: Path = Path("/proc/self")) -> Memory:
    """Peak, resident and proportional memory, now.

    The peak is not getrusage's where /proc has one: Linux lets a child begin with the peak of the program that
    started it (exec_mmap in fs/exec.c keeps the old one's), which may be several times the child's own.
    """
    status = _kib(process / "status")
    rollup = _kib(process / "smaps_rollup")
    rss = rollup.get("Rss", status.get("VmRSS"))
    peak = status.get("VmHWM")
    return Memory(
        peak_rss_mb=peak_resident_mb() if peak is None else peak / _KIB,
        rss_mb=resident_mb() if rss is None else rss / _KIB,
        pss_mb=rollup["Pss"] / _KIB if "Pss" in rollup else None,
    )


def _kib(path: Path) -> dict[str, int]:
    """The fields in kB of one of proc(5)'s files; none where there is no such file."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux, or a kernel before 4.14
        return {}
    found = {}
    for line in lines:
        name, _, value = line.partition(":")
        words = value.split()
        if len(words) == 2 and words[1] == "kB":  # noqa: PLR2004 - number and unit
            found[name] = int(words[0])
    return found
