"""Classes that derive from `nn.Module`: bases, `forward`, what `self` has, layers that are handed on."""

from __future__ import annotations

from tests.source_names.scanned import told

NET = """
    import torch
    from torch import nn
    class Net(nn.Module):
        def __init__(self, width, norm=nn.LayerNorm):
            super().__init__()
            self.norm = norm(width)
            self.fc = nn.Linear(width, 10)
            self.scale = nn.Parameter(torch.ones(width))
        def forward(self, x):
            x = self.norm(x) * self.scale
            return self.fc(x).softmax(-1)
"""


def test_a_whole_net() -> None:
    """Its base, its constructor, its layers and parameters, and what `forward` does."""
    assert told(NET) == [
        "base torch.nn.Module",
        "name torch.nn.LayerNorm",
        "method torch.nn.Module.__init__",
        "call torch.nn.LayerNorm?",
        "call torch.nn.Linear",
        "call torch.nn.Parameter",
        "call torch.ones",
        "definition torch.nn.Module.forward",
        "operator torch.Tensor.__mul__",
        "method torch.Tensor.softmax",
    ]


def body(text: str, *, init: str = "pass") -> str:
    """A net with these lines in `forward`."""
    return (
        "import torch\nfrom torch import nn\nclass Net(nn.Module):\n"
        f"    def __init__(self):\n        {init}\n    def forward(self, x):\n        {text}\n"
    )


def test_calling_a_layer_is_no_use_of_its_own() -> None:
    """The layer was a use where it was made."""
    assert told(body("return self.fc(x)", init="self.fc = nn.Linear(1, 2)"), "call", "method") == [
        "call torch.nn.Linear"
    ]


def test_training_is_torchs_also_where_the_class_sets_it() -> None:
    """`self.training` is an attribute of every module."""
    assert told(body("self.training = True\n        return self.training"), "name") == [
        "name torch.nn.Module.training",
        "name torch.nn.Module.training",
    ]


def test_a_method_that_the_class_defines_is_not_torchs() -> None:
    """`self.half()` is the net's own here, and `self.eval()` is torch's."""
    source = """
        from torch import nn
        class Net(nn.Module):
            def halve(self): ...
            def half(self): ...
            def go(self):
                self.halve()
                self.half()
                self.eval()
    """
    assert told(source, "method") == ["method torch.nn.Module.eval"]


def test_methods_that_torch_calls_are_definitions() -> None:
    """`forward` and what else a class defines anew; a name of its own is nothing to torch."""
    source = """
        from torch import nn
        class Net(nn.Linear):
            def forward(self, x): ...
            def extra_repr(self): ...
            def forward_features(self, x): ...
    """
    assert told(source, "definition") == [
        "definition torch.nn.Module.forward",
        "definition torch.nn.Module.extra_repr",
    ]


def test_super_reaches_the_layer_above() -> None:
    """`super().forward(x)` of a class derived from a layer."""
    source = """
        from torch import nn
        class Norm(nn.LayerNorm):
            def forward(self, x):
                return super().forward(x.float()).type_as(x)
    """
    assert told(source, "method") == [
        "method torch.nn.LayerNorm.forward",
        "method torch.Tensor.type_as",
        "method torch.Tensor.float",
    ]


def test_what_a_base_of_the_tree_defines_is_the_trees() -> None:
    """`super().forward(x)` of a class of one's own is no use of torch."""
    source = """
        from torch import nn
        class A(nn.Module):
            def forward(self, x):
                return x
        class B(A):
            def forward(self, x):
                return super().forward(x)
    """
    assert told(source, "method") == []


def test_a_buffer_is_a_tensor() -> None:
    """It is registered in one method and used in another."""
    init = "self.register_buffer('mean', torch.zeros(3))"
    assert told(body("return x - self.mean.view(3, 1)", init=init), "method", "operator") == [
        "method torch.nn.Module.register_buffer",
        "operator torch.Tensor.__sub__",
        "method torch.Tensor.view",
    ]


