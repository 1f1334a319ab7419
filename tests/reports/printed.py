"""What is printed, as text files that a person can read.

`python -m tests.reports.printed` writes them anew; look at the difference before you keep it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.reports import builders, traces, trainings
from tracer.reports import overview, training_overview
from tracer.reports.terminal import head_lines, layer_lines, report_text, table_lines, tree_lines
from tracer.reports.terminal_page import Page, to_string
from tracer.reports.terminal_steps import training_lines

GOLDENS = Path(__file__).parent / "goldens"


def _show_tree(width: int) -> str:
    skeleton, page = traces.skeleton(), Page(width)
    head = head_lines(overview.head(skeleton, "pt.h5"), page)
    return to_string([*head, *tree_lines(overview.tree(skeleton), page, narrow=True)])


def _show_layer(path: str, width: int) -> str:
    return to_string(layer_lines(overview.layer_part(traces.skeleton(), path), Page(width)))


def _show_training(width: int) -> str:
    skeleton, page = traces.trained(), Page(width)
    head = head_lines(overview.head(skeleton, "pt.h5"), page)
    return to_string([*head, *training_lines(training_overview.training(skeleton, file="pt.h5"), page)])


def _show_step(number: int, width: int) -> str:
    step = overview.step_of(traces.trained(), number)
    return to_string(training_lines(training_overview.one_step(step), Page(width)))


PRINTED: dict[str, Callable[[], str]] = {
    **{f"report_{name}": (lambda make=make: report_text(make())) for name, make in trainings.EVERY.items()},
    "report_crowded_50_columns": lambda: report_text(builders.crowded(), width=50),
    "report_crowded_130_columns": lambda: report_text(builders.crowded(), width=130),
    "report_diverged_40_columns": lambda: report_text(builders.diagnosis(), width=40),
    "report_steps_update_60_columns": lambda: report_text(trainings.other_update(), width=60),
    "report_steps_drifting_ascii": lambda: report_text(trainings.drifting(), encoding="ascii"),
    "report_diverged_ascii": lambda: report_text(builders.diagnosis(), encoding="ascii"),
    "table_80_columns": lambda: to_string(table_lines(builders.with_rows().rows, Page(80), narrow=True)),
    "table_50_columns": lambda: to_string(table_lines(builders.with_rows().rows, Page(50), narrow=True)),
    "show_80_columns": lambda: _show_tree(80),
    "show_50_columns": lambda: _show_tree(50),
    "show_layer": lambda: _show_layer("patch", 80),
    "show_layer_120_columns": lambda: _show_layer("head", 120),
    "show_training": lambda: _show_training(80),
    "show_training_60_columns": lambda: _show_training(60),
    "show_training_one_step": lambda: _show_step(7, 80),
    "show_silent_layer": lambda: _show_layer("unused", 80),
}


def write_goldens() -> None:
    GOLDENS.mkdir(exist_ok=True)
    for old in GOLDENS.glob("*.txt"):
        old.unlink()
    for name, make in PRINTED.items():
        (GOLDENS / f"{name}.txt").write_text(make() + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_goldens()
