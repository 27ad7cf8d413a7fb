"""From the cost of single answers to the figures that are reported. Pure."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from device.benchmark.results import STAGES, Ratio, Spread


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one answer, in milliseconds for each second of sound."""

    whole: float
    stages: Mapping[str, float]
    """They add up to the whole."""
    processor: float
    """Processor time of everything but `resample`."""


def cost_of(whole_s: float, spent_s: Mapping[str, float], processor_s: float, *, hop_s: float) -> Cost:
    """Make a cost of what was measured in seconds; what no stage accounts for is `other`."""
    scale = 1000 / hop_s
    stages = {stage: seconds * scale for stage, seconds in spent_s.items()}
    stages["other"] = whole_s * scale - sum(stages.values())
    return Cost(whole_s * scale, stages, processor_s * scale)


def percentile(ranked: Sequence[float], percent: float) -> float:
    """By nearest rank: the least of the ascending values that is not below this percentage of them."""
    return ranked[max(0, math.ceil(percent / 100 * len(ranked)) - 1)]


def spread(values: Sequence[float]) -> Spread:
    """Of one or more values."""
    ranked = sorted(values)
    return Spread(
        mean=statistics.fmean(ranked),
        p50=percentile(ranked, 50),
        p95=percentile(ranked, 95),
        p99=percentile(ranked, 99),
        min=ranked[0],
    )


def spread_of_stages(costs: Sequence[Cost]) -> dict[str, Spread]:
    """The spread of each stage that was seen, in the order of STAGES; an answer without it counts as 0."""
    seen = {stage for cost in costs for stage in cost.stages}
    return {stage: spread([cost.stages.get(stage, 0.0) for cost in costs]) for stage in STAGES if stage in seen}


def ratio_of(alternations: Sequence[tuple[Sequence[Cost], Sequence[Cost]]]) -> Ratio:
    """A model's cost over YAMNet's, by the processor time that each takes.

    Of each alternation the medians are taken: an answer that was disturbed says more about what disturbed it.

    Args:
        alternations: what the model and then what YAMNet took in each, over the same length of sound.
    """
    ours = [statistics.median(cost.processor for cost in mine) for mine, _ in alternations]
    theirs = [statistics.median(cost.processor for cost in yours) for _, yours in alternations]
    ratios = sorted(mine / yours for mine, yours in zip(ours, theirs, strict=True))
    return Ratio(
        ratio=statistics.median(ratios),
        ratio_p5=percentile(ratios, 5),
        ratio_p95=percentile(ratios, 95),
        alternations=len(ratios),
        model_ms=statistics.median(ours),
        yamnet_ms=statistics.median(theirs),
    )
