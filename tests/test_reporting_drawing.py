"""export.reporting: axes, charts, numbers and text as templates write them, colours."""

import numpy as np
import pytest
from jinja2 import UndefinedError
from reporting_fakes import SCHEMES, Taken, colours_of, material, taken

from export.evaluation.metrics import Figure
from export.reporting.axis import Axis
from export.reporting.charts import Range, Ranges
from export.reporting.figures import NONE, prose, significant
from export.reporting.page import environment

HOSTILE = '<script>alert("1")</script>&"\'><img src=x onerror=alert(1)>'


def filled(source: str, **values: object) -> str:
    """A template of one's own, filled in as the page's are."""
    return environment().from_string(source).render(**values)


def drawn(figure: Figure, axis: Axis) -> Taken:
    """A chart of one value."""
    source = '{% from "charts.html" import ranges %}{{ ranges(chart, "picture") }}'
    return Taken(filled(source, chart=Ranges([Range("a", figure)], axis, places=2)))


def test_text_is_escaped() -> None:
    """In content and in attributes."""
    made = filled('<p title="{{ text }}">{{ text }}</p>', text=HOSTILE)
    assert "<script>" not in made
    assert Taken(made).elements == [("p", {"title": HOSTILE})]


def test_a_name_that_a_template_lacks_is_an_error() -> None:
    """Nothing is left out in silence."""
    with pytest.raises(UndefinedError, match="'nothing' is undefined"):
        filled("{{ nothing }}")


def test_backticks_are_code() -> None:
    """And what is in them is escaped."""
    assert prose("a `<b>` c") == "a <code>&lt;b&gt;</code> c"
    assert prose("50 % of 52 MB, 2 samples") == "50\N{NO-BREAK SPACE}% of 52\N{NO-BREAK SPACE}MB, 2 samples"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.000853, "0.00085"), (589.3, "590"), (1234.0, "1,200"), (0.0, "0"), (9.96, "10"), (None, NONE)],
)
def test_numbers_are_shown_as_far_as_they_count(value: float | None, shown: str) -> None:
    """Two figures, thousands apart."""
    assert significant(value) == shown


def test_a_dot_stands_where_its_value_is() -> None:
    """And the bar from one end of the interval to the other."""
    found = drawn(Figure(0.75, 0.7, 0.9), Axis("F1", 0.5, 1.0))
    (dot,) = found.of("circle")
    (span,) = (each for each in found.of("line") if each["class"] == "span")
    assert (dot["cx"], span["x1"], span["x2"]) == ("50.00%", "40.00%", "80.00%")
    assert found.of("svg")[0]["aria-label"] == "picture. F1: a 0.75 (0.70 to 0.90)"


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
    found = drawn(Figure(0.7, np.nan, np.nan), Axis("", 0.0, 1.0))
    assert len(found.of("circle")) == 1
    assert not [each for each in found.of("line") if each["class"] == "span"]


def luminance(colour: str) -> float:
    """Relative, of #rrggbb (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Of two colours (WCAG 2.2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_contrasts_are_high_enough(scheme: str) -> None:
    """4.5 for text, 3 for what a picture is made of (WCAG 2.2, 1.4.3 and 1.4.11)."""
    colours = colours_of(scheme)
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


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_browser_is_told_the_colour_of_the_page(scheme: str) -> None:
    """In both schemes, as the style sheet has it."""
    told = {each["media"]: each["content"] for each in taken(material()).of("meta") if "media" in each}
    assert told[f"(prefers-color-scheme: {scheme})"] == colours_of(scheme)["page"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_colour_of_a_chart_is_in_the_style_sheet(scheme: str) -> None:
    """From the first to the last, after which they begin again."""
    source = '{% from "charts.html" import series %}{% for number in range(20) %}{{ series(number) }} {% endfor %}'
    asked = {each.removeprefix("var(--").removesuffix(")") for each in filled(source).split()}
    assert asked == {name for name in colours_of(scheme) if name.startswith("series")}
