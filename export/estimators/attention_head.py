"""The design's attention network among the estimators of the comparison."""

from typing import Any

from export.estimators.attention import build as build_attention
from export.estimators.choosing import Setting
from export.estimators.network import Network, Schedule

SCHEDULE = Schedule(every_steps=150, most_looks=40, patience=5)
"""It learns with a tenth of the others' rate."""


def build(*, size: int, setting: Setting) -> Any:  # noqa: ARG001 - it has nothing to set: the design fixes all of it
    """The network of `export.estimators.attention`, for embeddings of any size."""
    model = build_attention(embedding=size)
    # Compiled by XLA, which is Keras's default, a step takes twice as long on a CPU, and the first one 7 s.
    model.jit_compile = False
    return model


def attention_head(*, schedule: Schedule = SCHEDULE, standardise: bool = False) -> Network:
    """Self-attention and convolutions over the segment; only the number of steps is chosen.

    Args:
        schedule: how long to learn.
        standardise: see `Network`.
    """
    return Network(name="attention", build=build, settings=[{}], schedule=schedule, standardise=standardise)
