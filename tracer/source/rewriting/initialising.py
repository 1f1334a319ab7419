"""torch.nn.init: the new numbers are drawn by MindSpore's initializers and written over the tensor; a row each."""

from __future__ import annotations

from tracer.source.rewriting.binding import Bound
from tracer.source.rewriting.in_place import tensor
from tracer.source.rewriting.rules import Rule, Written
from tracer.source.rewriting.writing import Value

_ROOM = "mindspore.common.initializer"
_OVER = "an initializer of MindSpore gives new numbers: copy_ writes them over the tensor"
_DRAWN = "MindSpore draws other numbers from the same seed"


def _drawn(name: str, own: str, takes: str, arguments: str, names: str = "") -> Rule:
    """A function whose MindSpore initializer is made of `arguments`: a name in braces is torch's argument.

    `names` are the initializer's own parameters: who changes the name alone makes an initializer and fills nothing.
    """

    def write(bound: Bound) -> Written:
        it = tensor(bound, "tensor")
        told = arguments.format(**{p.name: _plain(bound.value(p.name)) for p in bound.signature.parameters})
        made = f"{_ROOM}.initializer({_ROOM}.{own}({told}), {it}.shape, {it}.dtype).init_data()"
        known = names.split()
        by_name = [one for one in bound.given if one not in bound.positional]
        goes = len(bound.positional) <= len(known) and all(one in known[len(bound.positional) :] for one in by_name)
        return Written(f"{it}.copy_({made})", (_OVER,), silent=goes)

    return Rule(
        f"torch.nn.init.{name}", f"{_ROOM}.{own}", takes=f"tensor, {takes}".rstrip(", "), write=write, advice=_DRAWN
    )


def _plain(value: Value | None) -> str:
    return "None" if value is None else value.text


def _filled(name: str, takes: str, text: str) -> Rule:
    """A function whose numbers `text` gives: X is the tensor."""

    def write(bound: Bound) -> Written:
        it = tensor(bound, "tensor")
        new = text.format(**{p.name: _plain(bound.value(p.name)) for p in bound.signature.parameters})
        return Written(
            f"{it}.copy_({new.replace('X', it)})",
            ("copy_ writes the new numbers over the tensor",),
            len(bound.given) == 1,
        )

    return Rule(f"torch.nn.init.{name}", takes=f"tensor, {takes}".rstrip(", "), write=write)


_KAIMING = "a=0, mode='fan_in', nonlinearity='leaky_relu', generator=None"

INITIALISING: tuple[Rule, ...] = (
    _filled("constant_", "val", "mindspore.ops.full_like(X, {val})"),
    _filled("zeros_", "", "mindspore.ops.zeros_like(X)"),
    _filled("ones_", "", "mindspore.ops.ones_like(X)"),
    _filled("uniform_", "a=0.0, b=1.0, generator=None", "mindspore.ops.rand_like(X) * (({b}) - ({a})) + ({a})"),
    _drawn("normal_", "Normal", "mean=0.0, std=1.0, generator=None", "{std}, {mean}", "sigma mean"),
    _drawn(
        "trunc_normal_",
        "TruncatedNormal",
        "mean=0.0, std=1.0, a=-2.0, b=2.0, generator=None",
        "{std}, {mean}, {a}, {b}",
        "sigma mean a b",
    ),
    _drawn("xavier_uniform_", "XavierUniform", "gain=1.0, generator=None", "{gain}", "gain"),
    _drawn("xavier_normal_", "XavierNormal", "gain=1.0, generator=None", "{gain}", "gain"),
    _drawn(
        "kaiming_uniform_", "HeUniform", _KAIMING, "{a}, {mode}, {nonlinearity}", "negative_slope mode nonlinearity"
    ),
    _drawn("kaiming_normal_", "HeNormal", _KAIMING, "{a}, {mode}, {nonlinearity}", "negative_slope mode nonlinearity"),
    _drawn("orthogonal_", "Orthogonal", "gain=1, generator=None", "float({gain})", "gain"),
    _drawn("sparse_", "Sparse", "sparsity, std=0.01, generator=None", "{sparsity}, {std}", "sparsity sigma"),
    _drawn("eye_", "Identity", "", ""),
    _drawn("dirac_", "Dirac", "groups=1", "{groups}", "groups"),
    Rule(
        "torch.nn.init.calculate_gain",
        by_hand="MindSpore has it inside its initializers alone: HeNormal(negative_slope, mode, nonlinearity)",
    ),
)
