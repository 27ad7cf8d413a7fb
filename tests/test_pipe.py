"""device.sources.pipe and ffmpeg: sound through a pipe, with programs that stand for ffmpeg."""

import io
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from waiting import DEADLINE_S

from device.configuration.settings import SourceConfig, SourceKind
from device.errors import ConfigurationError, SourceError, SourceLost
from device.sound import Block, FloatArray
from device.sources.ffmpeg import arguments, is_finite
from device.sources.opening import open_source
from device.sources.pipe import FfmpegStream, Pace, PcmReader, StandardInput


def samples_of(blocks: list[Block]) -> FloatArray:
    """The blocks' samples, end to end."""
    return np.concatenate([block.samples for block in blocks])


def heard_from(data: bytes, **options: Any) -> list[Block]:
    """What standard input gives where these bytes come from a file."""
    with tempfile.TemporaryFile() as stream:
        stream.write(data)
        stream.seek(0)
        return list(StandardInput(name="in", stall_s=5, stream=stream, **options).blocks())


def test_bytes_are_cut_into_whole_frames() -> None:
    """Pieces of any length, even half a sample, give the same frames."""
    data = np.arange(-300, 300, dtype="<i2").tobytes()
    reader = PcmReader(3)
    frames = np.concatenate([reader.feed(data[at : at + 7]) for at in range(0, len(data), 7)])
    assert np.array_equal(frames * 32_768, np.arange(-300, 300).reshape(-1, 3))


def test_standard_input_is_heard_to_its_end() -> None:
    """Interleaved stereo at 16 kHz becomes mono blocks; half a frame at the end is dropped."""
    data = np.tile(np.array([16_384, 0], "<i2"), 2_000).tobytes() + b"\x01"
    blocks = heard_from(data, channels=2)
    assert [len(block.samples) for block in blocks] == [1_600, 400]
    assert set(samples_of(blocks).tolist()) == {0.25}


def test_standard_input_at_another_rate_is_resampled() -> None:
    """One second stays one second."""
    assert len(samples_of(heard_from(bytes(2 * 44_100), sample_rate_hz=44_100))) == 16_000


def test_standard_input_has_wall_time() -> None:
    """The first sample was captured a block's length before the bytes were read."""
    blocks = heard_from(bytes(3_200), clock=lambda: 1_000.0)
    assert [block.wall_time for block in blocks] == [pytest.approx(999.9)]


def test_sound_that_is_fed_too_fast_is_not_dated_twice() -> None:
    """Sixty seconds at once: block follows on block, also after a wait that is shorter than their lead."""
    now = 0.0
    pace = Pace(clock=lambda: 1_000.0 + now, monotonic=lambda: now)
    ends = [pace.captured_at(1.0) for _ in range(60)]
    assert ends == pytest.approx([1_000.0 + second for second in range(60)])
    now = 30.0
    assert pace.captured_at(1.0) == pytest.approx(1_060.0, abs=0.1)
    now = 500.0
    assert pace.captured_at(1.0) == 1_500.0


def test_a_fast_sound_card_is_followed() -> None:
    """Its second is a little shorter than ours; over days that is no lead."""
    now = 0.0
    pace = Pace(clock=lambda: now, monotonic=lambda: now)
    for _ in range(100_000):
        now += 1.0
        end = pace.captured_at(1.0002)
    assert end == pytest.approx(now, abs=0.01)


def test_a_clock_that_is_set_moves_the_dates() -> None:
    """Only the lead is counted without it."""
    wall = 0.0
    pace = Pace(clock=lambda: wall, monotonic=lambda: 0.0)
    pace.captured_at(1.0)
    wall = 5_000.0
    assert pace.captured_at(2.0) == 5_002.0


def test_standard_input_without_a_sample_is_an_error() -> None:
    """The program before the pipe has failed; that is not a quiet end."""
    with pytest.raises(SourceError, match="before a single sample"):
        heard_from(b"")


@contextmanager
def pipe() -> Iterator[tuple[io.BufferedReader, int]]:
    """A pipe's reading end as a file, and the descriptor to write to."""
    read, write = os.pipe()
    with os.fdopen(read, "rb") as stream:
        try:
            yield stream, write
        finally:
            os.close(write)


