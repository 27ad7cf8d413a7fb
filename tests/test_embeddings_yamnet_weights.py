"""YAMNet's weights out of Google's files; none of this needs TensorFlow."""

from pathlib import Path

import numpy as np
import pytest
from embeddings_fakes import OFFICIAL_YAMNET, needs_official_yamnet, write_h5, yamnet_layers

from export.errors import ExportError
from export.yamnet.network import HEAD_SHAPE, Head, shapes
from export.yamnet.weights import NORMALISATION_EPSILON, read

EMBEDDER = Path(__file__).parent / "golden" / "models" / "embedder.tflite"


def test_the_layers_are_yamnets() -> None:
    """27 convolutions and 521 classes: 3.7 million weights, as its README has it."""
    kernels = [np.prod(shape) for _, shape in shapes()]
    assert len(kernels) == 27
    assert round((sum(kernels) + np.prod(HEAD_SHAPE)) / 1e6, 1) == 3.7


@needs_official_yamnet
def test_the_official_tflite_is_read() -> None:
    """Every kernel has its place and its shape; the first one is stored in float32, others in int8."""
    weights = read(OFFICIAL_YAMNET)
    assert [(each.name, each.kernel.shape) for each in weights.convolutions] == list(shapes())
    assert weights.head.kernel.shape == HEAD_SHAPE
    pointwise = weights.convolutions[2].kernel
    assert len(np.unique(np.abs(pointwise))) <= 128
    assert not any(np.isnan(each.bias).any() for each in weights.convolutions)


@needs_official_yamnet
@pytest.mark.parametrize("kept", [0, 7, 5_000, 1_000_000])
def test_a_tflite_cut_short_is_refused(tmp_path: Path, kept: int) -> None:
    """With the address of the official one."""
    path = tmp_path / "yamnet.tflite"
    path.write_bytes(OFFICIAL_YAMNET.read_bytes()[:kept])
    with pytest.raises(ExportError, match="kaggle"):
        read(path)


@pytest.mark.skipif(not EMBEDDER.is_file(), reason="the tiny models of tests/golden are not there")
def test_another_networks_tflite_is_refused() -> None:
    """Our own embedder, for example."""
    with pytest.raises(ExportError, match="YAMNet"):
        read(EMBEDDER)


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    """By its ending, with those that would do."""
    with pytest.raises(ExportError, match=r"ends in \.tflite or \.h5"):
        read(tmp_path / "yamnet.onnx")


def test_a_head_may_be_of_some_classes() -> None:
    """In the order that is asked for."""
    head = Head(np.arange(6, dtype=np.float32).reshape(2, 3), np.array([0.0, 1.0, 2.0], np.float32))
    some = head.only((2, 0))
    np.testing.assert_array_equal(some.kernel, [[2, 0], [5, 3]])
    np.testing.assert_array_equal(some.bias, [2, 0])


class TestKerasFile:
    """`yamnet.h5`."""

    @pytest.fixture(autouse=True)
    def _h5py(self) -> None:
        pytest.importorskip("h5py", reason="h5py comes with TensorFlow; pip install 'oido[train]'")

    def test_normalisations_are_folded(self, tmp_path: Path) -> None:
        """A convolution says what the published one says after its normalisation."""
        layers = yamnet_layers()
        weights = {each.name: each for each in read(write_h5(tmp_path / "yamnet.h5", layers)).convolutions}
        generator = np.random.default_rng(1)
        for name, published, product in (
            ("layer1_conv", "layer1/conv", "ijc,ijco->o"),
            ("layer5_depthwise", "layer5/depthwise_conv", "ijc,ijco->c"),
            ("layer5_pointwise", "layer5/pointwise_conv", "ijc,ijco->o"),
        ):
            (kernel,) = layers[published].values()
            norm = layers[f"{published}/bn"]
            seen = generator.standard_normal(kernel.shape[:3])
            raw = np.einsum(product, seen, kernel)
            wanted = (raw - norm["moving_mean"]) / np.sqrt(norm["moving_variance"] + NORMALISATION_EPSILON)
            folded = np.einsum(product, seen, weights[name].kernel) + weights[name].bias
            np.testing.assert_allclose(folded, wanted + norm["beta"], atol=1e-4)

    def test_the_classes_are_found_whatever_their_layer_is_called(self, tmp_path: Path) -> None:
        """It has had several names."""
        layers = yamnet_layers()
        layers["logits_7"] = layers.pop("dense")
        head = read(write_h5(tmp_path / "yamnet.h5", layers)).head
        np.testing.assert_array_equal(head.kernel, layers["logits_7"]["kernel"])

    @pytest.mark.parametrize("missing", ["layer7/depthwise_conv", "layer14/pointwise_conv/bn", "dense"])
    def test_a_missing_layer_is_named(self, tmp_path: Path, missing: str) -> None:
        """Or what it was for."""
        layers = yamnet_layers()
        del layers[missing]
        with pytest.raises(ExportError, match="classes" if missing == "dense" else missing.removesuffix("/bn")):
            read(write_h5(tmp_path / "yamnet.h5", layers))

    def test_other_shapes_are_refused(self, tmp_path: Path) -> None:
        """A network of the same layers that is narrower."""
        layers = yamnet_layers()
        layers["layer3/pointwise_conv"]["kernel"] = np.zeros((1, 1, 64, 128, 1), np.float32)[..., 0][:, :, :32]
        with pytest.raises(ExportError, match="another network"):
            read(write_h5(tmp_path / "yamnet.h5", layers))
