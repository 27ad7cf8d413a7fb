"""YAMNet rebuilt: against the official TFLite, scaled for int8, converted."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from embeddings_fakes import (
    OFFICIAL_YAMNET,
    ROOT,
    needs_official_yamnet,
    random_yamnet,
    write_h5,
    yamnet_layers,
)
from hearing_fakes import noise, scene

from device.hearing.models.runtimes import open_runtime
from device.sound import SAMPLE_RATE, FloatArray
from export.convert.tflite import convert, convert_float
from export.corpus.audioset import MUSIC_CLASS
from export.corpus.augment import at_level
from export.embeddings.base import log_mel_patches, patch_count, whole_patches
from export.yamnet.extractor import YamnetExtractor
from export.yamnet.int8 import BOUND, bounded
from export.yamnet.network import build
from export.yamnet.weights import read

pytestmark = [
    pytest.mark.training,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # its own, and Keras's
]

CORPUS = ROOT.parent / "shared" / "corpus" / "audio"


@pytest.fixture(scope="module")
def official() -> YamnetExtractor:
    """The rebuilt network with Google's weights."""
    return YamnetExtractor(OFFICIAL_YAMNET)


def recording(path: Path, seconds: float = 20.0) -> FloatArray:
    """The beginning of it, 16 kHz mono."""
    samples, rate = soundfile.read(path, frames=round(seconds * soundfile.info(path).samplerate), dtype="float32")
    mono: FloatArray = samples.mean(axis=1) if samples.ndim > 1 else samples
    return mono if rate == SAMPLE_RATE else soxr.resample(mono, rate, SAMPLE_RATE)


def bundled() -> FloatArray:
    """Music, then speech."""
    audio = ROOT / "device" / "audio"
    return np.concatenate([recording(audio / "music.ogg"), recording(audio / "speech.ogg")])


