"""What int8 takes from YAMNet: the converted network against the float one, behind our front end both.

    python -m export.yamnet.quantisation --yamnet PATH [--out FILE.tflite]

Ranges are measured on windows of the training packages; what is compared are windows of the validation packages,
each at a level that a device may hear.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device.command_line import Command, execute
from device.errors import UsageError
from device.hearing.models.runtimes import open_runtime
from device.sound import FloatArray
from export.convert.tflite import Converted, convert
from export.corpus.audioset import MUSIC_CLASS, SPEECH_CLASS
from export.corpus.dataset import find_corpus, load_corpus
from export.corpus.features import SEED
from export.embeddings.windows import sample
from export.evaluation.metrics import Figure, report
from export.yamnet.extractor import YamnetExtractor
from export.yamnet.official import prepared_weights

TRAINING_WINDOWS = 250
"""Of each label, for the ranges."""

WINDOWS = 500
"""Of each label, to compare on."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How near one network comes to another."""

    cosine: float
    """Of the embeddings, mean."""
    lowest_cosine: float
    """One in a hundred is lower."""
    difference: float
    """Of the scores of `Music`, mean."""
    largest_difference: float
    same_decisions: float
    """Part of the windows in which both scores lie on the same side of 0.5."""

    @classmethod
    def between(cls, theirs: tuple[FloatArray, FloatArray], ours: tuple[FloatArray, FloatArray]) -> "Agreement":
        """Compare.

        Args:
            theirs: (n, 1024) embeddings and (n,) scores.
            ours: the same of the other network.
        """
        (first, score), (second, other) = theirs, ours
        lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
        cosines = (first * second).sum(axis=1) / np.maximum(lengths, 1e-12)
        differences = np.abs(score - other)
        return cls(
            cosine=float(cosines.mean()),
            lowest_cosine=float(np.quantile(cosines, 0.01)),
            difference=float(differences.mean()),
            largest_difference=float(differences.max()),
            same_decisions=float(np.mean((score >= 0.5) == (other >= 0.5))),  # noqa: PLR2004 - the middle
        )


def int8(yamnet: YamnetExtractor, patches: FloatArray) -> Converted:
    """YAMNet with the scores of `Music` and `Speech` that Google trained, as a model of the kind `patch` has them.

    Args:
        yamnet: the float network.
        patches: (n, 96, 64) real features for the ranges.

    Raises:
        ExportError: TensorFlow is not installed or cannot convert it.
    """
    network = yamnet.deployable(patches, head=yamnet.head.only((MUSIC_CLASS, SPEECH_CLASS)))
    return convert(network, patches, outputs=("embedding", "scores"))


def heard(converted: Converted, patches: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Embeddings (n, 1024) and scores of `Music` (n,), from the device's own runtime."""
    names = [converted.outputs[output].name for output in ("embedding", "scores")]
    runtime = open_runtime(Path("yamnet.tflite"), converted.content, names)
    embeddings, scores = runtime.run_all(patches)
    return embeddings, scores[:, 0]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--yamnet", type=Path, help="yamnet.tflite or yamnet.h5 (default: shared/weights)")
    parser.add_argument("--corpus", type=Path, help="the corpus's folder (default: as `corpus info` finds it)")
    parser.add_argument("--windows", type=int, default=WINDOWS, help=f"of each label (default: {WINDOWS})")
    parser.add_argument("--out", type=Path, help="keep the int8 network in this file; its weights are Google's")
    parser.add_argument("--seed", type=int, default=SEED, help="of the choice of windows")


def run(arguments: argparse.Namespace) -> int:
    """Convert, compare, print a Markdown table."""
    if arguments.windows < 1:
        raise UsageError(f"--windows {arguments.windows}: at least 1 of each label is needed")
    yamnet = YamnetExtractor(arguments.yamnet or prepared_weights())
    corpus = load_corpus(find_corpus(arguments.corpus))
    training = sample(corpus, split="train", count=TRAINING_WINDOWS, seed=arguments.seed)
    windows = sample(corpus, split="validation", count=arguments.windows, seed=arguments.seed)
    converted = int8(yamnet, training.patches(seed=arguments.seed))
    patches = windows.patches(seed=arguments.seed)
    theirs = yamnet.patch_embeddings(patches), yamnet.patch_scores(patches)[:, MUSIC_CLASS]
    ours = heard(converted, patches)

    def roc_auc(scores: FloatArray) -> Figure:
        return report(windows.music, scores, windows.package, threshold=0.5).roc_auc

    agreement = Agreement.between(theirs, ours)
    print(f"| YAMNet, int8 against float | {len(windows.music)} windows |")
    print("| --- | --- |")
    print(f"| cosine of the embeddings, mean | {agreement.cosine:.4f} |")
    print(f"| the same, lowest hundredth | {agreement.lowest_cosine:.4f} |")
    print(f"| difference in `Music`, mean | {agreement.difference:.4f} |")
    print(f"| the same, largest | {agreement.largest_difference:.4f} |")
    print(f"| same decision at 0.5 | {agreement.same_decisions:.4f} |")
    print(f"| ROC-AUC, float | {roc_auc(theirs[1])} |")
    print(f"| ROC-AUC, int8 | {roc_auc(ours[1])} |")
    print(f"| size | {len(converted.content) // 1024} KB |")
    if arguments.out:
        arguments.out.write_bytes(converted.content)
        print(f"\nwrote {arguments.out}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m export.yamnet.quantisation`."""
    command = Command("quantisation", "what int8 takes from YAMNet", "export.yamnet.quantisation")
    words = sys.argv[1:] if argv is None else argv
    return execute(["quantisation", *words], prog="oido-export", description=command.help, commands=[command])


if __name__ == "__main__":
    sys.exit(main())
