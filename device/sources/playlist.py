"""Playlists of internet radios (.m3u, .pls): which stream they name. Pure.

An .m3u8 list, and an .m3u with the tags of HLS, is itself the stream: ffmpeg reads it.

Sources: the M3U and PLS formats have no standard; RFC 8216 is that of HLS.
"""

import re
from urllib.parse import urljoin, urlsplit

MOST_BYTES = 1 << 16
"""A longer one is no playlist."""


def is_playlist(url: str) -> bool:
    """Whether the name in a URL is that of a playlist."""
    return urlsplit(url).path.lower().endswith((".m3u", ".pls"))


def target(url: str, text: str) -> str | None:
    """The first stream that a playlist names; the playlist itself if that is HLS; None: it names none.

    Args:
        url: where it was found; a list from a server leads only to servers.
        text: what stands in it.
    """
    if "#EXT-X-" in text:
        return url
    for line in map(str.strip, text.lstrip("\ufeff").splitlines()):
        if text.lstrip("\ufeff").lower().startswith("[playlist]"):
            entry = re.match(r"(?i)file\d+\s*=\s*(.+)", line)
            found = entry[1] if entry else ""
        else:
            found = "" if line.startswith("#") else line
        whole = urljoin(url, found) if found else ""
        if "://" in whole and not (whole.lower().startswith("file:") and not url.lower().startswith("file:")):
            return whole
    return None
