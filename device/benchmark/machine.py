"""The machine that is measured, as /proc, /sys and the Pi's firmware describe it; None where they do not."""

import os
import platform
import re
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import device
from device.benchmark.results import Conditions, Machine
from device.monitoring.host import cpu_temperature_c, hardware, installed_version, read_number, read_text

LIBRARIES = ("numpy", "onnxruntime", "ai-edge-litert", "tflite-runtime", "soxr")

_ARM_PARTS = {
    "0xb76": "ARM1176",
    "0xc07": "Cortex-A7",
    "0xd03": "Cortex-A53",
    "0xd04": "Cortex-A35",
    "0xd05": "Cortex-A55",
    "0xd08": "Cortex-A72",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1",
}
"""`CPU part` of /proc/cpuinfo, where ARM's kernels show no name, or only that of the instruction set.
Source: arch/arm64/include/asm/cputype.h in Linux."""

_THROTTLING = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}
"""Bits of `vcgencmd get_throttled` now; 16 higher: since the start.
raspberrypi.com/documentation/computers/os.html#get_throttled"""
_BEFORE = 16

_FIRMWARE_S = 5.0
"""How long the firmware may take to answer."""


def read_machine(root: Path = Path("/")) -> Machine:
    """The machine and the versions of everything that takes part.

    Args:
        root: of the file system that is read.
    """
    versions = {library: installed_version(library) for library in LIBRARIES}
    return Machine(
        cpu=_cpu(root / "proc/cpuinfo") or platform.processor() or platform.machine(),
        board=hardware(),
        cores=os.cpu_count() or 1,
        architecture=f"{platform.machine()}, {8 * struct.calcsize('P')}-bit",
        system=f"{platform.system()} {platform.release()}",
        versions={
            "oido": device.__version__,
            "python": platform.python_version(),
            **{library: version for library, version in versions.items() if version},
        },
    )


def vcgencmd() -> str | None:
    """What a Raspberry Pi's firmware says of throttling; None on another machine, or where it may not be asked."""
    program = shutil.which("vcgencmd")
    if program is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - Raspberry Pi's own, found on the path
            [program, "get_throttled"], capture_output=True, text=True, timeout=_FIRMWARE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout


def read_conditions(root: Path = Path("/"), *, firmware: Callable[[], str | None] = vcgencmd) -> Conditions:
    """How the machine is just now.

    Args:
        root: of the file system that is read.
        firmware: asked about throttling where the kernel does not tell.
    """
    frequency = root / "sys/devices/system/cpu/cpu0/cpufreq"
    khz = read_number(frequency / "scaling_cur_freq")
    stated = read_text(root / "sys/devices/platform/soc/soc:firmware/get_throttled") or firmware() or ""
    bits = re.search(r"(?:^|=0x)([0-9a-fA-F]+)\s*$", stated)
    return Conditions(
        governor=read_text(frequency / "scaling_governor"),
        frequency_mhz=None if khz is None else khz / 1000,
        temperature_c=cpu_temperature_c(root),
        throttling=throttling_flags(int(bits[1], 16)) if bits else None,
        load_average=os.getloadavg()[0],
    )


def throttling_flags(bits: int) -> tuple[str, ...]:
    """What the firmware's number says: what is so now, and then what was so since the start."""
    now = tuple(name for bit, name in _THROTTLING.items() if bits >> bit & 1)
    since = (name for bit, name in _THROTTLING.items() if bits >> (bit + _BEFORE) & 1)
    return (*now, *(f"{name} before" for name in since if name not in now))


def _cpu(path: Path) -> str | None:
    lines = (read_text(path) or "").splitlines()
    fields = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    part = fields.get("CPU part", "").lower()
    return _ARM_PARTS.get(part) or fields.get("model name") or (f"ARM part {part}" if part else None)
