"""What `oido benchmark` is made of, each part by itself: clocks, sums, tape, machine, memory, documents."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from device.benchmark import tape
from device.benchmark.costs import Cost, cost_of, percentile, ratio_of, spread, spread_of_stages
from device.benchmark.document import build, dumps, loads
from device.benchmark.job import Job
from device.benchmark.machine import read_conditions, read_machine, throttling_flags
from device.benchmark.results import Conditions, Ratio, Settings, Spread
from device.benchmark.stages import Stopwatch, TimedClassifier, TimedDecision
from device.benchmark.tape import READING, Tape
from device.errors import ModelError
from device.hearing.classifier import Classifier
from device.hearing.decision import Decision, Rules
from device.hearing.models.loading import load_model
from device.monitoring.host import read_memory
from device.pipeline import listen
from device.sound import SAMPLE_RATE

GOLDEN = Path(__file__).parent / "golden" / "models"
RULES = Rules(on=0.5, off=0.3, min_on_s=1.0, min_off_s=1.0)
RATE_HZ = 24_000


class Clock:
    """Time that passes only when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now

    def wait(self, seconds: float) -> None:
        """Let so many pass."""
        self.now += seconds


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled recordings, prepared once."""
    path = tmp_path_factory.mktemp("sound") / "tape"
    tape.prepare(path, RATE_HZ)
    return path


@pytest.fixture
def playing(sound: Path) -> Iterator[Tape]:
    """A tape of it."""
    played = Tape(sound, rate_hz=RATE_HZ, watch=Stopwatch())
    yield played
    played.close()


def test_a_stage_within_another_stops_its_clock() -> None:
    """So that no time counts twice."""
    clock = Clock()
    watch = Stopwatch(clock)

    def outer() -> str:
        clock.wait(1.0)
        watch.time("inner", clock.wait, 2.0)
        watch.time("inner", clock.wait, 3.0)
        clock.wait(4.0)
        return "done"

    assert watch.time("outer", outer) == "done"
    assert watch.take() == {"outer": 5.0, "inner": 5.0}
    assert watch.take() == {}


def test_a_stage_that_fails_is_timed_too() -> None:
    """And the clock of the one around it goes on."""
    clock = Clock()
    watch = Stopwatch(clock)

    def fail() -> None:
        clock.wait(2.0)
        raise ModelError("cannot be run")

    def outer() -> None:
        with pytest.raises(ModelError, match="cannot be run"):
            watch.time("inner", fail)
        clock.wait(1.0)

    watch.time("outer", outer)
    assert watch.take() == {"outer": 1.0, "inner": 2.0}


def test_costs_are_for_a_second_of_sound() -> None:
    """What no stage accounts for is `other`."""
    cost = cost_of(0.003, {"head": 0.001, "log_mel": 0.0005}, 0.002, hop_s=0.5)
    assert cost.whole == pytest.approx(6.0)
    assert cost.processor == pytest.approx(4.0)
    assert cost.stages == pytest.approx({"head": 2.0, "log_mel": 1.0, "other": 3.0})


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (1, 1), (50, 50), (95, 95), (99, 99), (100, 100)])
def test_percentiles_are_by_nearest_rank(percent: float, value: float) -> None:
    """A value that was measured."""
    assert percentile(range(1, 101), percent) == value


def test_a_spread_of_one_value_is_that_value() -> None:
    """Five times."""
    assert spread([7.0]) == Spread(mean=7.0, p50=7.0, p95=7.0, p99=7.0, min=7.0)


def test_a_stage_that_an_answer_did_not_need_cost_it_nothing() -> None:
    """And stages come in the order of the pipeline."""
    costs = [Cost(3.0, {"other": 1.0, "head": 2.0}, 0.0), Cost(1.0, {"other": 1.0}, 0.0)]
    stages = spread_of_stages(costs)
    assert list(stages) == ["head", "other"]
    assert (stages["head"].min, stages["head"].mean) == (0.0, 1.0)


def test_a_ratio_is_taken_in_each_alternation() -> None:
    """A slow minute that hits both sides leaves it alone; one disturbed answer does too."""

    def costs(*processor: float) -> list[Cost]:
        return [Cost(99.0, {}, each) for each in processor]

    alternations = [
        (costs(1.0, 1.0, 50.0), costs(4.0, 4.0, 4.0)),
        (costs(10.0, 10.0, 10.0), costs(40.0, 40.0, 90.0)),
        (costs(2.0, 2.0, 2.0), costs(4.0, 4.0, 4.0)),
    ]
    assert ratio_of(alternations) == Ratio(
        ratio=0.25, ratio_p5=0.25, ratio_p95=0.5, alternations=3, model_ms=2.0, yamnet_ms=4.0
    )


def test_the_tape_holds_the_bundled_sound_and_no_silence(sound: Path) -> None:
    """24 s of music and 24 s of speech."""
    samples = np.fromfile(sound, "<i2").astype(np.float64) / 32_768
    assert samples.size == 48 * RATE_HZ
    # The speech has pauses, which no stretch of two seconds is.
    loudness = np.sqrt((samples.reshape(24, -1) ** 2).mean(axis=1))
    assert loudness.min() > 0.001


def test_the_tape_goes_round(playing: Tape) -> None:
    """In blocks as live sources give them, without end and without a gap."""
    blocks = list(islice(playing.blocks(), 1000))
    assert {block.samples.size for block in blocks} == {SAMPLE_RATE // 10}
    assert [block.start for block in blocks] == [SAMPLE_RATE // 10 * place for place in range(1000)]
    # The resampler holds a little back, so a round is not a whole number of blocks behind; its samples are alike.
    heard = np.concatenate([block.samples for block in blocks])
    settled, round_ = SAMPLE_RATE, 48 * SAMPLE_RATE
    assert np.allclose(heard[settled:round_], heard[round_ + settled : 2 * round_], atol=1e-3)


def test_what_was_fetched_is_at_hand(sound: Path) -> None:
    """Reading and resampling are done, and timed, then."""
    watch = Stopwatch()
    played = Tape(sound, rate_hz=RATE_HZ, watch=watch)
    played.fetch(0.5)
    assert set(watch.take()) == {READING, "resample"}
    list(islice(played.blocks(), 5))
    assert watch.take() == {}
    played.close()


def test_live_sound_does_not_come_before_it_has_sounded(sound: Path) -> None:
    """A block a tenth of a second; what was at hand before does not wait."""
    clock = Clock()
    played = Tape(sound, rate_hz=RATE_HZ, watch=Stopwatch(), clock=clock, wait=clock.wait)
    blocks = played.blocks()
    played.fetch(1.0)
    played.live()
    list(islice(blocks, 10))
    assert clock.now == 0.0
    list(islice(blocks, 20))
    assert clock.now == pytest.approx(2.0, abs=0.11)
    played.close()


@pytest.mark.parametrize("name", ["logistic", str(GOLDEN / "embedder.json"), str(GOLDEN / "attention.json")])
def test_the_timed_pipeline_hears_what_the_pipeline_hears(name: str, sound: Path) -> None:
    """The same scores and states, bit for bit: clocks change nothing."""
    model = load_model(name)
    watch = Stopwatch()
    first, second = (Tape(sound, rate_hz=RATE_HZ, watch=Stopwatch()) for _ in range(2))
    plain = listen(first, Classifier(model), Decision(RULES))
    timed = listen(second, TimedClassifier(model, watch), TimedDecision(RULES, watch))
    expected = [(each.score, each.state, each.step) for each in islice(plain, 40)]
    assert [(each.score, each.state, each.step) for each in islice(timed, 40)] == expected
    assert {score is not None for score, _, _ in expected} == {True}
    networks = {"logistic": {"head"}, "embedder": {"embedder"}, "attention": {"embedder", "head"}}
    assert set(watch.take()) == {"log_mel", "features", "decision", *networks[model.sidecar.name]}
    first.close()
    second.close()


def write(root: Path, **files: str) -> Path:
    """A file system with some files; `__` in a name stands for `/`."""
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        ("processor\t: 0\nmodel name\t: Intel(R) N100\n", "Intel(R) N100"),
        ("processor\t: 0\nBogoMIPS\t: 108.00\nCPU part\t: 0xd08\n\nModel\t: Raspberry Pi 4\n", "Cortex-A72"),
        ("model name\t: ARMv7 Processor rev 4 (v7l)\nCPU part\t: 0xd03\n", "Cortex-A53"),
        ("CPU part\t: 0xfff\n", "ARM part 0xfff"),
    ],
)
def test_the_processor_has_a_name(cpuinfo: str, name: str, tmp_path: Path) -> None:
    """ARM's kernels give a number instead."""
    assert read_machine(write(tmp_path, proc__cpuinfo=cpuinfo)).cpu == name


