"""`oido benchmark`, for real: processes are started and models run, on little sound. No test looks at a time."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hearing_fakes import sidecar_document

from device.benchmark.children import run
from device.benchmark.difference import compare, measures
from device.benchmark.document import dumps, loads
from device.benchmark.job import Job, Prepared
from device.benchmark.results import Report, Settings
from device.benchmark.subjects import prepare
from device.benchmark.table import table
from device.cli import main
from device.errors import OidoError, UsageError
from device.hearing.models.loading import load_model
from device.monitoring.host import Memory

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden" / "models"
YAMNET = ROOT.parent / "shared" / "weights" / "yamnet.tflite"

needs_yamnet = pytest.mark.skipif(not YAMNET.is_file(), reason="YAMNet's weights are not beside the checkout")

SETTINGS = Settings(threads=1, seconds=2.0, live_s=0.2, rate_hz=16_000)
LITTLE = ("--seconds", "2", "--live", "0.2")


@dataclass(frozen=True)
class Outcome:
    """What a command line came to."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> Report:
        """What it printed, read back."""
        return loads(Report, self.out)


def benchmark(*words: str | Path) -> Outcome:
    """`oido benchmark`, in this process; what it starts are processes of their own."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(["benchmark", *map(str, words)])
    assert "Traceback" not in err.getvalue()
    return Outcome(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    """The bundled model, measured once for many tests."""
    return benchmark("--model", "logistic", *LITTLE, "--json")


@pytest.fixture(scope="module")
def report(outcome: Outcome) -> Report:
    """What came of it."""
    assert outcome.code == 0, outcome.err
    return outcome.report


@pytest.fixture
def models(tmp_path: Path) -> tuple[Path, Path]:
    """An empty folder for models, and a configuration that names it."""
    folder = tmp_path / "models"
    folder.mkdir()
    config = tmp_path / "oido.toml"
    config.write_text(f'[model]\ndirectory = "{folder}"\n')
    return folder, config


def keys(document: Any) -> Iterator[str]:
    """Every key of a JSON document, however deep."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield key
            yield from keys(value)
    elif isinstance(document, list):
        for value in document:
            yield from keys(value)


def test_the_json_is_what_the_dataclasses_say(outcome: Outcome, report: Report) -> None:
    """Read back and written again it is the same, so no key is missing, and none is more."""
    assert dumps(report, indent=2) + "\n" == outcome.out


def test_the_table_has_every_key_of_the_json(report: Report) -> None:
    """One explains the other."""
    full = replace(report, yamnet=report.models[0])
    text = "\n".join(table(full))
    whole = {"schema_version", "created", "models", "comparison", "name"}  # the report itself, not its figures
    missing = {key for key in keys(json.loads(dumps(full))) if key not in text}
    assert missing <= whole


def test_a_model_is_measured_through_all_its_stages(report: Report) -> None:
    """In the order in which sound goes through them; each with its spread."""
    (model,) = report.models
    assert model.name == "logistic"
    assert list(model.stages) == ["resample", "log_mel", "features", "head", "decision", "other"]
    for spread in (*model.stages.values(), model.whole):
        assert spread.min <= spread.p50 <= spread.p95 <= spread.p99
        assert spread.min <= spread.mean <= spread.p99


def test_the_stages_add_up_to_the_whole(report: Report) -> None:
    """What no stage accounts for is a stage of its own, and is not less than nothing."""
    (model,) = report.models
    assert sum(stage.mean for stage in model.stages.values()) == pytest.approx(model.whole.mean, rel=1e-3)
    assert model.stages["other"].min >= 0


def test_what_identifies_a_model_is_the_installed_file(report: Report) -> None:
    """Its checksum, kind and runtime."""
    installed = load_model("logistic")
    (model,) = report.models
    assert (model.sha256, model.kind) == (installed.sidecar.sha256, "statistics")
    assert model.runtime == installed.runtime.description
    assert (model.embedder_sha256, model.yamnet, report.yamnet) == (None, None, None)


