"""Reading a built corpus, finding it, and a user's own recordings."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.sound import SAMPLE_RATE
from export.corpus.dataset import find_corpus, load_corpus, prepared_directory
from export.corpus.recipe import SPLITS
from export.corpus.streams import Corpus
from export.corpus.userdata import folders, from_manifest, split_packages
from export.errors import CorpusError

HEAD = "file,label,category,package,start,duration,source_path\n"
ROWS = (
    "audio/kolf__no_music.flac,no_music,impact,kolf,0.0,1.0,a.wav\n"
    "audio/kolf__no_music.flac,no_music,ui,kolf,1.0,2.0,b.wav\n"
    "audio/bambam__music.flac,music,electronic,bambam,0.0,2.0,c.wav\n"
)


def write_ramp(path: Path, seconds: float, rate: int = SAMPLE_RATE, channels: int = 1) -> None:
    """An audio file in which every sample tells its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ramp = np.linspace(0, 0.5, round(seconds * rate), endpoint=False, dtype=np.float32)
    soundfile.write(path, np.repeat(ramp[:, None], channels, axis=1), rate)


def make_corpus(root: Path, rows: str = ROWS) -> Path:
    """A corpus of two packages as the builder lays it out."""
    write_ramp(root / "audio" / "kolf__no_music.flac", 3)
    write_ramp(root / "audio" / "bambam__music.flac", 2)
    (root / "manifest.csv").write_text(HEAD + rows)
    return root


def make_folders(root: Path, count: int = 12) -> Path:
    """A user's music/ and no_music/ with so many files each."""
    for label in ("music", "no_music"):
        for number in range(count):
            write_ramp(root / label / f"{number}.wav", 0.1)
    return root


def placed(corpus: Corpus) -> dict[str, str]:
    """The split of each package."""
    return {stream.package: stream.split for stream in corpus.streams}


def test_streams_hold_their_clips_in_order(tmp_path: Path) -> None:
    """One stream a package and label, with every clip's place and category."""
    corpus = load_corpus(make_corpus(tmp_path))
    music, noise = corpus.streams
    assert (music.package, music.label, music.split) == ("bambam", "music", "test")
    assert [(clip.start_s, clip.duration_s, clip.category) for clip in noise.clips] == [
        (0.0, 1.0, "impact"),
        (1.0, 2.0, "ui"),
    ]
    assert noise.duration_s == 3.0
    assert {clip.category for clip in noise.clips} == {"impact", "ui"}


def test_select_filters_by_split_and_label(tmp_path: Path) -> None:
    """Both conditions must hold."""
    corpus = load_corpus(make_corpus(tmp_path))
    assert [stream.package for stream in corpus.select(split="test", label="music")] == ["bambam"]
    assert corpus.select(split="train") == ()


def test_read_gives_16_khz_mono(tmp_path: Path) -> None:
    """Whatever the file holds, models get (n,) float32 at their rate."""
    root = make_corpus(tmp_path)
    write_ramp(root / "audio" / "bambam__music.flac", 2, rate=48_000, channels=2)
    samples = load_corpus(root).streams[0].read()
    assert samples.shape == (2 * SAMPLE_RATE,)
    assert samples.dtype == np.float32
    assert np.abs(samples[1000:-1000] - np.linspace(0, 0.5, 2 * SAMPLE_RATE)[1000:-1000]).max() < 1e-3


