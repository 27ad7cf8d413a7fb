"""Our own small network: a log-mel patch (96, 64) becomes a 128-vector, a music score and a speech score.

Depthwise-separable convolutions after MobileNet (Howard et al. 2017); every operation quantises to int8 and is in
the oldest TFLite runtime that the device supports. A third head repeats YAMNet's 521 scores while training
(knowledge distillation, Hinton et al. 2015) and is cut off afterwards.

A size may have several trunks. Each is trained alone, so that they make different mistakes. Then they become one
network: its vector joins their vectors, and its scores come from the mean of their logits (an ensemble: Hansen and
Salamon 1990; Lakshminarayanan et al. 2017).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from device.hearing.front_end.features import LOG_MEL, PATCH_FRAMES
from export.corpus.audioset import CLASSES

EMBEDDING = 128
"""Values in an embedding."""


@dataclass(frozen=True, slots=True)
class Trunk:
    """Width and depth of one stack of convolutions."""

    stem: int
    """Filters of the first convolution, which halves both axes."""
    stages: tuple[tuple[int, int], ...]
    """(filters, blocks) of each stage; its first block halves both axes."""


@dataclass(frozen=True, slots=True)
class Size:
    """What a network is made of."""

    name: str
    trunks: tuple[Trunk, ...]

    @property
    def embedding(self) -> int:
        """Values that each trunk has in the embedding."""
        return EMBEDDING // len(self.trunks)


_SMALL = Trunk(16, ((32, 1), (64, 2), (128, 2)))
_DEEP = Trunk(16, ((32, 1), (64, 2), (128, 2), (256, 2)))

SIZES = {
    size.name: size
    for size in (
        Size("tiny", (Trunk(8, ((16, 1), (32, 1), (64, 1))),)),
        Size("small", (_SMALL,)),
        Size("deep", (_DEEP,)),
        Size("medium", (Trunk(24, ((48, 2), (96, 3), (192, 3))),)),
        Size("pair", (_DEEP, _SMALL)),
    )
}

DEFAULT_SIZE = "pair"


def build(trunk: Trunk, *, embedding: int) -> Any:
    """A trunk in training; outputs `embedding`, logits `music`, `speech` (1 each) and `teacher` (521)."""
    import keras  # noqa: PLC0415 - seconds to import

    layers = keras.layers
    patch = keras.Input((PATCH_FRAMES, LOG_MEL.mel_bands), name="patch")
    embedded = _embedded(layers, patch, trunk, embedding)
    dropped = layers.Dropout(0.2)(embedded)
    heads = {
        "embedding": embedded,
        "music": layers.Dense(1, name="music")(dropped),
        "speech": layers.Dense(1, name="speech")(dropped),
        "teacher": layers.Dense(CLASSES, name="teacher")(dropped),
    }
    return keras.Model(patch, heads, name="trunk")


def deployable(trained: Sequence[Any], size: Size, *, batch_size: int | None = None) -> Any:
    """The trained trunks as one network: outputs `embedding` (128) and `scores` (2), music and speech in [0, 1].

    Conversion needs a batch size of 1.
    """
    import keras  # noqa: PLC0415 - seconds to import, and only those who train have it

    layers = keras.layers
    patch = keras.Input((PATCH_FRAMES, LOG_MEL.mel_bands), batch_size=batch_size, name="patch")
    names = [f"trunk{number}_" for number in range(1, len(size.trunks) + 1)]
    parts = [
        _embedded(layers, patch, trunk, size.embedding, prefix=name)
        for trunk, name in zip(size.trunks, names, strict=True)
    ]
    embedding = layers.Concatenate(name="embedding")(parts) if len(parts) > 1 else parts[0]
    scores = layers.Dense(2, activation="sigmoid", name="scores")
    model = keras.Model(patch, {"embedding": embedding, "scores": scores(embedding)}, name=f"embedder_{size.name}")
    kernels, biases = [], []
    for each, name in zip(trained, names, strict=True):
        taught = {name + layer.name: layer for layer in each.layers}
        for layer in model.layers:
            if layer.weights and layer.name in taught:
                layer.set_weights(taught[layer.name].get_weights())
        music, speech = (taught[name + head].get_weights() for head in ("music", "speech"))
        kernels.append(np.concatenate([music[0], speech[0]], axis=1))
        biases.append(np.concatenate([music[1], speech[1]]))
    scores.set_weights([np.concatenate(kernels) / np.float32(len(kernels)), np.mean(biases, axis=0)])
    return model


def _embedded(layers: Any, patch: Any, trunk: Trunk, embedding: int, *, prefix: str = "") -> Any:
    """From the patch to the embedding; layers have names, by which weights find their way between models."""
    x = layers.Reshape((PATCH_FRAMES, LOG_MEL.mel_bands, 1), name=f"{prefix}image")(patch)
    x = layers.Conv2D(trunk.stem, 3, strides=2, padding="same", use_bias=False, name=f"{prefix}stem")(x)
    x = _activated(layers, x, f"{prefix}stem")
    for stage, (filters, blocks) in enumerate(trunk.stages):
        for block in range(blocks):
            name = f"{prefix}stage{stage}_block{block}"
            stride = 2 if block == 0 else 1
            x = layers.DepthwiseConv2D(
                3, strides=stride, padding="same", use_bias=False, name=f"{name}_depthwise"
            )(x)
            x = _activated(layers, x, f"{name}_depthwise")
            x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_pointwise")(x)
            x = _activated(layers, x, f"{name}_pointwise")
    x = layers.GlobalAveragePooling2D(name=f"{prefix}pooled")(x)
    return layers.Dense(embedding, activation="relu6", name=f"{prefix}embedding")(x)


def _activated(layers: Any, x: Any, name: str) -> Any:
    """Normalised, and clipped at 6: a range that 8 bits resolve well."""
    return layers.ReLU(max_value=6.0, name=f"{name}_relu")(layers.BatchNormalization(name=f"{name}_norm")(x))
