"""What a comparison hears: the takes to learn from, to tune on, to be judged on."""

from collections.abc import Sequence
from dataclasses import dataclass

from export.corpus.recipe import Split
from export.corpus.streams import Corpus
from export.errors import ExportError
from export.evaluation.takes import Take, takes

EVALUATED = ("clean", "room", "mixture")
"""Variations that are judged. All variations are learnt from, as our embedder learnt from all of them: were the
heads given less, the rows of features that have learnt nothing would lack what our embedder has heard already."""

TRAINING_REPEATS = 1
"""Rooms, levels and mixtures of each section of training. Validation and test have `REPEATS` of features.py;
one is enough: as many rows again of the same sounds would double the hour."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The takes of a comparison, the same for every extractor."""

    training: Sequence[Take]
    validation: Sequence[Take]
    evaluated: Sequence[Take]
    split: Split

    @classmethod
    def of(cls, corpus: Corpus, split: Split, *, seed: int) -> "Heard":
        """Those of a corpus.

        Args:
            corpus: whose sound.
            split: what is evaluated on: `test`, or `validation` while something is being developed.
            seed: of rooms and mixtures; those of the test split never change.

        Raises:
            ExportError: one of the splits lacks music, or no music.
        """
        for needed in dict.fromkeys(("train", "validation", split)):
            _check_labels(corpus, needed)

        def judged(of: Split) -> list[Take]:
            return [take for take in takes(corpus, of, seed=seed) if take.variation in EVALUATED]

        validation = judged("validation")
        evaluated = validation if split == "validation" else judged(split)
        training = takes(corpus, "train", seed=seed, repeats=TRAINING_REPEATS)
        return cls(training, validation, evaluated, split)


def _check_labels(corpus: Corpus, split: Split) -> None:
    """Before anything is embedded, which takes minutes."""
    there = {stream.target for stream in corpus.select(split=split) if not stream.is_mixed}
    for label, called in ((1, "music"), (0, "no music")):
        if label not in there:
            raise ExportError(f"split {split!r} of the corpus has no sound of {called}; a comparison needs both")
