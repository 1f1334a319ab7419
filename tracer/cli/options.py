"""What several commands share: options, and the words on exit codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

_Function = TypeVar("_Function", bound=Callable[..., Any])

EXIT_CODES = """\b
Exit codes:
  0  agree
  1  diverged
  2  could not tell: inputs that differ, nothing aligned, an error"""


def shared(function: _Function) -> _Function:
    """Options that every command has."""
    debug = click.option(
        "--debug", is_flag=True, expose_value=False, help="When tracer itself fails, show Python's traceback."
    )
    color = click.option("--no-color", is_flag=True, help="No colour, also on a terminal (as does NO_COLOR=1).")
    return color(debug(function))
