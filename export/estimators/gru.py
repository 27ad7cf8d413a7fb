"""A small recurrent head: the patches one after the other, and the state after the last.

A recurrent layer is a trap for a small device. As a loop it cannot be quantised: the converter of TensorFlow 2.21
ends in a segmentation fault. Ten steps written out (`unroll`) are plain FULLY_CONNECTED, LOGISTIC, TANH, MUL, ADD
and SUB in int8, each with ranges of its own, which tflite-runtime 2.14 and ai-edge-litert both run
(tests/test_gru_golden.py).
"""

from collections.abc import Sequence
from typing import Any

from export.estimators.choosing import Setting
from export.estimators.network import Network, Schedule
from export.evaluation.hearing import SEGMENT_PATCHES

LEARNING_RATE = 1e-3


def build(*, size: int, setting: Setting) -> Any:
    """The network, compiled: (10, size) to one probability of music.

    Args:
        size: values in an embedding.
        setting: `units`, of the state; `learning_rate`, of Adam.
    """
    import keras  # noqa: PLC0415 - seconds to import, and only those who train have it

    layers = keras.layers
    segment = keras.Input((SEGMENT_PATCHES, size), name="segment")
    x = layers.GRU(setting["units"], unroll=True, name="gru")(segment)
    x = layers.Dropout(0.3, name="dropout")(x)
    model = keras.Model(segment, layers.Dense(1, activation="sigmoid", name="music")(x), name="gru")
    # Compiled by XLA, the written-out steps would take longer to compile than to train.
    model.compile(
        optimizer=keras.optimizers.Adam(setting["learning_rate"]), loss="binary_crossentropy", jit_compile=False
    )
    return model


def gru_head(
    *,
    units: Sequence[int] = (32, 64),
    learning_rate: float = LEARNING_RATE,
    schedule: Schedule | None = None,
    standardise: bool = False,
) -> Network:
    """A gated recurrent unit (Cho et al. 2014), dense, sigmoid.

    Args:
        units: sizes of the state to choose from.
        learning_rate: of Adam.
        schedule: how long to learn; None: as `Schedule` says.
        standardise: see `Network`.
    """
    return Network(
        name="gru",
        build=build,
        settings=[{"units": size, "learning_rate": learning_rate} for size in sorted(units)],
        schedule=schedule or Schedule(),
        standardise=standardise,
    )
