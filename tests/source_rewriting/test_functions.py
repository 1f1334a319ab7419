"""What is written for the functions of torch."""

from __future__ import annotations

import pytest

from tests.source_rewriting.real import suggested

WRITTEN = [
    ("torch.cdist(x, y, p=1)", "torch.cdist", "mindspore.ops.cdist(x, y, p=1.0)", "renamed", False),
    ("torch.masked_fill(x, m, 0)", "torch.masked_fill", "x.masked_fill(m, 0)", "differs", False),
    ("torch.linalg.norm(x, 2.0)", "torch.linalg.norm", "mindspore.ops.norm(x, 2)", "differs", True),
    ("torch.zeros(())", "torch.zeros", "mindspore.ops.zeros((), dtype=mindspore.float32)", "differs", False),
    ("torch.any(counts, 1)", "torch.any", "mindspore.ops.any(counts.bool(), 1)", "differs", True),
    (
        "nn.ModuleList(f(i) for i in n)",
        "torch.nn.ModuleList",
        "mindspore.nn.CellList([f(i) for i in n])",
        "differs",
        False,
    ),
    (
        "torch.cat((cls_token, x), dim=1)",
        "torch.cat",
        "mindspore.ops.cat((cls_token, x), axis=1)",
        "renamed",
        False,
    ),
    (
        "torch.cat([a, b])",
        "torch.cat",
        "mindspore.ops.cat([a, b])",
        "same",
        False,
    ),
    (
        "torch.stack(xs, dim=-1)",
        "torch.stack",
        "mindspore.ops.stack(xs, axis=-1)",
        "renamed",
        False,
    ),
    (
        "torch.zeros(2, 3)",
        "torch.zeros",
        "mindspore.ops.zeros((2, 3))",
        "renamed",
        False,
    ),
    (
        "torch.zeros(2, 3, device=device)",
        "torch.zeros",
        "mindspore.ops.zeros((2, 3))",
        "renamed",
        False,
    ),
    (
        "torch.zeros(n)",
        "torch.zeros",
        "mindspore.ops.zeros(n)",
        "same",
        False,
    ),
    (
        "torch.zeros(*shape)",
        "torch.zeros",
        "mindspore.ops.zeros((*shape,))",
        "renamed",
        False,
    ),
    (
        "torch.ones(size=(2, 3))",
        "torch.ones",
        "mindspore.ops.ones((2, 3))",
        "renamed",
        False,
    ),
    (
        "torch.full((2, 3), 1.5)",
        "torch.full",
        "mindspore.ops.full((2, 3), 1.5, dtype=mindspore.float32)",
        "differs",
        True,
    ),
    (
        "torch.full((2, 3), 7)",
        "torch.full",
        "mindspore.ops.full((2, 3), 7)",
        "same",
        False,
    ),
    (
        "torch.full((2, 3), value)",
        "torch.full",
        "mindspore.ops.full((2, 3), value, dtype=mindspore.Tensor(value).dtype)",
        "differs",
        True,
    ),
    (
        "torch.empty(2, 3)",
        "torch.empty",
        "mindspore.mint.empty((2, 3))",
        "renamed",
        False,
    ),
    (
        "torch.arange(5)",
        "torch.arange",
        "mindspore.ops.arange(5)",
        "same",
        False,
    ),
    (
        "torch.arange(0, n, 2)",
        "torch.arange",
        "mindspore.ops.arange(0, n, 2)",
        "same",
        False,
    ),
    (
        "torch.linspace(0, 1, 5)",
        "torch.linspace",
        "mindspore.ops.linspace(0, 1, 5)",
        "same",
        False,
    ),
    (
        "torch.randn(2, 3)",
        "torch.randn",
        "mindspore.ops.randn(2, 3)",
        "same",
        False,
    ),
    (
        "torch.randint(10, (2,))",
        "torch.randint",
        "mindspore.ops.randint(low=0, high=10, size=(2,))",
        "differs",
        False,
    ),
    (
        "torch.tensor([1.0, 2.0])",
        "torch.tensor",
        "mindspore.tensor([1.0, 2.0])",
        "same",
        False,
    ),
    (
        "torch.from_numpy(array)",
        "torch.from_numpy",
        "mindspore.from_numpy(array)",
        "same",
        False,
    ),
    (
        "torch.meshgrid(a, b)",
        "torch.meshgrid",
        "mindspore.ops.meshgrid(a, b, indexing='ij')",
        "differs",
        True,
    ),
    (
        'torch.meshgrid(a, b, indexing="xy")',
        "torch.meshgrid",
        'mindspore.ops.meshgrid(a, b, indexing="xy")',
        "same",
        False,
    ),
    (
        "torch.flatten(x, 1)",
        "torch.flatten",
        "mindspore.ops.flatten(x, start_dim=1)",
        "renamed",
        False,
    ),
    (
        "torch.flatten(x)",
        "torch.flatten",
        "mindspore.ops.flatten(x, start_dim=0)",
        "differs",
        True,
    ),
    (
        "torch.split(x, 2, dim=1)",
        "torch.split",
        "mindspore.ops.split(x, 2, axis=1)",
        "renamed",
        False,
    ),
    (
        "torch.chunk(x, 3, dim=-1)",
        "torch.chunk",
        "mindspore.ops.chunk(x, 3, axis=-1)",
        "renamed",
        False,
    ),
    (
        "torch.transpose(x, 1, 2)",
        "torch.transpose",
        "mindspore.ops.swapaxes(x, 1, 2)",
        "renamed",
        False,
    ),
    (
        "torch.where(m, a, b)",
        "torch.where",
        "mindspore.ops.where(m, a, b)",
        "same",
        False,
    ),
    (
        "torch.topk(x, 2)",
        "torch.topk",
        "mindspore.ops.topk(x, 2, dim=-1)",
        "differs",
        False,
    ),
    (
        "torch.sort(x, dim=1, descending=True)",
        "torch.sort",
        "mindspore.ops.sort(x, axis=1, descending=True)",
        "differs",
        False,
    ),
    (
        "torch.max(x)",
        "torch.max",
        "mindspore.ops.max(x)[0]",
        "differs",
        True,
    ),
    (
        "torch.max(x, dim=1)",
        "torch.max",
        "mindspore.ops.max(x, axis=1)",
        "differs",
        False,
    ),
    (
        "torch.max(x, 1, True)",
        "torch.max",
        "mindspore.ops.max(x, 1, True)",
        "differs",
        False,
    ),
    (
        "torch.max(a, b)",
        "torch.max",
        "mindspore.mint.max(a, b)",
        "differs",
        False,
    ),
    (
        "torch.std(x, 1)",
        "torch.std",
        "mindspore.ops.std(x, 1, ddof=1)",
        "differs",
        True,
    ),
    (
        "torch.std(x, 1, False)",
        "torch.std",
        "mindspore.ops.std(x, 1, ddof=0)",
        "renamed",
        False,
    ),
    (
        "torch.var(x, dim=1, correction=0)",
        "torch.var",
        "mindspore.ops.var(x, axis=1, ddof=0)",
        "renamed",
        False,
    ),
    (
        "torch.sum(x, dim=1)",
        "torch.sum",
        "mindspore.ops.sum(x, dim=1)",
        "same",
        False,
    ),
    (
        "torch.mean(x, dim=1, keepdim=True)",
        "torch.mean",
        "mindspore.ops.mean(x, axis=1, keep_dims=True)",
        "renamed",
        False,
    ),
    (
        "torch.norm(x, dim=1)",
        "torch.norm",
        "mindspore.ops.vector_norm(x, axis=1)",
        "differs",
        False,
    ),
    (
        "torch.any(x > 0)",
        "torch.any",
        "mindspore.ops.any(x > 0)",
        "same",
        False,
    ),
    (
        "torch.any(mask)",
        "torch.any",
        "mindspore.ops.any(mask.bool())",
        "differs",
        True,
    ),
    (
        "torch.unique(x)",
        "torch.unique",
        "mindspore.ops.sort(mindspore.ops.unique(x)[0])[0]",
        "differs",
        True,
    ),
    (
        'torch.einsum("ij,jk->ik", a, b)',
        "torch.einsum",
        'mindspore.ops.einsum("ij,jk->ik", a, b)',
        "same",
        False,
    ),
    (
        "torch.matmul(a, b)",
        "torch.matmul",
        "mindspore.ops.matmul(a, b)",
        "same",
        False,
    ),
    (
        "torch.gather(x, 1, index)",
        "torch.gather",
        "mindspore.ops.gather_elements(x, 1, index)",
        "renamed",
        False,
    ),
    (
        "torch.round(x, decimals=2)",
        "torch.round",
        "mindspore.ops.round(x * 100) / 100",
        "differs",
        False,
    ),
    (
        'torch.div(a, b, rounding_mode="floor")',
        "torch.div",
        "mindspore.ops.floor_divide(a, b)",
        "renamed",
        False,
    ),
    (
        "torch.fft.fft(x, dim=1)",
        "torch.fft.fft",
        "mindspore.ops.fft(x, dim=1)",
        "same",
        False,
    ),
    (
        "torch.jit.is_scripting()",
        "torch.jit.is_scripting",
        "False",
        "differs",
        False,
    ),
]


@pytest.mark.parametrize(("text", "torch", "write", "status", "silent"), WRITTEN)
def test_what_is_written(text: str, torch: str, write: str | None, status: str, silent: bool) -> None:
    """The call to write, its status, and whether a mere change of name goes unnoticed."""
    found = suggested(text, torch)
    assert (found.write, found.status, found.silent) == (write, status, silent)


def test_mint_keeps_torchs_names() -> None:
    """Where mint is preferred the arguments stay as they are."""
    assert suggested("torch.cat((a, b), dim=1)", "torch.cat", mint=True).write == "mindspore.mint.cat((a, b), dim=1)"


def test_a_tuple_without_names_is_said() -> None:
    """Of what torch calls .values and .indices a sentence says where it is."""
    assert any("[0] for .values" in said for said in suggested("torch.max(x, dim=1)", "torch.max").differences)


def test_what_kernels_pass_over_is_said() -> None:
    """Where MindSpore's kernel lets a NaN go, the advice says so."""
    assert "NaN" in suggested("torch.clamp(x, 0, 1)", "torch.clamp").advice