def test_memory_is_that_of_a_fresh_process(report: Report) -> None:
    """Python, NumPy and onnxruntime alone are more than 20 MB; the peak is the most."""
    (model,) = report.models
    assert 20 < model.memory.rss_mb <= model.memory.peak_rss_mb + 1
    assert model.above_imports is not None
    assert model.above_imports.rss_mb < model.memory.rss_mb - 20


@pytest.mark.parametrize("name", ["embedder", "attention"])
def test_networks_are_measured_through_all_their_stages(name: str) -> None:
    """An answer every 0.48 s; the one that stands on the other names its file too."""
    found = benchmark("--model", GOLDEN / f"{name}.json", *LITTLE, "--json")
    assert found.code == 0, found.err
    (model,) = found.report.models
    head = ["head"] if name == "attention" else []
    assert list(model.stages) == ["resample", "log_mel", "features", "embedder", *head, "decision", "other"]
    assert (model.name, model.hop_s) == (name, 0.48)
    embedder = load_model(str(GOLDEN / "embedder.json")).sidecar.sha256
    assert model.embedder_sha256 == (embedder if name == "attention" else None)


def test_settings_are_what_was_asked_for(report: Report) -> None:
    """And what was not, by default."""
    settings = report.settings
    assert (settings.threads, settings.seconds, settings.live_s, settings.rate_hz) == (1, 2.0, 0.2, 48_000)


def test_a_table_is_printed_where_no_json_is_asked_for() -> None:
    """`--live 0` leaves live sound out."""
    words = ["--model", "logistic", "--seconds", "1", "--live", "0", "--rate", "16000", "--threads", "2"]
    done = subprocess.run(
        [sys.executable, "-m", "device", "benchmark", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    assert done.stdout.startswith("machine: cpu ")
    assert "settings: threads 2, seconds 1, live_s 0, rate_hz 16000" in done.stdout
    assert "\nlogistic\n" in done.stdout
    assert "\n  live_percent      -\n" in done.stdout


def test_the_command_itself_loads_nothing_heavy() -> None:
    """What it shared with the processes that it starts would not count as theirs."""
    program = "import device.commands.benchmark, sys; print(*sorted({n.partition('.')[0] for n in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert not set(done.stdout.split()) & {"numpy", "onnxruntime", "ai_edge_litert", "tflite_runtime", "soundfile"}


def test_a_report_is_compared_with_its_own_output(outcome: Outcome, tmp_path: Path) -> None:
    """Every measure has a ratio; the same machine, versions and model give no warning of them."""
    earlier = tmp_path / "earlier.json"
    earlier.write_text(outcome.out)
    again = benchmark("--model", "logistic", *LITTLE, "--json", "--compare", earlier)
    assert again.code == 0
    comparison = again.report.comparison
    assert comparison is not None
    assert set(comparison.ratios) == {"logistic"}
    assert set(comparison.ratios["logistic"]) == set(measures(again.report.models[0]))
    assert comparison.warnings == ()


def test_a_report_over_itself_is_one(report: Report) -> None:
    """Each measure."""
    comparison = compare(report, report, file="itself")
    assert set(comparison.ratios["logistic"].values()) == {1.0}
    assert comparison.warnings == ()


def test_the_reference_is_told_from_a_model_of_its_name(report: Report) -> None:
    """Our own `yamnet` beside Google's: each has ratios of its own."""
    model = report.models[0]
    twice = replace(report, yamnet=replace(model, kind="reference", load_ms=2 * model.load_ms))
    ratios = compare(twice, report, file="earlier").ratios
    assert ratios[model.name]["load_ms"] == 1.0
    assert set(compare(twice, twice, file="itself").ratios) == {model.name, f"{model.name} (reference)"}


def test_a_comparison_is_part_of_the_table(report: Report) -> None:
    """Below everything else."""
    text = "\n".join(table(replace(report, comparison=compare(report, report, file="earlier.json"))))
    assert text.index("over earlier.json: now / before") > text.index("real_time_factor")
    assert text.splitlines()[-1].split() == ["memory.pss_mb", "1.00"]


def test_what_else_changed_is_a_warning(report: Report) -> None:
    """Another processor, library or model explains a difference; so does a model that is in one report alone."""
    (model,) = report.models
    other = replace(
        report,
        machine=replace(
            report.machine, cpu="Cortex-A72", versions={**report.machine.versions, "numpy": "1.26", "new": "1"}
        ),
        settings=replace(report.settings, threads=4),
        models=(replace(model, sha256="f" * 64), replace(model, name="newcomer")),
    )
    warnings = compare(other, report, file="earlier.json").warnings
    assert f"cpu is Cortex-A72 and was {report.machine.cpu}" in warnings
    assert f"version of numpy is 1.26 and was {report.machine.versions['numpy']}" in warnings
    assert "version of new is 1 and was unknown" in warnings
    assert "threads is 4 and was 1" in warnings
    assert f"sha256 of logistic is {'f' * 64} and was {model.sha256}" in warnings
    assert "newcomer is in this report alone" in warnings


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "cannot be read: No such file or directory"),
        ("a table", "no report of oido benchmark --json"),
        ("[]", "no report of oido benchmark --json: Report is []"),
        ('{"schema_version": 1}', "no report of oido benchmark --json: Report lacks 'after'"),
    ],
)
def test_what_is_no_report_cannot_be_compared(text: str | None, complaint: str, tmp_path: Path) -> None:
    """Wrong use, said before anything is measured."""
    earlier = tmp_path / "earlier.json"
    if text is not None:
        earlier.write_text(text)
    found = benchmark("--compare", earlier)
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith(f"oido: error: --compare {earlier}: ")
    assert complaint in found.err


