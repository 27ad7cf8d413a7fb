"""A model that was asked for from afar: loaded and tried before it may replace the one that hears."""

from dataclasses import replace

import numpy as np

from device.configuration.settings import ModelConfig
from device.errors import ModelError
from device.hearing.classifier import Classifier
from device.hearing.models.loading import LoadedModel, configured_model, installed_models


def load_replacement(name: str, config: ModelConfig) -> LoadedModel:
    """Load an installed model and let it judge a second of silence.

    Args:
        name: of an installed model. Unlike in the configuration it cannot be a path: anybody who may send commands
            could otherwise have any file read.
        config: where models are, and the TFLite runtime.

    Raises:
        ModelError: there is no such model, or it cannot be used here.
    """
    known = [path.stem for path in installed_models(config.directory)]
    if name not in known:
        raise ModelError(f"no model is named {name!r}; installed: {', '.join(known) or 'none'}")
    model = configured_model(replace(config, name=name))
    classifier = Classifier(model)
    classifier.answer(np.zeros(classifier.next_samples, np.float32))  # refuses what is no probability
    return model
