"""`oido classify`: where in audio files there is music, as JSON lines or CSV."""

import argparse
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path

from device.commands.options import add_config, add_model, configuration
from device.commands.plot import check, save
from device.commands.progress_bar import Progress
from device.commands.rows import writer
from device.commands.timeline import Timeline
from device.configuration.settings import Config
from device.errors import OidoError, UsageError
from device.hearing.classifier import Classifier
from device.hearing.decision import Decision, Music, Rules, Segment, Step
from device.hearing.models.loading import Model, configured_model
from device.hearing.rules import rules
from device.masking import masked
from device.pipeline import Observation, listen
from device.sound import SAMPLE_RATE
from device.sources.recording import Recording

BLOCK_S = 2.0
"""Longer blocks than a live source's: less to do for each second of audio. The results are the same."""

_LABELS = {Music.ON: "music", Music.OFF: "no_music", Music.UNKNOWN: "unknown"}


@dataclass(frozen=True, slots=True)
class SegmentLine:
    """A stretch of a file."""

    file: str
    onset: float
    """Seconds from the beginning of the file."""
    offset: float
    label: str
    """`music` or `no_music`."""
    score: float | None
    """Mean probability of music, calibrated."""


@dataclass(frozen=True, slots=True)
class SummaryLine:
    """A whole file."""

    file: str
    duration_s: float
    score: float
    """Calibrated probability of music, the mean over the file."""
    music: bool
    """Whether the score reaches the mode's threshold."""
    music_s: float
    """Seconds of the segments that are music."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A message for standard error."""

    sentence: str
    failed: bool = True
    """Whether the file could not be read, or not to its end."""


Line = SegmentLine | SummaryLine | Remark | Timeline


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `classify`."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="any audio file")
    parser.add_argument(
        "--summary", action="store_true", help="print one line for each file instead of each segment"
    )
    parser.add_argument("--csv", action="store_true", help="print CSV with a header instead of JSON lines")
    parser.add_argument(
        "--plot",
        type=Path,
        metavar="OUT",
        help="draw score, state, events and level over time: .png, .svg or .pdf",
    )
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="files to process at the same time (default: 1)"
    )
    add_config(parser)
    add_model(parser)


def run(arguments: argparse.Namespace) -> int:
    """Classify every file; those that cannot be read are named on standard error."""
    if arguments.jobs < 1:
        raise UsageError(f"--jobs {arguments.jobs}: at least one file must be processed at a time")
    if arguments.plot is not None:
        check(arguments.plot, arguments.files)
    config = configuration(arguments)
    model = configured_model(config.model)
    work = partial(_lines, config=config, summary=arguments.summary, plot=arguments.plot is not None)
    if arguments.jobs > 1:
        return _print(_side_by_side(arguments.files, partial(_collected, work), arguments.jobs), arguments)
    with Progress(sys.stderr) as progress:
        lines = (line for file in arguments.files for line in work(file, model=model, progress=progress.show))
        return _print(lines, arguments)


def _side_by_side(files: Iterable[str], work: Callable[[str], list[Line]], jobs: int) -> Iterator[Line]:
    """The lines of all files in the order of the files, whatever order they are finished in."""
    # Imported here: 12 ms that one file does not need.
    import multiprocessing  # noqa: PLC0415
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415

    # Spawned, not forked: a fork would copy the runtime's locks in whatever state they are.
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for lines in pool.map(work, files):
            yield from lines


def _collected(work: Callable[..., Iterator[Line]], file: str) -> list[Line]:
    """All lines of one file; runs in a process of its own."""
    return list(work(file, model=None, progress=None))


def _lines(
    file: str,
    *,
    model: Model | None,
    config: Config,
    summary: bool,
    plot: bool,
    progress: Callable[[str, float, float | None], None] | None,
) -> Iterator[Line]:
    """Everything that is printed about one file, as soon as it is known."""
    if model is None:
        model = configured_model(config.model)
    rule = rules(config.decision, model, config.model.mode)
    heard = _Heard(Timeline(file, model.sidecar.name, config.model.mode, rule) if plot else None)
    try:
        for segment in _segments(file, model, rule, heard, progress):
            if not summary:
                yield SegmentLine(
                    file=file,
                    onset=round(segment.start / SAMPLE_RATE, 3),
                    offset=round(segment.end / SAMPLE_RATE, 3),
                    label=_LABELS[segment.music],
                    score=None if segment.mean is None else round(segment.mean, 4),
                )
    except OidoError as error:
        yield Remark(str(error))
    if heard.invalid:
        sentence = f"{file}: {heard.invalid} samples are not finite numbers and were heard as silence"
        yield Remark(sentence, failed=False)
    if summary and heard.answers:
        score = heard.total / heard.answers
        yield SummaryLine(
            file=file,
            duration_s=round(heard.samples / SAMPLE_RATE, 3),
            score=round(score, 4),
            music=score >= rule.on,
            music_s=round(heard.music / SAMPLE_RATE, 3),
        )
    if heard.timeline is not None and heard.timeline.heard:
        yield heard.timeline


@dataclass(slots=True)
class _Heard:
    """Sums over a file, all positions in samples."""

    timeline: Timeline | None
    """Kept for the picture; None: no picture is wanted."""
    samples: int = 0
    music: int = 0
    total: float = 0.0
    answers: int = 0
    invalid: int = 0

    def note(self, observation: Observation) -> None:
        """Add one more answer."""
        self.samples, self.invalid = observation.heard, observation.health.invalid
        if observation.score is not None:
            self.total += observation.score.probability
            self.answers += 1
        if self.timeline is not None:
            self.timeline.note(observation)

    def account(self, step: Step) -> Iterator[Segment]:
        """Add up the segments that a step has finished."""
        if self.timeline is not None:
            self.timeline.finish(step)
        for segment in step.segments:
            if segment.music is Music.ON:
                self.music += segment.end - segment.start
            yield segment


def _segments(
    file: str,
    model: Model,
    rule: Rules,
    heard: _Heard,
    progress: Callable[[str, float, float | None], None] | None,
) -> Iterator[Segment]:
    recording = Recording(Path(file), name="file", block_s=BLOCK_S)
    duration_s = recording.duration_s if progress else None
    decision = Decision(rule)
    try:
        for observation in listen(recording, Classifier(model), decision, flat_line_limit_s=math.inf):
            heard.note(observation)
            if progress:
                progress(file, observation.heard / SAMPLE_RATE, duration_s)
            yield from heard.account(observation.step)
    except OidoError:
        yield from heard.account(decision.lose(heard.samples))
        raise


def _print(lines: Iterable[Line], arguments: argparse.Namespace) -> int:
    """Print lines as they come, then draw; failures go to standard error and decide the exit code."""
    kind = SummaryLine if arguments.summary else SegmentLine
    header = [field.name for field in fields(kind)]
    write = writer(sys.stdout, header, form="csv" if arguments.csv else "json")
    code = 0
    timelines = []
    for line in lines:
        if isinstance(line, Timeline):
            timelines.append(line)
        elif isinstance(line, Remark):
            print(masked(f"oido: {'error' if line.failed else 'warning'}: {line.sentence}"), file=sys.stderr)
            code = code or int(line.failed)
        else:
            write(asdict(line))
    if timelines:
        save(timelines, arguments.plot)
    return code
