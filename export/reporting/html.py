"""HTML and SVG out of Python: text is escaped unless it was made here. Pure."""

import html
import re
from collections.abc import Iterable
from itertools import cycle

_EMPTY = frozenset({"meta", "link", "br", "hr", "img", "line", "circle", "rect", "path"})
"""Elements without content: of HTML, which must not be closed, and of SVG, which may be written so in HTML."""

_SVG_EMPTY = frozenset({"line", "circle", "rect", "path"})


_TOGETHER = re.compile(r"(?<=\d) (?=(?:%|MB|KB|ms|s|h)(?!\w))|(?<=\bPi) (?=\d|Zero)")


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Content = str | Markup | Iterable["Content"] | None
"""What can stand in an element: text, which is escaped; elements; many of both; nothing."""


def join(*content: Content) -> Markup:
    """One after the other, text escaped."""
    return Markup("".join(_text(each) for each in content))


def tag(name: str, /, *content: Content, **attributes: str | float | None) -> Markup:
    """An element.

    Args:
        name: of the element.
        content: inside it.
        attributes: a trailing underscore is dropped and others become hyphens, so `class_`, `aria_label`;
            None leaves one out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(_value(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _EMPTY:
        return Markup(f"<{name}{written}{'/' if name in _SVG_EMPTY else ''}>")
    return Markup(f"<{name}{written}>{join(*content)}</{name}>")


def prose(text: str) -> Markup:
    """Text in which what stands between `backticks` is code; a number and its unit stay on one line."""
    return join(
        tag("code", part) if code else _TOGETHER.sub("\N{NO-BREAK SPACE}", part)
        for part, code in zip(text.split("`"), cycle((False, True)), strict=False)
    )


def _text(content: Content) -> str:
    if content is None:
        return ""
    if isinstance(content, Markup):
        return str(content)
    if isinstance(content, str):
        return html.escape(content)
    return "".join(_text(each) for each in content)


def _value(value: str | float) -> str:
    """A coordinate needs no more than two decimals."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
