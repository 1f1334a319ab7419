"""The pages of the documentation as blocks of code.

A fence is run by its language: `python` blocks of a page share one namespace, `console` blocks hold `$` lines and what
they print, an `output` block is what the `python` block before it printed. `toml` and `json` are read, `text` is prose.
A comment just above a fence says more: `<!-- file: NAME -->` writes the block into that file before what follows runs,
`<!-- exits: N -->` is the exit code of the last `$` line, `<!-- not run: REASON -->` lets the block be. A comment
`<!-- given: the demo's folder -->` anywhere lets the page start in a folder as `tracer demo` leaves it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
RUN = {"python", "console", "output"}
READ = {"toml", "json"}
PROSE = {"text", "bash"}
"""`bash` are the README's two commands: test_readme.py looks at them, CI runs the second."""

_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>.*)$")
_COMMENT = re.compile(r"^\s*<!-- (?P<key>file|exits|not run|given): (?P<value>.+) -->\s*$")


@dataclass(frozen=True)
class Block:
    """One fenced block: where its first line stands (counted from 1), its language, its text, what was said above."""

    line: int
    language: str
    text: str
    marks: dict[str, str]

    @property
    def runs(self) -> bool:
        """Is something to be done with it?"""
        return "not run" not in self.marks and (self.language in RUN or "file" in self.marks)


@dataclass(frozen=True)
class Page:
    """One page and its blocks; `given` that it starts in the demo's folder."""

    path: Path
    blocks: tuple[Block, ...]
    given: bool

    @property
    def name(self) -> str:
        """The path below the repository."""
        return self.path.relative_to(REPOSITORY).as_posix()


def pages() -> list[Page]:
    """The README and every page of the documentation."""
    top = [REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return [parse(path) for path in [*top, *sorted((REPOSITORY / "docs").rglob("*.md"))]]


def parse(path: Path) -> Page:
    """Take a page apart. Raises ValueError for a fence that never closes."""
    blocks: list[Block] = []
    marks: dict[str, str] = {}
    given = False
    lines = path.read_text(encoding="utf-8").splitlines()
    at = 0
    while at < len(lines):
        line = lines[at]
        comment, fence = _COMMENT.match(line), _FENCE.match(line)
        if comment:
            given |= comment["key"] == "given"
            marks[comment["key"]] = comment["value"]
        elif fence:
            end = next((n for n in range(at + 1, len(lines)) if lines[n].strip() == "```"), None)
            if end is None:
                raise ValueError(f"{path}:{at + 1}: the fence is never closed")
            indent = len(fence["indent"])
            text = "\n".join(inner[indent:] for inner in lines[at + 1 : end]) + "\n"
            language = fence["info"].split()[0] if fence["info"].split() else ""
            blocks.append(Block(at + 2, language, text, marks))
            marks, at = {}, end
        elif line.strip():
            marks = {}
        at += 1
    return Page(path, tuple(blocks), given)
