"""Sound after a telephone line or a low bit rate: what streams and calls leave of it."""

import io
from typing import Literal

import numpy as np
import soundfile
import soxr

from device.sound import SAMPLE_RATE, FloatArray

Codec = Literal["mu-law", "a-law", "mp3", "opus", "vorbis"]

CODECS: tuple[Codec, ...] = ("mu-law", "a-law", "mp3", "opus", "vorbis")

_TELEPHONE_RATE = 8_000
_MU = 255.0
_A = 87.6

_HIGHEST_COMPRESSION = 0.9999
"""libsndfile 1.2 refuses more of MP3 (`Error set compression level 1.0`)."""

_CONTAINERS = {"mp3": ("MP3", "MPEG_LAYER_III"), "opus": ("OGG", "OPUS"), "vorbis": ("OGG", "VORBIS")}


def through(samples: FloatArray, codec: Codec, *, compression: float = 0.9) -> FloatArray:
    """Encode and decode once.

    Args:
        samples: (n,) float32, 16 kHz mono.
        codec: G.711 mu-law or A-law at 8 kHz, or one of libsndfile's.
        compression: of libsndfile's, from 0 (largest file) to 1 (smallest); at 16 kHz, 0.9 is about 18 kbit/s for
            MP3 and
            7 to 40 kbit/s for the others.

    Returns:
        (n,) float32, aligned with the input.
    """
    if codec in ("mu-law", "a-law"):
        narrow = np.clip(soxr.resample(samples, SAMPLE_RATE, _TELEPHONE_RATE), -1.0, 1.0)
        companded = np.round(_compress(narrow, codec) * 127) / 127
        wide = soxr.resample(_expand(companded, codec).astype(np.float32), _TELEPHONE_RATE, SAMPLE_RATE)
    else:
        form, subtype = _CONTAINERS[codec]
        encoded = io.BytesIO()
        soundfile.write(
            encoded,
            np.clip(samples, -1.0, 1.0),
            SAMPLE_RATE,
            format=form,
            subtype=subtype,
            compression_level=min(compression, _HIGHEST_COMPRESSION),
        )
        encoded.seek(0)
        wide, _ = soundfile.read(encoded, dtype="float32")
    decoded = np.zeros_like(samples)
    kept = min(samples.size, wide.size)
    decoded[:kept] = wide[:kept]
    return decoded


def _compress(signal: FloatArray, codec: Codec) -> np.ndarray:
    """ITU-T G.711's curves, in their continuous form."""
    size = np.abs(signal)
    if codec == "mu-law":
        curve: np.ndarray = np.log1p(_MU * size) / np.log1p(_MU)
    else:
        scale = 1 + np.log(_A)
        curve = np.where(size < 1 / _A, _A * size, 1 + np.log(np.maximum(_A * size, 1.0))) / scale
    signed: np.ndarray = np.copysign(curve, signal)
    return signed


def _expand(companded: np.ndarray, codec: Codec) -> np.ndarray:
    size = np.abs(companded)
    if codec == "mu-law":
        curve: np.ndarray = np.expm1(size * np.log1p(_MU)) / _MU
    else:
        scale = 1 + np.log(_A)
        curve = np.where(size < 1 / scale, size * scale / _A, np.exp(size * scale - 1) / _A)
    signed: np.ndarray = np.copysign(curve, companded)
    return signed