def test_reading_a_part_is_the_part_of_the_whole(tmp_path: Path) -> None:
    """A part is cut at the sample."""
    stream = load_corpus(make_corpus(tmp_path)).streams[1]
    part = stream.read(1.0, 0.5)
    np.testing.assert_array_equal(part, stream.read()[SAMPLE_RATE : SAMPLE_RATE * 3 // 2])


def test_reading_past_the_end_gives_what_there_is(tmp_path: Path) -> None:
    """The end of the file ends the audio, without an error."""
    assert len(load_corpus(make_corpus(tmp_path)).streams[1].read(2.5, 10.0)) == SAMPLE_RATE // 2


def test_mixed_counts_as_music_and_says_so(tmp_path: Path) -> None:
    """Music under speech is music, but can be left out."""
    root = make_corpus(tmp_path, ROWS.replace(",music,electronic", ",mixed,tv"))
    stream = load_corpus(root).streams[0]
    assert stream.is_mixed


def test_ambience_is_no_music_for_training_only(tmp_path: Path) -> None:
    """Recordings in ambience/ become streams of their own, always in train."""
    root = make_corpus(tmp_path)
    write_ramp(root / "ambience" / "rain_on-tent.ogg", 1)
    corpus = load_corpus(root)
    (stream,) = [stream for stream in corpus.streams if stream.is_ambience]
    assert (stream.package, stream.label, stream.split) == ("ambience/rain_on-tent", "no_music", "train")
    assert [clip.category for clip in stream.clips] == ["rain"]


def test_version_does_not_depend_on_the_place(tmp_path: Path) -> None:
    """The same data elsewhere has the same version, and the row order does not matter."""
    here = load_corpus(make_corpus(tmp_path / "here"))
    rows = "".join(reversed(ROWS.splitlines(keepends=True)))
    assert load_corpus(make_corpus(tmp_path / "there", rows)).version == here.version


def test_version_changes_with_the_data(tmp_path: Path) -> None:
    """Another label is other data."""
    here = load_corpus(make_corpus(tmp_path / "here"))
    other = make_corpus(tmp_path / "there", ROWS.replace("electronic", "techno"))
    assert load_corpus(other).version != here.version


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("no_music,impact", "noise,impact"), "line 2: label 'noise'"),
        ((",0.0,1.0,a", ",zero,1.0,a"), "line 2: 'zero' is not a number of seconds"),
        ((",0.0,1.0,a", ",nan,1.0,a"), "line 2: 'nan' is not a number of seconds"),
        ((",0.0,1.0,a", ",0.0,0.0,a"), "line 2: duration must be above 0"),
        ((",0.0,1.0,a", ",0.0,1.5,a"), "b.wav begins before a.wav has ended"),
        ((",1.0,2.0,b", ",1.0,9.0,b"), "3.0 s long, but the manifest goes to 10.0 s"),
        (("audio/bambam", "audio/absent"), "absent__music.flac: no such file"),
        (("audio/bambam", "../bambam"), "lies outside the corpus"),
        ((",bambam,0", ",unknown,0"), "'unknown' is in no split"),
        ((",2.0,c.wav", ""), "line 4: no value for"),
    ],
)
def test_wrong_manifest_is_refused_with_the_place(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    """The error names the line or the file."""
    with pytest.raises(CorpusError, match=message):
        load_corpus(make_corpus(tmp_path, ROWS.replace(*change)))


def test_file_that_is_no_audio_is_refused(tmp_path: Path) -> None:
    """A damaged audio file is found when the corpus is loaded, not hours into training."""
    root = make_corpus(tmp_path)
    (root / "audio" / "bambam__music.flac").write_bytes(b"not audio")
    with pytest.raises(CorpusError, match="not readable as audio"):
        load_corpus(root)


def test_manifest_without_a_column_is_refused(tmp_path: Path) -> None:
    """The missing column is named."""
    (tmp_path / "manifest.csv").write_text("file,label\na,b\n")
    with pytest.raises(CorpusError, match="column 'category' is missing"):
        load_corpus(tmp_path)


def test_corpus_is_looked_for_in_order(tmp_path: Path) -> None:
    """--corpus before OIDO_CORPUS before the cache before the prepared one."""
    places = [make_corpus(tmp_path / name) for name in ("option", "variable", "cache/oido/corpus", "prepared")]
    option, variable, cache, prepared = places
    environment = {"OIDO_CORPUS": str(variable), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    assert find_corpus(option, environment, prepared=prepared) == option
    assert find_corpus(None, environment, prepared=prepared) == variable
    del environment["OIDO_CORPUS"]
    assert find_corpus(None, environment, prepared=prepared) == cache
    assert find_corpus(None, {"HOME": str(tmp_path)}, prepared=prepared) == prepared


def test_place_that_was_named_and_is_empty_is_an_error(tmp_path: Path) -> None:
    """A misspelt OIDO_CORPUS does not silently train on other data."""
    with pytest.raises(CorpusError, match="OIDO_CORPUS"):
        find_corpus(None, {"OIDO_CORPUS": str(tmp_path)}, prepared=make_corpus(tmp_path / "prepared"))


def test_no_corpus_says_how_to_build_one(tmp_path: Path) -> None:
    """The error is the next step."""
    with pytest.raises(CorpusError, match="oido-export corpus build"):
        find_corpus(None, {"HOME": str(tmp_path)}, prepared=tmp_path)


@pytest.mark.parametrize("table", [False, True], ids=["folders", "table"])
def test_the_corpus_option_takes_a_users_own_audio(tmp_path: Path, *, table: bool) -> None:
    """Two folders as they are, or a manifest.csv that lists files beside them."""
    make_folders(tmp_path)
    if table:
        rows = (f"{label}/{n}.wav,{label}" for label in ("music", "no_music") for n in range(3))
        (tmp_path / "manifest.csv").write_text("\n".join(["path,label", *rows]) + "\n")
    corpus = load_corpus(find_corpus(tmp_path, {}))
    assert len(corpus.packages) == (6 if table else 24)


def test_each_loose_file_is_its_own_package(tmp_path: Path) -> None:
    """Files directly in music/ and no_music/ are split one by one."""
    corpus = folders(make_folders(tmp_path))
    assert len(corpus.packages) == 24
    assert {stream.label for stream in corpus.streams} == {"music", "no_music"}


def test_files_of_a_sub_folder_stay_together(tmp_path: Path) -> None:
    """A sub-folder is one source, across music and no_music."""
    root = make_folders(tmp_path)
    for number in range(5):
        write_ramp(root / "music" / "radio" / f"{number}.wav", 0.1)
    write_ramp(root / "no_music" / "radio" / "deep" / "talk.wav", 0.1)
    radio = [stream for stream in folders(root).streams if stream.package == "radio"]
    assert len(radio) == 6
    assert len({stream.split for stream in radio}) == 1


def test_split_stays_when_files_are_added(tmp_path: Path) -> None:
    """New recordings do not move old ones from test into train."""
    before = placed(folders(make_folders(tmp_path, 20)))
    after = placed(folders(make_folders(tmp_path, 40)))
    assert {package: after[package] for package in before} == before


def test_another_seed_splits_otherwise(tmp_path: Path) -> None:
    """The seed is what the split hangs on."""
    root = make_folders(tmp_path)
    assert placed(folders(root, seed=1)) != placed(folders(root, seed=2))


@pytest.mark.parametrize("seed", range(20))
def test_every_split_gets_both_labels(seed: int) -> None:
    """Even with the fewest packages that can be split, no split lacks music or no music."""
    labels = {f"m{number}": frozenset({"music"}) for number in range(3)}
    labels |= {f"n{number}": frozenset({"no_music"}) for number in range(3)}
    splits = split_packages(labels, seed=seed)  # type: ignore[arg-type]
    for kind in ("m", "n"):
        assert {splits[name] for name in labels if name.startswith(kind)} == set(SPLITS)


def test_shares_come_out_as_promised() -> None:
    """Of many packages about 60, 20 and 20 % fall into train, validation and test."""
    labels = {f"{kind}/{n}": frozenset({kind}) for kind in ("music", "no_music") for n in range(1_000)}
    splits = list(split_packages(labels).values())  # type: ignore[arg-type]
    assert [splits.count(split) / len(splits) for split in SPLITS] == pytest.approx([0.6, 0.2, 0.2], abs=0.03)


def test_too_few_packages_are_refused(tmp_path: Path) -> None:
    """Two sources cannot be trained, validated and tested on."""
    with pytest.raises(CorpusError, match="2 source packages of music, and 3 are needed"):
        folders(make_folders(tmp_path, 2))


def test_missing_folder_is_named(tmp_path: Path) -> None:
    """Both folders are needed, whichever is there; `--corpus` takes the place for what it is meant to be."""
    for there, missing in (("music", "no_music"), ("no_music", "music")):
        root = tmp_path / there
        write_ramp(root / there / "a.wav", 0.1)
        with pytest.raises(CorpusError, match=f"no folder '{missing}' in it"):
            load_corpus(find_corpus(root, {}))


def test_a_folder_with_nothing_says_both_ways(tmp_path: Path) -> None:
    """A table or two folders."""
    with pytest.raises(CorpusError, match=r"neither manifest\.csv nor the folders music/ and no_music/ are"):
        load_corpus(tmp_path)


def test_given_splits_are_kept(tmp_path: Path) -> None:
    """A CSV with a split column is taken at its word; paths are relative to the CSV."""
    make_folders(tmp_path, 1)
    table = tmp_path / "mine.csv"
    table.write_text("path,label,package,split\nmusic/0.wav,music,a,test\nno_music/0.wav,no_music,b,train\n")
    assert placed(from_manifest(table)) == {"a": "test", "b": "train"}


def test_csv_without_splits_is_split_by_package(tmp_path: Path) -> None:
    """The package column groups; rows without a package are their own."""
    make_folders(tmp_path)
    rows = [
        f"{label}/{n}.wav,{label},{'band' if n < 3 else ''}\n"
        for label in ("music", "no_music")
        for n in range(12)
    ]
    table = tmp_path / "mine.csv"
    table.write_text("path,label,package\n" + "".join(rows))
    corpus = from_manifest(table)
    assert len(corpus.packages) == 1 + 9 * 2
    assert len({stream.split for stream in corpus.streams if stream.package == "band"}) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\nmusic/0.wav,song\n", "line 2: label 'song'"),
        ("path,label\nabsent.wav,music\n", "line 2: .*absent.wav: no such file"),
        ("path,label,split\nmusic/0.wav,music,dev\n", "line 2: split 'dev'"),
        (
            "path,label,package,split\nmusic/0.wav,music,a,test\nno_music/0.wav,no_music,a,train\n",
            "line 3: package 'a' is in test and in train",
        ),
        ("file,label\nmusic/0.wav,music\n", "column 'path' is missing"),
        ("path,label\n", "no rows"),
    ],
)
def test_wrong_csv_is_refused_with_the_line(tmp_path: Path, text: str, message: str) -> None:
    """The error names the line and what is allowed."""
    make_folders(tmp_path, 1)
    table = tmp_path / "mine.csv"
    table.write_text(text)
    with pytest.raises(CorpusError, match=message):
        from_manifest(table)


def test_prepared_corpus_loads() -> None:
    """The prepared part reads whole: every clip lies inside its file and Opus decodes at 16 kHz."""
    root = prepared_directory()
    if not (root / "manifest.csv").is_file():
        pytest.skip("no prepared corpus beside the checkout")
    corpus = load_corpus(root)
    stream = corpus.select(split="validation", label="music")[0]
    clip = stream.clips[0]
    samples = stream.read(clip.start_s, 1.0)
    assert samples.shape == (SAMPLE_RATE,)
    assert np.abs(samples).max() > 0.001
    assert {stream.split for stream in corpus.streams if not stream.is_ambience} == set(SPLITS)
