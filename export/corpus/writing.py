"""The files of one unpacked package -> one FLAC file a label, and the rows of the manifest.

FLAC of 16 bits rather than Opus: it is exact, so that features do not depend on an encoder's version, and
takes two thirds of PCM's space (Opus at 24 kbit/s would take a tenth).
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import soundfile

from device.sound import SAMPLE_RATE
from export.corpus import audio
from export.corpus.packages import sha256_of
from export.corpus.recipe import LABELS, Label, Package, Settings, Verdict
from export.whole_file import whole_file

ManifestRow = list[str | float]
"""file, label, category, package, start, duration, source_path: `export.corpus.dataset.COLUMNS`."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a package gave."""

    rows: list[ManifestRow] = field(default_factory=list)
    """Rows of the manifest."""
    files: dict[str, str] = field(default_factory=dict)
    """Audio file names, relative to the corpus, and their SHA-256."""
    undecodable: list[str] = field(default_factory=list)
    """Paths in the package that ffmpeg could not decode."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Decodes, trims, caps and writes."""

    settings: Settings
    out: Path
    """The corpus folder."""
    ffmpeg: str
    """The program."""
    check_stop: Callable[[], None]
    """Called before each file; raises to end the work."""

    def write(self, package: Package, folder: Path, kinds: Mapping[str, tuple[Verdict, str]]) -> Written:
        """One audio file for each label of a package, from its files in a folder: label and category by path."""

        # The order is that of a hash: a cap then takes a sample of the package, not its first directory.
        def place(path: str) -> str:
            return hashlib.md5(f"{package.name}/{path}".encode(), usedforsecurity=False).hexdigest()

        ordered = sorted(kinds, key=place)[: package.max_files]
        written = Written()
        for label in LABELS:
            paths = [path for path in ordered if kinds[path][0] == label]
            name = f"audio/{package.name}__{label}.flac"
            (self.out / name).unlink(missing_ok=True)
            if not paths:
                continue
            rows: list[ManifestRow] = []
            with whole_file(self.out / name) as part:
                categories = {path: kinds[path][1] for path in paths}
                for category, start_s, duration_s, path in self._clips(
                    part, label, folder, categories, written.undecodable
                ):
                    rows.append([name, label, category, package.name, start_s, duration_s, path])
            if rows:
                written.rows.extend(rows)
                written.files[name] = sha256_of(self.out / name)
            else:
                (self.out / name).unlink()
        return written

    def _clips(
        self, part: Path, label: Label, folder: Path, categories: Mapping[str, str], undecodable: list[str]
    ) -> list[tuple[str, float, float, str]]:
        """Write the clips of one label end to end; gives category, start, duration and path of each."""
        settings = self.settings
        cap = round(settings.cap_minutes * 60 * SAMPLE_RATE)
        share_s = max(settings.cap_minutes * 60 / len(categories), settings.min_track_s)
        clips = []
        position = 0
        with soundfile.SoundFile(part, "w", SAMPLE_RATE, 1, subtype="PCM_16", format="FLAC") as file:
            for path, category in categories.items():
                if position >= cap:
                    break
                self.check_stop()
                samples = audio.decode(folder / path, ffmpeg=self.ffmpeg, limit_s=settings.max_file_s)
                if samples is None:
                    undecodable.append(path)
                    continue
                if not audio.is_long_enough(samples, label, category, settings):
                    continue
                samples = audio.trim(samples, settings.trim_dbfs)
                if label == "music":  # a part of every piece is more varied than a few whole pieces
                    samples = audio.middle(samples, share_s)
                samples = samples[: cap - position]
                if len(samples) < settings.min_file_s * SAMPLE_RATE:
                    continue
                file.write(samples)
                start_s, duration_s = position / SAMPLE_RATE, len(samples) / SAMPLE_RATE
                clips.append((category, round(start_s, 4), round(duration_s, 4), path))
                position += len(samples)
        return clips
