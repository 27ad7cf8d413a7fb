"""What a row costs: time, memory and size, measured in a process of its own."""

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from device.hearing.models.runtimes import open_runtime
from device.hearing.patch_cutter import FIRST_PATCH_SAMPLES, PATCH_SAMPLES
from device.hearing.statistics.pooling import mean_std
from device.monitoring.host import read_memory
from device.sound import SAMPLE_RATE, FloatArray
from export.embeddings.feature import Feature, opened
from export.errors import ExportError
from export.estimators.base import ModelFile, Reads
from export.evaluation.hearing import SEGMENT_PATCHES, SEGMENT_SAMPLES

_SEGMENT_S = SEGMENT_SAMPLES / SAMPLE_RATE

_SOUND_SEGMENTS = 2
"""Segments of sound that go through the extractor at once."""

_REPEATS = 5
"""Of the extractor; the head is quick and runs twenty times as often. The median counts, without the first."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Of one extractor with one head, in the order of `COLUMNS`."""

    extractor_ms: float
    """Milliseconds for each second of sound."""
    head_ms: float
    """Milliseconds for each second of sound, at one answer every 9.6 s; pooling included."""
    peak_mb: float
    """Peak resident memory of the process that ran both, its runtimes and Python included."""
    size_kb: float
    """Of the head's converted file."""


COLUMNS = ("extractor_ms_per_s", "head_ms_per_s", "peak_mb", "head_kb")
"""What a table calls them."""


def measure(feature: Feature, file: ModelFile, reads: Reads) -> Costs:
    """Have a new process extract and classify, and measure it.

    Raises:
        OidoError: extractor or head cannot be used.
        ExportError: the process died.
    """
    # Spawned, not forked: a forked process would count this one's memory as its own.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(_measure, feature, file, reads).result()
        except BrokenProcessPool as error:
            raise ExportError(
                f"{feature.name}: the process that measured its costs died; out of memory?"
            ) from error


def _measure(feature: Feature, file: ModelFile, reads: Reads) -> Costs:
    extractor = opened(feature)
    reach = FIRST_PATCH_SAMPLES - PATCH_SAMPLES
    sound = np.random.default_rng(1).normal(0, 0.05, _SOUND_SEGMENTS * SEGMENT_SAMPLES + reach).astype(np.float32)
    sequence = extractor.embed(sound)[None, :SEGMENT_PATCHES]
    runtime = open_runtime(Path(f"model{file.suffix}"), file.content, file.output)

    def ask() -> FloatArray:
        row = mean_std(sequence) if reads == "pooled" else sequence
        if file.standardisation is not None:
            row = file.standardisation(row)
        return runtime.run(np.ascontiguousarray(row, np.float32))

    return Costs(
        extractor_ms=_median_ms(lambda: extractor.embed(sound), _REPEATS) / (_SOUND_SEGMENTS * _SEGMENT_S),
        head_ms=_median_ms(ask, 20 * _REPEATS) / _SEGMENT_S,
        peak_mb=read_memory().peak_rss_mb,
        size_kb=len(file.content) / 1000,
    )


def _median_ms(work: Callable[[], object], repeats: int) -> float:
    work()
    taken = []
    for _ in range(repeats):
        begun_s = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun_s)
    return 1000 * median(taken)
