"""The verbs for a terminal. Exit codes: 0 agree, 1 diverged, 2 could not tell, 130 interrupted."""

from __future__ import annotations

import sys

from tracer.cli import curves, profiles, scans, structures, tour, traces, weights
from tracer.cli.group import cli
from tracer.cli.running import run
from tracer.cli.verdicts import diff

__all__ = [
    "cli",
    "curves",
    "diff",
    "diff_main",
    "main",
    "profiles",
    "run",
    "scans",
    "structures",
    "tour",
    "traces",
    "weights",
]


def main() -> None:
    """The command `tracer`."""
    sys.exit(run(cli, sys.argv[1:], "tracer"))


def diff_main() -> None:
    """The command `tracer.diff`, the same as `tracer diff`."""
    sys.exit(run(diff, sys.argv[1:], "tracer.diff"))
