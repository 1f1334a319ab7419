"""Functions of torch.nn.functional that slide over images: convolutions, pools, resizing; a row each."""

from __future__ import annotations

from tracer.source.rewriting.binding import Bound
from tracer.source.rewriting.conversions import as_float, no_list
from tracer.source.rewriting.rules import Argument, ByHand, Rule, Written, made, to
from tracer.source.rewriting.writing import NOT_LITERAL, Value

_F = "torch.nn.functional"
_MINT = "mindspore.mint.nn.functional"
_CONVOLVES = "input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1"


def _padded(call: Bound) -> str | None:
    worth = call.literal("padding")
    return None if worth == 0 or (isinstance(worth, (tuple, list)) and not any(worth)) else "'pad'"


def _convolution(name: str) -> tuple[Rule, ...]:
    """MindSpore is told that it pads before it is told how much."""
    names = f"{_F}.{name}", f"mindspore.ops.{name}"
    more = ("dilation", "groups")
    whole = tuple(part.partition("=")[0] for part in _CONVOLVES.split(", "))
    mode = made("pad_mode", _padded, "padding is obeyed where pad_mode='pad' says so", loud=True)
    padding = to("padding", keyword=True)
    return (
        Rule(
            *names,
            mint=f"{_MINT}.{name}",
            takes=_CONVOLVES,
            when=lambda call: isinstance(call.literal("padding"), str),
            arguments=("input", "weight", "bias", "stride", to("padding", "pad_mode"), *_by_keyword(more)),
            mint_arguments=whole,
            silent=False,
        ),
        Rule(
            *names,
            mint=f"{_MINT}.{name}",
            takes=_CONVOLVES,
            when=lambda call: _padded(call) is None,
            arguments=("input", "weight", "bias", "stride", *_by_keyword(more)),
            drops=("padding",),
            mint_arguments=whole,
        ),
        Rule(
            *names,
            mint=f"{_MINT}.{name}",
            takes=_CONVOLVES,
            arguments=("input", "weight", "bias", "stride", mode, padding, *_by_keyword(more)),
            mint_arguments=whole,
        ),
    )


def _by_keyword(names: tuple[str, ...]) -> tuple[Argument, ...]:
    return tuple(to(name, keyword=True) for name in names)


def _stride(call: Bound) -> str:
    given = call.value("stride")
    return call.text("kernel_size") if given is None or given.literal is None else given.text


def _stride_alone(call: Bound) -> str:
    return _alone_or(call, "stride", "kernel_size")


_STRIDE = made("stride", _stride, "stride left out is 1 in MindSpore: torch's is the kernel's size")
_POOLS = "input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True"


def _average(name: str) -> Rule:
    one = name.endswith("1d")
    takes = _POOLS if one else f"{_POOLS}, divisor_override=None"
    shape = no_list if not one else _alone
    stride = made("stride", _stride_alone, _STRIDE.why) if one else _STRIDE
    mine: list[Argument | str] = ["input", to("kernel_size", convert=shape, form=True), stride]
    mine += [to(what, keyword=True, convert=shape if what == "padding" else None, form=True) for what in _REST]
    if not one:
        mine.append(to("divisor_override", keyword=True))
    return Rule(
        f"{_F}.{name}",
        f"mindspore.ops.{name}",
        mint=f"{_MINT}.{name}",
        takes=takes,
        arguments=tuple(mine),
        drops=("stride",),
        mint_arguments=tuple(part.partition("=")[0] for part in takes.split(", ")),
    )


_REST = ("padding", "ceil_mode", "count_include_pad")


def _alone(value: Value) -> str:
    """The number of a tuple of one."""
    worth = value.literal
    return str(worth[0]) if isinstance(worth, (tuple, list)) and len(worth) == 1 else value.text


_MAX = "input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False"


def _largest_along(call: Bound) -> Written:
    """`max_pool1d` as a pool of images of one row."""
    parts = [f"(1, {_number(call, 'kernel_size')})", f"(1, {_alone_or(call, 'stride', 'kernel_size')})"]
    parts += [f"(0, {_number(call, 'padding')})"] if call.has("padding") else []
    parts += [f"dilation=(1, {_number(call, 'dilation')})"] if call.has("dilation") else []
    parts += [f"ceil_mode={call.text('ceil_mode')}"] if call.has("ceil_mode") else []
    if call.literal("return_indices") is not False:
        raise ByHand("pool an image of one row: mindspore.ops.max_pool2d(x.unsqueeze(-2), (1, kernel))")
    text = f"mindspore.ops.max_pool2d({call.atom('input')}.unsqueeze(-2), {', '.join(parts)}).squeeze(-2)"
    return Written(text, ("MindSpore has no max_pool1d: an image of one row is pooled",))


def _number(call: Bound, name: str) -> str:
    value = call.value(name)
    assert value is not None
    return _alone(value)


def _alone_or(call: Bound, name: str, otherwise: str) -> str:
    return _number(call, otherwise) if call.literal(name) is None else _number(call, name)


def _to_size(name: str) -> Rule:
    """Pools to a size, along one dimension: as images of one row."""

    def write(call: Bound) -> Written:
        if call.has("return_indices") and call.literal("return_indices") is not False:
            raise ByHand("which places are the largest is given by adaptive_max_pool2d alone")
        size = f"(1, {_number(call, 'output_size')})"
        text = f"mindspore.ops.{name}2d({call.atom('input')}.unsqueeze(-2), {size}).squeeze(-2)"
        return Written(
            text, (f"MindSpore's {name}1d wants a length that can be divided: an image of one row is pooled",)
        )

    return Rule(
        f"{_F}.{name}1d",
        f"mindspore.ops.{name}1d",
        mint=f"{_MINT}.{name}1d" if name == "adaptive_avg_pool" else None,
        takes="input, output_size, return_indices=False" if "max" in name else "input, output_size",
        write=write,
        mint_arguments=("input", "output_size"),
    )


