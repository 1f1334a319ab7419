"""The command `tracer`, to which the verbs are added."""

from __future__ import annotations

import click

from tracer import __version__


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Start here:
  tracer demo                                  a port with a slip, found in a minute
  tracer compare pt:Net ms:Net --input 2x8:float32
                                               where your own port first goes wrong
  tracer diff pt.h5 ms.h5                      the same of two traces, which tracer record
                                               writes, or tracer.record(...) in Python""",
)
@click.version_option(__version__, "-V", "--version", prog_name="tracer", message="%(prog)s %(version)s")
def cli() -> None:
    """Find the first layer where a port of a net goes wrong, and why."""