def test_standard_input_that_stalls_is_lost_and_can_be_taken_up_again() -> None:
    """After a loss in the middle of a sample the next bytes are its other half."""
    with pipe() as (stream, write):
        source = StandardInput(name="in", stream=stream, stall_s=0.1)
        data = np.full(3_200, 16_384, "<i2").tobytes()
        os.write(write, data[:3_201])
        blocks: list[Block] = []
        with pytest.raises(SourceLost, match=r"no sample for 0\.1 s"):
            blocks.extend(source.blocks())
        os.write(write, data[3_201:])
        again = source.blocks()
        blocks.append(next(again))
        assert set(samples_of(blocks).tolist()) == {0.5}


def test_standard_input_that_is_closed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """`oido run <&-`: the interpreter has no standard input then."""
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(SourceError, match="standard input is closed; pipe"):
        next(StandardInput(name="in", stall_s=1).blocks())


def test_a_name_that_no_file_can_have_is_no_file() -> None:
    """It is ffmpeg that says so, in its own words."""
    assert not is_finite("/tmp/" + 300 * "a")  # noqa: S108 - nothing is there
    assert not is_finite("file:///" + 5_000 * "a/")


def test_close_ends_a_read_of_standard_input_that_waits() -> None:
    """A pipe that nobody writes to does not hold anyone."""
    with pipe() as (stream, _):
        source = StandardInput(name="in", stall_s=60, stream=stream)
        reader = threading.Thread(target=lambda: list(source.blocks()))
        reader.start()
        source.close()
        reader.join(DEADLINE_S)
        assert not reader.is_alive()
        assert not stream.closed


def test_a_terminal_is_not_listened_to() -> None:
    """Without a pipe the program would wait for ever for somebody to type sound."""
    master, slave = os.openpty()
    with (
        os.fdopen(master, "rb", buffering=0),
        os.fdopen(slave, "rb", buffering=0) as terminal,
        pytest.raises(SourceError, match="is a terminal"),
    ):
        list(StandardInput(name="in", stall_s=5, stream=terminal).blocks())


@pytest.mark.parametrize(
    ("url", "given"),
    [
        ("-y", "file:-y"),
        ("-", "file:-"),
        ("pipe:0", "file:pipe:0"),
        ("a:b.wav", "file:a:b.wav"),
        ("file:///tmp/a.wav", "file:/tmp/a.wav"),
        ("rtsp://-cam/1", "rtsp://-cam/1"),
    ],
)
def test_a_url_cannot_become_an_option(url: str, given: str) -> None:
    """What ffmpeg is given after -i always begins with a scheme."""
    line = arguments(url)
    assert line[line.index("-i") + 1] == given


def test_a_camera_is_asked_for_audio_only_over_tcp() -> None:
    """Neither its video nor its lost packets."""
    line = arguments("rtsp://cam/1")
    assert line[line.index("-rtsp_transport") + 1] == "tcp"
    assert line[line.index("-allowed_media_types") + 1] == "audio"
    assert line.index("-rtsp_transport") < line.index("-i")
    assert "-vn" in line


def test_only_http_reconnects() -> None:
    """An ffmpeg refuses the options of another protocol."""
    assert "-reconnect" in arguments("https://radio/live")
    for url in ("rtsp://cam/1", "a.wav", "udp://239.0.0.1:5000"):
        assert "-reconnect" not in arguments(url)


@pytest.mark.parametrize(
    ("url", "short"),
    [("rtsp://cam/1", True), ("https://radio/live", True), ("a.wav", False), ("file:///a", False)],
)
def test_live_streams_are_looked_into_for_less_long(url: str, *, short: bool) -> None:
    """Heard again sooner after a loss; a file's first seconds are there at once."""
    line = arguments(url)
    assert ("-analyzeduration" in line[: line.index("-i")]) == short


