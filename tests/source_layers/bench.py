"""Runs calls in both frameworks and says whether they are equal."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from tests.source_layers import torch_side
from tests.source_layers.case import Calls
from tests.source_layers.piped import Piped
from tests.source_layers.running import mapped

State = Literal["equal", "unequal", "no_kernel", "raises"]


class Worker(Piped[tuple[object, ...], dict[str, object]]):
    """A process that runs MindSpore calls; use it in a `with` statement."""

    def __init__(self) -> None:
        super().__init__("tests.source_layers.worker", threads=2)

    def __enter__(self) -> Worker:
        return self


@dataclass(frozen=True)
class Outcome:
    """What came of one call."""

    state: State
    why: str = ""


_NO_KERNEL = (
    "unregistered",
    "kernelmod",
    "unsupported op",
    "not support",
    "unsupported",
    "can not find",
    "cannot find",
    "no kernel",
    "does not exist",
    "not found op",
    "not implement",
)


def judged(row: Calls, expected: dict[str, np.ndarray], answer: dict[str, object]) -> Outcome:
    """Held side by side."""
    if "error" in answer:
        why = str(answer["error"])
        missing = answer["stage"] == "run" and any(w in why.lower() for w in _NO_KERNEL)
        return Outcome("no_kernel" if missing else "raises", why)
    notes = []
    if "names" in answer:
        notes.append(str(answer["names"]))
    for key, want in expected.items():
        if key.startswith("weight:") or (row.random and not key.startswith(("eval", "train"))):
            continue
        got = answer.get(key)
        if key.startswith("spread:"):
            if got is not None and want > 0 and not 0.3 < got / want < 3:
                notes.append(
                    f"{key.removeprefix('spread:')} starts from a spread of {float(got):.3f} for {float(want):.3f}"
                )
            continue
        if got is None:
            if key.startswith(("grad", "gradient")) and ("gradient_error" in answer or not np.any(want)):
                continue
            notes.append(f"{key} is missing")
        elif row.random and key.startswith("train") or row.drawn:
            notes += [f"{key}: {note}" for note in _drawn_unlike(want, got, row.drawn)]
        elif note := _unlike(want, got, row.loose * (10 if key.startswith("grad") else 1)):
            notes.append(f"{key}: {note}")
    further = [key for key in answer if key.startswith("eval.") and key not in expected]
    if further:
        notes.append(f"more outputs: {further}")
    if notes:
        return Outcome("unequal", "; ".join(notes))
    return Outcome("equal", str(answer.get("gradient_error", "")))


def _unlike(want: np.ndarray, got: np.ndarray, loose: float) -> str:
    if want.shape != got.shape and want.size != got.size:
        return f"shape {got.shape} for {want.shape}"
    if want.shape != got.shape and {*want.shape, 1} != {*got.shape, 1}:
        return f"shape {got.shape} for {want.shape}"
    got = got.reshape(want.shape)
    if want.dtype.kind == "f":
        if not np.array_equal(np.isfinite(want), np.isfinite(got)):
            return "not finite elsewhere"
        finite = np.isfinite(want)
        want, got = want[finite].astype("float64"), got[finite].astype("float64")
        distance = np.linalg.norm(want - got) / max(np.linalg.norm(want), 1e-6)
        return f"{distance:.1e}" if distance > loose else ""
    return "" if np.array_equal(want, got) else "other whole numbers"


def _drawn_unlike(want: np.ndarray, got: np.ndarray, drawn: bool) -> list[str]:
    if want.shape != got.shape:
        return [f"shape {got.shape} for {want.shape}"]
    notes = []
    if drawn:
        return []
    for word, measure in (
        ("share of zeros", lambda a: float((a == 0).mean())),
        ("mean", lambda a: float(a.mean())),
        ("spread", lambda a: float(a.std())),
    ):
        if abs(measure(want) - measure(got)) > 0.05 * max(1.0, abs(measure(want))):
            notes.append(f"{word} {measure(got):.3f} for {measure(want):.3f}")
    return notes


def tried(worker: Worker, row: Calls, expected: dict[str, np.ndarray], other: str) -> Outcome:
    """What torch made of a call beside `other` in MindSpore."""
    weights = {key.removeprefix("weight:"): array for key, array in expected.items() if key.startswith("weight:")}
    inputs = mapped(row.inputs, _narrow) if row.narrow else row.inputs
    return judged(row, expected, worker.ask((other, inputs, dict(row.named), weights, row.loss)))


def _narrow(array: np.ndarray) -> np.ndarray:
    return array.astype("int32") if array.dtype == "int64" else array
