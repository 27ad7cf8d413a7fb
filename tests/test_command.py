"""`set` payloads: what is understood, and that nothing else ever gets through."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.publishing.command import LONGEST_PAYLOAD, Command, CommandError, parse_command


def test_pausing() -> None:
    """The contract's first example."""
    assert parse_command(b'{"paused": true}') == Command(paused=True)


def test_changing_the_mode() -> None:
    """The contract's second example."""
    assert parse_command(b'{"mode": "precision"}') == Command(mode="precision")


def test_everything_at_once() -> None:
    """All keys may come together."""
    command = parse_command(
        b'{"transaction": "t1", "mode": "recall", "paused": false, "model": "yamnet", "log_level": "debug"}'
    )
    assert command == Command(paused=False, mode="recall", model="yamnet", log_level="debug", transaction="t1")


def test_null_takes_a_setting_back() -> None:
    """What a command has set is as configured again."""
    command = parse_command(b'{"mode": null, "model": null, "log_level": null}')
    assert command == Command(reset=frozenset({"mode", "model", "log_level"}))


def test_a_transaction_alone_asks_how_things_stand() -> None:
    """Nothing to change is no error if somebody waits for the answer."""
    assert parse_command(b'{"transaction": "t1"}') == Command(transaction="t1")


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"", "not JSON"),
        (b"paused", "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"{}", "empty"),
        (b"[]", "JSON object"),
        (b"true", "JSON object"),
        (b"null", "JSON object"),
        (b'{"paused": 1}', "true or false"),
        (b'{"paused": "true"}', "true or false"),
        (b'{"paused": null}', "true or false"),
        (b'{"paused": NaN}', "NaN"),
        (b'{"paused": true, "paused": false}', "twice"),
        (b'{"mode": "loud"}', "balanced, precision, recall"),
        (b'{"mode": ["precision"]}', "balanced, precision, recall"),
        (b'{"model": ""}', "name of an installed model, not ''"),
        (b'{"model": "' + b"m" * 65 + b'"}', "name of an installed model"),
        (b'{"log_level": "loud"}', "debug, info, warning, error, not 'loud'"),
        (b'{"log_level": 10}', "debug, info, warning, error, not 10"),
        (b'{"volume": 3}', "unknown key 'volume'"),
        (b'{"transaction": 7}', "transaction must be text"),
        (b'{"transaction": "' + b"t" * 129 + b'"}', "transaction must be text"),
        (b'{"paused": true}' + b" " * LONGEST_PAYLOAD, "at most 4096"),
        (b"[" * LONGEST_PAYLOAD, "not JSON"),
        (b'{"mode": ' * 400 + b"1" + b"}" * 400, "balanced, precision, recall"),
        (b'{"paused": ' + b"9" * 4000 + b"}", "true or false"),
    ],
    ids=lambda value: value[:30] if isinstance(value, bytes) else None,
)
def test_what_is_no_command_is_refused_with_a_sentence(payload: bytes, said: str) -> None:
    """Each refusal says what was wrong, at a length that fits a log."""
    with pytest.raises(CommandError, match=said) as refusal:
        parse_command(payload)
    assert len(str(refusal.value)) < 200


def test_a_refusal_carries_the_transaction() -> None:
    """So that the one who asked gets the answer."""
    with pytest.raises(CommandError) as refusal:
        parse_command(b'{"transaction": "t1", "mode": "loud"}')
    assert refusal.value.transaction == "t1"


def test_a_refusal_without_a_readable_transaction_carries_none() -> None:
    """A transaction of the wrong type cannot be repeated."""
    with pytest.raises(CommandError) as refusal:
        parse_command(b'{"transaction": {}, "paused": true}')
    assert refusal.value.transaction is None


def _is_command_or_refusal(payload: bytes) -> bool:
    """Anything else raises, and fails the test."""
    try:
        command = parse_command(payload)
    except CommandError as error:
        return bool(str(error))
    return (
        command.paused in (None, True, False)
        and command.mode in (None, "balanced", "precision", "recall")
        and (command.model is None or 0 < len(command.model) <= 64)
        and command.log_level in (None, "debug", "info", "warning", "error")
    )


@given(st.binary(max_size=LONGEST_PAYLOAD + 10))
def test_any_bytes_are_a_command_or_a_refusal(payload: bytes) -> None:
    """Nothing that arrives can raise anything else."""
    assert _is_command_or_refusal(payload)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
_keys = st.sampled_from(["paused", "mode", "model", "log_level", "transaction"]) | st.text(max_size=3)
_values = st.sampled_from(["balanced", "precision", "recall"]) | _json


@given(st.dictionaries(_keys, _values))
def test_any_json_object_is_a_command_or_a_refusal(fields: dict[str, object]) -> None:
    """The same for payloads that look nearly right."""
    assert _is_command_or_refusal(json.dumps(fields).encode())
