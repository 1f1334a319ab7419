"""Operators of tensors, and indexing."""

from __future__ import annotations

from tests.source_proof.writing_calls import Calls, together


def operator(name: str, *calls: str) -> Calls:
    """The calls of an operator by its method's name."""
    return {f"torch.Tensor.__{name}__": list(calls)}


def _signs(sign: str) -> list[str]:
    return [
        f"{left} {sign} {right}"
        for left, right in (
            "xy",
            "xs",
            ("x", "row"),
            ("x", "2"),
            ("x", "0.5"),
            "ij",
            ("i", "3"),
            "dx",
            "hx",
            "xi",
            ("halves", "1.5"),
        )
    ]


CALLS = together(
    operator("add", *_signs("+"), "i32 + i", "k + i", "c + x"),
    operator("radd", "2 + x", "0.5 + i"),
    operator("sub", *_signs("-")),
    operator("rsub", "1 - x", "1.0 - p", "1 - i"),
    operator("mul", *_signs("*"), "k * x", "x * k", "k * k2", "k * 2.0"),
    operator("rmul", "2 * x", "0.5 * i", "0.5 * h"),
    operator("truediv", *_signs("/")),
    operator("rtruediv", "1 / pos", "2.0 / x", "1 / j"),
    operator("floordiv", *_signs("//"), "i // j", "i // -2"),
    operator("rfloordiv", "7 // j", "2.0 // pos"),
    operator("mod", *_signs("%"), "i % j", "i % -3", "halves % 2", "halves % -2"),
    operator("rmod", "7 % j"),
    operator("pow", "x ** 2", "pos ** 0.5", "pos ** y", "i ** 2", "x ** -1", "x ** 3", "j ** j", "x ** i", "d ** 2"),
    operator("rpow", "2 ** x", "2.0 ** i", "10 ** x"),
    operator(
        "matmul", "x @ z", "ba @ bb", "x @ v", "v @ w", "x @ y.t()", "x @ y.T", "q @ q2", "ba @ ba.transpose(-2, -1)"
    ),
    operator("neg", "-x", "-i", "-d"),
    operator("pos", "+x"),
    operator("abs", "abs(x)", "abs(i)", "abs(c)"),
    operator("invert", "~k", "~i"),
    operator("and", "k & k2", "i & j", "i & 3", "k & (x > 0)"),
    operator("or", "k | k2", "i | j", "i | 3"),
    operator("xor", "k ^ k2", "i ^ j"),
    operator("lshift", "i << 2", "j << j"),
    operator("rshift", "i >> 1"),
    operator("eq", *_signs("=="), "k == k2", "k == 0", "xn == xn", "i == 2.0"),
    operator("ne", *_signs("!="), "k != k2", "xn != xn"),
    operator("lt", *_signs("<")),
    operator("le", *_signs("<=")),
    operator("gt", *_signs(">")),
    operator("ge", *_signs(">=")),
    operator(
        "getitem",
        "x[0]",
        "x[-1]",
        "x[1:]",
        "x[:, 1]",
        "x[:, None]",
        "x[..., 0]",
        "x[..., None]",
        "t[:, ::2]",
        "x[k]",
        "x[x > 0]",
        "x[pick]",
        "x[:, pick]",
        "t[0, 1, 2]",
        "t[:, -1, :]",
        "x[pick, pick]",
        "x[None]",
        "t[..., 1:3]",
        "x[[0, 2]]",
        "x[1, :2]",
        "x[kv[:3]]",
        "x[:, kv]",
        "t[:, pick, 1]",
        "table[tokens]",
        "x[0:0]",
        "n[n > 2]",
        "x[0][1]",
        "t[0, 1:, [0, 2]]",
        "t[0, :, [0, 2]]",
        "t[-1, ..., [0, 2]]",
        "t[0, None, [0, 2]]",
        "t4[0, :, torch.tensor([0, 2]), 1]",
        "t4[:, [0, 2], :, 1]",
        "t[[0, 1], :, 1]",
        "t[[0, 1], :, [0, 2]]",
        "t[:, 0, [0, 2]]",
    ),
)
"""By the method behind the operator, each expression as one would write it."""
