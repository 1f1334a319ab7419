"""What is written for the functions of torch.nn.functional."""

from __future__ import annotations

import pytest

from tests.source_rewriting.real import suggested

WRITTEN = [
    ("F.elu(x, 1)", "torch.nn.functional.elu", "mindspore.ops.elu(x, 1.0)", "renamed", False),
    ("F.pad(x, (-1, 1))", "torch.nn.functional.pad", "mindspore.ops.pad(x[..., 1:], (0, 1))", "differs", True),
    ("F.pad(x, (0, 0, -1, -2))", "torch.nn.functional.pad", "x[..., 1:-2, :]", "differs", True),
    (
        "F.softmax(x, dim=-1)",
        "torch.nn.functional.softmax",
        "mindspore.ops.softmax(x, axis=-1)",
        "renamed",
        False,
    ),
    (
        "F.softmax(x)",
        "torch.nn.functional.softmax",
        "mindspore.ops.softmax(x, 0 if x.ndim in (0, 1, 3) else 1)",
        "differs",
        True,
    ),
    (
        "F.log_softmax(x, dim=1)",
        "torch.nn.functional.log_softmax",
        "mindspore.ops.log_softmax(x, 1)",
        "renamed",
        False,
    ),
    (
        "F.relu(x)",
        "torch.nn.functional.relu",
        "mindspore.ops.relu(x)",
        "same",
        False,
    ),
    (
        'F.gelu(x, approximate="tanh")',
        "torch.nn.functional.gelu",
        'mindspore.ops.gelu(x, approximate="tanh")',
        "same",
        False,
    ),
    (
        "F.leaky_relu(x)",
        "torch.nn.functional.leaky_relu",
        "mindspore.ops.leaky_relu(x, alpha=0.01)",
        "differs",
        True,
    ),
    (
        "F.silu(x, inplace=True)",
        "torch.nn.functional.silu",
        "x.copy_(mindspore.ops.silu(x))",
        "differs",
        False,
    ),
    (
        "F.elu(x, 0.5)",
        "torch.nn.functional.elu",
        "mindspore.mint.nn.functional.elu(x, 0.5)",
        "differs",
        False,
    ),
    (
        "F.cross_entropy(logits, labels)",
        "torch.nn.functional.cross_entropy",
        "mindspore.ops.cross_entropy(logits, labels)",
        "same",
        False,
    ),
    (
        "F.smooth_l1_loss(x, y)",
        "torch.nn.functional.smooth_l1_loss",
        "mindspore.ops.smooth_l1_loss(x, y, reduction='mean')",
        "differs",
        True,
    ),
    (
        "F.conv2d(x, w)",
        "torch.nn.functional.conv2d",
        "mindspore.ops.conv2d(x, w)",
        "same",
        False,
    ),
    (
        "F.conv2d(x, w, b, 2, 1)",
        "torch.nn.functional.conv2d",
        "mindspore.ops.conv2d(x, w, b, 2, pad_mode='pad', padding=1)",
        "differs",
        False,
    ),
    (
        'F.conv2d(x, w, padding="same")',
        "torch.nn.functional.conv2d",
        'mindspore.ops.conv2d(x, w, pad_mode="same")',
        "renamed",
        False,
    ),
    (
        "F.avg_pool2d(x, 2)",
        "torch.nn.functional.avg_pool2d",
        "mindspore.ops.avg_pool2d(x, 2, stride=2)",
        "differs",
        True,
    ),
    (
        "F.max_pool2d(x, 3, 2, 1)",
        "torch.nn.functional.max_pool2d",
        "mindspore.ops.max_pool2d(x, 3, 2, 1)",
        "same",
        False,
    ),
    (
        "F.adaptive_avg_pool2d(x, 1)",
        "torch.nn.functional.adaptive_avg_pool2d",
        "mindspore.ops.adaptive_avg_pool2d(x, 1)",
        "same",
        False,
    ),
    (
        'F.interpolate(x, size=(8, 8), mode="bilinear", align_corners=False)',
        "torch.nn.functional.interpolate",
        'mindspore.ops.interpolate(x, size=(8, 8), mode="bilinear", align_corners=False)',
        "same",
        False,
    ),
    (
        "F.interpolate(x, scale_factor=2)",
        "torch.nn.functional.interpolate",
        "mindspore.ops.interpolate(x, scale_factor=2.0, recompute_scale_factor=True)",
        "differs",
        False,
    ),
    (
        'F.interpolate(x, size=(8, 8), mode="bicubic")',
        "torch.nn.functional.interpolate",
        'mindspore.mint.nn.functional.interpolate(x, size=(8, 8), mode="bicubic")',
        "differs",
        True,
    ),
    (
        "F.pad(x, (1, 1))",
        "torch.nn.functional.pad",
        "mindspore.ops.pad(x, (1, 1))",
        "same",
        False,
    ),
    (
        "F.layer_norm(x, (4,), w, b, 1e-6)",
        "torch.nn.functional.layer_norm",
        "mindspore.ops.LayerNorm(-1, -1, 1e-6)(x, w, b)[0]",
        "differs",
        False,
    ),
    (
        "F.group_norm(x, 4, w, b)",
        "torch.nn.functional.group_norm",
        "mindspore.ops.group_norm(x, 4, w, b)",
        "same",
        False,
    ),
    (
        "F.normalize(x, dim=-1)",
        "torch.nn.functional.normalize",
        "x / mindspore.ops.clamp(mindspore.ops.vector_norm(x, axis=-1, keepdims=True), min=1e-12)",
        "differs",
        False,
    ),
    (
        "F.one_hot(x, 10)",
        "torch.nn.functional.one_hot",
        "mindspore.ops.one_hot(x, 10)",
        "renamed",
        False,
    ),
    (
        "F.one_hot(x)",
        "torch.nn.functional.one_hot",
        "mindspore.ops.one_hot(x, int(x.max()) + 1)",
        "differs",
        False,
    ),
    (
        "F.embedding(tokens, table)",
        "torch.nn.functional.embedding",
        "mindspore.ops.gather(table, tokens, 0)",
        "differs",
        False,
    ),
    (
        "F.linear(x, w, b)",
        "torch.nn.functional.linear",
        "mindspore.ops.dense(x, w, b)",
        "renamed",
        False,
    ),
    (
        "F.scaled_dot_product_attention(q, k, v)",
        "torch.nn.functional.scaled_dot_product_attention",
        (
            "mindspore.ops.matmul(mindspore.ops.softmax(mindspore.ops.matmul(q, k.swapaxes(-2, -1)) *"
            " (q.shape[-1] ** -0.5), -1), v)"
        ),
        "differs",
        False,
    ),
    (
        "F.scaled_dot_product_attention(q, k, v, is_causal=True)",
        "torch.nn.functional.scaled_dot_product_attention",
        (
            "mindspore.ops.matmul(mindspore.ops.softmax(mindspore.ops.matmul(q, k.swapaxes(-2, -1)) *"
            " (q.shape[-1] ** -0.5) + mindspore.ops.where(mindspore.ops.ones((q.shape[-2], k.shape[-2"
            "]), mindspore.bool_).tril(), 0.0, float('-inf')), -1), v)"
        ),
        "differs",
        False,
    ),
]


@pytest.mark.parametrize(("text", "torch", "write", "status", "silent"), WRITTEN)
def test_what_is_written(text: str, torch: str, write: str | None, status: str, silent: bool) -> None:
    """A default that differs is written out, and what has no counterpart is put together."""
    found = suggested(text, torch)
    assert (found.write, found.status, found.silent) == (write, status, silent)
