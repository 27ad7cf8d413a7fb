"""device.commands.surroundings: the clock and the disk, as `oido check` judges them."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from device.commands.surroundings import ENOUGH_BYTES, disk, judge_clock, judge_disk
from device.configuration.settings import Config, NodeConfig
from device.storage.clock import is_synchronised
from device.storage.state import OUTBOX_FILE


def seconds(year: int) -> float:
    """The middle of a year."""
    return datetime(year, 7, 1, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("year", "synchronised", "ok", "part"),
    [
        (2026, True, True, "2026-07-01 00:00:00 UTC"),
        (2026, None, True, "cannot be told"),
        (2026, False, False, "set-ntp"),
        (1970, True, False, "cannot be"),
        (2024, None, False, "cannot be"),
        (2101, True, False, "cannot be"),
    ],
)
def test_the_clock(year: int, synchronised: bool | None, ok: bool, part: str) -> None:  # noqa: FBT001 - a table
    """A year that cannot be is worse than a clock that nobody keeps; not knowing is no fault."""
    found, text = judge_clock(seconds(year), synchronised=synchronised)
    assert (found, part in text) == (ok, True)


def test_asking_for_synchronisation_never_fails() -> None:
    """Whatever machine this is."""
    assert is_synchronised() in (True, False, None)


@pytest.mark.parametrize(("free_bytes", "ok"), [(ENOUGH_BYTES, True), (ENOUGH_BYTES - 1, False), (0, False)])
def test_the_disk(free_bytes: int, ok: bool) -> None:  # noqa: FBT001 - a table
    """Too little says what to do."""
    found, text = judge_disk(Path("/var/lib/oido"), free_bytes)
    assert found == ok
    assert ("make room" in text) != ok


def test_a_directory_that_is_not_there_yet_is_judged_by_its_parent(tmp_path: Path) -> None:
    """Nothing is made by looking."""
    wanted = tmp_path / "a" / "b"
    _, text = disk(Config(node=NodeConfig(state_dir=str(wanted))), {})
    assert text.startswith(f"{wanted}: ")
    assert list(tmp_path.iterdir()) == []


def judged(state_dir: Path | str) -> tuple[bool, str]:
    """What is said of a state directory."""
    return disk(Config(node=NodeConfig(state_dir=str(state_dir))), {})


@pytest.mark.parametrize("state_dir", ["/etc/hostname/x", "/proc/oido", "/dev/null"])
def test_a_directory_that_cannot_be_is_a_failure(state_dir: str) -> None:
    """For root, too."""
    ok, text = judged(state_dir)
    assert (ok, "set [node] state_dir" in text) == (False, True)


def test_a_directory_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    """What is tried leaves nothing behind."""
    assert judged(tmp_path)[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.integration
def test_a_read_only_file_system_is_a_failure(tmp_path: Path) -> None:
    """As an SD card is after an error."""
    script = f"""
from pathlib import Path
from test_surroundings import judged
print(judged(Path({str(tmp_path)!r})))
"""
    mounted = f'mount --bind {tmp_path} {tmp_path} && mount -o remount,bind,ro {tmp_path} && exec "$@"'
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", mounted, "sh", sys.executable, "-c", script]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)
    if done.stderr.startswith(("unshare", "mount")):
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
    assert done.stdout.startswith("(False, ")
    assert "cannot be written: Read-only file system" in done.stdout


def test_a_database_of_somebody_else_is_a_failure(tmp_path: Path) -> None:
    """As one that `sudo oido run` has left; root may write everything."""
    (tmp_path / OUTBOX_FILE).touch(mode=0o444)
    ok, text = judged(tmp_path)
    assert ok == (os.geteuid() == 0)
    assert ok or f"{tmp_path / OUTBOX_FILE} cannot be written: Permission denied" in text
