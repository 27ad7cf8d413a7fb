"""Settings dataclasses out of TOML tables and text: every value is checked against its field.

A field's type says what it may hold; its metadata, `within`, `TOPIC_LEVEL` or `SHOWN_NAME`, what else. An error
names the key, the value and what is allowed.
"""

import difflib
import math
import sys
import types
import typing
from collections.abc import Collection
from dataclasses import MISSING, Field, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from device.errors import ConfigurationError

TOPIC_LEVEL = {"topic": True}
"""Field metadata: text that can stand as one level of a topic."""

SHOWN_NAME = {"shown": True}
"""Field metadata: text that people read as a name."""

_LONGEST_TEXT = 4_096
"""Characters; no path is longer."""

_LONGEST_NAME = 100
"""Characters."""

_TOPIC_SAFE = "letters, digits, '-', '_' and '.', at most 64"


def within(low: float, high: float) -> dict[str, Any]:
    """Field metadata: the closed range a number must lie in."""
    return {"low": low, "high": high}


def parse(text: str, hint: Any) -> Any:
    """Read a variable's text as the field's type, if possible; if not, `check` will refuse it."""
    allowed = _members(hint)
    if bool in allowed:
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
    for kind in (int, float):
        if kind in allowed:
            try:
                return kind(text)
            except ValueError:
                continue
    return text


def build(kind: type[Any], table: Any, where: str, section: str) -> Any:
    """Make a settings dataclass of a TOML table, and of the tables in it.

    Args:
        kind: the dataclass; what its fields' types are is what their values must be.
        table: what stood in the file.
        where: the file, for messages.
        section: what the table is called there; empty for the whole file.

    Raises:
        ConfigurationError: it is no table, or a key or value in it is wrong.
    """
    if not isinstance(table, dict):
        raise ConfigurationError(f"{where}: [{section}] must be a section, not {_shown(table)}")
    hints = get_type_hints(kind)
    known = {entry.name: entry for entry in fields(kind)}
    values = {}
    for key, value in table.items():
        label = f"{where}: {f'[{section}] ' if section else ''}{key}"
        if key not in known:
            raise ConfigurationError(f"{label}: unknown key{suggest(key, known)}")
        values[key] = _read(value, hints[key], known[key], label, where)
    return kind(**values)


def _read(value: Any, hint: Any, entry: Field[Any], label: str, where: str) -> Any:
    """One key's value: a nested section, a list of sections or a plain value."""
    if isinstance(hint, type) and entry.default_factory is not MISSING:
        return build(hint, value, where, entry.name)
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise ConfigurationError(f"{label}: write it as [[{entry.name}]]")
        return tuple(build(get_args(hint)[0], item, where, entry.name) for item in value)
    return check(value, hint, entry, label)


def _members(hint: Any) -> tuple[Any, ...]:
    """The plain types of a hint: `str | None` has two, `int` one, a Literal itself."""
    return get_args(hint) if get_origin(hint) in (types.UnionType, typing.Union) else (hint,)


def check(value: Any, hint: Any, entry: Field[Any], label: str) -> Any:
    """Return the value if the field may hold it; whole numbers become floats where those are wanted.

    Args:
        value: of any type.
        hint: the field's type: plain, a Literal, or either with None.
        entry: the field, for its metadata.
        label: file and key, for messages.

    Raises:
        ConfigurationError: it may not.
    """
    members = _members(hint)
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        if value not in choices:
            raise ConfigurationError(f"{label}: {_shown(value)} is not one of {', '.join(map(repr, choices))}")
        return value
    if float in members and isinstance(value, int) and not isinstance(value, bool):
        # What no float can hold is refused by the range, like any other number that is too large.
        largest = sys.float_info.max
        value = float(value) if -largest <= value <= largest else math.inf if value > 0 else -math.inf
    if type(value) not in members:
        wanted = " or ".join(_WORDS[member] for member in members if member in _WORDS)
        raise ConfigurationError(f"{label}: {_shown(value)} must be {wanted}")
    if isinstance(value, str) and ("\0" in value or len(value) > _LONGEST_TEXT):
        # Neither a path nor an MQTT string can hold it.
        raise ConfigurationError(
            f"{label}: text of at most {_LONGEST_TEXT} characters is allowed, and no NUL character among them"
        )
    if "low" in entry.metadata and not entry.metadata["low"] <= value <= entry.metadata["high"]:
        low, high = entry.metadata["low"], entry.metadata["high"]
        raise ConfigurationError(f"{label}: {_shown(value)} must lie between {low:g} and {high:g}")
    if entry.metadata.get("topic") and not _is_topic_safe(value):
        raise ConfigurationError(f"{label}: {_shown(value)} becomes part of a topic and may hold {_TOPIC_SAFE}")
    if entry.metadata.get("shown") and not _is_name(value):
        raise ConfigurationError(
            f"{label}: {_shown(value)} is shown as a name and must be 1 to {_LONGEST_NAME} printable characters, "
            "without a space at either end"
        )
    return value


_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def _shown(value: object) -> str:
    """The value as an error shows it; Python refuses to print numbers of thousands of digits."""
    try:
        return repr(value)
    except (ValueError, RecursionError):
        return "what it is set to"


def _is_topic_safe(text: str) -> bool:
    """Whether the text can stand as one level of an MQTT topic and in Home Assistant's identifiers."""
    longest = 64
    return 0 < len(text) <= longest and all(c.isascii() and (c.isalnum() or c in "-_.") for c in text)


def _is_name(text: str | None) -> bool:
    """Whether people can read the text as a name; None is no name and may be left out."""
    return text is None or (0 < len(text) <= _LONGEST_NAME and text.isprintable() and text == text.strip())


def suggest(key: str, known: Collection[str]) -> str:
    """The nearest valid key, or all of them."""
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known here: {', '.join(known)}"
