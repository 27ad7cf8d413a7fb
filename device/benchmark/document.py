"""Dataclasses to JSON and back, checked on the way back."""

import json
import math
import types
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_DIGITS = 6
"""After the point: a nanosecond, of milliseconds."""

Kind = TypeVar("Kind")


def dumps(value: "DataclassInstance", *, indent: int | None = None) -> str:
    """A dataclass as JSON, numbers rounded to what was measured of them."""
    document = json.loads(json.dumps(asdict(value)), parse_float=lambda text: round(float(text), _DIGITS))
    return json.dumps(document, indent=indent, ensure_ascii=False)


def loads(kind: type[Kind], text: str | bytes) -> Kind:
    """The dataclass that `dumps` was given.

    Raises:
        ValueError: the text is not JSON, or not of this kind; the message says where.
    """
    return build(kind, json.loads(text))


def build(kind: type[Kind], document: Any) -> Kind:
    """The dataclass that a parsed document stands for.

    Raises:
        ValueError: it is not of this kind; the message says where.
    """
    built: Kind = _build(kind, document, kind.__name__)
    return built


def _build(hint: Any, value: Any, where: str) -> Any:
    origin, inside = get_origin(hint), get_args(hint)
    if origin in (types.UnionType, Union):
        (hint,) = (each for each in inside if each is not type(None))
        return None if value is None else _build(hint, value, where)
    if origin is tuple:
        return tuple(_build(inside[0], each, where) for each in _expect(list, value, where))
    if origin is Mapping:
        items = _expect(dict, value, where).items()
        return {key: _build(inside[1], each, f"{where}.{key}") for key, each in items}
    if origin is Literal:
        if value not in inside:
            raise ValueError(f"{where} is {_shown(value)}, not one of {', '.join(inside)}")
        return value
    if is_dataclass(hint):
        return _dataclass(hint, _expect(dict, value, where), where)
    if hint is float:
        value = float(_expect((int, float), value, where))
        if not math.isfinite(value):
            raise ValueError(f"{where} is not a finite number")
    return _expect(hint, value, where)


def _dataclass(kind: Any, document: Mapping[str, Any], where: str) -> Any:
    hints = get_type_hints(kind)
    wanted = [entry.name for entry in fields(kind)]
    odd = sorted(set(wanted) ^ set(document))
    if odd:
        raise ValueError(f"{where} {'lacks' if odd[0] in wanted else 'has an unknown key'} {odd[0]!r}")
    return kind(**{name: _build(hints[name], document[name], f"{where}.{name}") for name in wanted})


def _expect(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):  # nothing here is true or false
        raise ValueError(f"{where} is {_shown(value)}, which cannot be")  # noqa: TRY004 - as every other
    return value


def _shown(value: Any) -> str:
    return json.dumps(value)[:40]
