"""Checks that a folder of installed wheels has everything that the target needs, and nothing else.

python closure.py LIBRARY ARCHITECTURE PYTHON

pip decides by the machine that it runs on what is needed, even when it installs for another one. So this reads
every requirement again, with the markers of the target. Needs pip.
"""

# ruff: noqa: INP001 - a script

import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

# pip's own reading of requirements: it is where pip is.
from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name

MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
"""Debian's architectures, and what `platform.machine()` returns on each."""


def environment(architecture: str, python: str) -> dict[str, str]:
    """The values of markers on the target (packaging.python.org, dependency specifiers)."""
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": "posix",
        "platform_machine": MACHINES[architecture],
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }


def wrong(installed: dict[str, Distribution], root: str, target: dict[str, str]) -> Iterator[str]:
    """One sentence for each distribution that is missing, has the wrong version, or is not needed.

    Args:
        installed: by canonical name.
        root: the distribution whose requirements are followed.
        target: the values of markers.
    """
    needed = {root}
    waiting = [root]
    while waiting:
        name = waiting.pop()
        for text in installed[name].requires or ():
            requirement = Requirement(text)
            if requirement.marker and not requirement.marker.evaluate({**target, "extra": ""}):
                continue
            wanted = canonicalize_name(requirement.name)
            if wanted not in installed:
                yield f"{name} needs {text}, which is not there"
            elif not requirement.specifier.contains(installed[wanted].version, prereleases=True):
                yield f"{name} needs {text}, and there is {installed[wanted].version}"
            elif wanted not in needed:
                needed.add(wanted)
                waiting.append(wanted)
    for name in sorted(installed.keys() - needed):
        yield f"{name} is there, and nothing needs it"


if __name__ == "__main__":
    library, architecture, python = sys.argv[1:]
    found = {
        str(canonicalize_name(each.metadata["Name"])): each for each in distributions(path=[str(Path(library))])
    }
    sentences = list(wrong(found, "oido", environment(architecture, python)))
    sys.exit("\n".join(f"closure.py: {sentence}" for sentence in sentences) or None)
