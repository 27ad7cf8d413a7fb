"""export.reporting.html, chart and style: elements, pictures, colours."""

import numpy as np
import pytest
from reporting_fakes import (
    Taken,
)

from export.evaluation.metrics import Figure
from export.reporting.chart import Axis, Range, ranges
from export.reporting.figures import NONE, significant
from export.reporting.html import Markup, join, prose, tag
from export.reporting.style import DARK, LIGHT

HOSTILE = '<script>alert("1")</script>&"\'><img src=x onerror=alert(1)>'


def test_text_is_escaped_unless_it_was_made_here() -> None:
    """In content and in attributes."""
    made = tag("p", HOSTILE, tag("b", "x"), title=HOSTILE)
    assert "<script>" not in made
    assert "<b>x</b>" in made
    assert Taken(made).elements == [("p", {"title": HOSTILE}), ("b", {})]


def test_backticks_are_code() -> None:
    """And what is in them is escaped."""
    assert prose("a `<b>` c") == "a <code>&lt;b&gt;</code> c"
    assert prose("50 % of 52 MB, 2 samples") == "50\N{NO-BREAK SPACE}% of 52\N{NO-BREAK SPACE}MB, 2 samples"
    assert join(["x", None, Markup("<hr>")]) == "x<hr>"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.000853, "0.00085"), (589.3, "590"), (1234.0, "1,200"), (0.0, "0"), (9.96, "10"), (None, NONE)],
)
def test_numbers_are_shown_as_far_as_they_count(value: float | None, shown: str) -> None:
    """Two figures, thousands apart."""
    assert significant(value) == shown


def test_a_dot_stands_where_its_value_is() -> None:
    """And the bar from one end of the interval to the other."""
    axis = Axis("F1", 0.5, 1.0)
    drawn = Taken(ranges("picture", [Range("a", Figure(0.75, 0.7, 0.9), "0.75")], axis))
    (dot,) = drawn.of("circle")
    (span,) = (each for each in drawn.of("line") if each["class"] == "span")
    assert (dot["cx"], span["x1"], span["x2"]) == ("50.00%", "40.00%", "80.00%")
    assert drawn.of("svg")[0]["aria-label"] == "picture. F1: a 0.75"


@pytest.mark.parametrize(
    ("axis", "ticks"),
    [
        (Axis("", 0.75, 1.0), [0.8, 0.9, 1.0]),
        (Axis("", 0.0, 0.12), [0.0, 0.05, 0.1]),
        (Axis("", 0.4, 0.9, logarithmic=True), [0.4, 0.5, 0.6, 0.7, 0.8, 0.9]),
        (Axis("", 0.3, 40.0, logarithmic=True), [0.5, 1.0, 2.0, 5.0, 10.0, 20.0]),
    ],
)
def test_ticks_are_round_numbers(axis: Axis, ticks: list[float]) -> None:
    """On both kinds of axis."""
    assert axis.ticks() == pytest.approx(ticks)


def test_an_interval_that_is_no_number_is_not_drawn() -> None:
    """The dot is."""
    drawn = Taken(ranges("", [Range("a", Figure(0.7, np.nan, np.nan), "")], Axis("", 0.0, 1.0)))
    assert len(drawn.of("circle")) == 1
    assert not [each for each in drawn.of("line") if each["class"] == "span"]


def luminance(colour: str) -> float:
    """Relative, of #rrggbb (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Of two colours (WCAG 2.2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_contrasts_are_high_enough(colours: dict[str, str]) -> None:
    """4.5 for text, 3 for what a picture is made of (WCAG 2.2, 1.4.3 and 1.4.11)."""
    for text, ground in (
        *((text, ground) for text in ("ink", "muted", "accent") for ground in ("page", "card")),
        ("accent", "tint"),
        ("ink", "tint"),
        ("warn", "warn-tint"),
        ("ink", "warn-tint"),
    ):
        assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for name, colour in colours.items():
        if name.startswith("series"):
            assert contrast(colour, colours["card"]) >= 3, name
