"""`oido-export convert`: a trained network becomes the device's int8 TFLite file, with its sidecar and a report.

It may be run again at any time: the same network gives the same file, and what was calibrated on that is kept.
`yamnet` is made of Google's weights: see `export.commands.convert_yamnet`.
"""

import argparse
import hashlib
import json
import sys
import tempfile
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from device.errors import ModelError, UsageError
from device.hearing.models.sidecar import Sidecar
from device.sound import FloatArray
from export.commands import convert_yamnet
from export.commands.options import add_corpus, add_work
from export.convert import sidecar
from export.convert.exact import exact
from export.convert.tflite import convert, convert_float, load_keras
from export.convert.tflite_parity import Decide, compare, compare_runtimes
from export.corpus.dataset import networks_directory
from export.corpus.recipe import SPLITS
from export.errors import ExportError
from export.estimators.deployment import NETWORKS, Deployment, FittedParameters
from export.yamnet.making import YAMNET


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `convert`."""
    option = parser.add_argument
    option("model", choices=sorted([*NETWORKS, YAMNET.name]), help="what to convert")
    option("--keras", type=Path, metavar="FILE", help="the network (default: CACHE/MODEL/model.keras)")
    option(
        "--representative",
        type=Path,
        metavar="FILE.npz",
        help="real features to measure ranges on (default: representative.npz beside the network)",
    )
    option(
        "--held-out",
        type=Path,
        metavar="FILE.npz",
        help="other features to report on, with an array `music` if F1 is wanted (default: held_out.npz beside "
        "the network, else the same features)",
    )
    option(
        "--calibration",
        type=Path,
        metavar="FILE.json",
        help="calibration and thresholds (default: calibration.json beside the network, where there is one)",
    )
    option(
        "--other-python",
        type=Path,
        metavar="PYTHON",
        help="a Python with another TFLite runtime to compare with, such as 3.11 with tflite-runtime",
    )
    option(
        "--cache",
        type=Path,
        help="where trainings are kept (default: oido/networks in the user's cache; of yamnet, oido/features)",
    )
    option(
        "--out",
        "--to",
        type=Path,
        metavar="FOLDER",
        help="where the model goes (default: models; of yamnet, oido/models in the user's data folder)",
    )
    only = parser.add_argument_group("yamnet", "learns a head on Google's weights first, and calibrates")
    only.add_argument("--yamnet", type=Path, metavar="FILE", help="Google's yamnet.tflite or yamnet.h5")
    add_corpus(only)
    only.add_argument("--split", choices=SPLITS, default="test", help="where int8 is compared with float32")
    add_work(only)


_OF_TRAININGS = ("keras", "representative", "held_out", "calibration")
"""Options for the files of a training; yamnet has none of these."""


def run(arguments: argparse.Namespace) -> int:
    """Convert, compare, write."""
    if arguments.model == YAMNET.name:
        for key in _OF_TRAININGS:
            if getattr(arguments, key) is not None:
                raise UsageError(
                    f"--{key.replace('_', '-')}: yamnet is made of --yamnet FILE and the corpus alone"
                )
        return convert_yamnet.run(arguments)
    if arguments.yamnet is not None:
        raise UsageError(f"--yamnet: only yamnet is made of it, not {arguments.model}")
    network, files = NETWORKS[arguments.model], _Files.of(arguments)
    representative, _ = _features(files.representative, network)
    held_out, truth = _features(files.held_out, network)
    trained = network.softened(load_keras(files.keras))
    float32 = convert_float(trained)
    int8 = exact(convert(trained, representative), float32, representative, logit_step=network.logit_step)
    fitted = _fitted(files, network, sha256=hashlib.sha256(int8.content).hexdigest())
    inputs = network.inputs(int8, files.out, trained_on=fitted.training_data.get("embedder"))
    print(f"converted {files.keras}: ranges measured on {int8.quantisation['examples']} examples\n")
    score, decide = network.score(int8), Decide(fitted.thresholds["balanced"], fitted.calibration)
    parity = compare(
        lambda rows: network.predict(trained, rows), int8, score, held_out, decide, truth=truth, float32=float32
    )
    print(f"{parity.markdown()}\n")
    quantisation = {**int8.quantisation, "parity": parity.document()}
    if files.other_python is not None:
        both = compare_runtimes(int8, score, held_out, decide, (Path(sys.executable), files.other_python))
        print(f"{both.markdown()}\n")
        quantisation["runtimes"] = both.document()
    written: dict[str, Any] = {
        "name": network.name,
        "kind": network.kind,
        "suffix": ".tflite",
        "content": int8.content,
        "output": score.name,
        "inputs": inputs | {key: value for key, value in fitted.inputs.items() if key in inputs},
        "labels": network.labels,
        "calibration": fitted.calibration,
        "thresholds": fitted.thresholds,
        "decision": fitted.decision,
        "training_data": fitted.training_data,
        "metrics": fitted.metrics,
        "quantisation": quantisation,
    }
    _check(files, network, written)
    path = sidecar.write(files.out, **written)
    print(f"wrote {path}" + ("" if fitted.calibrated else f"; next: oido-export calibrate {path}"))
    return 0


@dataclass(frozen=True, slots=True)
class _Files:
    """What is read and written, defaults filled in."""

    keras: Path
    representative: Path
    held_out: Path
    training_data: Path
    """May be missing."""
    calibration: Path | None
    """None: neither asked for nor there."""
    other_python: Path | None
    out: Path

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Fill them in.

        Raises:
            ExportError: there is no network.
        """
        keras: Path = arguments.keras or networks_directory(arguments.cache) / arguments.model / "model.keras"
        if not keras.is_file():
            raise ExportError(f"{keras}: there is no such network; oido-export train {arguments.model} makes it")
        representative: Path = arguments.representative or keras.with_name("representative.npz")
        held_out = keras.with_name("held_out.npz")
        calibration = keras.with_name("calibration.json")
        return cls(
            keras=keras,
            representative=representative,
            held_out=arguments.held_out or (held_out if held_out.exists() else representative),
            training_data=keras.with_name("training_data.json"),
            calibration=arguments.calibration or (calibration if calibration.exists() else None),
            other_python=arguments.other_python,
            out=arguments.out or Path("models"),
        )


