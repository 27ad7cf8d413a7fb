"""Our own small network: a log-mel patch (96, 64) becomes a 128-vector, a music score and a speech score.

Depthwise-separable convolutions after MobileNet (Howard et al. 2017); every operation quantises to int8 and is in
the oldest TFLite runtime that the device supports. A third head repeats YAMNet's 521 scores while training
(knowledge distillation, Hinton et al. 2015) and is cut off afterwards.
"""

from dataclasses import dataclass
from typing import Any

from device.hearing.features import LOG_MEL, PATCH_FRAMES
from export.teacher import CLASSES

EMBEDDING = 128
"""Values in an embedding."""


@dataclass(frozen=True, slots=True)
class Size:
    """Width and depth."""

    name: str
    stem: int
    """Filters of the first convolution, which halves both axes."""
    stages: tuple[tuple[int, int], ...]
    """(filters, blocks) of each stage; its first block halves both axes."""


SIZES = {
    size.name: size
    for size in (
        Size("tiny", 8, ((16, 1), (32, 1), (64, 1))),
        Size("small", 16, ((32, 1), (64, 2), (128, 2))),
        Size("deep", 16, ((32, 1), (64, 2), (128, 2), (256, 2))),
        Size("medium", 24, ((48, 2), (96, 3), (192, 3))),
    )
}

DEFAULT_SIZE = "deep"


def build(size: Size) -> Any:
    """The network in training; outputs `embedding` (128), logits `music`, `speech` (1 each) and `teacher` (521).

    Args:
        size: width and depth.
    """
    import keras  # noqa: PLC0415 - seconds to import, and only those who train have it

    layers = keras.layers
    patch = keras.Input((PATCH_FRAMES, LOG_MEL.mel_bands), name="patch")
    embedding = _trunk(layers, patch, size)
    dropped = layers.Dropout(0.2)(embedding)
    heads = {
        "embedding": embedding,
        "music": layers.Dense(1, name="music")(dropped),
        "speech": layers.Dense(1, name="speech")(dropped),
        "teacher": layers.Dense(CLASSES, name="teacher")(dropped),
    }
    return keras.Model(patch, heads, name=f"embedder_{size.name}")


def deployable(trained: Any, size: Size, *, batch_size: int | None = None) -> Any:
    """The network as the device has it: outputs `embedding` (128) and `scores` (2), music and speech in [0, 1].

    Args:
        trained: what `build` made, trained.
        size: its width and depth.
        batch_size: 1 for conversion.
    """
    import keras  # noqa: PLC0415 - seconds to import

    layers = keras.layers
    patch = keras.Input((PATCH_FRAMES, LOG_MEL.mel_bands), batch_size=batch_size, name="patch")
    embedding = _trunk(layers, patch, size)
    scores = layers.Dense(2, activation="sigmoid", name="scores")
    model = keras.Model(patch, {"embedding": embedding, "scores": scores(embedding)}, name=f"embedder_{size.name}")
    taught = {layer.name: layer for layer in trained.layers}
    for layer in model.layers:
        if layer.name != "scores" and layer.weights:
            layer.set_weights(taught[layer.name].get_weights())
    kernels, biases = zip(*(taught[head].get_weights() for head in ("music", "speech")), strict=True)
    scores.set_weights([keras.ops.concatenate(kernels, axis=1), keras.ops.concatenate(biases)])
    return model


def _trunk(layers: Any, patch: Any, size: Size) -> Any:
    """From the patch to the embedding; layers have names, by which weights find their way between models."""
    x = layers.Reshape((PATCH_FRAMES, LOG_MEL.mel_bands, 1), name="image")(patch)
    x = layers.Conv2D(size.stem, 3, strides=2, padding="same", use_bias=False, name="stem")(x)
    x = _activated(layers, x, "stem")
    for stage, (filters, blocks) in enumerate(size.stages):
        for block in range(blocks):
            name = f"stage{stage}_block{block}"
            stride = 2 if block == 0 else 1
            x = layers.DepthwiseConv2D(
                3, strides=stride, padding="same", use_bias=False, name=f"{name}_depthwise"
            )(x)
            x = _activated(layers, x, f"{name}_depthwise")
            x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_pointwise")(x)
            x = _activated(layers, x, f"{name}_pointwise")
    x = layers.GlobalAveragePooling2D(name="pooled")(x)
    return layers.Dense(EMBEDDING, activation="relu6", name="embedding")(x)


def _activated(layers: Any, x: Any, name: str) -> Any:
    """Normalised, and clipped at 6: a range that 8 bits resolve well."""
    return layers.ReLU(max_value=6.0, name=f"{name}_relu")(layers.BatchNormalization(name=f"{name}_norm")(x))
