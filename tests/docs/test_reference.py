"""The reference of the Python interface says what the functions take."""

from __future__ import annotations

import ast
import inspect

import pytest

import tracer
from tests.docs.pages import REPOSITORY, parse

STUBS = {
    node.name: node
    for block in parse(REPOSITORY / "docs" / "reference" / "python.md").blocks
    if block.language == "python"
    for node in ast.parse(block.text).body
    if isinstance(node, ast.FunctionDef)
}


def test_every_function_of_the_face_has_its_signature_in_the_reference() -> None:
    """The page shows the signature of each function that `import tracer` gives."""
    assert {name for name in tracer.__all__ if inspect.isfunction(getattr(tracer, name))} == set(STUBS)


@pytest.mark.parametrize("name", sorted(STUBS))
def test_signatures_are_those_of_the_functions(name: str) -> None:
    """Names, order and defaults of the arguments are the function's own."""
    arguments = STUBS[name].args
    several = [arguments.vararg] if arguments.vararg else []
    shown = {a.arg: inspect.Parameter.empty for a in (*arguments.args, *several, *arguments.kwonlyargs)}
    given = arguments.args[len(arguments.args) - len(arguments.defaults) :]
    shown |= {a.arg: ast.literal_eval(d) for a, d in zip(given, arguments.defaults)}
    shown |= {a.arg: ast.literal_eval(d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults) if d is not None}
    real = inspect.signature(getattr(tracer, name)).parameters
    assert shown == {key: parameter.default for key, parameter in real.items()}
    keyword_only = {key for key, parameter in real.items() if parameter.kind is parameter.KEYWORD_ONLY}
    assert {a.arg for a in arguments.kwonlyargs} == keyword_only
