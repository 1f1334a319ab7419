"""The table of names holds what the installed torch has, with its parameters."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROGRAM = """
import importlib, inspect, json, sys, warnings
warnings.simplefilter("ignore")
from tracer.source.facts.table import Facts
facts = Facts.load()

def stands(name):
    parts = name.split(".")
    for end in range(len(parts), 0, -1):  # the longest part that is a module, then its attributes
        try:
            value = importlib.import_module(".".join(parts[:end]))
        except ImportError:
            continue
        for part in parts[end:]:
            value = getattr(value, part, None)
        if value is not None:
            return value
    return None

lost, other, seen = [], [], 0
for name in facts.torch_names():
    known = facts.name(name)
    if known.sort == "attribute":
        continue  # an object's own
    value = stands(name)
    if value is None:
        lost.append(name) if known.sort in ("function", "class", "method", "dtype") else None
        continue
    seen += 1
    if known.sort == "function" and inspect.isfunction(value) and not hasattr(value, "__wrapped__"):
        names = [one.name for one in inspect.signature(value).parameters.values()]
        held = [[one.name for one in signature.parameters] for signature in known.signatures]
        if names not in held and "kwargs" not in names and "args" not in names and held:
            other.append(name)
print(json.dumps({"lost": lost, "other": other, "seen": seen}))
"""


@pytest.fixture(scope="module")
def found() -> dict[str, object]:
    """What a process with torch says of the table."""
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    answer: dict[str, object] = json.loads(ran.stdout.splitlines()[-1])
    return answer


def test_every_name_is_torchs(found: dict[str, object]) -> None:
    """Functions, classes, methods and dtypes of the table stand where it says."""
    assert found["lost"] == []


def test_the_parameters_are_the_functions_own(found: dict[str, object]) -> None:
    """Of Python functions, by name and in order."""
    assert found["other"] == []


def test_most_of_the_table_was_looked_at(found: dict[str, object]) -> None:
    """The two above say something."""
    assert isinstance(found["seen"], int)
    assert found["seen"] > 8000
