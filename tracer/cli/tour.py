"""The verb demo."""

from __future__ import annotations

import os
from pathlib import Path

import click

from tracer.cli.group import cli
from tracer.cli.options import shared


@cli.command(
    "demo",
    context_settings={"help_option_names": ["-h", "--help"]},
    short_help="See it work, on a net and a port that come along.",
)
@click.option("--folder", type=click.Path(), help="Where nets and traces go; without it a new temporary folder.")
@shared
def demo(*, folder: str | None, no_color: bool) -> int:
    """See it work: a Vision Transformer in PyTorch and its MindSpore port, with the port's classic slip.

    Records both, finds the layer, mends it and looks again. Needs both frameworks and no network, and takes less
    than a minute.
    """
    from tracer.demo.tour import run_tour

    if no_color:
        os.environ["NO_COLOR"] = "1"
    return run_tour(Path(folder) if folder else None, click.echo)
