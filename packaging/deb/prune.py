"""Removes the files that the device never loads from a folder of installed wheels.

python prune.py LIBRARY

unneeded.txt names them.
"""

# ruff: noqa: INP001 - a script

import re
import sys
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

_LICENCE = re.compile(r"(licen[cs]e|copying|notice|authors|thirdparty)", re.IGNORECASE)


def patterns(text: str) -> list[str]:
    """The lines that hold a pattern, without comments."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def is_unneeded(path: str, unneeded: Iterable[str]) -> bool:
    """Whether a file can go; `path` is relative to the library. A licence stays unless its whole folder goes."""
    hits = [pattern for pattern in unneeded if fnmatchcase(path, pattern)]
    if _LICENCE.search(path.rpartition("/")[2]):
        return any(hit.endswith("/*") and not hit.startswith("*") for hit in hits)
    return bool(hits)


def prune(library: Path, unneeded: Iterable[str]) -> None:
    """Remove those files, and then the empty folders."""
    unneeded = list(unneeded)
    for path in sorted(library.rglob("*"), reverse=True):  # a folder's contents before the folder
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif is_unneeded(path.relative_to(library).as_posix(), unneeded):
            path.unlink()


if __name__ == "__main__":
    (folder,) = sys.argv[1:]
    prune(Path(folder), patterns(Path(__file__).with_name("unneeded.txt").read_text(encoding="utf-8")))
