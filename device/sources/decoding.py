"""Frames of a file, one buffer at a time, to the real end of the sound; or one sentence why not.

No length in a header is believed, and none that is estimated from one. What is read how:

- WAV of plain samples: here (`riff.py`), up to where they really end. WAV of other samples, AU, CAF: libsndfile,
  with the sizes in the header put right.
- MP3 and MP2, also inside WAV: libsndfile, frame after frame without what is between them (`mpeg.py`).
- Ogg and FLAC: libsndfile, link after link (`links.py`).
- all else that libsndfile opens (AIFF, W64, VOC ...): it takes a header that promises more than there is down to
  what there is.
- what it does not open: ffmpeg, where it is installed (M4A, WMA, WebM, MP4 ...).

A file that was cut off ends normally where its format does not say how long it should be; otherwise a sentence
says what is missing, after all that could be decoded was yielded.
"""

import errno
import os
import shutil
import stat
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from device.errors import SourceError
from device.sound import SAMPLE_RATE, FloatArray
from device.sources import links, mpeg, riff
from device.sources.ffmpeg import NO_SOUND, AuReader, FfmpegChild
from device.sources.window import Window

Frames = Generator[tuple[int, FloatArray], None, None]
"""The sample rate in Hz and (n, channels) float32; the array is overwritten by the next."""

_REASONS = {errno.ENOENT: "there is no such file", errno.EACCES: "permission denied"}
_BROKEN = "damaged or cut short"
_READ_AHEAD = 1 << 20
"""Bytes; the decoder of FLAC is at most so far ahead of what it gave."""
_ID3V1_BYTES = 128
_POLL_S = 0.1
_SHORT_S = 0.5
"""A length that ffmpeg states may be wrong by so much: the length of the pictures, priming of the encoder."""


