"""Calls of tensors' own methods and attributes; methods that are also functions are called as these are."""

from __future__ import annotations

import ast

from tests.source_proof import calls_elementwise, calls_indexing, calls_linear_algebra, calls_reductions, calls_shaping
from tests.source_proof.writing_calls import Calls, together


def of_tensors(**calls: list[str]) -> Calls:
    """Calls of methods by their short names."""
    return {f"torch.Tensor.{name}": list(texts) for name, texts in calls.items()}


def for_each(names: str, *calls: str) -> Calls:
    """The calls of several methods, which stand as NAME in the calls."""
    return {f"torch.Tensor.{name}": [call.replace("NAME", name) for call in calls] for name in names.split()}


def as_methods(functions: Calls) -> Calls:
    """`torch.add(x, y, alpha=2)` as `x.add(y, alpha=2)`, of every function that is a method too."""
    found: Calls = {}
    for name, calls in functions.items():
        short = name.removeprefix("torch.")
        if "." not in short and short not in FUNCTIONS_ONLY:
            written = [_as_method(call, short) for call in calls]
            found[f"torch.Tensor.{short}"] = [text for text in written if text and text not in NOT_AS_METHODS]
    return {name: calls for name, calls in found.items() if calls}


def _as_method(call: str, name: str) -> str | None:
    """None where the receiver is no plain name, or the call is not the outermost expression's innermost part."""
    tree = ast.parse(call, mode="eval")
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and ast.unparse(node.func) == f"torch.{name}"):
            continue
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        receiver = node.args[0] if node.args else given.get("input")
        if not isinstance(receiver, ast.Name):
            return None
        node.func = ast.Attribute(receiver, name, ast.Load())
        node.args = node.args[1:]
        node.keywords = [keyword for keyword in node.keywords if keyword.arg != "input"]
        return ast.unparse(tree)
    return None


FUNCTIONS_ONLY = set(
    "cat stack hstack vstack dstack column_stack row_stack concat concatenate block_diag atleast_1d atleast_2d atleast_3d "
    "meshgrid cartesian_prod combinations broadcast_tensors einsum tensordot cdist chain_matmul bucketize searchsorted "
    "trapz trapezoid cumulative_trapezoid std_mean var_mean complex polar tril_indices triu_indices vander is_tensor "
    "view_as_complex view_as_real zeros_like ones_like full_like empty_like rand_like randn_like randint_like normal "
    "kthvalue_ where lu_unpack arange full zeros ones eye linspace logspace tensor as_tensor from_numpy range rsub "
    "hann_window hamming_window bartlett_window blackman_window kaiser_window scalar_tensor finfo iinfo Size empty "
    "real imag poisson dropout randint rand randn randperm fftfreq isin concat mode_ divide_ block".split()
)
"""Those that torch has as functions alone, or whose first argument is not the tensor."""

NOT_AS_METHODS = {"labels.repeat_interleave()", "x.split(split_size_or_sections=2, dim=-1)"}
"""Calls that the method does not take."""

OLD_CLASSES = (
    "torch.FloatTensor",
    "torch.LongTensor",
    "torch.ByteTensor",
    "torch.cuda.FloatTensor if False else torch.DoubleTensor",
    "'torch.HalfTensor'",
)

