"""VGGish: its shapes, its files, its preprocessing. The published weights are not needed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from embeddings_fakes import random_array, write_h5
from hearing_fakes import scene

from device.sound import FloatArray
from export.embeddings.base import log_mel_patches
from export.embeddings.vggish import WIDTHS, VggishExtractor, Whitening, Widths, build, read
from export.errors import ExportError

NARROW = Widths(
    {"conv1": 4, "conv2": 4, "conv3_1": 4, "conv3_2": 4, "conv4_1": 4, "conv4_2": 4},
    {"fc1_1": 16, "fc1_2": 16, "fc2": 8},
)

its_own_warnings = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def variables(seed: int = 0) -> dict[str, FloatArray]:
    """The narrow network's, by the names of the checkpoint."""
    generator = np.random.default_rng(seed)
    found: dict[str, FloatArray] = {}
    for name, shape in NARROW.shapes().items():
        group = name.partition("_")[0]
        scope = f"vggish/{group}/{name}" if "_" in name else f"vggish/{name}"
        found[f"{scope}/weights"] = random_array(generator, shape)
        found[f"{scope}/biases"] = generator.normal(0, 0.1, shape[-1]).astype(np.float32)
    return found


def archive(path: Path, arrays: dict[str, FloatArray]) -> Path:
    """As a NumPy archive."""
    np.savez(path, **arrays)  # type: ignore[arg-type]  # numpy's own stub mixes these up with allow_pickle
    return path


def test_the_layers_are_vggishs() -> None:
    """72,141,184 weights, 12,288 values into the first dense layer."""
    total = sum(int(np.prod(shape)) + shape[-1] for shape in WIDTHS.shapes().values())
    assert total == 72_141_184
    assert WIDTHS.shapes()["fc1_1"] == (12_288, 4096)


class TestFiles:
    """What weights may come in."""

    def test_an_archive_has_the_checkpoints_names(self, tmp_path: Path) -> None:
        """Each layer finds its kernel and bias."""
        arrays = variables()
        found = read(archive(tmp_path / "vggish.npz", arrays), NARROW)
        np.testing.assert_array_equal(found["conv3_2"][0], arrays["vggish/conv3/conv3_2/weights"])
        np.testing.assert_array_equal(found["fc2"][1], arrays["vggish/fc2/biases"])

    def test_a_missing_array_is_named(self, tmp_path: Path) -> None:
        """It is not VGGish then."""
        arrays = variables()
        del arrays["vggish/fc1/fc1_2/biases"]
        with pytest.raises(ExportError, match="vggish/fc1/fc1_2/biases"):
            read(archive(tmp_path / "vggish.npz", arrays), NARROW)

    def test_another_shape_is_named(self, tmp_path: Path) -> None:
        """With the one that was wanted."""
        with pytest.raises(ExportError, match=r"conv1 .*\(3, 3, 1, 4\) instead of \(3, 3, 1, 64\)"):
            read(archive(tmp_path / "vggish.npz", variables()))

    @pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 cut short"])
    def test_a_damaged_archive_is_refused(self, tmp_path: Path, content: bytes) -> None:
        """In one sentence with the address."""
        (tmp_path / "vggish.npz").write_bytes(content)
        with pytest.raises(ExportError, match=r"audioset/vggish_model\.ckpt"):
            read(tmp_path / "vggish.npz", NARROW)

    def test_another_kind_of_file_is_refused(self, tmp_path: Path) -> None:
        """By its ending."""
        with pytest.raises(ExportError, match=r"\.ckpt, \.npz or \.h5"):
            read(tmp_path / "vggish.pt", NARROW)

    def test_a_missing_file_says_where_to_get_it(self, tmp_path: Path) -> None:
        """And that no checksum of it is known."""
        with pytest.raises(
            ExportError, match=r"storage\.googleapis\.com/audioset/vggish_model\.ckpt .*no SHA-256"
        ):
            VggishExtractor(tmp_path / "vggish_model.ckpt")

    def test_keras_files_may_have_prefixes(self, tmp_path: Path) -> None:
        """Conversions call the dense layers vggish_fc1/fc1_1."""
        pytest.importorskip("h5py", reason="h5py comes with TensorFlow")
        arrays = variables()
        layers = {
            name.removeprefix("vggish/").removesuffix("/weights").replace("fc1/", "vggish_fc1/"): {
                "kernel": array,
                "bias": arrays[name.replace("weights", "biases")],
            }
            for name, array in arrays.items()
            if name.endswith("weights")
        }
        layers["vggish_fc2"] = layers.pop("fc2")
        found = read(write_h5(tmp_path / "vggish.h5", layers), NARROW)
        np.testing.assert_array_equal(found["fc1_1"][0], arrays["vggish/fc1/fc1_1/weights"])
        np.testing.assert_array_equal(found["fc2"][1], arrays["vggish/fc2/biases"])


