"""The embeddings of takes, computed once by several processes and kept in a folder."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from export.comparison.feature import Feature, opened
from export.comparison.segments import Segments
from export.corpus.mixtures import LEVEL_DBFS, OTHER_ABOVE_SPEECH_DB
from export.corpus.mixtures import REPEATS as MIXTURE_REPEATS
from export.errors import ExportError
from export.evaluation.takes import Take
from export.features import REPEATS, SECTION_S
from export.workers import run_all

_CODE = 1
"""Goes up whenever the same sound and embeddings give other segments."""


@dataclass(frozen=True, slots=True)
class _Task:
    """One take that is not there yet."""

    take: Take
    feature: Feature
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Segments in files, one a take and extractor: an interrupted run goes on where it was."""

    folder: Path
    version: str
    """Of the corpus: other data, other files."""
    seed: int
    """Of rooms and mixtures."""
    jobs: int
    """Processes."""

    def segments(self, feature: Feature, takes: Sequence[Take]) -> Segments:
        """All segments of takes, in the order of the takes' names.

        Args:
            feature: whose embeddings.
            takes: at least one.

        Raises:
            ExportError: there are no takes, or two have one name.
            OidoError: the extractor cannot be used, or the corpus cannot be read.
        """
        if not takes:
            raise ExportError(
                "the corpus has no sound for a split of the comparison; `corpus info` shows the splits"
            )
        for name, count in Counter(take.name for take in takes).items():
            if count > 1:
                raise ExportError(f"{count} streams are called {name}; join them, or one would be lost")
        # In a process of its own: this one stays free of what the extractor loads, and can be forked from cheaply.
        (version,) = run_all(
            _version, [feature], jobs=1, unit="extractor", describe=lambda _, found: f"extractor {found}"
        )
        folder = self._folder(feature, version)
        paths = {take.name: folder / f"{take.name}.npz" for take in takes}
        tasks = [_Task(take, feature, paths[take.name]) for take in takes if not paths[take.name].exists()]
        run_all(
            _embed,
            tasks,
            jobs=self.jobs,
            unit="stream",
            describe=lambda task, rows: f"{task.feature.name}, {task.take.name}: {rows} segments",
        )
        return Segments.join([_read(paths[name]) for name in sorted(paths)])

    def _folder(self, feature: Feature, version: str) -> Path:
        """Changes with whatever changes what is in it."""
        constants = (self.seed, SECTION_S, REPEATS, MIXTURE_REPEATS, OTHER_ABOVE_SPEECH_DB, LEVEL_DBFS, _CODE)
        digest = hashlib.sha256(f"{version}/{constants}".encode()).hexdigest()[:12]
        folder = self.folder / f"segments-{self.version}-{feature.name}-{digest}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _version(feature: Feature) -> str:
    return opened(feature).version


def _embed(task: _Task) -> int:
    """Embed a take and write down its segments."""
    extractor = opened(task.feature)
    parts = [Segments.of(section, extractor, task.take.variation) for section in task.take.sections()]
    if not parts:
        raise ExportError(f"{task.take.name}: there is no sound in it")
    found = Segments.join(parts)
    half_written = task.path.with_suffix(".part.npz")
    np.savez(half_written, **{field.name: getattr(found, field.name) for field in fields(Segments)})
    half_written.replace(task.path)
    return len(found)


def _read(path: Path) -> Segments:
    with np.load(path) as stored:
        return Segments(**{field.name: stored[field.name] for field in fields(Segments)})
