"""Every estimator on every extractor's embeddings; and the table of the original report beside it."""

from collections.abc import Iterator, Mapping, Sequence

from export.comparison.listing import REPORTED
from export.reporting.chart import Axis, Point, Range, axis_around, cloud, legend, ranges
from export.reporting.figures import decimals, shown, significant
from export.reporting.html import Markup, join, tag
from export.reporting.material import Material
from export.reporting.pictures import Picture
from export.reporting.rows import ALL, FIGURES, Comparison, Row
from export.reporting.sections.hearing import SOUND_NAMES
from export.reporting.sections.parts import (
    Cell,
    bullets,
    drawing,
    heads,
    measured,
    missing,
    number,
    paragraph,
    photograph,
    table,
)

COMPARE = (
    "pip install '.[compare]'",
    "oido-export compare --learning-curve",
)

HEADS: Mapping[str, str] = {
    "logistic": "logistic regression",
    "svm": "linear SVM",
    "forest": "random forest",
    "xgboost": "XGBoost",
    "dense": "dense network",
    "gru": "GRU",
    "attention": "attention network",
}

_EXTRACTORS: Mapping[str, str] = {
    "cepstral": "cepstral statistics: nothing learnt",
    "ours": "our embedder",
    "yamnet": "YAMNet",
    "vggish": "VGGish",
    "openl3": "OpenL3",
}

_ORIGINS: Mapping[str, str] = {
    "scratch": "from scratch",
    "own": "on our own embedder",
    "published": "on a published network",
}

_COLUMNS = ("accuracy", "F1", "precision", "recall", "ROC-AUC", "PR-AUC")

_CAPTIONS: Mapping[str, tuple[str, str]] = {
    "curves": (
        "ROC curves and precision over recall, a line for the best row of each extractor",
        "Of each extractor the row that was best on validation.",
    ),
    "roc": ("ROC curves", "Part of music found over part of other sound taken for music."),
    "pr": ("Precision over recall", "Precision over recall as the threshold moves."),
    "confusion": (
        "Confusion matrices: counts of what was said over what is",
        "What was said, and what is: counts.",
    ),
    "learning": (
        "F1 over the number of training packages: points for fits, a line through their means",
        "What more training packages would bring: each point a fit, the line their means.",
    ),
    "reliability": (
        "Reliability: the part that is music over the probability said",
        "Reliability of the rows: the part that is music over the probability said; the diagonal is perfect.",
    ),
}
"""Alternative text and caption, by kind."""


def comparison(material: Material) -> Markup:
    """All rows: answers, pictures, tables."""
    found = material.comparison
    if found is None:
        return missing(
            f"There is no comparison in `{material.folder}`. This makes it, tables, pictures and all, from the "
            "corpus, on every extractor whose weights are at hand; about an hour on two cores:",
            *COMPARE,
        )
    return join(
        paragraph(
            f"Rows are estimators on an extractor's embeddings, learnt from segments of 9.6 s of the training "
            f"packages and measured on the {found.split} packages, each at the threshold that was best on "
            "validation. Bars are 95 % intervals from a bootstrap over packages. These rows are experiments on "
            "equal data; the models above learnt from more sound and join several views: do not compare one with "
            "the other. Nor is our own embedder on quite equal terms: it learnt the same labels on the same "
            "packages, which a published network never heard."
        ),
        _development(found),
        bullets([*_best(found), *(each[:1].upper() + each[1:] for each in found.sentences)]),
        tag("h3", "F1 of every row, all sounds together"),
        tag("div", _ranges(found), class_="many"),
        _cost_picture(found),
        _all_table(found),
        _sound_table(found),
        _cost_table(found),
        map(_photograph, material.pictures),
    )


def _best(found: Comparison) -> Iterator[str]:
    """The rows that were best on validation, by what their embeddings owe to learning."""
    for origin, called in _ORIGINS.items():
        row = found.best(origin)
        if row is not None:
            head = HEADS.get(row.model, row.model)
            yield f"Best {called}: {head} on `{row.features}`, F1 {shown(row.f1)}."


def _development(found: Comparison) -> Markup | None:
    if found.split != "validation":
        return None
    text = "These rows were measured on the packages that tuned their thresholds: figures for development only."
    return missing(text, "oido-export compare --split test")


def _ranges(found: Comparison) -> Iterator[Markup]:
    axis = axis_around([row.f1 for row in found.rows], "F1", top=1.0)
    for colour, features in enumerate(found.features):
        rows = [
            Range(HEADS.get(row.model, row.model), row.f1, shown(row.f1), colour)
            for row in found.rows
            if row.features == features
        ]
        title = _EXTRACTORS.get(features, features)
        yield drawing(title, ranges(f"F1 on {title}", rows, axis))


