"""Playlists and streams from a server: followed, or said to be what they are."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from device.errors import SourceError
from device.sources.pipe import FfmpegStream
from device.sources.playlist import is_playlist, target

AUDIO = Path(__file__).parents[1] / "device" / "audio"
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("#EXTM3U\n#EXTINF:-1,Radio\nhttp://radio/live\n", "http://radio/live"),
        ("\ufefflive.mp3\r\n", "http://host/a/live.mp3"),
        ("[playlist]\nNumberOfEntries=1\nfile1 = http://radio/live\nTitle1=R\n", "http://radio/live"),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:4\nsegment.ts\n", "http://host/a/list.m3u"),
        ("[playlist]\nNumberOfEntries=0\n", None),
        ("file:///etc/passwd\n", None),
        ("", None),
    ],
)
def test_the_first_stream_of_a_playlist(text: str, found: str | None) -> None:
    """HLS is its own stream; a server's list leads to no file of this machine."""
    assert target("http://host/a/list.m3u", text) == found


def test_a_playlist_is_known_by_its_name() -> None:
    """The .m3u8 of HLS is none."""
    assert [is_playlist(f"http://host/{name}") for name in ("a.pls", "a.M3U?x=1", "a.m3u8", "pls")] == [
        *(True, True, False, False)
    ]


@contextmanager
def server(pages: dict[str, bytes]) -> Iterator[str]:
    """A server that knows these; of all else it says 404, and 401 of /secret."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages.get(self.path)
            self.send_response(401 if self.path == "/secret" else 404 if page is None else 200)
            self.send_header("Content-Length", str(len(page or b"")))
            self.end_headers()
            self.wfile.write(page or b"")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{found.server_address[1]}"
        finally:
            found.shutdown()
            thread.join()


def first(url: str) -> str:
    """How much sound the first block of a stream holds, or its error."""
    stream = FfmpegStream(url, name="radio", stall_s=20)
    try:
        return f"{len(next(stream.blocks()).samples)} samples"
    except SourceError as error:
        return str(error)
    finally:
        stream.close()


@needs_ffmpeg
def test_a_playlist_is_followed() -> None:
    """From one to the next to the stream."""
    pages = {"/live": (AUDIO / "music.ogg").read_bytes(), "/b.pls": b"[playlist]\nFile1=/live\n"}
    pages["/a.m3u"] = b"#EXTM3U\nb.pls\n"
    with server(pages) as url:
        assert first(f"{url}/a.m3u") == "1600 samples"


@needs_ffmpeg
def test_what_is_wrong_with_a_stream_is_said_with_its_url_once(tmp_path: Path) -> None:
    """Ffmpeg's useful line; its last one repeats the URL or says "input/output error"."""
    picture = tmp_path / "picture.mp4"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "color=d=1:s=32x32", "-c:v", "mpeg4", picture], check=True
    )
    pages = {"/video": picture.read_bytes(), "/empty.pls": b"[playlist]\n"}
    with server(pages) as url:
        assert first(f"{url}/gone") == f"{url}/gone: Server returned 404 Not Found"
        assert first(f"{url}/secret").startswith(f"{url}/secret: Server returned 401 Unauthorized")
        assert first(f"{url}/video") == f"{url}/video: there is no sound in it"
        assert first(f"{url}/empty.pls") == f"{url}/empty.pls: it is a playlist that names no stream"
        assert first(f"{url}/gone.pls") == f"{url}/gone.pls: Server returned 404 Not Found"
    assert first(f"{url}/late") == f"{url}/late: Connection refused"


@needs_ffmpeg
def test_an_unknown_host_is_named() -> None:
    """Not as an input/output error."""
    assert "Failed to resolve hostname nowhere.invalid" in first("http://nowhere.invalid/live")
