"""export.corpus.naming: names that files can have, another for every stream."""

from pathlib import Path

import pytest

from export.corpus.naming import LONGEST_BYTES, Source, unique_names

LONG = "ñandú " * 40

AWKWARD: tuple[Source, ...] = (
    ("gig", "music", "a.wav"),
    ("gig", "music", "a.flac"),
    ("gig", "music", "cd 1/a.flac"),
    ("gig", "music", "cd 1_a.flac"),
    ("gig", "music", "A.flac"),
    ("gig", "no_music", ""),
    ("Gig", "no_music", ""),
    ("music/a/b.wav", "music", ""),
    ("music/a_b.wav", "music", ""),
    ("gig", "music", f"{LONG}1.flac"),
    ("gig", "music", f"{LONG}2.flac"),
    (LONG, "music", ""),
    (f"{LONG}2", "music", ""),
    ("..", "music", "../x\0.wav"),
)


def test_the_only_one_is_called_by_its_package_and_label() -> None:
    """What has been kept of such streams is found again, whatever other packages there are."""
    sources = [("ambience/rain", "no_music", ""), ("gig-1.wav", "music", ""), ("gig-1.wav", "mixed", "")]
    assert unique_names(sources) == ["ambience_rain__no_music", "gig-1.wav__music", "gig-1.wav__mixed"]


def test_several_are_told_apart_by_their_places() -> None:
    """Readable, since progress shows them; the package's no music is alone and keeps its name."""
    sources = [("gig", "music", "a.wav"), ("gig", "music", "cd1/a.wav"), ("gig", "no_music", "")]
    assert unique_names(sources) == ["gig__music__a.wav", "gig__music__cd1_a.wav", "gig__no_music"]


def test_no_two_are_called_alike() -> None:
    """Nor where capitals and small letters are the same."""
    names = unique_names(AWKWARD)
    assert len({name.casefold() for name in names}) == len(AWKWARD)
    assert names[0] == "gig__music__a.wav"


def test_what_is_kept_of_any_of_them_is_a_file_of_its_own(tmp_path: Path) -> None:
    """With all that is put around the name, on a real file system."""
    for name in unique_names(AWKWARD):
        (tmp_path / f"mixture__{name}__12345s.npz.part").touch(exist_ok=False)
    assert len(list(tmp_path.iterdir())) == len(AWKWARD)


@pytest.mark.parametrize("package", ["x" * (LONGEST_BYTES - len("__music")), "é" * 106 + "x"])
def test_a_name_is_cut_only_where_it_is_too_long(package: str) -> None:
    """The last that fits stays whole, in bytes as they are written; one more and a digest ends it."""
    fits, long = unique_names([(package, "music", ""), (f"{package}2", "music", "")])
    assert fits == f"{package}__music"
    assert len(long.encode()) <= LONGEST_BYTES
    assert long.startswith(package[:90])


def test_names_do_not_hang_on_the_order() -> None:
    """Another order of the same streams finds the same files."""
    assert unique_names(AWKWARD[::-1])[::-1] == unique_names(AWKWARD)
