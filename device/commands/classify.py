"""`oido classify`: where in audio files there is music, as JSON lines or CSV."""

import argparse
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from itertools import chain
from pathlib import Path

from device.command_line import complain
from device.commands.files import STANDARD_INPUT, Found, find, opened
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
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="any recording, a folder of them, or - for one on standard input"
    )
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
    found = find(arguments.files)
    if arguments.plot is not None:
        check(arguments.plot, found.files)
    if arguments.jobs > 1 and STANDARD_INPUT in found.files:
        raise UsageError(
            f"--jobs {arguments.jobs}: standard input is heard by one process alone; leave out --jobs"
        )
    config = configuration(arguments)
    model = configured_model(config.model)
    work = partial(_lines, config=config, summary=arguments.summary, plot=arguments.plot is not None)
    remarks = [Remark(each) for each in found.failures] + [Remark(each, failed=False) for each in found.remarks]
    with Progress(sys.stderr) as progress:
        whole = Whole(found, progress)
        if arguments.jobs > 1:
            lines = _side_by_side(found.files, whole, partial(_collected, work), arguments.jobs)
        else:
            lines = (line for file in whole.files() for line in work(file, model=model, progress=whole.show))
        return _print(chain(remarks, lines), arguments)


class Whole:
    """How far all files are, by their sizes."""

    def __init__(self, found: Found, progress: Progress) -> None:
        self._found = found
        self._progress = progress
        self._total = max(1, sum(found.bytes))
        self._before = self._index = 0

    def files(self) -> Iterator[str]:
        """Each file; when the next one is asked for, it is done."""
        for index, file in enumerate(self._found.files):
            self._index = index
            yield file
            self.show(1.0)
            self._before += self._found.bytes[index]

    def show(self, part: float | None) -> None:
        """So much of the present file is done, 0 to 1; None: unknown."""
        count, index = len(self._found.files), self._index
        done = self._before + self._found.bytes[index] * (part or 0.0)
        number = f"file {index + 1} of {count}" if count > 1 else ""
        self._progress.draw(self._found.files[index], done / self._total, number)


def _side_by_side(
    files: Sequence[str], whole: Whole, work: Callable[[str], list[Line]], jobs: int
) -> Iterator[Line]:
    """The lines of all files in the order of the files, whatever order they are finished in."""
    # Imported here: 12 ms that one file does not need.
    import multiprocessing  # noqa: PLC0415
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415

    # Spawned, not forked: a fork would copy the runtime's locks in whatever state they are.
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        results = pool.map(work, files)
        for _ in whole.files():
            yield from next(results)


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
    progress: Callable[[float | None], None] | None,
) -> Iterator[Line]:
    """Everything that is printed about one file, as soon as it is known."""
    if model is None:
        model = configured_model(config.model)
    rule = rules(config.decision, model, config.model.mode)
    heard = _Heard(Timeline(file, model.sidecar.name, config.model.mode, rule) if plot else None)
    remarks: list[str] = []
    try:
        with opened(file) as source:
            remarks = source.remarks
            recording = Recording(source, name="file", block_s=BLOCK_S)
            for segment in _segments(recording, model, rule, heard, progress):
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
    for remark in remarks:
        yield Remark(remark, failed=False)
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
    recording: Recording,
    model: Model,
    rule: Rules,
    heard: _Heard,
    progress: Callable[[float | None], None] | None,
) -> Iterator[Segment]:
    decision = Decision(rule)
    try:
        for observation in listen(recording, Classifier(model), decision, flat_line_limit_s=math.inf):
            heard.note(observation)
            if progress:
                progress(recording.part)
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
            complain("oido", f"{'error' if line.failed else 'warning'}: {line.sentence}")
            code = code or int(line.failed)
        else:
            write(asdict(line))
    if timelines:
        save(timelines, arguments.plot)
    return code
