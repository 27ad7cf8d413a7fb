"""export.training.shards and teacher: scenes on disk, made once, whatever interrupts."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hearing_fakes import chord, noise
from test_train import song
from training_fakes import FakeTeacher, small_pools

from device.hearing.front_end.stream import FrontEnd
from export.corpus.audioset import CLASSES, MUSIC_CLASS, SPEECH_CLASS
from export.corpus.pools import Part, Pool
from export.corpus.synthetic import synthetic_sounds
from export.errors import ExportError
from export.training.scenes import FRAMES, LABELLED, SAMPLES, Stage
from export.training.shards import Examples, fingerprint, make
from export.training.teacher import Teacher, yamnet_teacher

ROOT = Path(__file__).parents[1]
YAMNET = ROOT.parent / "shared" / "weights" / "yamnet.tflite"

needs_yamnet = pytest.mark.skipif(not YAMNET.is_file(), reason="YAMNet's weights are not beside the checkout")


def two_at_a_time(
    folder: Path,
    *,
    count: int = 4,
    seed: int = 1,
    jobs: int = 1,
    pools: Callable[[], Mapping[Part, Pool]] = small_pools,
    teacher: Callable[[], Teacher] = FakeTeacher,
) -> Examples:
    """Shards of two scenes."""
    return make(pools, folder, count=count, seed=seed, teacher=teacher, jobs=jobs, size=2)


def nothing_to_draw_from() -> Mapping[Part, Pool]:
    """Pools that must not be asked for."""
    raise AssertionError("the corpus was read, although all scenes were there")


def same(first: Examples, second: Examples) -> bool:
    """To the last bit."""
    return all(
        getattr(first, field.name).tobytes() == getattr(second, field.name).tobytes() for field in fields(Examples)
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Examples]:
    """Four scenes in two shards, and where they are; not to be changed."""
    folder = tmp_path_factory.mktemp("shards")
    return folder, two_at_a_time(folder)


def test_examples_are_scenes(made: tuple[Path, Examples]) -> None:
    """What is stored is what the device's front end and the teacher make of the scene of that seed."""
    _, examples = made
    chance, stage = np.random.default_rng([1, 1]), Stage(small_pools())
    for number in (2, 3):
        scene = stage.scene(chance)
        assert np.array_equal(examples.mel[number], FrontEnd().feed(scene.heard).mel.astype(np.float16))
        assert np.array_equal(examples.music[number], scene.music, equal_nan=True)
        assert np.array_equal(examples.speech[number], scene.speech)
        assert np.array_equal(examples.teacher[number], 255 * FakeTeacher()(scene.clean))
        assert (examples.kind[number], examples.package[number]) == (scene.kind, scene.packages[0])


def test_examples_have_their_shapes(made: tuple[Path, Examples]) -> None:
    """A row a scene in every field."""
    _, examples = made
    assert len(examples) == 4
    assert examples.mel.shape == (4, FRAMES, 64)
    assert examples.mel.dtype == np.float16
    assert examples.teacher.shape == (4, LABELLED, CLASSES)
    assert examples.teacher.dtype == np.uint8
    assert examples.music.shape == examples.speech.shape == (4, LABELLED)
    assert examples.kind.shape == examples.package.shape == (4,)


def test_shards_are_files(made: tuple[Path, Examples]) -> None:
    """Named by seed and number, and nothing half written."""
    folder, _ = made
    assert sorted(path.name for path in folder.iterdir()) == ["1-0000.npz", "1-0001.npz"]


def test_a_seed_fixes_all_bits(made: tuple[Path, Examples], tmp_path: Path) -> None:
    """However many processes there are; another seed makes others, in the same folder."""
    _, examples = made
    assert same(two_at_a_time(tmp_path, jobs=2), examples)
    assert not same(two_at_a_time(tmp_path, seed=2), examples)
    assert same(two_at_a_time(tmp_path, pools=nothing_to_draw_from), examples)


def test_a_count_is_rounded_up(tmp_path: Path) -> None:
    """To whole shards."""
    assert len(two_at_a_time(tmp_path, count=3)) == 4


def test_what_is_there_is_read(made: tuple[Path, Examples]) -> None:
    """Neither the corpus nor the teacher is needed again."""
    folder, examples = made
    again = two_at_a_time(
        folder, pools=nothing_to_draw_from, teacher=partial(yamnet_teacher, Path("nowhere.tflite"))
    )
    assert same(again, examples)


