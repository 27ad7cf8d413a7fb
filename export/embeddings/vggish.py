"""VGGish behind our exact front end: 128 values a patch.

The network is that of github.com/tensorflow/models, research/audioset/vggish/vggish_slim.py (Hershey et al. 2017,
"CNN architectures for large-scale audio classification"); its log-mel is ours with an offset of 0.01. As there,
the last layer has no activation, and the whitening of vggish_postprocess.py is optional.
"""

import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from device.hearing.front_end.features import LOG_MEL, PATCH_FRAMES
from device.sound import FloatArray
from export.embeddings.base import in_batches, log_mel_patches
from export.embeddings.weights import Published, checksum, read_layers
from export.errors import ExportError
from export.frameworks import tensorflow

PUBLISHED = (Published("vggish_model.ckpt", "https://storage.googleapis.com/audioset/vggish_model.ckpt", None),)
WHITENING = (
    Published("vggish_pca_params.npz", "https://storage.googleapis.com/audioset/vggish_pca_params.npz", None),
)

LOG_OFFSET = 0.01

WHITENED_RANGE = 2.0
"""Whitened values are clipped to plus and minus so much (vggish_params.py: QUANTIZE_MIN_VAL, QUANTIZE_MAX_VAL)."""

_CODE = 1
"""Goes up whenever the same weights give other embeddings."""

_BATCH = 32

_POOLED = ("conv1", "conv2", "conv3_2", "conv4_2")
"""After these, the larger of each 2 x 2 is taken."""


@dataclass(frozen=True, slots=True)
class Widths:
    """How wide each layer is; the published network by default."""

    convolutions: Mapping[str, int]
    dense: Mapping[str, int]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each layer's kernel, in order."""
        found: dict[str, tuple[int, ...]] = {}
        channels = 1
        for name, filters in self.convolutions.items():
            found[name] = (3, 3, channels, filters)
            channels = filters
        values = channels * PATCH_FRAMES * LOG_MEL.mel_bands // 4 ** len(_POOLED)
        for name, size in self.dense.items():
            found[name] = (values, size)
            values = size
        return found


WIDTHS = Widths(
    {"conv1": 64, "conv2": 128, "conv3_1": 256, "conv3_2": 256, "conv4_1": 512, "conv4_2": 512},
    {"fc1_1": 4096, "fc1_2": 4096, "fc2": 128},
)

Weights = Mapping[str, tuple[FloatArray, FloatArray]]
"""Kernel and bias of each layer."""


def read(path: Path, widths: Widths = WIDTHS) -> Weights:
    """Read the published checkpoint, or a conversion of it.

    Args:
        path: `.ckpt`, TensorFlow's; `.npz` with the same names (`vggish/conv3/conv3_1/weights`, `.../biases`); or
            `.h5`,
            Keras layers of the same names.
        widths: what it must hold.

    Raises:
        ExportError: it cannot be read, or holds another network.
    """
    readers = {".ckpt": _of_checkpoint, ".npz": _of_archive, ".h5": _of_layers}
    if path.suffix not in readers:
        raise ExportError(f"{path}: VGGish's weights are in a file that ends in .ckpt, .npz or .h5")
    shapes = widths.shapes()
    try:
        found = readers[path.suffix](path, list(shapes))
    except KeyError as error:
        raise ExportError(f"{path}: lacks {error}, so it is not VGGish") from error
    for name, shape in shapes.items():
        kernel, bias = found[name]
        if (kernel.shape, bias.shape) != (shape, shape[-1:]):
            raise ExportError(
                f"{path}: its layer {name} has a kernel of shape {kernel.shape} instead of {shape}, so it is not "
                f"VGGish; download {PUBLISHED[0]}"
            )
    return found


def build(weights: Weights, widths: Widths = WIDTHS) -> Any:
    """The network, with its weights: patches (n, 96, 64) to embeddings (n, 128)."""
    import keras  # noqa: PLC0415 - seconds to import

    layers = keras.layers
    patch = keras.Input((PATCH_FRAMES, LOG_MEL.mel_bands), name="patch")
    x = layers.Reshape((PATCH_FRAMES, LOG_MEL.mel_bands, 1), name="image")(patch)
    for name, filters in widths.convolutions.items():
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=name)(x)
        if name in _POOLED:
            x = layers.MaxPooling2D(2, padding="same", name=f"{name}_pooled")(x)
    x = layers.Flatten(name="flat")(x)
    *hidden, last = widths.dense.items()
    for name, size in hidden:
        x = layers.Dense(size, activation="relu", name=name)(x)
    name, size = last
    model = keras.Model(patch, layers.Dense(size, name=name)(x), name="vggish")
    for name, arrays in weights.items():
        model.get_layer(name).set_weights(list(arrays))
    return model


