"""`Facts` answers what a name is called, what it takes and gives, and what its counterpart is."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tracer.source.facts.table import Facts, read_json

FACTS = Facts.load()


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("torch.nn.modules.activation.GELU", "torch.nn.GELU"),
        ("torch.functional.einsum", "torch.einsum"),
        ("torch.nn.parameter.Parameter", "torch.nn.Parameter"),
        ("torch.optim.adam.Adam", "torch.optim.Adam"),
        ("torch.conv2d", "torch.nn.functional.conv2d"),
        ("torch.float", "torch.float32"),
        ("torch.long", "torch.int64"),
        ("torch.nn.Linear.cuda", "torch.nn.Module.cuda"),
        ("torch.nn.Parameter.data", "torch.Tensor.data"),
        ("torch.relu", "torch.relu"),
        ("torch.nn.functional.relu", "torch.nn.functional.relu"),
        ("torch.nn", "torch.nn"),
        ("torch", "torch"),
    ],
)
def test_each_name_is_brought_to_its_public_one(name: str, full: str) -> None:
    """Where a name is defined or re-exported does not matter; two functions of one name stay two."""
    assert FACTS.canonical(name) == full


@pytest.mark.parametrize("name", ["torch.foo", "torch.nn.Linaer", "numpy.array", "", "torch.nn.functional.", "."])
def test_what_torch_does_not_have_has_no_name(name: str) -> None:
    """A name that does not exist is not guessed."""
    assert FACTS.canonical(name) is None
    assert FACTS.name(name) is None


def test_a_signature_has_names_defaults_and_ways_to_be_given() -> None:
    """A builtin's parameters with the names that numpy's users may write."""
    found = FACTS.name("torch.sum")
    assert found is not None
    dim = next(one for signature in found.signatures for one in signature.parameters if one.name == "dim")
    assert dim.sort == "positional"
    assert dim.also == ("axis",)
    gelu = FACTS.name("torch.nn.functional.gelu")
    assert gelu is not None
    assert [(one.name, one.default, one.sort) for one in gelu.signatures[0].parameters[:2]] == [
        ("input", None, "positional"),
        ("approximate", "'none'", "keyword_only"),
    ]


@pytest.mark.parametrize(
    ("name", "gives"),
    [
        ("torch.cat", "tensor"),
        ("torch.Tensor.view", "tensor"),
        ("torch.Tensor.__matmul__", "tensor"),
        ("torch.Tensor.split", "tensors"),
        ("torch.topk", "tensors"),
        ("torch.Tensor.size", "other"),
        ("torch.Tensor.shape", "other"),
        ("torch.Tensor.T", "tensor"),
        ("torch.nn.GELU", "layer"),
        ("torch.nn.Parameter", "tensor"),
        ("torch.nn.Linear.weight", "tensor"),
        ("torch.nn.LSTM.forward", "tensors"),
        ("torch.nn.Conv2d.forward", "tensor"),
        ("torch.is_tensor", "other"),
        ("torch.nn.functional.max_pool2d", "tensor"),
    ],
)
def test_what_a_call_gives_is_known(name: str, gives: str) -> None:
    """Tensors, tuples of them, layers, other things."""
    found = FACTS.name(name)
    assert found is not None
    assert found.gives == gives


def test_an_overload_may_give_something_else() -> None:
    """`torch.max` of a tensor is a tensor, along a dimension it is two."""
    found = FACTS.name("torch.max")
    assert found is not None
    given = {tuple(one.name for one in signature.parameters): signature.gives for signature in found.signatures}
    assert given["input", "out"] == "tensor"
    assert given["input", "dim", "keepdim", "out"] == "tensors"


def test_a_star_import_binds_what_python_binds() -> None:
    """`__all__` where there is one, else every name without an underscore."""
    assert "cat" in FACTS.members("torch")
    assert "nn" not in FACTS.members("torch")
    assert {"Linear", "Module", "Parameter"} <= set(FACTS.members("torch.nn"))
    assert FACTS.members("torch.nope") == ()


def test_attributes_are_found_through_the_bases() -> None:
    """A layer's own, then Module's; a constructor always."""
    assert FACTS.attribute("torch.nn.Conv2d", "register_buffer") == "torch.nn.Module.register_buffer"
    assert (
        FACTS.attribute("torch.nn.BatchNorm2d", "running_mean") == "torch.nn.modules.batchnorm._NormBase.running_mean"
    )
    assert FACTS.attribute("torch.nn.Linear", "__init__") == "torch.nn.Linear.__init__"
    assert FACTS.attribute("torch.nn.Linear", "nope") is None
    assert FACTS.attribute("torch.cat", "nope") is None


def test_a_pair_has_both_counterparts_and_the_tables_codes() -> None:
    """The classic one, the one of mint, and what differs."""
    found = FACTS.pair("torch.cat")
    assert found is not None
    assert (found.mindspore, found.mint) == ("mindspore.ops.cat", "mindspore.mint.cat")
    assert "name:dim|axis" in found.codes
    assert FACTS.pair("torch.nope") is None


def test_mindspores_signatures_are_known() -> None:
    """Of layers through their wrappers, of builtins from their call lines, with all overloads."""
    (conv,) = FACTS.signature_of("mindspore.nn.Conv2d")
    assert {one.name: one.default for one in conv.parameters}["pad_mode"] == "'same'"
    assert len(FACTS.signature_of("mindspore.mint.max")) == 3
    assert FACTS.exists("mindspore.Parameter.reshape")
    assert FACTS.exists("mindspore.nn.Conv2d.set_train")
    assert not FACTS.exists("mindspore.nn.Lienar")
    assert FACTS.signature_of("mindspore.nn.Lienar") == ()


def test_the_tables_are_read_when_they_are_asked_and_once() -> None:
    """Importing the module reads nothing, and what was read is kept."""
    program = (
        "from tracer.source.facts.table import Facts\n"
        "facts = Facts.load(); assert '_torch' not in vars(facts)\n"
        "facts.pair('torch.cat'); facts.name('torch.cat'); facts.exists('mindspore.ops.cat')\n"
        "assert facts is Facts.load() and '_torch' in vars(facts)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_signature_of_the_tables_can_be_read() -> None:
    """Defaults that are members of an enumeration too."""
    for room, names in read_json("mindspore_signatures.json")["names"].items():
        for name in names:
            assert FACTS.signature_of(f"{room}.{name}") is not None
    (signature,) = FACTS.signature_of("mindspore.dataset.vision.Resize")
    assert signature.parameters[-1].default == "Inter.BILINEAR"