CALLS = together(
    as_methods(
        together(
            calls_elementwise.CALLS,
            calls_reductions.CALLS,
            calls_shaping.CALLS,
            calls_indexing.CALLS,
            calls_linear_algebra.CALLS,
        )
    ),
    for_each("T mT H mH", "x.NAME"),
    for_each("mT mH", "t.NAME"),
    for_each("H mH", "c.NAME"),
    for_each("float double half int long short bool", "x.NAME()", "i.NAME()", "k.NAME()", "d.NAME()", "halves.NAME()"),
    for_each("byte char", "k.NAME()", "j.NAME()"),
    for_each("bfloat16", "x.NAME()"),
    for_each("dim ndimension nelement numel", "x.NAME()", "s.NAME()", "t.NAME()", "e.NAME()"),
    for_each("ndim shape", "x.NAME", "s.NAME", "t.NAME"),
    for_each("shape", "x.NAME[0]", "t.NAME[-1]", "t.NAME[:2]"),
    for_each("real imag", "c.NAME"),
    for_each("real", "x.NAME"),
    for_each("dtype", "x.NAME", "i.NAME", "k.NAME"),
    for_each("data", "x.NAME"),
    for_each("is_signed", "x.NAME()", "u8.NAME()"),
    for_each("is_contiguous", "x.NAME()", "x.t().NAME()"),
    for_each("is_complex is_floating_point", "x.NAME()", "i.NAME()", "c.NAME()"),
    for_each("contiguous clone detach cpu", "x.NAME()", "i.NAME()"),
    for_each("contiguous", "x.t().NAME()"),
    for_each("numpy tolist", "x.NAME()", "i.NAME()"),
    for_each("item", "s.NAME()", "si.NAME()", "x[0, 0].NAME()", "k[0, 0].NAME()"),
    for_each("storage_offset", "x.NAME()", "x[1].NAME()"),
    for_each("element_size", "x.NAME()", "d.NAME()"),
    for_each("type_as", "x.NAME(i)", "i.NAME(x)"),
    for_each("cauchy_ log_normal_", "e.NAME()"),
    of_tensors(
        size=["x.size()", "x.size(0)", "x.size(-1)", "t.size(dim=1)", "s.size()"],
        stride=["x.stride()", "x.stride(0)", "t.stride(dim=-1)"],
        view=[
            "x.view(2, 6)",
            "x.view(-1)",
            "x.view((4, 3))",
            "t.view(2, -1)",
            "t.view(t.size(0), -1)",
            "x.view(x.shape[0], 2, 2)",
            "x.view(size=(6, 2))",
            "x.view([12])",
            "i.view(4, 3)",
            "x.view(torch.int32)",
            "x.view(t.shape[1], -1)",
        ],
        view_as=["x.view_as(x.reshape(4, 3))", "x.view_as(other=y)"],
        reshape=[
            "x.reshape(2, 6)",
            "x.reshape(-1)",
            "x.reshape((4, 3))",
            "x.reshape(shape=(6, 2))",
            "x.reshape([3, -1])",
            "t.reshape(t.shape[0], -1)",
            "x.t().reshape(-1)",
        ],
        reshape_as=["x.reshape_as(x.reshape(4, 3))", "x.reshape_as(other=y)"],
        permute=[
            "t.permute(2, 0, 1)",
            "t.permute((0, 2, 1))",
            "t.permute(-1, 0, 1)",
            "t4.permute(0, 2, 3, 1)",
            "t.permute(dims=(1, 0, 2))",
            "t.permute([1, 0, 2])",
        ],
        expand=[
            "row.expand(3, 4)",
            "row.expand(3, -1)",
            "x.expand(2, 3, 4)",
            "row.expand((3, 4))",
            "row.expand(size=(3, 4))",
            "col.expand(-1, 4)",
            "s.expand(2, 2)",
            "i[:1].expand(3, -1)",
            "row.expand(x.shape[0], -1)",
            "row.expand([3, 4])",
        ],
        expand_as=["row.expand_as(x)", "col.expand_as(other=x)"],
        repeat=[
            "x.repeat(2, 1)",
            "x.repeat(2, 1, 3)",
            "x.repeat((1, 2))",
            "v.repeat(3)",
            "x.repeat(repeats=(2, 2))",
            "i.repeat(1, 2)",
            "x.repeat([2, 1])",
            "s.repeat(2)",
        ],
        tile=["x.tile(2, 1)", "x.tile((2, 1))", "v.tile(3)"],
        broadcast_to=["row.broadcast_to((3, 4))"],
        flip=["x.flip(0)", "x.flip(0, 1)", "x.flip((1,))", "x.flip([0])", "x.flip(-1)", "x.flip(dims=(0,))"],
        transpose=["x.transpose(0, 1)", "t.transpose(-1, -2)", "t.transpose(1, 2)", "t.transpose(dim0=0, dim1=2)"],
        to=[
            "x.to(torch.float64)",
            "x.to(dtype=torch.int64)",
            "i.to(torch.float32)",
            "x.to('cpu')",
            "x.to(device='cpu')",
            "x.to(y)",
            "x.to('cpu', torch.float16)",
            "x.to(device='cpu', dtype=torch.float64)",
            "x.to(i.dtype)",
            "x.to(d)",
            "x.to(torch.bool)",
            "x.to(torch.float64, copy=True)",
            "x.to(dtype=torch.float16, non_blocking=True)",
            "x.to(torch.device('cpu'))",
            "x.to(i.device)",
            "halves.to(torch.int32)",
        ],
        type=[
            "x.type(torch.float64)",
            "i.type(torch.float32)",
            "x.type(dtype=torch.int64)",
            *(f"x.type({name})" for name in OLD_CLASSES),
        ],
        hardshrink=["x.hardshrink()", "x.hardshrink(0.3)", "x.hardshrink(lambd=1.0)", "halves.hardshrink()"],
        softmax=["x.softmax(1)", "x.softmax(dim=-1)", "t.softmax(dim=1)", "h.softmax(dim=-1, dtype=torch.float32)"],
        log_softmax=["x.log_softmax(1)", "x.log_softmax(dim=-1)"],
        relu=["x.relu()", "xn.relu()"],
        masked_fill=[
            "x.masked_fill(k, 0.5)",
            "x.masked_fill(mask=k, value=-1)",
            "x.masked_fill(kv, 2.0)",
            "i.masked_fill(k, 3)",
            "x.masked_fill(k, s)",
            "x.masked_fill(k, float('-inf'))",
            "x.masked_fill(x > 0, 0)",
            "x.masked_fill(k == 0, -1e9)",
            "d.masked_fill(k, 0.5)",
            "h.masked_fill(k, float('-inf'))",
        ],
        masked_scatter=["x.masked_scatter(k, y)", "x.masked_scatter(mask=k, source=big)", "i.masked_scatter(k, j)"],
        index_add=[
            "x.index_add(0, pick, y[:2])",
            "x.index_add(1, pick, y[:, :2], alpha=2)",
            "x.index_add(dim=0, index=pick, source=y[:2])",
            "i.index_add(0, pick, j[:2])",
            "x.index_add(0, labels[:2], y[:2])",
        ],
        index_fill=[
            "x.index_fill(0, pick, 2.0)",
            "x.index_fill(dim=1, index=pick, value=-1)",
            "i.index_fill(0, pick, 7)",
            "x.index_fill(-1, pick, 0)",
        ],
        index_put=[
            "x.index_put((pick,), y[:2])",
            "x.index_put((pick, pick), s)",
            "x.index_put(indices=(pick,), values=row, accumulate=True)",
            "x.index_put([pick, pick], u[:2])",
        ],
        take=["x.take(n)", "x.take(index=g34)", "i.take(n)"],
        scatter_=[
            "x.scatter_(1, perm, y)",
            "x.scatter_(1, g32, 2.0)",
            "x.scatter_(dim=0, index=g34[:1], src=y)",
            "x.scatter_(1, perm, y, reduce='add')",
            "x.scatter_(-1, g32, value=0.5)",
        ],
        fill_diagonal_=[
            "x.fill_diagonal_(2.0)",
            "q.fill_diagonal_(fill_value=-1)",
            "tall.fill_diagonal_(3, wrap=True)",
            "x.fill_diagonal_(2.0, True)",
        ],
        clamp_=["x.clamp_(-0.5, 0.5)", "x.clamp_(min=0)", "x.clamp_(max=0.3)", "x.clamp_(min=-0.5, max=0.5)"],
        new_ones=[
            "x.new_ones(2, 3)",
            "x.new_ones((2, 3))",
            "x.new_ones([2], dtype=torch.int64)",
            "i.new_ones(size=(2,))",
            "h.new_ones((2, 2))",
            "x.new_ones(4)",
        ],
        new_zeros=[
            "x.new_zeros(2, 3)",
            "x.new_zeros((2, 3))",
            "x.new_zeros([2], dtype=torch.int64)",
            "i.new_zeros(size=(2,))",
            "x.new_zeros(x.size(0), 2)",
            "x.new_zeros(4)",
            "h.new_zeros((2, 2), device='cpu')",
        ],
        new_full=[
            "x.new_full((2, 3), 1.5)",
            "i.new_full(size=(2,), fill_value=3)",
            "x.new_full((2,), 3, dtype=torch.int64)",
        ],
        new_tensor=["x.new_tensor([1.0, 2.0])", "i.new_tensor([1, 2])"],
        new_empty=["x.new_empty(2, 3)", "x.new_empty((2, 3))"],
        sum_to_size=["x.sum_to_size(1, 4)", "x.sum_to_size((3, 1))", "t.sum_to_size(3, 4)"],
        unfold=["x.unfold(1, 2, 1)", "seq.unfold(-1, 3, 2)", "x.unfold(dimension=0, size=2, step=1)"],
        split=["x.split(2, dim=1)", "x.split([1, 2])", "x.split(split_size=2, dim=1)", "x.split((1, 3), -1)"],
        squeeze=["one.squeeze()", "one.squeeze(0)", "one.squeeze(dim=2)", "one.squeeze(-2)", "x.squeeze(0)"],
        norm=[
            "x.norm()",
            "x.norm(2)",
            "x.norm(p=1)",
            "x.norm(dim=1)",
            "x.norm(2, -1)",
            "x.norm(p=2, dim=1, keepdim=True)",
            "x.norm(float('inf'))",
            "x.norm('fro')",
        ],
        where=["x.where(k, y)", "x.where(condition=k, other=y)", "x.where(k, 0.0)", "x.where(x > 0, -x)"],
        nonzero=["ties.nonzero()", "k.nonzero(as_tuple=True)", "ties.nonzero(as_tuple=False)"],
        pow=[
            "x.pow(2)",
            "x.pow(exponent=3)",
            "pos.pow(0.5)",
            "pos.pow(y)",
            "i.pow(2)",
            "x.pow(2).mean(-1, keepdim=True)",
        ],
        copy_=["x.copy_(y)", "x.copy_(i)"],
        fill_=["x.fill_(2)", "x.fill_(value=0.5)"],
        zero_=["x.zero_()"],
        masked_fill_=["x.masked_fill_(k, 0.5)"],
        requires_grad_=["x.requires_grad_(False)"],
        index_add_=["x.index_add_(0, pick, y[:2])"],
        index_copy_=["x.index_copy_(0, pick, y[:2])"],
        scatter_add_=["x.scatter_add_(1, perm, y)"],
        unsqueeze_=["x.unsqueeze_(0)"],
        transpose_=["x.transpose_(0, 1)"],
        t_=["x.t_()"],
    ),
    for_each("add_ sub_ mul_ div_", "x.NAME(y)", "x.NAME(2.0)", "x.NAME(other=y)"),
    for_each("add_ sub_", "x.NAME(y, alpha=2)"),
    for_each("relu_ sigmoid_ tanh_ exp_ sqrt_ neg_ abs_ floor_ ceil_ round_ square_ log_ erfinv_", "p.NAME()"),
    for_each("pow_", "x.NAME(2)"),
)
"""By torch name, each call as one would write it."""

