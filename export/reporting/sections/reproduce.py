"""How to make all of it again."""

import shlex

from export.reporting.html import Markup, join
from export.reporting.material import Material
from export.reporting.sections.parts import commands, paragraph


def reproduce(material: Material) -> Markup:
    """Commands, from the corpus to this page."""
    folder = shlex.quote(material.folder)
    names = " ".join(model.name for model in material.models) or "attention embedder logistic"
    return join(
        paragraph("In a checkout, in a virtual environment. The corpus is made of Debian packages, once:"),
        commands(
            "pip install '.[compare]'",
            "oido-export corpus build",
            f"oido-export evaluate {names} --write     # figures by sound, into each NAME.json",
            *(f"oido-export onsets {name} --write" for name in names.split()),
            f"oido-export evaluate {names} --plots plots     # reliability, ROC, PR, confusion",
            f"oido-export compare --learning-curve --out {folder}",
        ),
        paragraph("Time and memory, on each device that matters; then the page:"),
        commands(
            "oido benchmark --json > my-pi.json",
            f"oido-export report --comparison {folder} --plots plots --benchmark my-pi.json",
        ),
        paragraph("How the models were trained and why each choice was made: `models/MODEL_CARD.md`."),
    )
