"""device.commands.surroundings: the clock and the disk, as `oido check` judges them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from device.commands.surroundings import ENOUGH_BYTES, disk, is_synchronised, judge_clock, judge_disk
from device.configuration.settings import Config, NodeConfig


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
