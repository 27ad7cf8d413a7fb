"""Pictures that other commands drew, taken into the page."""

import base64
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from export.errors import ExportError

LARGEST_BYTES = 4_000_000
"""A page that is sent by post must not weigh more than a photograph."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">II")
_HEADER_AT = 16
"""Where a PNG says its size: after the signature, the length and the name of its first part (RFC 2083, 11.2.1)."""

_DRAWN_ANEW = frozenset({"f1"})
"""What the page draws itself, in its own colours."""

FIGURES = Path(__file__).resolve().parents[2] / "docs" / "figures"
"""Of a checkout: there lies what `oido-export evaluate --plots` drew of the bundled models."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG."""

    name: str
    """Of its file, without the ending."""
    width: int
    height: int
    """Pixels."""
    content: bytes

    @property
    def kind(self) -> str:
        """What it shows: `learning` of learning_curve.png."""
        return _kind(self.name)

    @property
    def address(self) -> str:
        """The picture itself, as an address."""
        return f"data:image/png;base64,{base64.b64encode(self.content).decode('ascii')}"


def read_pictures(folder: Path, *kinds: str) -> list[Picture]:
    """PNG files of a folder that are not too large, by name.

    Args:
        folder: which need not be there.
        kinds: only those; none: all but what the page draws itself.

    Raises:
        ExportError: one cannot be read, or is no PNG.
    """
    return [_read(path) for path in sorted(folder.glob("*.png")) if _wanted(path, kinds)]


def _wanted(path: Path, kinds: Sequence[str]) -> bool:
    kind = _kind(path.stem)
    return (kind in kinds if kinds else kind not in _DRAWN_ANEW) and path.stat().st_size <= LARGEST_BYTES


def _kind(name: str) -> str:
    """What a picture shows: `learning` of learning_curve.png."""
    return name.partition("_")[0]


def _read(path: Path) -> Picture:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ExportError(f"{path}: cannot be read: {error.strerror}") from error
    if not content.startswith(_SIGNATURE) or len(content) < _HEADER_AT + _HEADER.size:
        raise ExportError(f"{path}: not a PNG, whatever its name says; delete it or make it anew")
    width, height = _HEADER.unpack_from(content, _HEADER_AT)
    return Picture(path.stem, width, height, content)
