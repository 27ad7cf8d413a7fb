"""device.commands.files, by way of `oido classify`: folders, standard input, progress over all files."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hearing_fakes import noise

from device.commands.files import find
from device.commands.progress_bar import Progress
from device.sound import SAMPLE_RATE

ROOT = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Recordings, a folder in it with one more, and what is none."""
    (tmp_path / "b").mkdir()
    for name in ("z.wav", "a.flac", "b/c.WAV", ".hidden.wav"):
        soundfile.write(tmp_path / name, noise(1.0), SAMPLE_RATE)
    (tmp_path / "cover.jpg").touch()
    return tmp_path


def classify(*words: str | Path, sound: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """`oido classify --summary`, fed through a pipe."""
    command = [sys.executable, "-m", "device", "classify", "--summary", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, input=sound, capture_output=True, check=False, timeout=100)


def test_a_folder_is_walked(folder: Path) -> None:
    """Files by name, then the folders in it; what is passed over is said, and is no failure."""
    done = classify(folder)
    files = [json.loads(line)["file"] for line in done.stdout.splitlines()]
    assert files == [f"{folder}/a.flac", f"{folder}/z.wav", f"{folder}/b/c.WAV"]
    assert done.returncode == 0
    warned, total = done.stderr.decode().splitlines()
    assert warned == (
        f"oido: warning: {folder}: 2 files that have no name of a recording were passed over (.jpg, .wav)"
    )
    assert total.startswith("oido: 3 recordings: ")


def test_links_that_go_in_a_circle_are_walked_once(folder: Path) -> None:
    """A link to a folder is followed, but no folder twice."""
    (folder / "b" / "up").symlink_to(folder)
    assert len(find([str(folder)]).files) == 3


def test_a_folder_without_recordings_is_named(tmp_path: Path) -> None:
    """One sentence, exit code 1."""
    done = classify(tmp_path)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode() == f"oido: error: {tmp_path}: no recordings are in it\n"


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_standard_input_is_a_recording(tmp_path: Path, suffix: str) -> None:
    """Through a pipe, of any format; nothing is left on disk."""
    soundfile.write(tmp_path / f"a.{suffix}", noise(2.0), SAMPLE_RATE)
    done = classify("-", sound=(tmp_path / f"a.{suffix}").read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")
    line = json.loads(done.stdout)
    assert (line["file"], line["duration_s"]) == ("-", 2.0)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_standard_input_may_be_what_only_ffmpeg_reads(tmp_path: Path) -> None:
    """An M4A has its index at its end."""
    soundfile.write(tmp_path / "a.wav", noise(2.0), SAMPLE_RATE)
    subprocess.run(["ffmpeg", "-v", "error", "-i", tmp_path / "a.wav", tmp_path / "a.m4a"], check=True)
    done = classify("-", sound=(tmp_path / "a.m4a").read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["duration_s"] == pytest.approx(2.0, abs=0.1)


def test_an_empty_standard_input_is_named() -> None:
    """One sentence, exit code 1."""
    done = classify("-", sound=b"")
    assert (done.returncode, done.stderr) == (1, b"oido: error: -: holds no audio: the file is empty\n")


def test_standard_input_is_not_for_several_processes() -> None:
    """Wrong use."""
    done = classify("-", "--jobs", "2", sound=b"")
    assert done.returncode == 2
    assert b"leave out --jobs" in done.stderr


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


def test_progress_is_that_of_all_files(folder: Path) -> None:
    """By their sizes: half of it is done where half of the bytes are."""
    from device.commands.classify import Whole  # noqa: PLC0415 - the command's own imports are slow

    big = np.zeros(300_000, np.float32)
    for name in ("1.wav", "2.wav"):
        soundfile.write(folder / name, big, SAMPLE_RATE)
    shown: list[tuple[str, float, str]] = []

    class Shown(Progress):
        def draw(self, name: str, part: float, whole: str = "") -> None:
            shown.append((os.path.basename(name), part, whole))  # noqa: PTH119

    whole = Whole(find([str(folder / "1.wav"), str(folder / "2.wav")]), Shown(Terminal()))
    for _ in whole.files():
        whole.show(0.5)
    assert shown == [
        ("1.wav", 0.25, "file 1 of 2"),
        ("1.wav", 0.5, "file 1 of 2"),
        ("2.wav", 0.75, "file 2 of 2"),
        ("2.wav", 1.0, "file 2 of 2"),
    ]
