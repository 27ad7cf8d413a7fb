"""A model by its name: the sidecar, the file it vouches for, and a runtime, as one of the kinds there are."""

import hashlib
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device.configuration.settings import ModelConfig
from device.errors import ModelError, UnknownModelError
from device.hearing.models.inputs import PatchInput, SegmentInput, StatisticsInput
from device.hearing.models.runtimes import Runtime, TfliteName, open_runtime
from device.hearing.models.sidecar import Sidecar
from device.hearing.statistics.statistics import NAMES
from device.sound import FloatArray

_ROUNDING = 1e-3
"""How far beyond 0 and 1 the arithmetic of a runtime may carry a probability."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model file that matched its sidecar, ready to run: what all kinds have in common."""

    sidecar: Sidecar
    runtime: Runtime

    def raw(self, features: FloatArray) -> FloatArray:
        """The model's own scores of music, not calibrated: (n, ...) -> (n,) float32 in [0, 1].

        Raises:
            ModelError: the model does not take these features, or gives no probabilities.
        """
        return self._music(self.runtime.run(features), len(features))

    def probability(self, features: FloatArray) -> FloatArray:
        """Calibrated probability of music: (n, ...) -> (n,).

        Of a model whose answers take in more than one row (kinds `patch` and `segment`), this is only a part of
        an answer: see `device.hearing.hearings`.

        Raises:
            ModelError: as `raw`.
        """
        return self.sidecar.calibration(self.raw(features))

    def _music(self, scores: FloatArray, rows: int) -> FloatArray:
        """The column of music, checked."""
        labels = self.sidecar.labels
        columns = scores.shape[1] if scores.ndim > 1 else 1
        music = scores[:, labels.index("music")] if columns == len(labels) > 1 else scores.reshape(-1)
        # argmin and argmax take a third of the time of min and max.
        if music.shape != (rows,) or not (
            -_ROUNDING <= music.item(music.argmin()) <= music.item(music.argmax()) <= 1 + _ROUNDING
        ):
            raise ModelError(
                f"model {self.sidecar.name!r} answers with what is no probability of music; "
                f"its output {self.sidecar.output!r} is not what its description says: install both again"
            )
        clipped: FloatArray = np.minimum(np.maximum(music, 0), 1)  # np.clip takes three times as long
        return clipped


@dataclass(frozen=True, slots=True)
class StatisticsModel(LoadedModel):
    """One of kind `statistics`: it reads (n, features)."""

    input: StatisticsInput


@dataclass(frozen=True, slots=True)
class PatchModel(LoadedModel):
    """One of kind `patch`, an embedder: its runtime gives the scores and then the embedding."""

    input: PatchInput

    def embed(self, patch: FloatArray) -> tuple[float, FloatArray]:
        """The score of music, not calibrated, and the embedding of a patch: (96, 64) -> (size,).

        Raises:
            ModelError: the model does not take patches, or gives no probabilities or embeddings.
        """
        scores, embeddings = self.runtime.run_all(patch[None])
        embedding = embeddings.reshape(-1)
        if embedding.size != self.input.embedding_size or not math.isfinite(embedding @ embedding):
            raise ModelError(
                f"model {self.sidecar.name!r} answers with what is no embedding of {self.input.embedding_size} "
                f"numbers; its output {self.input.embedding_name!r} is not what its description says: "
                "install both again"
            )
        return float(self._music(scores, 1)[0]), embedding


@dataclass(frozen=True, slots=True)
class SegmentModel(LoadedModel):
    """One of kind `segment`, with the embedder that it was trained on.

    It reads (n, segment_patches, size) embeddings, or (n, 2 x size) where it reads them pooled.
    """

    input: SegmentInput
    embedder: PatchModel


@dataclass(frozen=True, slots=True)
class StatisticsSegmentModel(LoadedModel):
    """One of kind `segment`, which reads the statistics of each patch instead of an embedding."""

    input: SegmentInput
    statistics: StatisticsInput


Model = StatisticsModel | PatchModel | SegmentModel | StatisticsSegmentModel


