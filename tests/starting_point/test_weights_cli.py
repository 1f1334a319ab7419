"""`tracer weights map`, `convert` and `diff`: what they print, write and return."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import tracer
from tests.cli.conftest import Done
from tests.cli.conftest import tracer as command  # noqa: F401
from tests.starting_point.checkpoint_files import loaded, same
from tests.starting_point.processes import run


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """In the folder: a.npz, its copy b.npz under other names, c.npz with one number off, d.npz with one more layer."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    ours = {
        "conv.weight": random.standard_normal((4, 3, 5)),
        "fc.weight": random.standard_normal((2, 4)),
        "fc.bias": np.ones(2),
    }
    ours = {name: array.astype(np.float32) for name, array in ours.items()}
    theirs = {
        "conv.weight": ours["conv.weight"][:, :, None],
        "fc.weight": ours["fc.weight"],
        "fc.bias": ours["fc.bias"],
    }
    off = theirs | {"fc.bias": theirs["fc.bias"] + np.float32(0.25)}
    for name, arrays in (
        ("a", ours),
        ("b", theirs),
        ("c", off),
        ("d", theirs | {"more.weight": np.ones((9, 9), np.float32)}),
    ):
        tracer.convert_weights(arrays, f"{name}.npz")
    return ours


def words(done: Done) -> str:
    """What was printed, in one line."""
    return " ".join(done.stdout.split())


def failed(done: Done) -> str:
    """What was told in three beats; nothing was printed."""
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert "next:" in done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


# ---- map -----------------------------------------------------------------------------------------------------------


def test_a_map_is_written_and_told(command, files) -> None:
    """The file is one that `convert` follows; what is printed says what is done on the way."""
    done = command("weights", "map", "a.npz", "b.npz", "-o", "map.toml")
    assert (done.code, done.stderr) == (0, "")
    assert "3 of 3 parameters placed, 1 transformed" in words(done)
    assert "conv.weight = conv.weight | reshape 4x3x1x5" in words(done)
    assert '"fc.bias" = "fc.bias"' in Path("map.toml").read_text()


def test_a_map_that_is_not_whole_exits_2(command, files) -> None:
    """And is written all the same, for a person to complete."""
    done = command("weights", "map", "a.npz", "d.npz", "-o", "map.json")
    assert done.code == 2
    assert json.loads(Path("map.json").read_text())["alone"]["candidate"] == ["more.weight"]


def test_a_map_can_be_printed_itself(command, files) -> None:
    """With - it goes to the standard output, and nothing else does."""
    assert command("weights", "map", "a.npz", "b.npz", "-o", "-").stdout.startswith("# Each parameter of b.npz")


def test_a_map_does_not_replace_a_side(command, files) -> None:
    """Nor is it written under a name that says something else."""
    Path("a.npz").rename("a.toml")
    failed(command("weights", "map", "a.toml", "b.npz", "-o", "a.toml"))
    assert ".toml or a .json" in failed(command("weights", "map", "b.npz", "b.npz", "-o", "map.txt"))
    assert loaded(Path("a.toml"))


def test_pins_are_followed(command, files) -> None:
    """By name, and a misspelt one is refused."""
    done = command("weights", "map", "a.npz", "b.npz", "-o", "-", "--pin", "fc.bias=fc.bias")
    assert "# pinned" in done.stdout
    failed(command("weights", "map", "a.npz", "b.npz", "--pin", "fc.bais=fc.bias"))
    assert "REFERENCE_PATH=CANDIDATE_PATH" in failed(command("weights", "map", "a.npz", "b.npz", "--pin", "fc"))


# ---- convert -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["pth", "safetensors", "ckpt", "npz"])
def test_any_format_is_written(command, files, suffix: str) -> None:
    """The suffix says which."""
    done = command("weights", "convert", "a.npz", f"x.{suffix}")
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.startswith(f"weights   a.npz -> x.{suffix}\n")
    found = loaded(Path(f"x.{suffix}"))
    same({name: found[name] for name in files}, files)


def test_a_map_is_followed(command, files) -> None:
    """Names and shapes are those of the other net."""
    command("weights", "map", "a.npz", "b.npz", "-o", "map.toml")
    assert command("weights", "convert", "a.npz", "x.ckpt", "--map", "map.toml").code == 0
    found, wanted = loaded(Path("x.ckpt")), loaded(Path("b.npz"))
    same({name: found[name] for name in wanted}, wanted)


def test_a_candidate_does_without_a_map(command, files) -> None:
    """The alignment is made on the way."""
    assert command("weights", "convert", "a.npz", "x.ckpt", "--candidate", "b.npz").code == 0
    found, wanted = loaded(Path("x.ckpt")), loaded(Path("b.npz"))
    same({name: found[name] for name in wanted}, wanted)


def test_names_and_dtypes_as_asked_for(command, files) -> None:
    """Prefix, rename, dtype."""
    done = command(
        "weights", "convert", "a.npz", "x.npz", "--prefix", "net.", "--rename", "fc.bias=fc.b", "--dtype", "float16"
    )
    assert done.code == 0
    assert "3 cast" in done.stdout
    assert {n: a.dtype.name for n, a in loaded(Path("x.npz")).items()} == dict.fromkeys(
        ["net.conv.weight", "net.fc.weight", "net.fc.b"], "float16"
    )


def test_what_has_no_place_is_refused_or_left_out(command, files) -> None:
    """Refused without --partial and nothing is written; with it, written and exit 2."""
    assert "more.weight 9x9" in failed(command("weights", "convert", "a.npz", "x.npz", "--candidate", "d.npz"))
    assert not Path("x.npz").exists()
    assert command("weights", "convert", "a.npz", "x.npz", "--candidate", "d.npz", "--partial").code == 2
    assert set(loaded(Path("x.npz"))) == set(files)


