"""How both sides train: what a user would put into a config file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Recipe:
    """One way to train, the same for both frameworks.

    `optimizer` is sgd, momentum, nesterov, adam, adamw or rmsprop. `decay_groups` spares norms and biases the weight
    decay. `clip` is the global norm, `micro_batches` how many are accumulated, `scale` what torch's GradScaler
    multiplies the loss with and `candidate_scale` what MindSpore's scaler does; `dynamic` takes the one that adapts.
    `schedule` halves the rate every other step. `reference_loop` and `candidate_loop` are how the step is written.
    """

    name: str
    optimizer: str = "sgd"
    rate: float = 0.05
    decay: float = 0.0
    eps: float = 1e-8
    decay_groups: bool = False
    clip: float | None = None
    micro_batches: int = 1
    scale: float | None = None
    candidate_scale: float | None = None
    dynamic: bool = False
    schedule: bool = False
    smoothing: float = 0.0
    class_weights: bool = False
    ignored: int = -100
    loss_layer: bool = False
    reference_loop: Literal["plain", "closure"] = "plain"
    candidate_loop: Literal["value_and_grad", "train_one_step", "model_train"] = "value_and_grad"


_ADAM = 1e-3

SGD = Recipe("sgd")
MOMENTUM = Recipe("momentum", "momentum")
NESTEROV = Recipe("nesterov", "nesterov")
ADAM = Recipe("adam", "adam", _ADAM)
ADAMW = Recipe("adamw", "adamw", _ADAM, decay=0.1)
RMSPROP = Recipe("rmsprop", "rmsprop", _ADAM)

OPTIMIZERS = (SGD, MOMENTUM, ADAM, ADAMW)
"""For every net."""

CLIPPED = Recipe("clipped", "momentum", clip=0.5)
ACCUMULATED = Recipe("accumulated", "momentum", micro_batches=3)
SCALED = Recipe("scaled", "sgd", scale=1024.0, candidate_scale=1024.0)
SCALED_OTHERWISE = Recipe("scaled_otherwise", "adamw", _ADAM, decay=0.1, scale=1024.0, candidate_scale=128.0)
SCALED_DYNAMICALLY = Recipe("scaled_dynamically", "momentum", scale=256.0, candidate_scale=256.0, dynamic=True)
ALL_AT_ONCE = Recipe(
    "all_at_once",
    "adamw",
    _ADAM,
    decay=0.1,
    decay_groups=True,
    clip=0.5,
    micro_batches=2,
    scale=1024.0,
    candidate_scale=128.0,
    schedule=True,
    smoothing=0.1,
)
SCHEDULED = Recipe("scheduled", "momentum", schedule=True)
GROUPED = Recipe("grouped", "adamw", _ADAM, decay=0.1, decay_groups=True)
DECAYED = Recipe("decayed", "momentum", decay=0.1)
SMOOTHED = Recipe("smoothed", "sgd", smoothing=0.1)
WEIGHTED = Recipe("weighted", "sgd", class_weights=True)
IGNORING = Recipe("ignoring", "sgd", ignored=0)
LOSS_LAYER = Recipe("loss_layer", "momentum", loss_layer=True)
CLOSURE = Recipe("closure", "momentum", reference_loop="closure")
ONE_STEP = Recipe("one_step", "momentum", candidate_loop="train_one_step")
ONE_STEP_ADAM = Recipe("one_step_adam", "adam", _ADAM, candidate_loop="train_one_step")
MODEL_TRAIN = Recipe("model_train", "momentum", candidate_loop="model_train")

OPTIONS = (
    NESTEROV,
    RMSPROP,
    CLIPPED,
    ACCUMULATED,
    SCALED,
    SCALED_OTHERWISE,
    SCALED_DYNAMICALLY,
    ALL_AT_ONCE,
    SCHEDULED,
    GROUPED,
    DECAYED,
    SMOOTHED,
    WEIGHTED,
    IGNORING,
    LOSS_LAYER,
    CLOSURE,
    ONE_STEP,
    ONE_STEP_ADAM,
    MODEL_TRAIN,
)
"""For some nets."""

RECIPES = {recipe.name: recipe for recipe in (*OPTIMIZERS, *OPTIONS)}
