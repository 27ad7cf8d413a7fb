"""export.convert.tflite_parity: figures of what int8 costs, and of what two runtimes make of one file."""

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from converting_fakes import needs_litert, recorded_patches, tiny_file

from device.hearing.models.runtimes import open_runtime
from device.hearing.models.sidecar import Calibration
from device.sound import FloatArray
from export.convert.tflite import Converted
from export.convert.tflite_parity import Decide, Parity, compare, compare_runtimes
from export.errors import ExportError

pytestmark = needs_litert

OTHER_PYTHON = """\
#!{python}
import sys, runpy
import numpy as np
sys.argv = sys.argv[2:]  # without -I
runpy.run_path(sys.argv[0], run_name="__main__")
with np.load(sys.argv[4]) as arrays:
    answers = {{name: arrays[name] for name in arrays.files}}
for name, steps in answers.items():
    if steps.dtype == np.int8:
        answers[name] = np.clip(steps.astype(int) + {steps}, -128, 127).astype(np.int8)
np.savez(sys.argv[4], **(answers | {{"runtime": "tflite-fake 1.0"}}))
"""
"""A Python whose runtime is some steps off."""


def heard(converted: Converted, features: FloatArray) -> FloatArray:
    """(n, 2) scores of the tiny embedder."""
    return open_runtime(Path("x.tflite"), converted.content, converted.output_of_size(2).name).run(features)


def other_python(folder: Path, *, steps: int) -> Path:
    """Write it."""
    path = folder / "python"
    path.write_text(OTHER_PYTHON.format(python=sys.executable, steps=steps))
    path.chmod(0o755)
    return path


def compared(difference: float, decide: Decide, *, truth: npt.NDArray[np.bool_] | None = None) -> Parity:
    """The tiny embedder beside a network that says `difference` more of the odd patches."""
    converted, patches = tiny_file("embedder"), recorded_patches("music")
    odd = (np.arange(len(patches)) % 2)[:, None].astype(np.float32)
    return compare(
        lambda features: heard(converted, features) + difference * odd,
        converted,
        converted.output_of_size(2),
        patches,
        decide,
        truth=truth,
    )


