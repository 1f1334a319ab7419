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


def tolerances(function: _Function) -> _Function:
    """The tolerance that the user gives instead of the judged one."""
    rtol = click.option(
        "--rtol",
        type=float,
        metavar="NUMBER",
        callback=_from_zero,
        help="Count as equal up to this relative L2, instead of what rounding explains.",
    )
    atol = click.option(
        "--atol",
        type=float,
        metavar="NUMBER",
        callback=_from_zero,
        help="Count as equal what is nowhere further apart than this.",
    )
    return rtol(atol(function))


def _from_zero(_context: click.Context, _option: click.Parameter, value: float | None) -> float | None:
    """A tolerance: a number from 0 on; "nan" is none."""
    if value is not None and not value >= 0:
        raise click.BadParameter(f"{value} is not a number from 0 on")
    return value


def pinned(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Pairs of paths, each written A=B."""
    return _pairs(values, "two paths: write REFERENCE_PATH=CANDIDATE_PATH")


def renamed(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Pairs of names, each written OLD=NEW."""
    return _pairs(values, "two names: write OLD=NEW")


def _pairs(values: tuple[str, ...], wanted: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for value in values:
        left, equals, right = value.partition("=")
        if not equals or not left or not right:
            raise click.BadParameter(f"{value!r} does not name {wanted}")
        pairs.append((left, right))
    return tuple(pairs)


def paired(function: _Function) -> _Function:
    """How the layers of two nets belong together."""
    pins = click.option(
        "--pin",
        "pins",
        multiple=True,
        metavar="A=B",
        callback=pinned,
        help="These two layers belong together, the reference's path first. Repeatable.",
    )
    rules = click.option("--rules", type=click.Path(), metavar="FILE.toml", help="Your own layers in common words.")
    return pins(rules(function))


def sampled(function: _Function) -> _Function:
    """What the nets are given."""
    options = (
        click.option(
            "--input",
            "inputs",
            multiple=True,
            metavar="SPEC|PATH",
            help="What the net is given: SHAPE:DTYPE as 8x3x224x224:float32 or 2x16:int64<30522, one an argument; "
            "name=SHAPE:DTYPE for an argument by name; or an .npz, .npy, folder of .npy, or trace. Repeatable.",
        ),
        click.option("--samples", type=click.IntRange(min=1), metavar="N", help="Draw N samples and check them all."),
        click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="N",
                     help="What the drawing of inputs and random generators start from."),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def starting(function: _Function) -> _Function:
    """How the weights come over."""
    options = (
        click.option(
            "--pin",
            "pins",
            multiple=True,
            metavar="A=B",
            callback=pinned,
            help="These two belong together: layers by path or parameters by name, the reference first. Repeatable.",
        ),
        click.option("--rules", type=click.Path(), metavar="FILE.toml", help="Your own layers in common words."),
        click.option("--partial", is_flag=True, help="Go on where weights cannot all be placed, and say so."),
        click.option("--cast", is_flag=True, help="Allow dtypes that lose digits."),
    )
    for option in reversed(options):
        function = option(function)
    return function
