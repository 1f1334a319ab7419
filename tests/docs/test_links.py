"""Pages can be found, and what they point at is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import REPOSITORY, pages

DOCS = REPOSITORY / "docs"
PAGES = [page.path for page in pages()]
_FENCED = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def prose(path: Path) -> str:
    """The page without its blocks of code and its code words."""
    return re.sub(r"`[^`\n]*`", "", _FENCED.sub("", path.read_text(encoding="utf-8")))


def anchors(path: Path) -> set[str]:
    """What a link to a heading of the page may say."""
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", [pytest.param(p, id=p.relative_to(REPOSITORY).as_posix()) for p in PAGES])
def test_links_lead_somewhere(path: Path) -> None:
    """Every link inside the repository leads to a file, and its anchor to a heading of it."""
    for target in _LINK.findall(prose(path)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        aim = (path.parent / file).resolve() if file else path
        assert aim.exists(), target
        if anchor:
            assert anchor in anchors(aim), target


def test_pages_are_in_the_navigation() -> None:
    """The table of contents of the documentation lists every page, once."""
    listed = re.findall(r"([\w/\-.]+\.md)$", (REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(p.relative_to(DOCS).as_posix() for p in DOCS.rglob("*.md"))


@pytest.mark.parametrize("path", [pytest.param(p, id=p.relative_to(REPOSITORY).as_posix()) for p in PAGES])
def test_pages_name_no_place_of_one_machine(path: Path) -> None:
    """No page shows a folder that only one machine has."""
    assert not re.search(r"/(work|root|home|tmp/w)/", path.read_text(encoding="utf-8"))
