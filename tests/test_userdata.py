"""export.corpus.userdata: several files of one source, each a stream of its own."""

import os
from pathlib import Path

import pytest
from export_fakes import write_own
from hearing_fakes import noise

from export.corpus.dataset import load_corpus
from export.corpus.streams import Corpus, Stream, assemble
from export.corpus.userdata import folders, from_manifest
from export.errors import CorpusError

LOOSE = [f"{label}/{number}.wav" for label in ("music", "no_music") for number in range(3)]
ALBUM = ["music/gig-1/a.wav", "music/gig-1/b.wav", "music/gig-1/cd 2/a.wav", "no_music/gig-1/crowd.wav"]


def own(root: Path, paths: list[str]) -> Path:
    """Those files, each of another sound."""
    return write_own(root, {path: noise(0.2, seed=number) for number, path in enumerate(paths)})


def of(corpus: Corpus, package: str, label: str = "music") -> list[Stream]:
    """A package's streams of a label."""
    return [stream for stream in corpus.streams if (stream.package, stream.label) == (package, label)]


def test_every_file_of_a_sub_folder_has_a_name_of_its_own(tmp_path: Path) -> None:
    """With its path in the package; the only one without music has no need of that."""
    corpus = folders(own(tmp_path, LOOSE + ALBUM))
    album = of(corpus, "gig-1")
    assert sorted(stream.name for stream in album) == [
        "gig-1__music__a.wav",
        "gig-1__music__b.wav",
        "gig-1__music__cd 2_a.wav",
    ]
    assert {stream.key for stream in album} == {"gig-1/music/a.wav", "gig-1/music/b.wav", "gig-1/music/cd 2/a.wav"}
    (crowd,) = of(corpus, "gig-1", "no_music")
    assert (crowd.name, crowd.key) == ("gig-1__no_music", "gig-1/no_music")


def test_a_file_that_is_its_own_package_is_called_by_it(tmp_path: Path) -> None:
    """As ever: whatever was kept of it is found again, and its rooms are the same."""
    (stream,) = of(folders(own(tmp_path, LOOSE + ALBUM)), "music/0.wav")
    assert (stream.name, stream.key, stream.place) == ("music_0.wav__music", "music/0.wav/music", "")


def test_rows_of_one_package_are_streams_of_their_own(tmp_path: Path) -> None:
    """Whatever folders they lie in; the version still hangs on the audio alone."""
    own(tmp_path, LOOSE)
    rows = ["music/0.wav,music,gig,train", "music/1.wav,music,gig,train", "no_music/0.wav,no_music,gig,train"]
    table = tmp_path / "mine.csv"
    names = []
    for order in (rows, rows[::-1]):
        table.write_text("\n".join(["path,label,package,split", *order]) + "\n")
        corpus = from_manifest(table)
        names.append((corpus.version, [stream.name for stream in corpus.streams]))
    assert names[0] == names[1]
    assert names[0][1] == ["gig__music__music_0.wav", "gig__music__music_1.wav", "gig__no_music"]


def test_paths_that_look_alike_are_told_apart(tmp_path: Path) -> None:
    """A package of its own each: a/b.wav and a_b.wav would be one file in a cache."""
    own(tmp_path, ["a/b.wav", "a_b.wav"])
    table = tmp_path / "mine.csv"
    table.write_text("path,label,split\na/b.wav,music,train\na_b.wav,music,train\n")
    corpus = from_manifest(table)
    assert len({stream.name for stream in corpus.streams}) == 2
    assert {stream.key for stream in corpus.streams} == {"a/b.wav/music", "a_b.wav/music"}


def test_a_row_that_comes_twice_is_refused(tmp_path: Path) -> None:
    """It would be heard twice under one name."""
    own(tmp_path, LOOSE)
    table = tmp_path / "mine.csv"
    table.write_text("path,label,package\nmusic/0.wav,music,gig\nmusic/1.wav,music,gig\nmusic/0.wav,music,gig\n")
    with pytest.raises(CorpusError, match=r"line 4: .*0\.wav is listed above, as music of the same package"):
        from_manifest(table)


def test_part_of_a_corpus_has_names_too(tmp_path: Path) -> None:
    """Of two files, the one that is left is alone."""
    corpus = folders(own(tmp_path, LOOSE + ALBUM[:2]))
    kept = assemble(tmp_path, [stream for stream in corpus.streams if stream.path.name != "b.wav"])
    assert [stream.name for stream in of(kept, "gig-1")] == ["gig-1__music"]


def test_ambience_of_one_name_but_for_the_suffix_is_two_streams(tmp_path: Path) -> None:
    """In a built corpus as well."""
    own(tmp_path, ["ambience/rain.wav", "ambience/rain.flac", "audio/kolf.wav"])
    head = "file,label,category,package,start,duration,source_path"
    (tmp_path / "manifest.csv").write_text(f"{head}\naudio/kolf.wav,no_music,ui,kolf,0.0,0.2,a.wav\n")
    rain = of(load_corpus(tmp_path), "ambience/rain", "no_music")
    assert [stream.name for stream in rain] == [
        "ambience_rain__no_music__rain.flac",
        "ambience_rain__no_music__rain.wav",
    ]


def test_a_folder_that_is_called_as_audio_is_a_folder(tmp_path: Path) -> None:
    """As albums are."""
    corpus = folders(own(tmp_path, [*LOOSE, "music/Live.flac/1.wav", "music/Live.flac/2.wav"]))
    assert len(of(corpus, "Live.flac")) == 2


def test_a_name_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    """In one sentence that says which."""
    own(tmp_path, LOOSE)
    try:
        (tmp_path / "music/0.wav").rename(tmp_path / "music" / os.fsdecode(b"caf\xe9.wav"))
    except OSError:
        pytest.skip("this file system takes no such names")
    with pytest.raises(CorpusError, match=r"caf.*\.wav: its name is not in UTF-8; rename it"):
        folders(tmp_path)
