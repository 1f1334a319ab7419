"""The command line in this process, and a few small trace files."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli import files


class Pair(NamedTuple):
    """A net, its port with a slip, its clean port, and the net on other inputs."""

    reference: Path
    slip: Path
    clean: Path
    other_inputs: Path


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def pair(tmp_path_factory) -> Pair:
    folder = tmp_path_factory.mktemp("traces")
    return Pair(
        files.write(folder / "pt.h5", files.reference()),
        files.write(folder / "slip.h5", files.port(slip=True)),
        files.write(folder / "clean.h5", files.port(slip=False)),
        files.write(folder / "other.h5", files.reference(2 * files.X)),
    )


@pytest.fixture
def tracer(capfd, monkeypatch):
    """Run a command as its entry point does: `tracer("diff", a, b)`, or `command="diff"` for `tracer.diff`."""
    from tracer import cli

    monkeypatch.delenv("COLUMNS", raising=False)

    def run(*arguments: object, command: str = "") -> Done:
        capfd.readouterr()
        words = [str(argument) for argument in arguments]
        code = cli.run(cli.diff, words, "tracer.diff") if command else cli.run(cli.cli, words, "tracer")
        return Done(code, *capfd.readouterr())

    return run
