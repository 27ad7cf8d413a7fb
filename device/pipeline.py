"""source -> pieces -> features -> classifier -> decision, on one screen.

`run`, `classify`, `watch`, `demo` and `benchmark` all drive `listen`: what is measured and replayed is what runs
live. Time is the source's sample count; the wall clock only says when sample zero was.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from device.hearing.classifier import Classifier
from device.hearing.decision import Decision, Music, Score, Step
from device.hearing.health import Health, HealthMeter
from device.hearing.patch_cutter import PatchCutter
from device.sound import SAMPLE_RATE, Block, FloatArray
from device.sources.base import Source

CLOCK_TOLERANCE_S = 0.5
"""How far sample time and wall time may differ (lost samples, a slow crystal) before sample zero is dated anew."""

Condition = Literal["hearing", "flat line", "ended"]


@dataclass(frozen=True, slots=True)
class Observation:
    """What is known after one more answer, or at the end of the source."""

    score: Score | None
    """None while deaf and at the end."""
    state: Music
    since: int
    """Where the state began, in samples."""
    heard: int
    """How far the source has been heard, in samples."""
    origin: float
    """When sample zero was, seconds since the Unix epoch."""
    health: Health
    step: Step
    """The starts and stops that this answer decided, and the stretches that it finished."""
    condition: Condition
    cost_s: float
    """Wall time spent on this answer."""


def listen(
    source: Source,
    classifier: Classifier,
    decision: Decision,
    *,
    flat_line_limit_s: float = math.inf,
    origin: float = 0.0,
) -> Iterator[Observation]:
    """Hear a source to its end.

    Args:
        source: where sound comes from.
        classifier: fresh, of this stream alone; its model may be replaced between observations.
        decision: fresh; its rules may be replaced between observations.
        flat_line_limit_s: this many seconds of one and the same value mean "cannot hear".
        origin: when sample zero was, for sources whose blocks do not say.

    Raises:
        SourceError: as the source does. The decision stays as it was: `decision.lose` ends what goes on.
    """
    cutter, meter = PatchCutter(lambda: classifier.next_samples), HealthMeter()

    def observe(piece: FloatArray) -> Observation:
        began = time.perf_counter()
        health = meter.update(piece)
        # The classifier hears on through a flat line, so that its window holds what was really there.
        score = classifier.answer(piece)
        deaf = health.flat_s >= flat_line_limit_s
        step = decision.lose(cutter.heard) if deaf else decision.update(score)
        return Observation(
            score=None if deaf else score,
            state=decision.state,
            since=decision.since,
            heard=cutter.heard,
            origin=origin,
            health=health,
            step=step,
            condition="flat line" if deaf else "hearing",
            cost_s=time.perf_counter() - began,
        )

    for block in source.blocks():
        origin = _date(origin, block)
        meter.count(overruns=block.overruns, invalid=block.invalid)
        for piece in cutter.feed(block.samples):
            yield observe(piece)
    for piece in cutter.finish():
        yield observe(piece)
    step = decision.lose(cutter.heard)
    yield Observation(
        score=None,
        state=decision.state,
        since=decision.since,
        heard=cutter.heard,
        origin=origin,
        health=meter.health,
        step=step,
        condition="ended",
        cost_s=0.0,
    )


def _date(origin: float, block: Block) -> float:
    """When sample zero was, given one more block."""
    if block.wall_time is None:
        return origin
    stated = block.wall_time - block.start / SAMPLE_RATE
    return stated if abs(stated - origin) > CLOCK_TOLERANCE_S else origin
