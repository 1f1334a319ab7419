"""Files of one tree import each other: names are followed through all of them."""

from __future__ import annotations

from tests.source_names.scanned import told, uses


def test_a_relative_import_leads_to_what_the_other_file_imported() -> None:
    """`from .layers import GELU`, which has it from torch."""
    tree = {
        "net/__init__.py": "",
        "net/layers.py": "from torch.nn import GELU",
        "net/vit.py": "from .layers import GELU\nGELU()",
    }
    assert told(tree) == ["call torch.nn.GELU"]


def test_a_star_brings_what_all_names() -> None:
    """`__all__` of the tree's own package."""
    tree = {
        "net/__init__.py": "",
        "net/layers.py": "from torch.nn import GELU, ReLU\n__all__ = ['GELU']",
        "net/vit.py": "from .layers import *\nGELU()\nReLU()",
    }
    assert told(tree) == ["call torch.nn.GELU"]


def test_a_package_re_exports() -> None:
    """Two steps: the package's `__init__` has it from one of its files."""
    tree = {
        "net/__init__.py": "from .layers import Norm",
        "net/layers.py": "from torch.nn import LayerNorm as Norm",
        "train.py": "from net import Norm\nNorm(8)",
    }
    assert told(tree) == ["call torch.nn.LayerNorm"]


def test_a_folder_without_init_is_a_package_too() -> None:
    """Python takes it for one."""
    tree = {"net/layers.py": "from torch.nn import GELU", "train.py": "import net.layers\nnet.layers.GELU()"}
    assert told(tree) == ["call torch.nn.GELU"]


def test_a_class_of_the_tree_is_a_layer_by_its_bases() -> None:
    """`Block` derives from `Base` of another file, which derives from `nn.Module`."""
    tree = {
        "base.py": "from torch import nn\nclass Base(nn.Module):\n    pass",
        "block.py": (
            "from base import Base\nclass Block(Base):\n    def __init__(self):\n        super().__init__()\n"
            "        self.register_buffer('mean', None)"
        ),
    }
    assert told(tree) == [
        "base torch.nn.Module",
        "method torch.nn.Module.__init__",
        "method torch.nn.Module.register_buffer",
    ]


def test_files_that_import_each_other_in_a_circle_are_followed() -> None:
    """Whichever is read first."""
    tree = {
        "a.py": "from torch.nn import GELU\nimport b\nb.ReLU()",
        "b.py": "from torch.nn import ReLU\nimport a\ndef f():\n    return a.GELU()",
    }
    assert told(tree) == ["call torch.nn.ReLU", "call torch.nn.GELU"]


def test_a_class_that_is_its_own_base_is_no_trouble() -> None:
    """Nor are two that derive from each other."""
    tree = {
        "a.py": "from b import B\nclass A(B):\n    def f(self):\n        return self.training",
        "b.py": "from a import A\nclass B(A):\n    pass\nclass C(C):\n    pass",
    }
    assert told(tree) == []


def test_a_function_of_the_tree_gives_what_it_returns() -> None:
    """A tensor that another file's function makes."""
    tree = {
        "make.py": "import torch\ndef grid(n):\n    return torch.arange(n)",
        "use.py": "from make import grid\ngrid(3).view(3, 1)",
    }
    assert told(tree, "method") == ["method torch.Tensor.view"]


def test_uses_come_in_the_order_of_files_and_places() -> None:
    """However the files import each other."""
    tree = {"a.py": "import b\nimport torch\ntorch.ones(1)", "b.py": "import torch\ntorch.zeros(torch.rand(1))"}
    assert [(use.file.rpartition("/")[2], use.line, use.torch) for use in uses(tree)] == [
        ("a.py", 3, "torch.ones"),
        ("b.py", 2, "torch.zeros"),
        ("b.py", 2, "torch.rand"),
    ]


def test_of_two_files_with_one_name_the_nearer_is_meant() -> None:
    """Two projects were scanned at once, each with a `layers.py`."""
    tree = {
        "a/layers.py": "from torch.nn import GELU as Act",
        "a/train.py": "from layers import Act\nAct()",
        "b/layers.py": "from torch.nn import ReLU as Act",
        "b/train.py": "from layers import Act\nAct()",
    }
    assert told(tree) == ["call torch.nn.GELU", "call torch.nn.ReLU"]


def test_a_file_that_is_called_like_torch_or_a_module_of_python_hides_neither() -> None:
    """It lies in another folder, from where nobody starts Python."""
    tree = {
        "backends/torch.py": "def zeros(n): ...",
        "backends/math.py": "from torch import sqrt",
        "net.py": "import torch\nimport math\ntorch.zeros(1)\nmath.sqrt(2)",
    }
    assert told(tree) == ["call torch.zeros"]
