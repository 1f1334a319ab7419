"""`tracer demo`: two nets, two traces, one diff, one line mended, and the diff again."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tracer.errors import FrameworkMissing, RecordingError, TraceFileError, TracerError

REFERENCE, PORT, MENDED = "vit_torch", "vit_mindspore", "vit_mindspore_mended"
"""The nets, each a file that records itself: `vit_torch.py` makes `vit_torch.h5`."""

SLIP, MEND = "self.act = nn.GELU()", "self.act = nn.GELU(approximate=False)"
"""The port's slip: a GELU in torch is exact unless told otherwise, one in MindSpore is the tanh approximation."""

PATIENCE = 300.0
"""Seconds that one recording may take; it needs about five."""

Write = Callable[[str], None]


def run_tour(folder: Path | None, write: Write) -> int:
    """Record a net and its port, find where they part, mend the line, and see that they agree.

    Args:
        folder: where the nets and their traces go; made if needed, and it must not hold an earlier tour. None is a
            new temporary folder.
        write: called with the text as it comes, one or more whole lines without the last newline.

    Returns:
        0 when the tour went as told, 1 when a verdict was another one, 2 when something was missing or failed.
    """
    try:
        return _tour(folder, write)
    except TracerError as error:
        write(str(error))
        return 2


def _tour(folder: Path | None, write: Write) -> int:
    from tracer import diff

    started = time.perf_counter()
    for framework in ("torch", "mindspore"):
        _require(framework)
    folder = _prepare(folder)
    write(
        "A Vision Transformer, written in PyTorch and ported to MindSpore by hand. Both hold\n"
        "the same weights and see the same two images. The port runs, its shapes are right,\n"
        "and yet its scores are a little off. Where does it go wrong?\n"
    )
    _step(write, f"recording {REFERENCE}.py", f"tracer.record(net, images, out='{REFERENCE}.h5')")
    _run(folder, REFERENCE)
    _step(write, f"recording {PORT}.py", f"tracer.record(net, images, out='{PORT}.h5')")
    _run(folder, PORT)
    _step(write, "comparing", f"tracer diff {REFERENCE}.h5 {PORT}.h5")
    first = diff(folder / f"{REFERENCE}.h5", folder / f"{PORT}.h5")
    write(f"\n{first}\n")
    line = _line_of(folder / f"{PORT}.py", SLIP)
    _step(write, f"mending line {line}", f"{SLIP}  ->  {MEND}")
    _run(folder, MENDED)
    _step(write, "comparing", f"tracer diff {REFERENCE}.h5 {MENDED}.h5")
    second = diff(folder / f"{REFERENCE}.h5", folder / f"{MENDED}.h5")
    write(f"\n{second}\n")
    write(_farewell(folder, time.perf_counter() - started))
    if (first.verdict, second.verdict) == ("diverged", "agree"):
        return 0
    write("This tour should have seen `diverged` and then `agree`. Please report it with the text above.")
    return 1


def _require(framework: str) -> None:
    if importlib.util.find_spec(framework) is None:
        raise FrameworkMissing(
            f"{framework} is not installed, and the tour needs both frameworks",
            where=sys.executable,
            then='pip install ".[demo]" in a clone of the project',
        )


def _prepare(folder: Path | None) -> Path:
    """Lay the three nets into the folder; the mended one is the port with one line changed."""
    try:
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="tracer-demo-"))
        folder = folder.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        if any((folder / f"{net}.py").exists() for net in (REFERENCE, PORT, MENDED)):
            raise TraceFileError(
                "the folder holds an earlier tour, and what you changed there is yours",
                where=str(folder),
                then="name another folder, or remove this one",
            )
        sources = {net: _source(net) for net in (REFERENCE, PORT)}
        for net, text in (sources | {MENDED: sources[PORT].replace(SLIP, MEND)}).items():
            (folder / f"{net}.py").write_text(text, encoding="utf-8")
    except OSError as error:
        raise TraceFileError(
            f"the tour's files cannot be written: {error.strerror or error}",
            where=str(error.filename or folder),
            then="name a folder that can be written, with some 10 MB free",
        ) from error
    return folder


def _source(net: str) -> str:
    return (Path(__file__).parent / f"{net}.py").read_text(encoding="utf-8")


def _line_of(file: Path, text: str) -> int:
    lines = file.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def _run(folder: Path, net: str) -> None:
    """Record one net, in a process of its own: each framework starts fresh, and its log stays out of the tour."""
    package = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    environment = os.environ | {"GLOG_v": "3", "PYTHONPATH": path}
    try:
        done = subprocess.run(
            [sys.executable, f"{net}.py"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        said = f"it was not done after {PATIENCE:.0f} s"
    else:
        if done.returncode == 0:
            return
        said = (done.stderr.strip() or done.stdout.strip() or f"it ended with {done.returncode}").splitlines()[-1]
    raise RecordingError(
        f"{net}.py could not be recorded: {said}",
        where=str(folder / f"{net}.py"),
        then=f"run it by hand to see all it says: {sys.executable} {folder / f'{net}.py'}",
    )


def _step(write: Write, doing: str, how: str) -> None:
    write(f"{doing + ' ':.<30} {how}")


def _farewell(folder: Path, seconds: float) -> str:
    python = Path(sys.executable)  # the one that has the frameworks; it need not be the shell's
    tracer = python.with_name("tracer")
    return (
        f"That took {seconds:.0f} s. No list of names, no tolerance and no line in the nets was needed.\n"
        f"Nets and traces are in {folder}\n"
        "\n"
        "What to type next:\n"
        f"  cd {folder}\n"
        f"  {tracer} diff {REFERENCE}.h5 {PORT}.h5 --every\n"
        "      every pair, not only the verdict\n"
        f"  {tracer} show {PORT}.h5 blocks.0.mlp.act\n"
        "      one layer as it was recorded\n"
        f"  {python} {PORT}.py\n"
        "      edit it, record it again, diff again"
    )
