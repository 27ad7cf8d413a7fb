"""The `oido-export` command line: corpus build, info and verify."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from export.__main__ import main
from export.corpus.packages import sha256_of
from export.progress import Progress

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A built corpus of one package, an hour and a half of music by its manifest's word."""
    root = tmp_path / "corpus"
    (root / "audio").mkdir(parents=True)
    soundfile.write(root / "audio" / "bambam__music.flac", np.zeros(36 * 16_000, np.float32), 16_000)
    (root / "manifest.csv").write_text(
        "file,label,category,package,start,duration,source_path\n"
        "audio/bambam__music.flac,music,electronic,bambam,0.0,36.0,a.wav\n"
    )
    sums = "".join(f"{sha256_of(root / name)}  {name}\n" for name in ("audio/bambam__music.flac", "manifest.csv"))
    (root / "checksums.sha256").write_text(sums)
    return root


def test_no_command_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    """The usage is shown and the exit code is 2."""
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 2
    assert "usage: oido-export" in capsys.readouterr().err


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """Every command stands in the help with a line on what it does."""
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    assert "build, inspect and verify" in capsys.readouterr().out


def test_help_imports_no_command() -> None:
    """Asking for help does not wait for the libraries that commands need."""
    script = "import sys\nfrom export.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    script += "sys.exit('export.commands.corpus' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
    assert done.returncode == 0


def test_info_shows_hours_by_split(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """36 s of music from a test package are 0.01 h in the test column."""
    assert main(["corpus", "info", "--corpus", str(corpus)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["music", "0.000", "0.000", "0.010", "0.010"] in lines
    assert ["electronic", "0.000", "0.000", "0.010", "0.010"] in lines


def test_info_lists_packages_with_licences(capsys: pytest.CaptureFixture[str]) -> None:
    """Which packages, versions and licences the corpus is made of can be read without building it."""
    assert main(["corpus", "info", "--packages"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 64
    assert any(line.startswith("festvox-ru") and "GPL" in line for line in lines)


def test_verify_accepts_what_was_built(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All files as built: exit code 0."""
    assert main(["corpus", "verify", "--corpus", str(corpus)]) == 0
    assert "all 2 files" in capsys.readouterr().out


def test_verify_names_a_changed_file(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A changed file is named, and the exit code is 1."""
    (corpus / "audio" / "bambam__music.flac").write_bytes(b"x")
    assert main(["corpus", "verify", "--corpus", str(corpus)]) == 1
    output = capsys.readouterr()
    assert "bambam__music.flac has changed" in output.out
    assert "1 of 2 files" in output.err


def test_verify_without_checksums_says_why(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A prepared corpus has no checksums; that is an error, not success."""
    (corpus / "checksums.sha256").unlink()
    assert main(["corpus", "verify", "--corpus", str(corpus)]) == 1
    assert "there is no checksums.sha256" in capsys.readouterr().err


def test_error_is_one_line_on_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback: what, where, what to do."""
    assert main(["corpus", "info", "--corpus", str(tmp_path)]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"oido-export: error: {tmp_path} (--corpus) holds no manifest.csv")
    assert output.err.count("\n") == 1


def test_build_uses_a_prepared_corpus(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --prepared nothing is downloaded; the output says how the other commands find it."""
    assert main(["corpus", "build", "--prepared", str(corpus)]) == 0
    output = capsys.readouterr().out
    assert "nothing to do" in output
    assert f"--corpus {corpus}" in output


def test_build_refuses_a_prepared_folder_without_a_corpus(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt --prepared does not start a download."""
    assert main(["corpus", "build", "--prepared", str(tmp_path)]) == 1
    assert "manifest.csv" in capsys.readouterr().err


def test_build_refuses_zero_jobs() -> None:
    """Wrong use: exit code 2."""
    with pytest.raises(SystemExit) as stop:
        main(["corpus", "build", "--jobs", "0"])
    assert stop.value.code == 2


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="needs ffmpeg")
def test_interrupt_exits_with_130(tmp_path: Path) -> None:
    """Ctrl-C during a download ends the command quietly with the shell's code for it."""
    for name, body in (
        ("apt-cache", "printf 'Version: 1\\n'"),
        ("apt-get", "kill -INT $PPID; sleep 0.2; exit 1"),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    command = [sys.executable, "-m", "export", "corpus", "build", "--download", "--only", "kolf"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "out")],
        cwd=ROOT,
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 130
    assert done.stderr.endswith("oido-export: interrupted\n")
    assert "Traceback" not in done.stderr


def test_progress_is_plain_lines_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A log file gets numbered lines, no bar."""
    with Progress(total=2, unit="packages") as progress:
        progress.step("one")
        progress.step("two")
    assert capsys.readouterr().err == "[1/2] one\n[2/2] two\n"
