"""`oido-export onsets`: how late a device notices that music starts and stops, and how often it starts by mistake.

The whole pipeline runs, with the decision and the rules of the device. A start is noticed when the state turns ON,
not at the time that the event is dated back to.
"""

import argparse
import itertools
import json
import math
import os
from collections.abc import Iterator, Sequence

from device.errors import UsageError
from device.hearing.classifier import Classifier
from device.hearing.models.loading import find_model, load_model
from device.hearing.models.sidecar import MODES
from device.sound import FloatArray
from export.commands.options import add_corpus, positive
from export.corpus.augment import record
from export.corpus.dataset import find_corpus, load_corpus
from export.corpus.features import SEED
from export.corpus.joins import LONGEST_LEAD_S, Join, plan
from export.corpus.streams import Stream
from export.errors import ExportError
from export.evaluation.delays import FalseStarts, Noticed, delays_table, edge, false_starts, onsets_document
from export.evaluation.replay import Replay
from export.progress import Progress
from export.whole_file import write_json
from export.workers import run_all

JOINS = 200
"""With fewer, the 95th percentile depends on a handful of them."""

_JOINS_A_TASK = 10
"""Loading the model for each join would take longer than hearing it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `onsets`."""
    option = parser.add_argument
    option("model", metavar="NAME", help="a model's name, or the path of its NAME.json")
    option("--split", choices=["validation", "test"], default="test")
    option("--mode", choices=MODES, default="balanced", help="whose threshold to use")
    option("--joins", type=positive, default=JOINS, metavar="N", help=f"how many (default: {JOINS}; fewer to try)")
    option("--list", action="store_true", help="say where each false start happens")
    option("--write", action="store_true", help="put the figures into NAME.json")
    add_corpus(parser)
    option("--seed", type=int, default=SEED, help="of the joins")
    option("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")


def run(arguments: argparse.Namespace) -> int:
    """Hear the joins, then everything without music, and print."""
    if arguments.write and (arguments.split, arguments.mode, arguments.joins) != ("test", "balanced", JOINS):
        raise UsageError(f"--write keeps what --split test --mode balanced --joins {JOINS} finds: leave these out")
    Classifier(load_model(arguments.model))  # refuses it before any sound is read
    corpus = load_corpus(find_corpus(arguments.corpus))
    replay = Replay(arguments.model, arguments.mode)
    planned = plan(corpus, arguments.split, count=arguments.joins, seed=arguments.seed)
    batches = [
        (replay, planned.joins[begin : begin + _JOINS_A_TASK])
        for begin in range(0, len(planned.joins), _JOINS_A_TASK)
    ]
    parts = run_all(
        _hear_joins,
        batches,
        jobs=arguments.jobs,
        unit="batch",
        describe=lambda batch, _: f"{len(batch[1])} joins",
    )
    starts, stops = zip(*itertools.chain.from_iterable(parts), strict=True)
    print(f"\n{delays_table(starts, stops)}")
    print(
        f"\nSeconds, from the join to the moment the state turns. {planned.skipped} more joins were skipped, "
        f"as their music begins with over {LONGEST_LEAD_S} s of near-silence."
    )
    without = _hear_in_order(replay, corpus.select(split=arguments.split, label="no_music"))
    print(f"\n{without.described(listed=arguments.list)}")
    if arguments.write:
        path = find_model(arguments.model)
        document = json.loads(path.read_text(encoding="utf-8"))
        document["onsets"] = {"split": arguments.split, **onsets_document(starts, stops, without)}
        write_json(path, document)
        print(f"wrote {path}")
    return 0


def _hear_joins(batch: tuple[Replay, Sequence[Join]]) -> list[tuple[Noticed, Noticed]]:
    """How the start and the stop of each were noticed."""
    replay, joins = batch
    streams = ([join.read()] for join in joins)
    return [
        (
            edge(told, join.onset, join.offset, start=True),
            edge(told, join.offset, math.inf, start=False),
        )
        for join, told in zip(joins, replay.hear(streams), strict=True)
    ]


def _hear_in_order(replay: Replay, streams: Sequence[Stream]) -> FalseStarts:
    """All streams as one, from the first to the last."""
    lengths: list[int] = []
    with Progress(total=len(streams), unit="stream") as progress:

        def pieces() -> Iterator[FloatArray]:
            for stream in streams:
                samples = record(stream.read())
                lengths.append(samples.size)
                yield samples
                progress.step(f"{stream.package}: no music")

        (told,) = replay.hear([pieces()])
    if not sum(lengths):
        raise ExportError("the split has nothing without music")
    return false_starts(told, streams, lengths)
