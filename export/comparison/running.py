"""From a corpus to the rows of the comparison."""

from collections.abc import Sequence
from dataclasses import dataclass

from export.comparison.costs import measure
from export.comparison.fits import Fit, Fits
from export.comparison.heard import Heard
from export.comparison.paired import Contest, f1_difference
from export.comparison.rows import ALL, SOUNDS, Judged, Row, best
from export.corpus.recipe import Split
from export.embeddings.feature import Feature
from export.embeddings.segments import Segments
from export.embeddings.store import Store
from export.estimators.base import Estimator
from export.estimators.parity import said
from export.evaluation.metrics import Figure, FloatVector, f1, report, thresholds


@dataclass(frozen=True, slots=True)
class Material:
    """One extractor's segments of all that is needed."""

    feature: Feature
    training: Segments
    validation: Segments
    evaluated: Segments
    split: Split
    """That of `evaluated`."""


def materials(features: Sequence[Feature], heard: Heard, store: Store) -> list[Material]:
    """Embed, or take from the store.

    Raises:
        OidoError: an extractor cannot be used, or the corpus cannot be read.
    """
    evaluated = () if heard.split == "validation" else heard.evaluated
    # Together, so that no process waits for another's last take; the longest first, see `run_all`.
    wanted = sorted((*heard.training, *heard.validation, *evaluated), key=lambda take: -take.duration_s)
    store.fill(features, wanted)
    return [_material(feature, heard, store) for feature in features]


def _material(feature: Feature, heard: Heard, store: Store) -> Material:
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
    fit = fits.fit(estimator, material.training, feature=material.feature.name, checked=material.evaluated)
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
    """Do published embeddings beat learning from scratch, and ours either? The rows were chosen on validation."""
    scratch, published, own = best(judged, "scratch"), best(judged, "published"), best(judged, "own")
    of_ours = "our own embedder, trained on this corpus"
    pairs = (
        ("transfer from a published network", published, scratch, "the best from scratch"),
        (of_ours, own, scratch, "the best from scratch"),
        (of_ours, own, published, "the best by transfer"),
    )
    return [
        Contest(what, challenger.row.name, incumbent.row.name, _difference(challenger, incumbent), against)
        for what, challenger, incumbent, against in pairs
        if challenger is not None and incumbent is not None
    ]


def _difference(one: Judged, other: Judged) -> Figure:
    return f1_difference(other.truth, one.decided, other.decided, other.package)
