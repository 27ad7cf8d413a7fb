"""`oido classify`, by way of `device.cli.main`: any file has a defined result or one sentence."""

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hearing_fakes import chord, noise, scene, time_axis

from device.cli import main
from device.sound import SAMPLE_RATE, FloatArray

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Outcome:
    """What a command line came to."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


class Command:
    """Runs `oido` in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str | Path) -> Outcome:
        """Exit code and output."""
        code = main([str(word) for word in words])
        captured = self._capsys.readouterr()
        assert "Traceback" not in captured.err
        return Outcome(code, captured.out, captured.err)


@pytest.fixture
def oido(capsys: pytest.CaptureFixture[str]) -> Command:
    """The command."""
    return Command(capsys)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings that many tests share."""
    path = tmp_path_factory.mktemp("recordings")
    soundfile.write(path / "scene.wav", scene(36.0), SAMPLE_RATE)
    soundfile.write(path / "music.wav", chord(8.0), SAMPLE_RATE)
    soundfile.write(path / "noise.wav", noise(8.0), SAMPLE_RATE)
    (path / "text.wav").write_text("this is no audio")
    return path


def subprocess_oido(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """`python -m device`, as installed."""
    command = [sys.executable, "-m", "device", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def tiles(lines: list[dict[str, Any]], seconds: float) -> bool:
    """Whether segments follow each other from 0 to the end of the file."""
    edges = [0.0] + [line["offset"] for line in lines]
    return [line["onset"] for line in lines] == edges[:-1] and edges[-1] == pytest.approx(seconds, abs=0.01)


def test_segments_are_json_lines(oido: Command, folder: Path) -> None:
    """From the beginning of the file to its end, states in turn, music in the middle."""
    outcome = oido("classify", folder / "scene.wav")
    assert (outcome.code, outcome.err) == (0, "")
    assert list(outcome.lines[0]) == ["file", "onset", "offset", "label", "score"]
    assert tiles(outcome.lines, 36.0)
    assert any(line["label"] == "music" and line["onset"] < 18 < line["offset"] for line in outcome.lines)
    labels = [line["label"] for line in outcome.lines]
    assert all(before != after for before, after in pairwise(labels))


def test_segments_as_csv(oido: Command, folder: Path) -> None:
    """A header and the values of the JSON lines."""
    rows = list(csv.DictReader(io.StringIO(oido("classify", "--csv", folder / "scene.wav").out)))
    lines = oido("classify", folder / "scene.wav").lines
    assert [{key: str(value) for key, value in line.items()} for line in lines] == rows


def test_a_summary_is_a_line_a_file(oido: Command, folder: Path) -> None:
    """Score, whether that is music, and how many seconds are; files in the order given."""
    outcome = oido("classify", "--summary", folder / "noise.wav", folder / "scene.wav")
    quiet, mixed = outcome.lines
    assert [Path(line["file"]).name for line in outcome.lines] == ["noise.wav", "scene.wav"]
    assert (quiet["duration_s"], quiet["music"], quiet["music_s"]) == (8.0, False, 0.0)
    segments = oido("classify", folder / "scene.wav").lines
    music_s = sum(line["offset"] - line["onset"] for line in segments if line["label"] == "music")
    assert mixed["music_s"] == pytest.approx(music_s, abs=0.01)
    assert mixed["duration_s"] == 36.0


def test_a_summary_as_csv(oido: Command, folder: Path) -> None:
    """Booleans are spelt as in JSON."""
    (row,) = csv.DictReader(io.StringIO(oido("classify", "--summary", "--csv", folder / "noise.wav").out))
    assert list(row) == ["file", "duration_s", "score", "music", "music_s"]
    assert row["music"] == "false"


def test_jobs_change_nothing_but_the_time(folder: Path) -> None:
    """The same bytes in the same order from two processes as from one."""
    files = [folder / name for name in ("scene.wav", "noise.wav", "text.wav", "music.wav")]
    one, two = (subprocess_oido("classify", "--jobs", jobs, *files) for jobs in ("1", "2"))
    assert (one.returncode, one.stdout, one.stderr) == (two.returncode, two.stdout, two.stderr)
    names = [Path(json.loads(line)["file"]).name for line in one.stdout.splitlines()]
    assert list(dict.fromkeys(names)) == ["scene.wav", "noise.wav", "music.wav"]


def test_a_bad_file_does_not_stop_the_good_ones(oido: Command, folder: Path) -> None:
    """It is named in one sentence; the exit code says that not all was done."""
    outcome = oido("classify", folder / "text.wav", folder / "absent.wav", folder / "noise.wav")
    assert outcome.code == 1
    assert [Path(line["file"]).name for line in outcome.lines] == ["noise.wav"]
    bad, absent = outcome.err.splitlines()
    assert bad.startswith(f"oido: error: {folder / 'text.wav'}")
    assert absent.startswith(f"oido: error: {folder / 'absent.wav'}")


def test_numbers_that_are_none_are_a_warning(oido: Command, tmp_path: Path) -> None:
    """NaN in a float file is heard as silence, and said."""
    samples = noise(4.0)
    samples[1000:1100] = np.nan
    soundfile.write(tmp_path / "nan.wav", samples, SAMPLE_RATE, subtype="FLOAT")
    outcome = oido("classify", tmp_path / "nan.wav")
    assert outcome.code == 0
    assert outcome.err == (
        f"oido: warning: {tmp_path / 'nan.wav'}: 100 samples are not finite numbers and were heard as silence\n"
    )
    assert tiles(outcome.lines, 4.0)


def tone(rate_hz: int, seconds: float = 4.0) -> FloatArray:
    """1 kHz at -6 dBFS, at any rate."""
    return (0.5 * np.sin(2 * np.pi * 1000 * np.arange(int(rate_hz * seconds)) / rate_hz)).astype(np.float32)


SOUNDS: dict[str, tuple[FloatArray, int, str]] = {
    "silence": (np.zeros(64_000, np.float32), 16_000, "PCM_16"),
    "white noise": (noise(4.0, level_dbfs=-10), 16_000, "PCM_16"),
    "tone": (tone(16_000), 16_000, "PCM_16"),
    "offset": (np.full(64_000, 0.5, np.float32), 16_000, "PCM_16"),
    "8 bit": (tone(8_000), 8_000, "PCM_U8"),
    "24 bit": (tone(48_000), 48_000, "PCM_24"),
    "float": (tone(44_100), 44_100, "FLOAT"),
    "float beyond full scale": (tone(44_100) * 1e6, 44_100, "FLOAT"),
    "96 kHz": (tone(96_000), 96_000, "PCM_16"),
    "6 channels": (np.repeat(tone(48_000)[:, None], 6, axis=1), 48_000, "PCM_16"),
    "square": (np.where(time_axis(4) * 200 % 1 < 0.5, 1, -1).astype(np.float32), 16_000, "PCM_16"),
}


@pytest.mark.parametrize("kind", SOUNDS)
def test_odd_sounds_have_a_result(oido: Command, tmp_path: Path, kind: str) -> None:
    """Segments from 0 to the end, a finite score each, nothing on standard error; none of these is music."""
    samples, rate_hz, subtype = SOUNDS[kind]
    soundfile.write(tmp_path / "odd.wav", samples, rate_hz, subtype=subtype)
    outcome = oido("classify", tmp_path / "odd.wav")
    assert (outcome.code, outcome.err) == (0, "")
    assert tiles(outcome.lines, 4.0)
    assert all(0 <= line["score"] <= 1 for line in outcome.lines)


@pytest.mark.parametrize("kind", ["silence", "white noise", "offset"])
def test_the_bundled_model_takes_no_nuisance_for_music(oido: Command, tmp_path: Path, kind: str) -> None:
    """What a microphone hears at night."""
    samples, rate_hz, _ = SOUNDS[kind]
    soundfile.write(tmp_path / "odd.wav", samples, rate_hz)
    assert {line["label"] for line in oido("classify", tmp_path / "odd.wav").lines} == {"no_music"}


def test_a_file_without_samples_is_named(oido: Command, tmp_path: Path) -> None:
    """One sentence, exit code 1."""
    soundfile.write(tmp_path / "empty.wav", np.zeros(0, np.float32), SAMPLE_RATE)
    (tmp_path / "nothing.wav").write_bytes(b"")
    outcome = oido("classify", "--summary", tmp_path / "empty.wav", tmp_path / "nothing.wav")
    assert (outcome.code, outcome.out, len(outcome.err.splitlines())) == (1, "", 2)


@pytest.mark.parametrize("name", ["cut.flac", "cut.wav"])
def test_a_truncated_file_gives_what_there_was(oido: Command, tmp_path: Path, name: str) -> None:
    """What was good of it is classified; where the format can tell, a sentence says that it breaks off."""
    path = tmp_path / name
    soundfile.write(path, scene(12.0), SAMPLE_RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    outcome = oido("classify", path)
    assert outcome.lines[0]["onset"] == 0
    assert 2 < outcome.lines[-1]["offset"] < 12
    assert outcome.code == len(outcome.err.splitlines()) <= 1


@pytest.mark.parametrize("seconds", [0.01, 0.5, 0.97])
def test_a_clip_ends_where_it_ends(oido: Command, tmp_path: Path, seconds: float) -> None:
    """Also one shorter than the patch that it is padded to."""
    soundfile.write(tmp_path / "clip.wav", noise(seconds), SAMPLE_RATE)
    assert tiles(oido("classify", tmp_path / "clip.wav").lines, seconds)


def test_a_file_name_may_be_any_bytes(tmp_path: Path) -> None:
    """Names from other times are not UTF-8; they are escaped, as JSON and as CSV."""
    path = os.fsencode(tmp_path) + b"/caf\xe9.wav"
    soundfile.write(tmp_path / "x.wav", noise(1.0), SAMPLE_RATE)
    (tmp_path / "x.wav").rename(os.fsdecode(path))
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    for option in ((), ("--csv",)):
        command: list[str | bytes] = [sys.executable, "-m", "device", "classify", *option, path]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False, timeout=60)
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"caf\\udce9.wav" in done.stdout


def test_options_win_over_the_configuration(oido: Command, folder: Path) -> None:
    """`--mode precision` has the higher threshold, which the summary applies."""
    config = folder / "config.toml"
    config.write_text('[model]\nmode = "recall"\n[decision]\nmin_on_s = 0\nmin_off_s = 0\n')
    scored = ("classify", "-c", config, "--model", "logistic", "--summary")
    recall = oido(*scored, folder / "scene.wav").lines[0]
    precision = oido(*scored, "--mode", "precision", folder / "scene.wav").lines[0]
    assert recall["score"] == precision["score"]
    assert recall["music_s"] > precision["music_s"]


def test_the_module_is_the_command(folder: Path) -> None:
    """`python -m device classify` says what `oido classify` says, and nothing on standard error."""
    done = subprocess_oido("classify", "--summary", folder / "noise.wav")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["music"] is False


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--jobs", "0"], "--jobs 0: at least one file must be processed at a time"),
        (["-c", "/absent.toml"], "/absent.toml: cannot read the configuration"),
    ],
)
def test_wrong_use_is_exit_code_2(oido: Command, folder: Path, words: list[str], part: str) -> None:
    """Nothing is classified."""
    outcome = oido("classify", folder / "noise.wav", *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert part in outcome.err


def test_an_unknown_model_is_wrong_use(oido: Command, folder: Path) -> None:
    """The sentence lists the models there are."""
    outcome = oido("classify", folder / "noise.wav", "--model", "absent")
    assert (outcome.code, outcome.out) == (2, "")
    assert "no model is named 'absent'; installed: " in outcome.err


def test_a_recording_is_cut_with_hindsight(oido: Command, tmp_path: Path) -> None:
    """A pause of 2.5 s is one; the daemon waits longer before it says that music has stopped."""
    whole = scene(36.0)
    music, pause = whole[12 * SAMPLE_RATE : 24 * SAMPLE_RATE], whole[24 * SAMPLE_RATE : 24 * SAMPLE_RATE + 40_000]
    soundfile.write(tmp_path / "pause.wav", np.concatenate([music, pause, music]), SAMPLE_RATE)
    lines = oido("classify", tmp_path / "pause.wav").lines
    assert tiles(lines, 26.5)
    assert [line["label"] for line in lines] == ["music", "no_music", "music"]
    assert lines[0]["offset"] == pytest.approx(12, abs=1)
    assert len(oido("classify", "--as-live", tmp_path / "pause.wav").lines) == 1


def test_as_live_is_what_the_daemon_says(oido: Command, folder: Path) -> None:
    """The same stretches as the events of `oido run --input`."""
    live = oido("classify", "--as-live", folder / "scene.wav").lines
    messages = oido("run", "--input", folder / "scene.wav").lines
    told = [each["payload"] for each in messages if each["topic"].endswith("/event")]
    stops = [each for each in told if each["event_type"] == "music_stopped"]
    assert [line["offset"] - line["onset"] for line in live if line["label"] == "music"] == [
        pytest.approx(each["duration_s"], abs=0.01) for each in stops
    ]


def test_durations_that_are_set_are_kept(oido: Command, folder: Path) -> None:
    """No music is shorter than `[decision] min_on_s`."""
    config = folder / "long.toml"
    config.write_text("[decision]\nmin_on_s = 30\n")
    assert {line["label"] for line in oido("classify", "-c", config, folder / "scene.wav").lines} == {"no_music"}


@pytest.mark.parametrize("seconds", [1.0, 1.44, 1.445, 2.7, 4.799, 9.61])
def test_segments_join_whatever_the_length(oido: Command, tmp_path: Path, seconds: float) -> None:
    """None is empty, also at the end."""
    soundfile.write(tmp_path / "clip.wav", np.concatenate([noise(seconds / 2), chord(seconds / 2)]), SAMPLE_RATE)
    lines = oido("classify", tmp_path / "clip.wav").lines
    assert tiles(lines, seconds)
    assert all(line["onset"] < line["offset"] for line in lines)
