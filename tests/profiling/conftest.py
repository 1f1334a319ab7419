"""Traces with times as files, and the command line in this process."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.profiling.nets import Net, mlp


class Done(NamedTuple):
    code: int
    stdout: str
    stderr: str


class Pair(NamedTuple):
    reference: Path
    port: Path


@pytest.fixture(scope="session")
def pair(tmp_path_factory) -> Pair:
    """A net and its port, whose GELU in the middle is slow."""
    folder = tmp_path_factory.mktemp("times")
    return Pair(
        Net(mlp(), seed=1).write(folder / "pt.h5"),
        Net(mlp("mindspore", slow=8.0), framework="mindspore", seed=2).write(folder / "ms.h5"),
    )


@pytest.fixture
def tracer(capfd, monkeypatch):
    """Run a command as its entry point does."""
    from tracer import cli

    monkeypatch.delenv("COLUMNS", raising=False)

    def run(*arguments: object) -> Done:
        capfd.readouterr()
        code = cli.run(cli.cli, [str(argument) for argument in arguments], "tracer")
        return Done(code, *capfd.readouterr())

    return run
