"""Prints the copyright file of the package (DEP-5): oido itself, then each bundled library.

python licences.py LIBRARY

LIBRARY is a folder of installed wheels with their RECORD files.
"""

# ruff: noqa: INP001 - a script

import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

WHERE = "usr/lib/oido"

_CLASSIFIED = "License :: OSI Approved :: "


def stanza(library: Path, distribution: Distribution, tops: list[str]) -> str:
    """The paragraph of one library: its files, its authors, its licence, and where the package has its text.

    Args:
        library: the folder of installed wheels.
        distribution: one of them.
        tops: the files and folders that it installed there.
    """
    files = "\n ".join(f"{WHERE}/{top}{'/*' if (library / top).is_dir() else ''}" for top in sorted(tops))
    texts = sorted(
        path.relative_to(library).as_posix()
        for top in tops
        for path in (library / top).rglob("*")
        if path.is_file() and re.match(r"(?i)(licen[cs]e|copying|notice|thirdparty)", path.name)
    )
    licence = _licence(distribution)
    paths = [f"/{WHERE}/{text}" for text in texts]
    if not paths and "Apache" in licence:
        paths = ["/usr/share/common-licenses/Apache-2.0"]
    where = "\n ".join(paths) or "(its wheel brings none)"
    name = distribution.metadata["Name"]
    return (
        f"Files: {files}\n"
        f"Copyright: {_author(distribution)}\n"
        f"License: {name}-licence\n"
        f" {licence}.\n"
        f" Version {distribution.version} of {name}, as its authors published it. The whole text:\n"
        f" .\n"
        f" {where}\n"
    )


def _author(distribution: Distribution) -> str:
    named = _field(distribution, "Author") or _field(distribution, "Author-email") or "the authors"
    return f"{re.sub(r' *<[^>]*>', '', named)} and contributors, as the files say".replace('"', "")


def _field(distribution: Distribution, name: str) -> str:
    return str((distribution.metadata.get_all(name) or [""])[0])


def _licence(distribution: Distribution) -> str:
    """The licence as the wheel states it, in one line."""
    classified = [
        each.removeprefix(_CLASSIFIED)
        for each in distribution.metadata.get_all("Classifier") or ()
        if each.startswith(_CLASSIFIED)
    ]
    stated = (
        _field(distribution, "License-Expression") or " and ".join(classified) or _field(distribution, "License")
    )
    return stated.strip().splitlines()[0] if stated.strip() else "See the text"


def owners(library: Path) -> Iterator[tuple[Distribution, list[str]]]:
    """Each library except oido, with the files and folders that it installed.

    Raises:
        SystemExit: a file belongs to no library.
    """
    found = {each.metadata["Name"].lower(): each for each in distributions(path=[str(library)])}
    owned: dict[str, list[str]] = {name: [] for name in found}
    for top in sorted(path.name for path in library.iterdir()):
        name = next((name for name, each in found.items() if _is_of(top, each)), None)
        if name is None:
            sys.exit(f"licences.py: no installed distribution has {top}: build in an empty folder")
        owned[name].append(top)
    for name in sorted(owned.keys() - {"oido"}):
        yield found[name], owned[name]


def _is_of(top: str, distribution: Distribution) -> bool:
    """Whether its RECORD has a path there."""
    return any(path.parts[0] == top for path in distribution.files or ())


def main(library: Path) -> None:
    """Print the whole file."""
    print(Path(__file__).with_name("copyright").read_text(encoding="utf-8").rstrip())  # noqa: T201 - a script
    for distribution, tops in owners(library):
        print(f"\n{stanza(library, distribution, tops).rstrip()}")  # noqa: T201 - a script


if __name__ == "__main__":
    (folder,) = sys.argv[1:]
    main(Path(folder))
