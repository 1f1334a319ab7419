"""Source trees for the tests of this folder, and what a scan makes of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def tree(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files, by their paths below the folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def notebook(*cells: str, language: str = "python") -> str:
    """A notebook of code cells; one that begins with `#md` is text."""
    made: list[dict[str, Any]] = []
    for cell in cells:
        lines = cell.splitlines(keepends=True)
        if cell.startswith("#md"):
            made.append({"cell_type": "markdown", "metadata": {}, "source": lines})
        else:
            code = {"cell_type": "code", "execution_count": 3, "metadata": {}, "outputs": [{"text": "é"}]}
            made.append({**code, "source": lines})
    about = {"language_info": {"name": language}, "own": [1, 2]}
    return json.dumps({"cells": made, "metadata": about, "nbformat": 4, "nbformat_minor": 5}, ensure_ascii=False)
