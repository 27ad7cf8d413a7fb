"""What a `set` payload asks for. Pure; anybody may have sent it, so nothing is trusted."""

import json
from dataclasses import dataclass
from typing import Any, cast, get_args

from device.configuration.settings import LogLevel, Mode

LONGEST_PAYLOAD = 4096
"""Bytes; a real command has under a hundred."""
LONGEST_TRANSACTION = 128
"""Characters."""

LONGEST_MODEL = 64
"""Characters."""

_KEYS = ("paused", "mode", "model", "log_level", "transaction")
_CHOICES: dict[str, tuple[str, ...]] = {"mode": get_args(Mode), "log_level": get_args(LogLevel)}
_SHOWN = 40  # characters of somebody else's text that an error repeats


class CommandError(ValueError):
    """The payload is not a command; the message is one sentence that says why."""

    def __init__(self, message: str, *, transaction: str | None = None) -> None:
        """Keep the transaction, so that the response finds the one who asked."""
        super().__init__(message)
        self.transaction = transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Settings to change; None leaves one as it is. With none, the sender only asks how things stand.

    A payload's null takes back what a command has set; such keys are in `reset`.
    """

    paused: bool | None = None
    mode: Mode | None = None
    model: str | None = None
    """Of the whole device, whichever source was addressed: the name of an installed model."""
    log_level: LogLevel | None = None
    """Of the whole device."""
    reset: frozenset[str] = frozenset()
    """The settings that shall be as configured again."""
    transaction: str | None = None
    """Repeated in the response."""


def parse_command(payload: bytes) -> Command:
    """Read a `set` payload (schemas/set.json).

    Raises:
        CommandError: it is not a command.
    """
    fields = _fields(payload)
    transaction = fields.get("transaction")
    if "transaction" in fields and not (isinstance(transaction, str) and len(transaction) <= LONGEST_TRANSACTION):
        raise CommandError(f"transaction must be text of at most {LONGEST_TRANSACTION} characters")
    if not fields:
        raise CommandError(f"the command is empty; give at least one of {', '.join(_KEYS)}")
    for key in fields:
        if key not in _KEYS:
            raise CommandError(f"unknown key {_shown(key)}; known are {', '.join(_KEYS)}", transaction=transaction)
    # Not a pause: a broken template says null, and must not open a microphone.
    reset = frozenset(key for key in ("mode", "model", "log_level") if key in fields and fields[key] is None)
    fields = {key: value for key, value in fields.items() if key not in reset}
    paused = fields.get("paused")
    if "paused" in fields and not isinstance(paused, bool):
        raise CommandError(f"paused must be true or false, not {_shown(paused)}", transaction=transaction)
    for key, choices in _CHOICES.items():
        value = fields.get(key)
        if key in fields and not (isinstance(value, str) and value in choices):
            allowed = ", ".join(choices)
            raise CommandError(f"{key} must be one of {allowed}, not {_shown(value)}", transaction=transaction)
    model = fields.get("model")
    if "model" in fields and not (isinstance(model, str) and 0 < len(model) <= LONGEST_MODEL):
        raise CommandError(
            f"model must be the name of an installed model, not {_shown(model)}", transaction=transaction
        )
    return Command(
        paused=paused,
        mode=cast("Mode | None", fields.get("mode")),
        model=model,
        log_level=cast("LogLevel | None", fields.get("log_level")),
        reset=reset,
        transaction=transaction,
    )


def _fields(payload: bytes) -> dict[str, Any]:
    if len(payload) > LONGEST_PAYLOAD:
        raise CommandError(f"the command is too long; at most {LONGEST_PAYLOAD} bytes are read")
    try:
        fields = json.loads(payload.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except CommandError:
        raise
    except UnicodeDecodeError as error:
        raise CommandError("the command is not UTF-8 text") from error
    except (ValueError, RecursionError) as error:
        raise CommandError("the command is not JSON") from error
    if not isinstance(fields, dict):
        raise CommandError('the command must be a JSON object such as {"paused": true}')
    return fields


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise CommandError("the command says one key twice")
    return fields


def _no_constant(name: str) -> None:
    raise CommandError(f"{name} is not JSON")


def _shown(value: object) -> str:
    # repr of a deep list recurses like the parser did; only text and plain values are worth repeating.
    text = repr(value) if isinstance(value, str | int | float | None) else f"a {type(value).__name__}"
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
