"""The sections as one document that asks nobody for anything."""

from export.reporting.html import Markup, join, prose, tag
from export.reporting.material import Material
from export.reporting.sections.answer import answer
from export.reporting.sections.cost import cost
from export.reporting.sections.estimators import comparison, original
from export.reporting.sections.hearing import hearing, practice
from export.reporting.sections.parts import section
from export.reporting.sections.reproduce import reproduce
from export.reporting.sections.trust import calibration, limits
from export.reporting.style import DARK, LIGHT, style_sheet

SECTIONS = (
    ("answer", "The answer", answer),
    ("hearing", "How well the models hear", hearing),
    ("practice", "What that is like", practice),
    ("cost", "Time and memory", cost),
    ("comparison", "The whole comparison", comparison),
    ("original", "The original report's figures", original),
    ("calibration", "What a probability is worth", calibration),
    ("limits", "Limits", limits),
    ("reproduce", "Make it yourself", reproduce),
)
"""Anchor, title and what makes it, top down."""

TITLE = "Which model on which Raspberry Pi"

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What a browser may do for this page: its own style and its own pictures, nothing from elsewhere, no scripts."""


def page(material: Material, *, made: str) -> str:
    """The whole document.

    Args:
        material: everything that it may speak of.
        made: when and by what, for the last line.
    """
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="theme-color", content=LIGHT["page"], media="(prefers-color-scheme: light)"),
        tag("meta", name="theme-color", content=DARK["page"], media="(prefers-color-scheme: dark)"),
        tag("meta", name="description", content=f"oido: {TITLE.lower()}, with the figures behind it"),
        tag("title", f"{TITLE} · oido"),
        tag("link", rel="icon", href="data:,"),  # or a browser would ask for one
        tag("style", Markup(style_sheet())),
    )
    links = tag("ul", (tag("li", tag("a", title, href=f"#{anchor}")) for anchor, title, _ in SECTIONS))
    header = tag(
        "header",
        tag("a", "Skip to the answer", href="#answer", class_="skip"),
        tag("p", "oido hears whether there is music", class_="brand"),
        tag("h1", TITLE),
        tag("nav", links, aria_label="Contents"),
    )
    main = tag("main", (section(anchor, title, make(material)) for anchor, title, make in SECTIONS))
    footer = tag("footer", tag("p", prose(made)))
    return f"<!doctype html>\n{tag('html', head, tag('body', join(header, main, footer)), lang='en')}\n"
