"""The version stands in one place."""

from __future__ import annotations

import re
from importlib.metadata import version

import tracer
from tests.habits.source import REPOSITORY, modules


def test_the_version_is_written_once() -> None:
    """One line of the package has the version; the build takes it from there."""
    written = [
        name
        for name, path in modules().items()
        if re.search(r"^__version__\s*=", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert written == ["tracer"]
    assert tracer.__version__ not in (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8").split("[tool", 1)[0]


def test_the_installed_version_is_the_written_one() -> None:
    """What pip installed calls itself what the package does."""
    assert version("tracer") == tracer.__version__


def test_the_changelog_begins_with_the_version() -> None:
    """The newest heading of the changelog is this version."""
    newest = re.search(r"^## (\S+)", (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == tracer.__version__
