"""Compiles the front end (spectra.c, decimation.c) into the wheel if there is a C compiler.

The compiler is CC, or cc. Without one, or with CC=none, the wheel is for any machine, and the device does the same
with numpy and soxr in twice the time. To build for another machine, set CC to a compiler for it and
_PYTHON_HOST_PLATFORM, which Python itself reads, to the machine (`linux-aarch64`).
"""

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags

FOLDER = "device/hearing/front_end"
SOURCES, LIBRARY = (f"{FOLDER}/spectra.c", f"{FOLDER}/decimation.c"), f"{FOLDER}/_spectra.so"

OPTIONS = ["-std=gnu11", "-O3", "-fno-math-errno", "-fno-trapping-math", "-Wno-psabi", "-fPIC", "-shared", "-s"]
"""Nobody reads errno or floating-point exceptions, and without them the compiler vectorises square roots too.
No -march=native: a wheel may run on another machine than it was built on, and spectra.c asks what the processor
can do. psABI's warning does not apply: every function that takes a vector is inlined."""


class CompilingHook(BuildHookInterface):  # type: ignore[type-arg]
    """The hook `custom` of pyproject.toml."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and name the machine in the wheel's tag."""
        root = Path(self.root)
        if version == "editable":
            self._compile(root / LIBRARY)
            return
        self._folder = tempfile.mkdtemp()
        library = Path(self._folder, "_spectra.so")
        if self._compile(library):
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{_platform()}"
            build_data["force_include"][str(library)] = LIBRARY

    def finalize(self, version: str, _build_data: dict[str, Any], _artifact_path: str) -> None:
        """Remove the temporary folder: the library is in the wheel."""
        if version != "editable":
            shutil.rmtree(self._folder)

    def _compile(self, library: Path) -> bool:
        library.unlink(missing_ok=True)
        sources = [str(Path(self.root, source)) for source in SOURCES]
        compiler = os.environ.get("CC", "cc")
        if compiler == "none":
            return False
        try:
            subprocess.run(  # noqa: S603 - CC is the builder's own
                [*shlex.split(compiler), *OPTIONS, *sources, "-o", str(library)],
                check=True,
                capture_output=True,
                text=True,
            )
        except FileNotFoundError:
            self.app.display_warning(f"no C compiler ({compiler}): numpy and soxr do its work")
        except subprocess.CalledProcessError as error:
            said = error.stderr.strip().splitlines()[-1:] or [f"exit code {error.returncode}"]
            self.app.display_warning(
                f"{compiler} cannot compile the front end ({said[0]}); numpy and soxr do its work"
            )
        return library.is_file()


def _platform() -> str:
    """The tag of pip for this machine, without a promise about the C library (manylinux)."""
    return next(tag for tag in platform_tags() if not tag.startswith(("manylinux", "musllinux")))
