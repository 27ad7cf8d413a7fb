"""Scenes on disk, in shards: mel magnitudes, labels and the teacher's scores. Made once, resumable."""

import hashlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from device.hearing.front_end.features import LOG_MEL
from device.hearing.front_end.stream import FrontEnd
from export.columns import Columns
from export.corpus import augment, codecs, speech, synthetic
from export.corpus import pools as pools_module
from export.corpus.audioset import CLASSES
from export.corpus.features import Sound
from export.corpus.pools import Part, Pool
from export.errors import ExportError
from export.training import scenes
from export.training import teacher as teacher_module
from export.training.scenes import FRAMES, LABELLED, Stage
from export.training.teacher import Teacher
from export.workers import run_all

SHARD = 250
"""Scenes in one file."""


@dataclass(frozen=True, slots=True)
class Examples(Columns):
    """Many scenes."""

    mel: npt.NDArray[np.float16]
    """(n, FRAMES, 64) magnitudes."""
    music: npt.NDArray[np.float32]
    """(n, LABELLED) part of the patch that has music; NaN where nobody can tell."""
    speech: npt.NDArray[np.float32]
    """(n, LABELLED) the same of speech."""
    teacher: npt.NDArray[np.uint8]
    """(n, LABELLED, 521) YAMNet's scores of the clean sound, times 255."""
    kind: npt.NDArray[np.str_]
    """(n,)"""
    package: npt.NDArray[np.str_]
    """(n,) the first of the scene."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """One shard.

        Raises:
            ExportError: the file is damaged.
        """
        try:
            return cls.load(path)
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise ExportError(
                f"{path}: these scenes cannot be read ({error}); delete the file, it is made again"
            ) from error


def make(
    pools: Callable[[], Mapping[Part, Pool]],
    folder: Path,
    *,
    count: int,
    seed: int,
    teacher: Callable[[], Teacher],
    jobs: int = 2,
    size: int = SHARD,
) -> Examples:
    """Make so many scenes, or read those that have been made.

    Args:
        pools: reads the pools of one split; called only if there are scenes to make.
        folder: of the shards; another corpus needs another one.
        count: how many, at least 1; rounded up to whole shards.
        seed: of every choice.
        teacher: opens the teacher; called in every process.
        jobs: processes.
        size: scenes in one file.

    Raises:
        ExportError: there is no teacher, the pools lack something, or a shard is damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{seed}-{number:04}.npz" for number in range(-(-count // size))]
    if missing := [(number, path) for number, path in enumerate(paths) if not path.exists()]:
        run_all(
            partial(_Worker.work, seed=seed, size=size),
            missing,
            jobs=jobs,
            unit="shard",
            describe=lambda shard, _: f"{shard[1].name}: {size} scenes",
            start=partial(_Worker.start, Stage(pools()), teacher),
        )
    return Examples.join([Examples.read(path) for path in paths])


class _Worker:
    """What a process was forked with."""

    stage: Stage
    teacher: Callable[[], Teacher]

    @classmethod
    def start(cls, stage: Stage, teacher: Callable[[], Teacher]) -> None:
        cls.stage, cls.teacher = stage, staticmethod(teacher)

    @classmethod
    def work(cls, shard: tuple[int, Path], seed: int, size: int) -> None:
        number, path = shard
        # Not at the start of the process: what goes wrong there is never told to the one who waits.
        teacher = cls.teacher()
        generator = np.random.default_rng([seed, number])
        drawn = [cls.stage.scene(generator) for _ in range(size)]
        mel = np.empty((size, FRAMES, LOG_MEL.mel_bands), np.float16)
        taught = np.empty((size, LABELLED, CLASSES), np.uint8)
        for i, scene in enumerate(drawn):
            mel[i] = FrontEnd().feed(scene.heard).mel
            taught[i] = np.round(teacher(scene.clean).astype(np.float32) * 255)
        examples = Examples(
            mel=mel,
            music=np.stack([scene.music for scene in drawn]),
            speech=np.stack([scene.speech for scene in drawn]),
            teacher=taught,
            kind=np.array([scene.kind for scene in drawn]),
            package=np.array([scene.packages[0] for scene in drawn]),
        )
        examples.save(path)


def fingerprint(extra: Iterable[Sound] = ()) -> str:
    """Changes with the code that makes scenes, and with the sounds that are not in the corpus."""
    makers = (scenes, augment, codecs, pools_module, speech, synthetic, teacher_module)
    sources = b"".join(Path(inspect.getfile(maker)).read_bytes() for maker in makers)
    names = "\n".join(sound.package for sound in extra)
    return hashlib.sha256(sources + names.encode()).hexdigest()[:12]