@dataclass(frozen=True, slots=True)
class Whitening:
    """The principal components that Google's released embeddings were turned into."""

    vectors: FloatArray
    """(128, 128), one a row."""
    means: FloatArray
    """(128,)"""

    @classmethod
    def read(cls, path: Path, size: int = WIDTHS.dense["fc2"]) -> "Whitening":
        """Read `vggish_pca_params.npz`.

        Raises:
            ExportError: it cannot be read, or holds something else.
        """
        arrays = _archive(path, WHITENING[0])
        try:
            vectors, means = arrays["pca_eigen_vectors"], arrays["pca_means"].reshape(-1)
        except KeyError as error:
            raise ExportError(f"{path}: has no array {error}; download {WHITENING[0]}") from error
        if vectors.shape != (size, size) or means.shape != (size,):
            raise ExportError(f"{path}: its components are not of {size} values; download {WHITENING[0]}")
        return cls(vectors.astype(np.float32), means.astype(np.float32))

    def __call__(self, embeddings: FloatArray) -> FloatArray:
        """(n, 128) -> (n, 128) in [-2, 2]; the 8 bits that the release stores are left out."""
        whitened: FloatArray = np.clip((embeddings - self.means) @ self.vectors.T, -WHITENED_RANGE, WHITENED_RANGE)
        return whitened


class VggishExtractor:
    """VGGish's embedding layer. TensorFlow is imported with the first sound.

    Args:
        path: Google's `vggish_model.ckpt`, or a conversion of it; see `read`.
        whitening: `vggish_pca_params.npz`; None leaves the embeddings as the network gives them.
        widths: of the network.

    Raises:
        ExportError: a file is missing, damaged or another network's.
    """

    name = "vggish"

    def __init__(self, path: Path, *, whitening: Path | None = None, widths: Widths = WIDTHS) -> None:
        self.version = f"vggish-{_CODE}-{checksum(path, network='VGGish', published=PUBLISHED)[:12]}"
        self.size = widths.dense["fc2"]
        self._widths = widths
        self._weights = read(path, widths)
        self._whitening = None
        if whitening is not None:
            digest = checksum(whitening, network="VGGish", published=WHITENING)
            self.version += f"-{digest[:12]}"
            self._whitening = Whitening.read(whitening, self.size)

    def embed(self, samples: FloatArray) -> FloatArray:
        """(n,) float32, 16 kHz mono -> (patches, 128) float32.

        Raises:
            ExportError: TensorFlow is not installed.
        """
        network = self._network
        patches = log_mel_patches(samples, log_offset=LOG_OFFSET)
        embeddings = in_batches(lambda batch: network(batch, training=False), patches, size=_BATCH)
        return self._whitening(embeddings) if self._whitening else embeddings

    @cached_property
    def _network(self) -> Any:
        tensorflow("VGGish")
        return build(self._weights, self._widths)


def _of_checkpoint(path: Path, layers: Sequence[str]) -> Weights:
    tf = tensorflow("VGGish")
    try:
        reader = tf.train.load_checkpoint(str(path))
        return _pairs(reader.get_tensor, layers)
    except (tf.errors.OpError, ValueError, KeyError, RuntimeError) as error:
        said = str(error).splitlines()[0]
        raise ExportError(
            f"{path}: not VGGish's checkpoint, or damaged ({said}); download {PUBLISHED[0]}"
        ) from error


def _of_archive(path: Path, layers: Sequence[str]) -> Weights:
    return _pairs(_archive(path, PUBLISHED[0]).__getitem__, layers)


def _of_layers(path: Path, layers: Sequence[str]) -> Weights:
    # Conversions call their layers conv3_1, conv3/conv3_1 or vggish_fc1/fc1_1.
    stored = {
        name.rpartition("/")[2].removeprefix("vggish_"): arrays for name, arrays in read_layers(path).items()
    }
    return {
        name: (stored[name]["kernel"].astype(np.float32), stored[name]["bias"].astype(np.float32))
        for name in layers
    }


def _pairs(read_array: Callable[[str], Any], layers: Sequence[str]) -> Weights:
    """Kernels and biases by the names of the checkpoint: `vggish/conv3/conv3_1/weights`, `vggish/fc2/biases`."""
    found = {}
    for layer in layers:
        group, _, number = layer.partition("_")
        scope = f"vggish/{group}/{layer}" if number else f"vggish/{layer}"
        kernel, bias = (np.asarray(read_array(f"{scope}/{part}"), np.float32) for part in ("weights", "biases"))
        found[layer] = (kernel, bias)
    return found


def _archive(path: Path, published: Published) -> dict[str, np.ndarray]:
    try:
        # Opened here: what is no archive, NumPy would leave open.
        with path.open("rb") as file, np.load(file) as stored:
            return dict(stored)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise ExportError(f"{path}: not a NumPy archive ({error}); download {published}") from error