RANDOM = together(
    {
        "torch.Tensor.bernoulli": [
            "(big.sigmoid() * 0.4).bernoulli()",
            "big.sigmoid().bernoulli(p=0.3)",
            "big.bernoulli(0.3)",
        ]
    },
    {
        "torch.Tensor.multinomial": [
            "pos[0].multinomial(5000, True)",
            "pos.multinomial(3000, replacement=True)",
            "pos[1].multinomial(num_samples=4)",
        ]
    },
    for_each("uniform_ normal_ cauchy_ log_normal_ exponential_ bernoulli_", "big.NAME()"),
    for_each("bernoulli_", "big.NAME(0.8)", "big.NAME(p=0.3)", "big.NAME(1)"),
    for_each("uniform_", "big.NAME(-1, 1)", "big.NAME(to=3.0)"),
    for_each("normal_ cauchy_ log_normal_", "big.NAME(1.0, 2.0)"),
    {
        "torch.Tensor.normal_": ["big.normal_(mean=0.0, std=0.02)"],
        "torch.Tensor.cauchy_": ["big.cauchy_(median=1.0, sigma=0.5)"],
        "torch.Tensor.log_normal_": ["big.log_normal_(mean=0.5, std=0.3)"],
    },
)
"""Calls whose numbers are drawn."""
