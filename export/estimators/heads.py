"""The networks of the comparison, from a segment of embeddings, (10, size), to one probability of music.

`dense` has one hidden layer for every patch and takes the mean over the segment. It does not flatten the segment:
each place would get weights of its own, ten times as many, though music is the same wherever a segment begins, and
on the device the first segments of a stream repeat the patches that are there.

`gru` reads the patches one after the other and keeps the state after the last (Cho et al. 2014). A recurrent layer
is a trap for a small device: as a loop it cannot be quantised, and the converter of TensorFlow 2.21 ends in a
segmentation fault. Ten steps written out (`unroll`) are plain FULLY_CONNECTED, LOGISTIC, TANH, MUL, ADD and SUB in
int8, each with ranges of its own, which tflite-runtime 2.14 and ai-edge-litert both run.

`attention` is the network of the original report (attention.py).
"""

from collections.abc import Sequence
from typing import Any

from export.estimators import attention
from export.estimators.choosing import Setting
from export.estimators.network import Network, Schedule
from export.evaluation.hearing import SEGMENT_PATCHES

LEARNING_RATE = 1e-3

SCHEDULE = Schedule()

ATTENTION_SCHEDULE = Schedule(every_steps=150, most_looks=40, patience=5)
"""The attention network learns with a tenth of the others' rate."""


def dense_head(
    *,
    units: Sequence[int] = (32, 128),
    learning_rate: float = LEARNING_RATE,
    schedule: Schedule = SCHEDULE,
    standardise: bool = False,
) -> Network:
    """Dense, relu, mean over the patches, dense, sigmoid; `units` are sizes of the hidden layer to choose from."""
    settings = [{"units": size, "learning_rate": learning_rate} for size in sorted(units)]
    return Network(name="dense", build=_dense, settings=settings, schedule=schedule, standardise=standardise)


def gru_head(
    *,
    units: Sequence[int] = (32, 64),
    learning_rate: float = LEARNING_RATE,
    schedule: Schedule = SCHEDULE,
    standardise: bool = False,
) -> Network:
    """Gated recurrent unit, dense, sigmoid; `units` are sizes of the state to choose from."""
    settings = [{"units": size, "learning_rate": learning_rate} for size in sorted(units)]
    return Network(name="gru", build=_gru, settings=settings, schedule=schedule, standardise=standardise)


def attention_head(*, schedule: Schedule = ATTENTION_SCHEDULE, standardise: bool = False) -> Network:
    """Self-attention and convolutions over the segment; only the number of steps is chosen."""
    return Network(name="attention", build=_attention, settings=[{}], schedule=schedule, standardise=standardise)


def _dense(size: int, setting: Setting) -> Any:
    import keras  # noqa: PLC0415 - seconds to import, and only those who train have it

    segment = keras.Input((SEGMENT_PATCHES, size), name="segment")
    x = keras.layers.Dense(setting["units"], activation="relu", name="hidden")(segment)
    x = keras.layers.Dropout(0.3, name="dropout")(x)
    return _compiled(segment, keras.layers.GlobalAveragePooling1D(name="pooled")(x), "dense", setting)


def _gru(size: int, setting: Setting) -> Any:
    import keras  # noqa: PLC0415 - as above

    segment = keras.Input((SEGMENT_PATCHES, size), name="segment")
    x = keras.layers.GRU(setting["units"], unroll=True, name="gru")(segment)
    return _compiled(segment, keras.layers.Dropout(0.3, name="dropout")(x), "gru", setting)


def _compiled(segment: Any, x: Any, name: str, setting: Setting) -> Any:
    import keras  # noqa: PLC0415 - as above

    model = keras.Model(segment, keras.layers.Dense(1, activation="sigmoid", name="music")(x), name=name)
    # Without XLA: it would take longer to compile the GRU's written-out steps than to train them.
    adam = keras.optimizers.Adam(setting["learning_rate"])
    model.compile(optimizer=adam, loss="binary_crossentropy", jit_compile=False)
    return model


def _attention(size: int, setting: Setting) -> Any:  # noqa: ARG001 - the report fixes all of it
    model = attention.build(embedding=size)
    # Compiled by XLA, which is Keras's default, a step takes twice as long on a CPU, and the first one 7 s.
    model.jit_compile = False
    return model
