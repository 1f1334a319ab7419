"""A value is a tensor when it came from one; what is only likely is a guess; what others have too is left alone."""

from __future__ import annotations

import pytest

from tests.source_names.scanned import told


def forward(*lines: str, head: str = "self, x") -> str:
    """These lines in the `forward` of a module."""
    text = "\n        ".join(lines)
    return f"import torch\nfrom torch import nn\nclass Net(nn.Module):\n    def forward({head}):\n        {text}\n"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("x.view(1)", "method torch.Tensor.view"),
        ("x.shape", "name torch.Tensor.shape"),
        ("x[:, 0].view(1)", "method torch.Tensor.view"),
        ("x.mean(0).view(1)", "method torch.Tensor.view"),
        ("(x + 1).view(1)", "method torch.Tensor.view"),
        ("torch.cat([x, x]).view(1)", "method torch.Tensor.view"),
        ("x.chunk(2)[0].view(1)", "method torch.Tensor.view"),
        ("x.max(0)[1].view(1)", "method torch.Tensor.view"),
        ("x.max(0).values.view(1)", "method torch.Tensor.view"),
        ("x.max().view(1)", "method torch.Tensor.view"),
        ("[y.view(1) for y in x[:, 0]]", "method torch.Tensor.view"),
        ("(lambda: x)().view(1)", "method torch.Tensor.view"),
        ("(y := x).view(1)", "method torch.Tensor.view"),
        ("x.to('cpu').view(1)", "method torch.Tensor.view"),
        ("torch.zeros_like(x).view(1)", "method torch.Tensor.view"),
        ("list(x[:, 0])[0].view(1)", "method torch.Tensor.view"),
        ("dict(a=x)['a'].view(1)", "method torch.Tensor.view"),
        ("(x if x is not None else x).view(1)", "method torch.Tensor.view"),
    ],
)
def test_what_comes_from_a_tensor_is_one(text: str, name: str) -> None:
    """Methods, operators, indices, results of functions, items."""
    assert name in told(forward(text))


@pytest.mark.parametrize(
    "text",
    [
        "x.shape[0].view(1)",
        "x.size(0).view(1)",
        "x.tolist().view(1)",
        "x.numpy().view(1)",
        "x.dim().view(1)",
        "len(x).view(1)",
        "str(x).view(1)",
        "x.item().view(1)",
    ],
)
def test_what_is_taken_from_a_tensor_need_not_be_one(text: str) -> None:
    """Numbers, lists, arrays, text."""
    assert not [name for name in told(forward(text)) if ".view" in name]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("x @ x", "__matmul__"),
        ("x + 1", "__add__"),
        ("1 + x", "__radd__"),
        ("2 - x", "__rsub__"),
        ("-x", "__neg__"),
        ("~x", "__invert__"),
        ("x > 0", "__gt__"),
        ("0 < x", "__gt__"),
        ("x == x", "__eq__"),
        ("x[:, 0]", "__getitem__"),
        ("x // 2", "__floordiv__"),
        ("x ** 2", "__pow__"),
        ("x & x", "__and__"),
    ],
)
def test_operators_on_tensors_are_uses(text: str, name: str) -> None:
    """By the method that Python would call."""
    assert told(forward(text), "operator") == [f"operator torch.Tensor.{name}"]


def test_operators_that_change_a_tensor_in_place_are_told_apart() -> None:
    """`x += 1` changes what others may hold, `x[0] = 1` too."""
    assert told(forward("x += 1", "x[0] = 1"), "operator") == [
        "operator torch.Tensor.__iadd__",
        "operator torch.Tensor.__setitem__",
    ]


def test_is_and_in_are_pythons_own() -> None:
    """`x is None` asks no tensor."""
    assert told(forward("x is None", "not x", "x and x"), "operator") == []


def test_a_number_of_a_shape_has_no_operators_of_torch() -> None:
    """`x.shape[0] // 2` is Python's division."""
    assert told(forward("x.shape[0] // 2"), "operator") == []


