"""Unique names for the streams of a corpus: files about one are never taken for another's."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

from export.errors import ExportError

LONGEST_BYTES = 220
"""A file system takes 255; the rest is for what is kept of a stream: `mixture__NAME__12345s.npz.part`."""

_DIGEST = 12
_UNFIT = str.maketrans("/\0", "__")

Source = tuple[str, str, str]
"""A stream's package, label, and place in the package (empty: the package has no other of the label)."""


def plain_name(package: str, label: str) -> str:
    """The name of a stream that is the only one of its package and label."""
    return f"{package}__{label}".translate(_UNFIT)


def unique_names(sources: Sequence[Source]) -> list[str]:
    """A unique file name for each of the sources, no two of which are equal.

    Where two would have the same `plain_name`, the place in the package follows it. Where the name is still not
    unique, or too long, it ends in a digest.
    """
    names = [plain_name(package, label) for package, label, _ in sources]
    for longer in (_with_place, _with_digest):
        # Some file systems take capitals and small letters for the same.
        alike = Counter(name.casefold() for name in names)
        names = [
            name if alike[name.casefold()] == 1 and len(name.encode()) <= LONGEST_BYTES else longer(source)
            for name, source in zip(names, sources, strict=True)
        ]
    return names


def refuse_alike(names: Iterable[str], *, lost: str) -> None:
    """Refuse two equal names of files; `lost` says in the error what would be lost.

    A user's package can still have the name of a sound that this program makes: `synthetic_hiss`.

    Raises:
        ExportError: two are equal.
    """
    for name, count in Counter(names).items():
        if count > 1:
            raise ExportError(
                f"{count} streams are called {name}, so {lost} would be lost; rename the package of one of them"
            )


def _with_place(source: Source) -> str:
    package, label, place = source
    return "__".join(filter(None, (plain_name(package, label), place))).translate(_UNFIT)


def _with_digest(source: Source) -> str:
    """As much of the name as fits, and a digest of the source."""
    digest = hashlib.sha256("\0".join(source).encode()).hexdigest()[:_DIGEST]
    room = LONGEST_BYTES - _DIGEST - 1
    return f"{_with_place(source).encode()[:room].decode(errors='ignore')}-{digest}"
