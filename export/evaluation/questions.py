"""Models beside YAMNet on one split: the same sections, each at its own threshold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from export.corpus.recipe import Split
from export.corpus.streams import Corpus
from export.errors import ExportError
from export.evaluation.hearing import Scorer
from export.evaluation.metrics import thresholds
from export.evaluation.results import Question
from export.evaluation.scoring import GRANULARITIES, Granularity, Scored, Scores, Verdicts
from export.evaluation.takes import VARIATIONS, Take, takes


@dataclass(frozen=True, slots=True)
class Contestant:
    """A model, and from which probability it says music."""

    scorer: Scorer
    thresholds: Mapping[Granularity, float] | None
    """None: tuned on validation."""


def compare(
    contestants: Sequence[Contestant], corpus: Corpus, scores: Scores, *, split: Split, mode: str, seed: int
) -> list[Question]:
    """Have everybody hear the split, and the validation split too where a threshold is to be tuned.

    Args:
        contestants: models by different names.
        corpus: what is heard.
        scores: where scores are computed and kept.
        split: which part of the corpus.
        mode: whose threshold is tuned: `balanced`, `precision` or `recall`.
        seed: of rooms, levels, noises and mixtures.

    Returns:
        For each granularity, each variation that the split has material for, each contestant, what was said.

    Raises:
        ExportError: the split is empty, or the validation split where it is needed.
        OidoError: a model cannot be used or the corpus cannot be read.
    """
    heard = _takes(corpus, split, seed)
    untuned = [each.scorer for each in contestants if each.thresholds is None]
    tuning = _takes(corpus, "validation", seed) if untuned else []
    wanted = [(take, [each.scorer for each in contestants]) for take in heard]
    if split != "validation":
        wanted += [(take, untuned) for take in tuning]
    said = scores.score(wanted)
    at = {
        each.scorer.name: each.thresholds or _tuned(said, each.scorer, tuning, mode=mode) for each in contestants
    }
    return [
        Question(
            model=each.scorer.name,
            variation=variation,
            granularity=granularity,
            verdicts=_verdicts(
                said, each.scorer, [take for take in heard if take.variation == variation], granularity
            ),
            threshold=at[each.scorer.name][granularity],
        )
        for granularity in GRANULARITIES
        for variation in VARIATIONS
        if any(take.variation == variation for take in heard)
        for each in contestants
    ]


def _takes(corpus: Corpus, split: Split, seed: int) -> list[Take]:
    if found := takes(corpus, split, seed=seed):
        return found
    raise ExportError(f"the corpus has nothing in split {split!r}")


def _tuned(
    said: Mapping[tuple[str, str], Scored], scorer: Scorer, heard: Sequence[Take], *, mode: str
) -> dict[Granularity, float]:
    """The mode's threshold over all variations together."""
    found = {}
    for granularity in GRANULARITIES:
        verdicts = _verdicts(said, scorer, heard, granularity)
        found[granularity] = thresholds(verdicts.music, verdicts.probability)[mode]
    return found


def _verdicts(
    said: Mapping[tuple[str, str], Scored], scorer: Scorer, heard: Sequence[Take], granularity: Granularity
) -> Verdicts:
    # By name, not in the order of work: figures are summed alike whatever was the longest.
    ordered = sorted(heard, key=lambda take: take.name)
    return Verdicts.join([said[scorer.name, take.name][granularity] for take in ordered])