def test_a_report_of_another_schema_cannot_be_compared(report: Report, tmp_path: Path) -> None:
    """Its figures may mean something else."""
    earlier = tmp_path / "earlier.json"
    earlier.write_text(dumps(replace(report, schema_version=7)))
    found = benchmark("--compare", earlier)
    assert found.code == 2
    assert "schema version 7, but this program writes 1" in found.err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--threads", "0"), "--threads 0: at least one thread must work"),
        (("--seconds", "0"), "--seconds 0: some sound must be heard, and not for ever"),
        (("--seconds", "inf"), "--seconds inf: some sound must be heard, and not for ever"),
        (("--live", "-1"), "--live -1: seconds cannot be negative or without end"),
        (("--rate", "1"), "--rate 1: microphones capture at 8000 to 192000 Hz"),
        (("--model", "nope"), "no model is named 'nope'; installed: "),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_code_2(words: tuple[str, ...], complaint: str) -> None:
    """What cannot be asked for."""
    found = benchmark(*words)
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith(f"oido: error: {complaint}")
    assert len(found.err.splitlines()) == 1


@pytest.mark.parametrize("words", [("--runtime", "jax"), ("--threads", "many"), ("logistic",)])
def test_words_that_mean_nothing_are_exit_code_2(words: tuple[str, ...]) -> None:
    """By argparse."""
    with pytest.raises(SystemExit) as caught:
        benchmark(*words)
    assert caught.value.code == 2


def test_a_model_without_its_file_is_one_sentence(models: tuple[Path, Path]) -> None:
    """Exit code 1; the models that are whole are measured all the same."""
    folder, config = models
    (folder / "lost.json").write_text(json.dumps(sidecar_document(name="lost", file="lost.onnx")))
    found = benchmark("-c", config, "--model", "lost", "logistic", *LITTLE, "--json")
    assert found.code == 1
    assert f"oido: error: {folder / 'lost.onnx'}: cannot read the model: No such file or directory\n" in found.err
    assert [model.name for model in found.report.models] == ["logistic"]


def test_where_no_model_can_be_measured_nothing_is_printed(models: tuple[Path, Path]) -> None:
    """But why."""
    folder, config = models
    (folder / "lost.json").write_text(json.dumps(sidecar_document(name="lost", file="lost.onnx")))
    found = benchmark("-c", config, "--model", "lost", *LITTLE)
    assert (found.code, found.out) == (1, "")
    assert found.err.count("\n") == 1


