"""Every block of code in the README and the documentation runs, and prints what the page says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import PROSE, READ, RUN, Page, pages

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAGES = pages()
NOT_RUN = 3
"""How many blocks may stand in the pages without being run, each with its reason."""


def named(chosen: list[Page]) -> list[object]:
    """Parameters with the page's path as their name."""
    return [pytest.param(page, id=page.name) for page in chosen]


@pytest.mark.parametrize("page", named([page for page in PAGES if any(block.runs for block in page.blocks)]))
def test_every_block_runs(
    page: Page, tmp_path: Path, environment: dict[str, str], request: pytest.FixtureRequest
) -> None:
    """Run in order from the top of the page, the blocks do and print what the page says."""
    if page.given:
        folder, _ = request.getfixturevalue("demo")
        shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "tests.docs.run_page", str(page.path)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, errors="replace", timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", named(PAGES))
def test_every_block_has_a_known_language(page: Page) -> None:
    """No block escapes because of what its fence is called."""
    assert {block.language for block in page.blocks if "not run" not in block.marks} <= RUN | READ | PROSE


@pytest.mark.parametrize("page", named(PAGES))
def test_no_command_hides_in_prose(page: Page) -> None:
    """A command is shown in a block that runs."""
    prose = [line for block in page.blocks if block.language == "text" for line in block.text.splitlines()]
    assert not [line for line in prose if line.startswith(("$ ", "tracer ", "python ", "pip ", "import "))]


@pytest.mark.parametrize("page", named([page for page in PAGES if any(b.language in READ for b in page.blocks)]))
def test_data_in_pages_is_well_formed(page: Page) -> None:
    """TOML and JSON in the pages can be read."""
    for block in page.blocks:
        if block.language == "toml":
            tomllib.loads(block.text)
        elif block.language == "json":
            json.loads(block.text)


def test_few_blocks_are_not_run() -> None:
    """Blocks that are not run are few, and each says why."""
    left = [f"{page.name}:{b.line} {b.marks['not run']}" for page in PAGES for b in page.blocks if "not run" in b.marks]
    assert len(left) <= NOT_RUN, "\n".join(left)
