"""The takes of a comparison: to learn from, to tune thresholds on, to be judged on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from export.corpus.recipe import Split
from export.corpus.streams import Corpus
from export.errors import ExportError
from export.evaluation.takes import Take, takes

EVALUATED = ("clean", "room", "mixture")
"""Variations that are judged. All variations are learnt from, as our embedder learnt from all of them: with fewer,
rows of features that have learnt nothing would lack what our embedder has heard already."""

TRAINING_REPEATS = 1
"""Rooms, levels and mixtures of each section of training. One of each is enough: two would take twice the time.
Validation and test have `REPEATS` of features.py."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The takes of a comparison, the same for every extractor."""

    training: Sequence[Take]
    validation: Sequence[Take]
    evaluated: Sequence[Take]
    split: Split

    @classmethod
    def of(cls, corpus: Corpus, split: Split, *, seed: int) -> Self:
        """Those of a corpus, evaluated on `test`, or on `validation` while something is being developed.

        The seed is that of rooms and mixtures; those of the test split never change.

        Raises:
            ExportError: one of the splits lacks music, or no music.
        """
        needed: tuple[Split, ...] = ("train", "validation", split)
        for each in needed:
            _check_labels(corpus, each)

        validation, evaluated = (
            [take for take in takes(corpus, of, seed=seed) if take.variation in EVALUATED]
            for of in ("validation", split)
        )
        training = takes(corpus, "train", seed=seed, repeats=TRAINING_REPEATS)
        return cls(training, validation, evaluated, split)


def _check_labels(corpus: Corpus, split: Split) -> None:
    """Before anything is embedded, which takes minutes."""
    there = {stream.label for stream in corpus.select(split=split)}
    for label, called in (("music", "music"), ("no_music", "no music")):
        if label not in there:
            raise ExportError(f"split {split!r} of the corpus has no sound of {called}; a comparison needs both")
