"""`oido benchmark`: how fast this device is, and what memory each model takes."""

import argparse
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

from device.benchmark.difference import compare, read_report
from device.benchmark.document import dumps
from device.benchmark.job import Job
from device.benchmark.results import Settings
from device.benchmark.survey import survey
from device.benchmark.table import table
from device.command_line import complain
from device.commands.options import add_config
from device.commands.progress_bar import Progress
from device.configuration.settings import Runtime, load
from device.errors import OidoError, UsageError

LOWEST_HZ, HIGHEST_HZ = 8_000, 192_000
"""What microphones capture at."""

BUSY = (
    "other programs are busy here (load average {:.1f} on {} cores): p50 and min say more than mean, p95 and p99"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `benchmark`."""
    parser.add_argument(
        "--model",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="models to measure (default: all installed)",
    )
    parser.add_argument("--runtime", choices=get_args(Runtime), help="TFLite runtime (default: as configured)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="threads of each runtime (default: 1)")
    parser.add_argument(
        "--seconds",
        type=float,
        default=300.0,
        metavar="S",
        help="seconds of sound to measure the stages on (default: 300)",
    )
    parser.add_argument(
        "--live",
        type=float,
        default=10.0,
        metavar="S",
        help="seconds to measure at the pace of live sound (default: 10; 0: none)",
    )
    parser.add_argument(
        "--rate", type=int, default=48_000, metavar="HZ", help="sample rate of the microphone (default: 48000)"
    )
    parser.add_argument(
        "--yamnet",
        metavar="FILE",
        help="Google's YAMNet in TFLite, to compare with (default: yamnet.tflite beside the models, if there)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--compare", type=Path, metavar="FILE", help="compare with an earlier report, saved from --json"
    )
    add_config(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure, and print the report; a model that cannot be measured is named on standard error."""
    settings = _settings(arguments)
    earlier = None if arguments.compare is None else read_report(arguments.compare)
    model = load(arguments.config).model
    wanted = Job(
        task="prepare",
        settings=settings,
        models=tuple(arguments.model),
        directory=model.directory,
        runtime=arguments.runtime or model.runtime,
        yamnet=arguments.yamnet,
    )
    failures: list[OidoError] = []
    with Progress(sys.stderr) as progress:
        report = survey(wanted, show=progress.draw, failed=failures.append)
    for error in failures:
        complain("oido", f"error: {error}")
    if not report.models:
        return OidoError.exit_code
    if report.before.load_average > report.machine.cores / 2:
        complain("oido", f"warning: {BUSY.format(report.before.load_average, report.machine.cores)}")
    if earlier is not None:
        report = replace(report, comparison=compare(report, earlier, file=str(arguments.compare)))
        for warning in report.comparison.warnings if report.comparison else ():
            complain("oido", f"warning: {warning}")
    for line in [dumps(report, indent=2)] if arguments.json else table(report):
        print(line)
    return OidoError.exit_code if failures else 0


def _settings(arguments: argparse.Namespace) -> Settings:
    """The settings of the command line.

    Raises:
        UsageError: one of them is out of range.
    """
    if arguments.threads < 1:
        raise UsageError(f"--threads {arguments.threads}: at least one thread must work")
    if not 0 < arguments.seconds < math.inf:
        raise UsageError(f"--seconds {arguments.seconds:g}: some sound must be heard, and not for ever")
    if not 0 <= arguments.live < math.inf:
        raise UsageError(f"--live {arguments.live:g}: seconds cannot be negative or without end")
    if not LOWEST_HZ <= arguments.rate <= HIGHEST_HZ:
        raise UsageError(f"--rate {arguments.rate}: microphones capture at {LOWEST_HZ} to {HIGHEST_HZ} Hz")
    return Settings(
        threads=arguments.threads, seconds=arguments.seconds, live_s=arguments.live, rate_hz=arguments.rate
    )
