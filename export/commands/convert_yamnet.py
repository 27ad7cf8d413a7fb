"""`oido-export convert yamnet`: Google's YAMNet with a head of ours, as an int8 model in the user's own folder.

One command does all of it; it can be stopped at any step and started again:

    body        YAMNet to int8, with Google's own head
    embeddings  of the training packages, as the int8 body gives them
    head        learnt from those, see `export.yamnet.head`
    model       YAMNet with that head, in int8, and in float32 to compare with
    calibrate   on validation, as `oido-export calibrate`
    install     model and sidecar; before, nothing is written to the folder
    report      int8 against float32 on a split, and the time of both beside Google's file; also for the sidecar

The weights are Google's (Apache-2.0): the user fetches them, and the model goes to where the device looks for a
user's models, never into this repository.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from device.errors import ModelError, UsageError
from device.hearing.models.loading import model_directories
from device.hearing.models.sidecar import Sidecar
from export.commands import calibrate
from export.corpus.dataset import features_directory, find_corpus, load_corpus
from export.corpus.streams import Corpus
from export.embeddings.store import Store
from export.embeddings.windows import sample
from export.errors import ExportError
from export.evaluation.scoring import Scores
from export.evaluation.takes import takes
from export.whole_file import write_bytes, write_json
from export.yamnet import report as yamnet_report
from export.yamnet.head import FittedHead, fit
from export.yamnet.making import DeployedYamnet, YamnetRecipe, fingerprint, made
from export.yamnet.official import prepared_weights

CHECKOUT = Path(__file__).resolve().parents[2]

_CODE = 1
"""Goes up whenever the same weights and corpus give another head."""

_HEAD_SEED = 1

_WINDOWS = 250
"""Of each label, on which embeddings are compared."""


def run(arguments: argparse.Namespace) -> int:
    """All of it."""
    source, to = _weights(arguments.yamnet), _folder(arguments.out)
    root = find_corpus(arguments.corpus)
    corpus = load_corpus(root)
    cache = features_directory(arguments.cache)
    recipe = YamnetRecipe(source, root, arguments.seed)
    work = cache / f"yamnet-{corpus.version}-{fingerprint(recipe, corpus.version, _CODE)}"
    fitted = _head(recipe, corpus, work, cache, jobs=arguments.jobs)
    whole = YamnetRecipe(source, root, arguments.seed, fitted.head)
    data = {"corpus": corpus.version, "weights": "YAMNet, Google", "head": fitted.parameters}
    int8 = made(whole, "int8", work / "int8", training_data=data)
    float32 = made(whole, "float32", work / "float32", training_data=data)
    _calibrate(int8, corpus, cache, arguments)
    print(f"wrote {_install(int8, to)}", flush=True)
    fitted_document = _read(int8)
    write_json(float32, _read(float32) | {key: fitted_document[key] for key in ("calibration", "thresholds")})
    scores = Scores(cache, version=corpus.version, seed=arguments.seed, jobs=arguments.jobs)
    alike = yamnet_report.compare(int8, float32, corpus, scores, split=arguments.split, seed=arguments.seed)
    print(f"\n{yamnet_report.alike_table(alike, split=arguments.split)}\n")
    windows = sample(corpus, split=arguments.split, count=_WINDOWS, seed=arguments.seed)
    cosines = yamnet_report.embedding_cosines(int8, float32, windows.patches(seed=arguments.seed))
    lowest = np.quantile(cosines, 0.01)
    print(f"cosine of the embeddings: mean {cosines.mean():.4f}, one in a hundred below {lowest:.4f}\n")
    fitted_document["quantisation"]["parity"] = yamnet_report.document(alike, split=arguments.split)
    write_json(int8, fitted_document)
    print(f"wrote {_install(int8, to)}\n", flush=True)
    _race(int8, float32, source, arguments.other_python)
    return 0


def _weights(path: Path | None) -> Path:
    """Google's file, as it was named or prepared for everyone on this machine."""
    found = path or prepared_weights()
    if path is None and not found.is_file():
        raise UsageError("convert yamnet needs Google's weights: --yamnet PATH of yamnet.tflite or yamnet.h5")
    return found.resolve()


def _folder(to: Path | None) -> Path:
    """Where the model goes, which must not be this repository."""
    folder = to or model_directories()[0]
    if folder.resolve().is_relative_to(CHECKOUT):
        raise UsageError(
            f"--to {folder}: YAMNet's weights are Google's and stay out of {CHECKOUT}; "
            f"leave --to out for {model_directories()[0]}, or name another folder"
        )
    return folder


def _head(recipe: YamnetRecipe, corpus: Corpus, work: Path, cache: Path, *, jobs: int) -> FittedHead:
    """Ours, learnt unless it is there."""
    path = work / "head.npz"
    if not path.exists():
        body = made(recipe, "int8", work / "body", training_data={"corpus": corpus.version})
        store = Store(folder=cache, version=corpus.version, seed=recipe.seed, jobs=jobs)
        segments = store.segments(DeployedYamnet(body), takes(corpus, "train", seed=recipe.seed))
        print(f"learning the head from {len(segments)} segments", file=sys.stderr, flush=True)
        fit(segments, seed=_HEAD_SEED).save(path)
    fitted = FittedHead.load(path)
    print(f"head: {json.dumps(fitted.parameters)}")
    return fitted


def _calibrate(path: Path, corpus: Corpus, cache: Path, arguments: argparse.Namespace) -> None:
    """As the command of that name does by default."""
    parser = argparse.ArgumentParser()
    calibrate.add_arguments(parser)
    where = ["--corpus", str(corpus.root), "--cache", str(cache)]
    how = ["--seed", str(arguments.seed), "--jobs", str(arguments.jobs)]
    calibrate.run(parser.parse_args([str(path), *where, *how]))


def _race(int8: Path, float32: Path, source: Path, other_python: Path | None) -> None:
    """Time, in the runtime here and in another's."""
    files = [path.with_suffix(".tflite") for path in (int8, float32)]
    names = ["int8", "float32"]
    if source.suffix == ".tflite":
        files.append(source)
        names.append("Google's, from the waveform")
    pythons = [Path(sys.executable), *([other_python] if other_python else [])]
    print(yamnet_report.race_table(names, [yamnet_report.race(python, files) for python in pythons]))


def _install(draft: Path, folder: Path) -> Path:
    """Copy the model, the file first: a sidecar never vouches for a file that is not there.

    Metrics that `oido-export evaluate --write` has put into the sidecar of the same file are kept.
    """
    document = _read(draft)
    file, path = draft.with_suffix(".tflite"), folder / draft.name
    try:
        there = Sidecar.read(path)
    except ModelError:
        pass  # none, or a damaged one: nothing to keep
    else:
        if there.sha256 == document["sha256"]:
            document["metrics"] = there.document.get("metrics", {})
    try:
        write_bytes(folder / file.name, file.read_bytes())
        write_json(path, document)
    except OSError as error:
        raise ExportError(f"{folder}: cannot write the model there: {error.strerror}") from error
    return path


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document
