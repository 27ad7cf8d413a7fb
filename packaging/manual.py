"""Prints the manual page oido(1), which argparse-manpage makes from the parser.

    python packaging/manual.py > oido.1
    man -l oido.1

What the parser does not know stands in oido.1.include; the keys of the configuration come from its example.
The date of the page is SOURCE_DATE_EPOCH (reproducible-builds.org), or today.
"""

# ruff: noqa: INP001 - a script, in a folder of scripts

import os
import re
import sys
from pathlib import Path

from argparse_manpage.manpage import Manpage

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import device
from device.cli import DESCRIPTION, parser

ROOT = Path(__file__).resolve().parents[1]


def configuration(example: str) -> str:
    """The example configuration in roff: sections, and each key with its value and what is said about it."""
    text = example[example.index("[") :].replace("-", r"\-").replace("'", r"\(aq").replace('"', r"\(dq")
    text = re.sub(r"^(?:# )?(\w+ = \S+)(?: +# )?(.*)", r".TP\n.B \1\n\2", text, flags=re.MULTILINE)
    text = re.sub(r"^(\[+\w+\]+)(?: +# )?(.*)", r".SS \1\n\2", text, flags=re.MULTILINE)
    return re.sub(r"^ +# ", "", text, flags=re.MULTILINE)


def manual(example: str) -> str:
    """The page, in roff."""
    os.environ["COLUMNS"] = "70"  # the width of argparse's usage, which the page indents
    program = parser()
    program.description = None
    program._action_groups[0].title = "commands"  # noqa: SLF001 - argparse has no public way
    for command in program._subparsers._group_actions[0].choices.values():  # type: ignore[union-attr]  # noqa: SLF001
        command.description = None  # its help; what is more stands in the section on the configuration
    data = {
        "description": DESCRIPTION[0].lower() + DESCRIPTION[1:].rstrip("."),
        "version": device.__version__,
        "manual_title": "User Commands",
        "include": ROOT / "packaging" / "oido.1.include",
    }
    page = Manpage(program, format="single-commands-section", _data=data)
    page.add_section("configuration", ">", "\n" + configuration(example))
    head, body = str(page).split("\n", 1)
    # A blank line is a paragraph before text, and nothing before a request; mandoc knows no date with \\-.
    body = re.sub(r"\n{2,}(?=\.)", "\n", re.sub(r"\n{2,}(?=[^.\n])", "\n.PP\n", body))
    return head.replace(r"\-", "-") + "\n" + body


if __name__ == "__main__":
    sys.stdout.write(manual((ROOT / "systemd" / "config.example.toml").read_text(encoding="utf-8")))
