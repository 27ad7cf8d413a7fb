"""packaging/manual.py: the manual page says what the program does, and its readers accept it."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import device
from device.cli import COMMANDS, parser
from device.configuration.settings import load

ROOT = Path(__file__).parents[1]

SECTIONS = [
    "NAME",
    "SYNOPSIS",
    "DESCRIPTION",
    "OPTIONS",
    "COMMANDS",
    "FILES",
    "ENVIRONMENT",
    "EXIT STATUS",
    "EXAMPLES",
    "SEE ALSO",
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, as it is installed."""
    path = tmp_path_factory.mktemp("man1") / "oido.1"
    done = subprocess.run(
        [sys.executable, ROOT / "packaging" / "manual.py"],
        env={"SOURCE_DATE_EPOCH": "1767225600"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    path.write_bytes(done.stdout)
    return path


@pytest.fixture(scope="module")
def words(page: Path) -> str:
    """What the page says, without roff's signs."""
    text = page.read_text(encoding="ascii")
    for sign, meant in ((r"\-", "-"), (r"\(aq", "'"), (r"\(ga", "`"), (r"\%", ""), (r"\ ", " "), (r"\&", "")):
        text = text.replace(sign, meant)
    return re.sub(r"\\f[BIRP]", "", text)


def section(words: str, name: str) -> str:
    """One section of the page, without its heading."""
    return re.split(r"^\.SH .*\n", words[words.index(f".SH {name}\n") :], maxsplit=2, flags=re.MULTILINE)[1]


def test_the_sections_are_those_of_every_page(words: str) -> None:
    """In the order of man-pages(7)."""
    assert re.findall(r"^\.SH (.*)$", words, re.MULTILINE) == SECTIONS


def test_its_head_has_the_version_and_the_date(words: str) -> None:
    """The date is that of the source, so that a package can be built twice to the same bytes."""
    assert f'.TH OIDO 1 "2026-01-01" "oido {device.__version__}" "User Commands"' in words


def test_every_command_has_its_options(words: str) -> None:
    """Each word that `oido COMMAND --help` gives the names of options."""
    text = section(words, "COMMANDS")
    parts = dict(re.findall(r'^\.SS "oido (\w+)"\n(.*?)(?=^\.SS|\Z)', text, re.MULTILINE | re.DOTALL))
    assert list(parts) == [command.name for command in COMMANDS]
    for name, part in parts.items():
        done = subprocess.run(
            [sys.executable, "-m", "device", name, "--help"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        offered = set(re.findall(r"^  (?:-\w[^-]*, )?(--[a-z-]+)", done.stdout, re.MULTILINE))
        described = set(re.findall(r"^(?:-\w, )?(--[a-z-]+)", part, re.MULTILINE))
        assert described | {"--help"} == offered


def test_the_examples_can_be_typed(words: str) -> None:
    """The real parser takes each."""
    lines = re.findall(r"^\.TP\n(oido .*)$", section(words, "EXAMPLES"), re.MULTILINE)
    assert len(lines) >= 5
    whole = parser()
    for line in lines:
        assert whole.parse_args(shlex.split(line)[1:]).command == line.split()[1]


def test_the_variables_have_an_effect(words: str, tmp_path: Path) -> None:
    """All that are named after a setting, and every setting is among them."""
    variables = re.findall(r"OIDO_(?!SECTION_KEY)[A-Z_]+", section(words, "ENVIRONMENT"))
    assert "OIDO_MQTT_HOST" in variables
    (tmp_path / "config.toml").touch()
    for variable in variables:
        with pytest.raises(Exception, match=variable):
            load(tmp_path / "config.toml", {variable: "\0"})


def test_the_exit_codes_are_those_of_the_program(words: str) -> None:
    """0 done, 1 the work failed, 2 wrong use, 130 Ctrl-C."""
    assert re.findall(r"^\.TP\n(\d+)$", section(words, "EXIT STATUS"), re.MULTILINE) == ["0", "1", "2", "130"]


@pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed")
def test_man_has_no_warnings(page: Path) -> None:
    """groff's, all of them."""
    done = subprocess.run(
        ["man", "--warnings=w", "-l", "-Tutf8", page], capture_output=True, text=True, check=True, timeout=60
    )
    assert "SEE ALSO" in re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout)
    assert done.stderr == ""


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed")
def test_mandoc_has_nothing_to_say(page: Path) -> None:
    """Its linter is the strictest there is."""
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "style", page], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "")
