"""export.yamnet.head: our head on YAMNet's embeddings."""

from pathlib import Path

import numpy as np
import pytest

from export.embeddings.segments import Segments
from export.errors import ExportError
from export.yamnet.head import FittedHead, Patches, fit

SIZE = 6


def segments(*, rows: int = 40, packages: int = 4, seed: int = 0) -> Segments:
    """Music has more in the first column; the second says so, too, but hardly moves; the others are noise."""
    generator = np.random.default_rng(seed)
    number = np.arange(rows)
    music = (number % 2).astype(np.int8)
    sequences = generator.normal(0, 0.5, (rows, 10, SIZE)).astype(np.float32)
    sequences[..., 0] += 1.5 * music[:, None]
    sequences[..., 1] = 1e-4 * music[:, None]
    package = np.array(
        [f"p{label}x{each % packages}-data" for label, each in zip(music, number // 2, strict=True)]
    )
    return Segments(sequences, music, package, np.full(rows, "clean"))


def test_every_patch_of_a_segment_is_a_row() -> None:
    """With the segment's label and package, in order."""
    given = segments(rows=4)
    rows = Patches.of(given)
    assert rows.embeddings.shape == (40, SIZE)
    np.testing.assert_array_equal(rows.embeddings[13], given.sequences[1, 3])
    assert rows.music[10:20].tolist() == [1] * 10
    assert set(rows.package[10:20].tolist()) == {given.package[1]}


def test_while_choosing_some_patches_are_left_out() -> None:
    """Every third: the first, fourth, seventh and tenth of a segment."""
    given = segments(rows=4)
    rows = Patches.of(given, every=3)
    np.testing.assert_array_equal(rows.embeddings[:4], given.sequences[0, ::3])
    assert len(rows.music) == len(rows.package) == 16


def test_the_head_tells_music_by_what_moves() -> None:
    """A column that hardly moves would be lost in an int8 step, and is not listened to."""
    fitted = fit(segments(), seed=1, penalties=(1e-3, 1e-2))
    kernel, bias = fitted.head.kernel, fitted.head.bias
    assert (kernel.shape, bias.shape) == ((SIZE, 1), (1,))
    assert abs(kernel[0, 0]) > 10 * np.abs(kernel[1:, 0]).max()
    held_out = Patches.of(segments(seed=1))
    decided = held_out.embeddings @ kernel[:, 0] + bias[0] > 0
    assert np.mean(decided == held_out.music) > 0.9


def test_the_penalty_is_chosen_on_packages_left_out() -> None:
    """The one with the least log loss there; all that were tried are told of, the firmest first."""
    parameters = fit(segments(), seed=1, penalties=(1e-9, 1e-3)).parameters
    assert [trial["penalty"] for trial in parameters["tried"]] == [1e-3, 1e-9]
    assert parameters["penalty"] == min(parameters["tried"], key=lambda trial: trial["log_loss"])["penalty"]
    assert parameters["patches"] == 400


def test_the_same_seed_gives_the_same_head() -> None:
    """To the last digit."""
    one, other = (fit(segments(), seed=1, penalties=(1e-3,)) for _ in range(2))
    np.testing.assert_array_equal(one.head.kernel, other.head.kernel)


def test_a_single_package_cannot_be_left_out() -> None:
    """One sentence."""
    with pytest.raises(ExportError, match="comes from packages of one family"):
        fit(segments(packages=1), seed=1)


def test_a_head_is_kept(tmp_path: Path) -> None:
    """With what is known of it."""
    fitted = fit(segments(), seed=1, penalties=(1e-3,))
    fitted.save(tmp_path / "head.npz")
    again = FittedHead.load(tmp_path / "head.npz")
    np.testing.assert_array_equal(again.head.kernel, fitted.head.kernel)
    np.testing.assert_array_equal(again.head.bias, fitted.head.bias)
    assert again.parameters == fitted.parameters
    assert [path.name for path in tmp_path.iterdir()] == ["head.npz"]
