"""The embeddings of takes, computed once by several processes and kept in a folder."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from export.corpus.features import REPEATS, SECTION_S
from export.corpus.mixtures import LEVEL_DBFS, OTHER_ABOVE_SPEECH_DB
from export.corpus.mixtures import REPEATS as MIXTURE_REPEATS
from export.corpus.naming import refuse_alike
from export.embeddings.feature import Feature, opened
from export.embeddings.segments import Segments
from export.errors import ExportError
from export.evaluation.takes import Take
from export.workers import run_all

_CODE = 1
"""Goes up whenever the same sound and embeddings give other segments."""


_Task = tuple[Take, list[tuple[Feature, Path]]]
"""One take, and the extractors that have not heard it yet, each with the file it goes to."""


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
    _versions: dict[Feature, str] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Of the extractors that were opened."""

    def fill(self, features: Sequence[Feature], takes: Sequence[Take]) -> None:
        """Compute what is not there yet; a take is made once for all extractors, which is half of the work.

        Raises:
            ExportError: there are no takes, or two have one name.
            OidoError: an extractor cannot be used, or the corpus cannot be read.
        """
        if not takes:
            raise ExportError(
                "the corpus has no sound for a split of the comparison; `corpus info` shows the splits"
            )
        refuse_alike((take.name for take in takes), lost="rows")
        folders = self._folders(features)
        tasks: list[_Task] = []
        for take in takes:
            paths = [(feature, folders[feature] / _file_name(take)) for feature in features]
            if todo := [each for each in paths if not each[1].exists()]:
                tasks.append((take, todo))
        run_all(
            _embed,
            tasks,
            jobs=self.jobs,
            unit="stream",
            describe=lambda task, rows: (
                f"{', '.join(feature.name for feature, _ in task[1])}: {task[0].name}, {rows} segments"
            ),
        )

    def segments(self, feature: Feature, takes: Sequence[Take]) -> Segments:
        """All segments of takes, in the order of the takes' names; `fill` computes those that are missing.

        Raises:
            OidoError: as `fill`.
        """
        self.fill([feature], takes)
        folder = self._folders([feature])[feature]
        return Segments.join([Segments.load(folder / name) for name in sorted(map(_file_name, takes))])

    def _folders(self, features: Sequence[Feature]) -> dict[Feature, Path]:
        # In a process of its own: this one stays free of what the extractor loads.
        missing = [feature for feature in dict.fromkeys(features) if feature not in self._versions]
        found = run_all(
            _version, missing, jobs=1, unit="extractor", describe=lambda _, found: f"extractor {found}"
        )
        self._versions.update(zip(missing, found, strict=True))
        return {feature: self._folder(feature, self._versions[feature]) for feature in features}

    def _folder(self, feature: Feature, version: str) -> Path:
        """Changes with whatever changes what is in it."""
        constants = (self.seed, SECTION_S, REPEATS, MIXTURE_REPEATS, OTHER_ABOVE_SPEECH_DB, LEVEL_DBFS, _CODE)
        digest = hashlib.sha256(f"{version}/{constants}".encode()).hexdigest()[:12]
        folder = self.folder / f"segments-{self.version}-{feature.name}-{digest}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _file_name(take: Take) -> str:
    """With its length: another number of rooms or mixtures of the same stream is another take."""
    return f"{take.name}__{round(take.duration_s)}s.npz"


def _version(feature: Feature) -> str:
    return opened(feature).version


def _embed(task: _Task) -> int:
    """Make a take, embed it, and write down its segments."""
    take, todo = task
    extractors = [opened(feature) for feature, _ in todo]
    parts: list[list[Segments]] = [[] for _ in extractors]
    for section in take.sections():
        for extractor, found in zip(extractors, parts, strict=True):
            found.append(Segments.of(section, extractor, take.variation))
    if not parts[0]:
        raise ExportError(f"{take.name}: there is no sound in it")
    for (_, path), found in zip(todo, parts, strict=True):
        joined = Segments.join(found)
        joined.save(path)
    return len(joined)
