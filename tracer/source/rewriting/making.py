"""The functions that make tensors, of numbers or at random: a row each where both signatures do not say it all."""

from __future__ import annotations

import ast

from tracer.source.rewriting.binding import Bound
from tracer.source.rewriting.conversions import as_tensor, is_int, no_list, one_shape, whole
from tracer.source.rewriting.old_classes import DTYPES
from tracer.source.rewriting.rules import Argument, ByHand, Rule, Writer, Written, constant, made, to
from tracer.source.rewriting.shaping import twice
from tracer.source.rewriting.writing import NOT_LITERAL, Value

_ANY = "out=None, dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False, memory_format=None"
_SIZES = f"*size, {_ANY}, names=None, generator=None"
_DTYPE = to("dtype", keyword=True)
_DRAWN = "MindSpore draws other numbers from the same seed"


def sizes(name: str = "size") -> Argument:
    """`2, 3` as `(2, 3)`."""
    return to("*size", name, convert=one_shape, form=True, loud=True)


def float_or_not(value: Value) -> str | None:
    """The dtype that torch gives a tensor filled with the value; None where MindSpore gives the same."""
    worth = value.literal
    if isinstance(worth, bool):
        return "mindspore.bool_"
    if isinstance(worth, float) or _is_float(value.node):
        return "mindspore.float32"
    if isinstance(worth, int):
        return None
    return f"mindspore.Tensor({value.text}).dtype" if worth is NOT_LITERAL else None


def _is_float(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp):
        return _is_float(node.operand)
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "float"
    return isinstance(node, ast.Attribute) and ast.unparse(node) in ("math.inf", "math.pi", "np.inf", "numpy.inf")


def _bernoulli(bound: Bound) -> Written:
    """MindSpore takes the shape of its input and the probabilities beside it."""
    value = bound.value("input")
    assert value is not None
    chance = "X" if bound.literal("p") is None else bound.text("p")
    text = twice(value, f"mindspore.ops.bernoulli(X, {chance})")
    if chance != "X":
        return Written(text, status="same")
    return Written(text, ("the probabilities are given as p",), silent=True)


def _filled_dtype(bound: Bound) -> str | None:
    given, value = bound.given.get("dtype"), bound.value("fill_value")
    own = float_or_not(value) if value else None
    if given is None or given.literal is None:
        return own
    may_be_none = isinstance(given.node, (ast.Name, ast.Subscript)) or given.text.startswith("self.")
    return f"{given.atom} or {own}" if own and may_be_none else given.text


def _goes_unnoticed(bound: Bound) -> bool:
    size = bound.literal("size")
    return not bound.has("dtype") and _filled_dtype(bound) not in (None, "mindspore.bool_") and size != ()


def _of_no_dimension(bound: Bound) -> bool:
    """`torch.zeros(())`: one number, for which MindSpore must be told the dtype."""
    return bound.literal("*size") in (((),), ([],)) and bound.literal("dtype") is None


_SAID = made("dtype", lambda _: "mindspore.float32", "of no dimension MindSpore must be told the dtype", loud=True)
_FILLED = made("dtype", _filled_dtype, "dtype left out is int64 in MindSpore, whatever the value")


def _of_values(dtype: str) -> Writer:
    def write(bound: Bound) -> Written:
        return _constructed(bound, dtype)

    return write


def _constructed(bound: Bound, dtype: str) -> Written:
    """`torch.FloatTensor(...)`: numbers make a tensor of that shape, a list one of these values."""
    if bound.rest and all(is_int(value.node) for value in bound.rest):
        text = one_shape(bound.given["*args"])
        return Written(
            f"mindspore.mint.empty({text}, dtype={dtype})", ("numbers are a shape: nothing is written in it",)
        )
    if len(bound.rest) == 1 and isinstance(bound.rest[0].node, (ast.List, ast.Tuple, ast.ListComp)):
        return Written(f"mindspore.tensor({bound.rest[0].text}, dtype={dtype})", (f"the dtype is {dtype}",))
    if not bound.rest:
        return Written(f"mindspore.mint.empty((0,), dtype={dtype})")
    raise ByHand(
        "are these values or sizes? Values: mindspore.tensor(values, dtype); sizes: mindspore.mint.empty(sizes)"
    )


_WINDOW = "window_length, periodic=True, *, dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False"
_WIDE = "dtype left out is float64 in MindSpore"


def _window(name: str, *, of_a_tensor: bool = False, dtype: bool = True, more: str = "") -> Rule:
    length = to("window_length", convert=as_tensor, loud=True) if of_a_tensor else to("window_length")
    told = made("dtype", _window_dtype, _WIDE) if dtype else _DTYPE
    extra = tuple(part.partition("=")[0].strip() for part in more.split(",")[1:])
    return Rule(
        f"torch.{name}",
        f"mindspore.ops.{name}",
        takes=_WINDOW.replace(", *", f"{more}, *"),
        arguments=(length, "periodic", *extra, told),
        drops=("dtype",) if dtype else (),
        silent=False,
    )


