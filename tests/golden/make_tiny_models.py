"""Make the two tiny networks that the tests hear with: `embedder` and `attention` in `models` beside this file.

They have the shapes and the int8 arithmetic of the real ones, random weights and a few kilobytes. They know
nothing about music, but their answers vary widely: a mistake in what they are fed shows. Only to make them anew,
with TensorFlow and the program installed: python tests/golden/make_tiny_models.py
"""

import hashlib
import importlib
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from hearing_fakes import THRESHOLDS, scene  # noqa: E402 - the path comes first: this is a program

from device.hearing.front_end.features import LOG_MEL, PATCH_FRAMES  # noqa: E402 - the same
from device.hearing.front_end.stream import FrontEnd  # noqa: E402 - the same
from device.sound import FloatArray  # noqa: E402 - the same

SEED = 20_261_123
HOP_FRAMES = 48
EMBEDDING = 128
SEGMENT_PATCHES = 10


def patches() -> FloatArray:
    """(n, 96, 64) log-mel patches of sound: a converter that is shown noise instead spoils the network."""
    frames = FrontEnd().feed(scene(48.0)).log_mel()
    starts = range(0, len(frames) - PATCH_FRAMES + 1, HOP_FRAMES)
    return np.stack([frames[start : start + PATCH_FRAMES] for start in starts])


def segments(embeddings: FloatArray) -> FloatArray:
    """(n, 10, 128): every second patch, ten of them."""
    reach = 2 * (SEGMENT_PATCHES - 1)
    return np.stack([embeddings[end - reach : end + 1 : 2] for end in range(reach, len(embeddings))])


def randomise(layer: Any, generator: np.random.Generator) -> None:
    """Random kernel, no bias."""
    kernel, bias = layer.get_weights()
    inputs = np.prod(kernel.shape[:-1])
    layer.set_weights([generator.standard_normal(kernel.shape) / np.sqrt(inputs), 0 * bias])


def spread(keras: Any, model: Any, layer: Any, features: FloatArray) -> None:
    """Scale the last layer so that its logits for these features have mean 0 and deviation 2."""
    kernel, _ = layer.get_weights()
    logits = keras.Model(model.input, layer.input).predict(features, batch_size=1, verbose=0) @ kernel
    scale = 2 / logits.std(axis=0)
    layer.set_weights([kernel * scale, -logits.mean(axis=0) * scale])


def make_embedder(keras: Any, features: FloatArray, generator: np.random.Generator) -> Any:
    """(96, 64) -> embedding (128), scores (2)."""
    layers = keras.layers
    inputs = keras.Input((PATCH_FRAMES, 64), batch_size=1)
    convolution = layers.Conv2D(4, (12, 8), strides=(12, 8), activation="relu")
    pooled = layers.MaxPooling2D(4)(convolution(layers.Reshape((PATCH_FRAMES, 64, 1))(inputs)))
    to_embedding = layers.Dense(EMBEDDING, activation="relu")
    embedding = to_embedding(layers.Flatten()(pooled))  # not averaged: the order of the frames must matter
    to_scores = layers.Dense(2, activation="sigmoid")
    model = keras.Model(inputs, [embedding, to_scores(embedding)])
    for layer in (convolution, to_embedding, to_scores):
        randomise(layer, generator)
    spread(keras, model, to_scores, features)
    return model


def make_attention(keras: Any, features: FloatArray, generator: np.random.Generator) -> Any:
    """(10, 128) -> one score. Flattened: the order of the patches must matter."""
    layers = keras.layers
    inputs = keras.Input((SEGMENT_PATCHES, EMBEDDING), batch_size=1)
    to_score = layers.Dense(1, activation="sigmoid")
    model = keras.Model(inputs, to_score(layers.Flatten()(inputs)))
    randomise(to_score, generator)
    spread(keras, model, to_score, features)
    return model


def convert(tensorflow: Any, model: Any, features: FloatArray) -> bytes:
    """A fully int8 TFLite file, of operations that tflite-runtime 2.14 has too."""
    converter = tensorflow.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([row[None]] for row in features)
    converter.target_spec.supported_ops = [tensorflow.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tensorflow.int8
    # Without this FULLY_CONNECTED is written in a version that tflite-runtime 2.14 refuses.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True  # noqa: SLF001 - no other way
    return bytes(converter.convert())


def output_names(content: bytes) -> dict[int, str]:
    """The name of each output tensor, by its size."""
    interpreter = importlib.import_module("ai_edge_litert.interpreter").Interpreter(model_content=content)
    return {int(np.prod(detail["shape"])): detail["name"] for detail in interpreter.get_output_details()}


def write(name: str, content: bytes, *, labels: list[str], scores: str, **changes: Any) -> str:
    """The model and its sidecar; its SHA-256."""
    sha256 = hashlib.sha256(content).hexdigest()
    document = {
        "schema_version": 1,
        "name": name,
        "file": f"{name}.tflite",
        "sha256": sha256,
        "output": {"name": scores, "labels": labels},
        "calibration": {"method": "platt", "parameters": {"slope": 0.9, "offset": 0.1}},
        "thresholds": THRESHOLDS,
        **changes,
    }
    (HERE / "models" / f"{name}.tflite").write_bytes(content)
    text = json.dumps(document, indent=2) + "\n"
    (HERE / "models" / f"{name}.json").write_text(text, encoding="utf-8")
    return sha256


def main() -> None:
    """Make both."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    tensorflow, keras = importlib.import_module("tensorflow"), importlib.import_module("keras")
    generator = np.random.default_rng(SEED)
    heard = patches()
    embedder = make_embedder(keras, heard, generator)
    embeddings = embedder.predict(heard, batch_size=1, verbose=0)[0]
    attention = make_attention(keras, segments(embeddings), generator)
    stated = {"front_end": asdict(LOG_MEL), "patch_frames": PATCH_FRAMES, "hop_frames": HOP_FRAMES}
    (HERE / "models").mkdir(exist_ok=True)
    content = convert(tensorflow, embedder, heard)
    names = output_names(content)
    sha256 = write(
        "embedder",
        content,
        kind="patch",
        labels=["music", "speech"],
        scores=names[2],
        input=stated | {"recent_patches": 3, "embedding": {"name": names[EMBEDDING], "size": EMBEDDING}},
    )
    content = convert(tensorflow, attention, segments(embeddings))
    write(
        "attention",
        content,
        kind="segment",
        labels=["music"],
        scores=output_names(content)[1],
        input=stated
        | {
            "segment_patches": SEGMENT_PATCHES,
            "recent_patches": 3,
            "recent_weight": 0.6,
            "embedder": {"name": "embedder", "sha256": sha256},
        },
        decision={"min_on_s": 1.0, "min_off_s": 3.0},
    )


if __name__ == "__main__":
    main()
