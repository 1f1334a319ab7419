"""What is written for torch.nn.init."""

from __future__ import annotations

import pytest

from tests.source_rewriting.real import suggested

WRITTEN = [
    (
        "nn.init.trunc_normal_(self.pos_embed, std=0.02)",
        "torch.nn.init.trunc_normal_",
        (
            "self.pos_embed.copy_(mindspore.common.initializer.initializer(mindspore.common.initializ"
            "er.TruncatedNormal(0.02, 0.0, -2.0, 2.0), self.pos_embed.shape, self.pos_embed.dtype).in"
            "it_data())"
        ),
        "differs",
        False,
    ),
    (
        "nn.init.zeros_(m.bias)",
        "torch.nn.init.zeros_",
        "m.bias.copy_(mindspore.ops.zeros_like(m.bias))",
        "differs",
        True,
    ),
    (
        "nn.init.constant_(m.bias, 0.5)",
        "torch.nn.init.constant_",
        "m.bias.copy_(mindspore.ops.full_like(m.bias, 0.5))",
        "differs",
        False,
    ),
    (
        "nn.init.normal_(w, 0, 0.01)",
        "torch.nn.init.normal_",
        (
            "w.copy_(mindspore.common.initializer.initializer(mindspore.common.initializer.Normal(0.0"
            "1, 0), w.shape, w.dtype).init_data())"
        ),
        "differs",
        False,
    ),
    (
        "nn.init.xavier_uniform_(w)",
        "torch.nn.init.xavier_uniform_",
        (
            "w.copy_(mindspore.common.initializer.initializer(mindspore.common.initializer.XavierUnif"
            "orm(1.0), w.shape, w.dtype).init_data())"
        ),
        "differs",
        True,
    ),
    (
        'nn.init.kaiming_normal_(w, mode="fan_out", nonlinearity="relu")',
        "torch.nn.init.kaiming_normal_",
        (
            "w.copy_(mindspore.common.initializer.initializer(mindspore.common.initializer.HeNormal(0"
            ', "fan_out", "relu"), w.shape, w.dtype).init_data())'
        ),
        "differs",
        True,
    ),
    (
        "nn.init.uniform_(w, -k, k)",
        "torch.nn.init.uniform_",
        "w.copy_(mindspore.ops.rand_like(w) * ((k) - (-k)) + (-k))",
        "differs",
        False,
    ),
    (
        "nn.init.zeros_(w[0])",
        "torch.nn.init.zeros_",
        None,
        "by_hand",
        False,
    ),
]


@pytest.mark.parametrize(("text", "torch", "write", "status", "silent"), WRITTEN)
def test_what_is_written(text: str, torch: str, write: str | None, status: str, silent: bool) -> None:
    """New numbers are made by an initializer and written over the parameter."""
    found = suggested(text, torch)
    assert (found.write, found.status, found.silent) == (write, status, silent)
