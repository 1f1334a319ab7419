"""One training: which twin, by which recipe, spoiled or not, watched or not, and what it left."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tests.training.recipe import Recipe
from tests.training.twin import STEPS

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Job:
    """A training that a test asks for; `fault` is the name of a fault, or nothing. `watched` says that the tracer
    records it."""

    twin: str
    recipe: Recipe
    fault: str = ""
    watched: bool = True
    count: int = STEPS

    @property
    def name(self) -> str:
        """The stem of the job's files."""
        plain = "" if self.watched else ".plain"
        return f"{self.twin}.{self.recipe.name}.{self.count}{'.' if self.fault else ''}{self.fault}{plain}"

    def trace(self, folder: Path, side: str) -> Path:
        """Where the trace of the side lies."""
        return folder / f"{self.name}.{side}.h5"

    def result(self, folder: Path, side: str) -> Path:
        """Where the losses and parameters lie."""
        return folder / f"{self.name}.{side}.npz"


@dataclass(frozen=True)
class Left:
    """What a training left: losses in order, and parameters by the reference's names."""

    losses: np.ndarray
    parameters: Arrays

    def save(self, file: Path) -> None:
        """Write it."""
        np.savez(file, losses=self.losses, **{f"parameter.{name}": array for name, array in self.parameters.items()})

    @staticmethod
    def load(file: Path) -> Left:
        """Read it again."""
        with np.load(file) as stored:
            names = [name for name in stored.files if name != "losses"]
            return Left(stored["losses"], {name.partition(".")[2]: stored[name] for name in names})


@dataclass
class Unwatched:
    """Stands where a recording stands, and only remembers the losses."""

    losses: list[float] = field(default_factory=list)

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        """A step of which nothing is recorded."""
        yield

    def loss(self, loss: Any) -> None:
        """Remember a loss: a tensor of either framework."""
        values = loss.detach().numpy() if hasattr(loss, "detach") else loss.asnumpy()
        self.losses.append(float(np.mean(values)))

    def callback(self) -> Any:
        """The same for MindSpore's own training loop."""
        from mindspore.train import Callback

        remember = self.loss

        class Remembering(Callback):  # type: ignore[misc]
            def on_train_step_end(self, run_context: Any) -> None:
                remember(run_context.original_args().net_outputs)

        return Remembering()
