"""export.corpus.features: the corpus as rows, which are the device's own features, kept once computed."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from export_fakes import FakeSound, rows_of
from hearing_fakes import chord, fake_model, noise, scene

from device.hearing.classifier import Classifier
from device.hearing.models.loading import load_model
from device.hearing.patch_cutter import PatchCutter
from device.hearing.statistics.statistics import NAMES
from device.sound import SAMPLE_RATE
from export.corpus.features import Rows, extract, extract_all, sections, vary, vectors, versions
from export.corpus.streams import Clip, Stream, assemble
from export.errors import ExportError

SOUNDS = [FakeSound("a"), FakeSound("b", label="no_music", split="test")]


def same(first: Rows, second: Rows) -> bool:
    """Whether all is equal, to the last bit."""
    return all(
        np.array_equal(getattr(first, name), getattr(second, name)) for name in ("features", "music", "package")
    )


def files(cache: Path) -> list[Path]:
    """What the cache holds."""
    return sorted(cache.glob("*/*.npz"))


def test_vectors_are_what_the_device_computes() -> None:
    """The model says of the rows what it says of the stream."""
    model = load_model("logistic")
    samples = scene(9.0)
    classifier = Classifier(model)
    heard = [classifier.answer(patch).probability for patch in PatchCutter().feed(samples)]
    assert model.probability(vectors(samples)).tolist() == pytest.approx(heard, abs=1e-6)


def test_a_short_sound_is_one_row() -> None:
    """As the device pads it."""
    assert vectors(noise(0.2)).shape == (1, len(NAMES))


def test_rows_say_what_they_are() -> None:
    """Label, package, split and variant of each: one clean, two of each other variant."""
    rows = extract(FakeSound("b", label="mixed", split="validation"))
    per_pass = len(vectors(noise(3.0)))
    assert len(rows.music) == 5 * per_pass
    assert {str(name): int((rows.variant == name).sum()) for name in np.unique(rows.variant)} == {
        "clean": per_pass,
        "level": 2 * per_pass,
        "room": 2 * per_pass,
    }
    assert set(rows.package) == {"b"}
    assert set(rows.split) == {"validation"}
    assert rows.music.all()
    assert rows.mixed.all()
    assert np.isfinite(rows.features).all()


def test_rows_are_the_same_for_a_seed() -> None:
    """And others for another seed."""
    first, again, other = (extract(SOUNDS[0], seed=seed) for seed in (1, 1, 2))
    assert same(first, again)
    assert not same(first, other)


@pytest.mark.parametrize(
    ("seconds", "lengths"), [(10.0, [10.0]), (48.5, [48.0]), (50.0, [48.0, 2.0]), (0.5, [0.5])]
)
def test_sections(seconds: float, lengths: list[float]) -> None:
    """48 s each; a rest under a second is left out unless it is all there is."""
    assert [len(part) / SAMPLE_RATE for part in sections(noise(seconds))] == lengths


@pytest.mark.parametrize("sound", ["silence", "chord"])
@pytest.mark.parametrize("variant", ["clean", "level", "room"])
def test_variants_are_sound(sound: str, variant: str) -> None:
    """As long as before, in [-1, 1], also of silence."""
    samples = np.zeros(16_000, np.float32) if sound == "silence" else chord(1.0)
    generator = np.random.default_rng(0)
    match variant:
        case "clean" | "level" | "room":
            varied = vary(samples, variant, generator)
    assert len(varied) == 16_000
    assert np.abs(varied).max() <= 1


def test_everything_is_extracted_in_order(tmp_path: Path) -> None:
    """Stream after stream, from two processes as from one."""
    two = extract_all(SOUNDS, tmp_path / "two", version="v", jobs=2, repeats=1)
    one = extract_all(SOUNDS, tmp_path / "one", version="v", jobs=1, repeats=1)
    assert same(one, two)
    assert same(one, Rows.join([extract(sound, repeats=1) for sound in SOUNDS]))


def test_what_was_computed_is_kept(tmp_path: Path) -> None:
    """A second run reads the rows: here a mark that was put into them."""
    extract_all(SOUNDS, tmp_path, version="v", jobs=1, repeats=1)
    kept = files(tmp_path)
    assert [path.name for path in kept] == ["a__music.npz", "b__no_music.npz"]
    with np.load(kept[0]) as stored:
        marked = {name: stored[name] for name in stored.files}
    marked["features"] = marked["features"] + 100
    np.savez(kept[0], **marked)
    again = extract_all(SOUNDS, tmp_path, version="v", jobs=1, repeats=1)
    assert np.array_equal(again.where(again.package == "a").features, marked["features"])


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    """A file that was half written when the power went is computed again; what is whole stays."""
    whole = extract_all(SOUNDS, tmp_path, version="v", jobs=1, repeats=1)
    first, second = files(tmp_path)
    before = first.stat().st_mtime_ns
    second.with_suffix(".npz.part").write_bytes(second.read_bytes()[:100])
    second.unlink()
    assert same(extract_all(SOUNDS, tmp_path, version="v", jobs=1, repeats=1), whole)
    assert first.stat().st_mtime_ns == before
    assert files(tmp_path) == [first, second]


def test_other_data_have_another_cache(tmp_path: Path) -> None:
    """So have other repeats: rows of one are never taken for those of the other."""
    for version, repeats in (("v", 1), ("w", 1), ("v", 2)):
        extract_all(SOUNDS[:1], tmp_path, version=version, jobs=1, repeats=repeats)
    assert len({path.parent for path in files(tmp_path)}) == 3


def stream(path: Path, place: str) -> Stream:
    """A file of that package; all of them sound alike."""
    soundfile.write(path / place, chord(2.0), SAMPLE_RATE)
    return Stream("gig", "music", "train", path / place, (Clip(0.0, 2.0, "user", place),), place=place)


def test_a_stream_that_is_alone_is_drawn_by_its_package_and_label(tmp_path: Path) -> None:
    """As any other sound of that package: the rooms of the open corpus stay as they are."""
    (alone,) = assemble(tmp_path, [stream(tmp_path, "a.wav")]).streams
    other = FakeSound("gig", seconds=2.0)
    for variant in ("room", "level"):
        heard, expected = (
            [samples.tobytes() for samples in versions(sound, alone.read(), 0, variant)]
            for sound in (alone, other)
        )
        assert heard == expected


def test_files_of_one_package_have_rows_of_their_own(tmp_path: Path) -> None:
    """Each in rooms and at levels of its own, though they sound alike; none is taken for the other."""
    corpus = assemble(tmp_path, [stream(tmp_path, place) for place in ("a.wav", "b.wav")])
    rows = extract_all(corpus.streams, tmp_path / "cache", version="v", jobs=1, repeats=1)
    assert [path.name for path in files(tmp_path / "cache")] == ["gig__music__a.wav.npz", "gig__music__b.wav.npz"]
    assert set(rows.package.tolist()) == {"gig"}
    for variant, alike in (("clean", True), ("room", False), ("level", False)):
        first, second = np.split(rows.features[rows.variant == variant], 2)
        assert np.array_equal(first, second) is alike


def test_two_streams_of_one_name_are_refused(tmp_path: Path) -> None:
    """The second would be taken for the first, and its sound never be heard."""
    twice = [FakeSound("a/x"), FakeSound("a_x")]
    with pytest.raises(ExportError, match="a_x__music"):
        extract_all(twice, tmp_path, version="v", jobs=1, repeats=1)


def test_rows_can_be_chosen_and_joined() -> None:
    """All columns together."""
    rows = rows_of(music="mn", packages="ab")
    music = rows.where(rows.music == 1)
    assert (music.package.tolist(), len(music.features)) == (["a"], 1)
    assert same(Rows.join([music, rows.where(rows.music == 0)]), rows)


def test_the_fake_model_reads_as_many_statistics() -> None:
    """The stand-in of the other tests takes what is computed."""
    assert fake_model([0.3]).probability(vectors(noise(0.2)))[0] == pytest.approx(0.3)
