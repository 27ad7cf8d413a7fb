"""export.commands.train: words to the module that trains; what each one does is tested with it."""

import importlib

import pytest

from export.__main__ import main
from export.commands.train import MODELS


@pytest.mark.parametrize("model", MODELS)
def test_every_model_has_its_module(model: str) -> None:
    """Which can be imported without TensorFlow."""
    assert callable(importlib.import_module(f"export.training.{model}").run)


@pytest.mark.parametrize("option", ["--scenes", "--steps", "--epochs"])
@pytest.mark.parametrize("value", ["0", "-1", "many"])
def test_there_is_no_training_of_nothing(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong use, exit code 2; the option is named."""
    with pytest.raises(SystemExit) as caught:
        main(["train", "embedder", option, value])
    assert caught.value.code == 2
    assert f"argument {option}: " in capsys.readouterr().err


def test_unknown_models_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The others are named."""
    with pytest.raises(SystemExit) as caught:
        main(["train", "transformer"])
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert all(model in said for model in MODELS)
