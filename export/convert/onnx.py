"""scikit-learn to ONNX."""

from skl2onnx import to_onnx
from sklearn.pipeline import Pipeline

from device.sources.base import FloatArray

OPSETS = {"": 17, "ai.onnx.ml": 3}
"""Old enough for every onnxruntime that the device may have."""

OUTPUT = "probabilities"


def convert(pipeline: Pipeline, example: FloatArray) -> bytes:
    """A fitted classifier as an ONNX file whose output `probabilities` is (n, 2).

    Args:
        pipeline: fitted.
        example: (1, features) float32, for the input's shape and type.
    """
    # ZipMap would return a list of dictionaries, one allocation a row, that only Python understands.
    model = to_onnx(pipeline, example, options={id(pipeline): {"zipmap": False}}, target_opset=OPSETS)
    content: bytes = model.SerializeToString()
    return content
