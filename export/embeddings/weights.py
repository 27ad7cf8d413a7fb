"""Weights that somebody else trained: where they are to be had, and whether a file is what was published.

They are never part of this repository. A file whose checksum is not the published one is used nevertheless, with
a warning: a converted or fine-tuned network is a legitimate thing to compare, and its checksum stands in the
extractor's version.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from export.errors import ExportError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Published:
    """A file of weights as its authors publish it."""

    file: str
    address: str
    sha256: str | None
    """None: no checksum of it is known here."""

    def __str__(self) -> str:
        """For people: what to download and how to know it."""
        checksum = f"SHA-256 {self.sha256}" if self.sha256 else "no SHA-256 of it is known here"
        return f"{self.file} from {self.address} ({checksum})"


def checksum(path: Path, *, network: str, published: Sequence[Published]) -> str:
    """The SHA-256 of a file of weights; a warning is logged if it is none that was published.

    Args:
        path: the file.
        network: whose weights they are, for messages.
        published: the files that would do.

    Returns:
        64 hexadecimal digits.

    Raises:
        ExportError: the file cannot be read; the sentence says where to get one.
    """
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        choice = ", or ".join(map(str, published))
        raise ExportError(
            f"{path}: cannot read {network}'s weights: {error.strerror}; download {choice} and say where it is"
        ) from error
    known = [each.sha256 for each in published if each.sha256]
    if known and found not in known:
        _log.warning("%s: SHA-256 %s is not that of %s's published weights", path, found, network)
    elif not known:
        _log.info("%s: SHA-256 %s; none of %s's published weights is known to compare", path, found, network)
    return found
