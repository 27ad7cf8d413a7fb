"""YAMNet's weights scaled for int8, so that a bound of 6 on every activation costs next to nothing.

Without that, conversion ruins it: loud noise drives a few channels of its 11th to 13th layer to 40, where ordinary
sound stays below 1, so that ordinary sound is left with a handful of int8's 256 steps. As all its activations are
rectified, a channel can be scaled down if what reads it is scaled up (Nagel et al. 2019, "Data-free quantization
through weight equalization and bias correction", section 4.1): that brings the channels closer together. Then what
is far above ordinary sound is cut off, which relu6 does for nothing.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from device.sound import FloatArray
from export.embeddings.base import in_batches
from export.yamnet.network import Convolution, YamnetWeights, build

BOUND = 6.0

EQUALISED = 0.3
"""How far channels are brought together: 0 leaves them as they are, at 1 each has its largest value at the bound.
All the way is too much, as the weights that read them then lie apart."""

QUIETEST = 0.01
"""No channel is lifted further than one whose largest value is this part of its layer's."""

HEADROOM = 2.0
"""The bound is this many times what half of the patches reach."""

_BATCH = 50


def bounded(weights: YamnetWeights, patches: FloatArray) -> YamnetWeights:
    """The same network for relu6: its scores and embeddings hardly change.

    The ordinary range is measured on patches, (n, 96, 64) real features, both loud and quiet.
    """
    reached = _reached(weights, patches)
    convolutions = []
    before: FloatArray | None = None
    for convolution in weights.convolutions:
        kernel, bias = convolution.kernel, convolution.bias
        if before is not None:
            kernel = kernel / before[:, None]
        # The last one's mean is the embedding, whose scale is to stay.
        scale = np.ones_like(bias)
        if convolution is not weights.convolutions[-1]:
            scale = (BOUND / _top(reached[convolution.name])).astype(np.float32)
        is_depthwise = kernel.shape[-1] == 1 != bias.size
        kernel = kernel * (scale[:, None] if is_depthwise else scale)
        convolutions.append(Convolution(convolution.name, kernel, bias * scale))
        before = scale
    return YamnetWeights(tuple(convolutions), weights.head, bounded=True)


def _top(reached: FloatArray) -> FloatArray:
    """(channels,) the value of each that is brought to the bound; `reached` is (patches, channels) maxima."""
    layer = reached.max()
    channel = np.maximum(reached.max(axis=0), QUIETEST * layer)
    top: FloatArray = (channel**EQUALISED * layer ** (1 - EQUALISED)).astype(np.float32)
    ordinary = float(np.median((reached / top).max(axis=1)))
    cut: FloatArray = top * min(1.0, HEADROOM * ordinary)
    return cut


def _reached(weights: YamnetWeights, patches: FloatArray) -> Mapping[str, FloatArray]:
    """The largest value of each channel of each convolution in each patch, (patches, channels)."""
    import keras  # noqa: PLC0415 - seconds to import

    network = build(weights)
    names = [convolution.name for convolution in weights.convolutions]
    inner = keras.Model(network.input, [network.get_layer(name).output for name in names])

    def maxima(batch: FloatArray) -> FloatArray:
        layers: list[Any] = inner(batch, training=False)
        return np.concatenate([np.asarray(layer).max(axis=(1, 2)) for layer in layers], axis=1)

    channels = np.cumsum([convolution.bias.size for convolution in weights.convolutions])
    together = in_batches(maxima, patches, size=_BATCH)
    return dict(zip(names, np.split(together, channels[:-1], axis=1), strict=True))
