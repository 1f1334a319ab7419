"""What a user can reach says what it is."""

from __future__ import annotations

import ast
import inspect

import pytest

import tracer
from tests.habits.source import modules, tree

FACE = [name for name in tracer.__all__ if not name.startswith("_")]


@pytest.mark.parametrize("name", modules())
def test_modules_functions_and_classes_have_docstrings(name: str) -> None:
    """Every module says what it is for, and so does every public function and class in it."""
    bare = [
        node.name
        for node in tree(name).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and ast.get_docstring(node) is None
    ]
    assert not bare
    assert ast.get_docstring(tree(name)) or not tree(name).body


@pytest.mark.parametrize("name", FACE)
def test_the_face_is_documented(name: str) -> None:
    """Everything that `import tracer` gives has a docstring, its public methods and properties too."""
    thing = getattr(tracer, name)
    assert inspect.getdoc(thing)
    if inspect.isclass(thing):
        own = {key: value for key, value in vars(thing).items() if not key.startswith("_")}
        described = {key for key, value in own.items() if inspect.isroutine(value) or isinstance(value, property)}
        assert not [key for key in sorted(described) if not inspect.getdoc(own[key])]


@pytest.mark.parametrize("name", FACE)
def test_the_reference_names_all_of_the_face(name: str) -> None:
    """The reference page of the Python interface has everything that `import tracer` gives."""
    from tests.habits.source import REPOSITORY

    page = (REPOSITORY / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
    assert name in page
