"""export.training.scenes: what is heard in a scene is what its labels say."""

import inspect
from collections.abc import Iterator

import numpy as np
import pytest
from hearing_fakes import chord, noise
from training_fakes import small_pools, track

from device.hearing.models.inputs import HOP_FRAMES
from device.sound import SAMPLE_RATE, FloatArray
from export.corpus.pools import Part, Pool
from export.training.scenes import (
    FRAMES,
    KINDS,
    LABELLED,
    SAMPLES,
    Scene,
    Stage,
    as_recorded,
    below,
    loudness,
)

WITH_MUSIC = {"music", "speech over music", "noise over music", "join"}


def generator(seed: int = 0) -> np.random.Generator:
    """A fresh one."""
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    """Forty, for all tests that only look."""
    stage, chance = Stage(small_pools()), generator(1)
    return [stage.scene(chance) for _ in range(40)]


def of_kind(stage: Stage, kind: str, count: int) -> Iterator[Scene]:
    """So many scenes of a kind."""
    chance = generator(5)
    while count:
        scene = stage.scene(chance)
        if scene.kind == kind:
            count -= 1
            yield scene


def silent_but_for(music: FloatArray, others: FloatArray | None = None) -> Stage:
    """Nothing else makes a sound, so that music is where there is any; or the reverse."""
    other = np.zeros_like(music) if others is None else others
    pools: dict[Part, Pool] = {"music": Pool("music", [track("band", music)])}
    for part in ("speech", "effects"):
        pools[part] = Pool(part, [track(part, other)])
    return Stage(pools)


def sounding(scene: Scene) -> np.ndarray:
    """(LABELLED,) part of the frames of each patch in which the clean scene is not silent."""
    frames: np.ndarray = np.abs(scene.clean[: FRAMES * 160].reshape(FRAMES, 160)).max(axis=1) > 0
    return np.array([frames[start : start + 96].mean() for start in range(0, LABELLED * HOP_FRAMES, HOP_FRAMES)])


def same(first: Scene, second: Scene) -> bool:
    """To the last bit."""
    return (first.kind, first.packages) == (second.kind, second.packages) and all(
        getattr(first, name).tobytes() == getattr(second, name).tobytes()
        for name in ("clean", "heard", "music", "speech")
    )


def test_a_scene_is_as_a_device_records_it(scenes: list[Scene]) -> None:
    """9.6 s and the rest of the last frame; 16 bit, within [-1, 1], float32."""
    for scene in scenes:
        assert scene.clean.shape == scene.heard.shape == (SAMPLES,)
        assert scene.heard.dtype == np.float32
        assert np.abs(scene.heard).max() <= 1
        assert np.array_equal(scene.heard * 32768, np.round(scene.heard * 32768))


def test_the_last_frame_of_a_scene_is_whole() -> None:
    """960 hops of 10 ms and a window of 25 ms."""
    assert (SAMPLES - 400) // 160 + 1 == FRAMES == 960
    assert (LABELLED - 1) * HOP_FRAMES + 96 == FRAMES


def test_a_seed_fixes_a_scene() -> None:
    """Bit for bit; another seed makes another."""
    stage = Stage(small_pools())
    for seed in range(5):
        assert same(stage.scene(generator(seed)), stage.scene(generator(seed)))
    assert not same(stage.scene(generator(1)), stage.scene(generator(2)))


def test_scenes_of_every_kind_are_made(scenes: list[Scene]) -> None:
    """Their chances add up to 1."""
    assert {scene.kind for scene in scenes} == set(KINDS)
    assert sum(KINDS.values()) == pytest.approx(1)


def test_the_first_package_is_what_the_scene_is_about(scenes: list[Scene]) -> None:
    """The music, where there is any."""
    for scene in scenes:
        assert (scene.packages[0] == "band") == (scene.kind in WITH_MUSIC)


def test_labels_are_parts_of_patches(scenes: list[Scene]) -> None:
    """Each within 0 and 1, or unknown; of speech it is always known."""
    for scene in scenes:
        assert scene.music.shape == scene.speech.shape == (LABELLED,)
        assert np.all((scene.music >= 0) & (scene.music <= 1) | np.isnan(scene.music))
        assert np.all((scene.speech >= 0) & (scene.speech <= 1))


def test_where_no_music_was_added_there_is_none(scenes: list[Scene]) -> None:
    """And where it was, there is some."""
    for scene in scenes:
        assert bool(np.nan_to_num(scene.music).any()) == (scene.kind in WITH_MUSIC)


def test_speech_over_music_is_both(scenes: list[Scene]) -> None:
    """Music under speech is music."""
    spoken = [scene for scene in scenes if scene.kind == "speech over music"]
    assert spoken
    for scene in spoken:
        assert np.all(scene.music == 1)
        assert scene.speech.mean() > 0.7


def test_speech_is_where_a_reader_is_heard(scenes: list[Scene]) -> None:
    """Never without one."""
    for scene in scenes:
        assert bool(scene.speech.any()) == ("reader" in scene.packages)


def test_pauses_of_a_reader_are_no_speech() -> None:
    """Three seconds in six."""
    spoken = np.concatenate([noise(3.0), np.zeros(3 * SAMPLE_RATE, np.float32)] * 4)
    pools = small_pools() | {"speech": Pool("speech", [track("reader", spoken)])}
    for scene in of_kind(Stage(pools), "speech over music", 2):
        assert scene.speech.min() == 0
        assert scene.speech.max() == 1
        assert 0.25 < scene.speech.mean() < 0.75


