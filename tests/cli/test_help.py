"""Every command and option explains itself, and stands in the reference."""

import re
from pathlib import Path

import click
import pytest

from tracer.cli import cli, diff

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")


def commands_of(group: click.Group, name: str) -> dict[str, click.Command]:
    """The commands of a group, and those of the groups among them."""
    found: dict[str, click.Command] = {}
    for word, command in group.commands.items():
        found[f"{name} {word}"] = command
        if isinstance(command, click.Group):
            found |= commands_of(command, f"{name} {word}")
    return found


COMMANDS = commands_of(cli, "tracer")
OPTIONS = [
    (name, option)
    for name, command in {"tracer": cli, **COMMANDS}.items()
    for option in command.params
    if isinstance(option, click.Option)
]


def section(name: str) -> str:
    """The part of the reference about one command."""
    found = re.search(rf"^## `{re.escape(name)}`.*?(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"the reference has no section about {name}"
    return found.group()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_a_section(name):
    """A sentence in --help, a heading in the reference."""
    assert COMMANDS[name].help
    assert section(name)


@pytest.mark.parametrize(("name", "option"), OPTIONS, ids=[f"{name} {option.opts[0]}" for name, option in OPTIONS])
def test_every_option_has_help_and_stands_in_the_reference(name, option):
    """With its long name."""
    assert option.help
    long = next(word for word in option.opts if word.startswith("--"))
    assert f"`{long}" in (PAGE if name == "tracer" else section(name))


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if not isinstance(command, click.Group)])
def test_every_command_teaches(name):
    """Examples stand in its --help, and they name the command."""
    assert COMMANDS[name].epilog is None or f"  {name}" in COMMANDS[name].epilog


@pytest.mark.parametrize("name", COMMANDS)
def test_the_reference_names_no_option_that_is_gone(name):
    """What the page promises is there."""
    known = {word for option in COMMANDS[name].params for word in option.opts} | {"--help"}
    assert set(re.findall(r"^\| `(--[a-z-]+)", section(name), re.MULTILINE)) <= known


def test_help_teaches(tracer):
    """Examples and exit codes stand in `tracer diff --help`, and it is not an error to ask."""
    done = tracer("diff", "--help")
    assert "Examples:" in done.stdout
    assert "Exit codes:" in done.stdout
    assert done.code == 0


def test_the_other_command_has_the_same_options():
    """`tracer.diff` is the very command."""
    assert cli.commands["diff"] is diff


def test_no_word_at_all_is_answered_with_help(tracer):
    """And with exit 2, for nothing was told."""
    done = tracer()
    assert "Commands:" in done.stdout
    assert (done.code, done.stderr) == (2, "")
