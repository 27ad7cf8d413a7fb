"""The lightest head: every patch judged alike by one hidden layer, and the mean over the segment.

Not flattened: ten patches in one long vector would give each place in a segment weights of its own, ten times as
many, though music means the same wherever a segment happens to begin, and on the device the first segments of a
stream repeat the patches that are there.
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
        setting: `units`, of the hidden layer; `learning_rate`, of Adam.
    """
    import keras  # noqa: PLC0415 - seconds to import, and only those who train have it

    layers = keras.layers
    segment = keras.Input((SEGMENT_PATCHES, size), name="segment")
    x = layers.Dense(setting["units"], activation="relu", name="hidden")(segment)
    x = layers.Dropout(0.3, name="dropout")(x)
    x = layers.GlobalAveragePooling1D(name="pooled")(x)
    model = keras.Model(segment, layers.Dense(1, activation="sigmoid", name="music")(x), name="dense")
    model.compile(
        optimizer=keras.optimizers.Adam(setting["learning_rate"]), loss="binary_crossentropy", jit_compile=False
    )
    return model


def dense_head(
    *,
    units: Sequence[int] = (32, 128),
    learning_rate: float = LEARNING_RATE,
    schedule: Schedule | None = None,
    standardise: bool = False,
) -> Network:
    """Dense, relu, mean over the patches, dense, sigmoid.

    Args:
        units: sizes of the hidden layer to choose from.
        learning_rate: of Adam.
        schedule: how long to learn; None: as `Schedule` says.
        standardise: see `Network`.
    """
    return Network(
        name="dense",
        build=build,
        settings=[{"units": size, "learning_rate": learning_rate} for size in sorted(units)],
        schedule=schedule or Schedule(),
        standardise=standardise,
    )
