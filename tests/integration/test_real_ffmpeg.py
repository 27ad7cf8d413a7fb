"""Streams through a real ffmpeg."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.errors import SourceError, SourceLost
from device.sound import SAMPLE_RATE, Block, FloatArray
from device.sources.pipe import FfmpegStream

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed (apt install ffmpeg)"),
]


def write_tone(path: Path, *, seconds: float = 2) -> Path:
    """A stereo 440 Hz tone at 44.1 kHz."""
    mono = 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * 44_100)) / 44_100)
    soundfile.write(path, np.stack([mono, mono], axis=1), 44_100)
    return path


def samples_of(blocks: list[Block]) -> FloatArray:
    """The blocks' samples, end to end."""
    return np.concatenate([block.samples for block in blocks])


def heard_until_error(stream: FfmpegStream) -> tuple[list[Block], SourceError]:
    """The blocks that came before the error, and the error."""
    blocks: list[Block] = []
    with pytest.raises(SourceError) as caught:
        blocks.extend(stream.blocks())
    return blocks, caught.value


@pytest.mark.parametrize("name", ["a.m4a", "-y.mkv", "with:colon.mka", "mit Lücke.webm"])
def test_a_file_in_a_format_only_ffmpeg_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """It ends normally; its name may look like an option or a protocol."""
    write_tone(tmp_path / "a.wav")
    codec = "libopus" if name.endswith("webm") else "aac"
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", "a.wav", "-c:a", codec, f"file:{name}"]
    subprocess.run(command, check=True, cwd=tmp_path)
    monkeypatch.chdir(tmp_path)  # so that the name is given without a folder before it
    samples = samples_of(list(FfmpegStream(name, name="file", stall_s=5).blocks()))
    assert len(samples) / SAMPLE_RATE == pytest.approx(2, abs=0.1)
    assert int(np.argmax(np.abs(np.fft.rfft(samples[8_000:24_000])))) == 440


def test_a_film_without_sound_says_so(tmp_path: Path) -> None:
    """Plainly, and as a source that will not get better."""
    film = tmp_path / "silent.mp4"
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc=d=0.2", str(film)]
    subprocess.run(command, check=True)
    _, error = heard_until_error(FfmpegStream(str(film), name="film", stall_s=5))
    assert "there is no sound in it" in str(error)
    assert not isinstance(error, SourceLost)


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_a_server_that_refuses_is_lost_without_the_password(scheme: str) -> None:
    """The options of each protocol are ones that this ffmpeg knows: the server's refusal is what is told."""
    stream = FfmpegStream(f"{scheme}://user:secret@127.0.0.1:1/live", name="cam", stall_s=5)
    _, error = heard_until_error(stream)
    assert isinstance(error, SourceLost)
    assert "Connection refused" in str(error)
    assert "secret" not in str(error)


@contextmanager
def radio(body: bytes) -> Iterator[str]:
    """A server on loopback that sends so much of a stream and then nothing, without hanging up; its URL."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Send, then fall silent."""
            self.send_response(200)
            self.send_header("Content-Type", "audio/mpeg")
            self.end_headers()
            self.wfile.write(body)
            over.wait(60)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, name="radio")
    thread.start()
    try:
        yield f"http://user:secret@127.0.0.1:{server.server_port}/live.mp3"
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_radio_that_falls_silent_is_lost(tmp_path: Path) -> None:
    """What it sent is heard, with the time of day; then no sample for the stall's time."""
    body = write_tone(tmp_path / "a.mp3", seconds=5).read_bytes()
    with radio(body) as url:
        blocks, error = heard_until_error(FfmpegStream(url, name="radio", stall_s=1))
    assert isinstance(error, SourceLost)
    assert "no sample for 1 s" in str(error)
    assert "secret" not in str(error)
    assert len(samples_of(blocks)) / SAMPLE_RATE == pytest.approx(5, abs=1)
    assert None not in {block.wall_time for block in blocks}
