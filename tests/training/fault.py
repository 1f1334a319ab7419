"""Slips of training: how a port's net or loop is spoiled, and what a right verdict says of it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.training.recipe import SGD, Recipe
from tests.twins.fault import ROOT, Edit

__all__ = ["ROOT", "Edit", "Fault"]

PHASES = ("start", "forward", "loss", "backward", "gradients", "update")


@dataclass(frozen=True)
class Fault:
    """A slip planted in one trained twin, and the right verdict.

    How it is planted: `net` and `loop` are edits of the candidate's net and training loop, `reference_net` and
    `reference_loop` of the reference's; `unloaded` candidate parameters (paths that begin so) keep what the framework
    gave them.

    What is right: the verdict, and of the first origin its phase, step, place, the reference's path (the layer's or
    the parameter's; None does not ask) and words that stand in the origin, in small letters. `steps` are all the
    steps that are right, where the settings differ before the numbers do, and `or_phase` is another phase that is as
    right. `why` says in a line why this is the right answer.
    """

    name: str
    twin: str
    why: str
    recipe: Recipe = SGD
    net: tuple[Edit, ...] = ()
    loop: tuple[Edit, ...] = ()
    reference_net: tuple[Edit, ...] = ()
    reference_loop: tuple[Edit, ...] = ()
    unloaded: tuple[str, ...] = ()
    verdict: str = "diverged"
    phase: str = "forward"
    or_phase: str | None = None
    steps: tuple[int, ...] = (0,)
    place: str | None = None
    path: str | None = None
    words: tuple[str, ...] = ()

    @property
    def spoils_reference(self) -> bool:
        """Is the reference another one than the clean one?"""
        return bool(self.reference_net or self.reference_loop)
