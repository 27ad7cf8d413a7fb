"""Finding and loading a corpus: `find_corpus`, then `load_corpus`.

A corpus folder holds

    manifest.csv        file,label,category,package,start,duration,source_path: one row a clip, seconds
    audio files         one a package and label, 16 kHz mono; the clips stand in them end to end
    checksums.sha256    as sha256sum writes it; only where the builder made the folder
    ambience/           optional: any audio, all no_music, always in train, not redistributed
"""

import itertools
import math
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from export.corpus.recipe import LABELS, Label, load_recipe, load_splits
from export.corpus.streams import AUDIO_SUFFIXES, Clip, Corpus, Stream, assemble, audio_length_s, read_rows
from export.corpus.userdata import FOLDERS, folders, from_manifest
from export.errors import CorpusError

MANIFEST = "manifest.csv"
COLUMNS = ("file", "label", "category", "package", "start", "duration", "source_path")

_SLACK_S = 0.1
"""A clip may pass the end of its file by this: Opus pads and trims at its frame size of 20 ms."""
_CHECKOUT = Path(__file__).resolve().parents[2]


def find_corpus(
    directory: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    *,
    prepared: Path | None = None,
) -> Path:
    """Where the corpus is: `--corpus`, `OIDO_CORPUS`, the user's cache, or shared/corpus beside the checkout.

    Args:
        directory: what `--corpus` says; None searches.
        environment: where OIDO_CORPUS, XDG_CACHE_HOME and HOME are looked up.
        prepared: the last place to look; None is `prepared_directory`.

    Raises:
        CorpusError: there is no corpus, or none where one was named.
    """
    how = "`oido-export corpus build` makes one"
    named = (
        ("--corpus", directory),
        ("OIDO_CORPUS", Path(environment["OIDO_CORPUS"]) if environment.get("OIDO_CORPUS") else None),
    )
    for origin, path in named:
        if path is not None:
            if (path / MANIFEST).is_file() or _has_folders(path):
                return path
            raise CorpusError(
                f"{path} ({origin}) holds no {MANIFEST}, nor music and no_music, so it is not a corpus; {how}"
            )
    cached = cache_directory(environment)
    for path in (cached, prepared or prepared_directory()):
        if (path / MANIFEST).is_file():
            return path
    raise CorpusError(f"no training corpus in {cached}; {how}, or point --corpus or OIDO_CORPUS to one")


def features_directory(chosen: Path | None) -> Path:
    """Where features and scores are kept: the chosen folder, else oido/features in the user's cache."""
    return chosen or cache_directory().parent / "features"


def networks_directory(chosen: Path | None) -> Path:
    """Where trainings and scenes are kept: the chosen folder, else oido/networks in the user's cache."""
    return chosen or cache_directory().parent / "networks"


def cache_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the corpus is built unless told otherwise: oido/corpus in the user's cache."""
    home = environment.get("HOME") or Path.home()
    return Path(environment.get("XDG_CACHE_HOME") or Path(home, ".cache")) / "oido" / "corpus"


def prepared_directory() -> Path:
    """Where a corpus prepared for everyone on a machine lies: shared/corpus beside the checkout."""
    return _CHECKOUT.parent / "shared" / "corpus"


def load_corpus(root: Path) -> Corpus:
    """Read a corpus: built or prepared, with its ambience recordings, or a user's own.

    Args:
        root: the folder with manifest.csv. A user's own has a column `path` there (`from_manifest`), or the
            folders music
            and no_music (`folders`).

    Raises:
        CorpusError: a row is wrong, a package is not in the splits, or an audio file is missing or too short.
    """
    if not (root / MANIFEST).is_file():
        if not _has_folders(root):
            raise CorpusError(f"{root}: neither {MANIFEST} nor the folders music/ and no_music/ are in it")
        return folders(root)
    if _is_own(root / MANIFEST):
        return from_manifest(root / MANIFEST)
    rows: dict[tuple[str, Label, str], list[Clip]] = defaultdict(list)
    for line, row in read_rows(root / MANIFEST, COLUMNS):
        where = f"{root / MANIFEST}, line {line}"
        label = row["label"]
        if label not in LABELS:
            raise CorpusError(f"{where}: label {label!r} is not one of {', '.join(LABELS)}")
        clip = Clip(
            _seconds(row["start"], where),
            _seconds(row["duration"], where),
            row["category"],
            row["source_path"],
        )
        if clip.duration_s <= 0:
            raise CorpusError(f"{where}: duration must be above 0")
        rows[row["package"], label, row["file"]].append(clip)
    splits = load_splits()
    streams = []
    for (package, label, file), clips in rows.items():
        if package not in splits:
            raise CorpusError(f"{root / MANIFEST}: {package!r} is in no split; is this made from another recipe?")
        path = _inside(root, file)
        ordered = tuple(sorted(clips, key=lambda clip: clip.start_s))
        _check_layout(path, ordered)
        streams.append(Stream(package, label, splits[package], path, ordered, place=file))
    streams.extend(_ambience(root / "ambience"))
    return assemble(root, streams, salt=load_recipe().digest)


def _has_folders(root: Path) -> bool:
    """Whether there is one of the two folders of a user's own corpus; `folders` checks the rest."""
    return any((root / folder).is_dir() for folder in FOLDERS)


def _is_own(manifest: Path) -> bool:
    """Whether a user wrote it: what the builder writes has a column `file` instead of `path`."""
    with manifest.open(encoding="utf-8", errors="replace") as lines:
        return "path" in [name.strip() for name in lines.readline().split(",")]


def _seconds(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise CorpusError(f"{where}: {text!r} is not a number of seconds")
    return value


def _inside(root: Path, file: str) -> Path:
    """The path of a file that a manifest names, which must lie in the corpus."""
    path = root / file
    if not path.resolve().is_relative_to(root.resolve()):
        raise CorpusError(f"{root / MANIFEST}: {file!r} lies outside the corpus")
    return path


def _check_layout(path: Path, clips: Sequence[Clip]) -> None:
    """Refuse clips that overlap or pass the end of their file: their labels would be wrong."""
    rounding_s = 0.001
    for before, after in itertools.pairwise(clips):
        if after.start_s < before.start_s + before.duration_s - rounding_s:
            raise CorpusError(f"{path}: {after.source_path} begins before {before.source_path} has ended")
    end_s = clips[-1].start_s + clips[-1].duration_s
    length_s = audio_length_s(path)
    if end_s > length_s + _SLACK_S:
        raise CorpusError(
            f"{path}: {length_s:.1f} s long, but the manifest goes to {end_s:.1f} s; "
            "build it again or copy it whole"
        )


def _ambience(folder: Path) -> list[Stream]:
    """One stream for each recording; the category is the part of its name before `_`."""
    if not folder.is_dir():
        return []
    streams = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in AUDIO_SUFFIXES:
            clip = Clip(0.0, audio_length_s(path), path.stem.partition("_")[0], path.name)
            streams.append(Stream(f"ambience/{path.stem}", "no_music", "train", path, (clip,), place=path.name))
    return streams
