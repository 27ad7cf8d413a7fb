"""An int8 GRU head made by golden/make_gru_head.py, in every TFLite runtime that is installed here.

A recurrent layer is what small runtimes most often lack; this one is written out step by step.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from device.hearing.models.runtimes import TfliteName, open_runtime

GOLDEN = Path(__file__).parent / "golden" / "gru_head.npz"

RUNTIMES: dict[TfliteName, str] = {"ai-edge-litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}


def _parameter(name: TfliteName) -> object:
    missing = importlib.util.find_spec(RUNTIMES[name]) is None
    return pytest.param(name, marks=pytest.mark.skipif(missing, reason=f"{name} is not installed"))


@pytest.mark.parametrize("name", [_parameter(name) for name in RUNTIMES])
def test_an_int8_gru_says_what_the_network_said(name: TfliteName) -> None:
    """To a few steps of its int8 output, and with the same decisions."""
    with np.load(GOLDEN) as golden:
        content, output = golden["model"].tobytes(), str(golden["output"])
        segments, probability = golden["segments"], golden["probability"]
    said = open_runtime(GOLDEN.with_suffix(".tflite"), content, output, name).run(segments).reshape(-1)
    assert probability.std() > 0.3
    assert np.abs(said - probability).max() < 0.06
    assert np.array_equal(said >= 0.5, probability >= 0.5)
