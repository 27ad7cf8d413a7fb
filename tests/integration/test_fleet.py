"""A short version of tests/soak/fleet.py, and that its judge sees what is wrong."""

import shutil
from pathlib import Path

import pytest
from soak.fleet_figures import Arrived, Key, Recorded, Recovery, Storm, phases, recovery, spread, verdict, waiting
from soak.fleet_plot import draw
from soak.fleet_run import Outcome, Plan, soak_fleet
from soak.fleet_table import figures_of, table
from soak.fleet_venue import Restart

pytestmark = pytest.mark.integration


def ignore(_: str) -> None:
    """Nobody watches."""


def restarted(directory: Path, how: Restart) -> Outcome:
    """25 devices in two processes, whose broker is restarted once."""
    if shutil.which("mosquitto") is None:
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    plan = Plan(devices=25, workers=2, seconds=4, events_per_minute=60, restarts=1, restart=how)
    outcome = soak_fleet(directory, plan, show=ignore)
    assert len(outcome.recorded) > 25
    assert min(map(len, outcome.sessions.values())) >= 2
    assert outcome.goodbyes == 25
    assert outcome.subscriber_remembered == outcome.subscriber_connections - 1
    return outcome


@pytest.mark.soak
def test_no_event_is_lost_when_the_broker_of_a_fleet_is_restarted(tmp_path: Path) -> None:
    """All devices come back, every event arrives, in order, and the table says so."""
    outcome = restarted(tmp_path, "term")
    shown = table(figures_of(outcome))
    assert outcome.good, shown
    assert f"{len(outcome.recorded)} recorded" in shown


@pytest.mark.soak
def test_a_fleet_outlives_a_broker_that_is_killed(tmp_path: Path) -> None:
    """What the broker had not acknowledged arrives. What it had, and had not passed on, nobody can bring back."""
    outcome = restarted(tmp_path, "kill")
    assert len(outcome.recoveries) == 2
    assert (outcome.verdict.out_of_order, outcome.verdict.altered, outcome.verdict.unknown) == (0, 0, 0)
    assert [event for event in outcome.verdict.lost if event.acknowledged is None] == []


NODES = ("a", "b")


def key(node: str, number: int) -> Key:
    """Of a node's event."""
    return node, "music_started", str(number)


RECORDED = [Recorded(key(node, number), 1.0 + number, 1.5 + number) for node in NODES for number in range(3)]
ARRIVED = [Arrived(key(node, number), 1.25 + number, f"{number}") for number in range(3) for node in NODES]


def test_what_arrives_as_recorded_is_good() -> None:
    """Two devices whose events mix, each in its own order."""
    found = verdict(RECORDED, ARRIVED)
    assert found.good
    assert (found.repeated, len(found.first)) == (0, 6)


def test_a_missing_event_is_lost() -> None:
    """And named, with when the broker acknowledged it."""
    found = verdict(RECORDED, ARRIVED[:-1])
    assert not found.good
    assert found.lost == (RECORDED[-1],)


def test_a_later_event_that_arrives_first_is_disorder() -> None:
    """The one that it overtook counts."""
    found = verdict(RECORDED, [ARRIVED[2], ARRIVED[0], ARRIVED[1], *ARRIVED[3:]])
    assert (found.good, found.out_of_order) == (False, 1)


def test_a_repetition_is_allowed_only_with_the_same_bytes() -> None:
    """Even after later events."""
    assert verdict(RECORDED, [*ARRIVED, ARRIVED[0]]).good
    assert verdict(RECORDED, [*ARRIVED, ARRIVED[0]]).repeated == 1
    other = Arrived(ARRIVED[0].key, 9.0, "something else")
    assert not verdict(RECORDED, [*ARRIVED, other]).good


def test_an_event_that_nobody_recorded_is_no_good() -> None:
    """Whoever said it."""
    assert not verdict(RECORDED[1:], ARRIVED).good


RESTART = Storm("term", began=2.0, up=2.5)
SESSIONS = {"a": [0.1, 3.0], "b": [0.2, 3.75]}


def recovered() -> Recovery:
    """The devices came back 0.5 and 1.25 s after the broker."""
    found = recovery(RESTART, sessions=SESSIONS, recorded=RECORDED, first=verdict(RECORDED, ARRIVED).first)
    assert found is not None
    return found


def test_a_recovery_ends_when_all_that_waited_has_arrived() -> None:
    """The event of second 3 was recorded before the last device was back, and arrived in time."""
    found = recovered()
    assert (found.first_back_s, found.all_back_s, found.settled_s) == (0.5, 1.25, 1.25)
    assert found.densest == 1


def test_a_device_that_stays_away_is_no_recovery() -> None:
    """So the run fails."""
    assert recovery(RESTART, sessions={**SESSIONS, "b": [0.2]}, recorded=RECORDED, first={}) is None


def test_an_event_belongs_to_the_storm_that_touched_it() -> None:
    """Recorded in one, or under way when it began."""
    recorded = [*RECORDED, Recorded(key("a", 3), 9.0, 9.0)]
    first = {**verdict(RECORDED, ARRIVED).first, key("a", 0): 2.1, key("a", 3): 9.5}
    found = phases([recovered()], recorded, first)
    assert found["steady"] == [(1.0, 1.25), (9.0, 9.5)]
    assert len(found["restart"]) == 5


def test_a_spread_is_in_milliseconds() -> None:
    """Rounded up to times that were measured."""
    found = spread([number / 1000 for number in range(1, 101)])
    assert found is not None
    assert (found.count, found.p50_ms, found.p99_ms, found.max_ms) == (100, 51.0, 100.0, 100.0)
    assert spread([]) is None


def test_what_is_under_way_is_counted() -> None:
    """Two at a time here, and none at the end."""
    times, counts = waiting(RECORDED, verdict(RECORDED, ARRIVED).first)
    assert max(counts) == 2
    assert (times[-1], counts[-1]) == (3.25, 0)


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    """Through a start and a restart."""
    start = recovery(Storm("start", 0.0, 0.0), sessions=SESSIONS, recorded=[], first={})
    assert start is not None
    first = verdict(RECORDED, ARRIVED).first
    draw(
        tmp_path / "fleet.png", recorded=RECORDED, first=first, recoveries=[start, recovered()], sessions=SESSIONS
    )
    assert (tmp_path / "fleet.png").stat().st_size > 10_000
