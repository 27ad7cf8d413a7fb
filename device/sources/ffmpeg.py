"""The ffmpeg child that decodes a stream: its arguments, its two pipes, and its certain end."""

import os
import re
import selectors
import struct
import subprocess
import threading
import time
from collections import deque
from typing import IO, cast

import numpy as np

from device.errors import SourceError
from device.masking import masked_about, masked_url
from device.sound import SAMPLE_RATE, FloatArray

_READ_BYTES = 1 << 16
_TERMINATE_S = 0.1
"""How long ffmpeg may take to end when asked; it usually takes 20 ms. Then it is killed."""
_LAST_WORDS_S = 1.0
"""How long ffmpeg may take to exit after it has closed its output."""
NO_SOUND = "there is no sound in it"
_AU_HEADER = struct.Struct(">4s5I")
"""".snd", where the samples begin, their size, their kind, sample rate, channels."""
_GENERIC = (
    "Input/output error",
    "Invalid data found when processing input",
    "Conversion failed!",
    "Error opening input",
    "Error while decoding stream",
    "Stream ends prematurely",
    "Did you mean file:",
)
"""What ffmpeg also says where another line tells what is wrong."""
_LINES = 50
"""Complaints that are kept."""


class AuReader:
    """Cuts what ffmpeg writes, in pieces of any length, into whole frames of as many channels as there are."""

    def __init__(self) -> None:
        self._rest = b""
        self._channels = 0

    def feed(self, data: bytes) -> FloatArray:
        """Give the complete frames, (n, channels) float32 in [-1, 1); a begun one waits for its rest."""
        data = self._rest + data
        if not self._channels:
            start = _AU_HEADER.unpack_from(data)[1] if len(data) >= _AU_HEADER.size else len(data) + 1
            if len(data) < start:
                self._rest = data
                return np.empty((0, 1), np.float32)
            self._channels, data = max(1, _AU_HEADER.unpack_from(data)[5]), data[start:]
        whole = len(data) - len(data) % (2 * self._channels)
        self._rest = data[whole:]
        samples = np.frombuffer(data, ">i2", count=whole // 2).astype(np.float32)
        samples /= 32_768
        return samples.reshape(-1, self._channels)


def is_local(url: str) -> bool:
    """Whether this names something on this machine's file system rather than a server."""
    return "://" not in url or url.startswith("file://")


def is_finite(url: str) -> bool:
    """Whether this is a regular file, which has an end that is no loss."""
    return is_local(url) and os.path.isfile(url.removeprefix("file://"))  # noqa: PTH113 - never fails


def arguments(url: str, *, program: str = "ffmpeg") -> list[str]:
    """The command line: audio only, the first track, as 16-bit samples at 16 kHz on standard output.

    All channels come as they are: what ffmpeg mixes down is silent if two of them are in antiphase. AU is the one
    format with a header that says how many there are and is nothing but a header.

    The input is always a URL with a scheme, so a name that begins with '-' cannot become an option. No
    timeouts are set here: their names and units changed between ffmpeg versions, and whoever reads the pipe
    keeps time.
    """
    # By default ffmpeg analyses a live stream for 5 s before a sample comes. Two are enough to find its sound, and
    # after a loss it is heard again that much sooner.
    options = ["-analyzeduration", "2000000"]
    scheme = url.partition("://")[0].lower()
    if is_local(url):
        # A file that is a list of others must not lead anywhere else.
        url, options = f"file:{url.removeprefix('file://')}", ["-protocol_whitelist", "file,crypto,data"]
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
        *("-nostdin", "-hide_banner", "-nostats"),
        *("-loglevel", "level+info" if is_local(url) else "level+error"),  # of files, their length too
        *options,
        *("-i", url),
        *("-vn", "-sn", "-dn", "-map", "0:a:0?"),
        *("-ar", str(SAMPLE_RATE), "-c:a", "pcm_s16be", "-f", "au", "-"),
    ]


def fetching(url: str, *, program: str = "ffmpeg") -> list[str]:
    """The command line that copies what stands at a URL to standard output, byte for byte."""
    quiet = ("-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+error")
    return [program, *quiet, "-f", "data", "-i", url, *("-map", "0", "-c", "copy", "-f", "data", "-")]


class FfmpegChild:
    """A running ffmpeg. One thread reads; `stop` may be called from any other.

    Raises:
        SourceError: ffmpeg is not installed or cannot be run.
    """

    def __init__(
        self, url: str, *, program: str = "ffmpeg", stdin: int = subprocess.DEVNULL, fetch: bool = False
    ) -> None:
        self.duration_s: float | None = None
        """As the file says, once that was read; None: it does not say."""
        self._is_estimated = False
        try:
            self._process = subprocess.Popen(  # noqa: S603 - no shell, and `arguments` makes the URL harmless
                (fetching if fetch else arguments)(url, program=program),
                stdin=stdin,
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
        self._input = f"file:{url.removeprefix('file://')}" if is_local(url) else url
        self._stopping = threading.Lock()
        self._stdout = cast("IO[bytes]", self._process.stdout)
        self._stderr = cast("IO[bytes]", self._process.stderr)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._stdout, selectors.EVENT_READ)
        self._selector.register(self._stderr, selectors.EVENT_READ)
        self._begun_line = b""
        self._complaints: deque[str] = deque(maxlen=_LINES)

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
        """Keep what ffmpeg complains of on standard error, and keep its pipe from filling up."""
        data = os.read(self._stderr.fileno(), _READ_BYTES)
        if not data:
            self._selector.unregister(self._stderr)
        *lines, rest = (self._begun_line + data).split(b"\n")
        self._begun_line = rest[-_READ_BYTES:]
        for line in lines if data else [*lines, rest]:
            text = line.decode(errors="replace").strip()
            if found := re.match(r"\[info\]\s+Duration: (\d+):(\d\d):(\d\d\.\d+)", text):
                hours, minutes, seconds = map(float, found.groups())
                self.duration_s = None if self._is_estimated else hours * 3_600 + minutes * 60 + seconds
            elif "Estimating duration from bitrate" in text:
                self._is_estimated = True
            elif text and "Last message repeated" not in text and not re.search(r"\[(info|warning)\]", text):
                self._complaints.append(re.sub(r"^(\[[^\]]*\] ?)+", "", text))

    def last_words(self) -> tuple[int, str]:
        """After the output has ended: the exit status and `complaint`."""
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
        """The line so far that says most about what is wrong, secrets masked; empty if there was none."""
        told = [line.removeprefix(self._input).removeprefix(": ") for line in self._complaints]
        if any("does not contain any stream" in line for line in told):
            return NO_SOUND
        useful = [line for line in told if not line.startswith(_GENERIC)] or told
        return masked_about(useful[-1], self._url) if useful else ""

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
