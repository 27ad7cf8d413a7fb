"""Figures of the models, sound by sound; and what that is like in a room."""

from collections.abc import Iterator, Mapping, Sequence

from export.reporting.chart import Range, axis_around, ranges
from export.reporting.choice import ranked
from export.reporting.figures import NONE, counted, decimals, shown
from export.reporting.html import Markup, join, tag
from export.reporting.material import Delays, Heard, Material, Model, Onsets
from export.reporting.sections.parts import (
    Cell,
    bullets,
    drawing,
    heads,
    measured,
    missing,
    name,
    number,
    paragraph,
    photograph,
    table,
)

SOUND_NAMES: Mapping[str, str] = {
    "all": "all sounds together",
    "clean": "clean: as recorded",
    "level": "level: quiet or loud, with noise",
    "room": "room: across a room",
    "mixture": "mixture: under speech",
}

_MEANINGS = (
    ("clean", "as recorded"),
    ("level", "the same at -50 to -8 dBFS with noise 10 to 45 dB below it"),
    ("room", "the same in simulated rooms (RT60 0.2 to 1 s) through a small capsule, with noise"),
    ("mixture", "music with speech over it, against speech with noise; music under speech is music"),
)


_CAPTIONS: Mapping[str, tuple[str, str]] = {
    "roc": (
        "ROC curves of the models by sound",
        "Part of music found over part of other sound taken for music.",
    ),
    "pr": ("Precision over recall of the models by sound", "Precision over recall as the threshold moves."),
    "confusion": (
        "Confusion matrices of the models by sound",
        "What was said, and what is: counts, shaded by their part of the row.",
    ),
}
"""Alternative text and caption, by kind of picture."""


def hearing(material: Material) -> Markup:
    """How well each model hears: pictures, then every figure."""
    models = [model for model in material.models if model.answers]
    if not models:
        return missing(
            "No model has figures in its description. This writes them, from the test packages of the corpus:",
            "oido-export evaluate attention embedder logistic --write",
        )
    sounds = [sound for sound, _ in _MEANINGS if any(sound in model.answers for model in models)]
    return join(
        paragraph(
            "Figures of the installed models on source packages that nothing was learnt from or chosen by, each "
            "answer counted; in a picture the dot is the figure and the bar its 95 % interval, from a bootstrap "
            "over packages. F1 is 1 when no music is missed and nothing else is taken for music."
        ),
        bullets(f"{sound}: {meaning}." for sound, meaning in _MEANINGS if sound in sounds),
        tag("div", _pictures(models, sounds), class_="many"),
        (_sound_table(sound, models) for sound in sounds),
        _segment_table(models, sounds),
        (photograph(each, *_CAPTIONS[each.kind]) for each in material.plots if each.kind in _CAPTIONS),
    )


def _pictures(models: Sequence[Model], sounds: Sequence[str]) -> Iterator[Markup]:
    everything = [each.figures["f1"] for model in models for each in model.answers.values()]
    axis = axis_around(everything, "F1", top=1.0)
    for sound in sounds:
        rows = [
            Range(model.name, figure, shown(figure), colour)
            for colour, model in enumerate(models)
            if sound in model.answers and (figure := model.answers[sound].figures["f1"])
        ]
        yield drawing(SOUND_NAMES[sound], ranges(f"F1, {SOUND_NAMES[sound]}", rows, axis))


_COLUMNS = {
    "accuracy": "accuracy",
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
}


def _sound_table(sound: str, models: Sequence[Model]) -> Markup:
    there = {model.name: model.answers[sound] for model in models if sound in model.answers}
    best = {
        key: max(each.figures[key].value for each in there.values() if key in each.figures)
        for key in _COLUMNS
        if any(key in each.figures for each in there.values())
    }
    packages = next(iter(there.values())).packages
    return table(
        f"{SOUND_NAMES[sound].capitalize()}; {counted(packages, 'package')}",
        heads("model", "answers", *_COLUMNS.values()),
        ([name(model), *_figures(heard, best)] for model, heard in there.items()),
    )


def _figures(heard: Heard, best: Mapping[str, float]) -> Iterator[Cell]:
    yield number(f"{heard.rows:,}")
    for key in _COLUMNS:
        figure = heard.figures.get(key)
        yield measured(figure, best=figure is not None and figure.value == best[key])


