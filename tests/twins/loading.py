"""A twin's net from its file, with the lines of a fault changed in a copy of that file."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.twins.fault import Edit

NETS = Path(__file__).parent / "nets"


def build(where: str, edits: tuple[Edit, ...], folder: Path) -> Any:
    """The net named by "module:Class"; where there are edits, from a changed copy of its file in `folder`."""
    module, _, name = where.partition(":")
    return getattr(
        _changed(module, edits, folder) if edits else importlib.import_module(f"tests.twins.nets.{module}"), name
    )()


def changed_text(module: str, edits: tuple[Edit, ...]) -> str:
    """The text of a net's file with the edits made; each must find its line as often as it says."""
    text = (NETS / f"{module}.py").read_text(encoding="utf-8")
    for edit in edits:
        found = text.count(edit.right)
        assert found == edit.times, f"{module}: {edit.right!r} stands {found} times, not {edit.times}"
        text = text.replace(edit.right, edit.slip)
    return text


def _changed(module: str, edits: tuple[Edit, ...], folder: Path) -> ModuleType:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{module}.py"
    file.write_text(changed_text(module, edits), encoding="utf-8")
    name = f"spoiled_{folder.name}_{module}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made
    spec.loader.exec_module(made)
    return made
