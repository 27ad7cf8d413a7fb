"""Where the parts begin of Ogg and FLAC files that were joined end to end, as a saved internet radio stream is.

libsndfile reads the first of them. Source: RFC 3533 (Ogg), RFC 9639 (FLAC).
"""

import os

_READ_BYTES = 1 << 20
_OGG_FIRST_PAGES = (b"OggS\0\x02", b"OggS\0\x06")
"""With the bit for "beginning of stream"; the second also has that for its end."""
_FLAC = b"fLaC\0\0\0\x22"
"""With the beginning of the block that must follow."""


def next_ogg(descriptor: int, start: int) -> int | None:
    """Where the link after the one that begins at `start` begins; None if that is the last.

    Several logical streams at once (sound and pictures) begin with their first pages next to each other: one link.
    """
    while (page := os.pread(descriptor, 282, start)).startswith(_OGG_FIRST_PAGES):
        start += 27 + page[26] + sum(page[27 : 27 + page[26]])
    return _find(descriptor, start, _OGG_FIRST_PAGES)


def next_flac(descriptor: int, start: int) -> int | None:
    """Where the next FLAC file begins, at `start` or after it; None if there is none."""
    return _find(descriptor, start, (_FLAC,))


def flac_without_length(descriptor: int, start: int) -> tuple[bytes, int]:
    """The beginning of a FLAC file, its number of samples set to "unknown", and the number that stood there."""
    head = bytearray(os.pread(descriptor, 26, start))
    stated = int.from_bytes(head[21:26], "big") & 0xF_FFFF_FFFF
    head[21:26] = (int.from_bytes(head[21:26], "big") & ~0xF_FFFF_FFFF).to_bytes(5, "big")
    return bytes(head), stated


def _find(descriptor: int, start: int, marks: tuple[bytes, ...]) -> int | None:
    longest = max(map(len, marks))
    while len(piece := os.pread(descriptor, _READ_BYTES, start)) >= longest:
        found = [at for mark in marks if (at := piece.find(mark)) >= 0]
        if found:
            return start + min(found)
        start += len(piece) - longest + 1
    return None
