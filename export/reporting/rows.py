"""The comparison that `oido-export compare` left: its table.csv, or its runs in the tracking store."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Literal

from export.comparison.costs import COLUMNS, Costs
from export.comparison.rows import ALL, Row
from export.errors import ExportError
from export.evaluation.metrics import FIGURES, Figure, Report

_SENTENCES = "## Does it help?"
"""The heading in table.md under which they stand."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All rows, and what follows from them."""

    split: str
    rows: Sequence[Row]
    sentences: Sequence[str]

    @property
    def extractors(self) -> list[str]:
        """In the order of the rows."""
        return list(dict.fromkeys(row.feature for row in self.rows))

    @property
    def sounds(self) -> list[str]:
        """Those that some row has heard, apart from all together."""
        return list(dict.fromkeys(sound for row in self.rows for sound in row.reports if sound != ALL))

    def best(self, by: Literal["origin", "feature"]) -> dict[str, Row]:
        """The row of each origin or extractor that is best on validation, never by what is reported."""
        found: dict[str, Row] = {}
        for row in sorted(self.rows, key=lambda row: row.validation_f1, reverse=True):
            found.setdefault(getattr(row, by), row)
        return found


def read_comparison(folder: Path) -> Comparison | None:
    """What stands in a folder; None if nothing does.

    Raises:
        ExportError: something stands there that cannot be used.
    """
    table = folder / "table.csv"
    if table.is_file():
        try:
            text = table.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ExportError(f"{table}: cannot be read: {error}") from error
        return parsed(text, _sentences(folder / "table.md"), str(table))
    if (folder / "mlruns").is_dir():
        # Imported here: MLflow takes seconds, and a page without it needs none.
        from export.comparison.tracking import Tracking  # noqa: PLC0415

        tracking = Tracking(folder)
        return _comparison(*tracking.latest(), tracking.uri)
    return None


def parsed(text: str, sentences: Sequence[str], where: str) -> Comparison:
    """The comparison that a table.csv holds.

    Args:
        text: its content.
        sentences: what follows from it.
        where: it comes from, for errors.

    Raises:
        ExportError: it is no such table.
    """
    lines: dict[tuple[str, str], list[dict[str, Any]]] = {}
    try:
        for line in csv.DictReader(StringIO(text), strict=True):
            lines.setdefault((line["features"], line["model"]), []).append(line)
        rows = [_row(of_one) for of_one in lines.values()]
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise ExportError(
            f"{where}: not a table of `oido-export compare` ({type(error).__name__}: {error}); make it anew"
        ) from error
    return _comparison(rows, sentences, where)


def _comparison(rows: Sequence[Row], sentences: Sequence[str], where: str) -> Comparison:
    splits = {row.split for row in rows}
    if len(splits) != 1:
        raise ExportError(f"{where}: {'no rows' if not splits else 'rows of several splits'}; make it anew")
    return Comparison(splits.pop(), rows, sentences)


def _row(lines: Sequence[Mapping[str, Any]]) -> Row:
    first = lines[0]
    reports = {line["sound"]: _report(line) for line in lines}
    if ALL not in reports:
        raise KeyError(ALL)
    return Row(
        feature=first["features"],
        origin=first["origin"],
        head=first["model"],
        split=first["split"],
        threshold=float(first["threshold"]),
        validation_f1=float(first["validation_f1"]),
        parameters={},
        costs=Costs(*(float(first[name]) for name in COLUMNS)) if any(map(first.get, COLUMNS)) else None,
        reports=reports,
    )


def _report(line: Mapping[str, Any]) -> Report:
    return Report(
        rows=int(line["segments"]),
        packages=int(line["packages"]),
        calibration_error=Figure(math.nan, math.nan, math.nan),  # not in the table
        **{name: _figure(line, name) for name in FIGURES},
    )


def _figure(line: Mapping[str, Any], name: str) -> Figure:
    value = float(line[name])
    if not math.isfinite(value):
        raise ValueError(f"{name} is {line[name]}")
    return Figure(value, float(line[f"{name}_low"]), float(line[f"{name}_high"]))


def _sentences(path: Path) -> list[str]:
    """The answers that table.md holds; none where it is missing."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    _, _, after = text.partition(f"{_SENTENCES}\n")
    section, _, _ = after.partition("\n## ")
    return [line.removeprefix("- ") for line in section.splitlines() if line.startswith("- ")]
