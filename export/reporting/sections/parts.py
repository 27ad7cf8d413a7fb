"""What sections are made of: tables, notes on what is missing, commands, pictures. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from export.evaluation.metrics import Figure
from export.reporting.figures import NONE, decimals, interval
from export.reporting.html import Content, Markup, join, prose, tag
from export.reporting.pictures import Picture


@dataclass(frozen=True, slots=True)
class Cell:
    """One of a table."""

    content: Content
    class_: str | None = None
    heading: bool = False
    """It names its row."""


def section(anchor: str, title: str, *content: Content) -> Markup:
    """A part of the page with its heading."""
    heading = tag("h2", title, id=f"{anchor}-title")
    return tag("section", heading, content, id=anchor, aria_labelledby=f"{anchor}-title")


def paragraph(text: str, class_: str | None = None) -> Markup:
    """Text; `backticks` are code."""
    return tag("p", prose(text), class_=class_)


def bullets(texts: Iterable[str]) -> Markup:
    """A list."""
    return tag("ul", (tag("li", prose(text)) for text in texts))


def commands(*lines: str) -> Markup:
    """For a terminal."""
    return tag("pre", tag("code", "\n".join(lines)), tabindex="0", role="region", aria_label="Commands")


def missing(text: str, *lines: str) -> Markup:
    """What is not here, and the commands that make it."""
    return tag("div", paragraph(text), commands(*lines), class_="missing")


def table(
    caption: str, head: Sequence[str | Cell], rows: Iterable[Sequence[Cell]], *, class_: str = "figures"
) -> Markup:
    """A table that scrolls by itself where it is wider than the page.

    Args:
        caption: what it shows.
        head: names of the columns.
        rows: cells; the heading one names the row.
        class_: `figures`, or `answer`, whose rows turn into cards on a phone.
    """
    named = [each if isinstance(each, Cell) else Cell(each) for each in head]
    columns = tag("tr", (tag("th", each.content, scope="col", class_=each.class_) for each in named))
    body = (tag("tr", map(_cell, cells)) for cells in rows)
    inside = tag("table", tag("caption", tag("span", prose(caption))), tag("thead", columns), tag("tbody", body))
    return tag("div", inside, class_=f"wide {class_}", tabindex="0", role="region", aria_label=caption)


def _cell(cell: Cell) -> Markup:
    if cell.heading:
        return tag("th", cell.content, scope="row", class_=cell.class_)
    return tag("td", cell.content, class_=cell.class_)


def name(text: str) -> Cell:
    """A row's name that is code."""
    return Cell(tag("code", text), heading=True)


def number(text: str) -> Cell:
    """Aligned with those above."""
    return Cell(text, "number")


def heads(*names: str) -> list[str | Cell]:
    """The first column's name, then those of numbers."""
    return [names[0], *(Cell(each, "number") for each in names[1:])]


def measured(figure: Figure | None, *, best: bool = False, places: int = 3) -> Cell:
    """A figure with its interval under it."""
    if figure is None:
        return number(NONE)
    value = tag("span", decimals(figure.value, places), class_="best" if best else None)
    return Cell(join(value, tag("span", interval(figure, places), class_="between")), "number")


def drawing(title: str, picture: Markup, caption: str | None = None, *, above: Markup | None = None) -> Markup:
    """A chart with its title, and what to know of it."""
    heading = tag("p", prose(title), class_="heading")
    below = None if caption is None else tag("figcaption", prose(caption))
    return tag("figure", heading, above, picture, below)


def photograph(picture: Picture, alt: str, caption: str) -> Markup:
    """A PNG, on white paper in the dark too."""
    image = tag("img", src=picture.address, alt=alt, width=picture.width, height=picture.height)
    paper = tag("div", image, class_="paper", tabindex="0", role="region", aria_label=alt)
    return tag("figure", paper, tag("figcaption", prose(caption)))
