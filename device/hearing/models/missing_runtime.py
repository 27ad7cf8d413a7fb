"""The sentence for a missing runtime: what to install, or that this machine can never have it. Pure.

Where wheels are (PyPI, 2026): onnxruntime and ai-edge-litert for 64-bit alone; tflite-runtime for armv7l too, up
to Python 3.11. For armv6l (Raspberry Pi 1, Zero, Zero W) there is none.
"""

import platform
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_LAST_TFLITE = (3, 11)
"""The last Python for which tflite-runtime has wheels."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The Python that runs this."""

    machine: str
    """As the kernel says: a 64-bit one says `aarch64` also to a 32-bit Python."""
    bits: int
    """Of the Python itself."""
    version: tuple[int, int]

    @classmethod
    def here(cls) -> Self:
        """This one."""
        return cls(platform.machine(), 8 * struct.calcsize("P"), sys.version_info[:2])

    def __str__(self) -> str:
        """For people: `32-bit ARM with Python 3.13`."""
        system = "32-bit ARM" if self.is_small_arm else f"{self.bits}-bit {self.machine}"
        return f"{system} with Python {self.version[0]}.{self.version[1]}"

    @property
    def is_small_arm(self) -> bool:
        """Whether it is a 32-bit Python on ARM, whatever the kernel is."""
        return self.bits == 32 and self.machine.startswith(("arm", "aarch64"))  # noqa: PLR2004 - as the name says


def missing_runtime(path: Path, packages: Sequence[str], interpreter: Interpreter) -> str:
    """Why the model at this path cannot be run, and what to do.

    Args:
        path: of a .onnx or .tflite file.
        packages: those that could run it, by what pip calls them.
        interpreter: for which they would be.
    """
    is_onnx = path.suffix == ".onnx"
    either = " or ".join(packages)
    if not interpreter.is_small_arm and is_onnx:
        return f"{path}: an ONNX model needs {either}, which is not installed here: pip install {either}"
    if not interpreter.is_small_arm:
        return f"{path}: needs a TFLite runtime; install {either} with pip"
    if interpreter.version > _LAST_TFLITE or interpreter.machine.startswith("armv6"):
        return (
            f"{path}: no library that could run a model exists for {interpreter}: install the 64-bit Raspberry Pi "
            "OS (Pi 3 and later, Zero 2 W), or on armv7l use Python 3.11 (Raspberry Pi OS Bookworm)"
        )
    if is_onnx:
        return (
            f"{path}: an ONNX model needs {either}, which does not exist for {interpreter}: choose a TFLite "
            'model, for example [model] name = "attention"'
        )
    if "tflite-runtime" not in packages:
        return (
            f"{path}: {either} does not exist for {interpreter}: leave [model] runtime out, "
            "and pip install tflite-runtime 'numpy<2'"
        )
    return f"{path}: needs a TFLite runtime; for {interpreter} that is: pip install tflite-runtime 'numpy<2'"
