"""Models, benchmarks and comparisons that nobody measured, and a page taken apart again."""

import html.parser
import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from device.benchmark.results import (
    SCHEMA_VERSION,
    Above,
    Conditions,
    Machine,
    ModelReport,
    Ratio,
    Report,
    Settings,
    Spread,
)
from device.monitoring.host import Memory
from export.evaluation import metrics
from export.evaluation.metrics import COLUMNS, FIGURES, Figure
from export.reporting.material import Benchmark, Material, Model
from export.reporting.page import page
from export.reporting.rows import Comparison, parsed

PI_4 = "Raspberry Pi 4 Model B Rev 1.4"

SCHEMES = ("light", "dark")

ROWS = {
    ("cepstral", "scratch", "logistic"): 0.9123,
    ("ours", "own", "gru"): 0.9812,
    ("yamnet", "published", "svm"): 0.9711,
}
"""Of a comparison: extractor, origin, estimator, and F1."""


def figure(value: float) -> Figure:
    """With an interval of 0.02."""
    return Figure(value, value - 0.01, value + 0.01)


def heard(f1: float) -> metrics.Report:
    """Every figure is the same."""
    return metrics.Report(rows=100, packages=17, **dict.fromkeys(COLUMNS, figure(f1)))


def model(name: str, f1: float | None, *, suffix: str = ".tflite", sounds: Sequence[str] = ("clean",)) -> Model:
    """One that hears so well; None: nobody evaluated it."""
    answers = {} if f1 is None else {sound: heard(f1) for sound in sounds}
    return Model(
        name=name,
        suffix=suffix,
        sha256=f"sha-of-{name}",
        size_kb=10.0,
        needs=None,
        answers=answers,
        segments={},
        onsets=None,
        is_bundled=True,
    )


def material(
    *models: Model, benchmarks: Sequence[Benchmark] = (), comparison: Comparison | None = None
) -> Material:
    """Without pictures."""
    return Material(
        models=models, benchmarks=benchmarks, comparison=comparison, pictures=(), plots=(), folder="comparison"
    )


def benchmark(
    board: str = "x86_64",
    *,
    models: Mapping[str, float],
    peak_mb: float = 50.0,
    version: str = "",
    cpu: str = "AMD EPYC",
    throttling: tuple[str, ...] | None = None,
) -> Benchmark:
    """Models by name with their real-time factors."""
    conditions = Conditions(None, None, 48.0, throttling, 0.1)
    report = Report(
        schema_version=SCHEMA_VERSION,
        created="2026-05-01T12:00:00+00:00",
        machine=Machine(cpu, board, 4, "aarch64, 64-bit", "Linux 6.12", {"oido": "0.1.0"}),
        before=conditions,
        after=conditions,
        settings=Settings(threads=1, seconds=60.0, live_s=10.0, rate_hz=48_000),
        models=tuple(_measured(name, factor, peak_mb, version) for name, factor in models.items()),
        yamnet=None,
    )
    return Benchmark("a.json", report)


def _measured(name: str, factor: float, peak_mb: float, version: str) -> ModelReport:
    spread = Spread(*[1000 * factor] * 5)
    return ModelReport(
        name=name,
        kind="patch",
        sha256=f"sha-of-{name}{version}",
        embedder_sha256=None,
        runtime="ai-edge-litert 2.3.0",
        front_end="compiled",
        hop_s=0.48,
        load_ms=5.0,
        load_again_ms=1.0,
        first_decision_s=0.3,
        stages={"log_mel": spread, "embedder": spread},
        whole=spread,
        processor=spread,
        real_time_factor=factor,
        live_percent=100 * factor,
        memory=Memory(peak_mb, peak_mb, None),
        above_imports=Above(7.0, None),
        yamnet=Ratio(0.46, 0.4, 0.6, 12, 0.4, 0.9),
    )


def comparison(rows: Mapping[tuple[str, str, str], float], *, split: str = "test") -> Comparison:
    """Rows by extractor, its origin and estimator, with their F1."""
    return parsed(table_csv(rows, split=split), ["it helps"], "table.csv")


def table_csv(rows: Mapping[tuple[str, str, str], float], *, split: str = "test") -> str:
    """As `oido-export compare` writes it."""
    ends = [f"{name}{end}" for name in FIGURES for end in ("", "_low", "_high")]
    head = "features,origin,model,split,sound,segments,packages,threshold,validation_f1"
    lines = [f"{head},{','.join(ends)},extractor_ms_per_s,head_ms_per_s,peak_mb,head_kb"]
    for (features, origin, estimator), f1 in rows.items():
        figures = ",".join(f"{f1},{f1 - 0.01},{f1 + 0.01}" for _ in FIGURES)
        for sound in ("all", "clean", "room"):
            named = f"{features},{origin},{estimator},{split},{sound}"
            lines += [f"{named},540,17,0.5,{f1},{figures},0.6,0.01,160,5"]
    return "\n".join(lines) + "\n"


def write_sidecar(folder: Path, like: Path, **changes: Any) -> Path:
    """A description like another one, but for some keys."""
    document = json.loads(like.read_text(encoding="utf-8")) | changes
    path = folder / f"{document['name']}.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


class Taken(html.parser.HTMLParser):
    """A page taken apart: elements, text, tables by their captions.

    Args:
        text: HTML.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self._caption = ""
        self._rows: list[list[str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open it, unless it cannot have content."""
        self.elements.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)
        if tag == "table":
            self._caption, self._rows = "", []
        if tag == "tr":
            self._rows.append([])
        if tag in ("td", "th"):
            self._rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Of SVG."""
        self.elements.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        """Close it: elements are properly nested."""
        assert self.open.pop() == tag
        if tag == "table":
            self.tables[self._caption] = self._rows

    def handle_data(self, data: str) -> None:
        """Text."""
        if "style" in self.open:
            return
        self.words.append(data)
        if "caption" in self.open:
            self._caption += data
        elif "td" in self.open or "th" in self.open:
            cell = self._rows[-1][-1]
            self._rows[-1][-1] = " ".join(f"{cell} {data}".split())

    @property
    def said(self) -> str:
        """All text."""
        return " ".join("".join(self.words).split())

    def of(self, *tags: str) -> list[dict[str, str]]:
        """The attributes of all such elements."""
        return [attributes for tag, attributes in self.elements if tag in tags]


def taken(found: Material) -> Taken:
    """A page, taken apart."""
    return Taken(page(found, made="today"))


def colours_of(scheme: str) -> dict[str, str]:
    """The colours of a scheme by name, out of the style sheet: #rrggbb."""
    sheet = files("export.reporting").joinpath("templates/style.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", sheet, re.DOTALL)[:2]
    return dict(re.findall(r"--([\w-]+): (#\w{6});", dark if scheme == "dark" else light))
