"""Weights of the right shapes with nothing learned, files as their publishers lay them out, and a small corpus."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import soundfile
from hearing_fakes import chord, noise

from device.sound import SAMPLE_RATE, FloatArray
from export.corpus.audioset import CLASSES
from export.corpus.streams import Clip, Corpus, Stream, assemble
from export.yamnet.network import HEAD_SHAPE, Convolution, Head, YamnetWeights, shapes

ROOT = Path(__file__).resolve().parents[1]

OFFICIAL_YAMNET = ROOT.parent / "shared" / "weights" / "yamnet.tflite"

needs_official_yamnet = pytest.mark.skipif(
    not OFFICIAL_YAMNET.is_file(), reason="Google's yamnet.tflite is not in ../shared/weights"
)


def random_array(generator: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """Of the size that keeps activations as large as they were (He et al. 2015)."""
    inputs = shape[0] * shape[1] if shape[-1] == 1 else np.prod(shape[:-1])
    drawn: FloatArray = (generator.standard_normal(shape) * np.sqrt(2 / inputs)).astype(np.float32)
    return drawn


def random_yamnet(seed: int = 0) -> YamnetWeights:
    """YAMNet that has heard nothing yet."""
    generator = np.random.default_rng(seed)
    convolutions = tuple(
        Convolution(
            name,
            random_array(generator, shape),
            random_array(generator, (1, max(shape[2:]) if shape[3] == 1 else shape[3]))[0] * np.float32(0.1),
        )
        for name, shape in shapes()
    )
    return YamnetWeights(convolutions, Head(random_array(generator, HEAD_SHAPE), np.zeros(CLASSES, np.float32)))


def write_h5(path: Path, layers: Mapping[str, Mapping[str, np.ndarray]], *, group: str | None = None) -> Path:
    """A weights file in the layout of Keras before 3."""
    h5py = importlib.import_module("h5py")
    with h5py.File(path, "w") as file:
        root = file if group is None else file.create_group(group)
        root.attrs["layer_names"] = [name.encode() for name in layers]
        for name, arrays in layers.items():
            layer = root.require_group(name)
            layer.attrs["weight_names"] = [f"{name}/{part}:0".encode() for part in arrays]
            for part, array in arrays.items():
                layer.create_dataset(f"{name}/{part}:0", data=array)
    return path


def yamnet_layers(seed: int = 0) -> dict[str, dict[str, np.ndarray]]:
    """The layers of `yamnet.h5`: convolutions without bias, each with its normalisation; then the classes."""
    generator = np.random.default_rng(seed)
    layers: dict[str, dict[str, np.ndarray]] = {}
    for name, shape in shapes():
        number, _, kind = name.partition("_")
        published = f"{number}/{kind}" if kind == "conv" else f"{number}/{kind}_conv"
        channels = shape[2] if kind == "depthwise" else shape[3]
        layers[published] = {
            "depthwise_kernel" if kind == "depthwise" else "kernel": random_array(generator, shape)
        }
        layers[f"{published}/bn"] = {
            "beta": generator.normal(0, 0.2, channels).astype(np.float32),
            "moving_mean": generator.normal(0, 0.2, channels).astype(np.float32),
            "moving_variance": generator.uniform(0.5, 2.0, channels).astype(np.float32),
        }
        layers[f"{published}/relu"] = {}
    layers["dense"] = {"kernel": random_array(generator, HEAD_SHAPE), "bias": np.zeros(CLASSES, np.float32)}
    return layers


def small_corpus(root: Path, *, seconds: float = 4.0) -> Corpus:
    """Two packages of music and two of none in each of two splits, as WAV files."""
    streams = []
    splits: tuple[Literal["train", "validation"], ...] = ("train", "validation")
    labels: tuple[Literal["music", "no_music"], ...] = ("music", "no_music")
    for split in splits:
        for number in range(2):
            for label in labels:
                sound = chord(seconds) if label == "music" else noise(seconds, level_dbfs=-25, seed=number)
                package = f"{split}-{label}-{number}"
                path = root / f"{package}.wav"
                soundfile.write(path, sound, SAMPLE_RATE, subtype="PCM_16")
                clip = Clip(0.0, seconds, "test", package)
                streams.append(Stream(package, label, split, path, (clip,)))
    return assemble(root, streams)
