"""`oido-export evaluate`: how good models and YAMNet are on four kinds of sound, in one table."""

import argparse
import dataclasses
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from device.errors import UsageError
from device.hearing.models.loading import find_model, load_model
from device.hearing.models.sidecar import MODES
from export.commands.options import add_data_arguments
from export.corpus.dataset import features_directory, find_corpus, load_corpus
from export.corpus.recipe import SPLITS
from export.evaluation.hearing import DeviceModel
from export.evaluation.questions import Candidate, Question, questions
from export.evaluation.results import Result, by_category, by_variation, metrics_document
from export.evaluation.scoring import GRANULARITIES, Scores
from export.whole_file import write_json
from export.workers import run_all
from export.yamnet.official import YamnetScorer, prepared_weights


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `evaluate`."""
    option = parser.add_argument
    option("models", nargs="+", metavar="NAME", help="a model's name, or the path of its NAME.json")
    reference = parser.add_mutually_exclusive_group()
    reference.add_argument(
        "--yamnet", type=Path, metavar="PATH", help="the official yamnet.tflite, for comparison"
    )
    reference.add_argument("--no-yamnet", action="store_true", help="leave YAMNet out, even if it is installed")
    option("--split", choices=SPLITS, default="test")
    option("--mode", choices=MODES, default="balanced", help="whose threshold to use")
    option(
        "--granularity", choices=[*GRANULARITIES, "both"], default="both", help="each answer, each 9.6 s, or both"
    )
    option("--by", choices=["category"], help="a second table, by the kind of sound")
    option("--plots", type=Path, metavar="DIR", help="draw reliability, ROC, PR and confusion into this folder")
    option("--write", action="store_true", help="put the figures into each NAME.json")
    add_data_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the tables, draw, write."""
    chosen = (arguments.split, arguments.mode, arguments.granularity)
    if arguments.write and chosen != ("test", "balanced", "both"):
        raise UsageError(
            "--write keeps what --split test --mode balanced --granularity both find: leave these out"
        )
    candidates = _candidates(arguments)
    corpus = load_corpus(find_corpus(arguments.corpus))
    scores = Scores(
        features_directory(arguments.cache), version=corpus.version, seed=arguments.seed, jobs=arguments.jobs
    )
    everything = questions(
        candidates, corpus, scores, split=arguments.split, mode=arguments.mode, seed=arguments.seed
    )
    wanted = [each for each in everything if arguments.granularity in (each.granularity, "both")]
    if all(each.variation != "mixture" for each in wanted):
        print(f"split {arguments.split!r} lacks speech or music: there are no mixtures", file=sys.stderr)
    results = run_all(
        Result.of,
        wanted,
        jobs=arguments.jobs,
        unit="row",
        describe=lambda each, _: f"figures of {each.model}: {each.variation}, each {each.granularity}",
    )
    print(f"\n{by_variation(results)}\n\n{_thresholds(wanted)}")
    if arguments.by:
        print(f"\n{by_category(wanted)}")
    if arguments.plots:
        from export.evaluation.plots import draw_results  # noqa: PLC0415 - takes a second

        for path in draw_results(results, arguments.plots):
            print(f"drew {path}")
    if arguments.write:
        for reference, candidate in zip(arguments.models, candidates, strict=False):  # YAMNet is the last
            mine = [result for result in results if result.question.model == candidate.scorer.name]
            path = find_model(reference)
            document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            document["metrics"] = metrics_document(mine)
            write_json(path, document)
            print(f"wrote {path}")
    return 0


def _candidates(arguments: argparse.Namespace) -> list[Candidate]:
    """The models in their order, then YAMNet; UsageError if one is named twice."""
    models = [load_model(reference) for reference in arguments.models]
    names = Counter(model.sidecar.name for model in models)
    found = []
    for reference, model in zip(arguments.models, models, strict=True):
        # Two versions of a model have one name: then the paths tell them apart.
        scorer = DeviceModel.of(reference, name=None if names[model.sidecar.name] == 1 else reference)
        at = model.sidecar.thresholds[arguments.mode]
        found.append(Candidate(scorer, dict.fromkeys(GRANULARITIES, at)))
    if (yamnet := _yamnet(arguments)) is not None:
        # Our own model of that name is Google's network with another head: both may be in one table.
        beside = dataclasses.replace(yamnet, name=f"{yamnet.name}-official") if yamnet.name in names else yamnet
        found.append(Candidate(beside, None))
    for name, count in Counter(each.scorer.name for each in found).items():
        if count > 1:
            raise UsageError(f"{name!r} stands {count} times among the models to compare; name each once")
    return found


def _yamnet(arguments: argparse.Namespace) -> YamnetScorer | None:
    if arguments.no_yamnet:
        return None
    if arguments.yamnet:
        return YamnetScorer.at(arguments.yamnet)
    if (path := prepared_weights()).is_file():
        return YamnetScorer.at(path)
    print(
        "YAMNet is not installed and is left out; --yamnet PATH adds the official yamnet.tflite",
        file=sys.stderr,
    )
    return None


def _thresholds(questions: Sequence[Question]) -> str:
    """Each model's threshold, by granularity where they differ."""
    shown: dict[str, dict[str, str]] = {}
    for each in questions:
        shown.setdefault(each.model, {})[each.granularity] = f"{each.threshold:.3f}"
    texts = []
    for model, values in shown.items():
        by_granularity = ", ".join(f"{value} each {granularity}" for granularity, value in values.items())
        texts.append(f"{model} {by_granularity if len(set(values.values())) > 1 else next(iter(values.values()))}")
    return f"Thresholds: {'; '.join(texts)}. Intervals: 95 %, bootstrap over packages."
