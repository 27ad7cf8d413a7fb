"""Checksums of a built corpus, and the lock that keeps two builds apart."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from export.corpus.packages import sha256_of
from export.errors import CorpusError
from export.whole_file import whole_file

CHECKSUMS = "checksums.sha256"


@contextmanager
def sole_use(folder: Path) -> Iterator[None]:
    """Lock a folder for this process while the block runs; the kernel unlocks it even after kill -9.

    Raises:
        CorpusError: another process is at work in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CorpusError(
                f"{folder}: another build is at work here; wait for it, or choose another --out"
            ) from error
        yield


def write_checksums(root: Path, sums: Mapping[str, str]) -> None:
    """Write checksums.sha256 as sha256sum does, from hex digests by file name relative to the corpus."""
    with whole_file(root / CHECKSUMS) as part:
        part.write_text("".join(f"{sums[name]}  {name}\n" for name in sorted(sums)), encoding="utf-8")


def verify(root: Path) -> Iterator[tuple[str, str | None]]:
    """Compare every file with its checksum.

    Yields:
        Each file's name, and what is wrong with it, or None.

    Raises:
        CorpusError: there are no checksums, or the file that holds them is damaged.
    """
    path = root / CHECKSUMS
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise CorpusError(
            f"{root}: there is no {CHECKSUMS}; only what `oido-export corpus build` made has them"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path}: cannot read it: {error}") from error
    for number, line in enumerate(lines, 1):
        expected, separator, name = line.partition("  ")
        if not separator or os.path.isabs(name):  # noqa: PTH117 - a name, not yet a path
            raise CorpusError(f"{path}, line {number}: not a line of sha256sum")
        file = root / name
        if not file.is_file():
            yield name, "is missing"
        elif sha256_of(file) != expected:
            yield name, "has changed"
        else:
            yield name, None
