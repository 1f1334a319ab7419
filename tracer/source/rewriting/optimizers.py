"""The optimizers of torch.optim: a row each, as in `layers.py`.

They become those of mindspore.experimental.optim: these update every parameter alike (mindspore.nn's leave what is
called gamma or beta out of the weight decay), and the schedulers go with them. mindspore.mint.optim changes nothing on
CPU.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from tracer.source.rewriting.binding import Bound
from tracer.source.rewriting.conversions import as_float
from tracer.source.rewriting.rules import Argument, Rule, constant, to
from tracer.source.rewriting.schedulers import SCHEDULERS
from tracer.source.rewriting.writing import Value, literal_number, with_pieces

ROOM = "mindspore.experimental.optim"
_HOW = ("foreach", "fused", "capturable", "differentiable")
"""How torch computes an update, and not what."""

_EPS = "mindspore.experimental.optim.Adam adds eps before the bias is corrected: AdamW adds it after, as torch does"
_SMALL = "MindSpore adds eps before the bias is corrected, which shows where gradients are as small as 1e-5."
_IN_MINT = "mindspore.mint.optim changes no parameter on CPU: use mindspore.experimental.optim."


def trainable(value: Value) -> str:
    """Parameters to update: wherever a net's are listed, those that are trained."""
    listed = {node: _trained(node) for node in ast.walk(value.node) if _lists_all(node)}
    if not listed:
        return value.text
    if len(listed) == 1 and value.node in listed and isinstance(value.node, ast.Call):
        return f"{value.text.rpartition('.')[0]}.trainable_params()"
    return ast.unparse(with_pieces(value.node, listed))


def _lists_all(node: ast.AST) -> bool:
    """Is it `net.parameters()`, as it stands or rewritten?"""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("parameters", "get_parameters")
        and not node.args
        and not node.keywords
    )


def _trained(node: ast.AST) -> ast.expr:
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Attribute)
    return ast.Call(ast.Attribute(node.func.value, "trainable_params", ast.Load()), [], [])


PARAMETERS = to("params", convert=trainable, form=True, loud=True)


def _optimizer(
    name: str, *arguments: Argument | str, mindspore: str = "", when: Callable[[Bound], bool] | None = None, **more: str
) -> Rule:
    return Rule(
        f"torch.optim.{name}",
        f"{ROOM}.{mindspore or name}",
        arguments=(PARAMETERS, *arguments),
        drops=_HOW,
        when=when,
        advice=more.get("advice", ""),
    )


def _decays(call: Bound) -> bool:
    """Is there, or may there be, a weight decay?"""
    return call.literal("weight_decay") != 0


def _is_small(call: Bound) -> bool:
    """Is eps as small as torch's default, as far as the source says?"""
    exact = literal_number(call.text("eps"))
    return exact is not None and exact <= literal_number("1e-8")  # type: ignore[operator]


def _decouples(call: Bound) -> bool:
    return call.has("decoupled_weight_decay") and call.literal("decoupled_weight_decay") is not False


def _in_groups(call: Bound) -> bool:
    """May a group of parameters have settings of its own?"""
    given = call.value("params")
    return given is not None and (
        any(isinstance(node, ast.Dict) for node in ast.walk(given.node)) or isinstance(given.node, ast.Name)
    )


_ADAM = ("lr", "betas", "eps", "weight_decay")
_ADAM_REST: tuple[Argument | str, ...] = ("amsgrad", to("maximize", keyword=True))

ADAM: tuple[Rule, ...] = (
    Rule(
        "torch.optim.Adam",
        f"{ROOM}.AdamW",
        arguments=(PARAMETERS, *_ADAM, *_ADAM_REST),
        drops=(*_HOW, "decoupled_weight_decay"),
        when=lambda call: call.literal("decoupled_weight_decay") is True and call.has("weight_decay"),
        differences=("Adam with decoupled weight decay is AdamW",),
        silent=False,
    ),
    Rule("torch.optim.Adam", f"{ROOM}.Adam", when=_decouples, by_hand="With a decoupled weight decay it is AdamW."),
    Rule(
        "torch.optim.Adam",
        f"{ROOM}.AdamW",
        arguments=(PARAMETERS, "lr", "betas", "eps", constant("weight_decay", "0.0", _EPS), *_ADAM_REST),
        drops=(*_HOW, "decoupled_weight_decay", "weight_decay"),
        when=lambda call: not _is_small(call) and not _decays(call) and not _in_groups(call),
        silent=True,
    ),
    Rule(
        "torch.optim.Adam",
        f"{ROOM}.Adam",
        when=lambda call: not _is_small(call),
        by_hand="MindSpore adds eps before the bias is corrected: only a small eps (1e-8) is the same; without weight "
        "decay write AdamW with weight_decay=0.0.",
    ),
    Rule(
        "torch.optim.Adam",
        f"{ROOM}.Adam",
        arguments=(PARAMETERS, *_ADAM, *_ADAM_REST),
        drops=(*_HOW, "decoupled_weight_decay"),
        advice=_SMALL,
    ),
    Rule("torch.optim.Adam", mint="mindspore.mint.optim.Adam", by_hand=_IN_MINT),
)

OPTIMIZERS: tuple[Rule, ...] = (
    _optimizer(
        "SGD",
        to("lr", always=True, loud=True, why="lr must be given in MindSpore: torch's default is 0.001"),
        "momentum",
        "dampening",
        "weight_decay",
        "nesterov",
        to("maximize", keyword=True),
    ),
    Rule("torch.optim.SGD", mint="mindspore.mint.optim.SGD", by_hand=_IN_MINT),
    *ADAM,
    _optimizer("AdamW", *_ADAM, *_ADAM_REST),
    Rule("torch.optim.AdamW", mint="mindspore.mint.optim.AdamW", by_hand=_IN_MINT),
    _optimizer("Adamax", *_ADAM, to("maximize", keyword=True)),
    _optimizer("NAdam", *_ADAM, "momentum_decay"),
    _optimizer("RAdam", *_ADAM),
    _optimizer("Adadelta", "lr", "rho", "eps", "weight_decay", to("maximize", keyword=True)),
    _optimizer(
        "Adagrad", "lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps", to("maximize", keyword=True)
    ),
    _optimizer("RMSprop", "lr", "alpha", "eps", "weight_decay", "momentum", "centered", to("maximize", keyword=True)),
    _optimizer("Rprop", "lr", "etas", "step_sizes", to("maximize", keyword=True)),
    _optimizer(
        "ASGD",
        "lr",
        "lambd",
        "alpha",
        to("t0", convert=as_float, loud=True),
        "weight_decay",
        to("maximize", keyword=True),
    ),
    Rule(
        "torch.optim.SparseAdam",
        by_hand="The gradients of an embedding are not sparse in MindSpore: write mindspore.experimental.optim.Adam.",
    ),
    *SCHEDULERS,
)