@pytest.mark.parametrize(
    "head", ["self, x: int", "self, x: str", "self, x: dict", "self, x=3", "self, x='a'", "self, x=True"]
)
def test_a_parameter_of_forward_that_says_otherwise_is_no_tensor(head: str) -> None:
    """By its annotation or its default."""
    assert told(forward("x.view(1)", "x + 1", head=head), "method", "operator") == []


def test_a_parameter_of_forward_that_may_be_none_is_a_guess() -> None:
    """A mask, most likely."""
    assert told(forward("mask.view(1)", head="self, x, mask=None"), "method") == ["method torch.Tensor.view?"]


@pytest.mark.parametrize("line", ["for y in x: ...", "a, b = x", "y = x[-1]", "len(x)", "f(*x)", "x['a']"])
def test_a_parameter_of_forward_that_may_be_a_list_is_left_alone(line: str) -> None:
    """It is looped over, unpacked, or one item of it is taken; what only tensors have is a guess."""
    assert told(forward(line, "x.shape", "x[1:]", "x.unsqueeze(0)"), "method", "name", "operator") == [
        "method torch.Tensor.unsqueeze?"
    ]


def test_items_of_what_may_be_a_list_are_guesses() -> None:
    """`features[-1]`: of a list of tensors, or of one tensor."""
    assert told(forward("y = x[-1]", "y.shape"), "name", "operator") == ["name torch.Tensor.shape?"]


@pytest.mark.parametrize(
    "annotation",
    ["torch.Tensor", "'torch.Tensor'", "torch.Tensor | None", "Optional[torch.Tensor]", "Annotated[torch.Tensor, 3]"],
)
def test_an_annotation_makes_a_tensor(annotation: str) -> None:
    """In any function, written as it may be."""
    source = f"import torch\nfrom typing import *\ndef f(x: {annotation}):\n    return x.view(1)"
    assert told(source) == ["name torch.Tensor", "method torch.Tensor.view"]


def test_items_of_an_annotated_list_are_tensors() -> None:
    """`list[torch.Tensor]`."""
    source = "import torch\ndef f(xs: list[torch.Tensor]):\n    return xs[0].view(1)"
    assert told(source, "method") == ["method torch.Tensor.view"]


def test_a_function_that_is_called_with_a_tensor_has_a_guess_of_one() -> None:
    """Others may call it with something else."""
    source = forward("return split(x)") + "def split(y):\n    return y.view(1)\n"
    assert told(source, "method") == ["method torch.Tensor.view?"]


def test_a_method_that_only_tensors_have_is_a_guess_on_anything() -> None:
    """Where a file has to do with torch at all."""
    assert told("import torch\ndef f(x):\n    return x.unsqueeze(0)") == ["method torch.Tensor.unsqueeze?"]
    assert told("def f(x):\n    return x.unsqueeze(0)") == []


def test_what_is_used_like_a_tensor_is_guessed_to_be_one() -> None:
    """Once it had a method that only tensors have, others that arrays lack are a tensor's too."""
    assert told("import torch\ndef f(x):\n    y = x.unsqueeze(0)\n    return x.tanh(), x.mean()") == [
        "method torch.Tensor.unsqueeze?",
        "method torch.Tensor.tanh?",
    ]


def test_of_a_tensor_or_an_array_only_what_arrays_lack_is_told() -> None:
    """`transpose` may be either's, `unsqueeze` only a tensor's."""
    source = """
        import numpy as np
        import torch
        def f(image: np.ndarray | torch.Tensor):
            image.transpose(0, 1)
            image.unsqueeze(0)
    """
    assert told(source, "method") == ["method torch.Tensor.unsqueeze?"]


@pytest.mark.parametrize(
    "text", ["x.reshape(1)", "x.mean()", "x.size", "x.to(1)", "x.copy()", "x.split(',')", "x + 1", "x[0]"]
)
def test_what_others_have_too_is_never_guessed(text: str) -> None:
    """An array, a text, a list, a module could stand there."""
    assert told(f"import torch\ndef f(x):\n    return {text}") == []


