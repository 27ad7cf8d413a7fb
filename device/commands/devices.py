"""`oido devices`: the microphones, as `[[source]] device` names them."""

import argparse

from device.sources.port_audio import port_audio


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`devices` has no options."""
    del parser


def run(arguments: argparse.Namespace) -> int:
    """Print every input device, the default one marked."""
    del arguments
    found = port_audio().input_devices()
    if not found:
        print("no microphone is connected")
        return 1
    for each in found:
        mark = "*" if each.is_default else " "
        print(f"{mark} {each.name!r}: {each.channels} channels, {each.sample_rate_hz:g} Hz, {each.host_api}")
    print("\n* is what `oido run` listens to; any part of a name serves as `device` in [[source]]")
    return 0
