"""What the code of a function says of its names by the way it uses them: read off its syntax, before it is walked."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tracer.source.guesses import other_than_tensors
from tracer.source.seen import MOVING, Seen, seen_in
from tracer.source.values import LAYER, LIKELY, TENSOR, UNKNOWN, Bundle, Made, Value, bundled, one
from tracer.source.words import words

OPTIMIZER = one(Made("torch.optim.Optimizer"), sure=False)
SCHEDULER = one(Made("torch.optim.lr_scheduler.LRScheduler"), sure=False)
GUESSED_TENSOR = TENSOR.unsure()

OF_NETS = words("train eval parameters named_parameters state_dict load_state_dict to cuda modules children zero_grad")
"""Of what is called too, one of these is enough to make it a layer."""
OF_NETS_ALONE = words("parameters named_parameters modules named_modules children named_children")
"""Of what is not called, one of these and another."""
OF_SCHEDULERS = words("step state_dict load_state_dict get_last_lr get_lr last_epoch base_lrs")


@dataclass
class Evidence:
    """What is concluded.

    Attributes:
        roles: what names most likely stand for, where nothing else is known of them; the walk learns more.
        mixed: names that are used as no tensor is, or as a list or dict may be.
        moved: names that are brought to a device and are no list or dict: tensors, if a net is handed them.
        measured: names whose shape is unpacked; with a method that only tensors have it is one.
    """

    roles: dict[str, Value] = field(default_factory=dict)
    mixed: frozenset[str] = frozenset()
    moved: frozenset[str] = frozenset()
    measured: frozenset[str] = frozenset()

    def settled(self, name: str, value: Value) -> Value:
        """What a name stands for that is bound to a value: the value, or what its uses say where that is not known."""
        if (not value.things and not value.sure) or value == LIKELY:
            return self.roles.get(name, value)
        before = bundled(value)
        if len(before.things) == 1 and isinstance(before.things[0], Bundle):
            if other_than_tensors(name):
                return UNKNOWN
            return before if name in self.mixed else one(Made("torch.Tensor", before), sure=False)
        return value


def evidence(
    body: Sequence[ast.stmt], parameters: Sequence[str], has: Callable[[str], bool], own: set[str]
) -> Evidence:
    """What the code of a function, or of a module without its functions, says of the names in it.

    Args:
        body: its statements.
        parameters: the names of its parameters.
        has: does a tensor have an attribute of this name?
        own: names of the methods of the tree's own classes, whose objects may stand under any name.
    """
    seen = seen_in(body, parameters)
    odd = {name for name, how in seen.items() if how.several or not all(map(has, how.asked))}
    mixed = frozenset(name for name, how in seen.items() if name in odd or how.picked)
    alone = {name for name, how in seen.items() if name not in odd and how.origins <= 1 and not how.called}
    moved = frozenset(name for name in alone if seen[name].methods & MOVING)
    roles = {name: role for name, how in seen.items() for role in (_role(name, how, own),) if role is not None}
    nets = {name for name, role in roles.items() if role is LAYER}
    for name, how in seen.items():
        if name in roles or name in odd or how.called:
            continue
        to_net = any(of in nets or (number > 1 and of_loss(of)) for of, number in how.handed)
        if (name in moved and to_net) or (how.back and ("backward" not in own or "loss" in name.lower())):
            roles[name] = GUESSED_TENSOR
    measured = frozenset(name for name in alone if seen[name].measured)
    return Evidence(dict(roles), mixed, moved, measured)


def evidence_of_attributes(node: ast.ClassDef, own: set[str]) -> dict[str, Value]:
    """What attributes of `self` most likely are by the way in which the methods of a class use them: nets, optimizers.

    Args:
        node: the class.
        own: names of the methods of the tree's own classes.
    """
    methods = [part for part in node.body if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef))]
    seen = seen_in([statement for part in methods for statement in part.body], ())
    found = {name: _role(name, how, own) for name, how in seen.items() if name.startswith("self.")}
    return {name.removeprefix("self."): role for name, role in found.items() if role is not None}


def _role(name: str, how: Seen, own: set[str]) -> Value | None:
    if how.called:
        return LAYER if how.methods & OF_NETS and not how.several else None
    if how.several or "backward" in how.asked:
        return None
    if how.methods & OF_NETS_ALONE and len(how.methods & (OF_NETS | OF_NETS_ALONE)) > 1:
        return LAYER
    low = name.lower()
    steps = how.methods & {"step", "zero_grad"}
    if (
        steps
        and "zero_grad" not in own
        and (len(steps) > 1 or "optim" in low or "param_groups" in how.asked)
        and "sched" not in low
    ):
        return OPTIMIZER
    if "sched" in low and "step" in how.methods and "step" not in own and how.asked <= OF_SCHEDULERS:
        return SCHEDULER
    return None


def of_loss(name: str) -> bool:
    """Is it what a loss function is called?"""
    low = name.lower()
    return "loss" in low or "criteri" in low