def _segment_table(models: Sequence[Model], sounds: Sequence[str]) -> Markup | None:
    having = [model for model in models if model.segments]
    if not having:
        return None
    rows = (
        [
            name(model.name),
            *(
                measured(model.segments[sound].figures["f1"]) if sound in model.segments else number(NONE)
                for sound in sounds
            ),
        ]
        for model in having
    )
    return table("F1 when each segment of 9.6 s counts once, as others count", heads("model", *sounds), rows)


def practice(material: Material) -> Markup:
    """What it is like to live with: how soon, how often wrong."""
    found = {model.name: model.onsets for model in material.models if model.onsets is not None}
    if not found:
        return missing(
            "How soon music is noticed, and how often something else is taken for it, was not measured for these "
            "models. This measures it on joins of recordings, about a minute for each model:",
            *(f"oido-export onsets {model.name} --write" for model in material.models),
        )
    first = next((each.name for each in ranked(material.models, material.sounds) if each.name in found), "")
    chosen = first or next(iter(found))
    return join(
        paragraph(
            "The whole pipeline hears recordings that were joined, with the rules that the device would use. A "
            "start counts as noticed when the state turns `ON`; the event itself is dated back to where the music "
            "began. A false start is music reported where there is speech, ambience or effects only."
        ),
        _facts(chosen, found[chosen]),
        _delay_table(found),
        _false_table(found),
        paragraph(
            "False starts are few: their rate is a rough one. A room with game sounds, ringtones or machines that "
            "hum in tune has more of them, one with talk alone has fewer.",
            "note",
        ),
        _not_measured(material),
    )


def _facts(model: str, onsets: Onsets) -> Markup:
    median, p95 = onsets.starts.median_s, onsets.starts.p95_s
    share = 100 * onsets.taken_s / onsets.heard_s
    facts = (
        ("music is noticed after", f"{decimals(median, 1)} s", f"median; 95 of 100 within {decimals(p95, 1)} s"),
        (
            "its end after",
            f"{decimals(onsets.stops.median_s, 1)} s",
            f"median; 95 of 100 within {decimals(onsets.stops.p95_s, 1)} s",
        ),
        (
            "false starts",
            f"{decimals(onsets.false_an_hour, 1)} an hour",
            f"{onsets.false_starts} in {_hours(onsets)} h without music; {decimals(share, 1)} % of that time",
        ),
    )
    boxes = (
        tag(
            "div",
            tag("dt", what),
            tag("dd", figure, class_="big"),
            tag("dd", more, class_="small"),
        )
        for what, figure, more in facts
    )
    return join(tag("h3", "With ", tag("code", model)), tag("dl", boxes, class_="facts"))


def _hours(onsets: Onsets) -> str:
    return decimals(onsets.heard_s / 3600, 2)


def _delay_table(found: Mapping[str, Onsets]) -> Markup:
    def cells(delays: Delays) -> list[Cell]:
        return [
            number(str(delays.noticed)),
            number(str(delays.missed)),
            number(str(delays.already)),
            number(decimals(delays.median_s, 2)),
            number(decimals(delays.p95_s, 2)),
        ]

    rows = (
        [Cell(join(tag("code", model), f" {which}"), heading=True), *cells(delays)]
        for model, onsets in found.items()
        for which, delays in (("starts", onsets.starts), ("stops", onsets.stops))
    )
    joins, split = next((each.joins, each.split) for each in found.values())
    return table(
        f"{counted(joins, 'join')} of the {split} packages; delays in seconds",
        heads("model", "noticed", "missed", "so already", "median s", "95 % within s"),
        rows,
    )


def _false_table(found: Mapping[str, Onsets]) -> Markup:
    rows = (
        [
            name(model),
            number(str(onsets.false_starts)),
            number(_hours(onsets)),
            number(decimals(onsets.false_an_hour, 1)),
            number(decimals(100 * onsets.taken_s / onsets.heard_s, 1)),
        ]
        for model, onsets in found.items()
    )
    columns = heads("model", "false starts", "in hours", "an hour", "% of the time")
    return table("Music reported where there was none", columns, rows)


def _not_measured(material: Material) -> Markup | None:
    without = [model.name for model in material.models if model.onsets is None and model.answers]
    if not without:
        return None
    return missing("Not measured for the others:", *(f"oido-export onsets {each} --write" for each in without))
