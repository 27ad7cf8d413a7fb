"""From a corpus to the rows of the comparison."""

from collections.abc import Sequence
from dataclasses import dataclass

from export.comparison.costs import measure
from export.comparison.fits import Fit, Fits
from export.comparison.paired import PairedTest, f1_difference
from export.comparison.rows import ALL, SOUNDS, Judged, Row, best
from export.comparison.selection import Selection
from export.corpus.recipe import Split
from export.embeddings.feature import Feature
from export.embeddings.segments import Segments
from export.embeddings.store import Store
from export.estimators.base import Estimator
from export.evaluation.calibration import thresholds
from export.evaluation.metrics import f1, report


@dataclass(frozen=True, slots=True)
class Material:
    """One extractor's segments."""

    feature: Feature
    training: Segments
    validation: Segments
    evaluated: Segments
    split: Split
    """That of `evaluated`."""


def materials(features: Sequence[Feature], selection: Selection, store: Store) -> list[Material]:
    """Embed what is not in the store.

    Raises:
        OidoError: an extractor cannot be used, or the corpus cannot be read.
    """
    on_validation = selection.split == "validation"
    evaluated = () if on_validation else selection.evaluated
    # Together, so that no process waits for another's last take; the longest first, see `run_all`.
    takes = sorted((*selection.training, *selection.validation, *evaluated), key=lambda take: -take.duration_s)
    store.fill(features, takes)
    found = []
    for feature in features:
        training = store.segments(feature, selection.training)
        validation = store.segments(feature, selection.validation)
        judged = validation if on_validation else store.segments(feature, selection.evaluated)
        found.append(Material(feature, training, validation, judged, selection.split))
    return found


def judge(estimator: Estimator, material: Material, fits: Fits, *, costs: bool) -> Judged:
    """Fit an estimator on an extractor's segments, or take the fit that is kept, and evaluate its file."""
    fit = fits.fit(estimator, material.training, feature=material.feature.name, checked=material.evaluated)
    threshold, validation_f1 = tuned(fit, estimator, material.validation)
    evaluated = material.evaluated
    probability = fit.file.probability(evaluated.read(estimator.reads))
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


def tuned(fit: Fit, estimator: Estimator, validation: Segments) -> tuple[float, float]:
    """The threshold with the best F1 over all sounds of validation, and that F1."""
    probability = fit.file.probability(validation.read(estimator.reads))
    threshold = thresholds(validation.music, probability)["balanced"]
    return threshold, f1(validation.music, probability >= threshold)


def paired_tests(judged: Sequence[Judged]) -> list[PairedTest]:
    """Do published embeddings beat learning from scratch? Do ours beat either? Rows are chosen on validation."""
    scratch, published, own = best(judged, "scratch"), best(judged, "published"), best(judged, "own")
    ours = "our own embedder, trained on this corpus"
    pairs = (
        ("transfer from a published network", published, scratch, "the best from scratch"),
        (ours, own, scratch, "the best from scratch"),
        (ours, own, published, "the best by transfer"),
    )
    return [
        PairedTest(
            kind,
            candidate.row.name,
            baseline.row.name,
            f1_difference(baseline.truth, candidate.decided, baseline.decided, baseline.package),
            baseline_kind,
        )
        for kind, candidate, baseline, baseline_kind in pairs
        if candidate is not None and baseline is not None
    ]