class TestWhitening:
    """The release's principal components."""

    def test_means_are_taken_away_and_vectors_applied(self, tmp_path: Path) -> None:
        """Clipped at 2, as the release clips them."""
        vectors = np.array([[0, 1], [3, 0]], np.float32)
        path = archive(tmp_path / "pca.npz", {"pca_eigen_vectors": vectors, "pca_means": np.array([[1.0], [2.0]])})
        whitened = Whitening.read(path, 2)(np.array([[1.5, 3.0], [9.0, 2.0]], np.float32))
        np.testing.assert_allclose(whitened, [[1.0, 1.5], [0.0, 2.0]])

    @pytest.mark.parametrize("name", ["pca_means", "pca_eigen_vectors"])
    def test_another_archive_is_refused(self, tmp_path: Path, name: str) -> None:
        """It says what is missing."""
        arrays = {"pca_eigen_vectors": np.eye(128, dtype=np.float32), "pca_means": np.zeros(128, np.float32)}
        del arrays[name]
        with pytest.raises(ExportError, match=name):
            Whitening.read(archive(tmp_path / "pca.npz", arrays))

    def test_components_of_another_size_are_refused(self, tmp_path: Path) -> None:
        """They belong to another network."""
        arrays = {"pca_eigen_vectors": np.eye(4, dtype=np.float32), "pca_means": np.zeros(4, np.float32)}
        with pytest.raises(ExportError, match="not of 128 values"):
            Whitening.read(archive(tmp_path / "pca.npz", arrays))


@pytest.mark.training
@its_own_warnings
class TestNetwork:
    """With TensorFlow."""

    def test_the_published_network_has_its_shape(self) -> None:
        """Patches become 128 values after maps of 6 x 4."""
        model: Any = build({})
        assert model.output_shape == (None, 128)
        assert model.get_layer("conv4_2_pooled").output.shape == (None, 6, 4, 512)
        assert model.count_params() == 72_141_184

    def test_embeddings_are_of_vggishs_log_mel(self, tmp_path: Path) -> None:
        """With an offset of 0.01, not of YAMNet's 0.001; the last layer is not rectified."""
        path = archive(tmp_path / "vggish.npz", variables())
        extractor = VggishExtractor(path, widths=NARROW)
        sound = scene(3.2)
        embeddings = extractor.embed(sound)
        wanted = build(read(path, NARROW), NARROW)(log_mel_patches(sound, log_offset=0.01), training=False)
        assert embeddings.shape == (3, 8) == (3, extractor.size)
        np.testing.assert_allclose(embeddings, wanted, rtol=1e-4, atol=1e-5)
        assert embeddings.min() < 0

    def test_whitened_embeddings_are_another_version(self, tmp_path: Path) -> None:
        """As they are other values."""
        path = archive(tmp_path / "vggish.npz", variables())
        components = {"pca_eigen_vectors": np.eye(8, dtype=np.float32), "pca_means": np.ones(8, np.float32)}
        whitening = archive(tmp_path / "pca.npz", components)
        plain, whitened = (VggishExtractor(path, whitening=each, widths=NARROW) for each in (None, whitening))
        assert whitened.version.startswith(plain.version)
        assert whitened.version != plain.version
        sound = scene(3.0)
        np.testing.assert_allclose(whitened.embed(sound), np.clip(plain.embed(sound) - 1, -2, 2), atol=1e-5)

    def test_the_checkpoint_is_read(self, tmp_path: Path) -> None:
        """Of the old format that the published one has."""
        import tensorflow as tf  # noqa: PLC0415 - seconds to import

        arrays, old = variables(), tf.compat.v1
        path = tmp_path / "vggish_model.ckpt"
        with tf.Graph().as_default(), old.Session() as session:
            stored = [
                old.get_variable(name, initializer=array, use_resource=False) for name, array in arrays.items()
            ]
            session.run(old.global_variables_initializer())
            saver = old.train.Saver(stored, write_version=old.train.SaverDef.V1)
            saver.save(session, str(path), write_meta_graph=False, write_state=False)
        found = read(path, NARROW)
        np.testing.assert_array_equal(found["conv2"][0], arrays["vggish/conv2/weights"])
        np.testing.assert_array_equal(found["fc1_2"][1], arrays["vggish/fc1/fc1_2/biases"])

    @pytest.mark.parametrize("content", [b"", b"not a checkpoint" * 100])
    def test_a_damaged_checkpoint_is_refused(self, tmp_path: Path, content: bytes) -> None:
        """In one sentence with the address."""
        path = tmp_path / "vggish_model.ckpt"
        path.write_bytes(content)
        with pytest.raises(ExportError, match=r"audioset/vggish_model\.ckpt") as caught:
            read(path, NARROW)
        assert "\n" not in str(caught.value)