def test_digits_are_lost_only_where_asked_for(command, files) -> None:
    """--cast."""
    command("weights", "convert", "b.npz", "half.npz", "--dtype", "float16")
    assert "--cast" in failed(command("weights", "convert", "a.npz", "x.npz", "--candidate", "half.npz"))
    assert command("weights", "convert", "a.npz", "x.npz", "--candidate", "half.npz", "--cast").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["nowhere.npz", "x.npz"],
        ["a.npz", "x.foo"],
        ["a.npz", "nowhere/x.npz"],
        ["a.npz", "x.npz", "--dtype", "int4"],
        ["a.npz", "x.npz", "--map", "nowhere.toml"],
        ["a.npz", "x.npz", "--rename", "nowhere=x"],
        ["a.npz", "x.npz", "--rename", "fc.bias"],
        ["a.npz", "x.npz", "--part", "ema"],
        ["a.npz", "x.npz", "--rules", "nowhere.toml"],
        ["a.npz", "x.npz", "--reference", "nowhere.h5"],
        ["a.npz"],
        ["a.npz", "x.npz", "more"],
        ["a.npz", "x.npz", "--nonsense"],
    ],  # fmt: skip
    ids=" ".join,
)
def test_what_cannot_be_is_told(command, files, arguments: list[str]) -> None:
    """In three beats; nothing is written."""
    failed(command("weights", "convert", *arguments))
    assert not Path("x.npz").exists()


# ---- diff ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("other", "verdict", "code"), [("b", "agree", 0), ("c", "diverged", 1), ("d", "unsure", 2)])
def test_the_verdict_stands_first(command, files, other: str, verdict: str, code: int) -> None:
    """And is the exit code."""
    done = command("weights", "diff", "a.npz", f"{other}.npz")
    assert done.stdout.startswith(f"{verdict}   a.npz | {other}.npz")
    assert (done.code, done.stderr) == (code, "")


def test_what_differs_is_shown(command, files) -> None:
    """With how much and its shape; --every shows the others too."""
    assert "2.5e-01 2 fc.bias" in words(command("weights", "diff", "a.npz", "c.npz"))
    assert "equal 4x3x1x5 conv.weight = conv.weight | reshape 4x3x1x5" in words(
        command("weights", "diff", "a.npz", "c.npz", "--every")
    )


@pytest.mark.parametrize(("option", "code"), [(["--rtol", "0.3"], 0), (["--rtol", "0.2"], 1), (["--atol", "0.3"], 0)])
def test_tolerances(command, files, option: list[str], code: int) -> None:
    """What counts as equal."""
    assert command("weights", "diff", "a.npz", "c.npz", *option).code == code


def test_a_map_and_pins_tell_the_pairs(command, files) -> None:
    """As in convert."""
    command("weights", "map", "a.npz", "b.npz", "-o", "map.toml")
    assert command("weights", "diff", "a.npz", "b.npz", "--map", "map.toml").code == 0
    assert command("weights", "diff", "a.npz", "b.npz", "--pin", "fc=fc").code == 0


@pytest.mark.parametrize("where", ["-", "r.json"])
def test_json_for_programs(command, files, where: str) -> None:
    """Printed instead of the report, or into a file beside it."""
    done = command("weights", "diff", "a.npz", "c.npz", "--json", where)
    told = json.loads(done.stdout if where == "-" else Path("r.json").read_text())
    assert told["verdict"] == "diverged"
    assert done.code == 1


def test_quiet(command, files) -> None:
    """The exit code alone."""
    assert command("weights", "diff", "a.npz", "c.npz", "--quiet") == Done(1, "", "")


def test_a_report_does_not_replace_a_side(command, files) -> None:
    """Told; the file is as it was."""
    failed(command("weights", "diff", "a.npz", "b.npz", "--json", "b.npz"))
    assert loaded(Path("b.npz"))


@pytest.mark.parametrize("option", [["--rtol", "-1"], ["--atol", "nan"], ["--pin", "x=y"], ["--map", "a.npz"]])
def test_options_that_cannot_be(command, files, option: list[str]) -> None:
    """Told."""
    failed(command("weights", "diff", "a.npz", "b.npz", *option))


# ---- all -----------------------------------------------------------------------------------------------------------


def test_the_group_alone_answers_with_help(command) -> None:
    """As `tracer` alone does, exit 2."""
    done = command("weights")
    assert "Commands:" in done.stdout
    assert (done.code, done.stderr) == (2, "")


def test_a_terminal_gets_colour_for_the_verdict_only(files, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a pipe none."""
    from rich.text import Text

    from tracer.cli.weights import _painted

    lines: list[Text] = list(_painted(tracer.compare_weights("a.npz", "c.npz").lines()))
    assert [(span.start, span.end) for span in lines[0].spans] == [(0, len("diverged"))]
    assert not any(line.spans for line in lines[1:])


def test_names_that_no_terminal_should_see_are_escaped(command, files) -> None:
    """A file may call its parameters what it wants."""
    tracer.convert_weights({"a\x1b[31mb": np.ones(2, np.float32)}, "x.npz")
    done = command("weights", "diff", "x.npz", "x.npz", "--every")
    assert "\x1b" not in done.stdout


def test_it_is_a_program(files, tmp_path: Path) -> None:
    """`python -m tracer weights ...` ends with the exit code."""
    assert run(["-m", "tracer", "weights", "diff", "a.npz", "c.npz"], tmp_path).returncode == 1
