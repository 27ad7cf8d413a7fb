"""OpenL3: its spectrogram, its shapes, its files. The published weights are not needed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from embeddings_fakes import write_h5
from hearing_fakes import noise, scene, time_axis

from export.embeddings.openl3 import OpenL3Extractor, build, load, seconds
from export.embeddings.openl3_spectrogram import (
    DecibelSpectrogram,
    band_weights,
    slaney_hertz_to_mel,
    slaney_mel_to_hertz,
    upsampled,
)
from export.embeddings.weights import read_layers
from export.errors import ExportError

NARROW = (4, 4, 4, 8)


class TestSpectrogram:
    """What the network sees of a second."""

    def test_the_scale_is_slaneys(self) -> None:
        """Forty frequencies from 0 to 11,025 Hz: values that librosa's documentation gives for its mel scale."""
        mel = np.linspace(0.0, slaney_hertz_to_mel(11_025.0), 40)
        hertz = slaney_mel_to_hertz(mel)
        np.testing.assert_allclose(
            hertz[[1, 11, 12, 20, 39]], [85.317, 938.49, 1024.856, 2071.84, 11_025], rtol=1e-5
        )

    def test_bands_have_the_same_area(self) -> None:
        """1 each, where they are wide enough for the bins to tell."""
        areas = band_weights().sum(axis=0) * (24_000 / 1024)
        assert band_weights().shape == (1025, 256)
        np.testing.assert_allclose(areas[150:], 1.0, atol=0.05)

    def test_a_tone_lights_its_band(self) -> None:
        """Decibels below the loudest, which is 0."""
        tone = np.sin(2 * np.pi * 1000 * np.arange(48_000) / 48_000).astype(np.float32)
        seen = DecibelSpectrogram()(tone)
        assert seen.shape == (256, 199)
        assert seen.max() == 0.0
        assert seen.min() >= -80.0
        edges = slaney_mel_to_hertz(np.linspace(0.0, slaney_hertz_to_mel(24_000.0), 258))
        loudest = int(seen[:, 50].argmax())
        assert edges[loudest] < 1000 < edges[loudest + 2]

    def test_the_level_makes_no_difference(self) -> None:
        """Only how far it lies below the loudest counts."""
        sound = upsampled(noise(1.0, level_dbfs=-20))
        spectrogram = DecibelSpectrogram()
        loud, quiet = spectrogram(sound), spectrogram(sound * np.float32(0.1))
        heard = loud > -60
        assert heard.mean() > 0.5
        np.testing.assert_allclose(loud[heard], quiet[heard], atol=1e-3)

    def test_silence_is_even(self) -> None:
        """As in the reference: there is nothing that it could lie below."""
        np.testing.assert_array_equal(DecibelSpectrogram()(np.zeros(48_000, np.float32)), 0.0)


class TestSeconds:
    """One for each patch."""

    @pytest.mark.parametrize(
        ("samples", "patches"), [(0, 1), (15_600, 1), (16_000, 1), (30_960, 2), (160_000, 10)]
    )
    def test_there_are_as_many_as_patches(self, samples: int, patches: int) -> None:
        """However much is left at the end."""
        found = list(seconds(np.zeros(samples, np.float32)))
        assert [second.shape for second in found] == [(48_000,)] * patches

    def test_each_begins_where_its_patch_does(self) -> None:
        """A tone that begins with the second patch is in the second second from its start."""
        sound = np.zeros(48_000, np.float32)
        sound[15_360:] = np.sin(2 * np.pi * 440 * time_axis(3.0))[:-15_360] * np.float32(0.5)
        first, second, _ = seconds(sound)
        assert np.abs(second[:480]).max() > 0.2
        assert np.abs(first[: 46_080 - 480]).max() < 0.01

    def test_the_end_is_followed_by_silence(self) -> None:
        """A patch is 25 ms shorter than a second."""
        (only,) = seconds(noise(0.975))
        assert np.abs(only[-600:]).max() < 0.02
        assert np.abs(only[:46_000]).max() > 0.1


