"""Where the samples of a WAV file are (RIFF, RF64, BW64), plain samples themselves, and headers put right.

A size in the header is what the writer knew when it wrote it: 0 if it was killed before it came back, 2**32 - 1 if
it could not come back (a pipe), the rest of a division by 2**32 in files beyond 4 GiB. So a size holds only where
something that is not sound follows: the end, another chunk, a tag, or nothing but zeros.

AU and CAF have sizes of the same kind.

Sources: Microsoft, "Multimedia Programming Interface and Data Specifications 1.0"; EBU Tech 3306 (RF64);
Apple, "Core Audio Format Specification".
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from device.sound import FloatArray
from device.sources.window import Part

PCM, FLOAT, MPEG_LAYER_2, MPEG_LAYER_3, EXTENSIBLE = 1, 3, 0x50, 0x55, 0xFFFE
"""mmreg.h: WAVE_FORMAT_..."""

_WRAP = 1 << 32
_UNKNOWN = 0xFFFF_FF00
"""From here on a size says that it was not known."""
_READ_BYTES = 1 << 16
_FMT_BYTES, _EXTENSIBLE_BYTES = 16, 26
_AU_BYTES = 24
"""Of the header of an AU file."""
_KINDS = (b"RIFF", b"RF64", b"BW64")
_TAGS = (b"TAG", b"ID3", b"APETAGEX")


@dataclass(frozen=True, slots=True)
class Wave:
    """What a WAV file holds."""

    code: int
    """The kind of samples: `PCM`, `FLOAT`, or another of mmreg.h."""
    channels: int
    sample_rate_hz: int
    frame_bytes: int
    """Of all channels, for plain samples."""
    start: int
    """Of the samples, bytes from the beginning of the file."""
    end: int
    """Where they really end."""
    as_stated: bool
    """Whether that is where the header says, or would if the file were not cut off."""

    @property
    def is_mpeg(self) -> bool:
        """Whether the samples are frames of MP3 or MP2."""
        return self.code in {MPEG_LAYER_2, MPEG_LAYER_3}

    @property
    def is_plain(self) -> bool:
        """Whether `frames` can read it."""
        widths = {PCM: (1, 2, 3, 4), FLOAT: (4, 8)}.get(self.code, ())
        return self.channels > 0 and self.frame_bytes in [width * self.channels for width in widths]


def wave(descriptor: int, size: int, begin: int = 0) -> Wave | None:
    """Find the samples; None if there is no WAV file with a format and samples at `begin`."""
    head = os.pread(descriptor, 12, begin)
    if head[:4] not in _KINDS or head[8:] != b"WAVE":
        return None
    at, fmt, long = begin + 12, b"", None
    while len(header := os.pread(descriptor, 8, at)) == 8:  # noqa: PLR2004 - a chunk's header
        name, stated = header[:4], int.from_bytes(header[4:], "little")
        at += 8
        if name == b"fmt ":
            fmt = os.pread(descriptor, min(stated, _EXTENSIBLE_BYTES), at)
        elif name == b"ds64":
            long = int.from_bytes(os.pread(descriptor, 16, at)[8:], "little")
        elif name == b"data":
            if len(fmt) < _FMT_BYTES:
                return None
            code, channels, rate_hz, _, frame_bytes, bits = struct.unpack_from("<HHIIHH", fmt)
            if code == EXTENSIBLE and len(fmt) == _EXTENSIBLE_BYTES:
                code = int.from_bytes(fmt[24:], "little")
            if code in {PCM, FLOAT} and bits % 8:
                code = 0  # 12 bits in 16 and the like: libsndfile knows what to do
            if long is not None and stated >= _UNKNOWN:
                stated = long
            end = _end(descriptor, size, at, stated)
            return Wave(code, channels, rate_hz, frame_bytes, at, end, end == min(at + stated, size))
        at += stated + stated % 2
    return None


def _end(descriptor: int, size: int, start: int, stated: int) -> int:
    """Where samples end that begin at `start`, of which the header says that they are `stated` bytes."""
    end = start + stated
    if end >= size or _UNKNOWN <= stated < _WRAP:
        return size
    if size - end >= _WRAP - _READ_BYTES:
        return size  # only what is left of the size after so many times 2**32
    after = os.pread(descriptor, 9, end)
    if stated % 2 and after[:1] == b"\0":
        after = after[1:]
    if len(after) < 8 and size - end < 8:  # noqa: PLR2004 - less than a chunk's header
        return end
    if after.startswith((*_TAGS, *_KINDS)) or _is_chunk(after, size - end):
        return end
    return size if stated == 0 or _holds_anything(descriptor, end, size) else end


def _is_chunk(header: bytes, left: int) -> bool:
    """Whether a chunk begins here: a name of letters, and a size that the file has room for."""
    name, stated = header[:4], int.from_bytes(header[4:8], "little")
    return all(0x20 <= letter < 0x7F for letter in name) and stated + 8 <= left + 1  # noqa: PLR2004 - ASCII


def _holds_anything(descriptor: int, start: int, end: int) -> bool:
    """Whether there is anything but zeros."""
    return any(os.pread(descriptor, 1 << 20, at).strip(b"\0") for at in range(start, end, 1 << 20))


def mended(descriptor: int, size: int, found: Wave | None) -> list[Part] | None:
    """A file whose header libsndfile would believe, and the right header before its samples; None: it is right."""
    head = bytearray(os.pread(descriptor, found.start if found else 1 << 12, 0))
    if found:
        head[:4], length = b"RIFF", found.end - found.start
        head[4:8] = min(len(head) + length - 8, _WRAP - 1).to_bytes(4, "little")
        head[-4:] = min(length, _WRAP - 1).to_bytes(4, "little")
        return None if found.as_stated else [bytes(head), (found.start, found.end)]
    if head[:4] == b".snd" and len(head) > _AU_BYTES:
        start, stated = struct.unpack_from(">II", head, 4)
        is_right = not _AU_BYTES <= start < size or stated in {size - start, _WRAP - 1}
        return None if is_right else [bytes(head[:8]) + b"\xff" * 4, (12, size)]
    return _mended_caf(bytes(head), size) if head[:4] == b"caff" else None


def _mended_caf(head: bytes, size: int) -> list[Part] | None:
    at = 8
    while at + 12 <= len(head):
        name, (stated,) = head[at : at + 4], struct.unpack_from(">q", head, at + 4)
        at += 12
        if name == b"data":
            is_right = 0 < stated <= size - at
            return None if is_right else [head[: at - 8] + (size - at).to_bytes(8, "big"), (at, size)]
        if stated < 0:
            return None
        at += stated
    return None


def frames(descriptor: int, found: Wave) -> Iterator[tuple[int, FloatArray]]:
    """Yield where in the file the next samples are, and (n, channels) float32; the array is used again.

    The same bits as from libsndfile: whole numbers are scaled to [-1, 1).
    """
    width = found.frame_bytes // found.channels
    count = max(1, _READ_BYTES // found.frame_bytes)
    raw = bytearray(count * found.frame_bytes)
    values = np.empty((count, found.channels), np.float32)
    at = found.start
    while True:
        read = os.preadv(descriptor, [memoryview(raw)[: found.end - at]], at)
        whole = read // found.frame_bytes
        if not whole:
            return
        at += whole * found.frame_bytes
        flat = values[:whole].reshape(-1)
        _scale(memoryview(raw)[: flat.size * width], found.code, width, flat)
        yield at, values[:whole]


def _scale(raw: memoryview, code: int, width: int, out: FloatArray) -> None:
    """Little-endian samples of `width` bytes to float32, full scale 1."""
    if code == FLOAT:
        with np.errstate(over="ignore", invalid="ignore"):  # what is no float32 is not finite, and told as such
            out[:] = np.frombuffer(raw, f"<f{width}")
    elif width == 1:
        np.subtract(np.frombuffer(raw, np.uint8), np.float32(128), out=out)
        out /= np.float32(128)
    elif width == 3:  # noqa: PLR2004 - 24 bits, put into the upper bytes of 32
        padded = np.zeros((out.size, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        np.divide(padded.view("<i4")[:, 0], np.float32(2**31), out=out, casting="unsafe")
    else:
        full_scale = np.float32(2.0 ** (8 * width - 1))
        np.divide(np.frombuffer(raw, f"<i{width}"), full_scale, out=out, casting="unsafe")
