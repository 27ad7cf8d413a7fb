"""Weights that somebody else trained: where to get them, whether a file is the published one, how to read it.

They are never part of this repository. A file whose checksum is not the published one is used all the same, with a
warning: a converted or fine-tuned network may be compared too, and its checksum stands in the extractor's version.
"""

import gzip
import hashlib
import importlib
import io
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.errors import ExportError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Published:
    """A file of weights as its authors publish it."""

    file: str
    address: str
    sha256: str | None
    """None: no checksum of it is known here."""

    def __str__(self) -> str:
        """For people: what to download and how to know it."""
        checksum = f"SHA-256 {self.sha256}" if self.sha256 else "no SHA-256 of it is known here"
        return f"{self.file} from {self.address} ({checksum})"


def checksum(path: Path, *, network: str, published: Sequence[Published]) -> str:
    """The SHA-256 of a file of weights, hex; a warning is logged if no such file was published.

    Args:
        path: the file.
        network: whose weights they are, for messages.
        published: the files to choose from.

    Raises:
        ExportError: the file cannot be read; the sentence says where to get one.
    """
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        choice = ", or ".join(map(str, published))
        raise ExportError(
            f"{path}: cannot read {network}'s weights: {error.strerror}; download {choice} and say where it is"
        ) from error
    known = [each.sha256 for each in published if each.sha256]
    if known and found not in known:
        _log.warning("%s: SHA-256 %s is not that of %s's published weights", path, found, network)
    elif not known:
        _log.info("%s: SHA-256 %s; none of %s's published weights is known to compare", path, found, network)
    return found


Layers = Mapping[str, Mapping[str, np.ndarray]]
"""Layers and their arrays, both in the file's order; an array goes by the last part of its name: `kernel`."""

_GZIP = b"\x1f\x8b"


def read_layers(path: Path) -> Layers:
    """Every layer with weights in a file of the layout that Keras wrote before version 3; gzip is unpacked.

    The root, or its group `model_weights`, has an attribute `layer_names`; each layer's group has `weight_names`,
    the paths of its arrays (github.com/keras-team/keras, keras/src/legacy/saving/legacy_h5_format.py).

    Raises:
        ExportError: h5py is not installed, or the file is not of this layout.
    """
    try:
        # By name: h5py comes with Keras and has no types of its own.
        h5py = importlib.import_module("h5py")
    except ImportError as error:
        raise ExportError(f"{path}: reading it needs h5py, which comes with TensorFlow ({error})") from error
    try:
        content = path.read_bytes()
        if content.startswith(_GZIP):
            content = gzip.decompress(content)
        with h5py.File(io.BytesIO(content), "r") as file:
            return _layers(file.get("model_weights", file))
    except (OSError, EOFError, KeyError, ValueError) as error:
        raise ExportError(f"{path}: not a file of Keras weights (HDF5): {error}; download it again") from error


def _layers(root: Any) -> Layers:
    found: dict[str, dict[str, np.ndarray]] = {}
    for layer in map(_text, root.attrs["layer_names"]):
        group = root[layer]
        # `layer1/conv/kernel:0` -> `kernel`
        arrays = {
            name.rpartition("/")[2].partition(":")[0]: np.asarray(group[name])
            for name in map(_text, group.attrs["weight_names"])
        }
        if arrays:
            found[layer] = arrays
    return found


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
