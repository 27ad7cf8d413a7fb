"""From the recipe to a corpus folder: audio files, manifest.csv and checksums.

A package is done once there is `state/NAME.json`, which is written last. Every file appears under its name only
when it is whole. So a build can be stopped at any time, and the next one does only what is left. A package whose
rules or settings have changed counts as not done.
"""

import csv
import hashlib
import json
import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path

from device.sound import SAMPLE_RATE
from export.corpus.audio import find_ffmpeg
from export.corpus.dataset import COLUMNS, MANIFEST
from export.corpus.integrity import write_checksums
from export.corpus.packages import Download, Fetch, check_sha256, sha256_of, unpack
from export.corpus.recipe import LABELS, Package, Recipe, Settings
from export.corpus.writing import ManifestRow, Writer
from export.errors import CorpusError
from export.whole_file import whole_file

_GIVE_UP_AFTER = 3
"""This many failures before the first success mean that there is no network."""
_FLAC_SHARE = 0.65
"""FLAC's size as a share of PCM's; only for the estimate of disk space."""
_UNPACKED_SHARE = 2.0
"""Space for a package while it is built (archives and files in it), as a multiple of the .deb."""


@dataclass(frozen=True, slots=True)
class Built:
    """One package, done."""

    package: str
    recipe: str
    """Hash of the package's entry and the settings that it was built with."""
    version: str
    rows: list[ManifestRow]
    """Rows of the manifest, in its columns' order."""
    files: dict[str, str]
    """Audio file names, relative to the corpus, and their SHA-256."""
    undecodable: list[str]
    """Paths in the package that ffmpeg could not decode."""

    @property
    def seconds(self) -> float:
        """How much audio it gave."""
        return sum(float(row[COLUMNS.index("duration")]) for row in self.rows)


@dataclass(frozen=True, slots=True)
class Space:
    """Disk space that a build needs, in bytes."""

    download: int
    result: int
    peak: int
    """In the work folder, at most, while it runs."""


OnOutcome = Callable[[Package, Built | CorpusError], None]
"""Called after each package, from the thread that called `Builder.build`."""


class _StoppedError(Exception):
    """Another package's failure, or Ctrl-C, ended the build."""