def test_a_file_that_is_not_yamnet_is_refused(tmp_path: Path) -> None:
    """Once, and before any model is measured."""
    lost = benchmark("--yamnet", tmp_path / "lost.tflite", *LITTLE)
    assert (lost.code, lost.out) == (1, "")
    assert lost.err == f"oido: error: {tmp_path}/lost.tflite: cannot read YAMNet: No such file or directory\n"
    tiny = benchmark("--yamnet", GOLDEN / "embedder.tflite", *LITTLE)
    assert (tiny.code, tiny.out) == (1, "")
    assert tiny.err.startswith("oido: error: not Google's YAMNet, which reads 15600 samples: ")
    other = benchmark("--yamnet", ROOT / "models" / "logistic.onnx", *LITTLE)
    assert (other.code, other.out) == (1, "")
    assert other.err.endswith("logistic.onnx: not YAMNet's TFLite file, whose name ends in .tflite\n")


@needs_yamnet
def test_yamnet_runs_beside_the_models() -> None:
    """In alternation with each, and alone; both answer for the same sound."""
    found = benchmark("--model", "logistic", "--seconds", "15", "--live", "0", "--yamnet", YAMNET, "--json")
    assert found.code == 0, found.err
    (model,) = found.report.models
    ratio, alone = model.yamnet, found.report.yamnet
    assert ratio is not None
    assert ratio.alternations == 3
    assert 0 < ratio.ratio_p5 <= ratio.ratio <= ratio.ratio_p95
    assert alone is not None
    assert (alone.name, alone.kind, alone.hop_s, alone.yamnet) == ("yamnet", "reference", 0.48, None)
    assert list(alone.stages) == ["resample", "yamnet", "other"]


@needs_yamnet
def test_yamnet_is_found_where_models_are(models: tuple[Path, Path], tmp_path: Path) -> None:
    """Under its own name; with a description beside it, it is a model of our own and no reference."""
    folder, _ = models
    job = Job("prepare", SETTINGS, models=("logistic",), directory=str(folder), tape=str(tmp_path / "tape"))
    assert prepare(job).yamnet is None
    (folder / "yamnet.tflite").symlink_to(YAMNET)
    assert prepare(job).yamnet == str(folder / "yamnet.tflite")
    (folder / "yamnet.json").write_text("{}")
    assert prepare(job).yamnet is None


def child(program: str) -> Prepared:
    """What comes of a process that runs this program."""
    job = Job("prepare", SETTINGS, models=("logistic",))
    return run(job, Prepared, what="the sound", program=(sys.executable, "-c", program))


def test_a_child_that_is_killed_is_one_sentence() -> None:
    """As the kernel does when memory runs out."""
    with pytest.raises(
        OidoError, match=r"^the sound could not be measured: .* was ended by signal SIGKILL \(out of"
    ):
        child("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")


def test_a_child_that_crashes_is_quoted() -> None:
    """Its last words, on one line."""
    with pytest.raises(OidoError, match=r"ended with exit code 1: ValueError: lost my way$"):
        child("raise ValueError('lost my way')")


def test_a_child_that_says_why_is_believed() -> None:
    """Wrong use stays wrong use."""
    with pytest.raises(UsageError, match=r"^no such thing$"):
        child('print(\'{"error": "no such thing", "exit_code": 2}\')')


def test_a_child_is_told_its_job_and_answers() -> None:
    """What is no line of its protocol is passed over."""
    found = child(
        "import json, sys; print('INFO: a delegate'); print('7');"
        "print(json.dumps({'phase': 'reading', 'part': 0.5}));"
        "print(json.dumps({'result': {'models': json.loads(sys.argv[1])['models'], 'yamnet': None}}))"
    )
    assert found == Prepared(models=("logistic",), yamnet=None)


def test_a_process_that_imports_does_only_that() -> None:
    """What has no name to import by is passed over."""
    job = Job("imports", SETTINGS, modules=("json", "surely.not.there"))
    found = run(job, Memory, what="the imports")
    assert 0 < found.rss_mb < 40
