"""A model by its name: the sidecar, the file it vouches for, and a runtime, behind one method."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from device.config import ModelConfig
from device.errors import ModelError, UnknownModelError
from device.hearing.runtimes import Runtime, TfliteName, open_runtime
from device.hearing.sidecar import Sidecar
from device.sources.base import FloatArray

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


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model file that matched its sidecar, ready to run."""

    sidecar: Sidecar
    runtime: Runtime

    def probability(self, features: FloatArray) -> FloatArray:
        """Calibrated probability of music: (n, ...) -> (n,).

        Raises:
            ModelError: the model does not take these features, or gives no probabilities.
        """
        raw = self.runtime.run(features)
        labels = self.sidecar.labels
        columns = raw.shape[1] if raw.ndim > 1 else 1
        music = raw[:, labels.index("music")] if columns == len(labels) > 1 else raw.reshape(-1)
        if music.shape != (len(features),) or not np.all(np.abs(music - 0.5) <= 0.5 + _ROUNDING):
            raise ModelError(
                f"model {self.sidecar.name!r} answers with what is no probability of music; "
                f"its output {self.sidecar.output!r} is not what its description says: install both again"
            )
        return self.sidecar.calibration(np.clip(music, 0, 1))


def model_directories(directory: str | None = None) -> tuple[Path, ...]:
    """Where models are looked for, first match wins.

    The user's own directory (`[model] directory`), then `$XDG_DATA_HOME/oido/models`, then what came with the
    program: inside the package when installed, beside it in a checkout.
    """
    package = Path(__file__).resolve().parent.parent
    # Not Path.home(): a service's user may have none, which is no reason to fail.
    data = Path(os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share"))  # noqa: PTH111
    bundled = package / "models"
    return (
        *((Path(os.path.expanduser(directory)),) if directory else ()),  # noqa: PTH111 - as above
        data / "oido" / "models",
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


def load_model(name: str, *, directory: str | None = None, runtime: TfliteName = "auto") -> LoadedModel:
    """Find a model, check its file against its sidecar, and open it.

    Args:
        name: the NAME of NAME.json, or the path of a sidecar.
        directory: searched first.
        runtime: which TFLite runtime to use, for models that need one.

    Raises:
        UnknownModelError: there is no such model.
        ModelError: its file is missing or is not the one the sidecar vouches for, or no runtime can open it.
    """
    sidecar_path = _find(name, directory)
    sidecar = Sidecar.read(sidecar_path)
    path = sidecar_path.with_name(sidecar.file)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot read the model: {error.strerror}") from error
    except ValueError as error:  # no file can have such a name
        raise ModelError(f"{sidecar_path}: 'file' names no file: {error}") from error
    checksum = hashlib.sha256(content).hexdigest()
    if checksum != sidecar.sha256:
        raise ModelError(
            f"{path}: SHA-256 is {checksum[:12]}..., but {sidecar_path.name} vouches for "
            f"{sidecar.sha256[:12]}...; the file is damaged or of another version: install both again"
        )
    return LoadedModel(sidecar, open_runtime(path, content, sidecar.output, runtime))


def configured_model(config: ModelConfig) -> LoadedModel:
    """The model that `[model]` names.

    Raises:
        ModelError: as `load_model`.
    """
    return load_model(config.name, directory=config.directory, runtime=config.runtime)


def _find(name: str, directory: str | None) -> Path:
    if name.endswith(".json"):
        return Path(name)
    for folder in model_directories(directory):
        path = folder / f"{name}.json"
        try:
            if path.is_file():
                return path
        except OSError as error:  # too long a name, or a folder that nobody may look into
            raise UnknownModelError(f"no model can be named {name!r}: {path.parent}: {error.strerror}") from error
    known = ", ".join(path.stem for path in installed_models(directory)) or "none"
    raise UnknownModelError(f"no model is named {name!r}; installed: {known}")
