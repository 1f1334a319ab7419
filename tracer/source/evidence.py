"""What the code of a function says of its names by the way it uses them: read off its syntax, before it is walked."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tracer.source.guesses import other_than_tensors
from tracer.source.values import LAYER, LIKELY, TENSOR, UNKNOWN, Bundle, Made, Value, bundled, one
from tracer.source.words import words

OPTIMIZER = one(Made("torch.optim.Optimizer"), sure=False)
SCHEDULER = one(Made("torch.optim.lr_scheduler.LRScheduler"), sure=False)
GUESSED_TENSOR = TENSOR.unsure()

OF_NETS = words("train eval parameters named_parameters state_dict load_state_dict to cuda modules children zero_grad")
"""Of what is called too, one of these is enough to make it a layer."""
OF_NETS_ALONE = words("parameters named_parameters modules named_modules children named_children")
"""Of what is not called, one of these and another."""
MOVING = words("to cuda")
OF_SCHEDULERS = words("step state_dict load_state_dict get_last_lr get_lr last_epoch base_lrs")
LOOKED_INTO = words("zip enumerate list tuple dict isinstance sorted reversed iter next")
"""Builtins that are asked of what may be no tensor."""
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass
class Seen:
    """How one name is used.

    Attributes:
        asked: its attributes that stand in the code.
        methods: those that are called.
        called: is it called itself?
        several: is it looped over, unpacked, or has it keys?
        picked: is one item of it taken?
        origins: how often it is bound, not counting `x = x.to(device)`.
        measured: are the numbers of its shape unpacked?
        back: is `backward` asked of it, or of what a scaler makes of it?
        handed: the names of what it is handed to, with how many arguments.
    """

    asked: set[str] = field(default_factory=set)
    methods: set[str] = field(default_factory=set)
    called: bool = False
    several: bool = False
    picked: bool = False
    origins: int = 0
    measured: bool = False
    back: bool = False
    handed: list[tuple[str, int]] = field(default_factory=list)


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
    seen: dict[str, Seen] = {}
    for name in parameters:
        _of(seen, name).origins += 1
    for part in _parts(body):
        _note(seen, part)
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


def _of(seen: dict[str, Seen], name: str) -> Seen:
    return seen.setdefault(name, Seen())


def _parts(body: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    """All syntax in it but the bodies of functions and classes within."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        part = waiting.pop()
        if not isinstance(part, DEFINITIONS):
            yield part
            waiting += ast.iter_child_nodes(part)


def _note(seen: dict[str, Seen], part: ast.AST) -> None:
    handler = NOTES.get(type(part))
    if handler is not None:
        handler(seen, part)


def _several(seen: dict[str, Seen], node: ast.AST | None) -> None:
    if isinstance(node, ast.Name):
        _of(seen, node.id).several = True


def _attribute(seen: dict[str, Seen], part: ast.Attribute) -> None:
    if isinstance(part.value, ast.Name):
        _of(seen, part.value.id).asked.add(part.attr)


def _subscript(seen: dict[str, Seen], part: ast.Subscript) -> None:
    index = part.slice.operand if isinstance(part.slice, ast.UnaryOp) else part.slice
    if isinstance(index, ast.JoinedStr) or (isinstance(index, ast.Constant) and isinstance(index.value, str)):
        _several(seen, part.value)
    elif isinstance(part.value, ast.Name) and not isinstance(index, (ast.Slice, ast.Tuple, ast.Compare)):
        _of(seen, part.value.id).picked = True


def _call(seen: dict[str, Seen], part: ast.Call) -> None:
    func = part.func
    last = func.id if isinstance(func, ast.Name) else func.attr if isinstance(func, ast.Attribute) else ""
    given = [*part.args, *(keyword.value for keyword in part.keywords if keyword.arg)]
    if isinstance(func, ast.Name):
        _of(seen, func.id).called = True
    elif isinstance(func, ast.Attribute):
        if isinstance(func.value, ast.Name):
            _of(seen, func.value.id).methods.add(last)
        if last == "backward":
            inner = func.value
            if isinstance(inner, ast.Name) and not part.args:
                _of(seen, inner.id).back = True
            scaled = inner.args if isinstance(inner, ast.Call) else given
            for one_of in scaled[:1]:
                if isinstance(one_of, ast.Name) and "loss" in one_of.id.lower():
                    _of(seen, one_of.id).back = True
    for argument in given:
        if isinstance(argument, ast.Name):
            _of(seen, argument.id).handed.append((last, len(given)))
            if isinstance(func, ast.Name) and last in LOOKED_INTO:
                _several(seen, argument)
    for keyword in part.keywords:
        if keyword.arg is None:
            _several(seen, keyword.value)


def _assign(seen: dict[str, Seen], part: ast.Assign) -> None:
    for target in part.targets:
        if isinstance(target, (ast.Tuple, ast.List)):
            _several(seen, part.value)
            shape = part.value.func if isinstance(part.value, ast.Call) else part.value
            if isinstance(shape, ast.Attribute) and isinstance(shape.value, ast.Name):
                how = _of(seen, shape.value.id)
                how.measured |= shape.attr in ("shape", "size") and len(target.elts) > 1
        both = isinstance(target, (ast.Tuple, ast.List)) and isinstance(part.value, (ast.Tuple, ast.List))
        if both and len(target.elts) == len(part.value.elts):  # type: ignore[attr-defined]
            for one_of, value in zip(target.elts, part.value.elts, strict=True):  # type: ignore[attr-defined]
                _bound(seen, one_of, value)
        else:
            _bound(seen, target, part.value)


def _bound(seen: dict[str, Seen], target: ast.AST | None, value: ast.expr | None = None) -> None:
    if isinstance(target, ast.Name):
        while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
            value = value.func.value
        if not (isinstance(value, ast.Name) and value.id == target.id):
            _of(seen, target.id).origins += 1
    elif isinstance(target, (ast.Tuple, ast.List)):
        for part in target.elts:
            _bound(seen, part)
    elif isinstance(target, ast.Starred):
        _bound(seen, target.value)


def _looped(seen: dict[str, Seen], part: ast.For | ast.AsyncFor | ast.comprehension) -> None:
    _several(seen, part.iter)
    _bound(seen, part.target)


def _other_binding(seen: dict[str, Seen], part: ast.AnnAssign | ast.NamedExpr) -> None:
    _bound(seen, part.target, part.value)


def _starred(seen: dict[str, Seen], part: ast.Starred) -> None:
    _several(seen, part.value)


NOTES: dict[type[ast.AST], Callable[..., None]] = {
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.Call: _call,
    ast.Assign: _assign,
    ast.AnnAssign: _other_binding,
    ast.NamedExpr: _other_binding,
    ast.For: _looped,
    ast.AsyncFor: _looped,
    ast.comprehension: _looped,
    ast.Starred: _starred,
}
"""By the kind of syntax."""
