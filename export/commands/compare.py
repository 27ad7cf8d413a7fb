"""`oido-export compare`: seven estimators on each extractor's embeddings, in one table."""

import argparse
import datetime as dt
import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from device.errors import UsageError
from device.hearing.models.loading import user_directory
from export.commands.options import add_data_arguments
from export.comparison.feature import FEATURES, PUBLISHED, FeatureName, NamedFeature
from export.comparison.figures import curves, forest, learning
from export.comparison.fits import Fits
from export.comparison.install import Installable, install
from export.comparison.learning import curve
from export.comparison.listing import comma_separated, markdown
from export.comparison.panels import panels
from export.comparison.rows import Judged, Row, best
from export.comparison.running import Material, judge, materials, paired_tests
from export.comparison.selection import Selection
from export.comparison.tracking import Tracking
from export.corpus.dataset import features_directory, find_corpus, load_corpus
from export.corpus.streams import Corpus
from export.embeddings.feature import Feature
from export.embeddings.store import Store
from export.errors import ExportError
from export.estimators.base import Estimator
from export.estimators.catalogue import all_estimators
from export.estimators.network import Network
from export.progress import Progress
from export.whole_file import write_bytes
from export.yamnet.official import prepared_weights

HEADS = tuple(estimator.name for estimator in all_estimators())

FIT_SEED = 1

