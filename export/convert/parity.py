"""Does the converted file say what the estimator says?"""

import numpy as np
from sklearn.pipeline import Pipeline

from device.hearing.models import LoadedModel
from device.sources.base import FloatArray
from export.estimators.logistic import probability


def largest_difference(model: LoadedModel, pipeline: Pipeline, features: FloatArray) -> float:
    """The largest difference in calibrated probability between the device's model and the estimator.

    Args:
        model: as the device loads it.
        pipeline: what it was made of.
        features: (n, features) float32.
    """
    ours = model.sidecar.calibration(probability(pipeline, features).astype(np.float32))
    return float(np.abs(ours - model.probability(features)).max())
