"""Weights files in the layout that Keras wrote before version 3, which the published networks have.

The root, or its group `model_weights`, has an attribute `layer_names`; each layer's group has `weight_names`, the
paths of its arrays (github.com/keras-team/keras, keras/src/legacy/saving/legacy_h5_format.py).
"""

import gzip
import importlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from export.errors import ExportError

Layers = Mapping[str, Mapping[str, np.ndarray]]
"""Layers and their arrays, both in the file's order; an array goes by the last part of its name: `kernel`."""

_GZIP = b"\x1f\x8b"


def read_layers(path: Path) -> Layers:
    """Every layer that has weights. A file may be compressed with gzip.

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
        arrays = {_last(name): np.asarray(group[name]) for name in map(_text, group.attrs["weight_names"])}
        if arrays:
            found[layer] = arrays
    return found


def _last(name: str) -> str:
    """`layer1/conv/kernel:0` -> `kernel`."""
    return name.rpartition("/")[2].partition(":")[0]


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