def test_a_method_of_the_trees_own_is_never_guessed() -> None:
    """Here `unsqueeze` may be that of a box."""
    source = """
        import torch
        class Box:
            def unsqueeze(self, dim): ...
        def f(x):
            return x.unsqueeze(0)
    """
    assert told(source) == []


@pytest.mark.parametrize(
    "made",
    ["np.zeros(3)", "[1, 2]", "'text'", "{'a': 1}", "3.0", "Image.open('a')", "range(3)", "Box()", "np.array(x)"],
)
def test_what_is_certainly_something_else_has_no_method_of_torch(made: str) -> None:
    """Not even one that only tensors have."""
    source = f"import torch\nimport numpy as np\nfrom PIL import Image\nclass Box: ...\ndef f(x):\n    y = {made}\n    y.mean()\n    y + 1\n    y[0]"
    assert told(source, "method", "operator") == []


def test_a_loop_that_turns_a_number_into_a_tensor_leaves_a_guess() -> None:
    """The first time round it is a number."""
    source = forward("total = 0", "for y in x:", "    total = total + y", "return total.view(1)")
    assert told(source, "method") == ["method torch.Tensor.view?"]


def test_branches_are_joined() -> None:
    """A tensor on both ways is one; on one way only it may be anything, and what others have too is left alone."""
    both = forward("if self.training:", "    y = x", "else:", "    y = x + 1", "y.view(1)")
    assert told(both, "method") == ["method torch.Tensor.view"]
    one = forward("if self.training:", "    y = x", "else:", "    y = unknown()", "y.tanh()", "y.mean()", "y + 1")
    assert told(one, "method", "operator") == ["method torch.Tensor.tanh?"]


def test_a_way_that_returns_does_not_come_back() -> None:
    """After `if ...: return` only the other way goes on."""
    source = forward("y = x", "if self.training:", "    y = None", "    return y", "y.view(1)")
    assert told(source, "method") == ["method torch.Tensor.view"]


def test_parameters_of_a_module_are_tensors() -> None:
    """`for p in self.parameters()`."""
    assert told(forward("for p in self.parameters():", "    p.numel()"), "method") == [
        "method torch.nn.Module.parameters",
        "method torch.Tensor.numel",
    ]


def test_einops_gives_back_what_it_was_given() -> None:
    """It is no part of torch, but what it gives is a tensor."""
    source = "from einops import rearrange\n" + forward("rearrange(x, 'a b -> b a').view(1)")
    assert told(source, "method") == ["method torch.Tensor.view"]


def test_a_picture_that_is_handed_to_forward_is_left_alone() -> None:
    """`img.size` without a call, and `img.resize(...)`: no tensor is used so."""
    assert told(forward("w, h = img.size", "img.resize((w, h))", head="self, img"), "name", "method") == []


def test_of_what_may_be_a_number_no_operator_is_told() -> None:
    """`lr` is one or the other; with a tensor on the other side it is torch's all the same."""
    head = "import torch\ndef f(lr: torch.Tensor | float, x: torch.Tensor):\n    "
    assert told(head + "lr ** 2\n    -lr\n    1 - lr", "operator") == []
    assert told(head + "lr * x", "operator") == ["operator torch.Tensor.__mul__?"]


def test_with_something_unknown_on_its_left_no_operator_is_told() -> None:
    """`base ** x` is `__rpow__` of a number's and `__pow__` of a tensor's; what comes of it is a tensor."""
    source = forward("y = unknown() ** x", "y.view(1)")
    assert told(source, "operator", "method") == ["method torch.Tensor.view"]


def test_what_has_keys_is_no_tensor() -> None:
    """`targets["boxes"]`, whatever was guessed of it before."""
    assert told(forward("t['boxes'] + 1", head="self, x, t=None"), "operator") == []