def _features(path: Path, network: Deployment) -> tuple[FloatArray, npt.NDArray[np.bool_] | None]:
    """Features that the network reads, and where they are music, if that is said."""
    try:
        with np.load(path) as arrays:
            features: FloatArray = arrays[network.examples].astype(np.float32)
            truth = arrays["music"].astype(np.bool_) if "music" in arrays.files else None
    except OSError as error:
        raise ExportError(f"{path}: cannot read the features: {error.strerror or error}") from error
    except KeyError as error:
        raise ExportError(f"{path}: holds no array {network.examples!r}") from error
    except (ValueError, AttributeError, zipfile.BadZipFile) as error:
        raise ExportError(f"{path}: is no file of arrays (.npz): {error}") from error
    if truth is not None and truth.shape != features.shape[:1]:
        raise ExportError(f"{path}: 'music' has {truth.size} entries for {len(features)} examples")
    return features, truth


def _fitted(files: _Files, network: Deployment, *, sha256: str) -> FittedParameters:
    """Calibration and thresholds: from their own file, else as they stand in the sidecar of the same model."""
    if files.calibration:
        fitted = FittedParameters.read(files.calibration, sha256=sha256)
    else:
        fitted = FittedParameters.kept(files.out / f"{network.name}.json", sha256=sha256) or FittedParameters()
    if not files.training_data.exists():
        return fitted
    try:
        said = json.loads(files.training_data.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ExportError(f"{files.training_data}: is not valid JSON: {error}") from error
    return replace(fitted, training_data={**said, **fitted.training_data})


def _check(files: _Files, network: Deployment, written: dict[str, Any]) -> None:
    """Read the sidecar as the device reads it, before anything is replaced."""
    with tempfile.TemporaryDirectory(prefix="oido-convert-") as folder:
        draft = sidecar.write(Path(folder), **written)
        try:
            network.check(Sidecar.read(draft))
        except ModelError as error:
            reason = str(error).removeprefix(f"{draft}: ")
            raise ExportError(
                f"{files.calibration or files.keras}: the device would refuse it: {reason}"
            ) from error
