"""The comparison as `oido-export compare` left it: its table.csv, or its runs in the tracking store."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from export.errors import ExportError
from export.evaluation.metrics import Figure

FIGURES = ("accuracy", "f1", "precision", "recall", "roc_auc", "pr_auc")
COSTS = ("extractor_ms_per_s", "head_ms_per_s", "peak_mb", "head_kb")

ALL = "all"
"""All sounds of the split together."""

_SENTENCES = "## Does it help?"
"""Under which heading of table.md they stand."""


@dataclass(frozen=True, slots=True)
class Row:
    """An estimator on an extractor's embeddings."""

    features: str
    origin: str
    """`scratch`, `own`, `published`."""
    model: str
    sounds: Mapping[str, Mapping[str, Figure]]
    """Figures by sound."""
    segments: Mapping[str, int]
    packages: Mapping[str, int]
    """By sound."""
    validation_f1: float
    """What rows are chosen by."""
    costs: Mapping[str, float]
    """By the names of COSTS; those that were measured."""

    @property
    def f1(self) -> Figure:
        """Over all sounds."""
        return self.sounds[ALL]["f1"]

    @property
    def ms_per_s(self) -> float | None:
        """Extractor and head, for each second of sound."""
        parts = [self.costs.get(name) for name in ("extractor_ms_per_s", "head_ms_per_s")]
        return None if None in parts else sum(part for part in parts if part is not None)


@dataclass(frozen=True, slots=True)
class Comparison:
    """All rows, and what follows from them."""

    split: str
    rows: Sequence[Row]
    sentences: Sequence[str]

    @property
    def features(self) -> list[str]:
        """In the order of the rows."""
        return list(dict.fromkeys(row.features for row in self.rows))

    def best(self, origin: str) -> Row | None:
        """On validation, of that origin: never chosen by what is reported. None: it has no rows."""
        among = [row for row in self.rows if row.origin == origin]
        return max(among, key=lambda row: row.validation_f1, default=None)

    def best_on(self, features: str) -> Row:
        """The same, of one extractor, which must be one of `features`."""
        return max((row for row in self.rows if row.features == features), key=lambda row: row.validation_f1)


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
        from export.comparison.listing import comma_separated  # noqa: PLC0415
        from export.comparison.tracking import Tracking  # noqa: PLC0415

        tracking = Tracking(folder)
        rows, sentences = tracking.latest()
        return parsed(comma_separated(rows), sentences, tracking.uri)
    return None


def parsed(text: str, sentences: Sequence[str], where: str) -> Comparison:
    """A table.csv.

    Args:
        text: its content.
        sentences: what follows from it.
        where: it comes from, for errors.

    Raises:
        ExportError: it is none.
    """
    lines: dict[tuple[str, str], list[Mapping[str, str]]] = {}
    try:
        for line in csv.DictReader(StringIO(text), strict=True):
            lines.setdefault((line["features"], line["model"]), []).append(line)
        rows = [_row(of_one) for of_one in lines.values()]
        splits = {line["split"] for of_one in lines.values() for line in of_one}
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise ExportError(
            f"{where}: not a table of `oido-export compare` ({type(error).__name__}: {error}); make it anew"
        ) from error
    if len(splits) != 1:
        raise ExportError(f"{where}: {'no rows' if not splits else 'rows of several splits'}; make it anew")
    return Comparison(splits.pop(), rows, sentences)


def _row(lines: Sequence[Mapping[str, str]]) -> Row:
    first = lines[0]
    sounds = {line["sound"]: {name: _figure(line, name) for name in FIGURES} for line in lines}
    if ALL not in sounds:
        raise KeyError(ALL)
    return Row(
        features=first["features"],
        origin=first["origin"],
        model=first["model"],
        sounds=sounds,
        segments={line["sound"]: int(line["segments"]) for line in lines},
        packages={line["sound"]: int(line["packages"]) for line in lines},
        validation_f1=float(first["validation_f1"]),
        costs={name: float(first[name]) for name in COSTS if first.get(name)},
    )


def _figure(line: Mapping[str, str], name: str) -> Figure:
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
