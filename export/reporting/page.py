"""The whole page: what there is to report on, put into the templates."""

import math
import shlex
from typing import TYPE_CHECKING

from export.comparison import listing
from export.comparison.rows import ALL
from export.reporting import answer, charts, choice, figures, material

if TYPE_CHECKING:
    from jinja2 import Environment

SECTIONS = {
    "answer": "The answer",
    "hearing": "How well the models hear",
    "practice": "What that is like",
    "cost": "Time and memory",
    "comparison": "The whole comparison",
    "original": "The original report's figures",
    "calibration": "What a probability is worth",
    "limits": "Limits",
    "reproduce": "Make it yourself",
}
"""Titles by anchor, top down; an anchor is also the name of its template."""


def page(found: material.Material, *, made: str) -> str:
    """The whole document.

    Args:
        found: everything that it may speak of.
        made: when and by what, for the last line.
    """
    return environment().get_template("page.html").render(material=found, made=made, sections=SECTIONS)


def environment() -> "Environment":
    """The templates with the filters and modules that they use; all text is escaped, no name may be missing."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - an extra

    made = Environment(
        loader=PackageLoader("export.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters = (
        figures.decimals,
        figures.significant,
        figures.shown,
        figures.interval,
        figures.listed,
        figures.counted,
        figures.sound_name,
        figures.prose,
        shlex.quote,
    )
    made.filters |= {each.__name__: each for each in filters}
    made.tests["finite"] = math.isfinite
    made.globals |= {"answer": answer, "charts": charts, "choice": choice, "listing": listing}
    made.globals |= {"ALL": ALL, "NONE": figures.NONE, "best": material.best}
    return made
