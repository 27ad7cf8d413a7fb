"""OpenL3 (music, 256 mel bands): 512 values a patch.

The network is that of github.com/marl/openl3, openl3/models.py (Cramer et al. 2019, "Look, listen, and learn
more"): four blocks of two 3 x 3 convolutions; the last one's maxima over time and frequency are the embedding. It
reads a second at 48 kHz; sound of 16 kHz leaves the upper quarter of its bands empty.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from device.hearing.patch_cutter import PATCH_SAMPLES
from device.sound import SAMPLE_RATE, FloatArray
from export.embeddings.base import in_batches, patch_count
from export.embeddings.openl3_spectrogram import (
    BANDS,
    FRAMES,
    RATE_HZ,
    SECOND_SAMPLES,
    DecibelSpectrogram,
    upsampled,
)
from export.embeddings.weights import Layers, Published, checksum, read_layers
from export.errors import ExportError
from export.frameworks import tensorflow

PUBLISHED = (
    Published(
        "openl3_audio_mel256_music-v0_4_0.h5.gz",
        "https://github.com/marl/openl3/raw/models/openl3_audio_mel256_music-v0_4_0.h5.gz",
        # Both as another project pins them; the authors publish none.
        "e379f41e880b78e157c199ebddac80d3764e6a46282bcccdbe875bcf538f9afd",
    ),
    Published(
        "openl3_audio_mel256_music.h5",
        "the package openl3 0.4.0, which unpacks the same",
        "624ee7b1dd5ff87e18073f66fd8b2052bebb8ac70210e9c0937c0c940c63e9d6",
    ),
)

FILTERS = (64, 128, 256, 512)
"""Of the two convolutions of each block."""

_CODE = 1
"""Goes up whenever the same weights give other embeddings."""

_BATCH = 8
"""A patch takes 13 MB in each of the first layers."""


def build(filters: Sequence[int] = FILTERS) -> Any:
    """The network, blocks of these widths: (n, 256, 199) spectrograms to (n, 512) embeddings; random weights."""
    import keras  # noqa: PLC0415 - seconds to import

    layers = keras.layers
    spectrogram = keras.Input((BANDS, FRAMES), name="spectrogram")
    x = layers.Reshape((BANDS, FRAMES, 1), name="image")(spectrogram)
    x = layers.BatchNormalization(name="norm")(x)
    for block, size in enumerate(filters, 1):
        for half in (1, 2):
            x = layers.Conv2D(size, 3, padding="same", name=f"conv{block}_{half}")(x)
            if (block, half) == (len(filters), 2):
                break  # the embedding layer: neither normalised nor rectified
            x = layers.BatchNormalization(name=f"conv{block}_{half}_norm")(x)
            x = layers.ReLU(name=f"conv{block}_{half}_relu")(x)
        else:
            x = layers.MaxPooling2D(2, name=f"conv{block}_pooled")(x)
    return keras.Model(spectrogram, layers.GlobalMaxPooling2D(name="embedding")(x), name="openl3")


def load(model: Any, layers: Layers, path: Path) -> None:
    """Give the network published weights, layer by layer in order: the names in the file were numbered by chance.

    The kernels of a spectrogram, which releases before 0.4 have too, are left out.

    Raises:
        ExportError: they are another network's; the sentence names the file, `path`.
    """
    published = [list(arrays.values()) for name, arrays in layers.items() if "spectrogram" not in name]
    wanted = [layer for layer in model.layers if layer.weights]
    shapes = [[array.shape for array in arrays] for arrays in published]
    if shapes != [[tuple(weight.shape) for weight in layer.weights] for layer in wanted]:
        raise ExportError(f"{path}: holds another network than OpenL3's for mel256; download {PUBLISHED[0]}")
    for layer, arrays in zip(wanted, published, strict=True):
        layer.set_weights(arrays)


def seconds(samples: FloatArray) -> Iterator[FloatArray]:
    """For each patch of a sound at 16 kHz, (48,000,) from its beginning: one second at 48 kHz.

    That reaches 25 ms further than the patch; silence follows the end of the sound.
    """
    patches = patch_count(samples.size)
    wanted = (patches - 1) * PATCH_SAMPLES + SAMPLE_RATE
    faster = upsampled(np.pad(samples[:wanted], (0, max(0, wanted - samples.size))))
    hop = PATCH_SAMPLES * RATE_HZ // SAMPLE_RATE
    for patch in range(patches):
        yield faster[patch * hop : patch * hop + SECOND_SAMPLES]


class OpenL3Extractor:
    """OpenL3's music embedding. TensorFlow is imported with the first sound.

    Args:
        path: `openl3_audio_mel256_music.h5`, packed or not.
        filters: of the network's blocks.

    Raises:
        ExportError: the file is missing or damaged.
    """

    name = "openl3"

    def __init__(self, path: Path, *, filters: Sequence[int] = FILTERS) -> None:
        self.version = f"openl3-{_CODE}-{checksum(path, network='OpenL3', published=PUBLISHED)[:12]}"
        self.size = filters[-1]
        self._path = path
        self._filters = filters
        self._layers = read_layers(path)
        self._spectrogram = DecibelSpectrogram()

    def embed(self, samples: FloatArray) -> FloatArray:
        """(n,) float32, 16 kHz mono -> (patches, 512) float32.

        Raises:
            ExportError: TensorFlow is not installed, or the file holds another network.
        """
        network = self._network
        seen = np.stack([self._spectrogram(second) for second in seconds(samples)])
        return in_batches(lambda batch: network(batch, training=False), seen, size=_BATCH)

    @cached_property
    def _network(self) -> Any:
        tensorflow("OpenL3")
        model = build(self._filters)
        load(model, self._layers, self._path)
        return model
