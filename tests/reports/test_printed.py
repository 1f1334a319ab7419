"""The printed reports: what they say, and that they fit."""

import pytest
from rich.cells import cell_len

from tests.reports import builders, trainings
from tests.reports.printed import GOLDENS, PRINTED
from tracer.reports.terminal import report_text


@pytest.mark.parametrize("name", PRINTED)
def test_prints_what_the_golden_file_shows(name):
    """Each printed page is its file in goldens/; `python -m tests.reports.printed` writes them anew."""
    assert PRINTED[name]() + "\n" == (GOLDENS / f"{name}.txt").read_text(encoding="utf-8")


def test_no_golden_file_is_left_over():
    """Every file in goldens/ belongs to a printed page."""
    assert {path.stem for path in GOLDENS.iterdir()} == set(PRINTED)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
@pytest.mark.parametrize("name", trainings.EVERY)
def test_a_report_fits_on_a_screen_of_any_width(name, width):
    """No line is wider than the page and no report longer than a screen."""
    lines = report_text(trainings.EVERY[name](), width=width).splitlines()
    assert max(cell_len(line) for line in lines) <= width
    assert len(lines) <= (40 if width >= 80 else 60)


@pytest.mark.parametrize("name", trainings.EVERY)
def test_the_verdict_stands_first(name):
    """The first word of a report is its verdict."""
    diagnosis = trainings.EVERY[name]()
    assert report_text(diagnosis).startswith(diagnosis.verdict)


@pytest.mark.parametrize("name", trainings.EVERY)
def test_a_terminal_that_knows_ascii_only_gets_ascii(name):
    """Bars, dots and a net's own names all become ASCII."""
    assert report_text(trainings.EVERY[name](), encoding="ascii").isascii()


def test_a_name_cannot_steer_the_terminal():
    """Control characters in a layer's name are printed as escapes."""
    assert "\x1b" not in report_text(builders.odd_names())


def test_a_long_path_stands_in_full_at_the_origin():
    """The headline may shorten the origin's path; the line of the reference does not."""
    assert "reference  encoder.backbone.stages.3.blocks.17.attention.self.query_projection\n" in report_text(
        builders.crowded()
    )
