"""From a corpus to the rows of the comparison."""

from collections.abc import Sequence
from dataclasses import dataclass

from export.comparison.costs import measure
from export.comparison.feature import Feature
from export.comparison.fits import Fit, Fits
from export.comparison.paired import Contest, f1_difference
from export.comparison.rows import ALL, SOUNDS, Judged, Row, best
from export.comparison.segments import Segments
from export.comparison.store import Store
from export.convert.parity import said
from export.corpus.recipe import Split
from export.corpus.streams import Corpus
from export.errors import ExportError
from export.estimators.base import Estimator
from export.evaluation.takes import Take, takes
from export.metrics import FloatVector, f1, report, thresholds

LEARNT_FROM = ("clean", "room")
"""Variations of the training split."""

EVALUATED = ("clean", "room", "mixture")


@dataclass(frozen=True, slots=True)
class Material:
    """One extractor's segments of all that is needed."""

    feature: Feature
    training: Segments
    validation: Segments
    evaluated: Segments
    split: Split
    """That of `evaluated`."""


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

        def chosen(of: Split, variations: Sequence[str]) -> list[Take]:
            return [take for take in takes(corpus, of, seed=seed) if take.variation in variations]

        validation = chosen("validation", EVALUATED)
        evaluated = validation if split == "validation" else chosen(split, EVALUATED)
        return cls(chosen("train", LEARNT_FROM), validation, evaluated, split)


def _check_labels(corpus: Corpus, split: Split) -> None:
    """Before anything is embedded, which takes minutes."""
    there = {stream.target for stream in corpus.select(split=split) if not stream.is_mixed}
    for label, called in ((1, "music"), (0, "no music")):
        if label not in there:
            raise ExportError(f"split {split!r} of the corpus has no sound of {called}; a comparison needs both")


def material(feature: Feature, heard: Heard, store: Store) -> Material:
    """Embed, or take from the store.

    Raises:
        OidoError: the extractor cannot be used, or the corpus cannot be read.
    """
    training = store.segments(feature, heard.training)
    validation = store.segments(feature, heard.validation)
    evaluated = validation if heard.split == "validation" else store.segments(feature, heard.evaluated)
    return Material(feature, training, validation, evaluated, heard.split)


def judge(estimator: Estimator, material: Material, fits: Fits, *, costs: bool) -> Judged:
    """Fit an estimator on an extractor's segments, and see how good its file is.

    Args:
        estimator: what learns.
        material: from what, and what it is judged on.
        fits: where it is kept.
        costs: whether to measure those, too.
    """
    fit = fits.fit(estimator, material.training, feature=material.feature.name)
    threshold, validation_f1 = tuned(fit, estimator, material.validation)
    evaluated = material.evaluated
    probability = answers(fit, estimator, evaluated)
    reports = {}
    for sound in SOUNDS:
        here = (evaluated.variation == sound) | (sound == ALL)
        if here.any():
            reports[sound] = report(
                evaluated.music[here], probability[here], evaluated.package[here], threshold=threshold
            )
    row = Row(
        feature=material.feature.name,
        origin=material.feature.origin,
        head=estimator.name,
        split=material.split,
        threshold=threshold,
        validation_f1=validation_f1,
        parameters=fit.parameters,
        costs=measure(material.feature, fit.file, estimator.reads) if costs else None,
        reports=reports,
    )
    return Judged(row, fit.file, evaluated.music, probability, evaluated.package)


def answers(fit: Fit, estimator: Estimator, segments: Segments) -> FloatVector:
    """(n,) what the converted file says of segments, in the device's runtime."""
    return said(fit.file, segments.read(estimator.reads))


def tuned(fit: Fit, estimator: Estimator, validation: Segments) -> tuple[float, float]:
    """The threshold with the best F1 over all sounds of validation, and that F1."""
    probability = answers(fit, estimator, validation)
    threshold = thresholds(validation.music, probability)["balanced"]
    return threshold, f1(validation.music, probability >= threshold)


def contests(judged: list[Judged]) -> list[Contest]:
    """Do published embeddings beat learning from scratch, and do ours? The rows were chosen on validation."""
    incumbent = best(judged, "scratch")
    if incumbent is None:
        return []
    found = []
    challengers = (
        ("transfer from a published network", best(judged, "published")),
        ("our own embedder, which also learnt from mixtures", best(judged, "own")),
    )
    for what, challenger in challengers:
        if challenger is not None:
            difference = f1_difference(incumbent.truth, challenger.decided, incumbent.decided, incumbent.package)
            found.append(Contest(what, challenger.row.name, incumbent.row.name, difference))
    return found
