"""`tracer record`: one side alone, and the other like it."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import tracer
from tests.cli import checked

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

INPUT = ("--input", "4x6:float32")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nets, and a trace of one."""
    folder = checked.write(tmp_path_factory.mktemp("nets"))
    done = checked.run(folder, "record", "nets_torch:plain", *INPUT, "-o", "pt.h5")
    assert (done.returncode, done.stderr) == (0, "")
    return folder


def test_a_net_is_recorded_in_evaluation_mode_unless_asked(folder: Path) -> None:
    """`--mode train` trains."""
    checked.run(folder, "record", "nets_torch.py:plain", *INPUT, "--mode", "train", "-o", "train.h5")
    for name, mode in (("pt.h5", False), ("train.h5", True)):
        with tracer.Trace(folder / name) as trace:
            assert trace["(root)"].calls[0].training is mode


@pytest.mark.mindspore
def test_the_other_side_starts_like_it(folder: Path) -> None:
    """With the report on the weights printed and written; the diff finds what differs."""
    pytest.importorskip("mindspore")
    done = checked.run(
        folder, "record", "nets_mindspore:tanh", "--like", "pt.h5", "-o", "ms.h5", "--weights", "weights.json"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "4 of 4 parameters placed" in done.stdout
    assert json.loads((folder / "weights.json").read_text())["whole"]
    assert tracer.diff(folder / "pt.h5", folder / "ms.h5").verdict == "diverged"


ERRORS = {
    ("nets_torch:plain", "-o", "x.h5"): "the net is given nothing to run on",
    ("nets_torch:plain", *INPUT): "missing option '-o'",
    ("record_net.py", "-o", "x.h5"): "TRACER_OUT=x.h5 python record_net.py",
    ("nets_torch:plain", *INPUT, "--samples", "2", "-o", "x.h5"): "--samples N is for tracer compare",
    ("nets_torch:plain", "--input", "4x7:float32", "-o", "x.h5"): "the net raised in fc (call 0): RuntimeError",
    ("nets_torch:More", "--like", "pt.h5", "-o", "x.h5"): "extra.weight",
    ("nets_torch:plain", "--like", "pt.h5", "-o", "pt.h5"): "would replace",
    ("nets_torch:plain", "--like", "none.h5", "-o", "x.h5"): "There is no such trace",
    ("nets_torch:plain", "--like", "nets_torch.py", "-o", "x.h5"): "Not a trace",
    ("nets_torch:plain", *INPUT, "-o", "no/x.h5"): "no/x.h5",
    ("nets_torch:plain", *INPUT, "--only", "nothing.*", "-o", "x.h5"): "nothing.*",
    ("nets_torch:plain", *INPUT, "--pin", "a=b", "-o", "x.h5"): "says nothing without like=",
}


@pytest.mark.parametrize("words", ERRORS, ids=lambda words: " ".join(words)[-40:])
def test_what_cannot_be_done_is_told_in_three_beats(folder: Path, words: tuple[str, ...]) -> None:
    """Exit code 2, no traceback, the reference's trace as it was."""
    before = (folder / "pt.h5").read_bytes()
    done = checked.run(folder, "record", *words)
    assert done.returncode == 2
    assert ERRORS[words] in " ".join(done.stderr.split())
    assert done.stderr.startswith("error: ")
    assert "next:" in done.stderr
    assert "Traceback" not in done.stderr
    assert (folder / "pt.h5").read_bytes() == before


def test_a_disk_that_is_full_is_told(folder: Path) -> None:
    """No room for the trace: an error in words, from this process and through `compare`."""

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    for words in (("record", "nets_torch:plain", "-o", "full.h5"), ("compare", "nets_torch:plain", "nets_torch:plain")):
        done = subprocess.run(
            [sys.executable, "-m", "tracer", *words, *INPUT], cwd=folder, env=checked.environment(folder),
            preexec_fn=small, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 2, done.stdout + done.stderr
        assert "next:" in done.stderr
        assert "Traceback" not in done.stderr
    assert checked.left_over(folder) == []
