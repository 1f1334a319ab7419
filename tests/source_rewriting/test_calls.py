"""What is written for a call: this call's arguments, with what MindSpore has otherwise."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest

from tests.source_rewriting.known import Known, told
from tracer.source.facts.table import Signature
from tracer.source.rewriting.suggesting import suggest
from tracer.source.uses import Use

WRITTEN = [
    ("torch.cat((cls_token, x), dim=1)", "torch.cat", "mindspore.ops.cat((cls_token, x), axis=1)"),
    (
        "nn.Conv2d(3, 64, 7, stride=2, padding=3)",
        "torch.nn.Conv2d",
        "mindspore.nn.Conv2d(3, 64, 7, stride=2, pad_mode='pad', padding=3, has_bias=True)",
    ),
    ("nn.LayerNorm(768)", "torch.nn.LayerNorm", "mindspore.nn.LayerNorm((768,), epsilon=1e-5)"),
    ("nn.GELU()", "torch.nn.GELU", "mindspore.nn.GELU(approximate=False)"),
    ("nn.GELU('tanh')", "torch.nn.GELU", "mindspore.nn.GELU(approximate=True)"),
    ("nn.BatchNorm2d(64, momentum=0.1)", "torch.nn.BatchNorm2d", "mindspore.nn.BatchNorm2d(64, momentum=0.9)"),
    ("nn.BatchNorm2d(64, 1e-3, m)", "torch.nn.BatchNorm2d", "mindspore.nn.BatchNorm2d(64, 1e-3, 1 - m)"),
    ("nn.Dropout(0.1)", "torch.nn.Dropout", "mindspore.nn.Dropout(p=0.1)"),
    (
        "partial(nn.LayerNorm, eps=1e-6)",
        "torch.nn.LayerNorm",
        "lambda normalized_shape: mindspore.nn.LayerNorm((normalized_shape,) if isinstance(normalized_shape, int) "
        "else normalized_shape, epsilon=1e-6)",
    ),
    ("torch.abs(x)", "torch.abs", "mindspore.ops.abs(x)"),
]


@pytest.mark.parametrize(("text", "torch", "write"), WRITTEN)
def test_the_call_to_write(text: str, torch: str, write: str) -> None:
    """The arguments that stand there are carried over, and a default that differs is written out."""
    assert told(text, torch).write == write


class _Broken(Known):
    def signature_of(self, name: str) -> tuple[Signature, ...]:
        raise KeyError(name)


def test_what_fails_costs_one_use() -> None:
    """A row that fails on a call is told as one to write by hand, with the reason, and the scan goes on."""
    node = ast.parse("torch.abs(x)", mode="eval").body
    found = suggest(Use("a.py", 1, 0, "torch.abs", "call", "torch.abs(x)", node), _Broken())
    assert (found.status, found.write, "KeyError" in found.advice) == ("by_hand", None, True)


@pytest.mark.parametrize(("only_asked", "silent"), [(True, False), (False, True)])
def test_a_class_that_is_asked_after_has_no_defaults(only_asked: bool, silent: bool) -> None:
    """`isinstance(m, nn.GELU)` needs the name alone; handed on, the class is called later with its defaults."""
    use = Use("a.py", 1, 0, "torch.nn.GELU", "name", "nn.GELU", ast.parse("nn.GELU", mode="eval").body)
    assert suggest(replace(use, only_asked=only_asked), Known()).silent is silent
