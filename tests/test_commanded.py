"""device.storage.commanded: what commands have set holds after the process, and whoever spoke last wins."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from children import child
from waiting import DEADLINE_S

from device.storage.commanded import Commanded

SETS = """
import sys
from pathlib import Path
from device.storage.commanded import Commanded
commanded, number = Commanded(Path(sys.argv[1])), 0
while True:
    number += 1
    commanded.set("room", "mode", ("recall", "precision")[number % 2], configured="balanced")
    assert commanded.save() is None
    print(number, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """In a state directory that is made when it is needed."""
    return tmp_path / "state" / "commanded.json"


def stored(path: Path) -> Commanded:
    """One of everything, set and saved."""
    commanded = Commanded(path)
    commanded.set("room", "paused", value=True, configured=False)
    commanded.set("room", "mode", "recall", configured="balanced")
    commanded.set("room", "model", "logistic", configured="attention")
    commanded.set("hall", "log_level", "debug", configured="info")
    assert commanded.save() is None
    return commanded


def in_force(commanded: Commanded) -> tuple[object, ...]:
    """What holds for the room, where the configuration has not changed."""
    return (
        commanded.paused("room"),
        commanded.mode("room", configured="balanced"),
        commanded.model(configured="attention"),
        commanded.log_level(configured="info"),
    )


def test_everything_holds_in_the_next_process(path: Path) -> None:
    """Model and log level are the device's, whichever source the command was sent to."""
    assert in_force(stored(path)) == in_force(Commanded(path)) == (True, "recall", "logistic", "debug")


def test_it_is_the_sources_own(path: Path) -> None:
    """Another source listens."""
    stored(path)
    assert not Commanded(path).paused("hall")
    assert Commanded(path).mode("hall", configured="balanced") == "balanced"


def test_a_later_configuration_wins_but_never_over_a_pause(path: Path) -> None:
    """Who edits the key after the command means it; no key says that a microphone may listen."""
    stored(path)
    later = Commanded(path)
    assert later.mode("room", configured="precision") == "precision"
    assert later.model(configured="embedder") == "embedder"
    assert later.log_level(configured="warning") == "warning"
    assert later.paused("room")


def test_what_is_as_configured_is_not_kept(path: Path) -> None:
    """A command that says what the configuration says takes the earlier one back."""
    commanded = stored(path)
    commanded.set("room", "paused", value=False, configured=False)
    commanded.set("room", "mode", "balanced", configured="balanced")
    assert commanded.save() is None
    assert in_force(Commanded(path)) == (False, "balanced", "logistic", "debug")
    assert [entry["key"] for entry in json.loads(path.read_text())["set"]] == ["log_level", "model"]


def test_nothing_is_made_before_a_command_needs_it(path: Path) -> None:
    """And then it is nobody else's to read."""
    commanded = Commanded(path)
    assert commanded.save() is None
    assert not path.parent.exists()
    stored(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_without_a_file_it_holds_for_the_process() -> None:
    """As in a replay: nothing is read or written."""
    commanded = Commanded()
    commanded.set("room", "paused", value=True, configured=False)
    assert commanded.save() is None
    assert commanded.paused("room")


def test_what_cannot_be_stored_is_said_and_tried_again(path: Path) -> None:
    """Each time, until the disk takes it."""
    path.parent.write_text("a file, where the directory should be")
    commanded = Commanded(path)
    commanded.set("room", "paused", value=True, configured=False)
    for _ in range(2):
        assert "holds only until oido ends" in (commanded.save() or "")
    assert commanded.paused("room")
    path.parent.unlink()
    assert commanded.save() is None
    assert Commanded(path).paused("room")


def test_a_file_that_cannot_be_replaced_keeps_what_it_had(path: Path) -> None:
    """The disk fills while the new one is written: `/dev/full` stands for it."""
    stored(path)
    path.with_name(f"{path.name}.new").symlink_to("/dev/full")
    commanded = Commanded(path)
    commanded.set("room", "paused", value=False, configured=False)
    assert "No space left" in (commanded.save() or "")
    assert Commanded(path).paused("room")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"set": 3}',
        '{"set": [3]}',
        '{"set": [{"source": "room", "key": "volume", "value": 3, "configured": 1}]}',
        '{"set": [{"source": "room", "key": "paused", "value": "yes", "configured": false}]}',
        '{"set": [{"source": ["room"], "key": "paused", "value": true, "configured": false}]}',
        "[" * 100_000,
        "\0" * 100,
    ],
)
def test_a_damaged_file_is_said_and_counts_as_not_set(
    path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One error that names the file; the next command writes it anew."""
    path.parent.mkdir()
    path.write_text(text)
    assert in_force(Commanded(path)) == (False, "balanced", "attention", "info")
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert str(path) in caplog.text
    assert in_force(stored(path)) == in_force(Commanded(path))


def test_a_kill_at_any_moment_loses_nothing_that_was_confirmed(path: Path) -> None:
    """The file is the latest that was saved, or the one that was being saved."""
    command = [sys.executable, "-c", SETS, str(path)]
    for _ in range(5):
        with child(command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            with process.stdout as numbers:
                lines = [numbers.readline() for _ in range(20)]
                process.kill()
                process.wait(DEADLINE_S)
                confirmed = int([*lines, *numbers][-1])
        later = {("recall", "precision")[number % 2] for number in (confirmed, confirmed + 1)}
        assert Commanded(path).mode("room", configured="balanced") in later
