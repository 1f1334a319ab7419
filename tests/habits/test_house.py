"""The house stands as it is drawn: imports go down, foreign libraries have one door, no room is a drawer."""

from __future__ import annotations

import networkx as nx
import pytest

from tests.habits.source import PACKAGE, REPOSITORY, foreign, modules, room, within

FLOORS = [
    {"errors"},
    {"trace", "frameworks", "source"},
    {"recorder", "divergence"},
    {"starting_point", "curves", "profiling"},
    {"reports"},
    {"api"},
    {"face"},
    {"demo"},
    {"cli"},
    {"__main__"},
]
"""From the ground up. A room uses rooms on lower floors; rooms on one floor do not know each other."""

ALSO = {("frameworks", "tracer.trace.schema")}
"""The schema is what both banks share: plain values, nothing foreign."""

DOORS = {
    "torch": {"tracer.frameworks.torch"},
    "mindspore": {"tracer.frameworks.mindspore"},
    "h5py": {"tracer.trace"},
    "networkx": {"tracer.divergence"},
    "scipy": {"tracer.divergence", "tracer.starting_point"},
    "rich": {
        "tracer.cli",
        "tracer.reports.terminal",
        "tracer.reports.terminal_curves",
        "tracer.reports.terminal_page",
        "tracer.reports.terminal_profile",
        "tracer.reports.terminal_scan",
        "tracer.reports.terminal_steps",
        "tracer.reports.terminal_trees",
    },
    "matplotlib": {"tracer.reports.plots"},
    "click": {"tracer.cli", "tracer.reports.terminal"},
}
"""Where each foreign library may be imported: these modules, or what lies below them."""

DRAWERS = {"utils", "util", "common", "core", "helpers", "helper", "misc", "types", "tools", "base_utils", "shared"}
VERBS = {"record", "recording", "diff", "show", "compare", "structure", "curve", "scan", "profile"}

MODULES = list(modules())


def floor(name: str) -> int:
    """The floor of a module, 0 at the ground."""
    return next(n for n, rooms in enumerate(FLOORS) if room(name) in rooms)


@pytest.mark.parametrize("name", MODULES)
def test_every_room_is_on_a_floor(name: str) -> None:
    """No module lives in a room that nobody drew."""
    assert any(room(name) in rooms for rooms in FLOORS)


@pytest.mark.parametrize("name", MODULES)
def test_imports_go_down(name: str) -> None:
    """A module imports from its own room and from lower floors only, inside functions too."""
    for used in within(name):
        allowed = room(used) == room(name) or floor(used) < floor(name) or (room(name), used) in ALSO
        assert allowed, f"{name} imports {used}"


def test_imports_have_no_circle() -> None:
    """No module needs itself, however many modules lie between."""
    graph = nx.DiGraph((name, used) for name in MODULES for used in within(name))
    assert nx.is_directed_acyclic_graph(graph), nx.find_cycle(graph)


@pytest.mark.parametrize("name", [name for name in MODULES if room(name) != "demo"])
def test_foreign_libraries_have_one_door(name: str) -> None:
    """A foreign library is imported behind its door only; the demo's nets are user code and may use theirs."""
    for library in foreign(name) & DOORS.keys():
        assert any(name == door or name.startswith(f"{door}.") for door in DOORS[library]), library


@pytest.mark.parametrize("name", MODULES)
def test_no_room_is_a_drawer(name: str) -> None:
    """No file or folder is named after nothing in particular, and none after a public verb."""
    assert not set(name.split(".")[1:]) & (DRAWERS | VERBS)


@pytest.mark.parametrize("name", [name for name in MODULES if room(name) not in {"demo", "face", "__main__"}])
def test_the_drawing_has_every_room(name: str) -> None:
    """The page on the architecture names every file, so that it cannot fall behind."""
    page = (REPOSITORY / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    last = name.rpartition(".")[2]
    assert (f"{last}/" if modules()[name].name == "__init__.py" else f"{last}.py") in page


def test_the_house_is_the_package() -> None:
    """The modules looked at here are those of the package."""
    assert PACKAGE / "__init__.py" in modules().values()
    assert len(MODULES) > 20
