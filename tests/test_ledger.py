"""The ledger of retained topics: durable before a topic is used, silent afterwards, robust against damage."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.configuration.settings import Config, HomeAssistantConfig, MqttConfig, NodeConfig, SourceConfig
from device.publishing.discovery import discovery_topic, former_discovery_topic, unique_id
from device.publishing.ledger import Ledger, former_topics, retained_topics
from device.publishing.message import Topics
from device.storage.ledger import FileLedger, read_ledger
from device.storage.state import LEDGER_FILE, State

CONFIG = Config(source=(SourceConfig(name="mic"),), mqtt=MqttConfig(host="broker"))
NAMES = st.text("aAub0-_.", min_size=1, max_size=5)


@given(st.tuples(NAMES, NAMES), st.tuples(NAMES, NAMES))
def test_no_two_pairs_of_names_share_an_id(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Neither in discovery topics nor in unique ids, whatever node and source are called."""
    same = one == other
    assert (unique_id(*one) == unique_id(*other)) == same
    topics = [discovery_topic(Topics("oido", node), source, prefix="p") for node, source in (one, other)]
    assert (topics[0] == topics[1]) == same


@given(st.tuples(NAMES, NAMES, NAMES), st.tuples(NAMES, NAMES, NAMES))
def test_no_two_base_topics_share_an_id(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    """Nor do devices of two base topics at one broker."""
    topics = [discovery_topic(Topics(base, node), source, prefix="p") for base, node, source in (one, other)]
    assert (topics[0] == topics[1]) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("den", "tv_room"), ("den_tv", "room")),
        (("den", "bar.tv"), ("den", "bar_dot_tv")),
        (("bar_upstairs", "mic"), ("bar", "upstairs_mic")),
    ],
)
def test_names_that_once_shared_an_id_no_longer_do(one: tuple[str, str], other: tuple[str, str]) -> None:
    """The ids of version 0.1 were the same."""
    topics = [
        (former_discovery_topic(Topics("oido", node), source, prefix="p"), unique_id(node, source))
        for node, source in (one, other)
    ]
    assert topics[0][0] == topics[1][0]
    assert topics[0][1] != topics[1][1]


def test_plain_names_keep_their_ids() -> None:
    """So entities that people have built upon stay."""
    assert unique_id("oido", "attic", "mic2") == "oido_attic_mic2"
    assert former_topics(CONFIG) == frozenset()


def test_old_discovery_topics_are_known_at_the_first_start(tmp_path: Path) -> None:
    """Of that version there is no ledger: they are computed, once."""
    node = NodeConfig(name="den", state_dir=str(tmp_path))
    config = replace(CONFIG, node=node, source=(SourceConfig(name="tv.room"),))
    former = "homeassistant/device/den_tv_dot_room/config"
    state = State(config, environment={})
    assert former in state.ledger.topics
    assert former not in retained_topics(config)
    state.ledger.drop(former)
    state.ledger.save()
    state.close()
    again = State(config, environment={})
    assert former not in again.ledger.topics
    again.close()


def test_topics_outlive_the_process(tmp_path: Path) -> None:
    """As soon as they are noted; what was dropped, once that is saved."""
    path = tmp_path / LEDGER_FILE
    ledger = FileLedger(path)
    ledger.note(["a/b", "c"])
    assert FileLedger(path).topics == {"a/b", "c"}
    ledger.drop("c")
    ledger.save()
    assert FileLedger(path).topics == {"a/b"}


def test_what_is_known_is_not_written_again(tmp_path: Path) -> None:
    """The steady state leaves the disk alone."""
    path = tmp_path / LEDGER_FILE
    ledger = FileLedger(path)
    ledger.note(["a"])
    path.unlink()
    ledger.note(["a"])
    ledger.save()
    assert not path.exists()


@pytest.mark.parametrize("damage", [b"\xff", b"\0\0\0\0", b"b"], ids=["no text", "zeroes", "another letter"])
def test_a_damaged_line_is_left_out(tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """It might name another device's topic; the others stand, and the next writing mends the file."""
    path = tmp_path / LEDGER_FILE
    FileLedger(path).note(["oido/a/status", "oido/c/status"])
    path.write_bytes(path.read_bytes().replace(b"/a/", b"/" + damage + b"/"))
    ledger = FileLedger(path)
    assert ledger.topics == {"oido/c/status"}
    assert "1 lines are damaged" in caplog.text
    ledger.save()
    assert read_ledger(path) == (frozenset({"oido/c/status"}), 0)


def test_a_file_of_rubbish_is_an_empty_ledger(tmp_path: Path) -> None:
    """Nothing in it is a topic."""
    path = tmp_path / LEDGER_FILE
    path.write_bytes(bytes(range(256)) * 10)
    ledger = FileLedger(path)
    assert ledger.topics == frozenset()
    ledger.note(["a"])
    assert FileLedger(path).topics == {"a"}


def test_a_ledger_that_cannot_be_written_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """And knows its topics until the process ends."""
    ledger = FileLedger(tmp_path / "absent" / LEDGER_FILE)
    ledger.note(["a"])
    ledger.note(["b"])
    assert ledger.topics == {"a", "b"}
    (said,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert "is not cleared after a restart" in said


def test_without_a_state_directory_it_is_in_memory(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One sentence says that what is left behind is not cleared."""
    (tmp_path / "file").touch()
    node = NodeConfig(state_dir=str(tmp_path / "file" / "state"))
    state = State(replace(CONFIG, node=node), environment={})
    assert type(state.ledger) is Ledger
    assert caplog.text.count("what a renamed or removed source leaves at the broker is not cleared") == 1
    state.close()


def test_without_a_broker_nothing_is_retained() -> None:
    """Standard output keeps nothing."""
    assert retained_topics(replace(CONFIG, mqtt=MqttConfig())) == frozenset()


def test_without_home_assistant_no_discovery_is_retained() -> None:
    """What was there becomes a thing to clear."""
    without = replace(CONFIG, homeassistant=HomeAssistantConfig(enabled=False))
    gone = retained_topics(CONFIG) - retained_topics(without)
    assert "homeassistant/device/oido_mic/config" in gone
    assert not any(topic.endswith(("/state", "/status")) for topic in gone)
