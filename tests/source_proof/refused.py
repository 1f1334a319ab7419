"""Calls that MindSpore refuses by an error for what no source shows: the shapes, ranks or dtypes of tensors.

Each would run for other tensors, so that what is written is not wrong; it cannot be held against torch here.
"""

from __future__ import annotations

_NO_BATCH = "four dimensions"
_AS_LONG = "index and source of one shape, as long as the tensor in all other dimensions"

REFUSED: dict[str, str] = {
    "v.hsplit(2)": "two dimensions",
    "torch.hsplit(v, 2)": "two dimensions",
    "torch.linalg.cond(x)": "a square matrix",
    "F.avg_pool1d(seq[0], 2)": "three dimensions",
    "F.avg_pool2d(img[0], 2)": _NO_BATCH,
    "F.max_pool2d(img[0], 2)": _NO_BATCH,
    "F.conv2d(img[0], kernel, bias6)": _NO_BATCH,
    "F.softmax(s, 0)": "one dimension",
    "F.softmin(s, 0)": "one dimension",
    "x.scatter(dim=0, index=g34[:1], src=y)": _AS_LONG,
    "x.scatter(1, perm[:2], y)": _AS_LONG,
    "x.scatter_(dim=0, index=g34[:1], src=y)": _AS_LONG,
    "x.scatter_add(dim=-1, index=g32, src=y)": _AS_LONG,
    "x.scatter_add(0, g34[:2], y)": _AS_LONG,
    "d.scatter_add(1, g32, d2)": _AS_LONG,
    "torch.scatter_add(input=x, dim=-1, index=g32, src=y)": _AS_LONG,
    "torch.scatter_add(x, 0, g34[:2], y)": _AS_LONG,
    "torch.scatter_add(d, 1, g32, d2)": _AS_LONG,
    "torch.scatter(x, dim=0, index=g34[:1], src=y)": _AS_LONG,
    "torch.scatter(x, 1, perm[:2], y)": _AS_LONG,
    "F.ctc_loss(log_probs=F.log_softmax(t4.reshape(8, 3, 5), 2), targets=torch.tensor([[1, 2], [3, 4], [2, 2]]), "
    "input_lengths=torch.tensor([8, 8, 1]), target_lengths=torch.tensor([2, 1, 2]), "
    "zero_infinity=True)": "inputs as long as their targets",
}
"""By the torch call, what MindSpore asks for."""

AT_EDGES = (
    "signbit(halves)",
    "halves.signbit()",
    "copysign(input=x, other=halves)",
    "x.copysign(other=halves)",
    "xlogy(ties, ties)",
    "ties.xlogy(ties)",
    "float('nan')",
    "~i",
)
"""Parts of calls whose numbers differ at -0.0, at 0 times the logarithm of 0 or at NaN alone, and the bits of
whole numbers, which nobody tells from truth values in a source: that must be said."""
