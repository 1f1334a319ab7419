"""The reference page of the rules."""

from __future__ import annotations

from rules_page import PAGE, page


def test_the_page_lists_the_rules_that_there_are() -> None:
    """Made anew, the tables are what stands there (python tests/divergence/rules_page.py writes them)."""
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text
