"""What is written for the methods and attributes of tensors."""

from __future__ import annotations

import pytest

from tests.source_rewriting.real import suggested

WRITTEN = [
    ("x.type('torch.cuda.FloatTensor')", "torch.Tensor.type", "x.to(mindspore.float32)", "renamed", False),
    (
        "t.reshape(2, 3).scatter(1, i, 1)",
        "torch.Tensor.scatter",
        "(lambda it, index: mindspore.ops.tensor_scatter_elements(it, index, mindspore.ops.full_like(index, 1, "
        "dtype=it.dtype), 1))(t.reshape(2, 3), i)",
        "differs",
        False,
    ),
    (
        "x.view(b, -1)",
        "torch.Tensor.view",
        "x.view(b, -1)",
        "same",
        False,
    ),
    (
        "x.view((b, c))",
        "torch.Tensor.view",
        "x.view((b, c))",
        "same",
        False,
    ),
    (
        "x.permute(0, 2, 1)",
        "torch.Tensor.permute",
        "x.permute(0, 2, 1)",
        "same",
        False,
    ),
    (
        "x.transpose(1, 2)",
        "torch.Tensor.transpose",
        "x.swapaxes(1, 2)",
        "renamed",
        False,
    ),
    (
        "x.size(0)",
        "torch.Tensor.size",
        "x.shape[0]",
        "renamed",
        False,
    ),
    (
        "x.size()",
        "torch.Tensor.size",
        "x.shape",
        "renamed",
        False,
    ),
    (
        "x.expand(b, -1, -1)",
        "torch.Tensor.expand",
        "x.broadcast_to((b, -1, -1))",
        "renamed",
        False,
    ),
    (
        "x.repeat(2, 1)",
        "torch.Tensor.repeat",
        "x.tile((2, 1))",
        "renamed",
        False,
    ),
    (
        "x.flip(1)",
        "torch.Tensor.flip",
        "x.flip((1,))",
        "renamed",
        False,
    ),
    (
        "x.flatten(1)",
        "torch.Tensor.flatten",
        "x.flatten(1)",
        "same",
        False,
    ),
    (
        "x.mean(dim=1, keepdim=True)",
        "torch.Tensor.mean",
        "x.mean(dim=1, keepdim=True)",
        "same",
        False,
    ),
    (
        "x.std(1)",
        "torch.Tensor.std",
        "mindspore.ops.std(x, 1, ddof=1)",
        "differs",
        True,
    ),
    (
        "x.max()",
        "torch.Tensor.max",
        "x.max()",
        "same",
        False,
    ),
    (
        "x.max(dim=1)",
        "torch.Tensor.max",
        "x.max(dim=1)",
        "differs",
        False,
    ),
    (
        "x.softmax(dim=-1)",
        "torch.Tensor.softmax",
        "mindspore.ops.softmax(x, axis=-1)",
        "renamed",
        False,
    ),
    (
        "x.topk(5)",
        "torch.Tensor.topk",
        "mindspore.ops.topk(x, 5, dim=-1)",
        "differs",
        False,
    ),
    (
        "x.masked_fill(m, v)",
        "torch.Tensor.masked_fill",
        "x.masked_fill(m, v)",
        "same",
        False,
    ),
    (
        "x.where(m, y)",
        "torch.Tensor.where",
        "mindspore.ops.where(m, x, y)",
        "differs",
        False,
    ),
    (
        "x.norm(dim=-1, keepdim=True)",
        "torch.Tensor.norm",
        "mindspore.ops.vector_norm(x, axis=-1, keepdims=True)",
        "differs",
        False,
    ),
    (
        "x.new_zeros(2, 3)",
        "torch.Tensor.new_zeros",
        "x.new_zeros((2, 3))",
        "renamed",
        False,
    ),
    (
        "x.new_full((2,), 1.0)",
        "torch.Tensor.new_full",
        "mindspore.ops.full((2,), 1.0, dtype=x.dtype)",
        "renamed",
        False,
    ),
    (
        "x.type_as(y)",
        "torch.Tensor.type_as",
        "x.type_as(y)",
        "same",
        False,
    ),
    (
        "x.clone()",
        "torch.Tensor.clone",
        "x.copy()",
        "renamed",
        False,
    ),
    (
        "x.byte()",
        "torch.Tensor.byte",
        "x.to(mindspore.uint8)",
        "renamed",
        False,
    ),
    (
        "x.add_(y)",
        "torch.Tensor.add_",
        "x.copy_(x.add(y))",
        "differs",
        True,
    ),
    (
        "self.weight.data.mul_(0.9)",
        "torch.Tensor.mul_",
        "self.weight.data.copy_(self.weight.data.mul(0.9))",
        "differs",
        True,
    ),
    (
        "x[0].add_(1)",
        "torch.Tensor.add_",
        None,
        "by_hand",
        False,
    ),
    (
        "x.relu().add_(1)",
        "torch.Tensor.add_",
        "x.relu().add(1)",
        "differs",
        False,
    ),
    (
        "x.zero_()",
        "torch.Tensor.zero_",
        "x.copy_(mindspore.ops.zeros_like(x))",
        "differs",
        False,
    ),
    (
        "x.fill_(2)",
        "torch.Tensor.fill_",
        "x.copy_(mindspore.ops.full_like(x, 2))",
        "differs",
        False,
    ),
    (
        "x.clamp_(min=0)",
        "torch.Tensor.clamp_",
        "x.copy_(x.clamp(min=0))",
        "differs",
        False,
    ),
    (
        "x.unsqueeze_(0)",
        "torch.Tensor.unsqueeze_",
        None,
        "by_hand",
        False,
    ),
    (
        "x.unfold(1, 2, 1)",
        "torch.Tensor.unfold",
        None,
        "by_hand",
        False,
    ),
    (
        "x.real",
        "torch.Tensor.real",
        "x.real()",
        "differs",
        True,
    ),
    (
        "x.shape",
        "torch.Tensor.shape",
        "x.shape",
        "same",
        False,
    ),
]


@pytest.mark.parametrize(("text", "torch", "write", "status", "silent"), WRITTEN)
def test_what_is_written(text: str, torch: str, write: str | None, status: str, silent: bool) -> None:
    """A method stays one where it can, and what changes a tensor is written over it."""
    found = suggested(text, torch)
    assert (found.write, found.status, found.silent) == (write, status, silent)


def test_a_part_of_a_tensor_is_not_written_over() -> None:
    """MindSpore copies a part, so what changes it in place is by hand."""
    assert suggested("x[0].add_(1)", "torch.Tensor.add_").status == "by_hand"


def test_places_are_of_another_dtype() -> None:
    """Where MindSpore gives int32 for int64, a sentence says so."""
    assert any("int32" in said for said in suggested("x.topk(2)", "torch.Tensor.topk").differences)
