"""Names for the streams of a corpus, so that whatever is kept of one is never taken for another's."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

from export.errors import ExportError

LONGEST_BYTES = 220
"""A file system takes 255; the rest is for what is kept of a stream: `mixture__NAME__12345s.npz.part`."""

_DIGEST = 12
_UNFIT = str.maketrans("/\0", "__")

Source = tuple[str, str, str]
"""A stream's package, label, and where it is within the package (empty: it is all that the package has of it)."""


def plain_name(package: str, label: str) -> str:
    """What a stream is called that is the only one of its package and label."""
    return f"{package}__{label}".translate(_UNFIT)


def unique_names(sources: Sequence[Source]) -> list[str]:
    """A name for each, by which a file can be called.

    Where `plain_name` would call two alike, their places within the packages come behind it. Where that is not
    enough either, or too long, a digest does.

    Args:
        sources: all streams of a corpus; no two of them are equal.
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
    """See to it that nothing is kept under the name of something else.

    A user's package can still be called as a sound that this program makes: `synthetic_hiss`.

    Args:
        names: by which files will be called.
        lost: what would be, in the error.

    Raises:
        ExportError: two are equal.
    """
    for name, count in Counter(names).items():
        if count > 1:
            raise ExportError(
                f"{count} streams are called {name}; call the package of one otherwise, or {lost} are lost"
            )


def _with_place(source: Source) -> str:
    package, label, place = source
    return "__".join(filter(None, (plain_name(package, label), place))).translate(_UNFIT)


def _with_digest(source: Source) -> str:
    """As much of the name as there is room for, and what no other source has."""
    digest = hashlib.sha256("\0".join(source).encode()).hexdigest()[:_DIGEST]
    room = LONGEST_BYTES - _DIGEST - 1
    return f"{_with_place(source).encode()[:room].decode(errors='ignore')}-{digest}"