def test_a_machine_that_says_nothing_is_described_all_the_same(tmp_path: Path) -> None:
    """By what Python knows; the conditions are unknown then."""
    machine = read_machine(tmp_path)
    assert machine.cpu
    assert {"oido", "python", "numpy"} <= set(machine.versions)
    conditions = read_conditions(tmp_path, firmware=Firmware(None))
    assert (conditions.governor, conditions.frequency_mhz, conditions.temperature_c) == (None, None, None)
    assert conditions.throttling is None


@dataclass(frozen=True)
class Firmware:
    """A Raspberry Pi's, as far as it is asked."""

    answer: str | None

    def __call__(self) -> str | None:
        """What `vcgencmd get_throttled` prints."""
        return self.answer


PI = {
    "sys__devices__system__cpu__cpu0__cpufreq__scaling_governor": "ondemand\n",
    "sys__devices__system__cpu__cpu0__cpufreq__scaling_cur_freq": "1500000\n",
    "sys__class__thermal__thermal_zone0__temp": "52100\n",
}


def test_the_conditions_of_a_raspberry_pi(tmp_path: Path) -> None:
    """Governor, frequency, temperature, and what its firmware has seen."""
    conditions = read_conditions(write(tmp_path, **PI), firmware=Firmware("throttled=0x50005\n"))
    assert (conditions.governor, conditions.frequency_mhz, conditions.temperature_c) == ("ondemand", 1500.0, 52.1)
    assert conditions.throttling == ("under-voltage", "throttled")