def test_layers_are_found_in_lists_that_grow() -> None:
    """`layers.append(...)`, then `nn.Sequential(*layers)`, called with a tensor."""
    init = "layers = []\n        layers.append(nn.Linear(1, 2))\n        self.net = nn.Sequential(*layers)"
    assert told(body("return self.net(x).view(-1)", init=init), "method") == ["method torch.Tensor.view"]


def test_layers_are_found_in_dicts() -> None:
    """A table of activations."""
    source = """
        from torch import nn
        ACTS = {'relu': nn.ReLU, 'gelu': nn.GELU}
        ACTS['gelu']()
    """
    assert told(source) == ["name torch.nn.ReLU", "name torch.nn.GELU", "call torch.nn.GELU"]


def test_of_an_unknown_key_nothing_is_guessed() -> None:
    """It may be either layer, so neither is named."""
    source = """
        from torch import nn
        def make(name):
            return {'relu': nn.ReLU, 'gelu': nn.GELU}[name]()
    """
    assert told(source, "call") == []


def test_a_partial_is_a_call_with_its_arguments() -> None:
    """Calling it later is no use of its own."""
    source = """
        from functools import partial
        from torch import nn
        norm = partial(nn.LayerNorm, eps=1e-6)
        norm(8)
    """
    assert told(source) == ["call torch.nn.LayerNorm"]


def test_a_default_that_is_a_layer_makes_the_call_a_guess() -> None:
    """The caller may hand over another."""
    source = """
        from torch import nn
        def block(width, act=nn.GELU):
            return nn.Sequential(nn.Linear(width, width), act())
    """
    assert told(source) == [
        "name torch.nn.GELU",
        "call torch.nn.Sequential",
        "call torch.nn.Linear",
        "call torch.nn.GELU?",
    ]


def test_a_default_that_is_given_later_is_the_same_guess() -> None:
    """`act = act or nn.GELU`."""
    source = """
        from torch import nn
        def block(act=None):
            act = act or nn.GELU
            return act()
    """
    assert told(source) == ["name torch.nn.GELU", "call torch.nn.GELU?"]


def test_a_layer_that_one_of_many_callers_hands_over_says_nothing_of_the_others() -> None:
    """Another call hands over what is not known."""
    source = """
        from torch import nn
        from elsewhere import get
        def block(act):
            return act()
        block(nn.ReLU)
        block(get('gelu'))
    """
    assert told(source, "call") == []


def test_weights_of_a_layer_are_known() -> None:
    """`self.fc.weight` is a tensor, and a name of torch."""
    assert told(body("return self.fc.weight.t()", init="self.fc = nn.Linear(1, 2)"), "name", "method") == [
        "name torch.nn.Linear.weight",
        "method torch.Tensor.t",
    ]


def test_isinstance_says_what_a_module_is() -> None:
    """Only where it holds."""
    source = """
        from torch import nn
        def init(m):
            if isinstance(m, nn.Linear):
                nn.init.zeros_(m.bias)
            else:
                m.bias
    """
    assert told(source) == ["name torch.nn.Linear", "call torch.nn.init.zeros_", "name torch.nn.Linear.bias"]


def test_a_base_that_is_not_scanned_leaves_a_guess() -> None:
    """With a `forward` it is a module, most likely."""
    source = """
        import torch
        from elsewhere import Base
        class Net(Base):
            def forward(self, x):
                return x.view(-1)
    """
    assert told(source) == ["definition torch.nn.Module.forward?", "method torch.Tensor.view?"]


def test_a_function_with_a_backward_of_its_own() -> None:
    """`autograd.Function`: what torch calls, and what the context has."""
    source = """
        import torch
        class Square(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x.pow(2)
            @staticmethod
            def backward(ctx, grad):
                x, = ctx.saved_tensors
                return grad * 2 * x
    """
    found = told(source)
    assert found[0] == "base torch.autograd.Function"
    assert [use for use in found if use.startswith("definition")] == [
        "definition torch.autograd.Function.forward",
        "definition torch.autograd.Function.backward",
    ]
    assert "operator torch.Tensor.__mul__" in found