def test_differences_are_those_of_the_music_score() -> None:
    """The largest, and the mean."""
    found = compared(0.25, Decide(0.5))
    assert found.largest == pytest.approx(0.25, abs=1e-6)
    assert found.mean == pytest.approx(0.25 * (found.examples // 2) / found.examples, abs=1e-6)


def test_decisions_are_those_at_the_calibrated_threshold() -> None:
    """A difference that crosses no threshold changes no decision."""
    converted, patches = tiny_file("embedder"), recorded_patches("music")
    music = heard(converted, patches)[:, 0]
    crossing = np.count_nonzero((music < 0.5) & (music + 0.25 >= 0.5) & (np.arange(len(music)) % 2 == 1))
    assert crossing > 0
    steep = Calibration("platt", slope=2.0, offset=1.0)
    threshold = float(steep(np.array([0.5], np.float32))[0])
    for decide in (Decide(0.5), Decide(threshold, steep)):
        assert compared(0.25, decide).decided_alike == pytest.approx(1 - crossing / len(music))


def test_the_column_of_music_is_the_one_said() -> None:
    """Scores are not always music first."""
    converted, patches = tiny_file("embedder"), recorded_patches("music")[:9]
    swapped = compare(
        lambda features: heard(converted, features)[:, ::-1],
        converted,
        converted.output_of_size(2),
        patches,
        Decide(0.5, column=1),
    )
    expected = heard(converted, patches)
    assert swapped.largest == pytest.approx(float(np.abs(expected[:, 0] - expected[:, 1]).max()))


def test_f1_of_both_where_the_truth_is_known() -> None:
    """The file against itself, and against a network that hears music everywhere."""
    converted, patches = tiny_file("embedder"), recorded_patches("music")
    truth = heard(converted, patches)[:, 0] >= 0.5
    assert 0 < truth.mean() < 1
    same = compared(0.0, Decide(0.5), truth=truth)
    assert (same.float_f1, same.int8_f1) == (1.0, 1.0)
    everywhere = compare(
        lambda features: np.ones((len(features), 2), np.float32),
        converted,
        converted.output_of_size(2),
        patches,
        Decide(0.5),
        truth=truth,
    )
    assert everywhere.float_f1 == pytest.approx(2 * truth.mean() / (truth.mean() + 1))
    assert everywhere.int8_f1 == 1.0


def test_the_report_is_a_table_with_what_is_known() -> None:
    """Cells without a figure are empty; a sidecar gets no times of this machine."""
    found = Parity(
        examples=200,
        largest=0.125,
        mean=0.01,
        threshold=0.5,
        decided_alike=0.995,
        float_f1=None,
        int8_f1=0.9,
        float_bytes=None,
        int8_bytes=2048,
        float_ms=0.5,
        int8_ms=0.25,
    )
    assert found.markdown().splitlines() == [
        "|  | float32 | int8 |",
        "| --- | --- | --- |",
        "| size, KB |  | 2 |",
        "| one pass, ms | 0.500 | 0.250 |",
        "| F1 at 0.500 |  | 0.9000 |",
        "| largest difference in score |  | 0.1250 |",
        "| mean difference in score |  | 0.0100 |",
        "| equal decisions |  | 99.50% of 200 |",
    ]
    assert found.document() == {
        "examples": 200,
        "largest": 0.125,
        "mean": 0.01,
        "threshold": 0.5,
        "decided_alike": 0.995,
        "int8_f1": 0.9,
        "int8_bytes": 2048,
    }


def test_one_runtime_agrees_with_itself() -> None:
    """Each in a process of its own, with nothing of this project on its path."""
    converted, patches = tiny_file("embedder"), recorded_patches("speech")[:20]
    here = Path(sys.executable)
    found = compare_runtimes(converted, converted.output_of_size(2), patches, Decide(0.5), (here, here))
    assert (found.largest_steps, found.mean_steps, found.within, found.decided_alike) == (0, 0.0, 1.0, 1.0)
    assert found.runtimes[0] == found.runtimes[1]
    assert min(found.latency_ms) > 0


def test_runtimes_are_compared_in_steps(tmp_path: Path) -> None:
    """One is two steps off everywhere: more than none, and not too many."""
    converted, patches = tiny_file("attention"), np.zeros((9, 10, 128), np.float32)
    pythons = (Path(sys.executable), other_python(tmp_path, steps=2))
    found = compare_runtimes(converted, converted.output_of_size(1), patches, Decide(0.5), pythons)
    assert (found.largest_steps, found.mean_steps, found.within) == (2, 2.0, 1.0)
    assert found.runtimes[1] == "tflite-fake 1.0"
    assert "| largest difference, steps |  | 2 |" in found.markdown().splitlines()
    assert set(found.document()) == {"runtimes", "largest_steps", "mean_steps", "decided_alike"}


def test_a_runtime_that_is_wrong_is_no_rounding(tmp_path: Path) -> None:
    """Three steps off everywhere: the file cannot be trusted there."""
    converted, patches = tiny_file("attention"), np.zeros((9, 10, 128), np.float32)
    pythons = (Path(sys.executable), other_python(tmp_path, steps=3))
    with pytest.raises(ExportError, match=r"and tflite-fake 1\.0 differ by 3\.0 steps in the mean"):
        compare_runtimes(converted, converted.output_of_size(1), patches, Decide(0.5), pythons)


def test_a_python_that_cannot_run_it_is_named(tmp_path: Path) -> None:
    """With the last thing it said; and one that is not there."""
    converted, patches = tiny_file("attention"), np.zeros((9, 10, 128), np.float32)
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho no numpy here >&2\nexit 1\n")
    broken.chmod(0o755)
    for python, reason in ((broken, "no numpy here"), (tmp_path / "missing", "No such file")):
        with pytest.raises(ExportError, match=rf"{python.name}: cannot run the model there: .*{reason}"):
            compare_runtimes(converted, converted.output_of_size(1), patches, Decide(0.5), (python, python))
