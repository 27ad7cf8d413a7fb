"""What a fuzzer makes of something valid: bytes, text and JSON values that are wrong somewhere. Pure, seeded."""

import json
import random
import re
from collections.abc import Sequence
from typing import Any

_INTEGERS = (
    0,
    1,
    -1,
    127,
    128,
    255,
    256,
    32_767,
    65_535,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63 - 1,
    -(2**63),
    10**30,
)
_ODD_TEXTS = (
    "",
    "\0",
    "a\0b",
    "..",
    "../../etc/passwd",
    "~nobody-of-that-name/x",
    "/" * 300,
    "x" * 300,
    "x" * 5_000,
    "\ud800",
    "é\u202e\U0001f3b5",
    "%s%n{0}",
    "oido/+/#",
    "9999-12-31T23:59:59.999Z",
    "0001-01-01",
    "nan",
    "-inf",
    "1e999",
)
_INTERESTING = (
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\x80\0\0\0",
    b"\0\0\0\x80",
)


def mutated_bytes(draw: random.Random, data: bytes, *, most: int = 8, within: int | None = None) -> bytes:
    """Flip, overwrite, cut out, repeat or insert, up to `most` times, in the first `within` bytes or anywhere."""
    changed = bytearray(data)
    for _ in range(draw.randint(1, most)):
        end = len(changed) if within is None else min(within, len(changed))
        at = draw.randrange(end + 1)
        match draw.randrange(8):
            case 0 if at < end:
                changed[at] ^= 1 << draw.randrange(8)
            case 1 if at < end:
                changed[at] = draw.randrange(256)
            case 2:
                changed[at : at + 4] = draw.choice(_INTERESTING)
            case 3:
                width = draw.choice((1, 2, 4, 8))
                value = draw.choice(_INTEGERS) % (1 << 8 * width)
                changed[at : at + width] = value.to_bytes(width, draw.choice(("little", "big")))
            case 4:
                del changed[at : at + draw.randint(1, 64)]
            case 5:
                changed[at:at] = draw.randbytes(draw.randint(1, 64))
            case 6:
                start = draw.randrange(end + 1)
                changed[at:at] = changed[start : start + draw.randint(1, 256)]
            case _:
                if draw.random() < 0.2:
                    del changed[at:]
    return bytes(changed)


def mutated_text(draw: random.Random, text: str) -> str:
    """Lines dropped, doubled, swapped or cut, values exchanged for odd ones."""
    lines = text.splitlines()
    for _ in range(draw.randint(1, 5)):
        if not lines:
            break
        at = draw.randrange(len(lines))
        match draw.randrange(6):
            case 0:
                del lines[at]
            case 1:
                lines.insert(draw.randrange(len(lines)), lines[at])
            case 2:
                lines[at] = mutated_bytes(draw, lines[at].encode("utf-8", "surrogatepass"), most=2).decode(
                    "utf-8", "replace"
                )
            case 3:
                lines[at] = lines[at].removeprefix("#").strip()
            case _:
                key, equals, _ = lines[at].partition("=")
                if equals:
                    lines[at] = f"{key.removeprefix('#')}= {toml_value(draw)}"
    return "\n".join(lines)


def toml_value(draw: random.Random) -> str:
    """A value as TOML writes one, or nearly."""
    depth = draw.choice((2, 50, 400, 900, 1_000, 3_000))
    return draw.choice(
        (
            json.dumps(odd_text(draw), ensure_ascii=draw.random() < 0.5),
            str(draw.choice(_INTEGERS)),
            "0x" + "f" * draw.choice((4, 16, 300, 5_000)),
            "1" * draw.choice((5, 400, 5_000)),
            draw.choice(("nan", "-inf", "inf", "1e999", "-0.0", "1e-320", "0.5", "true", "false")),
            draw.choice(("1979-05-27T07:32:00Z", "07:32:00", "1979-05-27", "[]", "{}", "{a = 1}", "[[1], ['a']]")),
            "[" * depth + "]" * draw.choice((depth, depth - 1)),
        )
    )


