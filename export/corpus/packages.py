"""Fetching a package (`AptDownloader`) and taking files out of it (`unpack`).

Nothing is installed and nothing of a package is run.
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from export.corpus.recipe import Package
from export.errors import CorpusError

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Download:
    """A fetched package."""

    path: Path
    """The .deb."""
    version: str
    """Differs from the recipe's where the suite no longer has that one."""
    sha256: str | None
    """What it must be according to the recipe or the package index, hex; None: unknown."""


Fetch = Callable[[Package, Path], Download]
"""Puts the .deb of a package into a folder, or raises CorpusError with what to do."""


class AptDownloader:
    """Fetches with `apt-get download`: the recipe's version, else the one that the suite has.

    Raises:
        CorpusError: this machine has no apt-get.
    """

    def __init__(self) -> None:
        apt, cache = shutil.which("apt-get"), shutil.which("apt-cache")
        if apt is None or cache is None:
            raise CorpusError(
                "apt-get is not on this machine; build the corpus on Debian, or in a Debian container, "
                "and copy the folder here"
            )
        self._apt, self._cache = apt, cache

    def fetch(self, package: Package, folder: Path) -> Download:
        """Put the .deb into the folder.

        Raises:
            CorpusError: apt does not know the package, or the download failed.
        """
        offered = self._offered(package)
        version = package.version if package.version in offered else next(iter(offered))
        # apt-get grumbles about its sandbox user on standard error even when all is well: only "E:" counts.
        done = _run(self._apt, "-o", "Acquire::Retries=3", "download", f"{package.name}={version}", folder=folder)
        found = sorted(folder.glob(f"{package.name}_*.deb"))
        if done.returncode != 0 or not found:
            lines = [line for line in done.stderr.splitlines() if line.startswith("E:")]
            reason = lines[-1].removeprefix("E: ") if lines else "apt-get gave no reason"
            raise CorpusError(f"{package.name}: the download failed: {reason}")
        expected = package.sha256 if version == package.version else None
        return Download(found[-1], version, expected or offered[version])

    def _offered(self, package: Package) -> dict[str, str | None]:
        """The versions that apt knows, the preferred one first, with their checksums."""
        done = _run(self._cache, "show", package.name)
        offered: dict[str, str | None] = {}
        for stanza in done.stdout.split("\n\n"):
            lines = [line for line in stanza.splitlines() if ": " in line and line[0] != " "]
            entries = dict(line.split(": ", 1) for line in lines)
            if "Version" in entries:
                offered.setdefault(entries["Version"], entries.get("SHA256"))
        if not offered:
            raise CorpusError(
                f"apt knows no package {package.name}; run `sudo apt-get update` first, on Debian 12 "
                "(bookworm) with main enabled, which the recipe is made for"
            )
        return offered


def _run(*command: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    # In a process group of its own: Ctrl-C reaches only the builder, which stops between two packages.
    return subprocess.run(  # noqa: S603 - arguments come from the recipe and the package index
        command, cwd=folder, capture_output=True, text=True, errors="replace", check=False, process_group=0
    )


def check_sha256(download: Download, name: str) -> None:
    """Compare a .deb with its expected checksum, where one is known.

    Raises:
        CorpusError: they differ.
    """
    if download.sha256 is not None and (found := sha256_of(download.path)) != download.sha256:
        raise CorpusError(
            f"{name}: the downloaded package has SHA-256 {found[:12]}..., expected {download.sha256[:12]}...; "
            "it is damaged or was changed, try again later or use another mirror"
        )


def sha256_of(path: Path) -> str:
    """A file's SHA-256, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpack(deb: Path, folder: Path, package: Package, wanted: Callable[[str], bool]) -> list[str]:
    """Take the wanted files out of a .deb, and out of zip archives in it that the recipe names.

    Args:
        deb: the package file.
        folder: where they go, under their path inside the package.
        package: says which archives to open.
        wanted: whether to take a path.

    Returns:
        The paths that were taken, relative to the folder; a member of an archive is ARCHIVE.d/MEMBER.

    Raises:
        CorpusError: the package or an archive is damaged, or a path in it would leave the folder.
    """
    taken: list[str] = []
    archives: list[str] = []
    with _tar_of(deb, package.name) as stream:
        for path, data in _tar_files(stream, package.name):
            if path in package.archives:
                archives.append(path)
            elif wanted(path):
                taken.append(path)
            else:
                continue
            _write(folder / path, data)
    for archive in archives:
        taken.extend(_unzip(folder, archive, package.name, wanted))
    return taken


@contextmanager
def _tar_of(deb: Path, name: str) -> Iterator[IO[bytes]]:
    """The package's files as a tar stream, checked to its end."""
    program = shutil.which("dpkg-deb")
    if program is None:
        raise CorpusError("dpkg-deb is not on this machine; install the package dpkg")
    command = [program, "--fsys-tarfile", str(deb)]
    with subprocess.Popen(  # noqa: S603 - program and path are ours
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, process_group=0
    ) as child:
        stream = cast("IO[bytes]", child.stdout)
        try:
            yield stream
            # The last blocks of a tar are padding; left unread, dpkg-deb would die of a closed pipe.
            while stream.read(_CHUNK_BYTES):
                pass
        except (tarfile.TarError, EOFError) as error:
            raise CorpusError(f"{name}: {deb.name} is damaged: {error}; build again to fetch it anew") from error
        finally:
            if sys.exc_info()[0] is not None:
                child.kill()
    if child.returncode != 0:
        raise CorpusError(f"{name}: {deb.name} is damaged; build again to fetch it anew")


def _tar_files(stream: IO[bytes], name: str) -> Iterator[tuple[str, IO[bytes]]]:
    """Regular files of a tar stream; links and devices hold no audio of their own."""
    with tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in tar:
            if member.isreg() and (data := tar.extractfile(member)) is not None:
                yield _safe(member.name, name), data


def _unzip(folder: Path, archive: str, name: str, wanted: Callable[[str], bool]) -> list[str]:
    """Take the wanted members out of one zip archive and delete it."""
    taken = []
    try:
        with zipfile.ZipFile(folder / archive) as file:
            for member in file.infolist():
                if member.is_dir():
                    continue
                path = f"{archive}.d/{_safe(member.filename, name)}"
                if wanted(path):
                    with file.open(member) as data:
                        _write(folder / path, data)
                    taken.append(path)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise CorpusError(f"{name}: {archive} in the package is damaged: {error}") from error
    (folder / archive).unlink()
    return taken


def _safe(path: str, name: str) -> str:
    """A path inside a package, without the leading `./`; refused if it would leave the folder."""
    parts = PurePosixPath(path.replace("\\", "/")).parts
    if ".." in parts or path.startswith(("/", "\\")) or not parts:
        raise CorpusError(f"{name}: a file in the package is named {path!r}, outside of it; not unpacked")
    return "/".join(parts)


def _write(path: Path, data: IO[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        shutil.copyfileobj(data, file, _CHUNK_BYTES)
