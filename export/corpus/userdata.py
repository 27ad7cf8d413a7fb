"""A user's own recordings as a `Corpus`: two folders, or a CSV that lists files.

All files of one source (an album, a radio station, a room) form one package; each file is a stream. A package is
never split, so that a model is tested on sources that it has not heard. Without a given split, a hash of the seed
and the package's name decides between train (60 %), validation (20 %) and test (20 %), so that packages stay where
they are when others are added. If a split would have no music, or nothing else, the package with the nearest hash
moves.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from export.corpus.recipe import LABELS, SPLITS, Label, Split
from export.corpus.streams import AUDIO_SUFFIXES, Clip, Corpus, Stream, assemble, audio_length_s, read_rows
from export.errors import CorpusError

_UPPER_BOUNDS: dict[Split, float] = {"train": 0.6, "validation": 0.8, "test": 1.0}
"""A package whose hash, as a fraction, lies under the bound falls into that split."""
FOLDERS: tuple[Label, ...] = ("music", "no_music")
"""What a user sorts files into; sub-folders of theirs are packages."""

Found = tuple[Path, Label, str, str]
"""An audio file, what it holds, the package it belongs to, and its path within that."""


def folders(root: Path, *, seed: int = 0) -> Corpus:
    """Read `root/music/` and `root/no_music/`; another seed splits otherwise.

    A file directly in them is a package of its own. All files in a sub-folder, at any depth, are one package.
    Sub-folders of the same name under music and no_music are the same package.

    Raises:
        CorpusError: a folder is missing or empty, a file cannot be read, its name is not UTF-8, or there are too
            few
            packages.
    """
    found: list[Found] = []
    for label in FOLDERS:
        folder = root / label
        if not folder.is_dir():
            raise CorpusError(f"{root}: there is no folder {label!r} in it; it needs music/ and no_music/")
        paths = [
            path for path in sorted(folder.rglob("*")) if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file()
        ]
        if not paths:
            raise CorpusError(f"{folder}: no audio in it; readable are {' '.join(AUDIO_SUFFIXES)}")
        for path in paths:
            inner = path.relative_to(folder)
            try:
                str(inner).encode()
            except UnicodeEncodeError as error:
                raise CorpusError(f"{path}: its name is not in UTF-8; rename it") from error
            if len(inner.parts) > 1:
                package = inner.parts[0]
                found.append((path, label, package, str(inner.relative_to(package))))
            else:
                found.append((path, label, f"{label}/{inner.name}", inner.name))
    return _corpus(root, found, split_packages(_labels_of(found), seed=seed, where=str(root)))


def from_manifest(path: Path, *, seed: int = 0) -> Corpus:
    """Read a CSV with the columns path,label and, if wanted, package and split; another seed splits otherwise.

    path is relative to the CSV's folder, or absolute. label is music, no_music or mixed. package names the source;
    where it is empty or missing, each file is a package. split is train, validation or test; if there is such a
    column, every row needs one.

    Raises:
        CorpusError: a row is wrong or there twice, a package lies in two splits, or there are too few packages.
    """
    found: list[Found] = []
    listed: set[tuple[Path, Label, str]] = set()
    given: dict[str, Split] = {}
    for line, row in read_rows(path, ("path", "label")):
        where = f"{path}, line {line}"
        label, package = row["label"], row.get("package") or row["path"]
        if label not in LABELS:
            raise CorpusError(f"{where}: label {label!r} is not one of {', '.join(LABELS)}")
        audio = path.parent / row["path"]
        if not audio.is_file():
            raise CorpusError(f"{where}: {audio}: no such file")
        if (audio, label, package) in listed:
            raise CorpusError(f"{where}: {audio} is listed above, as {label} of the same package; leave one out")
        listed.add((audio, label, package))
        found.append((audio, label, package, _inside(path.parent, audio)))
        if "split" in row:
            split = row["split"]
            if split not in SPLITS:
                raise CorpusError(f"{where}: split {split!r} is not one of {', '.join(SPLITS)}")
            if given.setdefault(package, split) != split:
                raise CorpusError(
                    f"{where}: package {package!r} is in {given[package]} and in {split}; it must stay in one"
                )
    return _corpus(path.parent, found, given or split_packages(_labels_of(found), seed=seed, where=str(path)))


def split_packages(
    labels: Mapping[str, frozenset[Label]], *, seed: int = 0, where: str = "the data"
) -> dict[str, Split]:
    """Choose each package's split, as the module docstring says.

    Args:
        labels: the labels that each package holds; mixed counts as music.
        seed: another seed splits otherwise.
        where: named in the error.

    Raises:
        CorpusError: fewer than three packages hold music, or fewer than three hold no music.
    """
    position = {package: _fraction(f"{seed}/{package}") for package in labels}
    splits: dict[str, Split] = {}
    for package, at in position.items():
        splits[package] = next(split for split, bound in _UPPER_BOUNDS.items() if at < bound)
    for label in FOLDERS:
        holders = sorted(package for package, held in labels.items() if label in held)
        if len(holders) < len(SPLITS):
            raise CorpusError(
                f"{where}: {len(holders)} source packages of {label}, and {len(SPLITS)} are needed to train, "
                "validate and test; add some, or give every file a split in a CSV"
            )
        for split, bound in _UPPER_BOUNDS.items():
            if any(splits[package] == split for package in holders):
                continue
            spare = [package for package in holders if _can_leave(package, splits, labels)]
            if not spare:
                raise CorpusError(f"{where}: no way to have {label} in {split}; give every file a split in a CSV")
            nearest = min((abs(position[package] - bound), package) for package in spare)
            splits[nearest[1]] = split
    return splits


def _can_leave(package: str, splits: Mapping[str, Split], labels: Mapping[str, frozenset[Label]]) -> bool:
    """Whether a package's split still holds each of the package's labels without it."""
    others = [name for name, split in splits.items() if split == splits[package] and name != package]
    return all(any(label in labels[name] for name in others) for label in labels[package])


def _fraction(text: str) -> float:
    """A number in [0, 1) that depends only on the text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


def _labels_of(found: list[Found]) -> dict[str, frozenset[Label]]:
    """The labels of each package; mixed counts as music."""
    labels: dict[str, set[Label]] = defaultdict(set)
    for _, label, package, _ in found:
        labels[package].add("music" if label == "mixed" else label)
    return {package: frozenset(held) for package, held in labels.items()}


def _corpus(root: Path, found: list[Found], splits: Mapping[str, Split]) -> Corpus:
    streams = []
    for path, label, package, place in found:
        clip = Clip(0.0, audio_length_s(path), "user", _inside(root, path))
        streams.append(Stream(package, label, splits[package], path, (clip,), place=place))
    return assemble(root, streams)


def _inside(root: Path, path: Path) -> str:
    """The path relative to a folder; all of it where it lies elsewhere."""
    return str(path.relative_to(root) if path.is_relative_to(root) else path)
