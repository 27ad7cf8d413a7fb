"""device.daemon.reload: a reload restarts what changed, and nothing else."""

from dataclasses import replace

import pytest

from device.configuration.settings import (
    Config,
    DecisionConfig,
    LogConfig,
    MetricsConfig,
    ModelConfig,
    MqttConfig,
    NodeConfig,
    SourceConfig,
)
from device.daemon.reload import Changes, changes

ROOM, HALL = SourceConfig(name="room"), SourceConfig(name="hall", device="USB")
OLD = Config(source=(ROOM, HALL))
BOTH = {"room", "hall"}


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (OLD, Changes(model=False, publisher=False, metrics=False, stop=set(), start=set())),
        (
            replace(OLD, log=LogConfig("debug")),
            Changes(model=False, publisher=False, metrics=False, stop=set(), start=set()),
        ),
        (
            replace(OLD, metrics=MetricsConfig(port=9273)),
            Changes(model=False, publisher=False, metrics=True, stop=set(), start=set()),
        ),
        (
            replace(OLD, source=(ROOM, replace(HALL, device="HDA"))),
            Changes(model=False, publisher=False, metrics=False, stop={"hall"}, start={"hall"}),
        ),
        (
            replace(OLD, source=(ROOM,)),
            Changes(model=False, publisher=False, metrics=False, stop={"hall"}, start=set()),
        ),
        (
            replace(OLD, source=(HALL, ROOM, SourceConfig(name="attic"))),
            Changes(model=False, publisher=False, metrics=False, stop=set(), start={"attic"}),
        ),
        (
            replace(OLD, decision=DecisionConfig(min_on_s=3)),
            Changes(model=False, publisher=False, metrics=False, stop=BOTH, start=BOTH),
        ),
        (
            replace(OLD, model=ModelConfig(mode="recall")),
            Changes(model=True, publisher=False, metrics=False, stop=BOTH, start=BOTH),
        ),
        (
            replace(OLD, mqtt=MqttConfig(host="broker")),
            Changes(model=False, publisher=True, metrics=False, stop=BOTH, start=BOTH),
        ),
        (
            replace(OLD, node=NodeConfig(name="den"), source=(ROOM,)),
            Changes(model=False, publisher=True, metrics=False, stop=BOTH, start={"room"}),
        ),
    ],
    ids=["nothing", "log", "metrics", "source", "gone", "added", "decision", "model", "mqtt", "node"],
)
def test_what_is_restarted(new: Config, expected: Changes) -> None:
    """A source for its own section; all of them for the model, the decision and whatever is said to whom."""
    assert changes(OLD, new) == expected
