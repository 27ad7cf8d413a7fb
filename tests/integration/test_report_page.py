"""The report in a real browser: every width, both schemes, on paper, and without a network."""

from pathlib import Path

import numpy as np
import pytest
from browser import Browser, Visited, chromium
from reporting_fakes import PI_4, SCHEMES, Taken, benchmark, colours_of, comparison, material

from export.reporting.material import PLOTS, Material, bundled, read_model
from export.reporting.page import page
from export.reporting.pictures import FIGURES, read_pictures

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(chromium() is None, reason="needs Chromium: apt install chromium"),
]

PHONE, DESK = 360, 1200

EXTRACTORS = (("cepstral", "scratch"), ("ours", "own"), ("yamnet", "published"), ("vggish", "published"))

ESTIMATORS = ("logistic", "svm", "forest", "xgboost", "dense", "gru", "attention")


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    """With a profile of its own."""
    return Browser(chromium() or "", tmp_path)


@pytest.fixture(scope="module")
def full() -> str:
    """The bundled models, two devices, all rows, the checkout's reliability diagram."""
    models = [read_model(path) for path in bundled()]
    names = dict.fromkeys((each.name for each in models), 0.012)
    rows = {
        (features, origin, estimator): 0.9 + 0.01 * place + 0.002 * number
        for place, (features, origin) in enumerate(EXTRACTORS)
        for number, estimator in enumerate(ESTIMATORS)
    }
    found = Material(
        models=models,
        benchmarks=[benchmark(PI_4, models=names, cpu="Cortex-A72"), benchmark(models=names)],
        comparison=comparison(rows),
        pictures=(),
        plots=read_pictures(FIGURES, *PLOTS),
        folder="comparison",
    )
    return page(found, made="today")


@pytest.fixture(params=["full", "empty"])
def either(request: pytest.FixtureRequest, full: str) -> str:
    """The page with everything, and the page with nothing."""
    return full if request.param == "full" else page(material(), made="today")


def test_no_width_makes_it_scroll_sideways(browser: Browser, either: str) -> None:
    """From a small phone to a wide desk; in the pictures no words lie on others."""
    for found in browser.measure(either, [PHONE, 390, 768, DESK]):
        assert found["scroll_width"] <= found["width"], found
        assert found["crowded"] == [], found["width"]
        assert found["broken"] == 0
        assert found["text"] > 2000


def test_nothing_is_requested(browser: Browser, either: str) -> None:
    """By a page that only has itself."""
    (found,) = browser.measure(either, [DESK])
    assert found["requests"] == []


def test_a_request_would_be_seen(browser: Browser) -> None:
    """Were there one, the tests above and below would fail."""
    with Visited() as visited:
        (found,) = browser.measure(f'<img src="{visited.address}">', [DESK])
    assert found["requests"] == [visited.address]
    assert visited.paths == ["/a.png"]


def test_the_browser_refuses_what_was_smuggled_in(browser: Browser, full: str) -> None:
    """Neither scripts nor pictures from elsewhere, whatever a later change lets through."""
    with Visited() as visited:
        smuggled = f'<img src="{visited.address}"><script>document.body.replaceChildren()</script></body>'
        (found,) = browser.measure(full.replace("</body>", smuggled), [DESK])
    assert visited.paths == []
    assert found["text"] > 2000


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_it_can_be_seen(browser: Browser, full: str, width: int, scheme: str) -> None:
    """The scheme's ground, and on it letters and pictures."""
    colours = colours_of(scheme)
    shown = browser.picture(full, f"{width}-{scheme}", width=width, height=3000, dark=scheme == "dark")
    seen = {name: (shown == rgb(colours[name])).all(axis=2).mean() for name in ("page", "card", "ink", "accent")}
    assert seen["page"] > 0.2, seen
    assert seen["card"] > 0.2, seen
    assert seen["ink"] > 0.002, seen
    assert seen["accent"] > 0.0005, seen


def test_it_can_be_printed(browser: Browser, full: str) -> None:
    """On a dozen sheets or so."""
    printed = browser.printed(full)
    assert 5 <= printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page ") <= 25


def test_the_page_of_these_tests_is_the_whole_page(full: str) -> None:
    """With pictures of both kinds."""
    found = Taken(full)
    assert len(found.of("svg")) > 10
    assert len(found.of("img")) == 1


def rgb(colour: str) -> np.ndarray:
    """Of #rrggbb."""
    return np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)], np.uint8)
