"""A process that answers jobs: the side that asks (`Piped`) and the side that answers (`answer_jobs`).

MindSpore cannot be forked once it has run something, and an error may stick to later calls. So the process that is
started imports it and runs nothing: a child, forked before anything ran, answers until one job leaves it unfit for
more, or ends it; then comes the next child.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Thread
from typing import Any, Generic, TypeVar

ROOT = Path(__file__).parents[2]
DONE, FAILED = 0, 3

Job = TypeVar("Job")
Answer = TypeVar("Answer")


class Piped(Generic[Job, Answer]):
    """A started process; use it in a `with` statement.

    Args:
        module: what is run, whose end calls `answer_jobs`.
        threads: of MindSpore.
    """

    def __init__(self, module: str, threads: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", module],
            cwd=ROOT,
            env={**os.environ, "GLOG_v": "4", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(threads)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdin and self._process.stdout
        self._jobs, self._answers = self._process.stdin, self._process.stdout

    def __enter__(self) -> Piped[Job, Answer]:
        return self

    def __exit__(self, *_: object) -> None:
        self._jobs.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()

    def ask(self, job: Job) -> Answer:
        """The answer to one job."""
        return next(self.ask_all([job]))

    def ask_all(self, jobs: Sequence[Job]) -> Iterator[Answer]:
        """The answer to each; all are sent at once, so that neither process waits for the other."""
        target = self._jobs.fileno()
        sending = Thread(target=lambda: [_write(target, job) for job in jobs], daemon=True)
        sending.start()
        for job in jobs:
            answer = _read(self._answers.fileno())
            assert answer is not None, f"MindSpore's process is gone; it was to run {str(job)[:300]}"
            yield answer
        sending.join()


def answer_jobs(
    answer: Callable[[Any], Any], fit: Callable[[Any], bool], died: Callable[[str], Any], seconds: int
) -> None:
    """Answer jobs from the standard input until there are no more.

    Args:
        answer: the answer to a job.
        fit: after that answer, is the process fit for more?
        died: the answer to a job that ended the process; is given how.
        seconds: that a job may take.
    """
    target = os.dup(1)
    os.dup2(2, 1)  # what MindSpore prints is no answer
    import mindspore  # noqa: F401

    while True:
        child = os.fork()
        if child == 0:
            os._exit(_serve(target, answer, fit, seconds))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code == DONE:
            return
        if code != FAILED:
            _write(target, died("it took too long" if code == -signal.SIGALRM else f"the process ended with {code}"))


def _serve(target: int, answer: Callable[[Any], Any], fit: Callable[[Any], bool], seconds: int) -> int:
    import mindspore

    mindspore.runtime.launch_blocking()  # without it an error may come up in any later call
    while (job := _read(0)) is not None:
        signal.alarm(seconds)
        found = answer(job)
        signal.alarm(0)
        _write(target, found)
        if not fit(found):
            return FAILED
    return DONE


def _read(source: int) -> Any:
    """The next pickled object from a file descriptor, None at its end; takes not a byte more."""
    size = _bytes(source, 8)
    return pickle.loads(_bytes(source, int.from_bytes(size, "big"))) if size else None


def _write(target: int, value: Any) -> None:
    data = pickle.dumps(value)
    data = len(data).to_bytes(8, "big") + data
    while data:
        data = data[os.write(target, data) :]


def _bytes(source: int, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = os.read(source, count - len(data))
        if not more:
            return b""
        data += more
    return data