class Program:
    """A program that stands for ffmpeg: a script in a folder of its own."""

    def __init__(self, folder: Path, body: str) -> None:
        self.path = folder / "ffmpeg"
        self.pid_file = folder / "pid"
        self.path.write_text(
            f"#!{sys.executable} -S\nimport os, signal, sys, time\n"
            f"open({str(self.pid_file)!r}, 'w').write(str(os.getpid()))\n"
            "header = b'.snd' + b''.join(n.to_bytes(4, 'big') for n in (24, 2**32 - 1, 3, 16000, 1))\n"
            f"def sound(seconds): os.write(1, header + bytes(int(seconds * 32000)))\n{body}\n"
        )
        self.path.chmod(0o755)

    def stream(self, url: str = "rtsp://user:secret@cam/1", **options: float) -> FfmpegStream:
        """A stream that runs it."""
        settings = {"stall_s": 0.2, "start_s": 10.0, **options}
        return FfmpegStream(url, name="cam", program=str(self.path), **settings)  # type: ignore[arg-type]

    @property
    def is_gone(self) -> bool:
        """Whether the child has ended and was reaped; a zombie still has an entry in /proc."""
        return not Path("/proc", self.pid_file.read_text()).exists()


def heard_until_error(stream: FfmpegStream) -> tuple[list[Block], SourceError]:
    """The blocks that came before the error, and the error."""
    blocks: list[Block] = []
    with pytest.raises(SourceError) as caught:
        blocks.extend(stream.blocks())
    return blocks, caught.value


def test_a_stream_that_stalls_is_lost_and_its_child_ended(tmp_path: Path) -> None:
    """What came is heard; then the loss says for how long nothing came."""
    program = Program(tmp_path, "sound(0.5)\ntime.sleep(60)")
    blocks, error = heard_until_error(program.stream())
    assert len(samples_of(blocks)) == 8_000
    assert isinstance(error, SourceLost)
    assert str(error) == "rtsp://***@cam/1: no sample for 0.2 s"
    assert program.is_gone


def test_a_stream_that_never_starts_is_lost(tmp_path: Path) -> None:
    """The first sample may take longer than the others, but not for ever."""
    program = Program(tmp_path, "time.sleep(60)")
    blocks, error = heard_until_error(program.stream(start_s=0.4))
    assert blocks == []
    assert str(error).endswith("no sample for 0.4 s")
    assert program.is_gone


def test_a_slow_start_is_no_stall(tmp_path: Path) -> None:
    """A camera may think for longer than it may later be silent."""
    program = Program(tmp_path, "time.sleep(0.6)\nsound(0.1)\ntime.sleep(60)")
    blocks, _ = heard_until_error(program.stream())
    assert len(blocks) == 1


def test_a_child_that_fails_is_quoted_without_the_password(tmp_path: Path) -> None:
    """Its own last line, credentials masked."""
    program = Program(tmp_path, "sys.exit('noise\\nrtsp://user:secret@cam/1: Connection refused')")
    _, error = heard_until_error(program.stream())
    assert isinstance(error, SourceLost)
    assert "Connection refused" in str(error)
    assert "secret" not in str(error)
    assert "noise" not in str(error)
    assert program.is_gone


def test_a_live_stream_that_ends_is_lost(tmp_path: Path) -> None:
    """A radio has no end, even if ffmpeg is content."""
    blocks, error = heard_until_error(Program(tmp_path, "sound(0.25)").stream())
    assert [len(block.samples) for block in blocks] == [1_600, 1_600, 800]
    assert isinstance(error, SourceLost)
    assert "after 0.2 s" in str(error)


def test_a_local_file_ends_normally(tmp_path: Path) -> None:
    """Its end is no loss, and it has no wall time."""
    (tmp_path / "a.mkv").touch()
    blocks = list(Program(tmp_path, "sound(0.1)").stream(str(tmp_path / "a.mkv")).blocks())
    assert [block.wall_time for block in blocks] == [None]


def test_a_local_file_that_ffmpeg_refuses_is_no_loss(tmp_path: Path) -> None:
    """Trying again would not help."""
    (tmp_path / "a.mkv").touch()
    program = Program(tmp_path, "sys.exit('Invalid data found')")
    _, error = heard_until_error(program.stream(str(tmp_path / "a.mkv")))
    assert not isinstance(error, SourceLost)
    assert "Invalid data found" in str(error)


