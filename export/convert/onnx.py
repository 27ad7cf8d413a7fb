"""scikit-learn and XGBoost to ONNX.

A linear model differs from its file by the rounding of one sum, some 1e-7 in probability. Trees could differ by a
whole leaf where a value falls between a split's threshold and what the file makes of it, so it matters that

- scikit-learn compares float32 values with float64 thresholds; skl2onnx writes the largest float32 that lets the
  same float32 values through (`skl2onnx.common.tree_ensemble.sklearn_threshold`), so that float32 rows, and the
  device has no others, always reach the same leaf;
- XGBoost's values and thresholds are float32 from the beginning, compared with `<` and written in full;
  only the order of the sum over trees is free.

So trees keep to 1e-6 too, even for rows that lie on a threshold (tests/test_convert_onnx.py). Rows in float64 are
another matter: the file sees them rounded.
"""

import importlib
from typing import Any

from device.sound import FloatArray
from export.errors import ExportError

OPSETS = {"": 17, "ai.onnx.ml": 3}
"""Old enough for every onnxruntime that the device may have."""

OUTPUT = "probabilities"


def convert(classifier: Any, example: FloatArray) -> bytes:
    """A fitted classifier as an ONNX file whose output `probabilities` is (n, 2).

    Args:
        classifier: fitted: an estimator or pipeline of scikit-learn, or an `XGBClassifier`.
        example: (1, features) float32, for the input's shape and type.

    Raises:
        ExportError: XGBoost's converter is not installed.
    """
    from skl2onnx import to_onnx  # noqa: PLC0415 - an extra

    if type(classifier).__module__.partition(".")[0] == "xgboost":
        _register(type(classifier))
    # ZipMap would return a list of dictionaries, one allocation a row, that only Python understands.
    model = to_onnx(classifier, example, options={id(classifier): {"zipmap": False}}, target_opset=OPSETS)
    content: bytes = model.SerializeToString()
    return content


def _register(kind: type) -> None:
    """Tell skl2onnx how XGBoost is converted; again does no harm."""
    from skl2onnx import update_registered_converter  # noqa: PLC0415 - an extra
    from skl2onnx.common.shape_calculator import (  # noqa: PLC0415 - an extra
        calculate_linear_classifier_output_shapes,
    )

    try:
        module = importlib.import_module("onnxmltools.convert.xgboost.operator_converters.XGBoost")
    except ImportError as error:
        raise ExportError(
            f"converting boosted trees needs onnxmltools: pip install onnxmltools ({error})"
        ) from error
    update_registered_converter(
        kind,
        "XGBoostXGBClassifier",
        calculate_linear_classifier_output_shapes,
        module.convert_xgboost,
        options={"nocl": [True, False], "zipmap": [True, False, "columns"]},
    )