def odd_text(draw: random.Random) -> str:
    """Text that somebody did not expect."""
    if draw.random() < 0.2:
        return "".join(chr(draw.randrange(0xD7FF)) for _ in range(draw.randint(0, 30)))
    return draw.choice(_ODD_TEXTS)


def odd_value(draw: random.Random) -> Any:
    """A JSON value of any type."""
    nested: Any = []
    for _ in range(draw.choice((0, 3, 200, 900))):
        nested = [nested]
    return draw.choice(
        (
            None,
            True,
            False,
            draw.choice(_INTEGERS),
            draw.random() * 2 - 0.5,
            draw.choice((1e308, -1e308, 1e-320, float("nan"), float("inf"), -float("inf"))),
            odd_text(draw),
            nested,
            {},
            {odd_text(draw): odd_text(draw)},
            [0, 1],
            ["music"],
        )
    )


def mutated_value(draw: random.Random, value: Any) -> Any:
    """The same JSON value with something in it dropped, added, renamed or exchanged; the original is kept."""
    if isinstance(value, dict) and value and draw.random() < 0.9:
        changed = dict(value)
        key = draw.choice(list(changed))
        match draw.randrange(12):
            case 0:
                del changed[key]
            case 1:
                changed[odd_text(draw)] = odd_value(draw)
            case 2:
                changed[odd_text(draw)] = changed.pop(key)
            case _:
                changed[key] = mutated_value(draw, changed[key])
        return changed
    if isinstance(value, list) and value and draw.random() < 0.9:
        listed = list(value)
        at = draw.randrange(len(listed))
        match draw.randrange(4):
            case 0:
                del listed[at]
            case 1:
                listed.insert(at, listed[draw.randrange(len(listed))])
            case _:
                listed[at] = mutated_value(draw, listed[at])
        return listed
    if type(value) in (int, float) and abs(value) < 1e15 and draw.random() < 0.4:
        return draw.choice((-value, value + 1, value * 1e6, value / 3, round(value, 1), str(value)))
    return odd_value(draw)


def json_text(draw: random.Random, value: Any) -> bytes:
    """The value as JSON, now and then with a mistake in the text itself."""
    text = json.dumps(value, ensure_ascii=draw.random() < 0.7, indent=draw.choice((None, 2)))
    data = text.encode("utf-8", "surrogatepass")
    if draw.random() < 0.15:
        data = mutated_bytes(draw, data, most=3)
    if draw.random() < 0.02:
        depth = draw.choice((900, 1_000, 5_000, 100_000))
        data = b"[" * depth + b"]" * depth
    return data


def mutated_words(draw: random.Random, words: Sequence[str], known: Sequence[str]) -> list[str]:
    """A command line with words dropped, added or exchanged; no word holds what a command line cannot."""
    changed = list(words)
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(changed) + 1)
        word = draw.choice((draw.choice(known), odd_text(draw), str(draw.choice(_INTEGERS)), _date(draw)))
        match draw.randrange(3):
            case 0:
                del changed[at : at + 1]
            case 1:
                changed.insert(at, word)
            case _:
                changed[at : at + 1] = [word]
    # What a shell passes on: no NUL, and bytes that are no UTF-8 as surrogate escapes only.
    return [re.sub("[\ud800-\udfff]", "\udcff", word.replace("\0", "")) for word in changed]


def _date(draw: random.Random) -> str:
    year = draw.choice((0, 1, 2, 1969, 1970, 2026, 9998, 9999, 10_000))
    return draw.choice(
        (
            f"{year:04d}-{draw.randint(0, 13):02d}-{draw.randint(0, 32):02d}",
            f"{year:04d}-01-01T00:00:00+{draw.randint(0, 24):02d}:00",
            f"{year:04d}-12-31T23:59:59.999999-{draw.randint(0, 24):02d}:59",
            f"{year:04d}-W01-1",
        )
    )
