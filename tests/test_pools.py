"""export.corpus.pools: pieces of the corpus, drawn so that no package decides alone."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import soundfile
from hearing_fakes import noise, time_axis
from training_fakes import track

from device.sound import SAMPLE_RATE, FloatArray
from export.corpus.pools import Part, Pool, pools
from export.corpus.recipe import Label
from export.corpus.streams import Clip, Stream
from export.errors import ExportError

PARTS: tuple[Part, ...] = ("music", "speech", "ambience", "effects", "synthetic")


def generator(seed: int = 0) -> np.random.Generator:
    """A fresh one."""
    return np.random.default_rng(seed)


def places(samples: int) -> FloatArray:
    """A sound whose every sample, times 32768, is its place; up to 32767 of them."""
    return (np.arange(1, samples + 1) / 32768).astype(np.float32)


def tone_hz(sound: FloatArray) -> float:
    """The strongest frequency."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(sound.size)))
    return float(np.argmax(spectrum)) * SAMPLE_RATE / sound.size


def test_packages_are_drawn_by_the_root_of_their_length() -> None:
    """Nine times as long, three times as often."""
    pool = Pool("synthetic", [track("short", noise(0.5)), track("long", noise(4.5))])
    chance = generator()
    drawn = Counter(pool.draw(chance, 100)[0] for _ in range(2_000))
    assert drawn["long"] / drawn["short"] == pytest.approx(3, rel=0.1)


def test_a_piece_is_cut_out_of_the_package() -> None:
    """Sample for sample, and not always from the same place."""
    pool = Pool("synthetic", [track("a", places(30_000))])
    chance = generator()
    begins = set()
    for _ in range(20):
        package, piece = pool.draw(chance, 5_000)
        begin = round(float(piece[0]) * 32768)
        assert package == "a"
        assert np.array_equal(piece * 32768, np.arange(begin, begin + 5_000))
        begins.add(begin)
    assert len(begins) > 15


def test_every_place_of_a_package_can_be_drawn() -> None:
    """The last sample too."""
    pool = Pool("synthetic", [track("a", places(100))])
    chance = generator()
    first = {round(float(pool.draw(chance, 30)[1][0]) * 32768) for _ in range(200)}
    assert first == set(range(1, 8))  # 64 samples more than asked for are cut, for the resampler


def test_a_short_package_is_repeated_with_gaps() -> None:
    """Whole each time but the last, with 0.1 to 1.5 s of silence between."""
    pool = Pool("synthetic", [track("short", places(1_000))])
    _, piece = pool.draw(generator(3), 6 * SAMPLE_RATE)
    sounding = np.concatenate(([0], (piece != 0).astype(np.int8), [0]))
    begins, ends = np.flatnonzero(np.diff(sounding) == 1), np.flatnonzero(np.diff(sounding) == -1)
    assert begins[0] == 0
    assert len(begins) > 3
    assert set(ends - begins) == {1_000}
    gaps_s = (begins[1:] - ends[:-1]) / SAMPLE_RATE
    assert np.all((gaps_s >= 0.099) & (gaps_s <= 1.5))
    assert len(set(gaps_s)) > 1


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("seconds", [0.3, 3.0])
def test_a_piece_is_as_long_as_asked(part: Part, seconds: float) -> None:
    """At whatever speed, from long packages and from short ones."""
    pool = Pool(part, [track("a", noise(seconds))])
    chance = generator()
    for _ in range(20):
        _, piece = pool.draw(chance, SAMPLE_RATE)
        assert piece.shape == (SAMPLE_RATE,)
        assert piece.dtype == np.float32


@pytest.mark.parametrize(("part", "low", "high"), [("music", 0.94, 1.06), ("speech", 0.85, 1.18)])
def test_half_of_the_pieces_are_faster_or_slower(part: Part, low: float, high: float) -> None:
    """And with it higher or lower, within the part's range."""
    tone = (0.5 * np.sin(2 * np.pi * 1000 * time_axis(3.0))).astype(np.float32)
    pool = Pool(part, [track("a", tone)])
    chance = generator()
    heard_hz = np.array([tone_hz(pool.draw(chance, 2 * SAMPLE_RATE)[1]) for _ in range(60)])
    assert 20 < np.count_nonzero(heard_hz == 1000) < 40
    assert 1000 * low - 1 < heard_hz.min() < 1000 < heard_hz.max() < 1000 * high + 1