@dataclass(kw_only=True)
class Builder:
    """Builds a recipe's packages into a folder.

    Raises:
        CorpusError: ffmpeg is missing.
    """

    recipe: Recipe
    out: Path
    """The corpus folder."""
    work: Path
    """For downloads and unpacked files; emptied package by package."""
    fetch: Fetch
    """Where packages come from."""
    jobs: int = 2
    """Packages at once."""
    keep_packages: bool = False
    """Leave the .deb files in work/packages, and use those that are there."""

    def __post_init__(self) -> None:  # noqa: D105 - what all packages share
        self._stop = threading.Event()
        self._writer = Writer(
            settings=self.recipe.settings, out=self.out, ffmpeg=find_ffmpeg(), check_stop=self._check_stop
        )

    def pending(self, only: Sequence[str] = ()) -> tuple[Package, ...]:
        """The packages still to be built, the largest first: a large one at the end would keep one process busy.

        Args:
            only: names to choose from; empty: the whole recipe.

        Raises:
            CorpusError: a name is not in the recipe.
        """
        chosen = [self.recipe.package(name) for name in only] or list(self.recipe.packages)
        left = [package for package in chosen if self._done(package) is None]
        return tuple(sorted(left, key=lambda package: (-package.size_bytes, package.name)))

    def space(self, packages: Sequence[Package]) -> Space:
        """Estimate what building these packages takes."""
        download = sum(package.size_bytes for package in packages)
        minutes = sum(sum(package.minutes.values()) for package in packages)
        largest = sorted((package.size_bytes for package in packages), reverse=True)[: self.jobs]
        unpacked = round(sum(largest) * _UNPACKED_SHARE)
        return Space(
            download=download,
            result=round(minutes * 60 * SAMPLE_RATE * 2 * _FLAC_SHARE),
            peak=unpacked + (download if self.keep_packages else sum(largest)),
        )

    def build(self, packages: Sequence[Package], report: OnOutcome) -> None:
        """Build packages, then write the manifest and checksums of everything that is done.

        Raises:
            CorpusError: some packages failed; what succeeded stays.
            KeyboardInterrupt: as it came; what was done stays.
        """
        failed: dict[str, CorpusError] = {}
        succeeded = 0
        with ThreadPoolExecutor(self.jobs, thread_name_prefix="corpus") as pool:
            running = {pool.submit(self._build, package): package for package in packages}
            try:
                while running and not (succeeded == 0 and len(failed) >= _GIVE_UP_AFTER):
                    # One at a time, so that giving up does not wait for those that fail meanwhile.
                    future = wait(running, return_when=FIRST_COMPLETED).done.pop()
                    package = running.pop(future)
                    try:
                        outcome: Built | CorpusError = future.result()
                        succeeded += 1
                    except CorpusError as error:
                        outcome = failed[package.name] = error
                    report(package, outcome)
            finally:
                self._stop.set()
                pool.shutdown(cancel_futures=True)
                self._stop.clear()
                self._write_manifest()
        if failed:
            raise CorpusError(
                f"{len(failed)} of {len(packages)} packages failed ({next(iter(failed.values()))}); "
                "run the same command again to do what is left"
            )

    def _done(self, package: Package) -> Built | None:
        """The package's state, if this recipe built it and its files are there."""
        try:
            table = json.loads((self.out / "state" / f"{package.name}.json").read_text(encoding="utf-8"))
            built = Built(**table)
        except (OSError, ValueError, TypeError):
            return None  # never built, or by another version of this program: built again either way
        whole = all((self.out / name).is_file() for name in built.files)
        return built if whole and built.recipe == _fingerprint(package, self.recipe.settings) else None

    def _build(self, package: Package) -> Built:
        folder = self.work / package.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            download = self._fetch(package, folder)
            files = folder / "files"
            paths = unpack(download.path, files, package, lambda path: self._wants(package, path))
            if not self.keep_packages:
                download.path.unlink()
            written = self._writer.write(package, files, {path: package.classify(path) for path in paths})
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        built = Built(
            package=package.name,
            recipe=_fingerprint(package, self.recipe.settings),
            version=download.version,
            rows=written.rows,
            files=written.files,
            undecodable=written.undecodable,
        )
        with whole_file(self.out / "state" / f"{package.name}.json") as part:
            part.write_text(json.dumps(asdict(built), indent=1) + "\n", encoding="utf-8")
        return built

    def _fetch(self, package: Package, folder: Path) -> Download:
        """The package's .deb, checked; a kept one if it is the recipe's."""
        self._check_stop()
        kept = self.work / "packages"
        for path in kept.glob(f"{package.name}_*.deb"):
            if package.sha256 is not None and sha256_of(path) == package.sha256:
                return Download(path, package.version, package.sha256)
        download = self.fetch(package, folder)
        check_sha256(download, package.name)
        if not self.keep_packages:
            return download
        kept.mkdir(parents=True, exist_ok=True)
        return Download(download.path.replace(kept / download.path.name), download.version, download.sha256)

    def _wants(self, package: Package, path: str) -> bool:
        """Whether a file of the package is audio that the corpus uses."""
        return package.holds_audio(path, self.recipe.settings) and package.classify(path)[0] in LABELS

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise _StoppedError

    def _write_manifest(self) -> None:
        """Write manifest and checksums of everything that is done, by this run or earlier ones."""
        done = [built for package in self.recipe.packages if (built := self._done(package))]
        if not done:
            return
        with whole_file(self.out / MANIFEST) as part, part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for built in sorted(done, key=lambda built: built.package):
                writer.writerows(built.rows)
        sums = {name: digest for built in done for name, digest in built.files.items()}
        write_checksums(self.out, sums | {MANIFEST: sha256_of(self.out / MANIFEST)})


def check_space(space: Space, out: Path, work: Path) -> None:
    """Refuse a build that would fill the disk.

    Raises:
        CorpusError: there is too little free; the message gives both figures.
    """
    out.mkdir(parents=True, exist_ok=True)
    work.mkdir(parents=True, exist_ok=True)
    needs = {out: space.result, work: space.peak}
    if out.stat().st_dev == work.stat().st_dev:
        needs = {out: space.result + space.peak}
    for folder, need in needs.items():
        free = shutil.disk_usage(folder).free
        if free < need:
            raise CorpusError(
                f"{folder}: {free / 1e9:.1f} GB free and about {need / 1e9:.1f} GB needed; free some, "
                "or choose other places with --out and --work"
            )


def _fingerprint(package: Package, settings: Settings) -> str:
    """Changes with anything that changes what is built."""
    entry = json.dumps([asdict(package), asdict(settings)], sort_keys=True)
    return hashlib.sha256(entry.encode()).hexdigest()[:16]
