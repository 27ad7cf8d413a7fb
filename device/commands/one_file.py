"""Everything that `oido classify` says about one recording."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from device.commands.files import opened
from device.commands.formats import SegmentLine
from device.commands.timeline import Timeline
from device.configuration.settings import Config
from device.errors import OidoError
from device.hearing.classifier import Classifier
from device.hearing.decision import Decision, Music, Segment, Step
from device.hearing.hindsight import Answers, Hindsight
from device.hearing.models.loading import Model, configured_model
from device.hearing.rules import rules
from device.pipeline import listen
from device.sound import SAMPLE_RATE
from device.sources.recording import Recording

BLOCK_S = 2.0
"""Longer blocks than a live source's: less to do for each second of audio. The results are the same."""

_LABELS = {Music.ON: "music", Music.OFF: "no_music", Music.UNKNOWN: "unknown"}


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
class Result:
    """What was heard in one file."""

    segments: tuple[SegmentLine, ...] = ()
    summary: SummaryLine | None = None
    """None: not a single answer could be given."""
    error: str | None = None
    """Why it could not be read, or not to its end: one sentence."""
    remarks: tuple[str, ...] = ()
    """One sentence each."""
    timeline: Timeline | None = None
    """For the picture, if one is wanted."""


def hear(
    file: str,
    *,
    config: Config,
    as_live: bool,
    plot: bool,
    model: Model | None = None,
    progress: Callable[[float | None], None] | None = None,
) -> Result:
    """Hear a recording to its end, or to where it is damaged.

    Args:
        file: as the command line names it.
        config: which model, and what it is to be decided by.
        as_live: decide as the daemon does, which knows only what was heard until then.
        plot: keep what a picture shows.
        model: the configured one; None: it is loaded.
        progress: is told how much of the file was heard.
    """
    model = model or configured_model(config.model)
    rule = rules(config.decision, model, config.model.mode)
    hindsight = None if as_live else Hindsight.of(config.decision, config.model.mode)
    limits = {"on": rule.on, "off": rule.off} if hindsight is None else {"music": hindsight.even}
    timeline = Timeline(file, model.sidecar.name, config.model.mode, limits) if plot else None
    decision, answers = Decision(rule), Answers()
    steps: list[Step] = []
    remarks: list[str] = []
    samples = invalid = 0
    error = None
    try:
        with opened(file) as source:
            remarks = source.remarks
            recording = Recording(source, name="file", block_s=BLOCK_S)
            for observation in listen(recording, Classifier(model), decision, flat_line_limit_s=math.inf):
                samples, invalid = observation.heard, observation.health.invalid
                if observation.step.segments or observation.step.events:
                    steps.append(observation.step)
                if observation.score is not None:
                    answers.add(observation.score)
                if timeline is not None:
                    timeline.note(observation)
                if progress:
                    progress(recording.part)
    except OidoError as failure:
        error = str(failure)
        steps.append(decision.lose(samples))
    if hindsight is not None:
        steps = [hindsight.decide(answers, samples)]
    if invalid:
        remarks = [*remarks, f"{file}: {invalid} samples are not finite numbers and were heard as silence"]
    segments = [segment for step in steps for segment in step.segments]
    if timeline is not None:
        timeline.finish(steps)
    return Result(
        segments=tuple(_line(file, segment) for segment in segments),
        summary=_summary(file, segments, answers, samples, on=rule.on) if answers else None,
        error=error,
        remarks=tuple(remarks),
        timeline=timeline if samples else None,
    )


def _line(file: str, segment: Segment) -> SegmentLine:
    return SegmentLine(
        file=file,
        onset=round(segment.start / SAMPLE_RATE, 3),
        offset=round(segment.end / SAMPLE_RATE, 3),
        label=_LABELS[segment.music],
        score=None if segment.mean is None else round(segment.mean, 4),
    )


def _summary(file: str, segments: Iterable[Segment], answers: Answers, samples: int, *, on: float) -> SummaryLine:
    score = sum(answers.probabilities) / len(answers)
    music = sum(segment.end - segment.start for segment in segments if segment.music is Music.ON)
    return SummaryLine(
        file=file,
        duration_s=round(samples / SAMPLE_RATE, 3),
        score=round(score, 4),
        music=score >= on,
        music_s=round(music / SAMPLE_RATE, 3),
    )
