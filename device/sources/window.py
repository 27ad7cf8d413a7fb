"""Parts of an open file, end to end, as one file object that libsndfile reads."""

import io
import os
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

Part = bytes | tuple[int, int]
"""Bytes to put there, or the [start, end) of the file that stands there."""

_ENDLESS = 1 << 40
_BUFFER_BYTES = 1 << 16
"""libmpg123 asks for four bytes at a time."""


class Window:
    """What `soundfile.SoundFile` needs of a file. The descriptor's own position is neither used nor moved.

    Args:
        descriptor: of a regular file, kept open by the caller.
        parts: in their order.
        endless: say that the end is far away, so that no length is estimated from the size; reading still ends
            after the last part. (Beyond that end stand zeros: libmpg123 looks for a tag there.)
    """

    def __init__(self, descriptor: int, parts: Sequence[Part], *, endless: bool = False) -> None:
        self._descriptor = descriptor
        self._parts = parts
        self._ends = list(accumulate(len(p) if isinstance(p, bytes) else p[1] - p[0] for p in parts))
        self._length = self._ends[-1]
        self._stated = _ENDLESS if endless else self._length
        self._position = 0
        self._buffer = b""
        self._buffered_from = 0

    @property
    def offset(self) -> int:
        """Where in the file itself the next byte stands."""
        index = min(bisect_right(self._ends, self._position), len(self._parts) - 1)
        part = self._parts[index]
        return 0 if isinstance(part, bytes) else max(part[0], part[1] - (self._ends[index] - self._position))

    def tell(self) -> int:
        """Position, bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move, as every file does; returns the new position."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._stated}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill the buffer; returns how many bytes there were."""
        view = memoryview(buffer)
        if self._position > self._length:
            view[:] = bytes(len(view))
            self._position += len(view)
            return len(view)
        done = 0
        while done < len(view):
            begin = self._position - self._buffered_from
            if not 0 <= begin < len(self._buffer):
                self._fill()
                begin = 0
                if not self._buffer:
                    break
            piece = self._buffer[begin : begin + len(view) - done]
            view[done : done + len(piece)] = piece
            done += len(piece)
            self._position += len(piece)
        return done

    def write(self, data: bytes) -> int:
        """Libsndfile wants to know that there is such a function; it never writes to what it reads."""
        raise io.UnsupportedOperation(f"{len(data)} bytes")

    def _fill(self) -> None:
        """Read on from the position, within one part."""
        self._buffered_from, self._buffer = self._position, b""
        index = bisect_right(self._ends, self._position)
        if index < len(self._parts):
            part, left = self._parts[index], self._ends[index] - self._position
            if isinstance(part, bytes):
                self._buffer = part[-left:]
            else:
                self._buffer = os.pread(self._descriptor, min(left, _BUFFER_BYTES), part[1] - left)
