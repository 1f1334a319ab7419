"""The nets that are trained on both sides, what they are trained on, and which of their parameters say nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from tests.training.recipe import Recipe
from tests.twins.fault import Edit
from tests.twins.twin import TWINS, Twin, none_for, normal

Batch = tuple[np.ndarray, np.ndarray]
STEPS = 5


@dataclass(frozen=True)
class Trained:
    """A twin that is trained.

    `batch` makes inputs and labels from a number, `classes` is the size of the last axis of the logits. `evened` are
    edits of both nets' files that take out what chance decides (dropout) and what costs time. `free` are parameters, and the part of them,
    that say nothing: their gradient is zero in theory and rounding in practice, as that of a key's bias under softmax or
    a bias before BatchNorm, or they only repeat such a one, as the moving mean behind that bias does.
    """

    twin: Twin
    batch: Callable[[int], Batch]
    classes: int
    evened: tuple[tuple[Edit, ...], tuple[Edit, ...]] = ((), ())
    free: Mapping[str, slice] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The twin's."""
        return self.twin.name

    def steps(self, recipe: Recipe, count: int = STEPS) -> list[list[Batch]]:
        """What is trained on, step by step, micro-batch by micro-batch: the same wherever it is asked for."""
        size = recipe.micro_batches
        return [[self.batch(step * size + part) for part in range(size)] for step in range(count)]


def _classes(shape: tuple[int, ...], classes: int, seed: int) -> Batch:
    rng = np.random.default_rng(1000 + seed)
    return rng.standard_normal(shape).astype(np.float32), rng.integers(0, classes, shape[0])


def _next_tokens(seed: int) -> Batch:
    """Rows of tokens, and each row's next ones. Token 0 is the padding at the end of the second row."""
    rng = np.random.default_rng(2000 + seed)
    rows = rng.integers(1, 50, (4, 11))
    rows[1, 7:] = 0
    return rows[:, :-1].copy(), rows[:, 1:].copy()


def _tags(seed: int) -> Batch:
    rng = np.random.default_rng(3000 + seed)
    rows, tags = rng.integers(1, 40, (4, 6)), rng.integers(1, 6, (4, 6))
    rows[1, 4:] = tags[1, 4:] = 0
    return rows, tags


_ALL = slice(None)
_WHERE_KEYS_ARE = slice(32, 64)

_SHALLOW = Edit("depth=3", "depth=2")
_EVENED_VIT = (
    (_SHALLOW, Edit("nn.Dropout(0.1)", "nn.Dropout(0.0)")),
    (_SHALLOW, Edit("nn.Dropout(p=0.1)", "nn.Dropout(p=0.0)")),
)

TRAINED: Mapping[str, Trained] = {
    trained.name: trained
    for trained in (
        Trained(
            Twin("mlp", "mlp_torch:Mlp", "mlp_mindspore:Mlp", partial(normal, 4, 16)),
            partial(_classes, (8, 16), 8),
            8,
        ),
        Trained(
            TWINS["cnn_training"],
            partial(_classes, (4, 3, 16, 16), 10),
            10,
            free={"conv1.bias": _ALL, "bn1.running_mean": _ALL},
        ),
        Trained(
            TWINS["vit"],
            partial(_classes, (4, 3, 16, 16), 10),
            10,
            evened=_EVENED_VIT,
            free={f"blocks.{n}.attn.k.bias": _ALL for n in range(2)},
        ),
        Trained(
            Twin("gpt", "gpt_torch:Gpt", "gpt_mindspore:Gpt", TWINS["gpt"].inputs, layer=none_for("transformer")),
            _next_tokens,
            50,
            free={f"transformer.h.{n}.attn.c_attn.bias": _WHERE_KEYS_ARE for n in range(2)},
        ),
        Trained(TWINS["lstm"], _tags, 6),
    )
}
"""By name: mlp, cnn_training, vit, gpt, lstm."""