_BEST = "best"
"""`--learning-curve` without a row: of the one that is best on validation."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `compare`."""
    option = parser.add_argument
    option("--features", nargs="+", choices=FEATURES, help="embeddings (default: all that there are weights of)")
    option("--rows", nargs="+", choices=HEADS, default=HEADS, help="estimators (default: all)")
    option("--yamnet", type=Path, metavar="PATH", help="Google's yamnet.tflite or yamnet.h5")
    option("--vggish", type=Path, metavar="PATH", help="VGGish's weights")
    option("--openl3", type=Path, metavar="PATH", help="OpenL3's weights (music, mel256)")
    option("--split", choices=("validation", "test"), default="test", help="validation: while developing")
    option("--out", type=Path, default=Path("comparison"), help="folder for tables, pictures and runs")
    option(
        "--learning-curve",
        nargs="?",
        const=_BEST,
        metavar="FEATURES+ROW",
        help="also draw F1 over the number of training packages, for a row such as yamnet+logistic (default: the "
        "best on validation, without those of our embedder, which learnt from all packages)",
    )
    option(
        "--install",
        nargs="?",
        type=Path,
        const=user_directory(),
        metavar="FOLDER",
        help="also install the rows that the device can hear with (default: $XDG_DATA_HOME/oido/models)",
    )
    option("--no-costs", action="store_true", help="do not measure time and memory")
    option("--no-tracking", action="store_true", help="keep no runs in MLflow")
    option("--from-tracking", action="store_true", help="only write the tables of the latest kept runs again")
    add_data_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Fit, evaluate, draw, keep, print."""
    out: Path = arguments.out
    if arguments.from_tracking:
        if arguments.no_tracking:
            raise UsageError("--from-tracking and --no-tracking: choose one")
        if arguments.install is not None:
            raise UsageError("--from-tracking and --install: choose one; kept runs lack what a model needs")
        rows, sentences = Tracking(out).latest()
        if not rows:
            raise ExportError("the latest kept comparison has no rows; make another with `oido-export compare`")
        _write(rows, sentences, out)
        return 0
    features = _features(arguments)
    names = [feature.name for feature in features]
    wanted = _row_of_curve(arguments.learning_curve, names, arguments.rows)
    _check_installed(names, arguments.rows)
    tracking = None if arguments.no_tracking else Tracking(out)
    corpus = load_corpus(find_corpus(arguments.corpus))
    return compare(features, arguments, corpus=corpus, tracking=tracking, wanted=wanted)


def compare(
    features: Sequence[Feature],
    arguments: argparse.Namespace,
    *,
    corpus: Corpus,
    tracking: Tracking | None = None,
    wanted: tuple[str, str] | None = None,
    estimators: Sequence[Estimator] | None = None,
) -> int:
    """The command, once it is known what is compared: at least one extractor.

    `wanted` are features and estimator of the learning curve, both `best` for the best on validation. Without
    estimators, those of `arguments.rows` are compared.
    """
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    cache = features_directory(arguments.cache)
    store = Store(folder=cache, version=corpus.version, seed=arguments.seed, jobs=arguments.jobs)
    fits = Fits(folder=cache / "fits", seed=FIT_SEED)
    selection = Selection.of(corpus, arguments.split, seed=arguments.seed)
    # All sound first: processes are forked for it, which is safe only before TensorFlow has started its threads.
    found = materials(features, selection, store)
    tasks = [
        (each, estimator)
        for each in found
        for estimator in (estimators or _estimators(each.feature, arguments.rows, arguments.jobs))
    ]
    comparison = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    judged = []
    with Progress(total=len(tasks), unit="row") as progress:
        for each, estimator in tasks:
            judged.append(judge(estimator, each, fits, costs=not arguments.no_costs))
            progress.step(judged[-1].row.name)
    judged = _same_extractor_costs(judged)
    if tracking is not None:
        for number, kept in enumerate(judged):
            tracking.row(comparison, number, kept.row, kept.file)
    rows = [each.row for each in judged]
    sentences = [str(test) for test in paired_tests(judged)]
    files = [*_write(rows, sentences, out), curves(judged, out / "curves.png"), *panels(judged, out)]
    if wanted is not None:
        files.append(_learning_curve(wanted, judged, tasks, fits, out))
    if tracking is not None:
        settings = {
            "corpus": corpus.version,
            "split": arguments.split,
            "seed": str(arguments.seed),
            "features": " ".join(each.feature.name for each in found),
            "rows": " ".join(dict.fromkeys(row.head for row in rows)),
        }
        tracking.finish(comparison, sentences=sentences, settings=settings, files=files)
        print(f"runs are kept in {tracking.uri}")
    if arguments.install is not None:
        installable = [
            Installable(each, material, estimator.reads)
            for each, (material, estimator) in zip(judged, tasks, strict=True)
        ]
        for sentence in install(installable, arguments.install, corpus=corpus.version, seed=FIT_SEED):
            print(sentence)
    return 0


def _write(rows: Sequence[Row], sentences: Sequence[str], out: Path) -> list[Path]:
    """The tables and a picture of them; the Markdown also goes to standard output."""
    out.mkdir(parents=True, exist_ok=True)
    text = markdown(rows, sentences)
    write_bytes(out / "table.md", text.encode())
    write_bytes(out / "table.csv", comma_separated(rows).encode())
    print(text)
    return [out / "table.md", out / "table.csv", forest(rows, out / "f1.png")]


def _learning_curve(
    wanted: tuple[str, str],
    judged: Sequence[Judged],
    tasks: Sequence[tuple[Material, Estimator]],
    fits: Fits,
    out: Path,
) -> Path:
    """Of the wanted row, or of the best on validation whose embeddings were not learnt from the corpus.

    Our embedder has learnt from all training packages: to its heads, more of them bring nothing new.
    """
    if _BEST in wanted:
        chosen = best(judged, "scratch", "published") or best(judged, "own")
        if chosen is not None:
            wanted = (chosen.row.feature, chosen.row.head)
    for each, estimator in tasks:
        if (each.feature.name, estimator.name) == wanted:
            points = curve(estimator, each, fits, seed=FIT_SEED)
            return learning(points, " + ".join(wanted), out / "learning_curve.png")
    raise UsageError(f"--learning-curve {'+'.join(wanted)}: there is no such row")


def _same_extractor_costs(judged: Sequence[Judged]) -> list[Judged]:
    """An extractor is measured with each of its rows: the quickest counts, as the others were disturbed."""
    quickest: dict[str, float] = {}
    for each in judged:
        if each.row.costs is not None:
            now = each.row.costs.extractor_ms
            quickest[each.row.feature] = min(now, quickest.get(each.row.feature, now))
    found = []
    for each in judged:
        costs = each.row.costs and replace(each.row.costs, extractor_ms=quickest[each.row.feature])
        found.append(replace(each, row=replace(each.row, costs=costs)))
    return found


def _features(arguments: argparse.Namespace) -> list[Feature]:
    """Those asked for, or all that there are weights of; UsageError if those of one asked for are missing."""
    weights: dict[FeatureName, Path | None] = {name: getattr(arguments, name) for name in PUBLISHED}
    if weights["yamnet"] is None and prepared_weights().is_file():
        weights["yamnet"] = prepared_weights()
    asked: Sequence[FeatureName] = arguments.features or [
        name for name in FEATURES if name not in PUBLISHED or weights[name] is not None
    ]
    for name in asked:
        if name in PUBLISHED and weights[name] is None:
            raise UsageError(f"--features {name} needs its weights: --{name} PATH")
    return [NamedFeature(name, weights.get(name)) for name in dict.fromkeys(asked)]


def _estimators(feature: Feature, rows: Sequence[str], jobs: int) -> list[Estimator]:
    """In the table's order; statistics of different units are brought to one size for the networks."""
    everyone = all_estimators(jobs=jobs, standardise=feature.origin == "scratch")
    return [estimator for estimator in everyone if estimator.name in rows]


def _row_of_curve(text: str | None, features: Sequence[str], heads: Sequence[str]) -> tuple[str, str] | None:
    if text is None:
        return None
    if text == _BEST:
        return (_BEST, _BEST)
    feature, _, head = text.partition("+")
    if feature not in features or head not in heads:
        raise UsageError(
            f"--learning-curve {text}: there is no such row; features are {', '.join(features)}, "
            f"rows {', '.join(heads)}"
        )
    return (feature, head)


def _check_installed(features: Sequence[str], rows: Sequence[str]) -> None:
    """ExportError if a library is missing: now, not after half an hour."""
    networks = {estimator.name for estimator in all_estimators() if isinstance(estimator, Network)}
    needing = [name for name in (*features, *rows) if name in networks or name in PUBLISHED]
    if needing and importlib.util.find_spec("tensorflow") is None:
        raise ExportError(f"{', '.join(needing)}: need TensorFlow: pip install 'oido[train]'")
    if "xgboost" in rows and any(importlib.util.find_spec(name) is None for name in ("xgboost", "onnxmltools")):
        raise ExportError("xgboost: needs XGBoost and onnxmltools: pip install 'oido[compare]', or choose --rows")