def _cost_picture(found: Comparison) -> Markup | None:
    """Of each extractor one row: it is the extractor that costs, and all of its rows would stand on one line."""
    chosen = [found.best_on(features) for features in found.features]
    having = [(row, ms) for row in chosen if (ms := row.ms_per_s) is not None and ms > 0]
    if not having:
        return None
    slowest, quickest = max(ms for _, ms in having), min(ms for _, ms in having)
    label = "milliseconds for each second of sound, logarithmic"
    x = Axis(label, quickest / 1.5, slowest * 1.5, logarithmic=True)
    y = axis_around([row.f1 for row, _ in having], "F1, all sounds together", top=1.0)
    points = [
        Point(
            f"{row.features} + {HEADS.get(row.model, row.model)}: F1 {shown(row.f1)}, {significant(ms)} ms",
            ms,
            row.f1,
            found.features.index(row.features),
        )
        for row, ms in having
    ]
    names = [
        f"{HEADS.get(row.model, row.model)} on {_EXTRACTORS.get(row.features, row.features).partition(':')[0]}"
        for row in chosen
    ]
    return drawing(
        "F1 over cost: the best row of each extractor, chosen on validation",
        cloud("F1 over cost", points, x, y),
        "Extractor and head on the machine that made the comparison, in the workstation's runtimes: published "
        "networks ran in TensorFlow. Up and to the left is better; the tables below have the numbers.",
        above=legend(names),
    )


def _named(row: Row) -> Cell:
    head = HEADS.get(row.model, row.model)
    return Cell(join(head, tag("span", f"on {row.features}", class_="between same")), heading=True)


def _all_table(found: Comparison) -> Markup:
    first = found.rows[0]
    best = {name: max(row.sounds[ALL][name].value for row in found.rows) for name in FIGURES}
    rows = (
        [
            _named(row),
            *(measured(row.sounds[ALL][name], best=row.sounds[ALL][name].value == best[name]) for name in FIGURES),
        ]
        for row in found.rows
    )
    caption = f"All sounds together: {first.segments[ALL]:,} segments of {first.packages[ALL]} packages"
    return table(caption, heads("row", *_COLUMNS), rows)


def _sound_table(found: Comparison) -> Markup | None:
    sounds = list(dict.fromkeys(sound for row in found.rows for sound in row.sounds if sound != ALL))
    if not sounds:
        return None
    rows = (
        [_named(row), *(measured(row.sounds[sound]["f1"] if sound in row.sounds else None) for sound in sounds)]
        for row in found.rows
    )
    return table("F1 by sound", heads("row", *(SOUND_NAMES.get(sound, sound) for sound in sounds)), rows)


def _cost_table(found: Comparison) -> Markup | None:
    having = [row for row in found.rows if row.costs]
    if not having:
        return None
    rows = (
        [
            _named(row),
            number(significant(row.costs.get("extractor_ms_per_s"))),
            number(significant(row.costs.get("head_ms_per_s"))),
            number(decimals(row.costs.get("peak_mb"), 0)),
            number(decimals(row.costs.get("head_kb"), 1)),
        ]
        for row in having
    )
    return table(
        "Cost on the machine that made the comparison; memory with all of Python and the workstation's libraries",
        heads("row", "extractor ms/s", "head ms/s", "peak MB", "head KB"),
        rows,
    )


def _photograph(picture: Picture) -> Markup:
    name = picture.name.replace("_", " ")
    return photograph(picture, *_CAPTIONS.get(picture.kind, (f"Picture of the comparison: {name}", name)))


def original(material: Material) -> Markup:
    """The table that started the project, with ours where the same estimators were fitted."""
    found = material.comparison
    ours = {} if found is None else {row.model: row for row in found.rows if row.origin == "scratch"}
    rows = [_reported(head, values, ours.get(head)) for head, *values in REPORTED]
    columns = heads("model", *(f"{each}, reported" for each in _COLUMNS[:4]))
    if ours:
        columns.append(Cell("F1 here, from scratch", "number"))
    return join(
        paragraph(
            "The project began with a report that compared four classical models. Its data are not ours: other "
            "recordings, other labels, another share of music, and no intervals. The figures say what was "
            "reported there. They cannot be compared with those on this page number by number."
        ),
        table("As the original report states them", columns, (row if ours else row[:-1] for row in rows)),
        None
        if ours
        else paragraph("With a comparison in place, our rows of the same estimators stand beside.", "note"),
    )


def _reported(head: str, values: Sequence[float], ours: Row | None) -> list[Cell]:
    cells = [Cell(HEADS.get(head, head), heading=True), *(number(decimals(value, 4)) for value in values)]
    return [*cells, measured(None if ours is None else ours.f1)]
