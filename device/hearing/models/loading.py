"""A model by its name: the sidecar, the file it vouches for, and a runtime, behind one method."""

import hashlib
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from device.configuration.settings import ModelConfig
from device.errors import ModelError, UnknownModelError
from device.hearing.models.inputs import PatchInput, SegmentInput
from device.hearing.models.runtimes import Runtime, TfliteName, open_runtime
from device.hearing.models.sidecar import Sidecar
from device.sound import FloatArray

_ROUNDING = 1e-3
"""How far beyond 0 and 1 the arithmetic of a runtime may carry a probability."""


class Model(Protocol):
    """Anything that turns features into the probability of music."""

    @property
    def sidecar(self) -> Sidecar:
        """What is known of the model."""
        ...

    def probability(self, features: FloatArray) -> FloatArray:
        """Calibrated probability of music.

        Args:
            features: (n, ...) float32, one row an answer, as the sidecar's `input` says.

        Returns:
            (n,) float32 in [0, 1].
        """
        ...


@runtime_checkable
class Embedder(Model, Protocol):
    """A model of kind `patch`."""

    def embed(self, patch: FloatArray) -> tuple[float, FloatArray]:
        """Hear a patch, (96, 64) float32: the score of music in it, not calibrated, and its embedding, (size,)."""
        ...


@runtime_checkable
class Head(Model, Protocol):
    """A model of kind `segment`, whatever makes the embeddings."""

    def raw(self, features: FloatArray) -> FloatArray:
        """Scores of music, (n,) float32 in [0, 1], not calibrated.

        Args:
            features: (n, segment_patches, size) embeddings, or (n, 2 x size) where it reads them pooled.
        """
        ...


@runtime_checkable
class SegmentModel(Head, Protocol):
    """A model of kind `segment` on a network's embeddings."""

    @property
    def embedder(self) -> Embedder:
        """What makes the embeddings that it was trained on."""
        ...


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model file that matched its sidecar, ready to run."""

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
        if music.shape != (rows,) or not (np.abs(music - 0.5) <= 0.5 + _ROUNDING).all():
            raise ModelError(
                f"model {self.sidecar.name!r} answers with what is no probability of music; "
                f"its output {self.sidecar.output!r} is not what its description says: install both again"
            )
        clipped: FloatArray = np.minimum(np.maximum(music, 0), 1)  # np.clip takes three times as long
        return clipped


@dataclass(frozen=True, slots=True)
class LoadedEmbedder(LoadedModel):
    """One of kind `patch`; its runtime gives the scores and then the embedding."""

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
class LoadedSegmentModel(LoadedModel):
    """One of kind `segment`, with the embedder that it was trained on."""

    embedder: LoadedEmbedder


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
) -> LoadedModel:
    """Find a model, check its file against its sidecar, and open it; one of kind `segment` with its embedder.

    Args:
        name: the NAME of NAME.json, or the path of a sidecar.
        directory: searched first.
        runtime: which TFLite runtime to use, for models that need one.
        threads: that a runtime may use.

    Returns:
        A `LoadedEmbedder` if its kind is `patch`; a `LoadedSegmentModel` if it is `segment` and its embeddings are
        a network's.

    Raises:
        UnknownModelError: there is no such model.
        ModelError: its file is missing or is not the one the sidecar vouches for, its embedder is not the one that
            it was trained on, or no runtime can open them.
    """
    path = find_model(name, directory)
    sidecar = Sidecar.read(path)
    use = _Use(runtime, threads)
    if sidecar.kind == "patch":
        return _load_embedder(path, sidecar, use)
    if sidecar.kind == "segment" and (stated := SegmentInput.read(sidecar)).statistics is None:
        embedder = _embedder_of(path, sidecar, stated, directory, use)
        return LoadedSegmentModel(sidecar, _open(path, sidecar, use), embedder)
    return LoadedModel(sidecar, _open(path, sidecar, use))


@dataclass(frozen=True, slots=True)
class _Use:
    """How a file is to be run."""

    tflite: TfliteName
    threads: int


def _load_embedder(path: Path, sidecar: Sidecar, use: _Use) -> LoadedEmbedder:
    stated = PatchInput.read(sidecar)
    return LoadedEmbedder(sidecar, _open(path, sidecar, use, stated.embedding_name), stated)


def _embedder_of(
    path: Path, sidecar: Sidecar, stated: SegmentInput, directory: str | None, use: _Use
) -> LoadedEmbedder:
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
    return _load_embedder(found, embedder, use)


def _open(path: Path, sidecar: Sidecar, use: _Use, *further_outputs: str) -> Runtime:
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
    return open_runtime(file, content, (sidecar.output, *further_outputs), use.tflite, use.threads)


def configured_model(config: ModelConfig) -> LoadedModel:
    """The model that `[model]` names.

    Raises:
        ModelError: as `load_model`.
    """
    return load_model(config.name, directory=config.directory, runtime=config.runtime)


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
        known = ", ".join(path.stem for path in installed_models(directory)) or "none"
        raise UnknownModelError(f"no model is named {name!r}; installed: {known}")
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