def test_the_kernel_knows_of_throttling_too(tmp_path: Path) -> None:
    """In hexadecimal, without saying so; then nobody else is asked."""
    folder = tmp_path / "sys" / "devices" / "platform" / "soc" / "soc:firmware"
    folder.mkdir(parents=True)
    (folder / "get_throttled").write_text("40000\n")
    assert read_conditions(tmp_path, firmware=Firmware("throttled=0x0")).throttling == ("throttled before",)


@pytest.mark.parametrize("answer", [None, "", "VCHI initialization failed"])
def test_firmware_that_does_not_answer_is_unknown(answer: str | None, tmp_path: Path) -> None:
    """Not the same as a Pi that was never throttled."""
    assert read_conditions(tmp_path, firmware=Firmware(answer)).throttling is None


@pytest.mark.parametrize(
    ("bits", "flags"),
    [
        (0, ()),
        (0b1, ("under-voltage",)),
        (0b1110, ("frequency capped", "throttled", "soft temperature limit")),
        (1 << 16, ("under-voltage before",)),
        (0x50005, ("under-voltage", "throttled")),
        (0x80000, ("soft temperature limit before",)),
    ],
)
def test_throttling_flags(bits: int, flags: tuple[str, ...]) -> None:
    """Now, or since the start; what is so now is not said twice."""
    assert throttling_flags(bits) == flags


def test_memory_is_what_the_kernel_says(tmp_path: Path) -> None:
    """In units of 2**20 bytes."""
    write(
        tmp_path,
        status="Name:\tpython\nVmHWM:\t   61440 kB\nVmRSS:\t   40960 kB\nThreads:\t3\n",
        smaps_rollup="55c289866000-7ffe679fc000 ---p 00000000 00:00 0  [rollup]\nRss:  51200 kB\nPss:  20480 kB\n",
    )
    memory = read_memory(tmp_path)
    assert (memory.peak_rss_mb, memory.rss_mb, memory.pss_mb) == (60.0, 50.0, 20.0)


def test_an_old_kernel_tells_no_proportional_memory(tmp_path: Path) -> None:
    """Then it is unknown, and the rest is there."""
    memory = read_memory(write(tmp_path, status="VmHWM:\t61440 kB\nVmRSS:\t40960 kB\n"))
    assert (memory.peak_rss_mb, memory.rss_mb, memory.pss_mb) == (60.0, 40.0, None)


def test_where_there_is_no_proc_python_is_asked(tmp_path: Path) -> None:
    """It knows the peak at least."""
    memory = read_memory(tmp_path)
    assert memory.peak_rss_mb > 0
    assert memory.pss_mb is None


CONDITIONS = Conditions(
    governor="ondemand", frequency_mhz=None, temperature_c=50.0, throttling=("throttled",), load_average=0.1
)


def test_a_document_comes_back() -> None:
    """With what is unknown, and lists as tuples."""
    assert loads(Conditions, dumps(CONDITIONS)) == CONDITIONS
    job = Job("model", Settings(1, 2.0, 0.2, 16_000), models=("logistic",), runtime="ai-edge-litert")
    assert loads(Job, dumps(job)) == job


def test_numbers_are_rounded_to_what_was_measured() -> None:
    """Whole numbers stay whole."""
    ratio = Ratio(ratio=1 / 3, ratio_p5=0.0, ratio_p95=1.0, alternations=7, model_ms=2.0, yamnet_ms=math.pi)
    assert '"ratio": 0.333333,' in dumps(ratio)
    assert '"alternations": 7,' in dumps(ratio)
    assert '"yamnet_ms": 3.141593' in dumps(ratio)


GOOD = {"ratio": 1.0, "ratio_p5": 1, "ratio_p95": 1.0, "alternations": 7, "model_ms": 1.0, "yamnet_ms": 1.0}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"alternations": 7.5}, r"Ratio\.alternations is 7\.5, which cannot be"),
        ({"alternations": True}, r"Ratio\.alternations is true, which cannot be"),
        ({"ratio": "much"}, r'Ratio\.ratio is "much", which cannot be'),
        ({"ratio": math.nan}, r"Ratio\.ratio is not a finite number"),
        ({"mood": 1}, r"Ratio has an unknown key 'mood'"),
    ],
)
def test_a_document_of_another_kind_says_where(change: dict[str, object], complaint: str) -> None:
    """So that a report of another version is not read as if it were of this one."""
    build(Ratio, GOOD)
    with pytest.raises(ValueError, match=complaint):
        build(Ratio, GOOD | change)


@pytest.mark.parametrize("document", [[], None, 7, {"task": "dance"}])
def test_what_is_no_job_is_refused(document: object) -> None:
    """Whatever it is."""
    with pytest.raises(ValueError, match="Job"):
        build(Job, document)
