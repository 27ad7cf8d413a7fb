"""Which files `oido classify` is to hear: those named, those in folders, and one on standard input."""

import os
import shutil
import stat
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from device.errors import SourceError
from device.sources.decoding import AudioFile

STANDARD_INPUT = "-"

_SUFFIXES = frozenset(
    (  # noqa: SIM905 - five lines instead of seventy
        ".3g2 .3gp .aac .ac3 .adts .aif .aifc .aiff .alac .amr .ape .asf .au .avi .awb .bwf .caf .dff .dsf .dts "
        ".eac3 .f4a .f4v .flac .flv .gsm .m2ts .m4a .m4b .m4r .m4v .mka .mkv .mov .mp+ .mp1 .mp2 .mp3 .mp4 .mpc "
        ".mpeg .mpg .mpga .mts .mxf .oga .ogg .ogm .ogv .ogx .opus .qt .ra .ram .rf64 .rm .rmvb .sd2 .shn .snd "
        ".spx .tak .tta .ts .voc .vob .w64 .wav .wave .weba .webm .wma .wmv .wv .xa"
    ).split(" ")
)
"""Of what is taken from a folder."""


@dataclass(slots=True)
class Found:
    """What there is to hear."""

    files: list[str] = field(default_factory=list)
    """In the order named; those of a folder by name, and before those of the folders in it."""
    bytes: list[int] = field(default_factory=list)
    """How big each is, to show progress."""
    names: list[str] = field(default_factory=list)
    """What each is called in the folder that its word has named, or by itself; not always different."""
    failures: list[str] = field(default_factory=list)
    """Folders that cannot be read or hold nothing, one sentence each."""
    remarks: list[str] = field(default_factory=list)
    """What was passed over in folders, one sentence each."""


def find(words: Sequence[str]) -> Found:
    """Find the files that words of a command line name."""
    found = Found()
    for word in words:
        if word != STANDARD_INPUT and os.path.isdir(word):  # noqa: PTH112 - never fails, however long the name
            _walk(word, found)
        else:
            _add(word, Path(word).name or word, found)
    return found


def _add(file: str, name: str, found: Found) -> None:
    try:
        size = Path(file).stat().st_size
    except (OSError, ValueError):
        size = 0  # whoever opens it will say what is wrong
    found.files.append(file)
    found.bytes.append(size)
    found.names.append(name)


def _walk(folder: str, found: Found) -> None:
    """Add what is in a folder, links to other folders included, each once."""
    seen: set[tuple[int, int]] = set()
    passed_over: Counter[str] = Counter()
    before = len(found.files)

    def complain(error: OSError) -> None:
        found.failures.append(f"{error.filename}: cannot be read: {error.strerror}")

    for path, folders, names in os.walk(folder, onerror=complain, followlinks=True):
        status = Path(path).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            suffix = Path(name).suffix.lower()
            if suffix in _SUFFIXES and not name.startswith("."):
                _add(str(Path(path) / name), str(Path(path, name).relative_to(folder)), found)
            else:
                passed_over[suffix or "no suffix"] += 1
    if passed_over:
        kinds = ", ".join(sorted(passed_over))
        found.remarks.append(
            f"{folder}: {passed_over.total()} files that have no name of a recording were passed over ({kinds})"
        )
    if len(found.files) == before and not found.failures:
        found.failures.append(f"{folder}: no recordings are in it")


@contextmanager
def opened(file: str) -> Iterator[AudioFile]:
    """A file of `find`, ready to be heard.

    What comes through a pipe is kept in a temporary file without a name until then, as most formats are not read
    from front to back.

    Raises:
        SourceError: standard input is a terminal or closed, or cannot be kept.
    """
    if file != STANDARD_INPUT:
        yield AudioFile(Path(file))
        return
    if sys.stdin is None:
        raise SourceError("standard input is closed; pipe a recording into it, or name a file")
    source = sys.stdin.fileno()
    if stat.S_ISREG(os.fstat(source).st_mode):
        yield AudioFile(Path(file), descriptor=source)
        return
    if os.isatty(source):
        raise SourceError("standard input is a terminal; pipe a recording into it, or name a file")
    with tempfile.TemporaryFile() as kept:
        try:
            with open(source, "rb", closefd=False) as stream:
                shutil.copyfileobj(stream, kept, 1 << 20)
            kept.flush()
        except OSError as error:
            raise SourceError(
                f"standard input cannot be kept in {tempfile.gettempdir()} to be read: {error.strerror}"
            ) from error
        yield AudioFile(Path(file), descriptor=kept.fileno())
