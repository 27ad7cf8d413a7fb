"""packaging/manual.py: the manual page names all that there is, and its readers accept it."""

import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

import device
from device.cli import COMMANDS, parser
from device.configuration.settings import Config, SourceConfig

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, as it is installed."""
    path = tmp_path_factory.mktemp("man1") / "oido.1"
    done = subprocess.run(
        [sys.executable, ROOT / "packaging" / "manual.py"],
        env={"SOURCE_DATE_EPOCH": "1767225600", "TZ": "UTC"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    path.write_bytes(done.stdout)
    return path


@pytest.fixture(scope="module")
def text(page: Path) -> str:
    """The page without roff's escapes."""
    signs = {"-": "-", "(aq": "'", "(dq": '"', "(ti": "~", ",": "", "/": "", "fB": "", "fI": "", "fR": ""}
    return re.sub(r"\\(\(\w\w|f\w|.)", lambda found: signs[found[1]], page.read_text(encoding="ascii"))


def parts(text: str, section: str) -> dict[str, str]:
    """The subsections of a section, by their headings."""
    (body,) = re.findall(rf"^\.SH\s{section}\n(.*?)(?=^\.SH|\Z)", text, re.MULTILINE | re.DOTALL)
    return dict(re.findall(r"^\.SS (.*?)\n(.*?)(?=^\.SS|\Z)", body, re.MULTILINE | re.DOTALL))


def test_its_head_has_the_version_and_the_date(text: str) -> None:
    """The date is that of the source, so that a package can be built twice to the same bytes."""
    assert text.startswith(f'.TH OIDO "1" "2026-01-01" "oido {device.__version__}" "User Commands"\n')


def test_every_command_has_its_options(text: str) -> None:
    """Those that `oido COMMAND --help` names."""
    commands = parts(text, "COMMANDS")
    assert list(commands) == [f"oido {command.name}" for command in COMMANDS]
    for command in COMMANDS:
        done = subprocess.run(
            [sys.executable, "-m", "device", command.name, "--help"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        pattern = r"(?:-\w[^-]*, )?(--[a-z-]+)"
        offered = re.findall(rf"^  {pattern}", done.stdout, re.MULTILINE)
        described = re.findall(rf"^{pattern}", commands[f"oido {command.name}"], re.MULTILINE)
        assert ["--help", *described] == offered


def test_every_key_of_the_configuration_is_there(text: str) -> None:
    """Under the heading of its section."""
    sections = {section.name: getattr(Config(), section.name) for section in fields(Config)}
    sections["source"] = SourceConfig()
    keys = {
        heading.strip("[]"): re.findall(r"^\.B (\w+) = ", body, re.MULTILINE)
        for heading, body in parts(text, "CONFIGURATION").items()
    }
    assert keys.keys() == sections.keys()
    for name, section in sections.items():
        assert is_dataclass(section)
        assert sorted(keys[name]) == sorted(key.name for key in fields(section))


def test_the_examples_can_be_typed(text: str) -> None:
    """The real parser accepts each."""
    lines = re.findall(r"^\.B (?:sudo )?oido (.*)$", text[text.index(".SH EXAMPLES") :], re.MULTILINE)
    assert len(lines) >= 5
    for line in lines:
        assert parser().parse_args(shlex.split(line)).command == line.split()[0]


@pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed")
def test_man_has_no_warnings(page: Path) -> None:
    """Whatever groff can warn of."""
    done = subprocess.run(
        ["man", "--warnings=w", "-l", "-Tutf8", page], capture_output=True, text=True, check=True, timeout=60
    )
    assert "SEE ALSO" in re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout)
    assert done.stderr == ""


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed")
def test_mandoc_has_no_warnings(page: Path) -> None:
    """The linter of another reader."""
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "")
