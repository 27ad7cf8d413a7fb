"""device.commands.formats and `oido classify --format`: what other programs read, read back."""

import csv
import io
import json
import os
import re
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest
import soundfile
from hearing_fakes import noise, scene
from hypothesis import given
from hypothesis import strategies as st
from test_classify import Command

from device.commands.formats import SUFFIXES, Format, SegmentLine, document
from device.sound import SAMPLE_RATE

LINES = (
    SegmentLine("a b/c.wav", 0.0, 3_599.9996, "no_music", 0.01),
    SegmentLine("a b/c.wav", 3_599.9996, 3_723.5, "music", 0.98765),
    SegmentLine("a b/c.wav", 3_723.5, 36_000.25, "no_music", None),
    SegmentLine("a b/c.wav", 36_000.25, 36_001.0, "music", None),
)

EVERY: tuple[Format, ...] = get_args(Format)


@pytest.fixture
def oido(capsys: pytest.CaptureFixture[str]) -> Command:
    """The command."""
    return Command(capsys)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two recordings of one name, and one that is none."""
    for name in ("bar", "hall"):
        (tmp_path / name).mkdir()
    soundfile.write(tmp_path / "bar" / "x.wav", scene(24.0), SAMPLE_RATE)
    soundfile.write(tmp_path / "hall" / "x.wav", noise(2.0), SAMPLE_RATE)
    (tmp_path / "hall" / "y.wav").write_text("no audio")
    return tmp_path


def test_labels_of_audacity() -> None:
    """Seconds, between tabs."""
    assert document(LINES, "audacity") == ("3599.999600\t3723.500000\tmusic\n36000.250000\t36001.000000\tmusic\n")


def test_subtitles() -> None:
    """Numbered from 1, with a comma before the milliseconds and an empty line between."""
    assert document(LINES, "srt") == (
        "1\n01:00:00,000 --> 01:02:03,500\nmusic\n\n2\n10:00:00,250 --> 10:00:01,000\nmusic\n"
    )


def test_rttm() -> None:
    """Ten fields; names have no spaces."""
    first, second = document(LINES, "rttm").splitlines()
    assert first == "SPEAKER a_b/c 1 3600.000 123.500 <NA> <NA> music 0.9877 <NA>"
    assert second == "SPEAKER a_b/c 1 36000.250 0.750 <NA> <NA> music <NA> <NA>"


def test_a_text_grid_has_no_gap() -> None:
    """Praat refuses a tier whose intervals do not join, or do not reach from end to end."""
    text = document(LINES, "textgrid")
    assert text.startswith('File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 36001.000\n')
    edges = [
        (float(low), float(high), label)
        for low, high, label in re.findall(
            r'intervals \[\d+\]:\n +xmin = (\S+)\n +xmax = (\S+)\n +text = "(.*)"', text
        )
    ]
    assert [label for *_, label in edges] == [line.label for line in LINES]
    assert (edges[0][0], edges[-1][1]) == (0.0, 36_001.0)
    assert all(before[1] == after[0] for before, after in pairwise(edges))
    assert "intervals: size = 4" in text


@given(st.lists(st.floats(0.001, 90_000), min_size=1, max_size=5, unique=True), st.sampled_from(EVERY))
def test_every_format_holds_every_second(edges: list[float], form: Format) -> None:
    """Whatever the times are, none is lost or runs over."""
    times = sorted(round(edge, 3) for edge in edges)
    lines = [
        SegmentLine("x", onset, offset, "music" if index % 2 else "no_music", 0.5)
        for index, (onset, offset) in enumerate(pairwise([0.0, *times]))
    ]
    text = document(lines, form)
    assert "60,000" not in text
    assert ":60" not in text
    assert text.count("music") >= sum(line.label == "music" for line in lines)


@pytest.mark.parametrize("form", EVERY)
def test_the_command_prints_every_format(oido: Command, folder: Path, form: Format) -> None:
    """The same as is written for the recording into a folder."""
    recording = folder / "bar" / "x.wav"
    printed = oido("classify", "--format", form, recording)
    written = oido("classify", "--format", form, "--out", folder / "out", recording)
    assert (printed.code, printed.err, written.code, written.out, written.err) == (0, "", 0, "", "")
    assert (folder / "out" / f"x.wav{SUFFIXES[form]}").read_text() == printed.out
    assert "music" in printed.out


def test_csv_is_short_for_its_format(oido: Command, folder: Path) -> None:
    """As it was before there were others."""
    recording = folder / "bar" / "x.wav"
    assert oido("classify", "--csv", recording).out == oido("classify", "--format", "csv", recording).out


def test_a_file_for_each_recording(oido: Command, folder: Path) -> None:
    """Folders stay folders, names that are the same are numbered, and what was not heard has no file."""
    out = folder / "out"
    outcome = oido(
        "classify",
        "--format",
        "srt",
        "--out",
        out,
        folder / "bar" / "x.wav",
        folder / "hall",
        folder / "hall/x.wav",
    )
    assert outcome.code == 1
    assert sorted(str(each.relative_to(out)) for each in out.rglob("*.*")) == [
        "x.wav.2.srt",
        "x.wav.3.srt",
        "x.wav.srt",
    ]
    again = folder / "again"
    assert oido("classify", "--out", again, folder).code == 1
    assert sorted(str(each.relative_to(again)) for each in again.rglob("*.*")) == [
        "bar/x.wav.jsonl",
        "hall/x.wav.jsonl",
    ]


def test_a_summary_beside_files(oido: Command, folder: Path) -> None:
    """Whole files to standard output, segments into the folder, the total to standard error."""
    outcome = oido(
        "classify",
        "--summary",
        "--format",
        "rttm",
        "--out",
        folder / "out",
        folder / "bar",
        folder / "hall" / "x.wav",
    )
    assert [json.loads(line)["duration_s"] for line in outcome.out.splitlines()] == [24.0, 2.0]
    assert len(list((folder / "out").iterdir())) == 2
    music_s = json.loads(outcome.out.splitlines()[0])["music_s"]
    assert outcome.err == (
        f"oido: 2 recordings: 0.01 hours, {music_s / 3_600:.2f} of them music ({music_s / 26:.1%})\n"
    )


@pytest.mark.parametrize("form", ["audacity", "srt", "textgrid"])
def test_several_recordings_need_a_folder(oido: Command, folder: Path, form: str) -> None:
    """Where a file cannot say of which recording it is."""
    outcome = oido("classify", "--format", form, folder / "bar", folder / "hall" / "x.wav")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == f"oido: error: --format {form} holds one recording, and there are 2: say --out DIR\n"


def test_rttm_of_several_recordings_is_one_file(oido: Command, folder: Path) -> None:
    """Each line says of which it is."""
    outcome = oido("classify", "--format", "rttm", folder / "bar" / "x.wav", folder / "bar" / "x.wav")
    names = [line.split()[1] for line in outcome.out.splitlines()]
    assert set(names) == {str(folder / "bar" / "x")}
    assert len(names) % 2 == 0


def test_a_summary_is_json_or_csv(oido: Command, folder: Path) -> None:
    """Subtitles have no place for it."""
    assert oido("classify", "--summary", "--format", "srt", folder / "bar").code == 2


def test_a_folder_that_cannot_be_written_is_one_sentence(oido: Command, folder: Path) -> None:
    """Nothing half written stays."""
    (folder / "out").write_text("a file")
    outcome = oido("classify", "--out", folder / "out", folder / "bar")
    assert outcome.code == 1
    assert outcome.err == f"oido: error: --out {folder}/out: the folder cannot be made: File exists\n"


def test_a_name_of_any_bytes_is_written(oido: Command, folder: Path) -> None:
    """Escaped in the text, kept in the file's name."""
    recording = os.fsdecode(os.fsencode(folder) + b"/caf\xe9.wav")
    (folder / "hall" / "x.wav").rename(recording)
    assert oido("classify", "--format", "csv", "--out", folder / "out", recording).code == 0
    (written,) = (folder / "out").iterdir()
    assert os.fsencode(written.name) == b"caf\xe9.wav.csv"
    (row,) = csv.DictReader(io.StringIO(written.read_text()))
    assert row["file"].endswith("caf\\udce9.wav")
