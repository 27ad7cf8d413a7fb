"""What a probability is worth, and what nobody knows."""

from collections.abc import Iterator

from export.reporting.chart import Range, axis_around, ranges
from export.reporting.choice import board_of
from export.reporting.figures import listed, shown
from export.reporting.html import Markup, join, tag
from export.reporting.material import Material
from export.reporting.sections.hearing import SOUND_NAMES
from export.reporting.sections.parts import bullets, drawing, missing, paragraph, photograph

_DRAW = (
    "oido-export evaluate attention embedder logistic --plots plots",
    "oido-export report --plots plots",
)

_ALT = (
    "Reliability diagrams: the part that is music over the probability said, by sound; the diagonal is perfect, "
    "large points stand for many answers"
)


def calibration(material: Material) -> Markup:
    """How far what is said lies from what is."""
    pictures = [each for each in material.plots if each.kind == "reliability"]
    return join(
        paragraph(
            "A score is meant as a probability: of all answers that say 0.8, eight in ten should be music. The "
            "expected calibration error is the mean distance from that, over ten bins; 0 is perfect. Each mode's "
            "threshold (`balanced`, `precision`, `recall`) stands in the model's own file."
        ),
        tag("div", _errors(material), class_="many"),
        (
            photograph(each, _ALT, "Reliability. Bins between the ends hold few answers and jump about.")
            for each in pictures
        ),
        None if pictures else missing("There is no reliability diagram. These draw it:", *_DRAW),
    )


def _errors(material: Material) -> Iterator[Markup]:
    models = [model for model in material.models if model.answers]
    found = {
        sound: [
            Range(model.name, figure, shown(figure), colour)
            for colour, model in enumerate(models)
            if sound in model.answers
            and (figure := model.answers[sound].figures.get("calibration_error")) is not None
        ]
        for sound in SOUND_NAMES
    }
    everything = [row.figure for rows in found.values() for row in rows]
    if not everything:
        return
    axis = axis_around(everything, "expected calibration error")
    for sound, rows in found.items():
        if rows:
            title = SOUND_NAMES[sound]
            yield drawing(title, ranges(f"Expected calibration error, {title}", rows, axis))


def limits(material: Material) -> Markup:
    """What these figures cannot say."""
    return bullets(_limits(material))


def _limits(material: Material) -> Iterator[str]:
    boards = [board for each in material.benchmarks if (board := board_of(each.report)) is not None]
    if boards:
        measured = listed(sorted({board.name for board in boards}))
        yield f"Measured on a board: {measured}. For every other one the answer is by relative cost."
    else:
        yield (
            "No time on this page was measured on a Raspberry Pi. Emulated ARM proves equal decisions, not speed."
        )
    packages = max((heard.packages for model in material.models for heard in model.answers.values()), default=0)
    if packages:
        yield (
            f"The test sound comes from {packages} source packages, most of them game music, effects, prompts and "
            "read words. An interval over so few packages is wide, and other music is not in it at all."
        )
    yield (
        "Rooms, levels and noise are simulated: nothing was recorded by a microphone in a room. Thin in training: "
        "sung vocals without instruments, jazz, solo piano, long ambience, continuous speech."
    )
    yield (
        "Machines or places with a steady tone, and game sounds with a tune, are taken for music now and then; "
        "quiet music without a beat can pass for none."
    )
    yield (
        "Models are ranked by the mean of F1 over the sounds; where intervals overlap, the order of two "
        "neighbours may be chance. One training seed was run."
    )
