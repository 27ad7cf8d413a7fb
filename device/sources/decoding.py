"""Frames of an audio file, one buffer at a time, through libsndfile; or one sentence why not.

What "broken" means differs by format, and libsndfile 1.2 was measured to do this:

- WAV, AIFF: a header that promises more than the file holds is taken down to what it holds. Such a file is a
  recording that was cut off, all of which can be heard: it ends normally.
- FLAC: an error at the first frame that cannot be decoded.
- Ogg: damage is skipped; truncation moves the end. A shortfall against the length found at opening is
  reported.
- MP3: stops without an error. Where a Xing, Info or VBRI tag gives the exact length, a shortfall is reported.
  Without one the length is an estimate and reading stops there even if half the file is left (a stream saved
  to disk, variable bit rate, files joined end to end): reading then goes on from where it stopped, as a new
  section.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from device.errors import SourceError
from device.sound import FloatArray

_LONGEST_READ = 8_192
"""Frames a read. When a read fails, libsndfile does not say how much of it was good: this much is lost."""
_BUFFER_VALUES = 1 << 18
"""Frames times channels held at once, 1 MiB of float32."""
_UNKNOWN_LENGTH = 1 << 62
"""libsndfile says SF_COUNT_MAX (2**63 - 1) where it cannot tell."""
_MALFORMED = 3
"""SF_ERR_MALFORMED_FILE in sndfile.h: the format was recognised."""
_REASONS = {errno.ENOENT: "there is no such file", errno.EACCES: "permission denied"}
_TRAILER_BYTES = 1 << 14
"""After the last MP3 frame, less than this is a tag (ID3v1, APE) or read-ahead, not more sound."""


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What the header says."""

    sample_rate_hz: int
    duration_s: float | None
    """None where the header does not say; an estimate for an MP3 without a length tag."""


class AudioFile:
    """A file on disk that may be audio. Nothing is opened until asked."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def info(self) -> AudioInfo:
        """Read the header.

        Raises:
            SourceError: there is no such file, it cannot be read, it is not audio, or it holds none.
        """
        with self._descriptor() as descriptor, self._section(descriptor) as section:
            if section.frames == 0:
                raise SourceError(f"{self.path}: holds no audio")
            known = section.frames < _UNKNOWN_LENGTH
            return AudioInfo(section.samplerate, section.frames / section.samplerate if known else None)

    def frames(self) -> Iterator[tuple[int, FloatArray]]:
        """Yield the sample rate in Hz and (n, channels) float32 frames; the array is overwritten by the next.

        Raises:
            SourceError: as `info`; or the sound breaks off, after all that could be decoded was yielded.
        """
        with self._descriptor() as descriptor:
            size = os.fstat(descriptor).st_size
            exact = _has_length_tag(descriptor)
            shape: tuple[int, int] | None = None
            heard = 0
            while True:
                offset = os.lseek(descriptor, 0, os.SEEK_CUR)
                try:
                    opened = self._section(descriptor)
                except SourceError:
                    if shape is None:
                        raise
                    return  # what follows the last MP3 frame is no more sound
                with opened as section:
                    rate_hz = section.samplerate
                    if shape is None:
                        shape = (rate_hz, section.channels)
                    elif shape != (rate_hz, section.channels):
                        raise SourceError(
                            f"{self.path}: its sample rate or channels change at {heard / shape[0]:.1f} s; "
                            "split it there"
                        )
                    promised = heard + section.frames
                    for frames in self._decode(section, heard):
                        heard += len(frames)
                        yield rate_hz, frames
                    is_mp3 = section.format == "MP3"
                position = os.lseek(descriptor, 0, os.SEEK_CUR)
                more = size - position > _TRAILER_BYTES
                if heard < promised < _UNKNOWN_LENGTH and (exact or more or not is_mp3):
                    raise SourceError(self._broken(heard, promised, rate_hz))
                if not (is_mp3 and more and position > offset):
                    break
            if not heard:
                raise SourceError(f"{self.path}: holds no audio")

    def _decode(self, section: Any, before: int) -> Iterator[FloatArray]:
        """Read one section to its end; `before` frames were read from earlier ones."""
        import soundfile  # noqa: PLC0415 - loaded already, by _section

        shape = (min(_LONGEST_READ, _BUFFER_VALUES // section.channels), section.channels)
        buffer = np.empty(shape, np.float32)
        # numpy scales 16-bit samples four times faster than libsndfile, to the same bits.
        raw = np.empty(shape, np.int16) if section.subtype == "PCM_16" else buffer
        heard = before
        while True:
            try:
                read = section.read(out=raw)
            except soundfile.LibsndfileError as error:
                promised = before + section.frames
                raise SourceError(self._broken(heard, promised, section.samplerate)) from error
            if not len(read):
                return
            heard += len(read)
            frames = buffer[: len(read)]
            if raw is not buffer:
                np.multiply(read, np.float32(1 / 32_768), out=frames)
            yield frames

    def _broken(self, heard: int, promised: int, rate_hz: int) -> str:
        whole = f" of {promised / rate_hz:.1f} s" if promised < _UNKNOWN_LENGTH else ""
        return f"{self.path}: damaged or cut short: the sound breaks off at {heard / rate_hz:.1f} s{whole}"

    @contextmanager
    def _descriptor(self) -> Iterator[int]:
        """Open the file ourselves: the operating system says what is wrong where libsndfile does not."""
        try:
            # Not blocking: opening a named pipe would otherwise wait for its writer.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            why = _REASONS.get(error.errno or 0, error.strerror)
            raise SourceError(f"{self.path}: cannot be read: {why}") from error
        except ValueError as error:  # a NUL character in the name
            raise SourceError(f"{str(self.path)!r}: cannot be read: {error}") from error
        try:
            status = os.fstat(descriptor)
            if stat.S_ISDIR(status.st_mode):
                raise SourceError(f"{self.path}: is a directory; name the audio files in it")
            if not stat.S_ISREG(status.st_mode):
                raise SourceError(f"{self.path}: is not a file; feed it through standard input instead")
            if status.st_size == 0:
                raise SourceError(f"{self.path}: holds no audio: the file is empty")
            yield descriptor
        finally:
            os.close(descriptor)

    def _section(self, descriptor: int) -> Any:
        """Let libsndfile read from here on; the descriptor stays ours."""
        try:
            import soundfile  # noqa: PLC0415 - a device that listens to a microphone never loads it
        except OSError as error:
            raise SourceError(
                "recordings need the libsndfile library, which is not installed: sudo apt install libsndfile1"
            ) from error
        try:
            return soundfile.SoundFile(descriptor, closefd=False)
        except soundfile.LibsndfileError as error:
            if error.code == _MALFORMED:
                raise SourceError(f"{self.path}: damaged: its header cannot be read") from error
            raise SourceError(
                f"{self.path}: not a kind of audio file that is read here (WAV, FLAC, Ogg, MP3, AIFF ...); "
                "what ffmpeg opens can be heard as a source of kind 'stream'"
            ) from error


def _has_length_tag(descriptor: int) -> bool:
    """Whether an MP3 says how long it is: a Xing, Info or VBRI tag in its first frame, after any ID3v2 tag.

    Sources: id3.org, ID3v2.4 section 3.1 (the size has seven bits a byte); LAME's "Mp3 Info Tag revision 1".
    """
    head = os.pread(descriptor, 10, 0)
    start = 0
    if head.startswith(b"ID3") and len(head) == 10:  # noqa: PLR2004 - the header's length
        start = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
    frame = os.pread(descriptor, 256, start)
    return any(tag in frame for tag in (b"Xing", b"Info", b"VBRI"))