def user_directory() -> Path:
    """Where a user's models are: `$XDG_DATA_HOME/oido/models`, which need not be there."""
    # Not Path.home(): a service's user may have none, which is no reason to fail.
    data = Path(os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share"))  # noqa: PTH111
    return data / "oido" / "models"


def model_directories(directory: str | None = None) -> tuple[Path, ...]:
    """Where models are looked for, first match wins.

    The user's own directory (`[model] directory`), then `user_directory`, then what came with the program: inside
    the package when installed, beside it in a checkout.
    """
    package = Path(__file__).resolve().parents[2]
    bundled = package / "models"
    return (
        *((Path(os.path.expanduser(directory)),) if directory else ()),  # noqa: PTH111 - see `user_directory`
        user_directory(),
        bundled if bundled.is_dir() else package.parent / "models",
    )


def installed_models(directory: str | None = None) -> Iterator[Path]:
    """Sidecars of every model that can be chosen, each name once."""
    seen: set[str] = set()
    for folder in model_directories(directory):
        for path in sorted(folder.glob("*.json")):
            if path.stem not in seen:
                seen.add(path.stem)
                yield path


def load_model(
    name: str, *, directory: str | None = None, runtime: TfliteName = "auto", threads: int = 1
) -> Model:
    """Find a model, check its file against its sidecar, and open it; one of kind `segment` with its embedder.

    Args:
        name: the NAME of NAME.json, or the path of a sidecar.
        directory: searched first.
        runtime: which TFLite runtime to use, for models that need one.
        threads: that a runtime may use.

    Raises:
        UnknownModelError: there is no such model.
        ModelError: it reads what this program does not compute, its file is missing or is not the one the sidecar
            vouches for, its embedder is not the one that it was trained on, or no runtime can open them.
    """
    path = find_model(name, directory)
    sidecar = Sidecar.read(path)
    match sidecar.kind:
        case "statistics":
            window = StatisticsInput.read(sidecar)
            return StatisticsModel(sidecar, _open(path, sidecar, runtime, threads), window)
        case "patch":
            return _load_embedder(path, sidecar, runtime, threads)
        case "segment":
            stated = SegmentInput.read(sidecar)
            if stated.statistics is not None:
                stated.check_embedding(len(NAMES), sidecar.name)
                opened = _open(path, sidecar, runtime, threads)
                return StatisticsSegmentModel(sidecar, opened, stated, stated.statistics)
            found, described = _find_embedder(path, sidecar, stated, directory)
            embedder = _load_embedder(found, described, runtime, threads)
            stated.check_embedding(embedder.input.embedding_size, sidecar.name)
            return SegmentModel(sidecar, _open(path, sidecar, runtime, threads), stated, embedder)
        case kind:
            raise ModelError(
                f"model {sidecar.name!r} is of kind {kind!r}; this program knows statistics, patch, segment"
            )


def configured_model(config: ModelConfig) -> Model:
    """The model that `[model]` names.

    Raises:
        ModelError: as `load_model`.
    """
    return load_model(config.name, directory=config.directory, runtime=config.runtime)


def installed_model(name: str, config: ModelConfig) -> Model:
    """An installed model that somebody asks for by command.

    Args:
        name: of the model. Unlike in the configuration it cannot be a path: anybody who may send commands could
            otherwise have any file read.
        config: where models are, and the TFLite runtime.

    Raises:
        ModelError: as `load_model`.
    """
    if name not in {path.stem for path in installed_models(config.directory)}:
        raise _unknown(name, config.directory)
    return load_model(name, directory=config.directory, runtime=config.runtime)


def find_model(name: str, directory: str | None = None) -> Path:
    """The sidecar of a model.

    Args:
        name: the NAME of NAME.json, or the path of a sidecar, which need not be there.
        directory: searched first.

    Raises:
        UnknownModelError: no model has that name.
    """
    if name.endswith(".json"):
        return Path(name)
    found = _search(name, model_directories(directory))
    if found is None:
        raise _unknown(name, directory)
    return found


def _search(name: str, folders: Iterable[Path]) -> Path | None:
    """The first sidecar of that name."""
    for folder in folders:
        path = folder / f"{name}.json"
        try:
            if path.is_file():
                return path
        except OSError as error:  # too long a name, or a folder that nobody may look into
            raise UnknownModelError(f"no model can be named {name!r}: {path.parent}: {error.strerror}") from error
    return None


def _unknown(name: str, directory: str | None) -> UnknownModelError:
    known = ", ".join(path.stem for path in installed_models(directory)) or "none"
    return UnknownModelError(f"no model is named {name!r}; installed: {known}")


def _find_embedder(
    path: Path, sidecar: Sidecar, stated: SegmentInput, directory: str | None
) -> tuple[Path, Sidecar]:
    """The embedder that a segment model was trained on: beside its sidecar, or where any model may be."""
    found = _search(stated.embedder_name, (path.parent, *model_directories(directory)))
    if found is None:
        raise ModelError(
            f"model {sidecar.name!r} needs the model {stated.embedder_name!r}, which is not installed: "
            f"put {stated.embedder_name}.json and its file beside {path}"
        )
    embedder = Sidecar.read(found)
    if embedder.kind != "patch":
        raise ModelError(
            f"model {sidecar.name!r} needs an embedder, of kind 'patch', but {found} is of kind {embedder.kind!r}"
        )
    if embedder.sha256 != stated.embedder_sha256:
        raise ModelError(
            f"model {sidecar.name!r} was trained on the embedder with SHA-256 {stated.embedder_sha256[:12]}..., "
            f"but {found} is of {embedder.sha256[:12]}...; install both of the same release"
        )
    return found, embedder


def _load_embedder(path: Path, sidecar: Sidecar, tflite: TfliteName, threads: int) -> PatchModel:
    stated = PatchInput.read(sidecar)
    return PatchModel(sidecar, _open(path, sidecar, tflite, threads, stated.embedding_name), stated)


def _open(path: Path, sidecar: Sidecar, tflite: TfliteName, threads: int, *further_outputs: str) -> Runtime:
    """Open the file that lies beside its sidecar, if it is the one that this vouches for."""
    file = path.with_name(sidecar.file)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ModelError(f"{file}: cannot read the model: {error.strerror}") from error
    except ValueError as error:  # no file can have such a name
        raise ModelError(f"{path}: 'file' names no file: {error}") from error
    checksum = hashlib.sha256(content).hexdigest()
    if checksum != sidecar.sha256:
        raise ModelError(
            f"{file}: SHA-256 is {checksum[:12]}..., but {path.name} vouches for "
            f"{sidecar.sha256[:12]}...; the file is damaged or of another version: install both again"
        )
    return open_runtime(file, content, (sidecar.output, *further_outputs), tflite, threads)
