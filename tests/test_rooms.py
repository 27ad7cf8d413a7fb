"""The order of the rooms: no import runs from a lower room to a higher one, and none goes in a circle."""

from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

ORDER = {
    "device": (
        ("errors", "masking", "sound"),
        ("configuration", "command_line"),
        ("hearing.front_end",),
        ("hearing.statistics",),
        ("hearing.models",),
        ("hearing",),
        ("sources",),
        ("pipeline",),
        ("publishing",),
        ("storage",),
        ("monitoring",),
        ("daemon",),
        ("benchmark",),
        ("commands",),
        ("demo",),
        ("cli",),
        ("__main__",),
    ),
    "export": (
        ("errors", "markdown", "progress", "spread", "whole_file"),
        ("columns", "frameworks", "workers"),
        ("corpus",),
        ("evaluation",),
        ("convert",),
        ("estimators",),
        ("embeddings",),
        ("yamnet",),
        ("training",),
        ("comparison",),
        ("reporting",),
        ("commands",),
        ("cli",),
        ("__main__",),
    ),
}
"""From the lowest to the highest. Rooms of one line stand side by side and do not import each other."""

Graph = dict[str, set[str]]
"""For each module, what it imports."""


@pytest.fixture(scope="module")
def graph() -> Graph:
    """All imports of the two packages, from the source."""
    built = grimp.build_graph(*ORDER, cache_dir=None)
    return {module: built.find_modules_directly_imported_by(module) for module in built.modules}


def room_of(module: str) -> tuple[str, str, int] | None:
    """Package, room and floor of a module; None for the package itself.

    Raises:
        LookupError: no room of that name stands in `ORDER`.
    """
    package, _, rest = module.partition(".")
    floors = {room: floor for floor, rooms in enumerate(ORDER[package]) for room in rooms}
    place = rest
    while place and place not in floors:
        place = place.rpartition(".")[0]
    if rest and not place:
        raise LookupError(f"{module} is in no room of ORDER")
    return (package, place, floors[place]) if place else None


def test_no_import_runs_back_up(graph: Graph) -> None:
    """Within a package, a room imports from lower rooms and from itself only."""
    up = []
    for module, imported in graph.items():
        here = room_of(module)
        for other in imported:
            there = room_of(other)
            if here and there and here[0] == there[0] and here[1] != there[1] and there[2] >= here[2]:
                up.append(f"{module} imports {other}")
    assert not up


def test_no_import_goes_in_a_circle(graph: Graph) -> None:
    """Not within a room either; `prepare` names the circle if there is one."""
    TopologicalSorter(graph).prepare()


def test_the_device_never_imports_the_workstation(graph: Graph) -> None:
    """The other way round is what `export` is for."""
    assert not [
        module
        for module, imported in graph.items()
        if module.startswith("device") and any(other.startswith("export") for other in imported)
    ]


@pytest.mark.parametrize("package", ORDER)
def test_the_architecture_shows_this_order(package: str) -> None:
    """Room by room, in docs/architecture.md."""
    page = (Path(__file__).parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert f"```text {' | '.join(map(', '.join, ORDER[package]))} ```" in " ".join(page.split())
