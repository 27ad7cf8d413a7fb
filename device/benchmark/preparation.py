"""What is to be measured here, and the sound for it."""

import os
from collections.abc import Sequence
from pathlib import Path

from device.benchmark import tape
from device.benchmark.job import Job, Prepared
from device.benchmark.subjects import check_yamnet
from device.errors import ModelError
from device.hearing.models.loading import find_model, installed_models, model_directories

YAMNET = "yamnet.tflite"


def prepare(job: Job) -> Prepared:
    """Find what is to be measured, and write the sound for it.

    Raises:
        UnknownModelError: a model that was asked for is not installed.
        ModelError: there is none at all, or what should be YAMNet is not.
        SourceError: the bundled sound is damaged.
    """
    paths = [find_model(name, job.directory) for name in job.models] or [*installed_models(job.directory)]
    folders = model_directories(job.directory)
    if not paths:
        raise ModelError(f"no model is installed; looked in {', '.join(map(str, folders))}")
    yamnet = job.yamnet or _yamnet(folders)
    if yamnet is not None:
        # Here, once, and not in every process that will stand it beside a model.
        check_yamnet(Path(yamnet), runtime=job.runtime)
    tape.prepare(Path(job.tape), job.rate_hz)
    return Prepared(models=tuple(dict.fromkeys(map(str, paths))), yamnet=yamnet)


def _yamnet(folders: Sequence[Path]) -> str | None:
    """Google's file where models are; with a description beside it, it is a model of our own, on patches."""
    for path in (folder / YAMNET for folder in folders):
        # os.path: False, too, for a folder that nobody may look into
        if os.path.isfile(path) and not os.path.exists(path.with_suffix(".json")):  # noqa: PTH110, PTH113 - as said
            return str(path)
    return None
