"""`oido-export calibrate`: fit a model's calibration, and choose its thresholds.

Both on the validation split, in all its variations: clean, at other levels, in rooms, mixed. A threshold that was
chosen on clean files would be wrong in a room.
"""

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from device.errors import UsageError
from device.hearing.models.loading import find_model, load_model
from export.commands.options import add_data_arguments
from export.convert.sidecar import calibration_document
from export.corpus.dataset import features_directory, find_corpus, load_corpus
from export.errors import ExportError
from export.evaluation.calibration import (
    METHODS,
    Method,
    Operating,
    cross_validated,
    for_precision,
    for_recall,
    mode_thresholds,
    operating_points,
)
from export.evaluation.hearing import DeviceModel
from export.evaluation.metrics import FloatVector, calibration_error, log_loss, log_odds, package_weights
from export.evaluation.questions import some_takes
from export.evaluation.scoring import Scores, Verdicts
from export.evaluation.takes import VARIATIONS, Variation
from export.markdown import table
from export.whole_file import write_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `calibrate`."""
    option = parser.add_argument
    option("model", metavar="NAME", help="a model's name, or the path of its NAME.json")
    option("--method", choices=[*METHODS, "best"], default="best", help="best: by cross-validated log loss")
    target = parser.add_mutually_exclusive_group()
    target.add_argument(
        "--target-precision", type=_share, metavar="P", help="that the balanced threshold must reach"
    )
    target.add_argument("--target-recall", type=_share, metavar="R", help="that the balanced threshold must reach")
    option(
        "--recent-patches", type=int, metavar="K", help="patches, 0.48 s apart, over which the mean score is taken"
    )
    option(
        "--recent-weight", type=_share, metavar="W", help="weight of that mean; the segment's score has the rest"
    )
    option("--segment-every", type=int, metavar="N", help="patches from one score of the segment to the next")
    option("--quick-patches", type=int, metavar="N", help="sure patches in a row that are music at once; 0: never")
    option(
        "--quick-discount",
        type=float,
        metavar="L",
        help="such an answer is the least sure patch less these log odds",
    )
    option("--min-on-s", type=float, metavar="S", help="default of how long music must last")
    option("--min-off-s", type=float, metavar="S", help="default of how long it must be absent")
    option(
        "--plot", type=Path, metavar="PNG", help="draw precision and recall over the threshold, and reliability"
    )
    option("--dry-run", action="store_true", help="print, and do not write NAME.json")
    add_data_arguments(parser)


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def run(arguments: argparse.Namespace) -> int:
    """Fit, print, draw, write."""
    path = find_model(arguments.model)
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    _set_inputs(document, arguments)
    by_variation = _listen(document, path, arguments)
    answers = Verdicts.join(list(by_variation.values()))
    truth, raw, weight = answers.music, answers.probability, package_weights(answers)
    methods: list[Method] = [method for method in METHODS if arguments.method in (method, "best")]
    left_out: dict[str, FloatVector] = {"none": raw}
    for method in methods:
        left_out[method] = cross_validated(method, truth, raw, answers.package, weight)
    loss = {name: log_loss(log_odds(each.astype(np.float64)), truth, weight) for name, each in left_out.items()}
    lines = [
        (name, f"{loss[name]:.4f}", f"{calibration_error(truth, probability, weight):.4f}")
        for name, probability in left_out.items()
    ]
    head = ("calibration", "log loss, packages left out", "calibration error, packages left out")
    print(table(head, lines, rule="---"))
    chosen = METHODS[min(methods, key=lambda method: loss[method])](truth, raw, weight)
    probability = chosen(raw.astype(np.float32))
    points = operating_points(truth, probability)
    at = mode_thresholds([(each.music, chosen(each.probability)) for each in by_variation.values()])
    if wanted := _wanted(points, arguments):
        at["balanced"] = wanted.threshold
        at["precision"], at["recall"] = max(at["precision"], wanted.threshold), min(at["recall"], wanted.threshold)
    print(f"\n{chosen.method}; on {len(truth)} validation answers, each counted:")
    for mode, threshold in at.items():
        point = min(points, key=lambda each: abs(each.threshold - threshold))
        figures = f"precision {point.precision:.4f}, recall {point.recall:.4f}, F1 {point.f1:.4f}"
        print(f"  {mode}: threshold {threshold:.3f}, {figures}")
    if arguments.plot:
        from export.evaluation.plots import draw_calibration  # noqa: PLC0415 - takes a second

        print(f"drew {draw_calibration(arguments.plot, truth, probability, points, at)}")
    if not arguments.dry_run:
        document["calibration"] = calibration_document(chosen)
        document["thresholds"] = at
        write_json(path, document)
        print(f"wrote {path}")
    return 0


def _set_inputs(document: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Put the options into the sidecar."""
    for key in ("recent_patches", "recent_weight", "segment_every", "quick_patches", "quick_discount"):
        if (value := getattr(arguments, key)) is not None:
            if key not in document["input"]:
                raise UsageError(f"{document['name']} is of kind {document['kind']!r} and has no {key}")
            document["input"][key] = value
    for option in ("min_on_s", "min_off_s"):
        if (value := getattr(arguments, option)) is not None:
            document.setdefault("decision", {})[option] = value


def _listen(document: Mapping[str, Any], path: Path, arguments: argparse.Namespace) -> dict[Variation, Verdicts]:
    """Uncalibrated answers to the validation split, by variation."""
    corpus = load_corpus(find_corpus(arguments.corpus))
    validation = some_takes(corpus, "validation", seed=arguments.seed)
    scores = Scores(
        features_directory(arguments.cache), version=corpus.version, seed=arguments.seed, jobs=arguments.jobs
    )
    with tempfile.TemporaryDirectory(prefix="oido-calibrate-") as folder:
        raw = Path(folder) / path.name
        raw.write_text(json.dumps({**document, "calibration": {"method": "none", "parameters": {}}}))
        for other in path.parent.iterdir():
            if other != path:
                (Path(folder) / other.name).symlink_to(other.resolve())
        load_model(str(raw))
        scorer = DeviceModel.of(str(raw))
        scored = scores.score([(take, [scorer]) for take in validation])
    found: dict[Variation, list[Verdicts]] = {}
    for take in validation:
        found.setdefault(take.variation, []).append(scored[scorer.name, take.name]["answer"])
    return {variation: Verdicts.join(found[variation]) for variation in VARIATIONS if variation in found}


def _wanted(points: list[Operating], arguments: argparse.Namespace) -> Operating | None:
    if arguments.target_precision is not None:
        found = for_precision(points, arguments.target_precision)
        what = f"precision of {arguments.target_precision}"
    elif arguments.target_recall is not None:
        found = for_recall(points, arguments.target_recall)
        what = f"recall of {arguments.target_recall}"
    else:
        return None
    if found is None:
        raise ExportError(f"no threshold reaches a {what} on validation; ask for less")
    return found
