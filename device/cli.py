"""`oido`: arguments and dispatch only."""

import argparse
from collections.abc import Sequence

from device.command_line import Command, build_parser, execute

DESCRIPTION = "Hears whether there is music, on the device, and says so over MQTT."

COMMANDS = (
    Command("run", "listen and publish, until stopped", "device.commands.run"),
    Command("classify", "say where in audio files there is music", "device.commands.classify"),
    Command("watch", "show live level and scores in the terminal", "device.commands.watch"),
    Command("history", "say when music played, from the daemon's history", "device.commands.history"),
    Command("devices", "list microphones", "device.commands.devices"),
    Command("check", "check configuration, model, sources, broker, clock and disk", "device.commands.check"),
    Command("benchmark", "measure this device's speed and memory, model by model", "device.commands.benchmark"),
    Command("demo", "play bundled audio through the whole path, with a broker of its own", "device.demo"),
    Command("version", "show the versions of the program, its models and runtimes", "device.commands.version"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `oido` and return its exit code."""
    return execute(argv, prog="oido", description=DESCRIPTION, commands=COMMANDS)


def parser() -> argparse.ArgumentParser:
    """All of `oido`'s command line, for the manual page and the shell's completion."""
    names = [command.name for command in COMMANDS]
    return build_parser(prog="oido", description=DESCRIPTION, commands=COMMANDS, wanted=names)
