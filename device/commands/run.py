"""`oido run`: the daemon."""

import argparse
import logging
import os
from datetime import UTC, datetime

from device.commands.options import add_config, add_input, add_model, configuration
from device.configuration.settings import SourceConfig
from device.daemon.daemon import run as run_daemon
from device.sources.base import Source
from device.sources.opening import open_source

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `run`."""
    add_config(parser)
    add_model(parser)
    add_input(parser)
    parser.add_argument(
        "--start",
        type=_date,
        default=0.0,
        metavar="DATE",
        help="with --input: when the recording began, ISO 8601 (default: 1970-01-01T00:00:00Z)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Listen until stopped, or to the end of the recording."""
    config = configuration(arguments)
    if arguments.input is None:
        if not config.mqtt.host:
            _log.info("no broker is configured ([mqtt] host): messages go to standard output")
        # A terminal that is closed sends SIGHUP too; then the program must end.
        reread = None if os.isatty(0) else lambda: configuration(arguments)
        return run_daemon(config, open_source=open_source, reread=reread)

    from device.sources.recording import Recording  # noqa: PLC0415 - decoders that no microphone needs

    def open_recording(source: SourceConfig) -> Source:
        return Recording(arguments.input, name=source.name, pace=arguments.pace)

    # A replay is dated by its start, not by the clock: the same recording gives the same bytes.
    return run_daemon(config, open_source=open_recording, origin=arguments.start)


def _date(text: str) -> float:
    """Seconds since the epoch; a date without an offset is taken as UTC."""
    try:
        date = datetime.fromisoformat(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no date: write 2026-05-01 or 2026-05-01T18:30:00+02:00"
        ) from error