_RESIZES = (
    "input, size=None, scale_factor=None, mode='nearest', align_corners=None, recompute_scale_factor=None, "
    "antialias=False"
)


def _resized(call: Bound) -> Written:
    """`interpolate`: MindSpore reckons the scale anew from the sizes, so it must be whole or asked for."""
    mode, antialias = call.literal("mode"), call.literal("antialias")
    if mode is NOT_LITERAL or mode == "bicubic" or antialias is not False:
        why = "MindSpore's numbers are others: bicubic, or antialias, or a mode that the source does not say"
        raise ByHand(why, silent=mode == "bicubic")
    if mode == "linear" and call.literal("size") in (1, (1,), [1]):
        raise ByHand("MindSpore takes the first number where one is left: torch the middle", silent=True)
    given = [call.text("input")]
    said: list[str] = []
    if call.literal("scale_factor") is None:
        given.append(f"size={call.text('size')}")
    else:
        factor = call.literal("scale_factor")
        if call.literal("recompute_scale_factor") is not True and not _is_whole(factor):
            raise ByHand("MindSpore reckons the scale anew from the sizes: give size=, or say so in torch too")
        value = call.value("scale_factor")
        assert value is not None
        given += [f"scale_factor={_floats(value)}"]
        said.append("MindSpore takes floats as scale_factor, and asks for recompute_scale_factor=True beside it")
    given += [f"mode={call.text('mode')}"] if call.has("mode") else []
    given += [f"align_corners={call.text('align_corners')}"] if call.literal("align_corners") is not None else []
    given += ["recompute_scale_factor=True"] if said else []
    return Written(f"mindspore.ops.interpolate({', '.join(given)})", tuple(said), status=None if said else "same")


def _is_whole(factor: object) -> bool:
    parts = factor if isinstance(factor, (tuple, list)) else [factor]
    return all(isinstance(part, (int, float)) and float(part).is_integer() for part in parts)


def _floats(value: Value) -> str:
    worth = value.literal
    if isinstance(worth, (tuple, list)):
        return f"({', '.join(str(float(part)) for part in worth)})"
    return as_float(value) if worth is not NOT_LITERAL else f"float({value.text})"


SLIDING: tuple[Rule, ...] = (
    *(rule for name in ("conv1d", "conv2d", "conv3d") for rule in _convolution(name)),
    *(_average(name) for name in ("avg_pool1d", "avg_pool2d", "avg_pool3d")),
    Rule(f"{_F}.max_pool1d", takes=_MAX, write=_largest_along),
    Rule(
        f"{_F}.max_pool2d",
        "mindspore.ops.max_pool2d",
        mint=f"{_MINT}.max_pool2d",
        takes=_MAX,
        arguments=(
            to("input", "x"),
            to("kernel_size", convert=no_list, form=True),
            to("stride", convert=no_list, form=True),
            "padding",
            "dilation",
            to("return_indices", keyword=True),
            to("ceil_mode", keyword=True),
        ),
        mint_arguments=tuple(part.partition("=")[0] for part in _MAX.split(", ")),
    ),
    _to_size("adaptive_avg_pool"),
    _to_size("adaptive_max_pool"),
    Rule(
        f"{_F}.interpolate",
        "mindspore.ops.interpolate",
        mint=f"{_MINT}.interpolate",
        takes=_RESIZES,
        write=_resized,
        mint_arguments=(
            "input",
            "size",
            to("scale_factor", convert=_floats, form=True),
            to("mode", only=("nearest", "linear", "bilinear", "bicubic", "trilinear")),
            "align_corners",
            "recompute_scale_factor",
        ),
    ),
    Rule(
        f"{_F}.upsample",
        "mindspore.ops.interpolate",
        takes=_RESIZES,
        write=_resized,
    ),
    Rule(
        f"{_F}.grid_sample",
        "mindspore.ops.grid_sample",
        mint=f"{_MINT}.grid_sample",
        takes="input, grid, mode='bilinear', padding_mode='zeros', align_corners=None",
        arguments=("input", "grid", to("mode", only=("bilinear", "nearest")), "padding_mode", "align_corners"),
        mint_arguments=("input", "grid", to("mode", only=("bilinear", "nearest")), "padding_mode", "align_corners"),
    ),
    Rule(
        f"{_F}.affine_grid",
        "mindspore.ops.affine_grid",
        takes="theta, size, align_corners=None",
        arguments=("theta", to("size", convert=no_list, form=True, loud=True), "align_corners"),
    ),
    Rule(
        f"{_F}.fold",
        "mindspore.ops.fold",
        mint=f"{_MINT}.fold",
        takes="input, output_size, kernel_size, dilation=1, padding=0, stride=1",
        arguments=(
            "input",
            to("output_size", convert=lambda value: f"mindspore.Tensor({value.text}, mindspore.int32)", loud=True),
            "kernel_size",
            "dilation",
            "padding",
            "stride",
        ),
        mint_arguments=("input", "output_size", "kernel_size", "dilation", "padding", "stride"),
    ),
)
