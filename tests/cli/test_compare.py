"""`tracer compare`: both nets in processes of their own, scripts, errors, interrupts."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import tracer
from tests.cli import checked
from tests.contract import validate_report

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

INPUT = ("--input", "4x6:float32")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nets and scripts."""
    return checked.write(tmp_path_factory.mktemp("nets"))


@pytest.fixture(autouse=True)
def tidy(folder: Path) -> Iterator[None]:
    """No command leaves a file in the temporary folder."""
    yield
    assert checked.left_over(folder) == []


def on_a_terminal(folder: Path, *arguments: str) -> str:
    """What a command prints where its output is a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tracer", *arguments], cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs,
        env=checked.environment(folder, TERM="xterm-256color"),
    )  # fmt: skip
    os.close(theirs)
    output = b""
    with contextlib.suppress(OSError):
        while piece := os.read(ours, 65536):
            output += piece
    os.close(ours)
    process.wait(60)
    return output.decode()


@pytest.mark.mindspore
def test_a_port_is_checked_in_one_command(folder: Path) -> None:
    """The weights in front, what was assumed, the verdict with its layer; 80 columns; exit code 1."""
    pytest.importorskip("mindspore")
    done = checked.run(
        folder, "compare", "nets_torch:plain", "nets_mindspore.py:tanh", *INPUT, "--out", "traces", "--json", "r.json"
    )
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "weights   nets_torch:plain -> nets_mindspore.py:tanh"
    assert "4 of 4 parameters placed" in done.stdout
    assert "assumed   both nets in evaluation mode; seed 0; inputs 4x6 float32" in lines
    assert "diverged in forward at act" in done.stdout
    assert all(len(line) <= 80 for line in lines)
    assert (done.stderr, sorted(os.listdir(folder / "traces"))) == ("", ["candidate.h5", "reference.h5"])
    report = validate_report(json.loads((folder / "r.json").read_text()))
    assert report["weights"]["candidate"] == "nets_mindspore.py:tanh"


def test_several_samples_are_drawn_and_judged(folder: Path) -> None:
    """Each has a verdict; the JSON has a row for each."""
    done = checked.run(
        folder,
        "compare",
        "nets_torch:plain",
        "nets_torch:plain",
        *INPUT,
        "--samples",
        "2",
        "--one-process",
        "--json",
        "-",
    )
    report = validate_report(json.loads(done.stdout))
    assert [row["verdict"] for row in report["samples"]] == ["agree", "agree"]
    assert (done.returncode, done.stderr) == (0, "")


def test_a_report_does_not_replace_what_it_is_about(folder: Path) -> None:
    """Neither the samples that were given nor a trace that was kept."""
    tracer.save_samples(tracer.inputs("4x6:float32"), folder / "samples.npz")
    before = (folder / "samples.npz").read_bytes()
    words = (
        "compare",
        "nets_torch:plain",
        "nets_torch:plain",
        "--input",
        "samples.npz",
        "--one-process",
        "--no-backward",
    )
    for report in ("samples.npz", "spared/reference.h5"):
        done = checked.run(folder, *words, "--out", "spared", "--json", report)
        assert (done.returncode, "would replace" in done.stderr) == (2, True)
    assert (folder / "samples.npz").read_bytes() == before
    assert tracer.Trace(folder / "spared" / "reference.h5").complete


def test_weights_without_place_are_shown_and_end_in_exit_code_2(folder: Path) -> None:
    """From another process as from this one."""
    done = checked.run(folder, "compare", "nets_torch:plain", "nets_torch:More", *INPUT, "--json", "more.json")
    assert (done.returncode, done.stderr) == (2, "")
    assert "extra.weight 3x3" in done.stdout
    assert "--partial" in done.stdout
    report = validate_report(json.loads((folder / "more.json").read_text()))
    assert (report["verdict"], report["candidate"]["framework"]) == ("unsure", "torch")


def test_scripts_record_themselves(folder: Path) -> None:
    """Without inputs: they have their own; what they leave at $TRACER_OUT is compared."""
    done = checked.run(folder, "compare", "record_net.py", "record_tanh.py")
    assert done.returncode == 1, done.stderr
    assert "both scripts bring their own modes, seeds and weights" in done.stdout
    assert "diverged in forward at act" in done.stdout


def test_a_script_is_given_the_samples_and_the_trace_to_start_like(folder: Path) -> None:
    """$TRACER_SAMPLES and $TRACER_LIKE; with them it agrees with a net that tracer makes."""
    done = checked.run(folder, "compare", "nets_torch:plain", "record_net.py", *INPUT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the candidate's script brings its own mode, seed and weights" in " ".join(done.stdout.split())


def test_samples_that_differ_are_no_verdict(folder: Path) -> None:
    """Scripts on other inputs: unsure."""
    done = checked.run(folder, "compare", "record_net.py", "record_other.py")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "unsure" in done.stdout


@pytest.mark.slow
def test_the_weights_of_a_factory_follow_from_the_seed(folder: Path) -> None:
    """Two commands record the same numbers, another seed others; also where the framework comes with the factory."""
    numbers = []
    for seed, module in ((1, "nets_torch"), (1, "late"), (2, "nets_torch")):
        done = checked.run(
            folder,
            "record",
            f"{module}:plain",
            *INPUT,
            "--seed",
            seed,
            "-o",
            f"{module}{seed}.h5",
            "--no-backward",
        )
        assert (done.returncode, done.stderr) == (0, "")
        with tracer.Trace(folder / f"{module}{seed}.h5") as trace:
            numbers.append(trace.parameters["fc.weight"].digest)
    assert numbers[0] == numbers[1] != numbers[2]


RULES = """
[[rule]]
kinds = ["nets_torch.Odd"]
op = "odd"
"""


@pytest.mark.slow
def test_processes_from_python_take_pins_and_rules(folder: Path) -> None:
    """As the command does; the report has what the other process says of the weights."""
    (folder / "rules.toml").write_text(RULES)
    code = (
        "import sys, tracer\nsys.path.remove('')\n"
        "report = tracer.compare('nets_torch:plain', 'nets_torch:tanh', tracer.inputs('4x6:float32'), processes=True,\n"
        "    pins={'fc': 'fc', 'head.weight': 'head.weight'}, rules='rules.toml')\n"
        "print(report.verdict, report.to_dict()['weights']['whole'])"
    )
    done = checked.run(folder, code=code)
    assert done.stdout == "diverged True\n", done.stderr


@pytest.mark.slow
def test_progress_is_shown_on_a_terminal_while_a_side_runs(folder: Path) -> None:
    """What is being done, on the standard error; gone at the end."""
    output = on_a_terminal(folder, "compare", "nets_torch:plain", "nets_torch:plain", *INPUT)
    assert "recording the reference, nets_torch:plain" in output
    assert "agree in forward and backward" in output


ERRORS = {
    ("nets_torch:raises",): (
        "the reference: nets_torch:raises raised while it made the net: ValueError",
        "nets_torch.py:",
    ),
    ("nets_torch:number",): ("the reference: what the factory made is no net, but of class int", "nets_torch:number"),
    ("nets_torch:several",): ("no net, but of class list", "nets_torch:several"),
    ("nets_torch:nothing",): ("'nothing' makes no net: it is of class int", "nets_torch:nothing"),
    ("nets_torch:misspelt",): ("'misspelt' is not there", "it has Net, plain"),
    ("no_module:plain",): ("there is no module 'no_module'", "run where the module lies"),
    ("wants.py:plain",): ("there is no module 'not_there'", "install it"),
    ("broken.py:plain",): ("cannot be imported: SyntaxError", "broken.py"),
    ("blocked.py:plain",): ("mindspore is not installed", "pip install mindspore"),
    ("record_nothing.py",): ("recorded nothing to the file that $TRACER_OUT names", 'os.environ["TRACER_OUT"]'),
    ("record_elsewhere.py",): ("recorded nothing to the file that $TRACER_OUT names", 'os.environ["TRACER_OUT"]'),
    ("asks.py",): ("EOFError", "run it by itself"),
    ("dies.py",): ("ended by SIGKILL", "run it by itself"),
}


@pytest.mark.parametrize("target", ERRORS, ids=lambda target: target[0])
def test_a_side_that_cannot_be_recorded_is_told_in_three_beats(folder: Path, target: tuple[str]) -> None:
    """Which side, what, where, and what to do; exit code 2, no traceback."""
    done = checked.run(folder, "compare", *target, "nets_torch:plain", *INPUT)
    words = " ".join(done.stderr.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: the reference")
    assert all(word in words for word in (*ERRORS[target], "where:", "next:"))
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("how", [(), ("--one-process",)], ids=["processes", "one process"])
def test_a_net_that_raises_is_told_with_side_layer_and_line(folder: Path, how: tuple[str, ...]) -> None:
    """Inputs of a wrong shape, in another process and in this one."""
    done = checked.run(folder, "compare", "nets_torch:plain", "nets_torch:plain", "--input", "4x7:float32", *how)
    assert done.returncode == 2
    assert done.stderr.startswith("error: the reference raised in fc (call 0): RuntimeError: mat1 and mat2")
    assert "nets_torch.py:13" in done.stderr


MISSPELT = {
    ("nets_torch:plain", "nets_torch:plain"): "the nets are given nothing to run on",
    ("nets_torch:plain",): "missing argument 'CANDIDATE'",
    ("nets_torch:plain", "nets_torch:plain", "--input", "4x6"): "no dtype is given",
    ("nets_torch:plain", "nets_torch:plain", *INPUT, "--mode", "trian"): "'trian' is not one of",
    ("nets_torch:plain", "nets_torch:plain", *INPUT, "--smaples", "2"): "no such option '--smaples'",
    ("nets_torch:plain", "nets_torch:plain", *INPUT, "--samples", "0"): "--samples",
    ("record_net.py", "record_net.py", "--samples", "2"): "nothing says what the samples are",
    ("nets_torch:plain", "nets_torch:plain", *INPUT, "--pin", "fc"): "does not name two paths",
    ("nets_torch:plain", "nets_torch:plain", *INPUT, "--rules", "none.toml"): "none.toml",
    ("nets_torch", "nets_torch:plain", *INPUT): "this names no net",
    ("nets_torch:1", "nets_torch:plain", *INPUT): "is no name of a function",
    ("none.py:plain", "nets_torch:plain", *INPUT): "there is no such file",
    ("record_net.py", "nets_torch:plain", *INPUT, "--one-process"): "a script runs in a process of its own",
}


@pytest.mark.parametrize("words", MISSPELT, ids=lambda words: " ".join(words)[-30:])
def test_what_is_misspelt_is_refused_before_anything_runs(tracer, folder, monkeypatch, words) -> None:
    """Three beats, exit code 2."""
    monkeypatch.chdir(folder)
    done = tracer("compare", *words)
    assert done.code == 2
    assert MISSPELT[words] in " ".join(done.stderr.split())
    assert "next:" in done.stderr


def test_an_old_trace_is_not_taken_for_a_new_one(folder: Path) -> None:
    """A script that records nothing, into a folder where a trace of that name lies."""
    (folder / "old").mkdir()
    (folder / "old" / "reference.h5").write_bytes(b"old")
    done = checked.run(folder, "compare", "record_nothing.py", "record_net.py", "--out", "old")
    assert done.returncode == 2
    assert "recorded nothing" in done.stderr
    assert (folder / "old" / "reference.h5").read_bytes() == b"old"


@pytest.mark.parametrize("target", ["hangs.py", "nets_hang:Net"])
def test_ctrl_c_ends_both_processes_and_leaves_nothing(folder: Path, target: str) -> None:
    """The command and its child, a script or a net that runs; exit code 130."""
    (folder / "nets_hang.py").write_text(
        checked.TORCH.replace("return self.head(", "import pathlib, time; pathlib.Path('hangs').touch(); time.sleep(120)\n        return self.head(")
    )  # fmt: skip
    (folder / "hangs").unlink(missing_ok=True)
    code = "import signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\nfrom tracer.cli import main\nmain()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "compare", target, "nets_torch:plain", *INPUT], cwd=folder,
        env=checked.environment(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    limit = time.monotonic() + 120
    while not (folder / "hangs").exists() and time.monotonic() < limit:
        time.sleep(0.1)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    child = children.read_text().split() if children.exists() else []
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.strip()) == (130, "", "interrupted")
    assert not any(Path(f"/proc/{pid}").exists() for pid in child)
