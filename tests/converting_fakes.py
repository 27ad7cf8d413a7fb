"""Small networks to convert, and real features to measure them on; tests of `export.convert`."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device.hearing.front_end.features import PATCH_FRAMES
from device.hearing.front_end.stream import FrontEnd
from device.sound import FloatArray
from device.sources.recording import Recording
from export.convert.tflite import Converted, describe

AUDIO = Path(__file__).parents[1] / "device" / "audio"

needs_litert = pytest.mark.skipif(
    importlib.util.find_spec("ai_edge_litert") is None, reason="describing a TFLite file needs ai-edge-litert"
)
keras_warnings = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning:keras"
)
"""Keras 3.15 turns TensorFlow's arrays into numpy's by a way that numpy 2 deprecates."""


def recorded_patches(name: str, hop_frames: int = 24) -> FloatArray:
    """(n, 96, 64) log-mel patches of a bundled recording, `music` or `speech`."""
    blocks = [block.samples for block in Recording(AUDIO / f"{name}.ogg", name=name).blocks()]
    frames = FrontEnd().feed(np.concatenate(blocks)).log_mel()
    starts = range(0, len(frames) - PATCH_FRAMES + 1, hop_frames)
    return np.stack([frames[start : start + PATCH_FRAMES] for start in starts])


def tiny_embedder(patches: FloatArray) -> Any:
    """What the embedder is made of, in small: outputs `embedding` (128), `scores` (2) and `teacher` (300).

    Random weights, but batch normalisation as after training, and scores of the given patches that spread.
    """
    keras = importlib.import_module("keras")
    keras.utils.set_random_seed(7)
    layers = keras.layers
    patch = keras.Input((PATCH_FRAMES, 64), name="patch")
    x = layers.Reshape((PATCH_FRAMES, 64, 1))(patch)
    x = _activated(layers, layers.Conv2D(8, 3, strides=4, padding="same", use_bias=False)(x))
    x = _activated(layers, layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False)(x))
    x = _activated(layers, layers.Conv2D(16, 1, use_bias=False)(x))
    embedding = layers.Dense(128, activation="relu6", name="embedding")(layers.GlobalAveragePooling2D()(x))
    scores = layers.Dense(2, activation="sigmoid", name="scores")
    heads = {
        "embedding": embedding,
        "scores": scores(layers.Dropout(0.2)(embedding)),
        "teacher": layers.Dense(300, name="teacher")(embedding),
    }
    model = keras.Model(patch, heads, name="tiny_embedder")
    keras.Model(patch, embedding)(patches[:64], training=True)
    for _ in range(200):  # the moving averages move 1 % a call
        keras.Model(patch, embedding)(patches[::8], training=True)
    kernel, _ = scores.get_weights()
    logits = np.asarray(model(patches)["embedding"]) @ kernel
    scale = 2 / logits.std(axis=0)
    scores.set_weights([kernel * scale, -logits.mean(axis=0) * scale])
    return model


def _activated(layers: Any, x: Any) -> Any:
    return layers.ReLU(max_value=6.0)(layers.BatchNormalization()(x))


def tiny_file(name: str) -> Converted:
    """`embedder` or `attention` of tests/golden, int8."""
    path = Path(__file__).parent / "golden" / "models" / f"{name}.tflite"
    return describe(path.read_bytes(), {"scheme": "int8"})
