"""The command as a process: entry points, pipes, terminals, encodings, interrupts."""

import os
import pty
import re
import resource
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from tracer import __version__


def run(*arguments: object, **options) -> subprocess.CompletedProcess:
    environment = {key: value for key, value in os.environ.items() if key not in {"COLUMNS", "NO_COLOR"}}
    environment |= options.pop("env", {})
    command = [sys.executable, "-m", "tracer", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, env=environment, timeout=60, check=False, **options)


def on_a_terminal(*arguments: object, columns: int = 80, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Exit code and output of a run whose standard output and error are a terminal."""
    import fcntl
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k not in {"COLUMNS", "LINES", "NO_COLOR"}}
    environment |= {"TERM": "xterm-256color", **(env or {})}
    command = [sys.executable, "-m", "tracer", *map(str, arguments)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    output = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            break
        if not piece:
            break
        output += piece
    os.close(ours)
    return process.wait(60), output.decode().replace("\r\n", "\n")


def test_both_commands_are_installed():
    """`tracer` and `tracer.diff`."""
    names = {point.name: point.value for point in entry_points(group="console_scripts")}
    assert names["tracer"] == "tracer.cli:main"
    assert names["tracer.diff"] == "tracer.cli:diff_main"


def test_python_m_tracer_says_its_version():
    """One place for the version."""
    done = run("--version")
    assert done.stdout.decode() == f"tracer {__version__}\n"
    assert done.returncode == 0


def test_a_small_diff_costs_little_time(pair):
    """Interpreter, imports and verdict together take well under two seconds of a processor."""

    def spent() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    times = []
    for _ in range(3):
        start = spent()
        assert run("diff", pair.reference, pair.slip).returncode == 1
        times.append(spent() - start)
    assert min(times) < 2


@pytest.mark.parametrize(
    ("command", "code"), [("diff R S", 1), ("diff R R", 0), ("diff R R --every", 0), ("show R", 0)]
)
def test_a_pipe_that_closes_is_quiet(pair, command, code):
    """`tracer diff a b | true`: no word on stderr, and the verdict stays the exit code."""
    files = {"R": str(pair.reference), "S": str(pair.slip)}
    words = [files.get(word, word) for word in command.split()]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "tracer", *words], stdout=write, stderr=subprocess.PIPE, timeout=60, check=False
    )
    os.close(write)
    assert done.stderr == b""
    assert done.returncode == code


def test_a_pipe_gets_no_colour(pair):
    """Plain text, 80 columns."""
    text = run("diff", pair.reference, pair.slip).stdout.decode()
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_terminal_gets_colour_and_its_width(pair):
    """The lines keep to a narrow terminal."""
    code, text = on_a_terminal("diff", pair.reference, pair.slip, columns=60)
    assert "\x1b[1;31mdiverged" in text
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    report = plain[plain.index("diverged") :]  # on a slow machine a bar of progress came and went before
    assert max(map(len, report.splitlines())) <= 60
    assert code == 1


@pytest.mark.parametrize(("arguments", "env"), [(("--no-color",), {}), ((), {"NO_COLOR": "1"}), ((), {"TERM": "dumb"})])
def test_a_terminal_can_do_without_colour(pair, arguments, env):
    """By option, by NO_COLOR, and where the terminal has none."""
    _, text = on_a_terminal("diff", pair.reference, pair.slip, *arguments, env=env)
    assert not re.search(r"\x1b\[[0-9;]*m", text.replace("\x1b[0m", ""))


def test_an_ascii_terminal_gets_ascii(pair):
    """Nothing fails for a letter."""
    done = run("diff", pair.reference, pair.slip, env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert done.stdout.isascii()
    assert done.stdout.startswith(b"diverged")
    assert done.returncode == 1


def test_json_is_utf_8_whatever_the_terminal_speaks(pair):
    """A program reads it."""
    done = run("diff", pair.reference, pair.slip, "--json", "-", env={"PYTHONIOENCODING": "ascii"})
    done.stdout.decode("utf-8")
    assert done.returncode == 1


def test_the_diff_needs_no_framework(pair):
    """Neither torch nor mindspore is imported by a diff."""
    code = (
        "import sys; sys.modules['torch'] = sys.modules['mindspore'] = None; "
        "from tracer.cli import cli, run; raise SystemExit(run(cli, sys.argv[1:], 'tracer'))"
    )
    command = [sys.executable, "-c", code, "diff", str(pair.reference), str(pair.slip)]
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 1


def test_a_full_disk_behind_the_output_is_an_error(pair):
    """Three beats and exit 2, never 0 or 1."""
    command = [sys.executable, "-m", "tracer", "diff", str(pair.reference), str(pair.slip)]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.stderr.startswith(b"error: the report cannot be printed (No space left on device)")
    assert done.returncode == 2


def test_a_closed_output_is_no_failure(pair):
    """`tracer diff a b >&-` still tells by its exit code."""
    script = f'exec "{sys.executable}" -m tracer diff "{pair.reference}" "{pair.slip}" >&-'
    done = subprocess.run(["sh", "-c", script], stderr=subprocess.PIPE, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize("sign", ["SIGINT", "SIGTERM"])
def test_control_c_is_quiet_and_130(pair, sign):
    """A diff that is interrupted while it reads; MindSpore makes a SIGTERM of a Ctrl-C while it executes."""
    code = (
        "import os, signal, sys, time; from tracer import api, cli; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); "  # a shell may have it ignored
        f"api.diff = lambda *_, **__: (os.kill(os.getpid(), signal.{sign}), time.sleep(30)); "
        "raise SystemExit(cli.run(cli.cli, sys.argv[1:], 'tracer'))"
    )
    command = [sys.executable, "-c", code, "diff", str(pair.reference), str(pair.slip)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.stderr.strip() == b"interrupted"
    assert done.returncode == 130