def test_more_scenes_begin_with_those_that_are_there(made: tuple[Path, Examples], tmp_path: Path) -> None:
    """The first shard is not made again."""
    _, examples = made
    two_at_a_time(tmp_path, count=2)
    before = (tmp_path / "1-0000.npz").stat().st_mtime_ns
    assert same(two_at_a_time(tmp_path), examples)
    assert (tmp_path / "1-0000.npz").stat().st_mtime_ns == before


def test_an_interrupted_run_goes_on(made: tuple[Path, Examples], tmp_path: Path) -> None:
    """A shard that was half written when the power went is made again; no part of it is left."""
    folder, examples = made
    whole = (folder / "1-0000.npz").read_bytes()
    (tmp_path / "1-0000.npz").write_bytes(whole)
    (tmp_path / "1-0001.npz.part").write_bytes(whole[:1000])
    assert same(two_at_a_time(tmp_path), examples)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1-0000.npz", "1-0001.npz"]


def test_a_teacher_that_fails_leaves_no_shard(tmp_path: Path) -> None:
    """The error is the teacher's own, and the next run is not misled."""
    with pytest.raises(ExportError, match=r"nowhere.tflite: cannot read YAMNet's weights: .* with --yamnet"):
        two_at_a_time(tmp_path, jobs=2, teacher=partial(yamnet_teacher, Path("nowhere.tflite")))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["empty", "cut", "other"])
def test_a_damaged_shard_is_named(made: tuple[Path, Examples], tmp_path: Path, damage: str) -> None:
    """With what to do; it is neither left out nor replaced in silence."""
    folder, _ = made
    path = tmp_path / "1-0000.npz"
    whole = (folder / path.name).read_bytes()
    path.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "other": b""}[damage])
    if damage == "other":
        np.savez(path, mel=np.zeros(3))
    with pytest.raises(ExportError, match=r"1-0000.npz: these scenes cannot be read .* delete the file"):
        two_at_a_time(tmp_path, count=2)


def test_the_fingerprint_is_that_of_code_and_sounds() -> None:
    """The same each time; with other synthesised sounds another, for the corpus's version has none of them."""
    sounds = synthetic_sounds()
    assert fingerprint(sounds) == fingerprint(sounds)
    assert len({fingerprint(), fingerprint(sounds), fingerprint(sounds[:-1])}) == 3


@needs_yamnet
def test_yamnet_hears_a_scene() -> None:
    """A window for every label; music in a song, not in noise."""
    teacher = yamnet_teacher(YAMNET)
    sounds = [np.resize(sound, SAMPLES).astype(np.float32) for sound in (song(1), noise(2.0))]
    heard_song, heard_noise = (teacher(sound) for sound in sounds)
    assert heard_song.shape == (LABELLED, CLASSES)
    assert heard_song[:, MUSIC_CLASS].mean() > 0.5 > 10 * heard_noise[:, MUSIC_CLASS].mean()
    assert heard_noise[:, SPEECH_CLASS].max() < 0.1


@needs_yamnet
def test_yamnet_hears_at_its_own_level() -> None:
    """A hundredth as loud, the scores are the same."""
    teacher = yamnet_teacher(YAMNET)
    loud, soft = (teacher(song(1)[:32_000] * np.float32(factor)) for factor in (1.0, 0.01))
    assert np.abs(loud.astype(np.float32) - soft).max() < 0.05


@needs_yamnet
def test_a_short_sound_is_one_window() -> None:
    """Padded with silence; and silence can be heard."""
    teacher = yamnet_teacher(YAMNET)
    assert teacher(chord(0.3)).shape == teacher(np.zeros(10, np.float32)).shape == (1, CLASSES)


def test_a_file_that_is_no_model_is_no_teacher(tmp_path: Path) -> None:
    """One sentence, which says what is wanted."""
    (tmp_path / "yamnet.tflite").write_bytes(b"no model")
    with pytest.raises(ExportError, match=r"yamnet.tflite: .*--yamnet must name the official yamnet.tflite"):
        yamnet_teacher(tmp_path / "yamnet.tflite")


def test_another_model_is_no_teacher() -> None:
    """Found when it is opened, not after hours."""
    with pytest.raises(ExportError, match=r"--yamnet must name the official yamnet\.tflite"):
        yamnet_teacher(ROOT / "tests" / "golden" / "models" / "embedder.tflite")