class AudioFile:
    """A file that may be audio. Nothing is opened until asked.

    Args:
        path: its name.
        descriptor: where it is open already; its position is not used, and it is not closed.
        program: the ffmpeg for what libsndfile does not open.
    """

    def __init__(self, path: Path, *, descriptor: int | None = None, program: str = "ffmpeg") -> None:
        self.path = path
        self.part: float | None = 0.0
        """How far in the file the last frames were, 0 to 1; None: unknown."""
        self.remarks: list[str] = []
        """What is odd about the file though it was heard to its end, one sentence each."""
        self._open_already = descriptor
        self._program = program
        self._closing = threading.Event()

    def sample_rate_hz(self) -> int:
        """Read the beginning of the sound.

        Raises:
            SourceError: as `frames`.
        """
        with closing(self.frames()) as frames:
            return next(frames)[0]

    def close(self) -> None:
        """End `frames` soon. Idempotent, from any thread."""
        self._closing.set()

    def frames(self) -> Frames:
        """Yield the sample rate in Hz and (n, channels) float32 frames; the array is overwritten by the next.

        Sample rate and channels may change in the middle.

        Raises:
            SourceError: there is no such file, it cannot be read, is not audio, or holds none; or some of its
                sound is missing, after all that could be decoded was yielded.
        """
        with self._descriptor() as descriptor:
            size = os.fstat(descriptor).st_size
            is_empty = True
            for found in self._read(descriptor, size):
                is_empty = False
                yield found
            if is_empty and not self._closing.is_set():
                raise SourceError(f"{self.path}: holds no audio")

    def _read(self, descriptor: int, size: int) -> Frames:
        """Choose who reads it."""
        wave = riff.wave(descriptor, size)
        if wave is not None and wave.is_plain:
            while wave is not None and wave.is_plain:
                for at, frames in riff.frames(descriptor, wave):
                    self.part = at / size
                    yield wave.sample_rate_hz, frames
                wave = riff.wave(descriptor, size, wave.end)  # one that was joined to it
            return
        begin, end = (wave.start, wave.end) if wave is not None else (0, size)
        is_mpeg = wave.is_mpeg if wave is not None else os.pread(descriptor, 3, 0).startswith((b"ID3", b"\xff"))
        sections = list(mpeg.sections(descriptor, begin, end)) if is_mpeg else []
        head = os.pread(descriptor, 4, 0)
        libsndfile = _libsndfile()
        try:
            if sections:
                yield from self._mpeg(descriptor, size, sections)
            elif head == b"OggS":
                yield from self._ogg(descriptor, size)
            elif head == b"fLaC":
                yield from self._flac(descriptor, size)
            else:
                parts = riff.mended(descriptor, size, wave)
                yield from self._section(Window(descriptor, parts) if parts else descriptor, size)
        except libsndfile.Unreadable as error:
            yield from self._foreign(descriptor, is_recognised=error.recognised)

    def _section(self, source: int | Window, size: int, *, before_s: float = 0.0) -> Frames:
        """What libsndfile reads, which must be as long as it says; `before_s` seconds were heard before it."""
        libsndfile = _libsndfile()
        section = libsndfile.Section(source)
        heard, rate_hz, breaks = 0, section.sample_rate_hz, False
        try:
            for frames in section.frames():
                heard += len(frames)
                self.part = section.offset / size
                yield rate_hz, frames
        except libsndfile.Undecodable:
            breaks = True
        if breaks or heard < (section.promised or 0):
            raise self._broken(before_s, heard, section.promised, rate_hz)

    def _broken(self, before_s: float, heard: int, stated: int | None, rate_hz: int) -> SourceError:
        whole = f" of {before_s + stated / rate_hz:.1f} s" if stated else ""
        return SourceError(
            f"{self.path}: {_BROKEN}: the sound breaks off at {before_s + heard / rate_hz:.1f} s{whole}"
        )

    def _ogg(self, descriptor: int, size: int) -> Frames:
        """Link after link; if one is broken, the others are heard first."""
        libsndfile = _libsndfile()
        broken: SourceError | None = None
        start: int | None = 0
        heard_s = 0.0
        while start is not None:
            following = links.next_ogg(descriptor, start)
            is_whole = start == 0 and following is None
            source = descriptor if is_whole else Window(descriptor, [(start, following or size)])
            try:
                for rate_hz, frames in self._section(source, size, before_s=heard_s):
                    heard_s += len(frames) / rate_hz
                    yield rate_hz, frames
            except SourceError as error:
                broken = broken or error
            except libsndfile.Unreadable:
                if start == 0:
                    raise
                what = f"{self.path}: {_BROKEN}: a part of it that begins at {heard_s:.1f} s cannot be read"
                broken = broken or SourceError(what)
            start = following
        if broken is not None:
            raise broken

    def _flac(self, descriptor: int, size: int) -> Frames:
        """File after file that were joined, each to its real end."""
        libsndfile = _libsndfile()
        broken: SourceError | None = None
        start: int | None = 0
        heard_s = 0.0
        while start is not None:
            head, stated = links.flac_without_length(descriptor, start)
            section = libsndfile.Section(Window(descriptor, [head, (start + len(head), size)]))
            heard, rate_hz, breaks, following = 0, section.sample_rate_hz, False, None
            try:
                for frames in section.frames(until=stated):
                    heard += len(frames)
                    self.part = section.offset / size
                    yield rate_hz, frames
                    if heard == stated:
                        following = links.next_flac(descriptor, max(start + 1, section.offset - _READ_AHEAD))
                        if following is not None:
                            break
            except libsndfile.Undecodable:
                breaks = heard != stated  # after as much as there should be, it is no more sound
            if breaks or heard < stated:
                broken = broken or self._broken(heard_s, heard, stated, rate_hz)
                following = links.next_flac(descriptor, section.offset)
            heard_s += heard / rate_hz
            start = following
        if broken is not None:
            raise broken

    def _mpeg(self, descriptor: int, size: int, sections: list[mpeg.Section]) -> Frames:
        """Section after section. Frames that a tag promised must be there; holes without a tag are remarked."""
        heard_s = missing_s = 0.0
        hole_s: float | None = None
        for found in sections:
            frame_s = found.samples / found.sample_rate_hz
            if found.holes:
                hole_s = heard_s + found.hole_after * frame_s if hole_s is None else hole_s
                if found.stated is None:
                    at_s = heard_s + found.hole_after * frame_s
                    self.remarks.append(
                        f"{self.path}: {found.holes} bytes from {at_s:.1f} s on are no MP3 and were passed over"
                    )
            if found.missing > 1:
                missing_s += found.missing * frame_s
            for rate_hz, frames in self._mpeg_section(descriptor, size, found, is_alone=len(sections) == 1):
                heard_s += len(frames) / rate_hz
                yield rate_hz, frames
        if missing_s:
            whole = f"{heard_s + missing_s:.1f} s"
            if hole_s is None:
                what = f"{_BROKEN}: the sound breaks off at {heard_s:.1f} s of {whole}"
            else:
                what = f"damaged: from {hole_s:.1f} s on, {missing_s:.1f} s of {whole} are missing"
            raise SourceError(f"{self.path}: {what}")

    def _mpeg_section(self, descriptor: int, size: int, found: mpeg.Section, *, is_alone: bool) -> Frames:
        """Frames that belong together; libmpg123 begins anew after one that it cannot decode."""
        libsndfile = _libsndfile()
        parts, length = found.parts, found.frames * found.samples
        is_tagged = parts != found.ranges
        if is_alone and len(parts) == 1 and (parts[0][1] == size or _is_id3v1(descriptor, parts[0][1], size)):
            section = libsndfile.Section(descriptor)  # twice as fast as through a window
            if not is_tagged and section.promised < length:
                section.close()
                section = libsndfile.Section(Window(descriptor, parts, endless=True))
        else:
            section = libsndfile.Section(Window(descriptor, parts, endless=not is_tagged))
        while True:
            try:
                for frames in section.frames():
                    self.part = section.offset / size
                    yield found.sample_rate_hz, frames
            except libsndfile.Undecodable:
                parts = [(max(start, section.offset), end) for start, end in parts if end > section.offset]
                if not parts:
                    return
                section = libsndfile.Section(Window(descriptor, parts, endless=True))
            else:
                return

    def _foreign(self, descriptor: int, *, is_recognised: bool) -> Frames:
        """What libsndfile does not open, through ffmpeg."""
        damaged = f"{self.path}: damaged: its header cannot be read" if is_recognised else None
        if os.pread(descriptor, 10, 0).lower().startswith((b"#extm3u", b"[playlist]")):
            raise SourceError(
                f"{self.path}: is a playlist; name the files in it, or listen to it as a source of kind 'stream'"
            )
        if shutil.which(self._program) is None:
            raise SourceError(
                damaged
                or f"{self.path}: not a kind of audio file that is read without ffmpeg (WAV, FLAC, Ogg, MP3, AIFF "
                "... are); ffmpeg, which may read it, is not installed: sudo apt install ffmpeg"
            )
        # By its content alone: a name would make ffmpeg find sound in anything.
        child = FfmpegChild("/dev/fd/0", program=self._program, stdin=descriptor)
        reader = AuReader()
        heard_s = 0.0
        try:
            while (data := child.read(_POLL_S)) != b"":
                if self._closing.is_set():
                    return
                if len(frames := reader.feed(data or b"")):
                    heard_s += len(frames) / SAMPLE_RATE
                    self.part = heard_s / child.duration_s if child.duration_s else None
                    yield SAMPLE_RATE, frames
            status, complaint = child.last_words()
        finally:
            child.close()
        if not heard_s and complaint != NO_SOUND:
            raise SourceError(
                damaged or f"{self.path}: not a kind of audio file that libsndfile or ffmpeg reads: {complaint}"
            )
        if heard_s and complaint:
            self._judge(heard_s, child.duration_s, complaint, failed=status != 0)

    def _judge(self, heard_s: float, whole_s: float | None, complaint: str, *, failed: bool) -> None:
        """Decide whether what ffmpeg complained of cost sound."""
        if not failed and heard_s > (whole_s or 0) - _SHORT_S:
            self.remarks.append(f"{self.path}: ffmpeg says: {complaint}")
            return
        whole = f" of {whole_s:.1f} s" if whole_s else ""
        raise SourceError(f"{self.path}: {_BROKEN}: the sound breaks off at {heard_s:.1f} s{whole}: {complaint}")

    @contextmanager
    def _descriptor(self) -> Iterator[int]:
        """Open the file ourselves: the operating system says what is wrong where libsndfile does not."""
        if self._open_already is not None:
            self._refuse_what_is_no_file(self._open_already)
            yield self._open_already
            return
        try:
            # Not blocking: opening a named pipe would otherwise wait for its writer.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            why = _REASONS.get(error.errno or 0, error.strerror)
            raise SourceError(f"{self.path}: cannot be read: {why}") from error
        except ValueError as error:  # a NUL character in the name
            raise SourceError(f"{str(self.path)!r}: cannot be read: {error}") from error
        try:
            self._refuse_what_is_no_file(descriptor)
            yield descriptor
        finally:
            os.close(descriptor)

    def _refuse_what_is_no_file(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise SourceError(f"{self.path}: is a directory; name the audio files in it")
        if not stat.S_ISREG(status.st_mode):
            raise SourceError(f"{self.path}: is not a file; feed it through standard input instead")
        if status.st_size == 0:
            raise SourceError(f"{self.path}: holds no audio: the file is empty")


def _libsndfile() -> Any:
    """The module that loads libsndfile; a device that listens to a microphone never does."""
    try:
        from device.sources import libsndfile  # noqa: PLC0415
    except OSError as error:
        raise SourceError(
            "recordings need the libsndfile library, which is not installed: sudo apt install libsndfile1"
        ) from error
    return libsndfile


def _is_id3v1(descriptor: int, start: int, end: int) -> bool:
    """Whether an ID3v1 tag is all that stands there."""
    return end - start == _ID3V1_BYTES and os.pread(descriptor, 3, start) == b"TAG"
