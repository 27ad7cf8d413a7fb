"""`oido-export evaluate`: how good models are, in four kinds of sound, with YAMNet beside them, in one table."""

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
from export.evaluation.questions import Contestant, compare
from export.evaluation.results import (
    Question,
    Result,
    by_category,
    by_variation,
    metrics_document,
)
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
        "--yamnet", type=Path, metavar="PATH", help="the official yamnet.tflite, to stand beside"
    )
    reference.add_argument("--no-yamnet", action="store_true", help="leave YAMNet out, also where it is at hand")
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
    if arguments.write and (arguments.split, arguments.mode, arguments.granularity) != (
        "test",
        "balanced",
        "both",
    ):
        raise UsageError(
            "--write keeps what --split test --mode balanced --granularity both find: leave these out"
        )
    contestants = _contestants(arguments)
    corpus = load_corpus(find_corpus(arguments.corpus))
    scores = Scores(
        features_directory(arguments.cache), version=corpus.version, seed=arguments.seed, jobs=arguments.jobs
    )
    questions = [
        asked
        for asked in compare(
            contestants, corpus, scores, split=arguments.split, mode=arguments.mode, seed=arguments.seed
        )
        if arguments.granularity in (asked.granularity, "both")
    ]
    if all(asked.variation != "mixture" for asked in questions):
        print(f"split {arguments.split!r} lacks speech or music: there are no mixtures", file=sys.stderr)
    results = run_all(
        Result.of,
        questions,
        jobs=arguments.jobs,
        unit="row",
        describe=lambda asked, _: f"figures of {asked.model}: {asked.variation}, each {asked.granularity}",
    )
    print(f"\n{by_variation(results)}\n\n{_thresholds_said(questions)}")
    if arguments.by:
        print(f"\n{by_category(questions)}")
    if arguments.plots:
        from export.evaluation.plots import draw  # noqa: PLC0415 - a second that a table does not need

        for path in draw(results, arguments.plots):
            print(f"drew {path}")
    if arguments.write:
        for reference, contestant in zip(arguments.models, contestants, strict=False):  # YAMNet is the last
            mine = [result for result in results if result.question.model == contestant.scorer.name]
            print(f"wrote {_write(reference, mine)}")
    return 0


def _contestants(arguments: argparse.Namespace) -> list[Contestant]:
    """The models in their order, then YAMNet.

    Raises:
        UsageError: the same model twice.
        OidoError: one cannot be used.
    """
    models = [load_model(reference) for reference in arguments.models]
    names = Counter(model.sidecar.name for model in models)
    found = []
    for reference, model in zip(arguments.models, models, strict=True):
        # Two versions of a model have one name: then the paths tell them apart.
        scorer = DeviceModel.of(reference, name=None if names[model.sidecar.name] == 1 else reference)
        at = model.sidecar.thresholds[arguments.mode]
        found.append(Contestant(scorer, dict.fromkeys(GRANULARITIES, at)))
    if (yamnet := _yamnet(arguments)) is not None:
        # Our own model of that name is Google's body with another head: both may stand in one table.
        beside = dataclasses.replace(yamnet, name=f"{yamnet.name}-official") if yamnet.name in names else yamnet
        found.append(Contestant(beside, None))
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
        "YAMNet is not at hand and is left out; --yamnet PATH puts the official yamnet.tflite beside",
        file=sys.stderr,
    )
    return None


def _thresholds_said(questions: Sequence[Question]) -> str:
    """Each model's threshold, by granularity where they differ."""
    said: dict[str, dict[str, float]] = {}
    for asked in questions:
        said.setdefault(asked.model, {})[asked.granularity] = asked.threshold
    texts = []
    for model, by_granularity in said.items():
        shown = {granularity: f"{value:.3f}" for granularity, value in by_granularity.items()}
        each = ", ".join(f"{value} each {granularity}" for granularity, value in shown.items())
        texts.append(f"{model} {each if len(set(shown.values())) > 1 else next(iter(shown.values()))}")
    return f"Thresholds: {'; '.join(texts)}. Intervals: 95 %, bootstrap over packages."


def _write(reference: str, results: Sequence[Result]) -> Path:
    """Put figures into a sidecar; all else in it stays as it is."""
    path = find_model(reference)
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    document["metrics"] = metrics_document(results)
    write_json(path, document)
    return path
