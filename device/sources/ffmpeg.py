"""The ffmpeg child that decodes a stream: its arguments, its two pipes, and its certain end."""

import os
import re
import selectors
import subprocess
import threading
import time
from pathlib import Path
from typing import IO, cast

from device.errors import SourceError
from device.masking import masked_about, masked_url
from device.sound import SAMPLE_RATE

_READ_BYTES = 1 << 16
_TERMINATE_S = 0.1
"""How long ffmpeg may take to end when asked; it usually takes 20 ms. Then it is killed."""
_LAST_WORDS_S = 1.0
"""How long ffmpeg may take to exit after it has closed its output."""


def is_local(url: str) -> bool:
    """Whether this names something on this machine's file system rather than a server."""
    return "://" not in url or url.startswith("file://")


def is_finite(url: str) -> bool:
    """Whether this is a regular file, which has an end that is no loss."""
    return is_local(url) and Path(url.removeprefix("file://")).is_file()


def arguments(url: str, *, program: str = "ffmpeg") -> list[str]:
    """The command line: audio only, the first track, as signed 16-bit 16 kHz mono on standard output.

    The input is always a URL with a scheme, so a name that begins with '-' cannot become an option. No
    timeouts are set here: their names and units changed between ffmpeg versions, and whoever reads the pipe
    keeps time.
    """
    # By default ffmpeg analyses a live stream for 5 s before a sample comes. Two are enough to find its sound, and
    # after a loss it is heard again that much sooner.
    options = ["-analyzeduration", "2000000"]
    scheme = url.partition("://")[0].lower()
    if is_local(url):
        url, options = f"file:{url.removeprefix('file://')}", []
    elif scheme in ("rtsp", "rtsps"):
        # TCP: a camera behind Wi-Fi loses UDP packets, heard as clicks. Audio only: spare the camera's video.
        options += ["-rtsp_transport", "tcp", "-allowed_media_types", "audio"]
    elif scheme in ("http", "https") and re.search(r"\.m3u8?(\?|$)", url):
        # HLS comes in segments of several seconds; read at their own pace they leave no gaps to mistake for loss.
        options += ["-re"]
    elif scheme in ("http", "https"):
        options += ["-reconnect", "1", "-reconnect_streamed", "1", "-reconnect_delay_max", "2"]
    return [
        program,
        *("-nostdin", "-hide_banner", "-loglevel", "error"),
        *options,
        *("-i", url),
        *("-vn", "-sn", "-dn", "-map", "0:a:0?"),
        *("-ac", "1", "-ar", str(SAMPLE_RATE), "-f", "s16le", "-"),
    ]


class FfmpegChild:
    """A running ffmpeg. One thread reads; `stop` may be called from any other.

    Raises:
        SourceError: ffmpeg is not installed or cannot be run.
    """

    def __init__(self, url: str, *, program: str = "ffmpeg") -> None:
        try:
            self._process = subprocess.Popen(  # noqa: S603 - no shell, and `arguments` makes the URL harmless
                arguments(url, program=program),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,  # Ctrl-C is for us; we end the child ourselves
            )
        except FileNotFoundError as error:
            raise SourceError(
                f"streams need {program}, which is not installed: sudo apt install ffmpeg"
            ) from error
        except (OSError, ValueError) as error:
            raise SourceError(f"{program} cannot be run for {masked_url(url)}: {error}") from error
        self._url = url
        self._stopping = threading.Lock()
        self._stdout = cast("IO[bytes]", self._process.stdout)
        self._stderr = cast("IO[bytes]", self._process.stderr)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._stdout, selectors.EVENT_READ)
        self._selector.register(self._stderr, selectors.EVENT_READ)
        self._complaints = b""

    def read(self, timeout_s: float) -> bytes | None:
        """Wait at most so long for sound; b"" when ffmpeg has closed its output, None when nothing came."""
        deadline = time.monotonic() + timeout_s
        while True:
            ready = {key.fileobj for key, _ in self._selector.select(max(0.0, deadline - time.monotonic()))}
            if self._stderr in ready:
                self._listen_to_complaints()
            if self._stdout in ready:
                data = os.read(self._stdout.fileno(), _READ_BYTES)
                if not data:
                    self._selector.unregister(self._stdout)
                return data
            if time.monotonic() >= deadline:
                return None

    def _listen_to_complaints(self) -> None:
        """Keep the end of what ffmpeg writes to standard error, and keep its pipe from filling up."""
        data = os.read(self._stderr.fileno(), _READ_BYTES)
        if not data:
            self._selector.unregister(self._stderr)
        self._complaints = (self._complaints + data)[-4_096:]

    def last_words(self) -> tuple[int, str]:
        """After the output has ended: the exit status and the last line of standard error, secrets masked."""
        try:
            status = self._process.wait(_LAST_WORDS_S)
        except subprocess.TimeoutExpired:
            self.stop()
            status = self._process.wait()
        while self._selector.select(0):  # only standard error is left in it, until that ends too
            self._listen_to_complaints()
        return status, self.complaint

    @property
    def complaint(self) -> str:
        """The last line of standard error so far, secrets masked; empty if there was none."""
        lines = self._complaints.decode(errors="replace").splitlines()
        told = [line.strip() for line in lines if line.strip() and "Last message repeated" not in line]
        return masked_about(told[-1], self._url) if told else ""

    def stop(self) -> None:
        """End the process and reap it: first asked, then killed. Idempotent, from any thread."""
        with self._stopping:
            if self._process.poll() is not None:
                return
            self._process.terminate()
            try:
                self._process.wait(_TERMINATE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def close(self) -> None:
        """`stop`, and close the pipes; only for the thread that reads them."""
        self.stop()
        self._selector.close()
        self._stdout.close()
        self._stderr.close()
