"""A short version of tests/soak/fuzz.py, and that the fuzzer notices what it is there for."""

from pathlib import Path

import pytest
from soak.fuzz import make_case, plan, read, reasons, soak_fuzz
from soak.fuzz_kinds import Case, Kinds, Wrong, make_samples


def ignore(_: str) -> None:
    """No progress."""


@pytest.mark.soak
def test_two_thousand_wrong_inputs_end_in_a_result_or_the_right_error(tmp_path: Path) -> None:
    """Every kind of input, each through its real entry: no traceback, no hang, no crash, no wrong exit code."""
    failures = tmp_path / "failures"
    figures = soak_fuzz(tmp_path, count=2_000, seed=1, jobs=2, failures=failures, show=ignore)
    assert not list(reasons(figures))
    assert figures.done >= 1_990
    assert {"config", "command", "sidecar", "onnx", "audio", "outbox"} <= set(figures.outcomes)


def test_the_mix_has_every_kind() -> None:
    """Shares decide how many inputs of a kind there are, at least one."""
    works = plan(100, {"often": 99, "seldom": 1, "hardly": 0.001})
    assert [sum(kind == each for kind, _ in works) for each in ("often", "seldom", "hardly")] == [99, 1, 1]


def test_a_wrong_exit_code_is_noticed(tmp_path: Path) -> None:
    """A command line that fails although its input is sound does not pass for one that is refused."""
    make_samples(tmp_path / "samples")
    kinds = Kinds(tmp_path / "samples", tmp_path / "case")
    with pytest.raises(Wrong, match="exit code 2"):
        kinds.feed(Case("historydb", {}, ("history", "--state-dir", "{}", "--no-such-option")))
    kinds.close()


def test_crashes_hangs_and_exceptions_are_put_down_to_their_inputs(tmp_path: Path) -> None:
    """The worker is replaced, the input is kept for a replay, and all others are fed."""
    failures = tmp_path / "failures"
    figures = soak_fuzz(
        tmp_path, count=8, seed=8, jobs=2, failures=failures, show=ignore, only=["trial"], limit_s=1.0
    )
    kinds = Kinds(tmp_path / "samples", tmp_path / "case")
    made = {number: make_case(kinds, 8, ("trial", number)) for number in range(8)}
    kinds.close()
    bad = {number: case for number, case in made.items() if case.words != ("good",)}
    assert {case.words[0] for case in bad.values()} == {"crash", "hang", "raise"}
    assert figures.done == 8
    said = {"crash": "crash: ", "hang": "hang: ", "raise": "Traceback"}
    noticed = {failure.number: failure for failure in figures.failures}
    assert set(noticed) == set(bad)
    for number, case in bad.items():
        failure = noticed[number]
        assert failure.what.startswith(said[case.words[0]])
        assert failure.file is not None
        assert read(failure.file) == case
