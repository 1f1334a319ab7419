"""A net or a loop from its file, with lines changed in a copy of that file."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from tests.twins.fault import Edit

HERE = Path(__file__).parent
FOLDERS = (HERE / "nets", HERE / "loops", HERE.parent / "twins" / "nets")


def source(module: str) -> Path:
    """The file of a net or a loop."""
    return next(file for folder in FOLDERS if (file := folder / f"{module}.py").exists())


def changed_text(module: str, edits: tuple[Edit, ...]) -> str:
    """The text of a file with the edits made; each must find its line as often as it says."""
    text = source(module).read_text(encoding="utf-8")
    for edit in edits:
        found = text.count(edit.right)
        assert found == edit.times, f"{module}: {edit.right!r} stands {found} times, not {edit.times}"
        text = text.replace(edit.right, edit.slip)
    return text


def load(module: str, edits: tuple[Edit, ...], folder: Path) -> ModuleType:
    """The module of a changed copy of a file, which is written into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{module}.py"
    file.write_text(changed_text(module, edits), encoding="utf-8")
    name = f"trained_{folder.name}_{module}".replace(".", "_")
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made
    spec.loader.exec_module(made)
    return made