def _window_dtype(bound: Bound) -> str:
    given = bound.given.get("dtype")
    return given.text if given is not None and given.literal is not None else "mindspore.float32"


def _limits(info: str) -> Rule:
    def write(bound: Bound) -> Written:
        return Written(f"__import__('numpy').{info}(mindspore.dtype_to_nptype({bound.text('type')}))", (said,), True)

    said = f"MindSpore has no {info}: numpy's gives the same as numpy's scalars (float() makes plain ones of them)"
    advice = "import numpy at the top in place of __import__"
    return Rule(f"torch.{info}", takes="type", write=write, advice=advice)


def _as_float_tensor(value: Value) -> str:
    return f"mindspore.Tensor({value.text}, mindspore.float32)"


def _whole_numbers(bound: Bound) -> bool:
    return bound.literal("dtype") is None or "int" in bound.text("dtype")


def _mint_randint(bound: Bound) -> Written:
    low = [bound.text("low")] if bound.has("low") else []
    given = [*low, bound.text("high"), bound.text("size")]
    given += [f"{name}={bound.text(name)}" for name in ("generator", "dtype") if bound.has(name)]
    return Written(f"mindspore.mint.randint({', '.join(given)})")


def _drawn_and_converted(bound: Bound) -> Written:
    low = bound.text("low") if bound.has("low") else "0"
    size = no_list(bound.given["size"])
    text = f"mindspore.ops.randint({low}, {bound.text('high')}, {size}).astype({bound.text('dtype')})"
    return Written(text, ("MindSpore's randint makes whole numbers alone: they are converted",))


def _drawn_like(bound: Bound) -> Written:
    value = bound.value("input")
    assert value is not None
    low = bound.text("low") if bound.has("low") else "0"
    dtype = "X.dtype" if bound.literal("dtype") is None else bound.text("dtype")
    text = f"mindspore.ops.randint({low}, {bound.text('high')}, X.shape).astype({dtype})"
    return Written(twice(value, text), ("MindSpore's randint makes whole numbers alone: they are converted",))


