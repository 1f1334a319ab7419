"""What is mentioned and not called: dtypes, attributes, bases, definitions, operators; a row each."""

from __future__ import annotations

from tracer.source.rewriting.limits import COMPLEX
from tracer.source.rewriting.rules import Mention

_DTYPES = {
    "float16": "half",
    "float32": "float",
    "float64": "double",
    "bfloat16": "",
    "int8": "",
    "int16": "short",
    "int32": "int",
    "int64": "long",
    "uint8": "",
    "uint16": "",
    "uint32": "",
    "uint64": "",
    "complex64": "cfloat",
    "complex128": "cdouble",
}
"""By their name in both frameworks, with torch's other name."""

DTYPES: tuple[Mention, ...] = (
    *(Mention(f"torch.{name}", f"mindspore.{name}") for name in _DTYPES),
    *(Mention(f"torch.{other}", f"mindspore.{name}") for name, other in _DTYPES.items() if other),
    Mention("torch.bool", "mindspore.bool_"),
    Mention("torch.Tensor", "mindspore.Tensor"),
    Mention("torch.nn.Parameter", "mindspore.Parameter"),
    Mention("torch.nn.parameter.Parameter", "mindspore.Parameter"),
    Mention("torch.FloatTensor", "mindspore.Tensor", advice="a tensor of dtype mindspore.float32"),
    Mention("torch.LongTensor", "mindspore.Tensor", advice="a tensor of dtype mindspore.int64"),
    Mention("torch.BoolTensor", "mindspore.Tensor", advice="a tensor of dtype mindspore.bool_"),
    Mention("torch.Size", "tuple", advice="a shape is a tuple in MindSpore"),
    Mention("torch.dtype", "mindspore.Type"),
    Mention("torch.Generator", "mindspore.Generator"),
    Mention("torch.inf", write="float('inf')"),
    Mention("torch.nan", write="float('nan')"),
    Mention("torch.pi", write="3.141592653589793"),
    Mention("torch.e", write="2.718281828459045"),
    Mention("torch.newaxis", write="None"),
)

_NO_GRADIENTS = (
    "MindSpore keeps no graph on its tensors: mindspore.value_and_grad gives the gradients, and "
    "mindspore.ops.stop_gradient keeps one away"
)
_DEVICE = "MindSpore keeps its tensors where mindspore.set_device says; leave what depends on a tensor's device away"

ATTRIBUTES: tuple[Mention, ...] = (
    *(
        Mention(f"torch.Tensor.{name}", f"mindspore.Tensor.{name}")
        for name in ("shape", "dtype", "ndim", "T", "mT", "H", "mH", "itemsize", "nbytes")
    ),
    *(
        Mention(
            f"torch.Tensor.{name}",
            f"mindspore.Tensor.{name}",
            write="{x}." + f"{name}()",
            differences=(f"{name} is a method in MindSpore",),
            silent=True,
        )
        for name in ("real", "imag")
    ),
    *(
        Mention(
            f"torch.finfo.{name}",
            write="float({x}." + f"{name})",
            differences=("numpy's scalar is made a plain number, which MindSpore takes everywhere",),
        )
        for name in ("min", "max", "eps", "tiny", "smallest_normal")
    ),
    Mention("torch.finfo.bits", write="{x}.bits"),
    Mention("torch.Tensor.data", "mindspore.Tensor.data"),
    Mention("torch.Tensor.grad", by_hand=True, advice=_NO_GRADIENTS),
    Mention("torch.Tensor.grad_fn", by_hand=True, advice=_NO_GRADIENTS),
    Mention("torch.Tensor.is_leaf", by_hand=True, advice=_NO_GRADIENTS),
    Mention(
        "torch.Tensor.requires_grad",
        "mindspore.Parameter.requires_grad",
        by_hand=True,
        advice="a parameter has requires_grad in MindSpore, another tensor does not",
    ),
    Mention("torch.Tensor.device", by_hand=True, advice=_DEVICE),
    Mention("torch.Tensor.is_cuda", by_hand=True, advice=_DEVICE),
    Mention("torch.Tensor.is_cpu", by_hand=True, advice=_DEVICE),
    Mention("torch.Tensor.layout", by_hand=True, advice="MindSpore's tensors are strided"),
    Mention("torch.nn.Module.training", "mindspore.nn.Cell.training", advice="False in MindSpore until set_train()"),
)

STRUCTURE: tuple[Mention, ...] = (
    Mention(
        "torch.nn.Module",
        "mindspore.nn.Cell",
        advice="a cell is in evaluation until set_train(), and calls construct where torch calls forward",
    ),
    Mention("torch.nn.Module.forward", "mindspore.nn.Cell.construct", advice="name the method construct"),
    Mention("torch.nn.Module.extra_repr", "mindspore.nn.Cell.extend_repr", advice="name the method extend_repr"),
    Mention("torch.nn.Module.__init__", "mindspore.nn.Cell.__init__"),
    Mention("torch.nn.Module.__call__", "mindspore.nn.Cell.__call__"),
    Mention("torch.nn.Module.train", "mindspore.nn.Cell.set_train", advice="name the method set_train"),
    Mention(
        "torch.autograd.Function",
        by_hand=True,
        advice="write a mindspore.nn.Cell with construct and bprop(self, *inputs, out, dout)",
    ),
    Mention(
        "torch.utils.data.Dataset",
        "mindspore.dataset.GeneratorDataset",
        by_hand=True,
        advice="a class with __getitem__ and __len__ needs no base: hand it to mindspore.dataset.GeneratorDataset",
    ),
)

_SAME_OPERATORS = (
    "add radd sub rsub mul rmul truediv rtruediv floordiv rfloordiv mod rmod pow rpow matmul rmatmul neg pos "
    "and or xor eq ne lt le gt ge getitem setitem len iter bool float int index contains"
)

OPERATORS: tuple[Mention, ...] = (
    *(Mention(f"torch.Tensor.__{name}__", f"mindspore.Tensor.__{name}__") for name in _SAME_OPERATORS.split()),
    *(
        Mention(
            f"torch.Tensor.__{name}__",
            f"mindspore.Tensor.__{name}__",
            advice="the name is bound to a new tensor: another name of the old one keeps the old numbers",
        )
        for name in ("iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow", "imatmul", "iand", "ior", "ixor")
    ),
    Mention("torch.Tensor.__abs__", "mindspore.Tensor.__abs__", advice=COMPLEX),
    Mention(
        "torch.Tensor.__invert__",
        "mindspore.Tensor.__invert__",
        advice="of whole numbers MindSpore gives the logical not: there write -x - 1",
    ),
    *(
        Mention(
            f"torch.Tensor.__{name}__",
            by_hand=True,
            advice=f"MindSpore's tensors stand first there: x {sign} 3 in place of 3 {sign} x",
        )
        for name, sign in (("rand", "&"), ("ror", "|"), ("rxor", "^"))
    ),
    Mention(
        "torch.Tensor.__lshift__",
        "mindspore.ops.bitwise_left_shift",
        by_hand=True,
        advice="write mindspore.ops.bitwise_left_shift(x, y)",
    ),
    Mention(
        "torch.Tensor.__rshift__",
        "mindspore.ops.bitwise_right_shift",
        by_hand=True,
        advice="write mindspore.ops.bitwise_right_shift(x, y)",
    ),
)

MENTIONED: tuple[Mention, ...] = (*DTYPES, *ATTRIBUTES, *STRUCTURE, *OPERATORS)
