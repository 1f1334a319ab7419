"""A name of torch is found by whatever way Python would: imports, aliases, stars, branches, scopes."""

from __future__ import annotations

import pytest

from tests.source_names.scanned import told


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ntorch.nn.GELU()",
        "import torch as t\nt.nn.GELU()",
        "import torch.nn\ntorch.nn.GELU()",
        "import torch.nn as nn\nnn.GELU()",
        "from torch import nn\nnn.GELU()",
        "from torch import nn as layers\nlayers.GELU()",
        "from torch.nn import GELU\nGELU()",
        "from torch.nn import GELU as Act\nAct()",
        "from torch.nn import *\nGELU()",
        "from torch.nn.modules.activation import GELU\nGELU()",
        "import torch.nn.modules as m\nm.activation.GELU()",
    ],
)
def test_each_way_to_import_leads_to_the_same_name(source: str) -> None:
    """A layer has one public name, however it was reached."""
    assert told(source) == ["call torch.nn.GELU"]


def test_a_name_that_is_bound_to_torch_stays_torchs() -> None:
    """The mention is a use, and so is the call through the new name."""
    assert told("from torch import nn\nconv = nn.Conv2d\nconv(3, 8, 1)") == [
        "name torch.nn.Conv2d",
        "call torch.nn.Conv2d",
    ]


def test_a_name_that_is_bound_anew_is_torchs_no_more() -> None:
    """`F` is the number of frames here."""
    source = """
        import torch.nn.functional as F
        F.relu
        B, F = 2, 3
        F.relu
    """
    assert told(source) == ["name torch.nn.functional.relu"]


def test_a_parameter_hides_the_module() -> None:
    """Inside the function `nn` is whatever was given."""
    assert told("from torch import nn\ndef build(nn):\n    return nn.Linear(1, 2)") == []


def test_a_deleted_name_is_gone() -> None:
    """After `del` nothing is known of it."""
    assert told("from torch import cat\ndel cat\ncat([1])") == []


def test_both_ways_of_a_guarded_import_count() -> None:
    """What is None without torch is torch's with it."""
    source = """
        try:
            from torch import einsum
        except ImportError:
            einsum = None
        einsum('ij->ji', [1])
    """
    assert told(source) == ["call torch.einsum"]


def test_of_two_guarded_imports_the_first_that_torch_has_is_told_as_a_guess() -> None:
    """Only running it could say which of them was taken."""
    source = """
        try:
            from torch.amp import autocast
        except ImportError:
            from torch.cuda.amp import autocast
        with autocast('cuda'):
            pass
    """
    assert told(source) == ["call torch.amp.autocast?"] or told(source) == ["call torch.autocast?"]


def test_an_import_under_a_condition_binds() -> None:
    """`if TYPE_CHECKING` and its kin."""
    source = """
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            import torch
        def f(x: "torch.Tensor") -> None: ...
    """
    assert told(source) == ["name torch.Tensor"]


def test_an_import_within_a_function_is_seen_there_only() -> None:
    """Names of a function are its own."""
    source = """
        def f():
            from torch import cat
            return cat([1])
        def g():
            return cat([1])
    """
    assert told(source) == ["call torch.cat"]


def test_a_global_is_bound_for_the_whole_module() -> None:
    """`global` names the module's."""
    source = """
        act = None
        def choose():
            global act
            from torch.nn import GELU
            act = GELU
        def use():
            return act()
    """
    assert "call torch.nn.GELU" in told(source)


def test_a_name_that_torch_does_not_have_is_told_as_it_stands() -> None:
    """It is a use of torch all the same: nothing is put in its place."""
    assert told("import torch\ntorch.no_such_function(1)") == ["call torch.no_such_function"]


def test_getattr_with_a_name_that_is_written_out_is_that_name() -> None:
    """`getattr(torch, "float32")`."""
    assert told("import torch\ndtype = getattr(torch, 'float32')") == ["name torch.float32"]


def test_a_module_that_is_mentioned_is_no_use() -> None:
    """`functional` alone has no counterpart to name."""
    assert told("import torch\nf = torch.nn.functional") == []


def test_other_packages_are_nothing_to_torch() -> None:
    """numpy's names are numpy's, also those that torch has too."""
    assert told("import numpy as np\nx = np.concatenate([1])\nx.reshape(2).mean()") == []


def test_what_a_package_re_exports_that_is_not_scanned_stays_unknown() -> None:
    """Nobody can say what `timm.layers.GELU` is without looking."""
    assert told("from timm.layers import GELU, nn\nGELU()\nnn.Linear(1, 2)") == []