MAKING: tuple[Rule, ...] = (
    *(
        Rule(
            f"torch.{name}",
            f"mindspore.ops.{name}",
            mint=f"mindspore.mint.{name}",
            takes=_SIZES,
            when=when,
            arguments=(sizes(own), dtype),
            mint_arguments=(sizes(), dtype),
        )
        for name, own in (("zeros", "size"), ("ones", "shape"))
        for when, dtype in ((_of_no_dimension, _SAID), (None, _DTYPE))
    ),
    Rule("torch.empty", mint="mindspore.mint.empty", takes=_SIZES, mint_arguments=(sizes(), _DTYPE), silent=False),
    *(
        Rule(
            f"torch.{name}",
            f"mindspore.ops.{name}",
            mint=f"mindspore.mint.{name}",
            takes=_SIZES,
            arguments=("*size", _DTYPE),
            mint_arguments=("*size", to("generator", keyword=True), _DTYPE),
            drops=("generator",),
            advice=_DRAWN,
        )
        for name in ("rand", "randn")
    ),
    Rule(
        "torch.full",
        "mindspore.ops.full",
        mint="mindspore.mint.full",
        takes=f"size, fill_value, *, {_ANY}, names=None",
        arguments=("size", "fill_value", _FILLED),
        drops=("dtype",),
        mint_arguments=("size", "fill_value", _DTYPE),
        silent=_goes_unnoticed,
    ),
    *(
        Rule(
            f"torch.{name}",
            "mindspore.tensor",
            takes="data, dtype=None, device=None, requires_grad=False, pin_memory=False",
            arguments=(to("data", "input_data"), _DTYPE),
            silent=False,
        )
        for name in ("tensor", "as_tensor")
    ),
    Rule("torch.scalar_tensor", "mindspore.tensor", takes=f"s, *, {_ANY}", arguments=(to("s", "input_data"), _DTYPE)),
    Rule("torch.from_numpy", "mindspore.from_numpy", takes="ndarray", arguments=(to("ndarray", "array"),)),
    *(
        Rule(f"torch.{name}", "mindspore.tensor", takes="*args, device=None", write=_of_values(f"mindspore.{dtype}"))
        for name, dtype in DTYPES.items()
        if name != "BFloat16Tensor"
    ),
    Rule(
        "torch.arange",
        "mindspore.ops.arange",
        mint="mindspore.mint.arange",
        takes=f"end, *, {_ANY}",
        when=lambda call: "end" in call.positional,
        arguments=(to("end", "start"), _DTYPE),
        mint_arguments=(to("end", "start"), _DTYPE),
    ),
    Rule(
        "torch.arange",
        "mindspore.ops.arange",
        mint="mindspore.mint.arange",
        takes=f"start=0, end=None, step=1, *, {_ANY}",
        arguments=("start", "end", "step", _DTYPE),
        mint_arguments=("start", "end", "step", _DTYPE),
    ),
    Rule(
        "torch.linspace",
        "mindspore.ops.linspace",
        mint="mindspore.mint.linspace",
        takes=f"start, end, steps, *, {_ANY}",
        arguments=("start", "end", "steps"),
        mint_arguments=("start", "end", "steps", _DTYPE),
        when=lambda call: call.literal("dtype") is None,
    ),
    Rule(
        "torch.linspace",
        "mindspore.ops.linspace",
        mint="mindspore.mint.linspace",
        takes=f"start, end, steps, *, {_ANY}",
        mint_arguments=("start", "end", "steps", _DTYPE),
        write=lambda call: Written(
            f"mindspore.ops.linspace({call.text('start')}, {call.text('end')}, {call.text('steps')})"
            f".astype({call.text('dtype')})",
            ("MindSpore's linspace has no dtype: its float32 numbers are converted",),
        ),
    ),
    Rule(
        "torch.logspace",
        "mindspore.ops.logspace",
        takes=f"start, end, steps, base=10.0, *, {_ANY}",
        when=lambda call: "float64" not in call.text("dtype"),
        arguments=(
            to("start", convert=_as_float_tensor, loud=True),
            to("end", convert=_as_float_tensor, loud=True),
            "steps",
            to("base", convert=whole("MindSpore's logspace takes a whole number as base"), form=True),
            _DTYPE,
        ),
    ),
    _window("hann_window"),
    Rule(
        "torch.kaiser_window",
        "mindspore.ops.kaiser_window",
        takes=_WINDOW.replace("*", "beta=12.0, *"),
        arguments=("window_length", "periodic", "beta", made("dtype", _window_dtype, _WIDE)),
        drops=("dtype",),
        silent=False,
    ),
    _window("hamming_window", dtype=False, more=", alpha=0.54, beta=0.46"),
    _window("bartlett_window", of_a_tensor=True, dtype=False),
    _window("blackman_window", of_a_tensor=True, dtype=False),
    Rule(
        "torch.normal",
        "mindspore.ops.normal",
        mint="mindspore.mint.normal",
        takes=f"mean, std, size, *, generator=None, {_ANY}",
        arguments=(
            to("size", "shape", keyword=True),
            to("mean", keyword=True),
            to("std", "stddev", keyword=True),
        ),
        mint_arguments=("mean", "std", "size", to("generator", keyword=True)),
        silent=False,
        drops=("generator",),
        advice=_DRAWN,
    ),
    Rule(
        "torch.randint",
        "mindspore.ops.randint",
        mint="mindspore.mint.randint",
        takes=f"low, high, size, *, generator=None, {_ANY}",
        when=_whole_numbers,
        arguments=("low", "high", to("size", convert=no_list, form=True), _DTYPE),
        mint_write=_mint_randint,
        drops=("generator",),
        advice=_DRAWN,
    ),
    Rule(
        "torch.randint",
        "mindspore.ops.randint",
        mint="mindspore.mint.randint",
        takes=f"high, size, *, generator=None, {_ANY}",
        when=_whole_numbers,
        arguments=(
            constant("low", "0", "low must be given", loud=True),
            to("high", keyword=True),
            to("size", convert=no_list, keyword=True, form=True),
            _DTYPE,
        ),
        mint_write=_mint_randint,
        drops=("generator",),
        advice=_DRAWN,
    ),
    *(
        Rule(
            "torch.randint",
            "mindspore.ops.randint",
            takes=f"{given}, *, generator=None, {_ANY}",
            write=_drawn_and_converted,
            advice=_DRAWN,
        )
        for given in ("low, high, size", "high, size")
    ),
    *(
        Rule(
            "torch.randint_like",
            "mindspore.ops.randint",
            takes=f"{given}, *, {_ANY}",
            write=_drawn_like,
            advice=_DRAWN,
        )
        for given in ("input, low, high", "input, high")
    ),
    Rule(
        "torch.bernoulli",
        "mindspore.ops.bernoulli",
        takes="input, p=None, *, generator=None, out=None",
        drops=("generator",),
        write=_bernoulli,
        advice=_DRAWN,
    ),
    Rule(
        "torch.randperm",
        "mindspore.ops.randperm",
        mint="mindspore.mint.randperm",
        takes=f"n, *, generator=None, {_ANY}",
        arguments=("n", _DTYPE),
        mint_arguments=("n", to("generator", keyword=True), _DTYPE),
        drops=("generator",),
        advice=_DRAWN,
    ),
    _limits("finfo"),
    _limits("iinfo"),
    Rule("torch.Size", "tuple", takes="sizes=()", arguments=("sizes",)),
    Rule(
        "torch.complex",
        "mindspore.ops.Complex",
        takes="real, imag, *, out=None",
        write=lambda call: Written(f"mindspore.ops.Complex()({call.text('real')}, {call.text('imag')})"),
    ),
)
