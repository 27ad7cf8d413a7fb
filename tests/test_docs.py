"""The documents: the programs accept their command lines, and the links and files they name exist."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.cli import COMMANDS as DEVICE_COMMANDS
from device.command_line import Command, parse
from export.cli import COMMANDS as EXPORT_COMMANDS

ROOT = Path(__file__).parents[1]
NAMED = ("README.md", "README.es.md", "CONTRIBUTING.md", "models/MODEL_CARD.md")
PAGES = sorted([*(ROOT / "docs").glob("*.md"), *(ROOT / name for name in NAMED)])
PROGRAMS: dict[str, tuple[Command, ...]] = {"oido": DEVICE_COMMANDS, "oido-export": EXPORT_COMMANDS}

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def without_blocks(text: str) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def shell_commands(text: str) -> Iterator[list[str]]:
    """The words of each command in the shell blocks of a page."""
    for block in re.findall(r"^```(?:sh|console)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.shlex(line, posix=True, punctuation_chars=True)
            words.whitespace_split = True
            command: list[str] = []
            for word in [*words, ";"]:
                if not set(word) <= set(";|&<>()"):
                    command.append(word)
                    continue
                yield command
                command = []


def programs_run(text: str) -> Iterator[tuple[str, list[str]]]:
    """Of these, the ones that run oido or oido-export: which, and its arguments."""
    for words in shell_commands(text):
        match words:
            case ["oido" | "oido-export" as program, *arguments]:
                yield program, arguments
            case ["sudo" | "$", "oido" | "oido-export" as program, *arguments]:
                yield program, arguments
            case ["taskset", *_]:
                yield "oido", words[words.index("oido") + 1 :]


def options_named(text: str) -> Iterator[tuple[str, str, str]]:
    """Program, command and option wherever a line of the text names them in one piece of code."""
    for span in re.findall(r"`([^`]+)`", without_blocks(text)):
        words = span.split()
        if len(words) > 1 and words[0] in PROGRAMS:
            yield from ((words[0], words[1], word) for word in words[2:] if word.startswith("--"))


@each_page
def test_every_command_line_is_accepted(page: Path) -> None:
    """Of the shell blocks, by the real parsers."""
    for program, words in programs_run(page.read_text(encoding="utf-8")):
        try:
            parse(words, prog=program, description="", commands=PROGRAMS[program])
        except SystemExit:
            pytest.fail(f"{page.name}: {program} {' '.join(words)}")


def test_command_lines_are_found() -> None:
    """Also behind sudo and taskset, and over two lines; not what only names the program."""
    text = (
        "```sh\nsudo oido check # all?\noido-export train \\\n    logistic --seed 1 && oido demo\n"
        "taskset -c 0 oido version\nsudo systemctl reload oido\n```\n"
    )
    assert [" ".join([program, *words]) for program, words in programs_run(text)] == [
        "oido check",
        "oido-export train logistic --seed 1",
        "oido demo",
        "oido version",
    ]


@each_page
def test_every_option_that_is_named_exists(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the help of its command."""
    for program, command, option in options_named(page.read_text(encoding="utf-8")):
        with pytest.raises(SystemExit):
            parse([command, "--help"], prog=program, description="", commands=PROGRAMS[program])
        assert option in capsys.readouterr().out, f"{program} {command} {option}"


@each_page
def test_every_link_leads_somewhere(page: Path) -> None:
    """Files from the page's own folder, headings of the page itself."""
    text = without_blocks(page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    headings = {re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in titles}
    for link in re.findall(r"\]\(([^)]+)\)", text):
        if link.startswith("#"):
            assert link[1:] in headings, link
        elif "://" not in link:
            assert (page.parent / link.partition("#")[0]).exists(), link


@each_page
def test_every_file_of_the_repository_that_is_named_is_there(page: Path) -> None:
    """In blocks and in lines, with its path; NAME stands for what a reader adds."""
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"(?<![\w/.-])(?:device|docs|export|models|packaging|systemd|tests)/[\w./-]*\w", text):
        assert (ROOT / name).exists() or "NAME" in name, name


def test_every_module_that_is_named_is_there() -> None:
    """In the architecture and in CONTRIBUTING, by its name alone."""
    there = {path.name for room in ("device", "export", "tests") for path in (ROOT / room).rglob("*.py")}
    for page in ("docs/architecture.md", "CONTRIBUTING.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        named = {name.rpartition("/")[2] for name in re.findall(r"[\w/]+\.py\b", text)}
        assert named - there <= {"NAME.py", "test_NAME.py"}, page
