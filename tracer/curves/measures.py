"""What a curve is, by its name: "train/loss", "Loss/train" and "loss" are the loss."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

LOSS, GRADIENT_NORM, PARAMETER_NORM = "loss", "gradient_norm", "parameter_norm"
UPDATE_RATIO, UPDATE_NORM, LEARNING_RATE = "update_ratio", "update_norm", "learning_rate"

KNOWN = (LOSS, GRADIENT_NORM, PARAMETER_NORM, UPDATE_RATIO, UPDATE_NORM, LEARNING_RATE)
"""Measures that a verdict rests on, in the order in which they are shown."""

_OF_TRAINING = {"train", "training", "trainer", "step", "batch", "iter", "iteration", "mean", "optim", "metrics"}
"""Words that say no more than that it is the training's, step by step."""

_WORDS: dict[frozenset[str], str] = {
    frozenset(words.split()): measure
    for measure, several in {
        LOSS: ("loss",),
        GRADIENT_NORM: ("grad norm", "grads norm", "gradient norm", "gradients norm", "gradnorm", "global norm",
                        "grad global norm", "grad norm total", "grad l2", "grad norm global"),
        PARAMETER_NORM: ("param norm", "params norm", "parameter norm", "parameters norm", "weight norm",
                         "weights norm"),
        UPDATE_NORM: ("update norm", "updates norm"),
        UPDATE_RATIO: ("update ratio", "update param ratio", "update to param ratio", "update weight ratio"),
        LEARNING_RATE: ("lr", "learning rate"),
    }.items()
    for words in several
}  # fmt: skip

STEP_NAMES = ("global_step", "step", "steps", "iteration", "iter", "trainer/global_step", "it", "batch")
EPOCH_NAMES = ("epoch",)


def measure_of(name: str) -> str:
    """The measure that a name stands for; a name that is none of the known ones stands for itself."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
    words = frozenset(re.findall(r"[a-z]+\d*", split)) - _OF_TRAINING
    return _WORDS.get(words, name)


def assigned(names: Mapping[str, int], chosen: Mapping[str, str]) -> dict[str, str]:
    """The measure of each name. Where several names mean one, it is the one that is called so, else that with the most
    points; others keep their name.

    Args:
        names: how many points each has.
        chosen: names by measure, as the user insists.
    """
    found: dict[str, str] = {name: measure for measure, name in chosen.items() if name in names}
    taken = set(found.values())
    for name in sorted(names, key=lambda one: (one not in KNOWN, -names[one], len(one), one)):
        measure = measure_of(name)
        if name not in found:
            found[name] = measure if measure not in taken else name if name not in taken else f"{name} (other)"
            taken.add(found[name])
    return found


def in_order(measures: Iterable[str]) -> list[str]:
    """Known measures first."""
    return sorted(set(measures), key=lambda one: (KNOWN.index(one) if one in KNOWN else len(KNOWN), one))