def test_a_missing_file_says_where_to_get_it(tmp_path: Path) -> None:
    """In one sentence."""
    with pytest.raises(ExportError, match=r"https://github\.com/marl/openl3/raw/models/") as caught:
        OpenL3Extractor(tmp_path / "openl3.h5")
    assert "\n" not in str(caught.value)


@pytest.mark.training
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # its own, and Keras's
class TestNetwork:
    """With TensorFlow."""

    @staticmethod
    def random_file(path: Path, *, front: bool = False) -> Path:
        """A narrow network's weights, under the names that chance gave its layers."""
        generator = np.random.default_rng(0)
        layers: dict[str, dict[str, np.ndarray]] = {}
        if front:
            layers["melspectrogram_1"] = {"freq2mel": np.zeros((1025, 256), np.float32)}
        for number, layer in enumerate(each for each in build(NARROW).layers if each.weights):
            layers[f"layer_{17 + number}"] = {
                weight.name: generator.uniform(0.1, 1.0, weight.shape).astype(np.float32)
                for weight in layer.weights
            }
        return write_h5(path, layers)

    def test_the_published_network_has_its_shape(self) -> None:
        """512 maxima over maps of 32 x 24."""
        model: Any = build()
        assert model.input_shape == (None, 256, 199)
        assert model.get_layer("conv4_2").output.shape == (None, 32, 24, 512)
        assert model.output_shape == (None, 512)
        assert len([layer for layer in model.layers if layer.weights]) == 16

    @pytest.mark.parametrize("front", [False, True])
    def test_weights_are_given_in_order(self, tmp_path: Path, *, front: bool) -> None:
        """Whatever the layers are called; the spectrogram of older releases is left out."""
        path = self.random_file(tmp_path / "openl3.h5", front=front)
        layers = read_layers(path)
        model: Any = build(NARROW)
        load(model, layers, path)
        (first, *_) = (arrays for name, arrays in layers.items() if name == "layer_18")
        np.testing.assert_array_equal(model.get_layer("conv1_1").get_weights()[0], first["kernel"])

    def test_another_network_is_refused(self, tmp_path: Path) -> None:
        """The full one does not take narrow weights."""
        extractor = OpenL3Extractor(self.random_file(tmp_path / "openl3.h5"))
        with pytest.raises(ExportError, match="another network"):
            extractor.embed(scene(3.0))

    def test_a_patch_has_one_embedding(self, tmp_path: Path) -> None:
        """Of its second's spectrogram."""
        path = self.random_file(tmp_path / "openl3.h5")
        extractor = OpenL3Extractor(path, filters=NARROW)
        sound = scene(3.2)
        embeddings = extractor.embed(sound)
        assert embeddings.shape == (3, 8) == (3, extractor.size)
        assert embeddings.dtype == np.float32
        model: Any = build(NARROW)
        load(model, read_layers(path), path)
        spectrogram = DecibelSpectrogram()
        seen = np.stack([spectrogram(second) for second in seconds(sound)])
        np.testing.assert_allclose(embeddings, model(seen, training=False), rtol=1e-3, atol=1e-4)

    def test_the_spectrogram_is_tensorflows(self) -> None:
        """The reference uses tf.signal.stft with silence after the end."""
        import tensorflow as tf  # noqa: PLC0415 - seconds to import

        second = upsampled(scene(1.0))
        stft = tf.signal.stft(second, frame_length=2048, frame_step=242, fft_length=2048, pad_end=True)
        bands = np.abs(stft.numpy()) @ band_weights()
        decibels = 10 * np.log10(np.maximum(bands, 1e-10))
        wanted = np.maximum(decibels - decibels.max(), -80).T
        heard = wanted > -50  # below, TensorFlow's float32 adds noise of its own
        assert heard.mean() > 0.5
        np.testing.assert_allclose(DecibelSpectrogram()(second)[heard], wanted[heard], atol=0.05)
