"""One side of a check: a live net in this process, or a target that is recorded in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from tracer.divergence.metrics import Progress
from tracer.errors import RecordingError, StartingPointError, TracerError, add_note
from tracer.frameworks import watcher_for
from tracer.recorder import Options, run_and_record
from tracer.starting_point.checks.likewise import Wishes, record_like, set_mode
from tracer.starting_point.checks.targets import Target, error_line
from tracer.starting_point.randomness import fixed
from tracer.starting_point.samples.sample_file import write_samples
from tracer.starting_point.samples.sources import Samples
from tracer.starting_point.weights.loading import Transfer, UnplacedWeights
from tracer.starting_point.weights.weight_map import WeightMap
from tracer.trace.reader import Trace

_PATIENCE = 10.0
"""Seconds that a process has to put things away after Ctrl-C."""

Mode = Literal["eval", "train", "as is"]
Weights = Transfer | WeightMap | Mapping[str, Any]
"""What is known of the weights: those that were moved, a map that is not whole, or the report of another process."""


@dataclass(frozen=True)
class Terms:
    """On what terms both sides run: the mode, the seed, with or without the backward pass, how far weights may be
    missing, and how they are aligned."""

    mode: Mode = "eval"
    seed: int = 0
    wishes: Wishes = field(default_factory=Wishes)
    rules_file: Path | None = None
    """Where the rules of the wishes stand, for other processes."""


@dataclass(frozen=True)
class Recorded:
    """A candidate that was recorded; `whole` is False where its weights could not all be placed, and then nothing was
    run."""

    weights: Weights
    whole: bool


class Side(Protocol):
    """One of the two nets."""

    name: str
    framework: str
    """"" where another process knows it."""
    brings_its_own: bool
    """Does it choose its mode, seed and weights itself, as scripts do?"""

    def record(self, samples: Samples | None, out: Path, terms: Terms, progress: Progress | None) -> None:
        """Record it as it is, at `out`."""

    def record_like(
        self, reference: Path, samples: Samples | None, out: Path, terms: Terms, progress: Progress | None
    ) -> Recorded:
        """Record it from the starting point of another trace."""


class LiveSide:
    """A net in this process."""

    brings_its_own = False

    def __init__(self, net: Any, word: str) -> None:
        try:
            self._net, self._watcher = net, watcher_for(net)
        except RecordingError as error:
            raise RecordingError(f"the {word}: {error.what}", where=error.where, then=error.then) from error
        self.framework = self._watcher.name
        self.name = f"{self._watcher.name} {type(net).__name__}"
        self._word = word
        self._weights: WeightMap | None = None

    def record(self, samples: Samples | None, out: Path, terms: Terms, progress: Progress | None) -> None:
        """In the mode that is asked for; the net's own modes come back."""
        assert samples is not None
        samples = samples.copied()
        modes = self._watcher.modes(self._net)
        try:
            if terms.mode != "as is":
                set_mode(self._watcher, self._net, training=terms.mode == "train")
            with fixed(terms.seed), said_who(f"the {self._word}", out):
                run_and_record(
                    self._net,
                    samples.args,
                    dict(samples.kwargs),
                    out,
                    Options(),
                    backward=terms.wishes.backward,
                    progress=progress,
                )
        finally:
            self._watcher.set_modes(self._net, modes)

    def record_like(
        self, reference: Path, samples: Samples | None, out: Path, terms: Terms, progress: Progress | None
    ) -> Recorded:
        """After a rehearsal; where weights have no place nothing more is run."""
        assert samples is not None
        wishes = replace(terms.wishes, samples=samples, weights=self._weights or terms.wishes.weights)
        with Trace(reference) as trace, fixed(terms.seed), said_who(f"the {self._word}", out):
            try:
                transfer = record_like(self._net, trace, out, Options(), wishes, progress=progress)
            except UnplacedWeights as error:
                return Recorded(error.weights, whole=False)
        self._weights = transfer.weights
        return Recorded(transfer, whole=True)


