"""Takes x models -> what each model says of each take, computed by several processes and kept."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from device.sound import SAMPLE_RATE, FloatArray
from export.columns import Columns
from export.corpus.augment import at_level, noise
from export.corpus.features import REPEATS, SECTION_S, SEED, VARIANTS, vary
from export.corpus.mixtures import LEVEL_DBFS, OTHER_ABOVE_SPEECH_DB
from export.corpus.mixtures import REPEATS as MIXTURE_REPEATS
from export.corpus.naming import refuse_alike
from export.evaluation.hearing import Ear, Scorer
from export.evaluation.takes import Section, Take
from export.whole_file import write_arrays
from export.workers import run_all

Granularity = Literal["answer", "segment"]

GRANULARITIES: tuple[Granularity, ...] = get_args(Granularity)


@dataclass(frozen=True, slots=True)
class Verdicts(Columns):
    """Probabilities with the truth, one row an answer or a segment."""

    probability: FloatArray
    """(n,) of music."""
    music: npt.NDArray[np.int8]
    """(n,) 1 where it is."""
    package: npt.NDArray[np.str_]
    category: npt.NDArray[np.str_]

    @classmethod
    def of(cls, section: Section, probability: FloatArray) -> Self:
        """Those of one section."""
        count = len(probability)
        return cls(
            probability,
            np.full(count, section.music, np.int8),
            np.full(count, section.package),
            np.full(count, section.category),
        )


Scored = Mapping[Granularity, Verdicts]
"""What one model says of one take."""


_Task = tuple[Take, list[tuple[Scorer, Path]]]
"""One take, and the models that have not heard it yet, each with the file for what it says."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What models say, kept in a folder: an interrupted run goes on where it was."""

    cache: Path
    version: str
    """Of the corpus: other data have other files."""
    seed: int
    """Of rooms, levels, noises and mixtures."""
    jobs: int
    """Processes."""

    def score(self, wanted: Sequence[tuple[Take, Sequence[Scorer]]]) -> dict[tuple[str, str], Scored]:
        """Score each take with its models, for which its sound is made once; by the names of model and take.

        Raises:
            ExportError: two takes have one name.
            OidoError: a model cannot be used or the corpus cannot be read.
        """
        refuse_alike((take.name for take, _ in wanted), lost="scores")
        folders = {scorer.name: self._folder(scorer) for scorer in {each for _, them in wanted for each in them}}
        paths = {
            (scorer.name, take.name): folders[scorer.name] / f"{take.name}.npz"
            for take, scorers in wanted
            for scorer in scorers
        }
        tasks: list[_Task] = []
        for take, scorers in wanted:
            files = [(scorer, paths[scorer.name, take.name]) for scorer in scorers]
            if todo := [each for each in files if not each[1].exists()]:
                tasks.append((take, todo))
        run_all(
            _do,
            tasks,
            jobs=self.jobs,
            unit="stream",
            describe=lambda task, sections: f"{task[0].name}: {sections} sections",
        )
        return {key: _read(path) for key, path in paths.items()}

    def _folder(self, scorer: Scorer) -> Path:
        # By path or by name, the same model has the same scores.
        name = Path(scorer.name).stem
        folder = self.cache / f"scores-{self.version}-{name}-{self._fingerprint(scorer)}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _fingerprint(self, scorer: Scorer) -> str:
        """Changes with everything that changes the scores: the model, its code, what is done to the sound."""
        constants = (self.seed, SECTION_S, REPEATS, MIXTURE_REPEATS, OTHER_ABOVE_SPEECH_DB, LEVEL_DBFS)
        digest = hashlib.sha256(f"{scorer.digest}/{constants}".encode())
        ear = scorer.open()
        for samples in _probes():
            heard = ear.hear(samples)
            # Rounded: another processor's last bit is no reason to begin again.
            digest.update(np.round(samples, 3).tobytes())
            digest.update(np.round(np.concatenate((heard.answers, heard.segments)), 2).tobytes())
        return digest.hexdigest()[:12]


def _probes() -> Iterator[FloatArray]:
    """Short known sounds in every variant: other scores of them mean another version of the code."""
    sound = at_level(noise(np.random.default_rng(SEED), "fan", 12 * SAMPLE_RATE), -20.0)
    for variant in VARIANTS:
        yield vary(sound, variant, np.random.default_rng(SEED))


def _do(task: _Task) -> int:
    """Have one take heard by the models that have not heard it yet, and keep what they say."""
    take, todo = task
    ears: list[Ear] = [scorer.open() for scorer, _ in todo]
    verdicts: list[dict[Granularity, list[Verdicts]]] = [{"answer": [], "segment": []} for _ in ears]
    sections = 0
    for section in take.sections():
        sections += 1
        for ear, of_ear in zip(ears, verdicts, strict=True):
            heard = ear.hear(section.samples)
            of_ear["answer"].append(Verdicts.of(section, heard.answers))
            of_ear["segment"].append(Verdicts.of(section, heard.segments))
    for (_, path), of_ear in zip(todo, verdicts, strict=True):
        _write(path, {granularity: Verdicts.join(parts) for granularity, parts in of_ear.items()})
    return sections


def _write(path: Path, scored: Scored) -> None:
    columns = {
        f"{granularity}_{name}": column
        for granularity, verdicts in scored.items()
        for name, column in verdicts.columns().items()
    }
    write_arrays(path, columns)


def _read(path: Path) -> Scored:
    with np.load(path) as stored:
        return {
            granularity: Verdicts(
                **{field.name: stored[f"{granularity}_{field.name}"] for field in fields(Verdicts)}
            )
            for granularity in GRANULARITIES
        }
