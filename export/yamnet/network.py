"""YAMNet as a Keras network over log-mel patches, its normalisations folded into the convolutions.

The layers are those of github.com/tensorflow/models, research/audioset/yamnet/yamnet.py: MobileNet v1 (Howard et
al. 2017) of 14 layers, then the mean over time and frequency. Everything in it converts to int8.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from device.hearing.front_end.features import LOG_MEL, PATCH_FRAMES
from device.sound import FloatArray
from export.corpus.audioset import CLASSES

LAYERS = (
    (32, 2), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
    (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1),
)  # fmt: skip
"""Filters and stride of each; all but the first are a depthwise 3x3 with the stride, then a pointwise 1x1."""

EMBEDDING = 1024
"""Values in an embedding."""


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution's weights, as Keras lays them out."""

    name: str
    kernel: FloatArray
    """(height, width, in, out); of a depthwise one (height, width, channels, 1)."""
    bias: FloatArray
    """(out,)"""


@dataclass(frozen=True, slots=True)
class Head:
    """A layer of independent sigmoids over the embedding."""

    kernel: FloatArray
    """(1024, classes)."""
    bias: FloatArray
    """(classes,)"""

    def only(self, classes: Sequence[int]) -> "Head":
        """The head that gives just these classes, in this order."""
        chosen = list(classes)
        return Head(self.kernel[:, chosen], self.bias[chosen])


@dataclass(frozen=True, slots=True)
class YamnetWeights:
    """All of it."""

    convolutions: tuple[Convolution, ...]
    """27, in order."""
    head: Head
    """Google's, for the 521 classes of AudioSet."""
    bounded: bool = False
    """Whether they are scaled for activations that end at 6; see `export.yamnet.int8`."""


def shapes() -> Iterator[tuple[str, tuple[int, int, int, int]]]:
    """Name and kernel shape of each of the 27 convolutions, in order."""
    channels = 1
    for number, (filters, _) in enumerate(LAYERS, 1):
        if number == 1:
            yield "layer1_conv", (3, 3, channels, filters)
        else:
            yield f"layer{number}_depthwise", (3, 3, channels, 1)
            yield f"layer{number}_pointwise", (1, 1, channels, filters)
        channels = filters


HEAD_SHAPE = (EMBEDDING, CLASSES)


def build(weights: YamnetWeights, *, batch_size: int | None = None, head: Head | None = None) -> Any:
    """The network: a patch (96, 64) to `embedding` (1024) and `scores` in [0, 1] of a head.

    Args:
        weights: Google's.
        batch_size: 1 for conversion.
        head: gives the scores; None is Google's own, 521 classes.
    """
    import keras  # noqa: PLC0415 - seconds to import

    layers = keras.layers
    patch = keras.Input((PATCH_FRAMES, LOG_MEL.mel_bands), batch_size=batch_size, name="patch")
    x = layers.Reshape((PATCH_FRAMES, LOG_MEL.mel_bands, 1), name="image")(patch)
    # `same` pads as TensorFlow does, one more after than before where the stride is 2: so was it trained.
    shared = {"padding": "same", "activation": "relu6" if weights.bounded else "relu"}
    for number, (filters, stride) in enumerate(LAYERS, 1):
        if number == 1:
            x = layers.Conv2D(filters, 3, strides=stride, name="layer1_conv", **shared)(x)
        else:
            x = layers.DepthwiseConv2D(3, strides=stride, name=f"layer{number}_depthwise", **shared)(x)
            if number == len(LAYERS):
                shared["activation"] = "relu"  # its mean is the embedding, which is as it was published
            x = layers.Conv2D(filters, 1, name=f"layer{number}_pointwise", **shared)(x)
    embedding = layers.GlobalAveragePooling2D(name="embedding")(x)
    chosen = head or weights.head
    scores = layers.Dense(chosen.bias.size, activation="sigmoid", name="scores")(embedding)
    model = keras.Model(patch, {"embedding": embedding, "scores": scores}, name="yamnet")
    for convolution in weights.convolutions:
        model.get_layer(convolution.name).set_weights([convolution.kernel, convolution.bias])
    model.get_layer("scores").set_weights([chosen.kernel, chosen.bias])
    return model
