"""`oido watch`: what the device hears, live, in the terminal."""

import argparse
import math
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from device.commands.options import add_config, add_input, add_model, configuration
from device.commands.terminal import width_of
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

_BARS = (24, 16, 10)
"""Columns of a bar: the first where there is room, and the longest that fits elsewhere."""

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
    begin, end = ("", "\n") if width_of(stream) is None else ("\r\x1b[K", "")
    for observation in observations:
        for event in observation.step.events:
            at_s = event.started if event.ended is None else event.ended
            stream.write(f"{begin}{_clock(at_s)} {event.kind.replace('_', ' ')}\n")
        if observation.condition != "ended":
            stream.write(f"{begin}{line(observation, on=on, width=width_of(stream))}{end}")
        stream.flush()
    if end == "":
        stream.write("\n")


def line(observation: Observation, *, on: float, width: int | None = None) -> str:
    """One observation as text: time, level, score, state.

    Args:
        observation: of a source.
        on: the threshold, marked in the score's bar.
        width: of the terminal; the text is shorter. None: as long as it likes.
    """
    health, score = observation.health, observation.score
    level = "silence" if health.level_dbfs == -math.inf else f"{health.level_dbfs:5.1f} dB"
    loudness = 1 - max(health.level_dbfs, _QUIETEST_DBFS) / _QUIETEST_DBFS
    time, probability = _clock(observation.heard), 0.0 if score is None else score.probability
    if score is None:
        state = f"cannot hear: {observation.condition}"
        forms = [f"{time} {level:>8} [{_bar(loudness, bar)}] {state}" for bar in _BARS]
        forms += [f"{time} {level:>8} {state}", state]
    else:
        state = _SHOWN[observation.state]
        state += f" clipping {health.clipping:.1%}" if health.clipping > 0 else ""
        state += f" overruns {health.overruns}" if health.overruns else ""
        forms = [
            f"{time} {level:>8} [{_bar(loudness, bar)}] music {probability:4.2f} "
            f"[{_bar(probability, bar, mark=on)}] {state}"
            for bar in _BARS
        ]
        forms += [f"{time} {level:>8} music {probability:4.2f} {state}", f"{time} {probability:4.2f} {state}"]
        forms += [f"{probability:4.2f} {state}"]
    if width is None:
        return forms[0]
    return next((form for form in forms if len(form) < width), forms[-1][: max(0, width - 1)])


def _bar(part: float, length: int, mark: float | None = None) -> str:
    filled = round(min(max(part, 0.0), 1.0) * length)
    cells = ["#"] * filled + ["."] * (length - filled)
    if mark is not None:
        cells[min(int(mark * length), length - 1)] = "|"
    return "".join(cells)


def _clock(samples: int) -> str:
    seconds = samples / SAMPLE_RATE
    return f"{int(seconds // 3600)}:{int(seconds // 60 % 60):02d}:{seconds % 60:04.1f}"
