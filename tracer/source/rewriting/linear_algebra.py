"""torch.linalg, torch.fft and their kin in torch: a row each where both signatures do not say it all."""

from __future__ import annotations

from tracer.source.rewriting.binding import Bound
from tracer.source.rewriting.rules import Rule, Written, to
from tracer.source.rewriting.writing import Value

_NORM = to("norm", keyword=True)


def _same(torch: str, own: str, *arguments: str, takes: str = "") -> Rule:
    """A function that MindSpore has, whatever its parameters are called."""
    return Rule(
        f"torch.{torch}",
        f"mindspore.ops.{own}",
        takes=takes or f"{', '.join(arguments)}, *, out=None",
        arguments=arguments,
    )


def _of_one(name: str) -> Rule:
    """A transform along one dimension."""
    return Rule(
        f"torch.fft.{name}",
        f"mindspore.ops.{name}",
        takes="input, n=None, dim=-1, norm=None, *, out=None",
        arguments=("input", "n", "dim", "norm"),
    )


def _of_many(name: str, dim: str) -> Rule:
    return Rule(
        f"torch.fft.{name}",
        f"mindspore.ops.{name}",
        takes=f"input, s=None, dim={dim}, norm=None, *, out=None",
        arguments=("input", "s", "dim", "norm"),
    )


def _product(call: Bound) -> Written:
    """The product of two vectors."""
    text = f"({call.atom('input')} * {call.atom('tensor')}).sum()"
    return Written(text, ("mint's dot has no kernel on the CPU, and mindspore.ops.dot is of matrices",))


def _summed(call: Bound, einsum: str) -> Written:
    """`einsum`: the tensors one by one; a list of them is spread."""
    values = ", ".join(
        f"*{value.atom}" if len(call.rest) == 1 and _is_list(value.text) else value.text for value in call.rest
    )
    return Written(f"{einsum}({call.text('equation')}, {values})", status="same" if "*" not in values else None)


def _is_list(text: str) -> bool:
    return text.startswith(("[", "("))


def _order(value: Value) -> str:
    """Which norm: MindSpore knows those of matrices by whole numbers."""
    worth = value.literal
    return str(int(worth)) if isinstance(worth, float) and worth.is_integer() else value.text


def _is_float(call: Bound, name: str) -> bool:
    worth = call.literal(name)
    return isinstance(worth, float) and worth.is_integer()


_ORDER = "of a matrix MindSpore takes a float for the Frobenius norm: the order is a whole number"


LINEAR_ALGEBRA: tuple[Rule, ...] = (
    *(_of_one(name) for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")),
    *(_of_many(name, "(-2, -1)") for name in ("fft2", "ifft2", "rfft2", "irfft2")),
    *(_of_many(name, "None") for name in ("fftn", "ifftn", "rfftn", "irfftn")),
    _same("fft.fftshift", "fftshift", "input", "dim", takes="input, dim=None"),
    _same("fft.ifftshift", "ifftshift", "input", "dim", takes="input, dim=None"),
    *(
        Rule(
            f"torch.fft.{name}",
            f"mindspore.ops.{name}",
            takes="n, d=1.0, *, out=None, dtype=None, layout=None, device=None, requires_grad=False",
            arguments=("n", "d", to("dtype", keyword=True)),
        )
        for name in ("fftfreq", "rfftfreq")
    ),
    Rule(
        "torch.dot",
        mint="mindspore.mint.dot",
        takes="input, tensor, *, out=None",
        write=_product,
        mint_arguments=("input", to("tensor", "other")),
    ),
    Rule(
        "torch.vdot",
        "mindspore.ops.vecdot",
        takes="input, other, *, out=None",
        arguments=(to("input", "x"), to("other", "y")),
    ),
    Rule(
        "torch.einsum",
        "mindspore.ops.einsum",
        mint="mindspore.mint.einsum",
        takes="equation, *operands",
        write=lambda call: _summed(call, "mindspore.ops.einsum"),
        mint_write=lambda call: _summed(call, "mindspore.mint.einsum"),
    ),
    Rule(
        "torch.tensordot",
        "mindspore.ops.tensor_dot",
        takes="a, b, dims=2, out=None",
        arguments=(to("a", "x1"), to("b", "x2"), to("dims", "axes", always=True)),
    ),
    _same("det", "det", "input"),
    Rule("torch.linalg.det", "mindspore.ops.det", takes="A, *, out=None", arguments=(to("A", "input"),)),
    *(
        Rule(
            f"torch.{name}",
            f"mindspore.ops.{own}",
            takes="input, *, out=None",
            arguments=("input",),
            differences=("a plain tuple in MindSpore: [0] for the first, [1] for the second",),
        )
        for name, own in (("slogdet", "slogdet"), ("linalg.slogdet", "slogdet"), ("geqrf", "geqrf"))
    ),
    Rule(
        "torch.linalg.qr",
        "mindspore.ops.qr",
        mint="mindspore.mint.linalg.qr",
        takes="A, mode='reduced', *, out=None",
        arguments=(to("A", "input"), "mode"),
        differences=("a plain tuple in MindSpore: [0] for Q, [1] for R",),
    ),
    Rule(
        "torch.lu_unpack",
        "mindspore.ops.lu_unpack",
        takes="LU_data, LU_pivots, unpack_data=True, unpack_pivots=True, *, out=None",
        when=lambda call: call.literal("unpack_data") is True and call.literal("unpack_pivots") is True,
        arguments=("LU_data", "LU_pivots"),
        drops=("unpack_data", "unpack_pivots"),
        differences=("a plain tuple in MindSpore: [0] for P, [1] for L, [2] for U",),
    ),
    _same("matrix_power", "matrix_power", "input", "n"),
    _same("linalg.matrix_power", "matrix_power", "input", "n"),
    _same("matrix_exp", "matrix_exp", "input"),
    _same("linalg.matrix_exp", "matrix_exp", "input"),
    _same("linalg.cholesky", "cholesky", "input", "upper", takes="input, *, upper=False, out=None"),
    Rule(
        "torch.linalg.norm",
        "mindspore.ops.norm",
        mint="mindspore.mint.linalg.norm",
        takes="input, ord=None, dim=None, keepdim=False, *, out=None, dtype=None",
        arguments=(
            to("input", "A"),
            to("ord", convert=_order, why=_ORDER),
            "dim",
            "keepdim",
            to("dtype", keyword=True),
        ),
        mint_arguments=(to("input", "A"), "ord", "dim", "keepdim", to("dtype", keyword=True)),
        silent=lambda call: _is_float(call, "ord"),
    ),
    Rule(
        "torch.linalg.cond",
        "mindspore.ops.cond",
        takes="input, p=None, *, out=None",
        arguments=(to("input", "A"), to("p", convert=_order, why=_ORDER)),
        silent=lambda call: _is_float(call, "p"),
    ),
    _same("linalg.matmul", "matmul", "input", "other"),
    Rule("torch.pinverse", "mindspore.ops.pinv", takes="input, rcond=1e-15", arguments=("input", to("rcond", "rtol"))),
)