def test_a_live_stream_has_wall_time(tmp_path: Path) -> None:
    """Counted back from when the bytes arrived."""
    program = Program(tmp_path, "sound(0.1)\ntime.sleep(60)")
    stream = FfmpegStream("rtsp://cam", name="cam", stall_s=5, program=str(program.path), clock=lambda: 1_000.0)
    blocks = stream.blocks()
    assert next(blocks).wall_time == pytest.approx(999.9)
    stream.close()
    assert list(blocks) == []


def test_a_flood_of_complaints_does_not_block_the_child(tmp_path: Path) -> None:
    """Standard error is read as well, or a full pipe would stop the sound."""
    program = Program(tmp_path, "os.write(2, b'x\\n' * 500_000)\nsound(0.1)\nsys.exit('last words')")
    blocks, error = heard_until_error(program.stream())
    assert len(blocks) == 1
    assert "last words" in str(error)


def test_close_ends_and_reaps_a_child_that_will_not_go(tmp_path: Path) -> None:
    """Asked first, then killed; also while the consumer holds a block, and from another thread."""
    program = Program(tmp_path, "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nsound(0.1)\ntime.sleep(60)")
    stream = program.stream(stall_s=30)
    blocks = stream.blocks()
    next(blocks)
    closer = threading.Thread(target=stream.close)
    closer.start()
    closer.join()
    assert program.is_gone
    assert list(blocks) == []


def test_close_ends_a_read_that_waits(tmp_path: Path) -> None:
    """A stream that gives nothing does not hold anyone."""
    program = Program(tmp_path, "time.sleep(60)")
    stream = program.stream(start_s=60)
    reader = threading.Thread(target=lambda: list(stream.blocks()))
    reader.start()
    while not program.pid_file.exists():
        time.sleep(0.01)
    stream.close()
    reader.join(DEADLINE_S)
    assert not reader.is_alive()
    assert program.is_gone


def test_an_abandoned_stream_leaves_no_child(tmp_path: Path) -> None:
    """Whoever stops iterating need not close."""
    program = Program(tmp_path, "sound(0.1)\ntime.sleep(60)")
    for _ in program.stream(stall_s=30).blocks():
        break
    assert program.is_gone


def test_a_closed_stream_starts_nothing(tmp_path: Path) -> None:
    """Closing before opening wins."""
    program = Program(tmp_path, "sound(0.1)")
    stream = program.stream()
    stream.close()
    assert list(stream.blocks()) == []
    assert not program.pid_file.exists()


def test_a_missing_ffmpeg_says_how_to_get_it() -> None:
    """One sentence with the command."""
    stream = FfmpegStream("rtsp://cam", name="cam", stall_s=1, program="/nonexistent/ffmpeg")
    with pytest.raises(SourceError, match="sudo apt install ffmpeg"):
        list(stream.blocks())


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (SourceConfig(name="a"), "Microphone"),
        (SourceConfig(name="a", kind="file", path="a.wav"), "Recording"),
        (SourceConfig(name="a", kind="stdin"), "StandardInput"),
        (SourceConfig(name="a", kind="stream", url="rtsp://cam"), "FfmpegStream"),
    ],
)
def test_each_kind_of_source_can_be_made(config: SourceConfig, kind: str) -> None:
    """From its section, under its name, opening nothing."""
    source = open_source(config)
    assert type(source).__name__ == kind
    assert source.name == "a"


@pytest.mark.parametrize(("kind", "key"), [("file", "path"), ("stream", "url")])
def test_a_section_without_its_key_is_refused(kind: SourceKind, key: str) -> None:
    """The sentence names the key."""
    with pytest.raises(ConfigurationError, match=f"needs '{key}'"):
        open_source(SourceConfig(kind=kind))


def test_importing_the_sources_loads_no_audio_library() -> None:
    """A device pays only for what it listens to."""
    check = "import sys, device.sources; print({'sounddevice', 'soundfile', 'soxr'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
