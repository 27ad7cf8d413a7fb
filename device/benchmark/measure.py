"""One subject, in this process: all that is measured of it, in an order in which nothing disturbs the next."""

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from device.benchmark.costs import Cost, cost_of, ratio_of, spread, spread_of_stages
from device.benchmark.job import Job, Measured
from device.benchmark.results import Ratio
from device.benchmark.stages import Stopwatch
from device.benchmark.subjects import Subject, model_subject, yamnet_subject
from device.benchmark.tape import READING, Tape
from device.monitoring.host import read_memory

Say = Callable[[str, float], None]
"""Told which phase this is, and which part of it is done, 0 to 1."""

SETTLE_S = 10.0
"""The memory is read after this much sound: every buffer has been full by then."""

ALTERNATION_S = 4.8
"""Seconds of sound for the model, then for YAMNet, and so on: short, so that other programs disturb both alike."""

_LOADS = 3


class Course:
    """A subject on its tape: gives the cost of one answer after another."""

    def __init__(self, job: Job, make: Callable[[Job, Tape, Stopwatch], Subject]) -> None:
        self._watch = Stopwatch()
        self.tape = Tape(Path(job.tape), rate_hz=job.settings.rate_hz, watch=self._watch)
        self._load = partial(make, job, self.tape, self._watch)
        began = time.perf_counter()
        self.subject = self._load()
        self.load_ms = 1000 * (time.perf_counter() - began)

    def close(self) -> None:
        """Let go of the tape."""
        self.tape.close()

    def load_again_ms(self) -> float:
        """To load it once more."""
        began = time.perf_counter()
        self._load()
        return 1000 * (time.perf_counter() - began)

    def answer(self) -> Cost:
        """What the next answer cost, reading the tape not counted."""
        self._watch.take()
        began = time.perf_counter()
        self.subject.fetch()
        used = time.process_time()
        self.subject.answer()
        processor_s = time.process_time() - used
        whole_s = time.perf_counter() - began
        spent_s = self._watch.take()
        whole_s -= spent_s.pop(READING, 0.0)
        return cost_of(whole_s, spent_s, processor_s, hop_s=self.subject.hop_s)

    def hear(self, seconds: float) -> list[Cost]:
        """The costs of the answers to this much sound; at least one."""
        return [self.answer() for _ in range(max(1, round(seconds / self.subject.hop_s)))]


def measure(job: Job, say: Say) -> Measured:
    """Load, first decision, memory, stages (beside YAMNet), live.

    Args:
        job: of the task `model` or `yamnet`.
        say: told how far it is.

    Raises:
        OidoError: the subject cannot be loaded or run.
    """
    say("loading", 0.0)
    with ExitStack() as stack:
        course = stack.enter_context(closing(Course(job, model_subject if job.models else yamnet_subject)))
        course.answer()
        first_decision_s = time.monotonic() - job.started_s
        subject = course.subject
        course.hear(max(SETTLE_S, subject.context_s))
        memory, modules = read_memory(), tuple(sys.modules)
        load_again_ms = min(course.load_again_ms() for _ in range(_LOADS))
        reference = None
        if job.models and job.yamnet:
            reference = stack.enter_context(closing(Course(job, yamnet_subject)))
        costs, ratio = _alternate(course, reference, job.settings.seconds, say)
        live_percent = _live_percent(course, job.settings.live_s, say) if job.settings.live_s else None
    whole = spread([cost.whole for cost in costs])
    report = subject.report(
        load_ms=course.load_ms,
        load_again_ms=load_again_ms,
        first_decision_s=first_decision_s,
        stages=spread_of_stages(costs),
        whole=whole,
        processor=spread([cost.processor for cost in costs]),
        real_time_factor=whole.p50 / 1000,
        live_percent=live_percent,
        memory=memory,
        above_imports=None,
        yamnet=ratio,
    )
    return Measured(modules=modules, report=report)


def _alternate(
    course: Course, reference: Course | None, seconds: float, say: Say
) -> tuple[list[Cost], Ratio | None]:
    """The costs of the answers to this much sound, and the ratio to YAMNet's; each goes first every other time."""
    turns = max(1, round(seconds / ALTERNATION_S))
    courses = [course] if reference is None else [course, reference]
    if reference is not None:
        reference.hear(ALTERNATION_S)  # its first calls are slow
    heard: list[dict[Course, list[Cost]]] = []
    for turn in range(turns):
        say("timing", turn / turns)
        heard.append({each: each.hear(min(seconds, ALTERNATION_S)) for each in courses})
        courses.reverse()
    costs = [cost for each in heard for cost in each[course]]
    return costs, None if reference is None else ratio_of([(each[course], each[reference]) for each in heard])


def _live_percent(course: Course, seconds: float, say: Say) -> float:
    """Processor time of this process over the time that passes, at the pace of live sound."""
    course.tape.live()
    began, used = time.monotonic(), time.process_time()
    answers = max(1, round(seconds / course.subject.hop_s))
    for answer in range(answers):
        say("live", answer / answers)
        course.answer()
    return 100 * (time.process_time() - used) / (time.monotonic() - began)
