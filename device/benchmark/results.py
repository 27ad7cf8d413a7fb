"""What was measured, and in which units. The table and the JSON are both made of these, field by field."""

from collections.abc import Mapping
from dataclasses import dataclass

from device.monitoring.host import Memory

SCHEMA_VERSION = 1

REFERENCE = "reference"
"""The kind of YAMNet."""

STAGES = ("resample", "log_mel", "features", "embedder", "head", "decision", "yamnet", "other")
"""In the order in which sound goes through them:

resample    mixing down, and the source's rate to 16 kHz
log_mel     samples to spectra and their mel bands
features    what the model reads of those: statistics of a window; patches and embeddings, kept and joined
embedder    the network that reads patches
head        the model that gives the score: a logistic regression, an attention network
decision    scores to states and events
yamnet      the reference: from 16 kHz samples to its scores, all in one file
other       the rest of the whole: cutting, level, clipping, passing things on
"""


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds for each second of sound, over the answers that were given."""

    mean: float
    p50: float
    p95: float
    p99: float
    min: float


@dataclass(frozen=True, slots=True)
class Above:
    """Memory above that of a process that has only imported the same libraries; units of 2**20 bytes."""

    rss_mb: float
    pss_mb: float | None


@dataclass(frozen=True, slots=True)
class Ratio:
    """A model's `processor` time over YAMNet's, which answers every 0.48 s; the model as often as it does live.

    They take turns, a few seconds of sound each, so that whatever else the machine does hits both.
    """

    ratio: float
    """Median over the alternations."""
    ratio_p5: float
    ratio_p95: float
    alternations: int
    model_ms: float
    """For each second of sound, median over the alternations."""
    yamnet_ms: float


@dataclass(frozen=True, slots=True)
class ModelReport:
    """One model, or YAMNet alone."""

    name: str
    kind: str
    """As its description says, or REFERENCE."""
    sha256: str
    """Of its file."""
    embedder_sha256: str | None
    """Of the file of the embedder that it stands on; None: it stands alone."""
    runtime: str
    """And its version."""
    front_end: str | None
    """What computes the spectra: `compiled` or `numpy`; None: the model itself does."""
    hop_s: float
    """Seconds between answers."""
    load_ms: float
    """To load it into a fresh process: reading, checking, and importing its runtime."""
    load_again_ms: float
    """To load it once more, the runtime being there: the best of three."""
    first_decision_s: float
    """From starting the process to its first answer, the sound for it being there at once."""
    stages: Mapping[str, Spread]
    """By the names of STAGES; those that this kind of model has."""
    whole: Spread
    """All of them, measured as one."""
    processor: Spread
    """Processor time, of all threads, from 16 kHz samples to an answer: all but `resample`. Time in which other
    programs had the processor is not in it."""
    real_time_factor: float
    """Seconds of work for a second of sound: the median of `whole`."""
    live_percent: float | None
    """Processor time at the pace of live sound, in percent of one core; None: not measured."""
    memory: Memory
    above_imports: Above | None
    """None only until that other process has run."""
    yamnet: Ratio | None
    """None: YAMNet is not here, or this is YAMNet."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What it was measured on."""

    cpu: str
    board: str
    cores: int
    architecture: str
    """As the interpreter was built: armv7l also where the kernel is aarch64."""
    system: str
    versions: Mapping[str, str]
    """Of Python, oido, and every library that takes part and is installed."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """How the machine was just then; None where it does not say."""

    governor: str | None
    frequency_mhz: float | None
    temperature_c: float | None
    throttling: tuple[str, ...] | None
    """What a Raspberry Pi's firmware reports: `under-voltage`, `throttled`, `throttled before` ..."""
    load_average: float
    """Over the last minute: programs that wanted a core."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What was asked for."""

    threads: int
    """That a runtime may use."""
    seconds: float
    """Of sound that the stages were measured on."""
    live_s: float
    """Of sound at its own pace."""
    rate_hz: int
    """At which the sound came in."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """This report over an earlier one."""

    file: str
    warnings: tuple[str, ...]
    """What is not the same, and so may explain a difference."""
    ratios: Mapping[str, Mapping[str, float]]
    """For each model in both, now / before for each measure, for example `whole.p50`."""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything."""

    schema_version: int
    created: str
    """ISO 8601, UTC."""
    machine: Machine
    before: Conditions
    after: Conditions
    settings: Settings
    models: tuple[ModelReport, ...]
    yamnet: ModelReport | None
    """None: it is not here."""
    comparison: Comparison | None = None
