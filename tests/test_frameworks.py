"""export.frameworks: TensorFlow where it is, and a sentence where it is not."""

import importlib.util
import os

import pytest

from export.errors import ExportError
from export.frameworks import tensorflow


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is not None, reason="TensorFlow is installed")
def test_whoever_lacks_tensorflow_is_told_what_for_and_how_to_get_it() -> None:
    """In one sentence."""
    with pytest.raises(ExportError, match=r"^knitting needs TensorFlow: pip install 'oido\[train\]' \(No module"):
        tensorflow("knitting")


@pytest.mark.training
def test_tensorflow_comes_without_its_chatter() -> None:
    """The module, told to be quiet before it is imported."""
    assert tensorflow("knitting").__name__ == "tensorflow"
    assert "TF_CPP_MIN_LOG_LEVEL" in os.environ