def test_the_label_of_a_join_follows_the_music() -> None:
    """It begins or ends with it, to a part of a patch."""
    joins = list(of_kind(silent_but_for(chord(12.0)), "join", 4))
    for scene in joins:
        assert scene.music == pytest.approx(sounding(scene), abs=1e-6)
        assert abs(scene.music[-1] - scene.music[0]) > 0.9
    assert {scene.music[0] > scene.music[-1] for scene in joins} == {False, True}
    assert any(0 < part < 1 for scene in joins for part in scene.music.tolist())


def test_something_else_is_heard_where_a_join_has_no_music() -> None:
    """The same scenes twice, with all but the music silent and with the music silent: there is never neither."""
    sound = chord(12.0)
    music = of_kind(silent_but_for(sound), "join", 4)
    others = of_kind(silent_but_for(np.zeros_like(sound), sound), "join", 4)
    pairs = [(one, other) for one, other in zip(music, others, strict=True) if len(one.packages) == 2]
    assert pairs
    for one, other in pairs:
        both = sounding(one) + sounding(other)
        assert np.all((both > 0.97) & (both < 1.6))
        assert both[[0, -1]] == pytest.approx(1, abs=0.03)


def test_music_that_cannot_be_heard_has_no_label() -> None:
    """NaN where it goes on 50 dB below its loud parts, which are music; nothing is called no music."""
    swelling = np.concatenate([chord(3.0), chord(3.0) * np.float32(10 ** (-50 / 20))] * 4)
    for scene in of_kind(silent_but_for(swelling), "music", 3):
        level = np.abs(scene.clean[: FRAMES * 160].reshape(FRAMES, 160)).max(axis=1)
        loud = level > level.max() / 10
        for label, start in zip(scene.music, range(0, LABELLED * HOP_FRAMES, HOP_FRAMES), strict=True):
            part = loud[start : start + 96].mean()
            if part > 0.7:
                assert label == 1
            if part < 0.3:
                assert np.isnan(label)
        assert np.isnan(scene.music).any()


@pytest.mark.parametrize("ratio_db", [-10.0, 0.0, 12.0, 25.0])
def test_a_sound_is_brought_below_another(ratio_db: float) -> None:
    """By so many decibels of loudness."""
    music, speech = chord(2.0), noise(2.0, level_dbfs=-35)
    found = 20 * np.log10(loudness(music) / loudness(below(speech, music, ratio_db)))
    assert found == pytest.approx(ratio_db, abs=0.01)


def test_pauses_do_not_make_a_sound_softer() -> None:
    """Loudness is that of what sounds."""
    sound = noise(1.0)
    paused = np.concatenate((sound, np.zeros(3 * SAMPLE_RATE, np.float32)))
    assert loudness(paused) == pytest.approx(loudness(sound), rel=1e-5)


def test_silence_has_no_ratio() -> None:
    """It stays as it is, and so does what would be measured by it."""
    silence, sound = np.zeros(SAMPLE_RATE, np.float32), noise(1.0)
    assert loudness(silence) == loudness(silence[:10]) == 0
    assert not below(silence, sound, 0.0).any()
    assert np.array_equal(below(sound, silence, 20.0), sound)


def test_speech_lies_over_music_as_its_ratio_says() -> None:
    """The music from 10 dB below the speech to 12 above, nowhere else."""
    pools = small_pools() | {"speech": Pool("speech", [track("reader", noise(12.0))])}
    for scene in of_kind(Stage(pools), "speech over music", 3):
        spectrum = np.abs(np.fft.rfft(scene.clean)) ** 2
        hiss = np.median(spectrum) / np.log(2) * spectrum.size  # white noise: its median tells its mean
        ratio_db = 10 * np.log10((spectrum.sum() - hiss) / hiss)
        assert -10.5 < ratio_db < 12.5


def test_recording_is_never_told_the_label() -> None:
    """It gets the sound and chance, nothing else."""
    assert list(inspect.signature(as_recorded).parameters) == ["clean", "generator"]


@pytest.mark.parametrize("seed", range(12))
def test_music_and_no_music_are_recorded_alike(seed: int) -> None:
    """The same chances are drawn whatever is heard: the next draw is the same, and so is the level."""
    chances = (generator(seed), generator(seed))
    music, other = (
        as_recorded(sound, chance) for sound, chance in zip((chord(2.0), noise(2.0)), chances, strict=True)
    )
    assert chances[0].bit_generator.state == chances[1].bit_generator.state
    levels_db = [20 * np.log10(np.sqrt(np.mean(sound.astype(np.float64) ** 2))) for sound in (music, other)]
    assert levels_db[0] == pytest.approx(levels_db[1], abs=1.0)


def test_silence_can_be_recorded() -> None:
    """Through codecs, in rooms and beside them."""
    silence = np.zeros(SAMPLE_RATE, np.float32)
    for seed in range(30):
        assert np.isfinite(as_recorded(silence, generator(seed))).all()


def test_a_stage_without_ambience_takes_what_there_is() -> None:
    """A user's corpus may have only music, speech and effects."""
    pools = small_pools()
    del pools["ambience"], pools["synthetic"]
    stage, chance = Stage(pools), generator(2)
    used = {package for _ in range(12) for package in stage.scene(chance).packages}
    assert used == {"band", "reader", "game"}
