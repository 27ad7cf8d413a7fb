"""What is asked of models: on each kind of sound of a split, how good is each at its own threshold?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from export.corpus.recipe import Split
from export.corpus.streams import Corpus
from export.errors import ExportError
from export.evaluation.calibration import thresholds
from export.evaluation.hearing import Scorer
from export.evaluation.scoring import GRANULARITIES, Granularity, Scored, Scores, Verdicts
from export.evaluation.takes import VARIATIONS, Take, Variation, takes


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model to evaluate."""

    scorer: Scorer
    thresholds: Mapping[Granularity, float] | None
    """From which probability on it is music; None: tuned on validation."""


@dataclass(frozen=True, slots=True)
class Question:
    """How good is one model on one kind of sound? All that the answer is computed from."""

    model: str
    variation: Variation
    granularity: Granularity
    verdicts: Verdicts
    threshold: float


def questions(
    candidates: Sequence[Candidate], corpus: Corpus, scores: Scores, *, split: Split, mode: str, seed: int
) -> list[Question]:
    """Score the takes of a split, and those of validation where a threshold is to be tuned.

    The candidates have different names. A tuned threshold is that of the mode. The seed is that of `takes`.

    Returns:
        One for each granularity, each variation that the split has, and each candidate, in this order.

    Raises:
        ExportError: the split is empty, or the validation split where it is needed.
        OidoError: a model cannot be used or the corpus cannot be read.
    """
    evaluated = some_takes(corpus, split, seed=seed)
    untuned = [each.scorer for each in candidates if each.thresholds is None]
    tuning = some_takes(corpus, "validation", seed=seed) if untuned else []
    wanted = [(take, [each.scorer for each in candidates]) for take in evaluated]
    if split != "validation":
        wanted += [(take, untuned) for take in tuning]
    scored = scores.score(wanted)
    at = {each.scorer.name: each.thresholds or _tuned(scored, each.scorer, tuning, mode) for each in candidates}
    by_variation = {name: [take for take in evaluated if take.variation == name] for name in VARIATIONS}
    return [
        Question(
            model=each.scorer.name,
            variation=variation,
            granularity=granularity,
            verdicts=_verdicts(scored, each.scorer, here, granularity),
            threshold=at[each.scorer.name][granularity],
        )
        for granularity in GRANULARITIES
        for variation, here in by_variation.items()
        if here
        for each in candidates
    ]


def some_takes(corpus: Corpus, split: Split, *, seed: int) -> list[Take]:
    """As `takes`.

    Raises:
        ExportError: there are none.
    """
    if found := takes(corpus, split, seed=seed):
        return found
    raise ExportError(f"the corpus has nothing in split {split!r}")


def _tuned(
    scored: Mapping[tuple[str, str], Scored], scorer: Scorer, tuning: Sequence[Take], mode: str
) -> dict[Granularity, float]:
    """The mode's threshold over all variations together."""
    found = {}
    for granularity in GRANULARITIES:
        verdicts = _verdicts(scored, scorer, tuning, granularity)
        found[granularity] = thresholds(verdicts.music, verdicts.probability)[mode]
    return found


def _verdicts(
    scored: Mapping[tuple[str, str], Scored], scorer: Scorer, here: Sequence[Take], granularity: Granularity
) -> Verdicts:
    # By name, not in the order of work: figures are then the same, whichever take is the longest.
    ordered = sorted(here, key=lambda take: take.name)
    return Verdicts.join([scored[scorer.name, take.name][granularity] for take in ordered])
