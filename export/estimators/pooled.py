"""A fitted estimator that reads pooled segments: any classifier with scikit-learn's interface."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from device.sound import FloatArray
from export.convert import onnx
from export.estimators.base import ModelFile, check_shape
from export.evaluation.metrics import FloatVector

LABELS = ("no_music", "music")
"""Columns of `predict_proba` and of the converted file's output."""


@dataclass(frozen=True, slots=True)
class FittedClassifier:
    """A classifier with `predict_proba`; becomes ONNX."""

    name: str
    classifier: Any
    parameters: Mapping[str, Any]

    def probability(self, x: FloatArray) -> FloatVector:
        """As `Fitted.probability`."""
        check_shape(x, reads="pooled", name=self.name, width=int(self.classifier.n_features_in_))
        music: FloatVector = self.classifier.predict_proba(x)[:, 1]
        return music

    def convert(self, example: FloatArray) -> ModelFile:
        """As `Fitted.convert`; of the example only the width matters."""
        check_shape(example, reads="pooled", name=self.name, width=int(self.classifier.n_features_in_))
        return ModelFile(
            content=onnx.convert(self.classifier, example[:1]), suffix=".onnx", output=onnx.OUTPUT, labels=LABELS
        )
