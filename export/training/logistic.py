"""`oido-export train logistic`: from the corpus to a model and its sidecar, in one go.

Choosing (the penalty, the statistics) happens by cross-validation on the training packages, calibration and
thresholds on validation. The test split is looked at once, at the end, for the figures in the sidecar.
"""

import argparse
import re
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from device.hearing.models.loading import Model, load_model
from device.hearing.patch_cutter import PATCH_SAMPLES
from device.hearing.statistics.statistics import NAMES, VERSION, WINDOW_PATCHES
from device.sound import SAMPLE_RATE
from export.convert import sidecar
from export.convert.onnx import OUTPUT, convert
from export.corpus.dataset import features_directory, find_corpus, load_corpus
from export.corpus.features import VARIANTS, Rows, Sound, extract_all
from export.corpus.recipe import SPLITS
from export.corpus.synthetic import synthetic_sounds
from export.errors import ExportError
from export.estimators.logistic import STRENGTHS, cross_validate, fit, probability
from export.estimators.parity import largest_difference
from export.evaluation.calibration import platt, thresholds
from export.evaluation.metrics import COLUMNS, Report, package_weights, report
from export.evaluation.results import rounded
from export.markdown import table

PARITY = 1e-4
"""ONNX may differ from scikit-learn by so much in probability; both compute the same sum in other precisions."""

GROUPS = ("mfcc", "flux", "zcr", "flatness", "energy", "modulation", "rhythm", "peaks", "chroma", ".*_skew")
"""What `--ablate` leaves out in turn: patterns at the beginning of a statistic's name."""


def run(arguments: argparse.Namespace) -> int:
    """Train, or measure what the statistics are worth."""
    corpus_version, rows = _load_rows(arguments)
    training = rows.where(rows.split == "train")
    if arguments.ablate:
        _ablate(training)
        return 0
    c = _choose(training)
    pipeline = fit(training, c=c)

    validation = rows.where((rows.split == "validation") & ~rows.mixed)
    raw = probability(pipeline, validation.features)
    calibration = platt(validation.music, raw, package_weights(validation))
    at = thresholds(validation.music, calibration(raw.astype(np.float32)))
    print(f"calibration: {calibration.method} slope {calibration.slope:.3f} offset {calibration.offset:+.3f}")
    print("thresholds: " + ", ".join(f"{mode} {value:.3f}" for mode, value in at.items()))

    content = convert(pipeline, rows.features[:1])
    patch_s = PATCH_SAMPLES / SAMPLE_RATE
    seconds = {name: np.count_nonzero(rows.split == name) * patch_s for name in SPLITS}
    written: dict[str, Any] = {
        "name": arguments.model,
        "kind": "statistics",
        "suffix": ".onnx",
        "content": content,
        "output": OUTPUT,
        "inputs": {"window_patches": WINDOW_PATCHES, "statistics_version": VERSION, "features": list(NAMES)},
        "calibration": calibration,
        "thresholds": at,
        "training_data": {
            "corpus": corpus_version,
            "seed": arguments.seed,
            "c": c,
            "seconds_with_augmentation": {name: round(value) for name, value in seconds.items()},
        },
    }
    with tempfile.TemporaryDirectory() as draft:
        path = sidecar.write(Path(draft), metrics={}, **written)
        model = load_model(str(path))
        test = rows.where(rows.split == "test")
        difference = largest_difference(model, pipeline, test.features)
        print(f"parity: ONNX differs from scikit-learn by at most {difference:.1e} on {len(test.music)} test rows")
        if difference > PARITY:
            raise ExportError(
                f"the ONNX model differs from scikit-learn by {difference:.1e}, more than {PARITY:.0e}"
            )
        found = _reports(model, rows)
    lines = (
        (variant, each.rows, each.packages, *(getattr(each, column) for column in COLUMNS))
        for variant, each in found.items()
    )
    print("\n" + table(("variant", "rows", "packages", *COLUMNS), lines))  # 95 % intervals over packages
    metrics = {variant: rounded(asdict(each)) for variant, each in found.items()}
    path = sidecar.write(arguments.out, metrics=metrics, **written)
    print(f"wrote {path}")
    return 0


def _load_rows(arguments: argparse.Namespace) -> tuple[str, Rows]:
    """The corpus's version, and its features with those of the synthetic sounds, from the cache where they are."""
    corpus = load_corpus(find_corpus(arguments.corpus))
    # The longest first, so that no process is left alone with one at the end.
    streams = sorted(corpus.streams, key=lambda stream: -stream.duration_s)
    sounds: list[Sound] = [*streams, *synthetic_sounds()]
    rows = extract_all(
        sounds,
        features_directory(arguments.cache),
        version=corpus.version,
        seed=arguments.seed,
        jobs=arguments.jobs,
    )
    return corpus.version, rows


def _reports(model: Model, rows: Rows) -> dict[str, Report]:
    """Every variant of the test split, without music under speech, at the balanced threshold."""
    found: dict[str, Report] = {}
    for variant in VARIANTS:
        here = rows.where((rows.split == "test") & (rows.variant == variant) & ~rows.mixed)
        if not len(here.music):
            raise ExportError("the corpus has nothing in split 'test'")
        found[variant] = report(
            here.music,
            model.probability(here.features),
            here.package,
            threshold=model.sidecar.thresholds["balanced"],
        )
    return found


def _choose(training: Rows) -> float:
    """The penalty with the best cross-validated F1, averaged over the variants."""
    trials = []
    for c in STRENGTHS:
        trial = cross_validate(training, c=c)
        trials.append(trial)
        shown = " ".join(f"{variant} {value:.4f}" for variant, value in trial.by_variant.items())
        print(f"C {c:g}: cross-validated F1 {shown}", flush=True)
    return max(trials, key=lambda trial: trial.mean).c


def _ablate(training: Rows) -> None:
    """Cross-validated F1 without each group, and with it alone, as Markdown."""
    c = _choose(training)
    variants = sorted(set(training.variant.tolist()))
    print(f"\n| statistics | without: {' | without: '.join(variants)} | alone: {' | alone: '.join(variants)} |")
    print("|---" * (1 + 2 * len(variants)) + "|")
    everything = list(range(len(NAMES)))
    _row("all", [cross_validate(training, c=c).by_variant] * 2, variants)
    for group in GROUPS:
        inside = [i for i in everything if re.match(group, NAMES[i])]
        outside = [i for i in everything if i not in inside]
        trials = [cross_validate(training, c=c, columns=columns).by_variant for columns in (outside, inside)]
        _row(f"{group} ({len(inside)})", trials, variants)


def _row(label: str, trials: Sequence[dict[str, float]], variants: Sequence[str]) -> None:
    cells = [f"{trial[variant]:.4f}" for trial in trials for variant in variants]
    print(f"| {label} | {' | '.join(cells)} |", flush=True)
