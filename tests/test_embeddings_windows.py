"""Windows of the corpus, and the tables made on them; none of this needs TensorFlow."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from embeddings_fakes import small_corpus
from evaluation_fakes import album

from device.sound import FloatArray
from export.__main__ import main
from export.commands import levels
from export.corpus.streams import assemble
from export.embeddings.windows import Windows, sample
from export.errors import ExportError


def test_both_labels_and_all_packages_of_a_split_have_their_share(tmp_path: Path) -> None:
    """Music and no music in turn, from packages of that split alone."""
    windows = sample(small_corpus(tmp_path), split="validation", count=4)
    assert windows.samples.shape == (8, 15_600)
    assert windows.music.tolist() == [1, 0] * 4
    names, counts = np.unique(windows.package, return_counts=True)
    assert all(name.startswith("validation") for name in names)
    assert counts.tolist() == [2, 2, 2, 2]


def test_a_package_of_many_files_has_no_more_windows(tmp_path: Path) -> None:
    """Than one of a single file."""
    windows = sample(album(tmp_path, long_s=6.0), split="test", count=20)
    names, counts = np.unique(windows.package, return_counts=True)
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {"desk": 20, "gig": 10, "radio": 10}


def test_the_seed_decides_on_the_windows(tmp_path: Path) -> None:
    """The same seed draws the same, another one others."""
    corpus = small_corpus(tmp_path)
    first, again, other = (sample(corpus, split="train", count=3, seed=seed).samples for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_split_without_a_label_is_refused(tmp_path: Path) -> None:
    """It says which."""
    corpus = small_corpus(tmp_path)
    only = assemble(tmp_path, [stream for stream in corpus.streams if stream.label == "music"])
    with pytest.raises(ExportError, match="no no_music in its train packages"):
        sample(only, split="train", count=1)


def test_silence_is_not_drawn(tmp_path: Path) -> None:
    """A file of nothing else is an error, not an endless search."""
    corpus = small_corpus(tmp_path)
    quiet = next(stream for stream in corpus.streams if stream.package == "train-music-0")
    soundfile.write(quiet.path, np.zeros(64_000), 16_000, subtype="PCM_16")
    with pytest.raises(ExportError, match="nothing but silence"):
        sample(corpus, split="train", count=2)


def test_windows_are_brought_to_a_level(tmp_path: Path) -> None:
    """Their RMS is that level, in steps of 16 bit."""
    heard = sample(small_corpus(tmp_path), split="train", count=2).at(-40.0)
    rms_dbfs = 20 * np.log10(np.sqrt(np.mean(np.square(heard), axis=1)))
    np.testing.assert_allclose(rms_dbfs, -40.0, atol=0.1)
    steps = heard * 32768
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)


def test_patches_have_levels_of_their_own(tmp_path: Path) -> None:
    """The same window is louder in one place than in another."""
    windows = sample(small_corpus(tmp_path), split="train", count=1)
    twice = Windows(windows.samples[[0, 0]], windows.music[[0, 0]], windows.package[[0, 0]])
    first, second = twice.patches()
    assert first.shape == (96, 64)
    assert abs(first.mean() - second.mean()) > 0.1


def _windows() -> Windows:
    """Eight windows of four packages; the number of the window is how loud its first half is."""
    samples = np.zeros((8, 15_600), np.float32)
    samples[:, : 15_600 // 2] = 0.5
    samples[::2, ::2] *= -1
    return Windows(samples, np.array([1, 0] * 4, np.int8), np.array(list("aabbccdd")))


def test_each_hearer_is_measured_at_each_level_and_over_all() -> None:
    """One that always knows has an area of 1 everywhere; one that hears only loud sound loses over all levels."""
    windows = _windows()

    def knows(heard: FloatArray) -> FloatArray:
        return np.where(heard[:, 0] * heard[:, 1] < 0, 0.9, 0.2).astype(np.float32)

    def loud_only(heard: FloatArray) -> FloatArray:
        return np.where(np.abs(heard).max(axis=1) < 0.01, 0.1, knows(heard)).astype(np.float32)

    rows = levels.measure(windows, {"knows": knows, "loud only": loud_only}, levels_dbfs=(-50, -20))
    assert [(row.level, row.hearer) for row in rows] == [
        ("-50 dBFS", "knows"),
        ("-50 dBFS", "loud only"),
        ("-20 dBFS", "knows"),
        ("-20 dBFS", "loud only"),
        ("all", "knows"),
        ("all", "loud only"),
    ]
    assert [row.roc_auc.value for row in rows] == pytest.approx([1.0, 0.5, 1.0, 1.0, 1.0, 0.625])
    assert rows[0].on_music == pytest.approx(0.9)
    assert rows[0].on_other == pytest.approx(0.2)
    assert levels.lines_of(rows).count("\n") == len(rows) + 1


def test_missing_weights_are_said_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, and where to get them."""
    assert main(["levels", "--yamnet", str(tmp_path / "yamnet.tflite")]) == 1
    said = capsys.readouterr().err
    assert "https://www.kaggle.com/models/google/yamnet" in said
    assert "https://storage.googleapis.com/audioset/yamnet.h5" in said
    assert said.count("\n") == 1


def test_no_windows_is_a_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2."""
    with pytest.raises(SystemExit) as caught:
        main(["levels", "--windows", "0"])
    assert caught.value.code == 2
    assert "argument --windows: 0 is less than 1" in capsys.readouterr().err