def test_a_seed_fixes_the_piece() -> None:
    """Bit for bit; another seed draws another."""
    pool = Pool("speech", [track("a", noise(4.0)), track("b", noise(3.0, seed=1))])
    first, again, other = (pool.draw(generator(seed), SAMPLE_RATE)[1].tobytes() for seed in (1, 1, 2))
    assert first == again != other


@dataclass(frozen=True)
class Made:
    """A synthesised sound."""

    package: str
    label: str = "no_music"
    split: str = "train"

    def read(self) -> FloatArray:
        """A second."""
        return noise(1.0)


def stream(folder: Path, package: str, label: Label, categories: str) -> Stream:
    """A file of places, a clip of 0.1 s for every word."""
    clips = tuple(
        Clip(number / 10, 0.1, category, f"{number}.wav") for number, category in enumerate(categories.split())
    )
    path = folder / f"{package.replace('/', '_')}-{label}.wav"
    soundfile.write(path, places(1_600 * len(clips)), SAMPLE_RATE)
    return Stream(package, label, "train", path, clips)


def found(of: dict[Part, Pool]) -> dict[str, dict[str, int]]:
    """Samples of each package of each part."""
    return {part: {track.package: track.samples.size for track in pool.tracks} for part, pool in of.items()}


def test_the_corpus_is_sorted_into_parts(tmp_path: Path) -> None:
    """By label and category, clip by clip; what is synthesised by its name."""
    streams = [
        stream(tmp_path, "band", "music", "rock folk"),
        stream(tmp_path, "game", "no_music", "speech impact ambience ui"),
        stream(tmp_path, "ambience/rain", "no_music", "rain"),
    ]
    assert found(pools(streams, [Made("espeak/en"), Made("synthetic/hum")])) == {
        "music": {"band": 3_200},
        "speech": {"game": 1_600, "espeak/en": 16_000},
        "effects": {"game": 3_200},
        "ambience": {"game": 1_600, "ambience/rain": 1_600},
        "synthetic": {"synthetic/hum": 16_000},
    }


def test_clips_are_cut_where_they_lie(tmp_path: Path) -> None:
    """The second of three is the effect."""
    streams = [
        stream(tmp_path, "band", "music", "rock"),
        stream(tmp_path, "game", "no_music", "speech impact speech"),
    ]
    (effect,) = pools(streams)["effects"].tracks
    assert np.array_equal(effect.samples, np.arange(1_601, 3_201))


def test_mixed_streams_are_left_out(tmp_path: Path) -> None:
    """Nobody knows what is heard when."""
    streams = [
        stream(tmp_path, "band", "music", "rock"),
        stream(tmp_path, "tv", "mixed", "speech"),
        stream(tmp_path, "game", "no_music", "speech impact"),
    ]
    assert found(pools(streams))["music"] == {"band": 1_600}
    assert found(pools(streams))["speech"] == {"game": 1_600}


def test_sound_above_full_scale_is_clipped(tmp_path: Path) -> None:
    """It does not turn over: resampled speech passes 1."""

    class Loud(Made):
        def read(self) -> FloatArray:
            return np.array([1.5, -1.5, 1.0], np.float32)

    streams = [stream(tmp_path, "band", "music", "rock"), stream(tmp_path, "game", "no_music", "speech impact")]
    (hum,) = pools(streams, [cast("Made", Loud("synthetic/loud"))])["synthetic"].tracks
    assert hum.samples.tolist() == [32767, -32768, 32767]


@pytest.mark.parametrize(
    ("music", "others", "missing"),
    [("music", "speech", "effects"), ("music", "impact", "speech"), ("mixed", "speech impact", "music")],
)
def test_a_corpus_that_lacks_a_part_is_refused(tmp_path: Path, music: Label, others: str, missing: str) -> None:
    """Before anything is made of it."""
    streams = [stream(tmp_path, "band", music, "rock"), stream(tmp_path, "game", "no_music", others)]
    with pytest.raises(ExportError, match=f"the corpus has no {missing}"):
        pools(streams)
