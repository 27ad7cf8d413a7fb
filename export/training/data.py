"""The scenes that both networks learn from, made once and kept."""

import argparse
from functools import partial

from export.corpus.dataset import find_corpus, load_corpus, networks_directory
from export.corpus.features import SEED, Sound
from export.corpus.pools import pools
from export.corpus.speech import synthetic_speech
from export.corpus.synthetic import synthetic_sounds
from export.training.shards import Examples, fingerprint, make
from export.training.teacher import yamnet_teacher
from export.yamnet.official import prepared_weights

VALIDATION_SCENES = 2_000


def scenes(arguments: argparse.Namespace) -> tuple[Examples, Examples, str]:
    """Scenes to learn from, scenes to check on, and a version that changes with either.

    The validation scenes do not depend on `--seed`.
    """
    corpus = load_corpus(find_corpus(arguments.corpus))
    extra: list[Sound] = [*synthetic_speech(), *synthetic_sounds()]
    version = f"{corpus.version}-{fingerprint(extra)}"
    folder = networks_directory(arguments.cache) / f"scenes-{version}"
    teacher = partial(yamnet_teacher, arguments.yamnet or prepared_weights())
    training = make(
        lambda: pools(corpus.select(split="train"), extra),
        folder / "train",
        count=arguments.scenes,
        seed=arguments.seed,
        teacher=teacher,
        jobs=arguments.jobs,
    )
    validation = make(
        lambda: pools(corpus.select(split="validation")),
        folder / "validation",
        count=VALIDATION_SCENES,
        seed=SEED,
        teacher=teacher,
        jobs=arguments.jobs,
    )
    return training, validation, f"{version}-{len(training)}"
