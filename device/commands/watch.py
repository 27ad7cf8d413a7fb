"""`oido watch`: what the device hears, live, in the terminal."""

import argparse
import math
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from device.commands.options import add_config, add_input, add_model, configuration
from device.errors import UsageError
from device.hearing.classifier import Classifier
from device.hearing.decision import Decision, Music
from device.hearing.models.loading import configured_model
from device.hearing.rules import rules
from device.pipeline import Observation, listen
from device.sound import SAMPLE_RATE
from device.sources.opening import open_source
from device.sources.recording import Recording

if TYPE_CHECKING:
    from device.sources.base import Source

_BAR = 24

_QUIETEST_DBFS = -70.0
"""The left end of the level bar."""

_SHOWN = {Music.ON: "MUSIC   ", Music.OFF: "no music", Music.UNKNOWN: "?       "}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `watch`."""
    add_config(parser)
    add_model(parser)
    add_input(parser)
    parser.add_argument("--source", metavar="NAME", help="configured source to watch (default: the first)")


def run(arguments: argparse.Namespace) -> int:
    """Show level, score and state until the sound ends or Ctrl-C."""
    config = configuration(arguments)
    names = [source.name for source in config.source]
    wanted = arguments.source or names[0]
    if wanted not in names:
        raise UsageError(f"--source {wanted!r}: no such source is configured; there are {', '.join(names)}")
    section = config.source[names.index(wanted)]
    source: Source
    if arguments.input is None:
        source = open_source(section)
    else:
        source = Recording(arguments.input, name=section.name, pace=arguments.pace)
    model = configured_model(config.model)
    rule = rules(config.decision, model, config.model.mode)
    print(f"{section.name}, {model.sidecar.name}, {config.model.mode}: music from {rule.on:.2f}; Ctrl-C ends it")
    observations = listen(source, Classifier(model), Decision(rule), flat_line_limit_s=section.flat_line_limit_s)
    try:
        show(observations, sys.stdout, on=rule.on)
    except KeyboardInterrupt:
        sys.stdout.write("\n")
    finally:
        source.close()
    return 0


def show(observations: Iterator[Observation], stream: TextIO, *, on: float) -> None:
    """Draw observations: one line that rewrites itself on a terminal, a line each elsewhere; events stay.

    Args:
        observations: of one source.
        stream: where to draw.
        on: the threshold, marked in the score's bar.
    """
    begin, end = ("\r\x1b[K", "") if stream.isatty() else ("", "\n")
    for observation in observations:
        for event in observation.step.events:
            at_s = event.started if event.ended is None else event.ended
            stream.write(f"{begin}{_clock(at_s)} {event.kind.replace('_', ' ')}\n")
        if observation.condition != "ended":
            stream.write(f"{begin}{line(observation, on=on)}{end}")
        stream.flush()
    if end == "":
        stream.write("\n")


def line(observation: Observation, *, on: float) -> str:
    """One observation as text: time, level, score, state."""
    health = observation.health
    level = "silence" if health.level_dbfs == -math.inf else f"{health.level_dbfs:5.1f} dB"
    loudness = 1 - max(health.level_dbfs, _QUIETEST_DBFS) / _QUIETEST_DBFS
    text = f"{_clock(observation.heard)} {level:>8} [{_bar(loudness)}] "
    if observation.score is None:
        return text + f"cannot hear: {observation.condition}"
    probability = observation.score.probability
    text += f"music {probability:4.2f} [{_bar(probability, mark=on)}] {_SHOWN[observation.state]}"
    if health.clipping > 0:
        text += f" clipping {health.clipping:.1%}"
    if health.overruns:
        text += f" overruns {health.overruns}"
    return text


def _bar(part: float, mark: float | None = None) -> str:
    filled = round(min(max(part, 0.0), 1.0) * _BAR)
    cells = ["#"] * filled + ["."] * (_BAR - filled)
    if mark is not None:
        cells[min(int(mark * _BAR), _BAR - 1)] = "|"
    return "".join(cells)


def _clock(samples: int) -> str:
    seconds = samples / SAMPLE_RATE
    return f"{int(seconds // 3600)}:{int(seconds // 60 % 60):02d}:{seconds % 60:04.1f}"
