"""Where the frames of MPEG audio (MP3, MP2) are in a file, found by walking from each to the next.

libmpg123 gives up at 1 KiB that is no frame, and estimates a length from the size of the file and its first
frames where no tag gives one. So what it is given here are frames without anything between them, and they are
counted.

Sources: ISO/IEC 11172-3 section 2.4.1.3 and 13818-3; id3.org, ID3v2.4 section 3.1 (sizes have seven bits a byte);
LAME's "Mp3 Info Tag revision 1".
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

_READ_BYTES = 1 << 18
_SURE = 3
"""So many frames in a row are no accident."""
_KBPS = {
    (1, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates by version and layer; version 2.5 has those of version 2, and there layer 3 those of layer 2."""
_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
"""By the two bits of the version."""
_TAGS = (b"ID3", b"TAG", b"APETAGEX", b"LYRICS")
_HEAD_BYTES = 48
"""Of a frame: the header, side information, and a tag's first fields."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the first three bytes of a frame say."""

    sample_rate_hz: int
    kind: int
    """Version, layer, sample rate and whether it is mono: the same for all frames of a recording."""
    length: int
    """Of the frame, bytes."""
    samples: int
    tag_at: int
    """Where a Xing or Info tag would stand in it."""


@dataclass(slots=True)
class Section:
    """Frames of one kind, which one decoder reads."""

    sample_rate_hz: int
    samples: int
    """In each frame."""
    tag: tuple[int, int] | None = None
    """The [start, end) of a first frame that holds a Xing or Info tag instead of sound."""
    stated: int | None = None
    """How many frames follow, as the tag says."""
    ranges: list[tuple[int, int]] = field(default_factory=list)
    """[start, end) of the frames of sound."""
    frames: int = 0
    holes: int = 0
    """Bytes between its frames that are neither frames nor tags."""
    hole_after: int = 0
    """How many frames stand before the first of them."""

    def add(self, start: int, end: int) -> None:
        """One more frame."""
        self.frames += 1
        if self.ranges and self.ranges[-1][1] == start:
            self.ranges[-1] = (self.ranges[-1][0], end)
        else:
            self.ranges.append((start, end))

    @property
    def parts(self) -> list[tuple[int, int]]:
        """What the decoder is to read; the tag is among it if it tells the truth."""
        if self.tag is None or self.missing < 0:
            return self.ranges
        if self.ranges and self.ranges[0][0] == self.tag[1]:
            return [(self.tag[0], self.ranges[0][1]), *self.ranges[1:]]
        return [self.tag, *self.ranges]

    @property
    def missing(self) -> int:
        """So many frames fewer than the tag says; below zero: more, as something was added later."""
        return 0 if self.stated is None else self.stated - self.frames


@cache
def header(second: int, third: int, mode: int) -> Header | None:
    """Read a frame's header; None if it is none.

    Frames of "free format" (bit rate 0) do not say how long they are, and are not found.

    Args:
        second: the second byte; the first is 0xFF.
        third: the third.
        mode: the upper two bits of the fourth; 3 is mono.
    """
    version, layer = second >> 3 & 3, 4 - (second >> 1 & 3)
    rate, bit_rate = third >> 2 & 3, third >> 4
    if second < 0xE0 or version == 1 or layer == 4 or rate == 3 or bit_rate in {0, 15}:  # noqa: PLR2004 - reserved
        return None
    is_first, is_mono = version == 3, mode == 3  # noqa: PLR2004 - MPEG-1
    rate_hz = _RATES_HZ[version][rate]
    kbps = _KBPS[(1, layer) if is_first else (2, min(layer, 2))][bit_rate]
    samples = 384 if layer == 1 else 1_152 if is_first or layer == 2 else 576  # noqa: PLR2004 - the layer
    slot = 4 if layer == 1 else 1
    length = (samples // 8 // slot * kbps * 1_000 // rate_hz + (third >> 1 & 1)) * slot
    # The tag stands after the side information of layer 3.
    tag_at = 4 + ((17 if is_mono else 32) if is_first else (9 if is_mono else 17))
    return Header(rate_hz, (second & 0x1E) << 3 | rate << 1 | is_mono, length, samples, tag_at)


class _Bytes:
    """A file, of which a piece is at hand."""

    def __init__(self, descriptor: int, end: int) -> None:
        self._descriptor = descriptor
        self.end = end
        self._start = 0
        self._data = b""

    def at(self, offset: int, count: int) -> bytes:
        """So many bytes from there; fewer at the end."""
        begin = offset - self._start
        if begin < 0 or begin + count > len(self._data):
            size = max(0, min(max(count, _READ_BYTES), self.end - offset))
            if offset + count > self.end and begin >= 0 and self._start + len(self._data) == self.end:
                return self._data[begin:]
            self._start, self._data, begin = offset, os.pread(self._descriptor, size, offset), 0
        return self._data[begin : begin + count]


def sections(descriptor: int, start: int, end: int) -> Iterator[Section]:
    """Yield what MPEG audio there is between two offsets, in order; nothing if there is none.

    Tags and whatever else is no frame are left out. A section ends where the next one's tag begins, or where
    sample rate or channel count change.
    """
    data = _Bytes(descriptor, end)
    section: Section | None = None
    kind = -1
    at: int | None = start
    hole: int | None = None
    in_step = False
    while at is not None:
        head = data.at(at, _HEAD_BYTES)
        found = header(head[1], head[2], head[3] >> 6) if len(head) > 3 and head[0] == 0xFF else None  # noqa: PLR2004
        if found is None or not ((in_step and found.kind == kind) or _is_sure(data, at, found)):
            if in_step and not data.at(at, 8).startswith(_TAGS):
                hole = at
            at, in_step = _next(data, at), False
            continue
        after = at + found.length
        if after > end:
            break
        tag = head[found.tag_at : found.tag_at + 4]
        is_tag = tag in {b"Xing", b"Info"}
        if section is None or found.kind != kind or is_tag:
            if section is not None:
                yield section
            kind, section = found.kind, Section(found.sample_rate_hz, found.samples)
        if is_tag:
            section.tag, section.stated = (at, after), _stated(head[found.tag_at :])
        else:
            if hole is not None and section.frames:
                section.hole_after = section.hole_after or section.frames
                section.holes += at - hole
            section.add(at, after)
        hole = None
        at, in_step = after, True
    if section is not None:
        yield section


def _is_sure(data: _Bytes, at: int, found: Header) -> bool:
    """Whether frames of one kind follow each other from here."""
    kind = found.kind
    for _ in range(_SURE - 1):
        at += found.length
        head = data.at(at, 4)
        if at == data.end:
            return True
        following = header(*head[1:3], head[3] >> 6) if len(head) == 4 and head[0] == 0xFF else None  # noqa: PLR2004
        if following is None or following.kind != kind:
            return False
        found = following
    return True


def _next(data: _Bytes, at: int) -> int | None:
    """Where the next frame may begin: after a tag, or at the next byte of ones; None: nowhere."""
    head = data.at(at, 10)
    if head.startswith(b"ID3") and len(head) == 10:  # noqa: PLR2004 - its header
        return at + 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
    at += 1
    while piece := data.at(at, _READ_BYTES):
        if (index := piece.find(b"\xff")) >= 0:
            return at + index
        at += len(piece)
    return None


def _stated(tag: bytes) -> int | None:
    """How many frames a Xing or Info tag says that there are."""
    return int.from_bytes(tag[8:12], "big") if tag[7] & 1 else None
