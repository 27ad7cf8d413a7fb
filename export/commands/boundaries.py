"""`oido-export boundaries`: how well recordings are cut where music begins and ends.

Programmes are made from a split: music and everything else in turn. They are decided with hindsight, as `oido
classify` does it, and as the daemon would have decided live. So is everything in the split that has no music.
"""

import argparse
from collections.abc import Sequence
from functools import partial

from device.configuration.settings import DecisionConfig, Mode
from device.hearing.classifier import Classifier
from device.hearing.decision import Decision, Segment
from device.hearing.hindsight import Answers, Hindsight
from device.hearing.models.loading import load_model
from device.hearing.models.sidecar import MODES
from device.hearing.rules import rules
from device.pipeline import listen
from device.sound import SAMPLE_RATE, FloatArray
from export.commands.options import add_corpus, add_work, positive
from export.corpus.augment import record
from export.corpus.dataset import find_corpus, load_corpus
from export.corpus.programmes import Programme, programmes
from export.corpus.streams import Stream
from export.evaluation.boundaries import Cut, report
from export.evaluation.replay import Played
from export.workers import run_all

PROGRAMMES = 100

Segments = Sequence[Segment]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `boundaries`."""
    option = parser.add_argument
    option("model", metavar="NAME", help="a model's name, or the path of its NAME.json")
    option("--split", choices=["validation", "test"], default="test")
    option("--mode", choices=MODES, default="balanced", help="whose thresholds to use")
    option(
        "--programmes", type=positive, default=PROGRAMMES, metavar="N", help=f"how many (default: {PROGRAMMES})"
    )
    add_corpus(parser)
    add_work(parser)


def run(arguments: argparse.Namespace) -> int:
    """Hear everything once, decide it in both ways, and print."""
    Classifier(load_model(arguments.model))  # refuses it before any sound is read
    corpus = load_corpus(find_corpus(arguments.corpus))
    drawn = programmes(corpus, arguments.split, count=arguments.programmes, seed=arguments.seed)
    without = corpus.select(split=arguments.split, label="no_music")
    sounds: list[Programme | Stream] = [*drawn, *without]
    found = run_all(
        partial(_decided, model=arguments.model, mode=arguments.mode),
        sounds,
        jobs=arguments.jobs,
        unit="recording",
        describe=lambda sound, _: f"{_samples_of(sound) / SAMPLE_RATE:.0f} s",
    )
    hindsight, live = zip(*found, strict=True)
    count = len(drawn)
    cuts = {
        "with hindsight": Cut(hindsight[:count], hindsight[count:]),
        "as live": Cut(live[:count], live[count:]),
    }
    print(f"\n{report(cuts, drawn)}")
    return 0


def _samples_of(sound: Programme | Stream) -> int:
    return sound.samples if isinstance(sound, Programme) else round(sound.duration_s * SAMPLE_RATE)


def _decided(sound: Programme | Stream, model: str, mode: Mode) -> tuple[Segments, Segments]:
    """The segments of one sound, with hindsight and as live."""
    samples: FloatArray = sound.read() if isinstance(sound, Programme) else record(sound.read())
    loaded = load_model(model)
    decision = Decision(rules(DecisionConfig(), loaded, mode))
    answers = Answers()
    live: list[Segment] = []
    for seen in listen(Played([samples]), Classifier(loaded), decision):
        live += seen.step.segments
        if seen.score is not None:
            answers.add(seen.score)
    return Hindsight.of(DecisionConfig(), mode).decide(answers, samples.size).segments, live