class ProcessSide:
    """A target, recorded by `tracer record` in a process of its own; a script is run as it is."""

    def __init__(self, target: Target, word: str) -> None:
        self._target, self._word = target, word
        self.name = target.text
        self.framework = ""
        self.brings_its_own = target.is_script

    def record(self, samples: Samples | None, out: Path, terms: Terms, progress: Progress | None) -> None:
        """Wait for the process."""
        self._run(samples, out, terms, progress, {})

    def record_like(
        self, reference: Path, samples: Samples | None, out: Path, terms: Terms, progress: Progress | None
    ) -> Recorded:
        """Wait for the process, and read what it says of the weights."""
        if self._target.is_script:
            self._run(samples, out, terms, progress, {"TRACER_LIKE": str(reference)})
            return Recorded({}, whole=True)
        told = out.with_suffix(".weights.json")
        arguments = ["--like", str(reference), "--weights", str(told)]
        wishes = terms.wishes
        arguments += [flag for flag, given in (("--partial", wishes.partial), ("--cast", wishes.cast)) if given]
        arguments += [part for a, b in wishes.pins for part in ("--pin", f"{a}={b}")]
        arguments += ["--rules", str(terms.rules_file)] if terms.rules_file is not None else []
        told.unlink(missing_ok=True)
        try:
            self._run(samples, out, terms, progress, {}, arguments)
            return Recorded(_read(told) or {}, whole=True)
        except StartingPointError:
            weights = _read(told)
            if weights is not None and not weights.get("whole", True):
                return Recorded(weights, whole=False)
            raise
        finally:
            told.unlink(missing_ok=True)

    def _run(
        self,
        samples: Samples | None,
        out: Path,
        terms: Terms,
        progress: Progress | None,
        more: Mapping[str, str],
        arguments: list[str] | None = None,
    ) -> None:
        if progress is not None:
            progress(f"recording the {self._word}, {self.name}", 0, 0)
        environment = {**os.environ, "TRACER_OUT": str(out), **_found(os.environ), **more}
        if self._target.is_script:
            assert self._target.file is not None
            command = [sys.executable, str(self._target.file)]
        else:
            command = [sys.executable, "-m", "tracer", "record", self._target.text, "-o", str(out)]
            command += ["--mode", terms.mode.replace(" ", "-"), "--seed", str(terms.seed)]
            command += [] if terms.wishes.backward else ["--no-backward"]
            command += arguments or []
            environment["COLUMNS"] = "1000"  # its errors in one line
        before = _stamp(out)
        with _as_file(samples, out) as file:
            if file is not None:
                command += [] if self._target.is_script else ["--input", str(file)]
                environment["TRACER_SAMPLES"] = str(file)
            done = _ran(command, environment)
        if done.returncode or _stamp(out) == before:
            raise self._failed(done)

    def _failed(self, done: subprocess.CompletedProcess[str]) -> StartingPointError:
        """What the process said in its own three beats, else its last words."""
        beats = _beats(done.stderr)
        if beats is not None:
            own = beats[0].removeprefix("the net raised")
            what = f"the {self._word}: {own}" if own == beats[0] else f"the {self._word} raised{own}"
            return StartingPointError(what, where=beats[1] or self.name, then=beats[2])
        last = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()][-1:]
        if not done.returncode:
            what = f"the {self._word} ran, but recorded nothing to the file that $TRACER_OUT names"
            then = 'record in it with tracer.record(net, inputs, out=os.environ["TRACER_OUT"])'
            return StartingPointError(what, where=self.name, then=then)
        what = f"the {self._word} could not be recorded ({_ended(done.returncode)})"
        what += f": {last[0][:300]}" if last else ""
        return StartingPointError(what, where=self.name, then="run it by itself, and mend what it says")


@contextlib.contextmanager
def said_who(who: str, out: Path) -> Iterator[None]:
    """What a net raises stays what it is; a note says whose it was, and in which layer."""
    try:
        yield
    except TracerError:
        raise
    except Exception as error:
        add_note(error, f"{who} raised{_in_layer(error, out)}")
        raise


def _in_layer(error: Exception, out: Path) -> str:
    """Where the trace of a run that was cut says it was; "" where the file there is another run's."""
    try:
        with Trace(out) as trace:
            stopped = trace.skeleton.end.stopped or ""
    except (TracerError, OSError):
        return ""
    place, _, words = stopped.partition(": ")
    mine = words and error_line(error).startswith(words.splitlines()[0][:200])
    return f" in {place}" if mine and place != "outside the net" else ""


def _found(environment: Mapping[str, str]) -> dict[str, str]:
    """Where the other process finds this package, should it lie in a source tree."""
    folder = str(Path(__file__).parents[2])
    if Path(folder).name in {"site-packages", "dist-packages"}:
        return {}
    return {"PYTHONPATH": os.pathsep.join(filter(None, (environment.get("PYTHONPATH"), folder)))}


def _stamp(file: Path) -> tuple[int, int] | None:
    """What tells a new file from an old one in its place."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _ran(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """A program run to its end; whatever interrupts the wait ends it too, and all that it started."""
    with subprocess.Popen(  # noqa: S603  (the user's own program, or this one)
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=environment,
        start_new_session=True,  # Ctrl-C comes to it once, from here
    ) as process:
        try:
            out, err = process.communicate()
        except BaseException:
            _end(process)
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def _end(process: subprocess.Popen[str]) -> None:
    """First as Ctrl-C does, so that it puts things away, then by force."""
    for sign in (signal.SIGINT, getattr(signal, "SIGKILL", signal.SIGTERM)):
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, sign)
            else:
                process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_PATIENCE)
            return


def _ended(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return f"ended by {signal.Signals(-code).name}"
    return f"ended by signal {-code}"


def _beats(text: str) -> tuple[str, str, str] | None:
    """An error of tracer as it stands at the end of a process's standard error."""
    at = text.rfind("error: ")
    if at < 0:
        return None
    found: dict[str, list[str]] = {"error": [], "where": [], "next": []}
    word = "error"
    for line in text[at:].splitlines():
        beat = line.strip()
        label, _, rest = beat.partition(":")
        word, beat = (label, rest.strip()) if label in found else (word, beat)
        found[word].append(beat)
    if not found["next"] and not found["where"]:
        return None
    what, where, then = (" ".join(found[label]).strip() for label in ("error", "where", "next"))
    return what, where, then


def _read(file: Path) -> dict[str, Any] | None:
    try:
        loaded = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return loaded if isinstance(loaded, dict) else None


@contextlib.contextmanager
def _as_file(samples: Samples | None, out: Path) -> Iterator[Path | None]:
    """The samples as a file that the other process reads."""
    if samples is None:
        yield None
        return
    file = out.with_suffix(".samples.npz")
    write_samples(dict(samples.kwargs) if samples.kwargs and not samples.args else _whole(samples), file)
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)


def _whole(samples: Samples) -> tuple[Any, ...]:
    if samples.kwargs:
        raise StartingPointError(
            "samples of positional and keyword arguments cannot go to another process",
            where=f"{len(samples.args)} positional, and {', '.join(samples.kwargs)}",
            then="name all of them: inputs={'x': ..., 'mask': ...}",
        )
    return samples.args
