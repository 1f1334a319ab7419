"""Runs one page of the documentation in the folder it is started in: `python -m tests.docs.run_page PAGE`."""

from __future__ import annotations

import contextlib
import io
import linecache
import os
import subprocess
import sys
import traceback
from pathlib import Path

from tests.docs.loosely import matches
from tests.docs.pages import Block, Page, parse


class Otherwise(Exception):
    """The page says something else than what happens."""


def run(page: Page) -> None:
    """Run every block in order. Raises Otherwise with the line of the page."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    printed = ""
    for block in page.blocks:
        if not block.runs:
            continue
        where = f"{page.name}:{block.line}"
        if "file" in block.marks:
            file = Path(block.marks["file"])
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            printed = _python(page, block, namespace, where)
        elif block.language == "console":
            _console(block, where)
        elif not matches(block.text, printed):
            raise Otherwise(f"{where}: the page says\n\n{block.text}\nand what is printed is\n\n{printed}")


def _python(page: Page, block: Block, namespace: dict[str, object], where: str) -> str:
    """Run the block as if it stood in a file as it stands in the page, so that lines in messages are the page's."""
    linecache.checkcache(str(page.path))
    code = compile("\n" * (block.line - 1) + block.text, str(page.path), "exec")
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            exec(code, namespace)  # noqa: S102
    except BaseException:
        raise Otherwise(f"{where}: {traceback.format_exc()}\n{out.getvalue()}") from None
    return out.getvalue()


def _console(block: Block, where: str) -> None:
    """Run every `$` line by a shell and hold what it prints against what stands below it."""
    commands: list[tuple[str, list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], []))
        elif commands and commands[-1][0].endswith("\\"):
            commands[-1] = (commands[-1][0] + "\n" + line, [])
        elif commands:
            commands[-1][1].append(line)
        elif line.strip():
            raise Otherwise(f"{where}: a console block starts with a `$` line")
    for n, (command, lines) in enumerate(commands):
        done = subprocess.run(
            ["bash", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", timeout=170, check=False,
        )  # fmt: skip
        last = n == len(commands) - 1
        status = int(block.marks.get("exits", 0)) if last else 0
        if done.returncode != status:
            raise Otherwise(f"{where}: `{command}` exits {done.returncode}, not {status}:\n\n{done.stdout}")
        if not matches("\n".join(lines), done.stdout):
            said = "\n".join(lines)
            raise Otherwise(
                f"{where}: of `{command}` the page says\n\n{said}\n\nand what is printed is\n\n{done.stdout}"
            )


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    try:
        run(parse(Path(sys.argv[1])))
    except Otherwise as otherwise:
        sys.exit(str(otherwise))
