"""Frames through libsndfile, read forward only.

`soundfile` asks for the position before each read and seeks to it afterwards, which costs a FLAC as much as
decoding it, and breaks off those whose header does not say how long they are.
"""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import soundfile

from device.sound import FloatArray
from device.sources.window import Window

_LONGEST_READ, _SHORT_READ = 32_768, 512
"""Frames a read. When a read fails, libsndfile does not say how much of it was good: the file is read again in
short ones, of which the last is lost."""
_BUFFER_VALUES = 1 << 18
"""Frames times channels held at once, 1 MiB of float32."""
_UNKNOWN_LENGTH = 1 << 62
"""libsndfile says SF_COUNT_MAX (2**63 - 1) where it cannot tell."""
MALFORMED = 3
"""SF_ERR_MALFORMED_FILE in sndfile.h: the format was recognised."""


class Unreadable(Exception):  # noqa: N818 - what the file is for libsndfile
    """libsndfile does not open this; nothing was read."""

    def __init__(self, error: soundfile.LibsndfileError) -> None:
        super().__init__(str(error))
        self.recognised = error.code == MALFORMED


class Undecodable(Exception):  # noqa: N818 - what the rest is
    """The sound breaks off here, after all that could be decoded was yielded."""


class Section:
    """Something that libsndfile reads: a whole file, or a window of it.

    The descriptor stays the caller's.

    Raises:
        Unreadable: libsndfile does not open it.
    """

    def __init__(self, source: int | Window) -> None:
        self._source = source
        try:
            self._file = self._opened()
        except soundfile.LibsndfileError as error:
            raise Unreadable(error) from error
        self.sample_rate_hz: int = self._file.samplerate
        self.promised: int | None = self._file.frames if self._file.frames < _UNKNOWN_LENGTH else None
        """Frames, as the header says or as libsndfile estimates; None: it cannot tell."""

    def _opened(self) -> Any:
        if isinstance(self._source, Window):
            self._source.seek(0)
        else:
            os.lseek(self._source, 0, os.SEEK_SET)
        return _Forward(self._source, closefd=False)

    def close(self) -> None:
        """Let go of it unread."""
        self._file.close()

    @property
    def offset(self) -> int:
        """How far the file was read, bytes; the decoder may hold some of it back."""
        if isinstance(self._source, Window):
            return self._source.offset
        return os.lseek(self._source, 0, os.SEEK_CUR)

    def frames(self, *, until: int = 0) -> Iterator[FloatArray]:
        """Yield (n, channels) float32 to the end; the array is overwritten by the next.

        Args:
            until: one array ends after so many frames, whatever comes then.

        Raises:
            Undecodable: it breaks off.
        """
        heard = again = 0
        try:
            for frames in self._read(_LONGEST_READ, until):
                heard += len(frames)
                yield frames
        except soundfile.LibsndfileError:
            self._file = self._opened()
            try:
                for frames in self._read(_SHORT_READ, until):
                    again += len(frames)
                    if again > heard:
                        yield frames[-(again - heard) :]
            except soundfile.LibsndfileError as error:
                raise Undecodable(str(error)) from error

    def _read(self, longest: int, until: int) -> Iterator[FloatArray]:
        with self._file as file:
            shape = (max(1, min(longest, _BUFFER_VALUES // file.channels)), file.channels)
            buffer = np.empty(shape, np.float32)
            # numpy scales 16-bit samples four times faster than libsndfile, to the same bits.
            raw = np.empty(shape, np.int16) if file.subtype == "PCM_16" else buffer
            heard = 0
            while len(read := file.read(out=raw[: until - heard] if heard < until else raw)):
                heard += len(read)
                frames = buffer[: len(read)]
                if raw is not buffer:
                    np.multiply(read, np.float32(1 / 32_768), out=frames)
                yield frames


class _Forward(soundfile.SoundFile):  # type: ignore[misc]  # it has no types
    """Neither asks where it is nor seeks."""

    def seekable(self) -> bool:
        return False