def published(samples: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What the official TFLite says of each patch: (patches, 521) scores, (patches, 96, 64) of its own log-mel."""
    interpreter_module: Any = pytest.importorskip("ai_edge_litert.interpreter", reason="needs ai-edge-litert")
    interpreter = interpreter_module.Interpreter(str(OFFICIAL_YAMNET), num_threads=1)
    interpreter.allocate_tensors()
    scores, mel = (detail["index"] for detail in interpreter.get_output_details())
    whole, found, seen = whole_patches(samples), [], []
    for patch in range(patch_count(whole.size)):
        interpreter.set_tensor(0, whole[None, 15_360 * patch : 15_360 * patch + 15_600])
        interpreter.invoke()
        found.append(interpreter.get_tensor(scores)[0])
        seen.append(interpreter.get_tensor(mel))
    return np.stack(found), np.stack(seen)


def cosines(first: FloatArray, second: FloatArray) -> FloatArray:
    """Row by row."""
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    found: FloatArray = (first * second).sum(axis=1) / lengths
    return found


@needs_official_yamnet
class TestOfficial:
    """With Google's weights."""

    def test_the_rebuilt_network_says_what_the_official_one_says(self, official: YamnetExtractor) -> None:
        """Of the official log-mel, on the bundled recordings: padding, order and folding are right."""
        scores, mel = published(bundled())
        ours = official.patch_scores(mel)
        assert cosines(scores, ours).min() >= 0.99
        assert np.abs(scores - ours)[:, MUSIC_CLASS].max() < 0.05

    @pytest.mark.skipif(not CORPUS.is_dir(), reason="the prepared corpus is not in ../shared/corpus")
    def test_the_same_on_the_corpus(self, official: YamnetExtractor) -> None:
        """The beginning of every tenth file."""
        for path in sorted(CORPUS.glob("*.opus"))[::10]:
            scores, mel = published(recording(path, 4.0))
            assert cosines(scores, official.patch_scores(mel)).min() >= 0.99, path.name

    def test_music_is_music_behind_our_front_end(self, official: YamnetExtractor) -> None:
        """And speech is none."""
        audio = ROOT / "device" / "audio"
        music, speech = (
            official.patch_scores(log_mel_patches(recording(audio / name))) for name in ("music.ogg", "speech.ogg")
        )
        assert music[:, MUSIC_CLASS].mean() > 0.7
        assert speech[:, MUSIC_CLASS].mean() < 0.05

    def test_int8_decides_as_float_does(self, official: YamnetExtractor) -> None:
        """Over levels from quiet to loud."""
        sound = bundled()
        patches = np.concatenate([log_mel_patches(at_level(sound, level)) for level in (-45.0, -30.0, -15.0)])
        network = official.network(official.head.only([MUSIC_CLASS]), representative=patches[::2])
        converted = convert(network, patches[::2], outputs=("embedding", "scores"))
        names = [converted.outputs[name].name for name in ("embedding", "scores")]
        embeddings, scores = open_runtime(Path("yamnet.tflite"), converted.content, names).run_all(patches)
        theirs = official.patch_scores(patches)[:, MUSIC_CLASS]
        assert np.mean((scores[:, 0] >= 0.5) == (theirs >= 0.5)) >= 0.98
        assert cosines(official.patch_embeddings(patches), embeddings).mean() > 0.97


def test_the_network_gives_embeddings_and_scores() -> None:
    """1024 values that are not negative; 521 in [0, 1], or those of another head."""
    weights = random_yamnet()
    patches = log_mel_patches(scene(3.0))
    said = build(weights)(patches, training=False)
    assert said["embedding"].shape == (3, 1024)
    assert float(np.min(said["embedding"])) >= 0
    assert said["scores"].shape == (3, 521)
    some = build(weights, batch_size=1, head=weights.head.only((MUSIC_CLASS, 0)))(patches[:1], training=False)
    np.testing.assert_allclose(some["scores"], np.asarray(said["scores"])[:1, [MUSIC_CLASS, 0]], atol=1e-5)


def test_weights_survive_a_conversion(tmp_path: Path) -> None:
    """What was read from a TFLite file is what was built into it."""
    weights = random_yamnet()
    path = tmp_path / "yamnet.tflite"
    path.write_bytes(convert_float(build(weights, batch_size=1)).content)
    found = read(path)
    for ours, theirs in zip(weights.convolutions, found.convolutions, strict=True):
        np.testing.assert_allclose(ours.kernel, theirs.kernel, atol=1e-6)
        np.testing.assert_allclose(ours.bias, theirs.bias, atol=1e-6)
    np.testing.assert_allclose(weights.head.kernel, found.head.kernel, atol=1e-6)


def test_scaling_for_int8_changes_nothing_but_what_is_cut() -> None:
    """Channels are brought below the bound, and what reads them makes up for it."""
    weights = random_yamnet()
    patches = log_mel_patches(noise(10.0))  # alike: nothing of it is far above the rest
    fit = bounded(weights, patches)
    assert fit.bounded
    before, after = (build(each)(patches, training=False) for each in (weights, fit))
    np.testing.assert_allclose(before["embedding"], after["embedding"], rtol=1e-2, atol=1e-3)
    import keras  # noqa: PLC0415 - seconds to import

    network = build(fit)
    inner = keras.Model(network.input, network.get_layer("layer9_pointwise").output)
    reached = np.asarray(inner(patches, training=False)).max(axis=(0, 1, 2))
    assert reached.max() <= BOUND
    assert np.median(reached) > BOUND / 8


@pytest.fixture(scope="module")
def extractor(tmp_path_factory: pytest.TempPathFactory) -> YamnetExtractor:
    """Of random weights, not yet used."""
    return YamnetExtractor(write_h5(tmp_path_factory.mktemp("weights") / "yamnet.h5", yamnet_layers()))


class TestExtractor:
    """`YamnetExtractor`, from a Keras file of random weights."""

    def test_it_can_be_sent_to_another_process(self, extractor: YamnetExtractor) -> None:
        """Before its first sound, when its network is not there yet."""
        again = pickle.loads(pickle.dumps(extractor))  # noqa: S301 - our own
        assert again.version == extractor.version

    def test_a_patch_has_one_embedding(self, extractor: YamnetExtractor) -> None:
        """Which depends on the patch's own samples alone."""
        sound = scene(3.2)
        embeddings = extractor.embed(sound)
        assert embeddings.shape == (3, extractor.size) == (3, 1024)
        assert embeddings.dtype == np.float32
        alone = extractor.embed(sound[15_360 : 15_360 + 15_600])
        np.testing.assert_allclose(embeddings[1:2], alone, rtol=1e-3, atol=1e-5)

    def test_its_version_changes_with_the_weights(self, extractor: YamnetExtractor, tmp_path: Path) -> None:
        """And begins with its name."""
        other = YamnetExtractor(write_h5(tmp_path / "yamnet.h5", yamnet_layers(seed=1)))
        assert extractor.version.startswith("yamnet-")
        assert other.version != extractor.version
