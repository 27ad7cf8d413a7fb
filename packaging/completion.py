"""Prints the completion of `oido` for bash, which shtab makes from its parser.

    python packaging/completion.py > oido
    sudo install -m 644 oido /usr/share/bash-completion/completions/oido

The names of the bundled models are fixed when this runs. The user's own are looked up when Tab is pressed.
"""

# ruff: noqa: INP001 - a script, in a folder of scripts

import argparse
import sys
from pathlib import Path
from typing import Any

import shtab

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from device.cli import parser
from device.hearing.models.loading import model_directories

OWN_MODELS = r'ls "${XDG_DATA_HOME:-$HOME/.local/share}/oido/models" 2>/dev/null | sed -n "s/\.json\$//p"'


def completion(action: argparse.Action) -> Any:
    """What shtab completes an argument's value with; None: nothing, or the choices that it has."""
    if action.dest == "model":
        bundled = sorted(path.stem for path in model_directories()[-1].glob("*.json"))
        return shtab.cmd(f"echo {' '.join(bundled)}; {OWN_MODELS}")
    if action.metavar == "DIR":
        return shtab.DIRECTORY
    return shtab.FILE if action.type is Path or action.metavar == "FILE" else None


def whole() -> argparse.ArgumentParser:
    """The parser of `oido`, with the attribute `complete` that shtab reads."""
    program = parser()
    (commands,) = program._subparsers._group_actions  # type: ignore[union-attr]  # noqa: SLF001 - nor has shtab another way
    for command in commands.choices.values():  # type: ignore[union-attr]
        for action in command._actions:  # noqa: SLF001
            if found := completion(action):
                action.complete = found
    return program


if __name__ == "__main__":
    print(shtab.complete(whole(), "bash"))  # noqa: T201 - a script
